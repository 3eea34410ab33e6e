//! Double-talk control: three filters, one of which the call hears.
//!
//! ```text
//!               snapshot            better on samples it has not learnt from
//!  background ───────────▶ candidate ───────────────────────▶ foreground ──▶ call
//!      ▲                                                           │
//!      └───────────────── worse, or a trial is over ◀──────────────┘
//! ```
//!
//! An error that the foreground should not leave is either the near talker or a new path, and only trying tells. So
//! after a while of it the background forgets how sure it was: a *trial*. On a new path the trial wins within some
//! 100 ms; against a near talker it loses, nobody hears it, and the background begins again from the foreground.

use super::{
    PERIOD, TAPS,
    adaptive::{AdaptiveFilter, Lesson, UNKNOWN, noise_floor},
    candidate::{Candidate, Proof, difference, echo},
    history::History,
    kernel::energy,
};

/// Far energy per sample below which nothing is learnt: -54 dBm0.
const FAR_ACTIVE: f32 = 2_500.0;
/// Largest part of the far signal's peak power that comes back as echo; what is louder is the near talker.
const LOUDEST_ECHO: f32 = 0.5;
/// Squared norm of taps that no 2-wire line has: the echo would be 6 dB louder than what was sent.
const LOUDEST_TAPS: f32 = 4.0;

/// A background that goes on learning.
const REFINED: Proof = Proof { periods: 3, error: 0.85 };
/// The first path of a port: soon, since anything is better than nothing.
const FIRST: Proof = Proof { periods: 3, error: 0.6 };
/// Another path: longer than a vowel of the near talker that resembles one of the far talker.
const NEW_PATH: Proof = Proof { periods: 8, error: 0.4 };

/// Part of the foreground's error above which the background has gone astray.
const ASTRAY: f32 = 2.0;
/// Part of summed errors that is left a period later.
const ERROR_MEMORY: f32 = 0.8;
/// A foreground error that much larger than expected is in doubt.
const DOUBTFUL: f32 = 6.0;
/// Periods of doubt before a trial.
const DOUBT_PERIODS: u16 = 8;
/// Periods that a trial may last.
const TRIAL_PERIODS: u16 = 30;
/// Periods without a step after which background and foreground become one again.
const SETTLED_PERIODS: u16 = 5;
/// Misalignment with which a call begins: 30 dB below what was sent, for what may have changed since the last one.
const SINCE_LAST_CALL: f32 = 1e-3 / TAPS as f32;

/// The filters of one port.
#[derive(Clone, Debug)]
pub(super) struct TwoPath {
    foreground: [f32; TAPS],
    /// Misalignment of the foreground when it was taken.
    misalignment: f32,
    /// Whether an echo path has been found.
    converged: bool,
    foreground_error: f32,
    background: AdaptiveFilter,
    background_error: f32,
    /// Whether the background has the foreground's taps.
    same: bool,
    settled_periods: u16,
    candidate: Candidate,
    doubt_periods: u16,
    /// Periods left of a trial; 0 is none.
    trial_periods: u16,
}

impl TwoPath {
    pub(super) const fn new() -> Self {
        Self {
            foreground: [0.0; TAPS],
            misalignment: UNKNOWN,
            converged: false,
            foreground_error: 0.0,
            background: AdaptiveFilter::new(),
            background_error: 0.0,
            same: true,
            settled_periods: 0,
            candidate: Candidate::none(),
            doubt_periods: 0,
            trial_periods: TRIAL_PERIODS,
        }
    }

    /// A call begins: the foreground stays, doubts and attempts do not.
    pub(super) fn begin(&mut self) {
        (self.foreground_error, self.background_error, self.doubt_periods) = (0.0, 0.0, 0);
        self.misalignment = self.misalignment.max(SINCE_LAST_CALL);
        self.begin_again();
    }

    /// Squared norm of the echo path, once there is one.
    pub(super) fn gain(&self) -> Option<f32> {
        self.converged.then(|| energy(&self.foreground))
    }

