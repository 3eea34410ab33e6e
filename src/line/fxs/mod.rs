//! One FXS port: rings a phone, knows whether its handset is off hook, and lets it go when the far end hangs up.
//!
//! ```text
//!            Ring                 ring trip, loop closed
//!   Idle ───────────► Ringing ─────────────────────────► OffHook ◄──────────┐ flash
//!   ▲ ▲ loop closed      │ StopRing                       ▲ │   │ loop opened│
//!   │ └──── Lifting ─────┼────── for 64 ms ───────────────┘ │   └─► Opened ──┤
//!   │                    │                          Release ▼                │ ≥ 1 s: on hook
//!   ├────────────────────┘◄── loop stays open ── CurrentOff ► Settling       │
//!   │                                            Reorder ──┐    │ loop closed│
//!   │                                        30 s ── Reorder ◄──┘           │
//!   │◄── loop opened for 1 s ── Parked ◄── 60 s ── Howler ◄┘                │
//!   └───────────────────────────────────────────────────────────────────────┘
//!   ringing, off hook ── chip reset, alarm ──► Recovering ── up again within 2 s ──► ringing, off hook
//!   any ── chip down, not up again ──► Down ── chip up ──► Idle
//!
//!   Ringing:  Pulse or reversal ── silence ──► BeforeCallerId ──► CallerId ─┐   where caller ID comes before the ring
//!             Burst ◄────────────────────────────────────────────────────────┘
//!             Burst ──► BeforeCallerId ──► Pause ──► Burst                      where it comes after the first
//! ```

use crate::{
    audio::{
        caller_id::{Alert, CallerId, Delivery, Timing},
        tone::Tone,
        tone_plan::TonePlan,
    },
    chip::{Linefeed, PortChange},
    time::Instant,
};

/// An idle phone counts as lifted when its loop stays closed this long (lightning and on-hook transients are shorter).
const LIFT_MS: u64 = 64;
/// A loop opened for less than this is a dial pulse or a bounce, not a flash (TIA-464: 300 ms to 1 s).
const FLASH_MIN_MS: u64 = 300;
/// A loop opened for this long is a hang-up.
const HANG_UP_MS: u64 = 1000;
/// After the battery returns, a phone that is still off hook draws loop current within this time.
const SETTLE_MS: u64 = 300;
/// A chip that lost its registers or tripped a power alarm under a call has this long to come back.
const RECOVERY_MS: u64 = 2_000;

/// What happens to a port.
#[derive(Clone, Debug)]
pub enum Event {
    /// The chip reports a change.
    Chip(PortChange),
    /// A call wants this phone to ring; its caller ID is sent once, when [`Settings::caller_id`] says.
    Ring(Option<CallerId>),
    /// Who calls, learned while the phone rings already: sent in the first pause that is long enough.
    ShowCaller(CallerId),
    /// The call no longer rings here.
    StopRing,
    /// The far end hung up while the handset is off hook.
    Release,
    /// What was dialled on the handset leads nowhere.
    Reorder,
    /// A deadline passed.
    Deadline,
}

/// What a port wants done, in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Feed the loop this way.
    Feed(Linefeed),
    /// Send caller ID once on the port's slot.
    SendCallerId(CallerId, Delivery),
    /// Play a tone on the port's slot.
    Play(Tone),
    /// End what the slot plays.
    Hush,
    /// Tell the call: the first ring burst has begun.
    RingBegan,
    /// Tell the call, or whoever gives dial tone: the handset was lifted.
    OffHook,
    /// Tell the call: the handset was hung up.
    OnHook,
    /// Tell the call: the hook was flashed.
    Flash,
    /// Tell the call: the port failed under it.
    Lost,
}

/// Settings of every port of a box.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How phones ring, and the tones that they play.
    pub tones: &'static TonePlan,
    /// How and when caller ID is sent.
    pub caller_id: Delivery,
    /// How long the loop is opened when the far end hangs up (CPC), in ms: 200 to 1000.
    pub cpc_ms: u64,
    /// How long the reorder tone is played to a phone that was left off hook, in ms: 0 to 120,000.
    pub reorder_ms: u64,
    /// How long the howler is played after it, in ms: 0 to 120,000; then the phone hears nothing until it is hung up.
    pub howler_ms: u64,
}

impl Settings {
    /// Milliseconds of burst number `n` of the ringing (0-based) and of the pause after it.
    fn burst_ms(&self, n: u32) -> (u64, u64) {
        // A plan's ringing always has pauses.
        let (on, off) = self.tones.ring.burst_ms(n).unwrap_or_default();
        (u64::from(on), u64::from(off))
    }
}

