//! Ladders of the whole control plane: time-ordered message files a telephony person can read and write.
//!
//! `> 2600 PHONE1 lifts` is something that happens at 2,600 ms, the lines below it are what the box does about it.
//! Lines that begin with `|` are headers of the request above them: they take the place of its own or are added.
//! `BLESS=1 cargo test --test ladders` writes down what the box does now; read the difference before keeping it.

#![allow(clippy::disallowed_methods, reason = "ladders are files")]

mod rig;

use rig::Rig;
use ringside::{
    audio::{
        caller_id::{
            self, CallerId, Frame, LocalTime, Message, Standard,
            waiting::{CallWaiting, Outcome},
        },
        line_ear::Heard,
        progress::Progress,
        prompt::Prompt,
        tone_plan::TonePlan,
    },
    call::ring_group::PortKind,
    chip::{LineChange, si3050::Polarity},
    id::{CallId, PortId, RtpPort, Slot},
    media::control as media,
    record::Presentation,
    switchboard::{Input, MachineSettings, Output, Settings},
};
use std::{fs, net::IpAddr, path::Path};

/// Phones of the ladders' box, which has one office line.
const PHONES: u8 = 2;

fn play(script: &str, site: impl Fn(&mut Settings), tells_attribution: bool) -> String {
    let mut rig = Rig::with(PHONES, 1, 7, site);
    rig.tells_attribution = tells_attribution;
    let mut text = String::new();
    let mut lines = script.lines().filter(|line| line.starts_with(['>', '#', '|'])).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            text += &format!("{line}\n");
            continue;
        }
        let mut words = line.trim_start_matches('>').split_whitespace();
        let ms = words.next().and_then(|ms| ms.parse().ok()).expect("a time in ms");
        rig.until(ms);
        flush(&mut rig, &mut text);
        text += &format!("{line}\n");
        let mut headers = Vec::new();
        while let Some(header) = lines.next_if(|line| line.starts_with('|')) {
            text += &format!("{header}\n");
            headers.push(header.trim_start_matches('|').trim());
        }
        happen(&mut rig, words.next().unwrap_or_default(), &words.collect::<Vec<_>>(), &headers);
        flush(&mut rig, &mut text);
    }
    text
}

