//! Nothing that a SIP caller sends ever reaches a dialler: on the office line only the forwarding numbers of the
//! directory are dialled, whatever stands in an INVITE, an INFO or the caller's key presses.
//!
//! `Digits` has no constructor that takes a SIP type (`line/fxo/dial.rs`); this is the proof from outside.

mod rig;

use rig::{Rig, dice::Dice};
use ringside::{
    audio::{dtmf::Key, line_ear::Heard, progress::Progress},
    chip::LineChange,
    id::PortId,
    media::control as media,
    switchboard::{Input, Output},
};

const CASES: u64 = 3_000;
/// What the directory's only forwarding number is on the line.
const FORWARDING: &str = "13125550199";
const LINE: PortId = PortId(2);

/// A number that costs money, or pieces of one.
fn number(dice: &mut Dice) -> String {
    let premium = ["19005551234", "0119005551234", "+8821612345", "911", "*72", "1010288", "9,,1900#"];
    match dice.below(3) {
        0 => premium[dice.below(premium.len() as u64) as usize].to_owned(),
        1 => (0..dice.below(20)).map(|_| char::from(b'0' + dice.below(10) as u8)).collect(),
        _ => format!("+1900{:07}", dice.below(10_000_000)),
    }
}

/// An INVITE for the tracking number whose last hop is the line, with numbers in every place that may hold one.
fn hostile(rig: &mut Rig, dice: &mut Dice, name: &str) -> String {
    let invite = rig.request("INVITE", name, "13125550102");
    let mut extra = String::new();
    for _ in 0..dice.below(5) {
        let number = number(dice);
        extra += &match dice.below(9) {
            0 => format!("Diversion: <sip:{number}@x.invalid>;reason=unconditional\r\n"),
            1 => format!("P-Asserted-Identity: <sip:{number}@x.invalid>\r\n"),
            2 => format!("P-Called-Party-ID: <sip:{number}@x.invalid>\r\n"),
            3 => format!("History-Info: <sip:{number}@x.invalid>;index=1\r\n"),
            4 => format!("Refer-To: <sip:{number}@x.invalid>\r\n"),
            5 => format!("Alert-Info: <http://x.invalid/{number}>\r\n"),
            6 => format!("X-Forward: {number}\r\n"),
            7 => format!("Route: <sip:{number}@127.0.0.1:5060;lr>\r\n"),
            _ => format!("Subject: {number}\r\n"),
        };
    }
    let caller = number(dice);
    let text = match dice.below(6) {
        0 => invite.replace("+13125551234", &caller),
        1 => {
            invite.replace("sip:13125550102@127.0.0.1:5060 SIP", &format!("sip:{caller}@127.0.0.1:5060 SIP"))
        }
        2 => invite.replacen("sip:13125550102@", &format!("sip:13125550102,,{caller}@"), 1),
        3 => invite.replacen("sip:13125550102@", &format!("sip:13125550102;postd={caller}@"), 1),
        4 => invite.replace("To: <sip:13125550102@", &format!("To: <sip:{caller}@")),
        _ => invite,
    };
    text.replacen("Content-Type:", &format!("{extra}Content-Type:"), 1)
}

/// Keys and INFO of a caller who is through.
fn press_on(rig: &mut Rig, dice: &mut Dice, name: &str) {
    let number = number(dice);
    let body = format!("Signal={}\r\nDuration=160\r\n", number.chars().next().unwrap_or('1'));
    let info = rig.request("ACK", name, "13125550102").replace("ACK", "INFO").replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    rig.datagram(&info);
    for key in number.chars().filter_map(Key::from_sign) {
        rig.heard(LINE, Heard::Key(key));
    }
    rig.give(Input::Media(media::Event::TwoWay { rtp: ringside::id::RtpPort(0) }));
}

#[test]
fn a_caller_dials_nothing_but_the_forwarding_number_however_hard_it_tries() {
    let mut dice = Dice(1);
    let mut dialled = 0_u32;
    for case in 0..CASES {
        let mut rig = Rig::with(2, 1, case, |_| ());
        let text = hostile(&mut rig, &mut dice, "mallory");
        rig.datagram(&text);
        rig.until(1_500);
        rig.heard(LINE, Heard::Progress(Progress::DialTone));
        rig.until(5_000);
        rig.heard(LINE, Heard::Speech);
        press_on(&mut rig, &mut dice, "mallory");
        rig.until(9_000);
        rig.heard(LINE, Heard::Speech);
        rig.send("ACK", "mallory", "");
        press_on(&mut rig, &mut dice, "mallory");
        rig.line(LINE, LineChange::RingBegan);
        rig.send("BYE", "mallory", "");
        rig.until(60_000);
        for output in &rig.out {
            let keys: String = match output {
                Output::Dial { keys, .. } => keys.iter().map(|key| key.sign()).collect(),
                Output::Fxo { order: ringside::chip::LineOrder::Pulse { .. }, .. } => "pulses".to_owned(),
                _ => continue,
            };
            assert_eq!(keys, FORWARDING, "case {case}:\n{text}");
            dialled += 1;
        }
    }
    // Most of them are calls to the tracking number: a test that never dialled would prove nothing.
    assert!(u64::from(dialled) > CASES / 2, "{dialled} of {CASES} were dialled");
}
