//! What was sent toward the phone: the present period and what is still on its way back.

use super::{PERIOD, TAPS, kernel, projection::ORDER};

/// Samples before the present period.
const PAST: usize = TAPS + ORDER;
const BLOCKS: usize = PERIOD / ORDER;
const PAST_BLOCKS: usize = TAPS / ORDER;

/// The far signal.
#[derive(Clone, Debug)]
pub(super) struct History {
    samples: [f32; PAST + PERIOD],
    /// Energy of each block of [`ORDER`] samples; the last [`BLOCKS`] are the present period.
    energies: [f32; PAST_BLOCKS + BLOCKS],
    /// Energy over the taps at the end of each block of the present period.
    sums: [f32; BLOCKS],
}

impl History {
    pub(super) const fn new() -> Self {
        Self { samples: [0.0; PAST + PERIOD], energies: [0.0; PAST_BLOCKS + BLOCKS], sums: [0.0; BLOCKS] }
    }

    /// Takes a period.
    pub(super) fn push(&mut self, far: &[f32; PERIOD]) {
        self.samples.copy_within(PERIOD.., 0);
        self.energies.copy_within(BLOCKS.., 0);
        self.samples[PAST..].copy_from_slice(far);
        for (energy, block) in self.energies[PAST_BLOCKS..].iter_mut().zip(far.as_chunks::<ORDER>().0) {
            *energy = kernel::energy(block);
        }
        for (sum, window) in self.sums.iter_mut().zip(self.energies[1..].windows(PAST_BLOCKS)) {
            *sum = window.iter().sum();
        }
    }

    /// The rows of the far signal that end at the samples from `from` of the present period on, one after the other.
    pub(super) fn window(&self, from: usize) -> &[f32] {
        &self.samples[PAST + 1 - TAPS + from..]
    }

    /// Energy over all taps at the end of a block of the present period.
    pub(super) fn energy(&self, block: usize) -> f32 {
        self.sums[block]
    }

    /// Energy per sample over all taps.
    pub(super) fn power(&self) -> f32 {
        self.sums[BLOCKS - 1] / TAPS as f32
    }

    /// Energy per sample of the loudest block on its way.
    pub(super) fn peak(&self) -> f32 {
        self.energies.iter().fold(0.0, |most: f32, energy| most.max(*energy)) / ORDER as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_ends_at_its_sample_and_energies_are_those_of_the_rows() {
        let mut history = History::new();
        for period in 0..6 {
            history.push(&std::array::from_fn(|i| (period * PERIOD + i) as f32));
        }
        let first = 5 * PERIOD;
        let row = |from: usize| &history.window(from)[..TAPS];
        assert_eq!(row(0)[TAPS - 1], first as f32);
        assert_eq!(row(79)[TAPS - 1], (first + 79) as f32);
        assert_eq!(row(79)[0], (first + 80 - TAPS) as f32);
        for block in 0..BLOCKS {
            let plain = kernel::energy(row(block * ORDER + ORDER - 1));
            assert!((history.energy(block) / plain - 1.0).abs() < 1e-5, "{block}");
        }
        assert_eq!(history.power(), history.energy(BLOCKS - 1) / TAPS as f32);
    }
}
