//! What two pieces of audio at 8 kHz have to do with each other.

/// Samples around speech that are scored with it: 0.25 s.
const MARGIN: usize = 2_000;

/// Where `said` is in `heard`, and how alike they are there, 0 to 1.
pub(crate) fn find(said: &[i16], heard: &[i16]) -> (usize, f64) {
    let places = heard.len().saturating_sub(said.len());
    let likeness = |at: usize| correlation(said, &heard[at..at + said.len()]);
    (0..=places).map(|at| (at, likeness(at))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// Normalised correlation of two pieces of the same length.
pub(crate) fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    product / (energy(a) * energy(b)).sqrt().max(1.0)
}

/// Sum of squares.
pub(crate) fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// How much stronger `wanted` is than `unwanted`, in dB; both as loud as one unit at least.
pub(crate) fn above_db(wanted: &[i16], unwanted: &[i16]) -> f64 {
    10.0 * (energy(wanted).max(1.0) / energy(unwanted).max(wanted.len() as f64)).log10()
}

/// `said` with silence around it, and as much of `heard` around the place where it was heard.
pub(crate) fn with_margins(said: &[i16], heard: &[i16], at: usize) -> (Vec<i16>, Vec<i16>) {
    let silence = vec![0; MARGIN];
    let end = (at + said.len() + MARGIN).min(heard.len());
    ([&silence, said, &silence].concat(), heard[at - MARGIN..end].to_vec())
}

/// Lag of `later` behind `earlier` in samples, within ±`most`, and how alike they are at it.
pub(crate) fn lag(earlier: &[i16], later: &[i16], most: usize) -> (i64, f64) {
    let middle = &earlier[most..earlier.len().min(later.len()) - most];
    let (at, likeness) = find(middle, &later[..middle.len() + 2 * most]);
    (at as i64 - most as i64, likeness)
}
