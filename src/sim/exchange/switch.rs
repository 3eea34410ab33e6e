//! One line's circuit in the exchange: from the first digit, or the first ring, to the release.
//!
//! ```text
//!          loop closed          first digit           number complete          answers
//!   Idle ───────────────> Seized ──────────> Dialling ───────────────> Calling ───────┐
//!    │ ^                    │ │ 20 s: reorder                             │ refused    │
//!    │ │          call in:  │ └────────────────> Treated <────────────────┘            │
//!    │ │            glare   │                    │ ^ far end hung up                   │
//!    │ │                    v  dial tone again   │ └────────────────────┐              v
//!    │ │ gives up           └──(back to Seized)──┘                      └────────── Talking
//!    v │                                                                              ^
//!   Ringing ── loop closed ───────────────────────────────────────────────────────────┘
//!
//!   any state ── loop open for release_ms ──> Idle
//! ```

use super::Happening;
use super::loop_watch::Signal;
use super::plan::{CallerIn, Country, Destination, LinePlan, Then};
use super::ringing::Ring;
use super::sound::Sound;
use super::treatment::{Step, Treatment};
use crate::sim::office::Speech;

/// Dial tone without a digit for this long is no call; a permanent signal.
const PERMANENT_SIGNAL_MS: u64 = 20_000;
/// How long a phone rings that nobody answers.
const NO_ANSWER_MS: u64 = 180_000;
/// Most digits of a number.
const DIGITS_MAX: usize = 32;

/// What a line does, as a bystander would put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Idle,
    /// A caller waits for the box to answer.
    Ringing,
    /// Dial tone, or about to come.
    DialTone,
    /// The box has begun to dial.
    Dialling,
    /// The number is complete; ringback.
    Calling,
    /// Connected.
    Talking,
    /// The box hears why its call failed, or a tone because it has not dialled.
    Refused,
    /// The far end has hung up, the box has not.
    FarGone,
}

/// The circuit.
#[derive(Clone, Debug, Default)]
pub(super) struct Switch {
    phase: Phase,
    /// What sounds towards the box.
    pub(super) sound: Sound,
    /// The battery is taken away.
    pub(super) open: bool,
    /// TIP and RING lie reversed.
    pub(super) reversed: bool,
    /// The half wave of ringing.
    pub(super) ring_sign: i8,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Ringing(Box<Ring>),
    Seized {
        since_ms: u64,
        /// Dial tone is heard.
        sounds: bool,
    },
    Dialling {
        digits: String,
        last_ms: u64,
        whole: bool,
    },
    Calling {
        destination: Destination,
        since_ms: u64,
    },
    Talking {
        hang_up_at_ms: Option<u64>,
        incoming: bool,
    },
    Treated {
        treatment: Treatment,
        refused: bool,
    },
}

/// What a millisecond is judged by.
pub(super) struct Moment<'a> {
    pub(super) now_ms: u64,
    pub(super) country: &'a Country,
    pub(super) plan: &'a LinePlan,
}

impl Switch {
    pub(super) fn state(&self) -> State {
        match &self.phase {
            Phase::Idle => State::Idle,
            Phase::Ringing(_) => State::Ringing,
            Phase::Seized { .. } => State::DialTone,
            Phase::Dialling { .. } => State::Dialling,
            Phase::Calling { .. } => State::Calling,
            Phase::Talking { .. } => State::Talking,
            Phase::Treated { refused: true, .. } => State::Refused,
            Phase::Treated { refused: false, .. } => State::FarGone,
        }
    }

    /// Whether digits are taken.
    pub(super) fn listens(&self) -> bool {
        matches!(self.phase, Phase::Seized { .. } | Phase::Dialling { .. })
    }

    /// Whether the call that is ringing or connected was placed to the box.
    pub(super) fn is_incoming(&self) -> bool {
        matches!(self.phase, Phase::Ringing(_) | Phase::Talking { incoming: true, .. })
    }

    /// The loop said something.
    pub(super) fn signalled(&mut self, signal: Signal, at: &Moment<'_>, out: &mut Vec<Happening>) {
        match signal {
            Signal::Seized => self.seized(at, out),
            Signal::Pulse => {
                if let Phase::Seized { .. } = self.phase {
                    self.begin_dialling(at.now_ms);
                }
            }
            Signal::Digit(digit) => self.keyed(digit, at.now_ms),
            Signal::Flashed => out.push(Happening::Flashed),
            Signal::Released => self.released(out),
        }
    }

