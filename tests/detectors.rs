//! The detectors of the voice path, on recorded speech and music.

#[path = "sounds/mod.rs"]
mod sounds;

use ringside::audio::level;

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
    assert!(minutes > if std::env::var_os("RINGSIDE_LONG").is_some() { 60.0 } else { 11.0 }, "{minutes}");
}