/// The request with these headers in place of its own, or beside them.
fn with_headers(request: &str, headers: &[&str]) -> String {
    let (head, body) = request.split_once("\r\n\r\n").expect("a whole request");
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    for header in headers {
        let name = |line: &str| line.split([':', ' ']).next().unwrap_or_default().to_owned();
        match lines.iter_mut().find(|line| name(line) == name(header)) {
            Some(line) => *line = header,
            None => lines.push(header),
        }
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

fn flush(rig: &mut Rig, text: &mut String) {
    for line in rig.log.drain(..) {
        *text += &format!("{line}\n");
    }
}

fn happen(rig: &mut Rig, who: &str, what: &[&str], headers: &[&str]) {
    match (who, what) {
        ("trunk", ["ANSWER", status @ ..]) => rig.answer(&status.join(" ")),
        ("trunk", ["LOOP", name, to]) => {
            let text = rig.request("INVITE", name, to);
            rig.datagram(&text.replace("+13125551234", "+13125550190"));
        }
        ("trunk", [method, name, rest @ ..]) => {
            let to = rest.first().copied().unwrap_or("13125550100");
            let request = rig.request(method, name, to);
            rig.datagram(&with_headers(&request, headers));
        }
        ("media", ["unpatched", rtp]) => rig.unpatched(RtpPort(rtp.parse().expect("an RTP port"))),
        ("media", ["two-way", rtp]) => {
            let rtp = RtpPort(rtp.parse().expect("an RTP port"));
            rig.give(Input::Media(media::Event::TwoWay { rtp }));
        }
        ("media", ["audio", rtp]) => {
            let rtp = RtpPort(rtp.parse().expect("an RTP port"));
            rig.give(Input::Media(media::Event::AudioStarted { rtp }));
        }
        ("button", ["short", "press"]) => {
            let address = IpAddr::from([192, 0, 2, 10]);
            rig.give(Input::Announce(Prompt::Address(address)));
        }
        ("office", ["pauses"]) => newest(rig).into_iter().for_each(|c| rig.give(Input::PauseRecording(c))),
        ("office", ["resumes"]) => newest(rig).into_iter().for_each(|c| rig.give(Input::ResumeRecording(c))),
        ("box", ["stops"]) => rig.give(Input::Stop),
        ("time", _) => {}
        (phone, what) if phone.starts_with("PHONE") => phone_does(rig, number_of(phone) - 1, what),
        (line, what) if line.starts_with("LINE") => line_does(rig, PHONES + number_of(line) - 1, what),
        _ => panic!("nobody called `{who}` can do {what:?}"),
    }
}

/// The call whose bubble changed last.
fn newest(rig: &Rig) -> Option<CallId> {
    rig.out.iter().rev().find_map(|output| match output {
        Output::Show(bubble) => Some(bubble.call),
        _ => None,
    })
}

/// The number behind a port's name.
fn number_of(port: &str) -> u8 {
    port.trim_start_matches(char::is_alphabetic).parse().expect("a port")
}

fn phone_does(rig: &mut Rig, port: u8, what: &[&str]) {
    let port = PortId(port);
    match what {
        ["lifts"] => rig.hook(port, true),
        ["hangs", "up"] => rig.hook(port, false),
        ["presses", keys] => rig.press(port, keys),
        ["flashes"] => rig.flash(port),
        ["shows", "the", "caller"] => {
            let id = CallerId {
                number: None,
                name: None,
                presentation: Presentation::Allowed,
                at: LocalTime { month: 1, day: 1, hour: 0, minute: 0 },
            };
            let beep = &TonePlan::north_america().call_waiting;
            let waiting = Box::new(CallWaiting::new(&id, Standard::Bell202, beep, 4));
            let (slot, outcome) = (Slot(port.0), Some(Outcome::Shown));
            rig.give(Input::Media(media::Event::Announced { slot, outcome, waiting }));
        }
        _ => panic!("a phone cannot do {what:?}"),
    }
}

/// What the exchange does on a line, as chip and ear see it.
fn line_does(rig: &mut Rig, port: u8, what: &[&str]) {
    let port = PortId(port);
    match what {
        ["rings"] => rig.line(port, LineChange::RingBegan),
        ["pauses"] => rig.line(port, LineChange::RingEnded),
        ["battery", "goes"] => rig.line(port, LineChange::BatteryLost),
        ["battery", "returns"] => rig.line(port, LineChange::BatteryReturned),
        ["is", "dead"] => rig.line(port, LineChange::LineDead),
        ["reverses"] => rig.line(port, LineChange::PolarityReversed { to: Polarity::Positive }),
        ["reverses", "back"] => rig.line(port, LineChange::PolarityReversed { to: Polarity::Negative }),
        ["parallel", "lifts"] => rig.line(port, LineChange::ParallelLifted),
        ["parallel", "hangs", "up"] => rig.line(port, LineChange::ParallelHungUp),
        ["resets"] => rig.line(port, LineChange::Reset),
        ["is", "up"] => rig.line(port, LineChange::Up),
        ["says", number] => rig.heard(port, Heard::CallerId(caller_id::Heard::Frame(frame(number)))),
        ["sounds", "dial"] => rig.heard(port, Heard::Progress(Progress::DialTone)),
        ["sounds", "busy"] => rig.heard(port, Heard::Progress(Progress::Busy)),
        ["sounds", "reorder"] => rig.heard(port, Heard::Progress(Progress::Reorder)),
        ["sounds", "ringback"] => rig.heard(port, Heard::Progress(Progress::Ringback { cycle: 1 })),
        ["talks"] => rig.heard(port, Heard::Speech),
        ["interjected"] => rig.give(Input::Media(media::Event::Interjected { slot: Slot(port.0) })),
        _ => panic!("a line cannot do {what:?}"),
    }
}

/// The caller ID that an exchange sends.
fn frame(number: &str) -> Frame {
    let id = CallerId {
        number: Some(number.to_owned()),
        name: Some("ANNA WEBER".to_owned()),
        presentation: Presentation::Allowed,
        at: LocalTime { month: 11, day: 25, hour: 9, minute: 30 },
    };
    Frame::from_bytes(Message::multiple(&id).bytes())
}

#[test]
fn every_ladder_of_the_phones_is_climbed_as_written() {
    climb("box", |settings| settings.call_waiting = false);
}

#[test]
fn every_ladder_of_the_office_line_is_climbed_as_written() {
    climb("line", |_| ());
}

#[test]
fn every_ladder_in_front_of_a_pbx_is_climbed_as_written() {
    climb("pbx", |settings| {
        settings.jacks.iter_mut().take(1).for_each(|jack| jack.port.kind = PortKind::Exchange);
        settings.jacks.iter_mut().for_each(|jack| {
            if let MachineSettings::Fxs(fxs) = &mut jack.machine {
                fxs.cpc_ms = 900;
            }
        });
    });
}

#[test]
fn every_ladder_of_attribution_is_climbed_as_written() {
    climb("attribution", |settings| settings.call_waiting = false);
}

fn climb(folder: &str, site: impl Fn(&mut Settings)) {
    let tells_attribution = folder == "attribution";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders").join(folder);
    let mut differ = Vec::new();
    for entry in fs::read_dir(folder).expect("the ladders") {
        let path = entry.expect("a ladder").path();
        let want = fs::read_to_string(&path).expect("text");
        let got = play(&want, &site, tells_attribution);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, got).expect("written");
        } else if got != want {
            differ.push(format!("{}:\n--- wanted\n{want}--- got\n{got}", path.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
