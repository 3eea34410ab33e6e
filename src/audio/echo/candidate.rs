//! A snapshot of the background on probation.

use super::{
    PERIOD, TAPS,
    adaptive::AdaptiveFilter,
    history::History,
    kernel::{correlate, energy},
};

/// Taps that are compared with the foreground on samples which they have not learnt from.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) taps: [f32; TAPS],
    pub(super) misalignment: f32,
    /// Periods compared; `None` if there is no candidate.
    periods: Option<u16>,
    error: f32,
    foreground_error: f32,
}

/// What a candidate must show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    /// Over how many periods.
    pub(super) periods: u16,
    /// At most this part of the foreground's error.
    pub(super) error: f32,
}

impl Candidate {
    pub(super) const fn none() -> Self {
        Self { taps: [0.0; TAPS], misalignment: 0.0, periods: None, error: 0.0, foreground_error: 0.0 }
    }

    pub(super) fn is_none(&self) -> bool {
        self.periods.is_none()
    }

    /// Puts the present state of `filter` on probation.
    pub(super) fn take(&mut self, filter: &AdaptiveFilter) {
        self.taps = filter.taps;
        self.misalignment = filter.misalignment;
        self.periods = Some(0);
        self.error = 0.0;
        self.foreground_error = 0.0;
    }

    pub(super) fn drop(&mut self) {
        self.periods = None;
    }

    /// Compares a period; whether the proof is done and good.
    pub(super) fn proved(
        &mut self,
        far: &History,
        near: &[f32; PERIOD],
        foreground_error: f32,
        proof: Proof,
    ) -> bool {
        let Some(periods) = &mut self.periods else { return false };
        *periods += 1;
        let over = *periods >= proof.periods;
        self.error += energy(&difference(near, &echo(&self.taps, far)));
        self.foreground_error += foreground_error;
        if over {
            self.periods = None;
        }
        over && self.error < proof.error * self.foreground_error
    }
}

/// The echo that a path with these taps returns in the present period.
pub(super) fn echo(taps: &[f32; TAPS], far: &History) -> [f32; PERIOD] {
    /// Sums that fit into the registers at once.
    const PART: usize = PERIOD / 2;
    let mut echo = [0.0; PERIOD];
    for (n, part) in echo.as_chunks_mut::<PART>().0.iter_mut().enumerate() {
        *part = correlate::<PART>(taps, far.window(n * PART));
    }
    echo
}

/// What is left of `near` without `echo`.
pub(super) fn difference(near: &[f32; PERIOD], echo: &[f32; PERIOD]) -> [f32; PERIOD] {
    std::array::from_fn(|i| near[i] - echo[i])
}
