//! Dialling through white noise, read by ours and by spandsp from the same recordings.

use crate::{
    signal::{Random, key, received, signs, silence},
    spandsp,
};
use ringside::audio::level;

const PAD: &[u8] = b"0123456789*#ABCD";

/// Sixteen random keys, 50 ms on and 55 ms off, µ-law after white noise.
fn dialled(snr_db: f64, seed: u32) -> (String, Vec<i16>) {
    let mut random = Random(seed.wrapping_mul(2_654_435_761));
    let signs: String = (0..16).map(|_| char::from(PAD[(random.uniform() * 16.0) as usize])).collect();
    let mut signal = silence(200.0 + random.uniform() * 10.0);
    for sign in signs.chars() {
        signal.extend(key(sign, [-10.0, -10.0], 50.0, seed));
        signal.extend(silence(55.0));
    }
    signal.extend(silence(100.0));
    // The power of both sines; noise is white up to 4 kHz.
    let power = f64::from(level::amplitude(-10.0)).powi(2);
    let rms = (power / 10_f64.powf(snr_db / 10.0)).sqrt();
    (signs, received(&signal, rms, &mut random))
}

#[test]
fn strings_of_sixteen_keys_are_read_as_well_as_spandsp_reads_them() {
    println!("SNR dB   ringside   spandsp   strings of 16 keys exact, of 50");
    for (snr_db, least) in [(15.0, 50), (12.0, 50), (9.0, 0), (6.0, 0), (3.0, 0)] {
        let strings: Vec<(String, Vec<i16>)> = (0..50).map(|seed| dialled(snr_db, seed)).collect();
        let recordings: Vec<&[i16]> = strings.iter().map(|(_, samples)| &samples[..]).collect();
        let theirs = spandsp::read_keys(&recordings);
        let exact =
            |read: &[String]| strings.iter().zip(read).filter(|((sent, _), read)| sent == *read).count();
        let ours: Vec<String> = recordings.iter().map(|samples| signs(samples)).collect();
        let (ours, theirs) = (exact(&ours), exact(&theirs));
        println!("{snr_db:>6}   {ours:>8}   {theirs:>7}");
        assert!(ours >= least, "{snr_db} dB: {ours}");
        assert!(ours >= theirs, "{snr_db} dB: {ours}, spandsp {theirs}");
    }
}
