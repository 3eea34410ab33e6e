//! Line echo canceller (ITU-T G.168): takes the echo of the 2-wire loop out of what a port hears.
//!
//! ```text
//!   far ───────┬──────────────┬──────────────▶ phone
//!              ▼              ▼                  │ hybrid
//!         [history]    [tone disabler]           ▼
//!              │              ┌───────────── near + echo
//!              ▼              ▼                  │
//!         [two-path filter] ─ echo ─────────────▶(-)
//!                                                │
//!   call ◀──[non-linear processor, comfort noise]┘
//! ```
//!
//! One file for each idea: `kernel` (the two inner loops), `projection` (one step of learning), `adaptive` (how much to
//! trust a step), `candidate` and `two_path` (which filter the call hears), `residual` and `comfort_noise` (what the
//! linear part leaves), `tone_disabler` (fax and modem). Everything is allocated in place and costs the same with any
//! input; energies are squares of 16-bit samples.

mod adaptive;
mod candidate;
mod comfort_noise;
mod history;
mod kernel;
mod projection;
mod residual;
mod tone_disabler;
mod two_path;

use super::PERIOD;
use history::History;
use kernel::energy;
use residual::{Heard, Residual};
use tone_disabler::ToneDisabler;
use two_path::TwoPath;

/// Taps: a tail of 32 ms behind a pure delay of up to 10 ms.
const TAPS: usize = 336;
/// Part of measured energies that is left a period later: the last two seconds.
const MEASURE_MEMORY: f32 = 0.995;

/// Canceller of one port; its path outlives the calls.
#[derive(Clone, Debug)]
pub struct EchoCanceller {
    far: History,
    two_path: TwoPath,
    residual: Residual,
    tone_disabler: ToneDisabler,
    enabled: bool,
    processing: bool,
    /// Energies with and without echo while only the far talker was heard.
    with_echo: f32,
    without_echo: f32,
}

impl Default for EchoCanceller {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoCanceller {
    /// A canceller that knows no path.
    #[must_use]
    pub fn new() -> Self {
        Self {
            far: History::new(),
            two_path: TwoPath::new(),
            residual: Residual::new(),
            tone_disabler: ToneDisabler::new(),
            enabled: true,
            processing: true,
            with_echo: 0.0,
            without_echo: 0.0,
        }
    }

    /// A call begins: signals are forgotten, the path is kept.
    pub fn begin(&mut self) {
        self.far = History::new();
        self.two_path.begin();
        self.residual.begin();
        self.tone_disabler.begin();
    }

    /// Handles one period: `far` is what was on the line toward the phone in this very period, `near` what came from it;
    /// `near` becomes the near talker alone.
    pub fn cancel(&mut self, far: &[i16; PERIOD], near: &mut [i16; PERIOD]) {
        if !self.enabled {
            return;
        }
        let (sent, heard) = (far.map(f32::from), near.map(f32::from));
        self.far.push(&sent);
        if self.tone_disabler.is_disabled(&sent, &heard) {
            return;
        }
        let echo = self.two_path.echo(&self.far, &heard, self.residual.noise());
        let mut rest = candidate::difference(&heard, &echo);
        let kind = self.residual.hear(&rest, &echo);
        if kind == Heard::Echo {
            self.measure(&heard, &rest);
        }
        if self.processing {
            self.residual.suppress(kind, &mut rest);
        }
        for (near, rest) in near.iter_mut().zip(&rest) {
            // Saturates.
            *near = rest.round_ties_even() as i16;
        }
    }

    /// Off: samples pass untouched and nothing is learnt, for fax and modem.
    pub fn set_enabled(&mut self, on: bool) {
        if on && !self.enabled {
            self.far = History::new();
        }
        self.enabled = on;
    }

    /// Off: the linear canceller works alone, as G.168 measures it.
    pub fn set_processing(&mut self, on: bool) {
        self.processing = on;
    }

    /// Echo return loss of the line in dB, for white noise; `None` before it is known.
    #[must_use]
    pub fn erl_db(&self) -> Option<f32> {
        self.two_path.gain().map(|gain| -10.0 * gain.max(1e-9).log10())
    }

    /// How much of the echo the linear canceller took away, in dB, over the last two seconds in which it could be
    /// measured; `None` before that.
    #[must_use]
    pub fn erle_db(&self) -> Option<f32> {
        let known = self.two_path.gain().is_some() && self.without_echo > 0.0;
        known.then(|| 10.0 * (self.with_echo / self.without_echo).log10())
    }

    fn measure(&mut self, with_echo: &[f32; PERIOD], without_echo: &[f32; PERIOD]) {
        self.with_echo = MEASURE_MEMORY * self.with_echo + energy(with_echo);
        self.without_echo = MEASURE_MEMORY * self.without_echo + energy(without_echo);
    }
}
