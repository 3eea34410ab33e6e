//! Caller ID against spandsp, written by others, both ways, and on the line of the whole box abroad.

#![cfg(feature = "sim")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own clocks, files, sockets, threads"
)]

mod oracle;

mod peers {
    pub(crate) mod running;
}

use oracle::{BELL_202, DTMF, V23, on_the_line, read_by_spandsp, sent_by_spandsp, with_noise};
use peers::running::{PATIENCE, Site};
use ringside::{
    audio::{
        caller_id::{
            Absence, CallType, CallerId, Delivery, Heard, Kind, LocalTime, Message, Preamble, Received,
            Receiver,
            dtmf::{self, Form},
        },
        fsk::Variant,
    },
    config::Config,
    daemon,
    record::Presentation,
    sim::{
        observe::PhoneSnapshot,
        provider::{Account, CallPlan, Provider},
    },
};
use std::{
    fs,
    sync::{Mutex, PoisonError},
};

const AT: LocalTime = LocalTime { month: 11, day: 22, hour: 9, minute: 5 };

fn caller(number: &str, name: &str) -> CallerId {
    CallerId {
        number: Some(number.to_owned()),
        name: Some(name.to_owned()),
        presentation: Presentation::Allowed,
        at: AT,
    }
}

/// Every message that our receiver reads.
fn read_by_us(variant: Variant, samples: &[i16]) -> Vec<Received> {
    let mut receiver = Receiver::new(variant);
    let frames = samples.as_chunks().0.iter().filter_map(|period| receiver.feed(period));
    let read = |heard| match heard {
        Heard::Frame(frame) => frame.parse().ok(),
        Heard::Garbled => None,
    };
    frames.filter_map(read).collect()
}

#[test]
fn spandsp_reads_our_v23_call_set_up() {
    let id = caller("442079460000", "Jane Doe");
    let samples = on_the_line(&Delivery::for_country("DE").render(&id));
    let lines = read_by_spandsp(V23, &samples);
    let want =
        ["message 80", "field 11 \u{1}", "field 01 11220905", "field 02 442079460000", "field 07 Jane Doe"];
    assert_eq!(lines[..5], want);
}

#[test]
fn spandsp_reads_the_british_form_behind_its_alerting_tone() {
    let id = caller("442079460000", "Jane Doe");
    let lines = read_by_spandsp(V23, &on_the_line(&Delivery::for_country("GB").render(&id)));
    assert!(lines.contains(&"field 02 442079460000".to_owned()), "{lines:?}");
}

#[test]
fn spandsp_reads_that_messages_wait() {
    let message = Message::message_waiting(3, AT).modulate(Variant::V23, Preamble::OnHook);
    let lines = read_by_spandsp(V23, &on_the_line(&message));
    assert_eq!(lines[..2], ["message 82", "field 01 11220905"]);
    assert!(lines.contains(&"field 13 \u{3}".to_owned()), "{lines:?}");
}

#[test]
fn spandsp_reads_our_keys() {
    let id = caller("12345678", "");
    for (form, digits) in [
        (Form::FromAToC, "A12345678C"),
        (Form::FromAToHash, "A12345678#"),
        (Form::FromDToC, "D12345678C"),
        (Form::ToHash, "12345678#"),
    ] {
        let lines = read_by_spandsp(DTMF, &on_the_line(&form.render(&id)));
        assert!(lines.contains(&format!("digits {digits}")), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.starts_with("field") && line.ends_with(" 12345678")),
            "{lines:?}"
        );
    }
}

#[test]
fn we_read_what_spandsp_sends_in_bell_202() {
    let name = "07:ADS Jane Doe";
    let mdmf = sent_by_spandsp(BELL_202, &["80", "01:11220905", "02:3125550142", name]);
    let received = read_by_us(Variant::Bell202, &on_the_line(&mdmf));
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].number.as_deref(), Some("3125550142"));
    assert_eq!((received[0].name.as_deref(), received[0].at), (Some("ADS Jane Doe"), Some(AT)));

    let sdmf = sent_by_spandsp(BELL_202, &["04", "00:112209053125550142"]);
    let received = read_by_us(Variant::Bell202, &on_the_line(&sdmf));
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].number.as_deref(), received[0].at), (Some("3125550142"), Some(AT)));
}

#[test]
fn we_read_what_spandsp_sends_in_v23() {
    let fields = ["80", "11:\u{1}", "01:11220905", "04:P", "08:O"];
    let received = read_by_us(Variant::V23, &on_the_line(&sent_by_spandsp(V23, &fields)));
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].number_absent, received[0].name_absent),
        (Some(Absence::Private), Some(Absence::OutOfArea))
    );
    assert_eq!((received[0].call_type, received[0].at), (Some(CallType::Voice), Some(AT)));
    let waiting = sent_by_spandsp(V23, &["82", "0B:\u{7f}", "13:\u{2}"]);
    let received = read_by_us(Variant::V23, &on_the_line(&waiting));
    assert_eq!((received[0].kind, received[0].messages), (Kind::MessageWaiting, Some(2)));
}

