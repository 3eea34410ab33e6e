//! What recorded speech is worth after a bad network: mean ITU-T P.862 scores of what the line hears, over three seeds.

use super::{
    call::{self, PACKET},
    pesq::pesq,
    random::Random,
};

const SEEDS: std::ops::Range<u64> = 0..3;
/// Recorded talkers of the Debian package `codec2-examples`, four men and two women, 17 s.
const TALKERS: [&str; 6] = ["hts1a", "hts2a", "morig", "forig", "cross", "kristoff"];

/// The speech of all talkers, whole packets.
pub(crate) fn speech() -> Vec<i16> {
    let talker = |name: &&str| {
        let path = format!("/usr/share/codec2/raw/{name}.raw");
        let bytes = std::fs::read(&path);
        bytes.unwrap_or_else(|error| panic!("{path}: {error}; install the package codec2-examples"))
    };
    let bytes: Vec<u8> = TALKERS.iter().flat_map(talker).collect();
    let mut samples: Vec<i16> =
        bytes.as_chunks::<2>().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect();
    samples.truncate(samples.len() / PACKET * PACKET);
    samples
}

/// How speech comes through the product's patch bay, once the buffer has found its depth: all of it is said twice, and
/// the second time is judged. P.862 takes a correction for a fault wherever it is, so those of the start are left out.
pub(crate) fn ours(speech: &[i16], loss: u32, jitter_ms: u32) -> f64 {
    let packets = speech.len() / PACKET;
    mean(|seed| {
        let lost = lost(speech, loss, seed);
        let mut random = Random(seed + 77);
        // A call ends with its last packet: what is judged is over before.
        let said = [speech, speech, &[0; 10 * PACKET]].concat();
        let arrivals = call::stream(&said, |n| {
            let delay = f64::from(jitter_ms) * random.unit();
            let lost = n.checked_sub(packets).is_some_and(|n| lost.get(n) == Some(&true));
            (!lost).then_some(delay)
        });
        score(speech, &call::hear(arrivals).0[speech.len()..])
    })
}

/// Which packets are lost; the first 200 ms arrive, so that all have something to go on.
pub(crate) fn lost(speech: &[i16], loss: u32, seed: u64) -> Vec<bool> {
    let mut random = Random(1_000 * seed + u64::from(loss));
    let packets = speech.len() / PACKET;
    (0..packets).map(|n| random.unit() * 100.0 < f64::from(loss) && n > 10).collect()
}

pub(crate) fn score(said: &[i16], heard: &[i16]) -> f64 {
    pesq(said, heard).expect("no PESQ; install python3-venv, python3-dev and gcc")
}

pub(crate) fn mean(score: impl Fn(u64) -> f64) -> f64 {
    SEEDS.map(score).sum::<f64>() / SEEDS.count() as f64
}
