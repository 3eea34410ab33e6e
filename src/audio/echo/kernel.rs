//! The two inner loops of the canceller.
//!
//! A sum in the order of its terms is one chain of dependent additions that no compiler may split. Both loops therefore
//! keep many sums side by side, one for each output, so that every target's vectors (SSE2, NEON) fill by themselves and
//! results are the same bit for bit on all of them.

/// `M` neighbouring sums `out[i] = Σ taps[k] · window[k + i]`: taps in order of time, oldest first.
///
/// `window` has at least `taps.len() + M - 1` samples; what is missing counts as silence.
#[inline]
pub(super) fn correlate<const M: usize>(taps: &[f32], window: &[f32]) -> [f32; M] {
    let mut sums = [0.0; M];
    for (tap, row) in taps.iter().zip(window.windows(M)) {
        for (sum, sample) in sums.iter_mut().zip(row) {
            *sum += tap * sample;
        }
    }
    sums
}

/// Taps that [`add_rows`] keeps in registers at once.
const CHUNK: usize = 16;

/// Adds `M` neighbouring rows of `window` to the taps: `taps[k] += Σ gains[i] · window[k + i]`.
///
/// The number of taps is a multiple of [`CHUNK`].
#[inline]
pub(super) fn add_rows<const M: usize>(taps: &mut [f32], gains: &[f32; M], window: &[f32]) {
    for (chunk, row) in taps.chunks_exact_mut(CHUNK).zip(window.windows(CHUNK + M - 1).step_by(CHUNK)) {
        let mut sums = [0.0; CHUNK];
        sums.copy_from_slice(chunk);
        for (gain, samples) in gains.iter().zip(row.windows(CHUNK)) {
            for (sum, sample) in sums.iter_mut().zip(samples) {
                *sum += gain * sample;
            }
        }
        chunk.copy_from_slice(&sums);
    }
}

/// Energy of `samples`; their number is a multiple of 8.
#[inline]
pub(super) fn energy(samples: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for chunk in samples.chunks_exact(8) {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += sample * sample;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<f32> {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 - 32_768.0
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn the_loops_are_what_their_formulas_say() {
        let (taps, window, gains) = (noise(48), noise(63), [3.0, -1.0, 0.5, 7.0]);
        let sums = correlate::<16>(&taps, &window);
        for (i, sum) in sums.iter().enumerate() {
            let plain: f64 = (0..48).map(|k| f64::from(taps[k]) * f64::from(window[k + i])).sum();
            assert!((f64::from(*sum) - plain).abs() < 1e-5 * 48.0 * 1e9, "{i}");
        }
        let mut moved = taps.clone();
        add_rows(&mut moved, &gains, &window);
        for (k, tap) in moved.iter().enumerate() {
            let plain = taps[k] + (0..4).map(|i| gains[i] * window[k + i]).sum::<f32>();
            assert!((tap - plain).abs() < 0.1, "{k}");
        }
        let plain: f64 = taps.iter().map(|&t| f64::from(t).powi(2)).sum();
        assert!((f64::from(energy(&taps)) / plain - 1.0).abs() < 1e-6);
    }
}
