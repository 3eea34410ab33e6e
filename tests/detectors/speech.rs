//! An hour of recorded speech and music has no keys and no fax tones in it.

use crate::sounds;
use ringside::audio::{
    dtmf::{Heard, Receiver},
    fax, level,
};

#[test]
fn the_sounds_are_as_long_and_as_loud_as_they_say() {
    let (mut samples, mut clips) = (0, 0);
    for clip in sounds::hour() {
        samples += clip.len();
        clips += 1;
        let level = level::dbm0(&clip);
        assert!((-36.0..-14.0).contains(&level), "clip {clips}: {level}");
    }
    let minutes = samples as f64 / 8_000.0 / 60.0;
    println!("{clips} clips, {minutes:.1} minutes");
    assert!(minutes > 60.0, "{minutes}");
}

#[test]
fn speech_and_music_are_no_keys_and_are_rarely_suspected() {
    let (mut suspected, mut periods) = (0_u32, 0_u32);
    let mut began = Vec::new();
    for (n, clip) in sounds::hour().enumerate() {
        let mut receiver = Receiver::new();
        for period in clip.as_chunks::<80>().0 {
            periods += 1;
            match receiver.hear(period) {
                Heard::Nothing | Heard::Held(_) | Heard::Ended { .. } => {}
                Heard::Suspected { .. } => suspected += 1,
                Heard::Began { key, .. } => began.push((n, key)),
            }
        }
    }
    let percent = 100.0 * f64::from(suspected) / f64::from(periods);
    println!("{periods} periods, {suspected} suspected ({percent:.4} %), keys {began:?}");
    assert!(began.is_empty(), "{began:?}");
    assert!(percent <= 0.1, "{percent}");
}

#[test]
fn speech_and_music_are_no_fax() {
    for (n, clip) in sounds::hour().enumerate() {
        let mut detector = fax::Detector::new();
        for (at, period) in clip.as_chunks::<80>().0.iter().enumerate() {
            let heard = detector.hear(period);
            assert_eq!(heard, None, "clip {n}, period {at}");
        }
    }
}
