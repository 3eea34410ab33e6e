//! Our recordings as other programs see them: opusinfo, opusdec, ffprobe, ffmpeg.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    audio::tap_frame::TapFrame,
    recording::{encoder, recorder::Output},
};
use std::path::PathBuf;
use storage::{decode, noise, record, run, speech, tapped};

struct Kept {
    dir: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Kept {
    fn new(frames: &[TapFrame]) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), bytes: record(frames).pages }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> PathBuf {
        self.write("whole.opus", &self.bytes)
    }
}

/// A conversation: one talker after the other, and both at once at the end.
fn conversation() -> (Vec<i16>, Vec<i16>) {
    let (mut caller, mut office) = (speech("hts.raw"), speech("big_dog.raw"));
    let turn = caller.len().min(office.len());
    caller.resize(2 * turn, 0);
    office.splice(0..0, vec![0; turn]);
    caller.extend(speech("cq_ref.raw").iter().take(turn));
    office.extend(speech("hts.raw").iter().take(turn));
    let whole = caller.len().min(office.len()) / 80 * 80;
    (caller[..whole].repeat(4), office[..whole].repeat(4))
}

/// Seconds as ffprobe has them: with the pre-skip of 6.5 ms.
fn duration_s(path: &std::path::Path) -> f64 {
    let show =
        ["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path.to_str().unwrap()];
    let (ok, text) = run("ffprobe", &show);
    assert!(ok, "{text}");
    text.trim().parse().unwrap_or_else(|_| panic!("ffprobe warns: {text}"))
}

#[test]
fn opusinfo_and_ffprobe_have_nothing_to_say_against_a_recording() {
    let (caller, office) = conversation();
    let kept = Kept::new(&tapped(77, &caller, &office));
    let path = kept.path();
    let (ok, text) = run("opusinfo", &[path.to_str().unwrap()]);
    assert!(ok && !text.to_lowercase().contains("warning"), "{text}");
    for fact in ["Channels: 2", "CAMPAIGN=Spring mailer", "CALLER=+13125550199", "CHANNELS=caller,office"] {
        assert!(text.contains(fact), "{fact} not in {text}");
    }
    let asked = caller.len() as f64 / 8_000.0 + 0.006_5;
    assert!((duration_s(&path) - asked).abs() < 0.000_5, "{} s of {asked} s", duration_s(&path));
    let (ok, text) = run("ffmpeg", &["-v", "warning", "-i", path.to_str().unwrap(), "-f", "null", "-"]);
    assert!(ok && text.is_empty(), "{text}");
}

#[test]
fn every_length_down_to_one_frame_is_kept_to_the_sample() {
    for frames in [1_usize, 2, 3, 49, 50, 51, 99, 100, 101, 102, 151] {
        let legs = noise(3, frames * 80);
        let kept = Kept::new(&tapped(0, &legs, &legs));
        let path = kept.path();
        let (ok, text) = run("opusinfo", &[path.to_str().unwrap()]);
        assert!(ok && !text.to_lowercase().contains("warning"), "{frames} frames: {text}");
        let (caller, office) = decode(&path);
        assert_eq!((caller.len(), office.len()), (frames * 80, frames * 80));
    }
}

/// Lag in samples at which `decoded` fits `original` best, and the level of the fit.
fn best_lag(original: &[i16], decoded: &[i16]) -> isize {
    let score = |lag: isize| -> f64 {
        let range = 200..original.len().min(decoded.len()) - 200;
        range
            .map(|at| f64::from(original[at]) * f64::from(decoded[at.checked_add_signed(lag).unwrap()]))
            .sum()
    };
    (-40..=40).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap()
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64
}

#[test]
fn both_legs_come_back_with_no_lag() {
    let (caller, office) = (noise(1, 80_000), noise(2, 80_000));
    let (caller_out, office_out) = decode(&Kept::new(&tapped(0, &caller, &office)).path());
    assert_eq!(best_lag(&caller, &caller_out), 0);
    assert_eq!(best_lag(&office, &office_out), 0);
}

#[test]
fn a_leg_is_40_db_down_in_the_other() {
    let talker: Vec<i16> = speech("hts.raw");
    let talker = &talker[..talker.len() / 80 * 80];
    let silence = vec![0; talker.len()];
    let (caller, office) = decode(&Kept::new(&tapped(0, talker, &silence)).path());
    let separation_db = 10.0 * (energy(&caller) / energy(&office).max(1e-3)).log10();
    assert!(separation_db >= 40.0, "{separation_db} dB");
}

#[test]
fn a_conversation_stays_below_30_kbit_per_second() {
    let (caller, office) = conversation();
    let Output { pages, peaks } = record(&tapped(0, &caller, &office));
    let seconds = caller.len() as f64 / 8_000.0;
    let bitrate = pages.len() as f64 * 8.0 / seconds;
    println!("{bitrate:.0} bit/s over {seconds:.1} s, packets up to {} bytes", encoder::MAX_PACKET_BYTES);
    assert!(bitrate <= 30_000.0, "{bitrate} bit/s");
    assert_eq!(peaks.len(), 8 + 4 * (caller.len().div_ceil(800)));
}

#[test]
fn a_file_cut_anywhere_plays_and_loses_at_most_a_second() {
    let (caller, office) = conversation();
    let kept = Kept::new(&tapped(0, &caller, &office));
    for percent in 2..100 {
        let cut = kept.bytes.len() * percent / 100;
        let path = kept.write("cut.opus", &kept.bytes[..cut]);
        let repaired = cut_and_repair(&kept, cut, percent % 7 == 0);
        if repaired > 0.0 {
            let play = ["-v", "error", "-i", path.to_str().unwrap(), "-f", "null", "-"];
            let (ok, text) = run("ffmpeg", &play);
            assert!(ok && text.is_empty(), "{percent} %, as it was cut: {text}");
        }
        // What the cut left of the stream in time, by its share of the pages written up to there.
        let lost = audio_before(&kept.bytes, cut) - repaired;
        assert!((0.0..=1.0).contains(&lost), "{percent} %: lost {lost} s");
    }
}

/// Seconds that are in the file cut at `cut` and repaired, by ours and if asked by other programs' counting.
fn cut_and_repair(kept: &Kept, cut: usize, ask_others: bool) -> f64 {
    let part = kept.write("cal_x.opus.part", &kept.bytes[..cut]);
    let Some(repaired) = ringside::io::recording_file::repair(&part, None).unwrap() else { return 0.0 };
    let path = kept.dir.path().join("cal_x.opus");
    let duration = repaired.duration_ms as f64 / 1_000.0;
    if !ask_others {
        return duration;
    }
    let (ok, text) = run("opusinfo", &[path.to_str().unwrap()]);
    assert!(ok && !text.to_lowercase().contains("warning"), "{text}");
    let played = duration_s(&path);
    assert!((played - 0.006_5 - duration).abs() < 0.002, "{played} s, {repaired:?}");
    duration
}

/// Seconds of audio whose packets lie whole before byte `cut`.
fn audio_before(bytes: &[u8], cut: usize) -> f64 {
    use ringside::recording::ogg::page::Page;
    let (mut at, mut packets) = (0, 0.0_f64);
    while let Ok(page) = Page::parse(&bytes[at..]) {
        if page.sequence() > 1 {
            let mut end = at + page.bytes().len() - page.packets().map(<[u8]>::len).sum::<usize>();
            for packet in page.packets() {
                end += packet.len();
                packets += f64::from(u8::from(end <= cut));
            }
        }
        at += page.bytes().len();
    }
    (packets * 0.02 - 0.006_5).max(0.0)
}
