//! Ladders of the whole control plane: time-ordered message files a telephony person can read and write.
//!
//! `> 2600 PHONE1 lifts` is something that happens at 2,600 ms, the lines below it are what the box does about it.
//! `BLESS=1 cargo test --test ladders` writes down what the box does now; read the difference before keeping it.

#![allow(clippy::disallowed_methods, reason = "ladders are files")]

mod rig;

use rig::Rig;
use ringside::{
    id::{PortId, RtpPort},
    media::control as media,
    switchboard::Input,
};
use std::{fs, path::Path};

fn play(script: &str) -> String {
    let mut rig = Rig::new(2, 7);
    let mut text = String::new();
    let keep = |line: &&str| line.starts_with('>') || line.starts_with('#');
    for line in script.lines().filter(keep) {
        if line.starts_with('#') {
            text += &format!("{line}\n");
            continue;
        }
        let mut words = line.trim_start_matches('>').split_whitespace();
        let ms = words.next().and_then(|ms| ms.parse().ok()).expect("a time in ms");
        rig.until(ms);
        flush(&mut rig, &mut text);
        text += &format!("{line}\n");
        happen(&mut rig, words.next().unwrap_or_default(), &words.collect::<Vec<_>>());
        flush(&mut rig, &mut text);
    }
    text
}

fn flush(rig: &mut Rig, text: &mut String) {
    for line in rig.log.drain(..) {
        *text += &format!("{line}\n");
    }
}

fn happen(rig: &mut Rig, who: &str, what: &[&str]) {
    match (who, what) {
        ("trunk", [method, name, rest @ ..]) => {
            rig.send(method, name, rest.first().copied().unwrap_or("13125550100"));
        }
        ("media", ["unpatched", rtp]) => rig.unpatched(RtpPort(rtp.parse().expect("an RTP port"))),
        ("media", ["audio", rtp]) => {
            let rtp = RtpPort(rtp.parse().expect("an RTP port"));
            rig.give(Input::Media(media::Event::AudioStarted { rtp }));
        }
        ("box", ["stops"]) => rig.give(Input::Stop),
        ("time", _) => {}
        (phone, [verb, ..]) => {
            let n: u8 = phone.trim_start_matches("PHONE").parse().expect("a phone");
            rig.hook(PortId(n - 1), *verb == "lifts");
        }
        _ => panic!("nobody called `{who}` can do {what:?}"),
    }
}

#[test]
fn every_ladder_is_climbed_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders/box");
    let mut differ = Vec::new();
    for entry in fs::read_dir(folder).expect("the ladders") {
        let path = entry.expect("a ladder").path();
        let want = fs::read_to_string(&path).expect("text");
        let got = play(&want);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, got).expect("written");
        } else if got != want {
            differ.push(format!("{}:\n--- wanted\n{want}--- got\n{got}", path.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