    fn seized(&mut self, at: &Moment<'_>, out: &mut Vec<Happening>) {
        out.push(Happening::Seized);
        match std::mem::take(&mut self.phase) {
            Phase::Idle => self.phase = Phase::Seized { since_ms: at.now_ms, sounds: false },
            Phase::Ringing(ring) => {
                out.push(Happening::CallerAnswered);
                self.answered_caller(ring.caller, at.now_ms);
            }
            // The loop is seized from idle only, where nothing else can go on.
            other => self.phase = other,
        }
    }

    fn answered_caller(&mut self, caller: CallerIn, now_ms: u64) {
        self.ring_sign = 0;
        self.reversed = caller.reverses_polarity_on_answer;
        self.talk(&caller.speech, caller.hang_up_after_ms, now_ms, true);
    }

    fn talk(&mut self, speech: &Speech, hang_up_after_ms: Option<u64>, now_ms: u64, incoming: bool) {
        self.sound = Sound::voice(speech);
        let hang_up_at_ms = hang_up_after_ms.map(|ms| now_ms + ms);
        self.phase = Phase::Talking { hang_up_at_ms, incoming };
    }

    fn released(&mut self, out: &mut Vec<Happening>) {
        if let Phase::Dialling { digits, .. } = std::mem::take(&mut self.phase)
            && !digits.is_empty()
        {
            out.push(Happening::Dialled(digits));
        }
        *self = Self::default();
        out.push(Happening::Released);
    }

    /// Somebody calls; the caller is given back if the line may be free in a moment.
    pub(super) fn called(
        &mut self,
        caller: CallerIn,
        loop_is_closed: bool,
        at: &Moment<'_>,
        out: &mut Vec<Happening>,
    ) -> Option<CallerIn> {
        match (&self.phase, loop_is_closed) {
            (Phase::Idle, _) => {
                let ring = Ring::new(caller, at.plan.caller_id, at.country, at.now_ms);
                self.phase = Phase::Ringing(Box::new(ring));
                out.push(Happening::CallerCame);
            }
            (Phase::Seized { .. }, true) => {
                out.extend([Happening::CallerCame, Happening::Glare, Happening::CallerAnswered]);
                self.answered_caller(caller, at.now_ms);
            }
            // Open for a pulse, a flash, or for good.
            (_, false) => return Some(caller),
            (_, true) => out.push(Happening::CallerFoundBusy),
        }
        None
    }

    /// A digit was dialled.
    pub(super) fn keyed(&mut self, digit: char, now_ms: u64) {
        if let Phase::Seized { .. } = self.phase {
            self.begin_dialling(now_ms);
        }
        let Phase::Dialling { digits, last_ms, whole } = &mut self.phase else { return };
        *last_ms = now_ms;
        if digit == '#' && !digits.is_empty() {
            *whole = true;
        } else {
            digits.push(digit);
            *whole |= digits.len() == DIGITS_MAX;
        }
    }

    fn begin_dialling(&mut self, now_ms: u64) {
        self.sound = Sound::Silence;
        self.phase = Phase::Dialling { digits: String::new(), last_ms: now_ms, whole: false };
    }

    /// The far end hangs up, or gives up while it rings.
    pub(super) fn far_end_hung_up(&mut self, at: &Moment<'_>, out: &mut Vec<Happening>) {
        match self.phase {
            Phase::Ringing(_) => {
                out.push(Happening::CallerGaveUp);
                *self = Self::default();
            }
            Phase::Talking { .. } => {
                out.push(Happening::FarHungUp);
                self.treat(Treatment::of_profile(at.plan.profile, at.now_ms), false, at);
            }
            Phase::Idle
            | Phase::Seized { .. }
            | Phase::Dialling { .. }
            | Phase::Calling { .. }
            | Phase::Treated { .. } => {}
        }
    }