    /// The echo of the present period; learns from it. `own_noise` is the energy per sample of the line's noise.
    pub(super) fn echo(&mut self, far: &History, near: &[f32; PERIOD], own_noise: f32) -> [f32; PERIOD] {
        if far.peak() == 0.0 {
            return [0.0; PERIOD];
        }
        let echo = echo(&self.foreground, far);
        let errors = difference(near, &echo);
        let error = energy(&errors);
        if far.power() > FAR_ACTIVE && error < LOUDEST_ECHO * far.peak() * PERIOD as f32 {
            let known = self.same.then_some(&errors);
            let lesson = self.background.learn(far, near, known, own_noise);
            self.foreground_error = ERROR_MEMORY * self.foreground_error + error;
            self.background_error = ERROR_MEMORY * self.background_error + lesson.error;
            let expected = noise_floor(near, own_noise) + self.misalignment * far.power() * TAPS as f32;
            self.judge_candidate(far, near, error);
            self.judge_background(&lesson, error);
            self.judge_foreground(far, error / PERIOD as f32, expected);
        }
        echo
    }

    /// What a candidate must show now.
    fn proof(&self) -> Proof {
        match (self.trial_periods > 0, self.converged) {
            (false, _) => REFINED,
            (true, false) => FIRST,
            (true, true) => NEW_PATH,
        }
    }

    fn judge_candidate(&mut self, far: &History, near: &[f32; PERIOD], error: f32) {
        let proof = self.proof();
        if self.candidate.proved(far, near, error, proof) {
            self.foreground = self.candidate.taps;
            self.misalignment = self.candidate.misalignment;
            self.foreground_error = self.background_error;
            self.converged = true;
            (self.trial_periods, self.doubt_periods) = (0, 0);
        }
    }

    fn judge_background(&mut self, lesson: &Lesson, error: f32) {
        self.same &= !lesson.moved;
        self.settled_periods = if lesson.moved { 0 } else { self.settled_periods.saturating_add(1) };
        if self.same {
            return;
        }
        let norm = energy(&self.background.taps);
        let sound = norm.is_finite() && norm < LOUDEST_TAPS;
        let trying = self.trial_periods > 0;
        if !sound || (!trying && self.background_error > ASTRAY * self.foreground_error) {
            self.begin_again();
        } else if !trying && self.settled_periods >= SETTLED_PERIODS {
            self.settle();
        } else if self.candidate.is_none() && lesson.error < self.proof().error * error {
            self.candidate.take(&self.background);
        }
    }

    /// Starts, counts and ends trials.
    fn judge_foreground(&mut self, far: &History, error: f32, expected: f32) {
        if self.trial_periods > 0 {
            self.trial_periods -= 1;
            if self.trial_periods == 0 {
                self.begin_again();
            }
        } else if error < DOUBTFUL * expected {
            self.doubt_periods = self.doubt_periods.saturating_sub(1);
        } else if self.doubt_periods < DOUBT_PERIODS {
            self.doubt_periods += 1;
        } else {
            self.doubt_periods = 0;
            self.trial_periods = TRIAL_PERIODS;
            self.background.misalignment = (error / (far.power() * TAPS as f32)).min(UNKNOWN);
        }
    }

    /// Both filters stand still: the better one becomes both.
    fn settle(&mut self) {
        if self.background_error <= self.foreground_error {
            self.foreground = self.background.taps;
            self.misalignment = self.background.misalignment;
            self.foreground_error = self.background_error;
        } else {
            self.background.taps = self.foreground;
            self.background_error = self.foreground_error;
        }
        self.same = true;
        self.candidate.drop();
    }

    /// The background begins again from the foreground.
    fn begin_again(&mut self) {
        self.background.taps = self.foreground;
        self.background.misalignment = self.misalignment;
        self.background_error = self.foreground_error;
        self.same = true;
        self.candidate.drop();
        // Without a path every attempt is a trial.
        self.trial_periods = if self.converged { 0 } else { TRIAL_PERIODS };
    }
}