#[test]
fn we_read_the_keys_that_spandsp_sends() {
    for (stop, field) in [("23", "41:12345678"), ("43", "41:12345678"), ("43", "44:12345678")] {
        let lines = read_by_spandsp(DTMF, &on_the_line(&sent_by_spandsp(DTMF, &[stop, field])));
        let digits = lines.iter().find_map(|line| line.strip_prefix("digits ")).unwrap();
        let received = dtmf::parse(digits.as_bytes()).unwrap_or_else(|| panic!("{digits}"));
        assert_eq!(received.number.as_deref(), Some("12345678"));
    }
}

/// The same twenty noisy messages to both receivers.
#[test]
fn through_noise_we_read_at_least_what_spandsp_reads() {
    for (variant, standard) in [(Variant::Bell202, BELL_202), (Variant::V23, V23)] {
        for snr_db in [15.0, 12.0, 9.0] {
            let numbers: Vec<String> = (0..20).map(|n| format!("31255501{n:02}")).collect();
            let message = |number: &String| {
                Message::multiple(&caller(number, "WEB Springfield")).modulate(variant, Preamble::OnHook)
            };
            let line: Vec<i16> = numbers.iter().flat_map(|number| on_the_line(&message(number))).collect();
            let noisy = with_noise(&line, -13.5, snr_db, 1);
            let ours = read_by_us(variant, &noisy);
            let ours = numbers.iter().filter(|n| ours.iter().any(|r| r.number.as_ref() == Some(n))).count();
            let theirs = read_by_spandsp(standard, &noisy);
            let theirs = numbers.iter().filter(|n| theirs.contains(&format!("field 02 {n}"))).count();
            println!("{variant:?} {snr_db} dB: {ours} of 20, spandsp {theirs}");
            assert!(ours >= theirs && ours >= 19, "{variant:?} {snr_db} dB: {ours} of 20, spandsp {theirs}");
        }
    }
}

/// A call to the box in a country, answered after so many rings: the phone then, and what was on its line before the
/// first burst.
fn called_in(country: &str, rings: u8) -> (PhoneSnapshot, Vec<i16>) {
    let phone = format!("port = \"PHONE1\"\nanswer_after_rings = {rings}\nanswer_delay_ms = 500\n");
    let site = Site::new("sim", &["PHONE1"], &format!("keep_audio_s = 20\n[[phone]]\n{phone}"));
    let text = fs::read_to_string(site.configure()).unwrap();
    let text = text.replacen("[site]\n", &format!("[site]\ncountry = \"{country}\"\n"), 1);
    // One simulated card of a name in one process.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let config = Config::parse(&text, "ringside.toml").unwrap();
    assert_eq!(config.site.country, country);
    let any = Some("127.0.0.1:0".parse().unwrap());
    let options = daemon::Options {
        config,
        config_dir: site.path(""),
        config_file: None,
        data: site.path("data"),
        sip: any,
        web: any,
    };
    let running = daemon::start(options).unwrap();
    let provider = Provider::start("127.0.0.1:0".parse().unwrap(), Account::default()).unwrap();
    let plan = CallPlan::new("+13125550142", "+13125550100");
    let call = provider.place_at(running.sip(), plan);
    assert!(call.wait(PATIENCE, |o| o.answered_after.is_some()).answered_after.is_some());
    let phone = running.world().unwrap().lock().snapshot().swap_remove(0);
    call.hang_up();
    running.stop();
    let rang_at = (phone.bursts[0].started_at - phone.heard.started_at) as usize;
    let before = phone.heard.samples[..rang_at].to_vec();
    (phone, before)
}

#[test]
fn a_box_in_sweden_dials_the_caller_to_its_phone_before_it_rings() {
    let (_, before) = called_in("SE", 1);
    let lines = read_by_spandsp(DTMF, &before);
    let digits = lines.iter().find_map(|line| line.strip_prefix("digits ")).unwrap();
    assert_eq!(dtmf::parse(digits.as_bytes()).unwrap().number.as_deref(), Some("3125550142"));
    let last = before.iter().rposition(|sample| sample.unsigned_abs() > 100).unwrap();
    let silence_ms = (before.len() - last) / 8;
    // The pause of the last key, and what is kept before the ring.
    assert!((200..=500).contains(&(silence_ms - 70)), "{silence_ms}");
}

#[test]
fn a_box_in_britain_sends_the_caller_to_its_phone_before_it_rings() {
    let (_, before) = called_in("GB", 1);
    let lines = read_by_spandsp(V23, &before);
    assert!(lines.contains(&"field 02 3125550142".to_owned()), "{lines:?}");
    let last = before.iter().rposition(|sample| sample.unsigned_abs() > 100).unwrap();
    let silence_ms = (before.len() - last) / 8;
    assert!((200..=500).contains(&silence_ms), "{silence_ms}");
}

#[test]
fn a_box_in_the_united_states_rings_first() {
    let (phone, before) = called_in("US", 2);
    assert!(before.iter().all(|sample| *sample == 0));
    let [caller] = &phone.callers[..] else { panic!("{:?}", phone.callers) };
    assert_eq!(caller.number.as_deref(), Some("3125550142"));
    let (first_ended, second_began) = (phone.bursts[0].ended_at.unwrap(), phone.bursts[1].started_at);
    // GR-30: at least 500 ms after the ring and 200 ms before the next.
    assert!(caller.started_at >= first_ended + 4_000 && caller.ended_at + 1_600 <= second_began);
}