    /// Lets a millisecond pass.
    pub(super) fn advance(&mut self, at: &Moment<'_>, out: &mut Vec<Happening>) {
        let now_ms = at.now_ms;
        match &mut self.phase {
            Phase::Idle => {}
            Phase::Ringing(ring) if ring.is_given_up(now_ms) => self.far_end_hung_up(at, out),
            Phase::Ringing(ring) => {
                self.ring_sign = ring.half_wave(now_ms);
                self.reversed = ring.is_reversed(now_ms);
                if let Some(samples) = ring.data_due(now_ms) {
                    self.sound = Sound::Data { samples, place: 0 };
                }
            }
            &mut Phase::Seized { since_ms, sounds } => self.wait_for_digits(since_ms, sounds, at),
            Phase::Dialling { digits, last_ms, whole } => {
                let whole = *whole
                    || at.plan.is_whole_number(digits)
                    || now_ms >= *last_ms + at.plan.complete_after_ms;
                if whole {
                    let digits = std::mem::take(digits);
                    self.call(digits, at, out);
                }
            }
            Phase::Calling { destination, since_ms } => {
                let rings_ms = match destination.then {
                    Then::NoAnswer => NO_ANSWER_MS,
                    _ => destination.ringback_ms,
                };
                if now_ms >= *since_ms + rings_ms {
                    let destination = destination.clone();
                    self.reached(&destination, at, out);
                }
            }
            Phase::Talking { hang_up_at_ms, .. } => {
                if hang_up_at_ms.is_some_and(|at_ms| now_ms >= at_ms) {
                    self.far_end_hung_up(at, out);
                }
            }
            Phase::Treated { treatment, .. } => {
                if let Some(step) = treatment.advance(now_ms) {
                    self.take_step(step, at);
                }
            }
        }
    }

    fn wait_for_digits(&mut self, since_ms: u64, sounds: bool, at: &Moment<'_>) {
        let elapsed_ms = at.now_ms - since_ms;
        if elapsed_ms >= at.plan.dial_tone_after_ms + PERMANENT_SIGNAL_MS {
            self.treat(Treatment::refusal(Step::Reorder, at.now_ms), true, at);
        } else if !sounds && elapsed_ms >= at.plan.dial_tone_after_ms {
            self.sound = Sound::tone(&at.country.tones.dial);
            self.phase = Phase::Seized { since_ms, sounds: true };
        }
    }

    fn call(&mut self, digits: String, at: &Moment<'_>, out: &mut Vec<Happening>) {
        let destination = at.plan.destination(&digits, at.country);
        out.push(Happening::Dialled(digits));
        if destination.ringback_ms > 0 || destination.then == Then::NoAnswer {
            self.sound = Sound::tone(&at.country.tones.ringback);
            self.phase = Phase::Calling { destination, since_ms: at.now_ms };
        } else {
            self.reached(&destination, at, out);
        }
    }

    fn reached(&mut self, destination: &Destination, at: &Moment<'_>, out: &mut Vec<Happening>) {
        let tone = match &destination.then {
            Then::Answers { speech, hang_up_after_ms } => {
                out.push(Happening::FarAnswered);
                self.reversed = destination.reverses_polarity_on_answer;
                return self.talk(speech, *hang_up_after_ms, at.now_ms, false);
            }
            Then::Busy => Step::Busy,
            Then::Reorder | Then::NoAnswer => Step::Reorder,
            Then::SpecialInformation => Step::SpecialInformation,
        };
        self.treat(Treatment::refusal(tone, at.now_ms), true, at);
    }

    fn treat(&mut self, treatment: Treatment, refused: bool, at: &Moment<'_>) {
        let step = treatment.step();
        self.phase = Phase::Treated { treatment, refused };
        self.take_step(step, at);
    }

    fn take_step(&mut self, step: Step, at: &Moment<'_>) {
        let tones = &at.country.tones;
        self.open = step == Step::Open;
        self.reversed ^= step == Step::Turn;
        self.sound = match step {
            Step::Open | Step::Turn | Step::Silence => Sound::Silence,
            Step::Busy => Sound::tone(&tones.busy),
            Step::Reorder => Sound::tone(&tones.reorder),
            Step::Howler => Sound::tone(&tones.howler),
            Step::SpecialInformation => Sound::special_information(&tones.special_information),
            Step::DialTone => Sound::tone(&tones.dial),
        };
        if step == Step::DialTone {
            self.phase = Phase::Seized { since_ms: at.now_ms, sounds: true };
        }
    }
}
