//! The search for the balance with the least echo: every impedance, then the hybrid that takes away what is left.
//!
//! The chip's hybrid is taken to be a filter of eight taps at 8 kHz whose output is taken from what comes back. Where its
//! first tap lies in the way from here to the line and back, and what a step of it is worth, is measured: one probe is
//! played with nothing but that tap set ([`MARK`]). Nothing that was solved is kept unless a probe proves it better.

use crate::{
    audio::probe::{EchoPath, Probe},
    chip::si3050::Balance,
    status::{self, ImpedanceEcho},
};

/// What a step of a coefficient of the hybrid (Si3050 registers 45 to 52) takes away, as amplitude. This is the
/// simulated chip's; the data sheet does not say, and it is NOT VERIFIED ON HARDWARE. A worth that is measured to be
/// further from it than [`BELIEVED`] is taken to be an error of the measurement.
const HYBRID_STEP: f32 = 1.0 / 128.0;
/// Factor up to which a measured worth of a step is believed.
const BELIEVED: f32 = 4.0;
/// The value of the first coefficient that marks its place: with [`HYBRID_STEP`] 12 dB below what is sent.
const MARK: i8 = 32;
/// Samples before the mark in which an echo may come, by the tolerance of its place.
const EARLIER: usize = 8;
/// Impedances of the chip (ACIM). An Si3018 has only some of them; the rest measure as their neighbours.
const IMPEDANCES: u8 = 16;
/// A balance that is better by less is not worth a change, dB.
const WORTH_DB: f32 = 0.5;
const NO_HYBRID: [i8; 8] = [0; 8];

/// Where the hybrid's first tap lies, and what a step of it takes away.
#[derive(Clone, Copy, Debug)]
struct Place {
    lag: usize,
    step: f32,
}

/// A balance that was tried.
#[derive(Clone, Debug)]
struct Tried {
    balance: Balance,
    path: EchoPath,
}

/// The search.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    before: Balance,
    tried: Vec<Tried>,
    place: Option<Place>,
}

impl Sweep {
    /// A search on a chip that is set like this.
    pub(super) const fn new(before: Balance) -> Self {
        Self { before, tried: Vec::new(), place: None }
    }

    /// The balance to try next; in a hurry, without the impedances that are left. `None` when there is nothing left.
    pub(super) fn next(&self, is_in_hurry: bool) -> Option<Balance> {
        let first = Balance { acim: self.before.acim, hybrid: NO_HYBRID };
        let mark = Balance { acim: self.before.acim, hybrid: [MARK, 0, 0, 0, 0, 0, 0, 0] };
        let others = (0..IMPEDANCES).filter(|_| !is_in_hurry);
        let others = others.map(|acim| Balance { acim, hybrid: NO_HYBRID });
        let mut wanted = [first, mark, self.before].into_iter().chain(others);
        wanted.find(|balance| self.of(*balance).is_none()).or_else(|| {
            let fitted = self.fitted()?;
            self.of(fitted).is_none().then_some(fitted)
        })
    }

    /// What came back with the balance that was to be tried.
    pub(super) fn heard(&mut self, balance: Balance, probe: &Probe) {
        let path = probe.echo(self.place.map(|place| place.lag.saturating_sub(EARLIER)));
        self.tried.push(Tried { balance, path });
        if let [first, mark] = self.tried.as_slice() {
            let (lag, by) = first.path.difference(&mark.path);
            let step = by / f32::from(MARK);
            let is_believed = (1.0 / BELIEVED..=BELIEVED).contains(&(step.abs() / HYBRID_STEP));
            self.place = is_believed.then_some(Place { lag, step });
        }
    }

    /// The echo of every impedance that was tried, without the hybrid.
    pub(super) fn echo(&self) -> Vec<ImpedanceEcho> {
        let plain = self.plain().map(|tried| (tried.balance.acim, tried.path.erl_db()));
        plain.map(|(acim, erl_db)| ImpedanceEcho { acim, erl_db }).collect()
    }

    /// The best balance of those that were tried; `None` if none was.
    pub(super) fn chosen(&self) -> Option<status::Balance> {
        let fitted = self.fitted().and_then(|fitted| self.of(fitted));
        let best = [self.of(self.before), self.best_plain(), fitted].into_iter().flatten().reduce(better)?;
        let Balance { acim, hybrid } = best.balance;
        Some(status::Balance { acim, hybrid, erl_db: best.path.erl_db() })
    }

    fn of(&self, balance: Balance) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.balance == balance)
    }

    fn plain(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| tried.balance.hybrid == NO_HYBRID)
    }

    fn best_plain(&self) -> Option<&Tried> {
        let erl_db = |tried: &&Tried| tried.path.erl_db();
        self.plain().reduce(|best, next| if erl_db(&next) > erl_db(&best) { next } else { best })
    }

    /// The best impedance with the hybrid that takes its echo away; `None` if its place is not known.
    fn fitted(&self) -> Option<Balance> {
        let (best, place) = (self.best_plain()?, self.place?);
        let echo: [f32; 8] = best.path.impulse_response(place.lag);
        // A cast of a float saturates, which is what a coefficient out of range asks for.
        Some(Balance { hybrid: echo.map(|tap| (tap / place.step).round() as i8), ..best.balance })
    }
}

/// The second one if it is worth a change.
fn better<'a>(first: &'a Tried, second: &'a Tried) -> &'a Tried {
    if second.path.erl_db() > first.path.erl_db() + WORTH_DB { second } else { first }
}