#[derive(Clone, Debug)]
enum State {
    Down,
    Idle,
    Lifting { until: Instant },
    Ringing(Ringing),
    OffHook,
    Opened { since: Instant },
    CurrentOff { until: Instant },
    Settling { until: Instant },
    Reorder { until: Instant },
    Howler { until: Instant },
    Recovering { ringing: Option<Ringing>, up: bool, until: Instant },
    Parked,
    ParkedOpened { until: Instant },
}

#[derive(Clone, Debug)]
struct Ringing {
    burst: u32,
    phase: Phase,
    until: Instant,
    caller_id: Option<CallerId>,
    lift_at: Option<Instant>,
    /// In a pause, and while caller ID is sent in it: when the next burst begins.
    burst_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The pulse that wakes the phone.
    Pulse,
    /// The silence before caller ID.
    BeforeCallerId,
    /// Caller ID before the first burst, and the silence behind it.
    CallerId,
    Burst,
    Pause,
}

impl Phase {
    /// Whether ringing voltage is on the line.
    const fn rings(self) -> bool {
        matches!(self, Self::Pulse | Self::Burst)
    }
}

/// One FXS port.
#[derive(Debug)]
pub struct Fxs {
    settings: Settings,
    state: State,
}

impl Fxs {
    /// A port whose chip has not come up yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, state: State::Down }
    }

    /// Whether a call may ring this port now.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether a person is on the phone, or about to be: the handset is up, and nothing is wrong.
    #[must_use]
    pub const fn is_off_hook(&self) -> bool {
        matches!(self.state, State::OffHook | State::Opened { .. })
    }

    /// Whether the chip is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        !matches!(self.state, State::Down)
    }

    /// Whether ringing voltage or its pauses are on the line.
    #[must_use]
    pub const fn is_ringing(&self) -> bool {
        matches!(self.state, State::Ringing(_))
    }

    /// Whether the handset is in its cradle and nothing rings.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Idle | State::Lifting { .. })
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Lifting { until }
            | State::CurrentOff { until }
            | State::Settling { until }
            | State::Reorder { until }
            | State::Howler { until }
            | State::Recovering { until, .. }
            | State::ParkedOpened { until } => Some(*until),
            State::Opened { since } => Some(since.after_ms(HANG_UP_MS)),
            State::Ringing(r) => Some(r.lift_at.map_or(r.until, |lift| lift.min(r.until))),
            State::Down | State::Idle | State::OffHook | State::Parked => None,
        }
    }

    /// Takes one event; every (state, event) pair has an answer.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let state = std::mem::replace(&mut self.state, State::Down);
        self.state = match event {
            Event::Chip(change) => self.chip(state, change, now, out),
            Event::Ring(caller_id) => self.ring(state, caller_id, now, out),
            Event::ShowCaller(id) => self.show_caller(state, id, now),
            Event::StopRing => stop_ring(state, out),
            Event::Release => self.release(state, now, out),
            Event::Reorder => self.refuse(state, now, out),
            Event::Deadline => self.due(state, now, out),
        };
    }

    fn ring(&self, state: State, caller_id: Option<CallerId>, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Idle => State::Ringing(self.begin(caller_id, now, out)),
            // The caller asks `is_idle` first; a port that changed in between does not ring.
            busy => busy,
        }
    }

    /// The first thing that happens on the line of a phone that is to ring.
    fn begin(&self, caller_id: Option<CallerId>, now: Instant, out: &mut Vec<Command>) -> Ringing {
        let (phase, feed, ms) = match (self.settings.caller_id.timing, &caller_id) {
            (Timing::AfterFirstRing, _) | (Timing::BeforeFirstRing(_), None) => {
                out.extend([Command::Feed(Linefeed::Ringing), Command::RingBegan]);
                return Ringing::first_burst(caller_id, now.after_ms(self.settings.burst_ms(0).0));
            }
            (Timing::BeforeFirstRing(Alert::RingPulse), Some(_)) => {
                (Phase::Pulse, Linefeed::Ringing, Alert::RING_PULSE_MS)
            }
            (timing @ Timing::BeforeFirstRing(Alert::LineReversal | Alert::LineReversalAndTone), Some(_)) => {
                (Phase::BeforeCallerId, Linefeed::ReverseOnHookTransmission, timing.silence_ms())
            }
        };
        out.push(Command::Feed(feed));
        Ringing { burst: 0, phase, until: now.after_ms(ms), caller_id, lift_at: None, burst_at: now }
    }

    /// Caller ID that came late: at once in a pause that has begun and has room for it, else after the next burst.
    fn show_caller(&self, state: State, id: CallerId, now: Instant) -> State {
        let State::Ringing(mut ringing) = state else { return state };
        let delivery = self.settings.caller_id;
        if ringing.phase == Phase::Pause && delivery.timing == Timing::AfterFirstRing {
            let pause_ms = self.settings.burst_ms(ringing.burst).1;
            let silent_for_ms = pause_ms.saturating_sub(ringing.burst_at.ms_since(now));
            let begins = now.after_ms(delivery.timing.silence_ms().saturating_sub(silent_for_ms));
            if begins.after_ms(delivery.duration_ms(&id) + Timing::BEFORE_RING_MS) <= ringing.burst_at {
                (ringing.phase, ringing.until) = (Phase::BeforeCallerId, begins);
            }
        }
        ringing.caller_id = Some(id);
        State::Ringing(ringing)
    }

    fn refuse(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::OffHook | State::Opened { .. } => {
                out.push(Command::Play(self.settings.tones.reorder));
                State::Reorder { until: now.after_ms(self.settings.reorder_ms) }
            }
            same => same,
        }
    }

    fn release(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::OffHook | State::Opened { .. } => {
                out.extend([Command::Hush, Command::Feed(Linefeed::Open)]);
                State::CurrentOff { until: now.after_ms(self.settings.cpc_ms) }
            }
            State::Recovering { ringing: None, up, .. } => after_recovery(up),
            // It rang for a call that was held, and that is over.
            ringing @ (State::Ringing(_) | State::Recovering { ringing: Some(_), .. }) => {
                stop_ring(ringing, out)
            }
            same => same,
        }
    }

    fn due(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Lifting { until } if now >= until => {
                out.push(Command::OffHook);
                State::OffHook
            }
            State::Ringing(r) if r.lift_at.is_some_and(|at| now >= at) => lifted(out),
            State::Ringing(r) if now >= r.until => State::Ringing(self.next_phase(r, out)),
            State::Opened { since } if now >= since.after_ms(HANG_UP_MS) => {
                out.push(Command::OnHook);
                State::Idle
            }
            State::CurrentOff { until } if now >= until => {
                out.push(Command::Feed(Linefeed::Active));
                State::Settling { until: now.after_ms(SETTLE_MS) }
            }
            State::Settling { until } if now >= until => {
                out.push(Command::OnHook);
                State::Idle
            }
            State::Recovering { up, until, .. } if now >= until => {
                out.extend([Command::Hush, Command::Lost]);
                after_recovery(up)
            }
            State::Reorder { until } if now >= until => {
                out.push(Command::Play(self.settings.tones.howler));
                State::Howler { until: now.after_ms(self.settings.howler_ms) }
            }
            State::Howler { until } if now >= until => {
                out.push(Command::Hush);
                State::Parked
            }
            State::ParkedOpened { until } if now >= until => {
                out.extend([Command::Hush, Command::OnHook]);
                State::Idle
            }
            // The timer of a state that is gone.
            same => same,
        }
    }

    fn chip(&self, state: State, change: PortChange, now: Instant, out: &mut Vec<Command>) -> State {
        match (state, change) {
            (State::Down, PortChange::Up) => {
                out.push(Command::Feed(Linefeed::Active));
                State::Idle
            }
            (State::Ringing(_), PortChange::RingTripped) => lifted(out),
            (State::Ringing(r), PortChange::LoopClosed) if !r.phase.rings() => {
                State::Ringing(Ringing { lift_at: Some(now.after_ms(LIFT_MS)), ..r })
            }
            (State::Ringing(r), PortChange::LoopOpened) => State::Ringing(Ringing { lift_at: None, ..r }),
            (State::Idle, PortChange::LoopClosed | PortChange::RingTripped) => {
                State::Lifting { until: now.after_ms(LIFT_MS) }
            }
            (State::Lifting { .. }, PortChange::LoopOpened) => State::Idle,
            (State::OffHook, PortChange::LoopOpened) => State::Opened { since: now },
            (State::Opened { since }, PortChange::LoopClosed) => {
                if now.ms_since(since) >= FLASH_MIN_MS {
                    out.push(Command::Flash);
                }
                State::OffHook
            }
            (State::Settling { .. }, PortChange::LoopClosed) => {
                out.push(Command::Play(self.settings.tones.reorder));
                State::Reorder { until: now.after_ms(self.settings.reorder_ms) }
            }
            (State::Reorder { .. } | State::Howler { .. } | State::Parked, PortChange::LoopOpened) => {
                State::ParkedOpened { until: now.after_ms(HANG_UP_MS) }
            }
            (State::ParkedOpened { .. }, PortChange::LoopClosed) => parked_again(out),
            (State::Recovering { ringing: Some(r), .. }, PortChange::Up) => {
                State::Ringing(self.resume(r, now, out))
            }
            (State::Recovering { until, .. }, PortChange::Up) => {
                out.push(Command::Feed(Linefeed::Active));
                State::Recovering { ringing: None, up: true, until }
            }
            (State::Recovering { ringing: None, .. }, PortChange::LoopClosed) => State::OffHook,
            (State::Ringing(r), PortChange::PowerAlarm | PortChange::Reset) => {
                State::Recovering { ringing: Some(r), up: false, until: now.after_ms(RECOVERY_MS) }
            }
            (State::OffHook | State::Opened { .. }, PortChange::PowerAlarm | PortChange::Reset) => {
                State::Recovering { ringing: None, up: false, until: now.after_ms(RECOVERY_MS) }
            }
            (State::Recovering { ringing, until, .. }, PortChange::PowerAlarm | PortChange::Reset) => {
                State::Recovering { ringing, up: false, until }
            }
            (was, PortChange::PowerAlarm | PortChange::Reset | PortChange::Down) => {
                if !matches!(was, State::Down | State::Idle) {
                    out.extend([Command::Hush, Command::Lost]);
                }
                State::Down
            }
            // Repeated or late reports change nothing.
            (
                same,
                PortChange::Up | PortChange::LoopClosed | PortChange::LoopOpened | PortChange::RingTripped,
            ) => same,
        }
    }

    fn next_phase(&self, mut r: Ringing, out: &mut Vec<Command>) -> Ringing {
        let delivery = self.settings.caller_id;
        let (silence_ms, is_early) =
            (delivery.timing.silence_ms(), matches!(delivery.timing, Timing::BeforeFirstRing(_)));
        let (burst_ms, pause_ms) = self.settings.burst_ms(r.burst);
        let (phase, ms) = match r.phase {
            Phase::Pulse => {
                out.push(Command::Feed(Linefeed::OnHookTransmission));
                (Phase::BeforeCallerId, silence_ms)
            }
            Phase::BeforeCallerId => {
                let sent = r.caller_id.take();
                let sent_ms = sent.as_ref().map_or(0, |id| delivery.duration_ms(id));
                out.extend(sent.map(|id| Command::SendCallerId(id, delivery)));
                if is_early {
                    (Phase::CallerId, sent_ms + Timing::BEFORE_RING_MS)
                } else {
                    (Phase::Pause, r.burst_at.ms_since(r.until))
                }
            }
            Phase::CallerId => {
                out.extend([Command::Feed(Linefeed::Ringing), Command::RingBegan]);
                (Phase::Burst, burst_ms)
            }
            Phase::Burst => {
                out.push(Command::Feed(Linefeed::OnHookTransmission));
                r.burst_at = r.until.after_ms(pause_ms);
                let needs_ms = |id| silence_ms + delivery.duration_ms(id) + Timing::BEFORE_RING_MS;
                let fits = !is_early && r.caller_id.as_ref().is_some_and(|id| needs_ms(id) <= pause_ms);
                if fits { (Phase::BeforeCallerId, silence_ms) } else { (Phase::Pause, pause_ms) }
            }
            Phase::Pause => {
                out.push(Command::Feed(Linefeed::Ringing));
                r.burst += 1;
                (Phase::Burst, self.settings.burst_ms(r.burst).0)
            }
        };
        r.phase = phase;
        r.until = r.until.after_ms(ms);
        r
    }

    /// A chip that came back while it was to ring: before the first burst all begins anew, later the burst does.
    fn resume(&self, r: Ringing, now: Instant, out: &mut Vec<Command>) -> Ringing {
        if matches!(r.phase, Phase::Pulse | Phase::BeforeCallerId | Phase::CallerId)
            && matches!(self.settings.caller_id.timing, Timing::BeforeFirstRing(_))
        {
            return self.begin(r.caller_id, now, out);
        }
        out.push(Command::Feed(Linefeed::Ringing));
        let until = now.after_ms(self.settings.burst_ms(r.burst).0);
        Ringing { phase: Phase::Burst, until, lift_at: None, ..r }
    }
}

impl Ringing {
    const fn first_burst(caller_id: Option<CallerId>, until: Instant) -> Self {
        Self { burst: 0, phase: Phase::Burst, until, caller_id, lift_at: None, burst_at: until }
    }
}

fn stop_ring(state: State, out: &mut Vec<Command>) -> State {
    match state {
        State::Ringing(_) => {
            out.extend([Command::Hush, Command::Feed(Linefeed::Active)]);
            State::Idle
        }
        State::Recovering { ringing: Some(_), up, .. } => after_recovery(up),
        same => same,
    }
}

/// A port whose call did not survive the recovery of its chip.
const fn after_recovery(up: bool) -> State {
    if up { State::Idle } else { State::Down }
}

fn lifted(out: &mut Vec<Command>) -> State {
    out.extend([Command::Hush, Command::Feed(Linefeed::Active), Command::OffHook]);
    State::OffHook
}

/// A hook that bounced took the timer from the tone, which would sound for ever.
fn parked_again(out: &mut Vec<Command>) -> State {
    out.push(Command::Hush);
    State::Parked
}

#[cfg(test)]
mod tests;
