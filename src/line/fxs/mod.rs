//! One FXS port: rings a phone, knows whether its handset is off hook, and lets it go when the far end hangs up.
//!
//! ```text
//!            Ring                 ring trip, loop closed
//!   Idle ───────────► Ringing ─────────────────────────► OffHook ◄──────────┐ flash
//!   ▲ ▲ loop closed      │ StopRing                       │   │ loop opened │
//!   │ └──── Lifting ◄─┐  │                        Release │   └─► Opened ───┤
//!   │                 │  │                                ▼                 │ ≥ 1 s: on hook
//!   ├─────────────────┴──┘◄── loop stays open ── CurrentOff ► Settling      │
//!   │                                                           │ loop closed
//!   │                                        30 s ── Reorder ◄──┘           │
//!   │◄── loop opened for 1 s ── Parked ◄── 60 s ── Howler ◄┘                │
//!   └───────────────────────────────────────────────────────────────────────┘
//!   ringing, off hook ── chip reset, alarm ──► Recovering ── up again within 2 s ──► ringing, off hook
//!   any ── chip down, not up again ──► Down ── chip up ──► Idle
//! ```

use crate::{
    audio::{caller_id::CallerId, tone::Tone, tone_plan::TonePlan},
    chip::{Linefeed, PortChange},
    time::Instant,
};

/// An idle phone counts as lifted when its loop stays closed this long (lightning and on-hook transients are shorter).
const LIFT_MS: u64 = 64;
/// A loop opened for less than this is a dial pulse or a bounce, not a flash (TIA-464: 300 ms to 1 s).
const FLASH_MIN_MS: u64 = 300;
/// A loop opened for this long is a hang-up.
const HANG_UP_MS: u64 = 1000;
/// Caller ID starts this long after the end of the first burst (GR-30: at least 500 ms).
const CALLER_ID_DELAY_MS: u64 = 600;
/// After the battery returns, a phone that is still off hook draws loop current within this time.
const SETTLE_MS: u64 = 300;
/// A chip that lost its registers or tripped a power alarm under a call has this long to come back.
const RECOVERY_MS: u64 = 2_000;

/// What happens to a port.
#[derive(Clone, Debug)]
pub enum Event {
    /// The chip reports a change.
    Chip(PortChange),
    /// A call wants this phone to ring; its caller ID is sent in the first pause.
    Ring(Option<CallerId>),
    /// The call no longer rings here.
    StopRing,
    /// The far end hung up while the handset is off hook.
    Release,
    /// A deadline passed.
    Deadline,
}

/// What a port wants done, in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Feed the loop this way.
    Feed(Linefeed),
    /// Send caller ID once on the port's slot.
    SendCallerId(CallerId),
    /// Play a tone on the port's slot.
    Play(Tone),
    /// End what the slot plays.
    Hush,
    /// Tell the call: the first ring burst has begun.
    RingBegan,
    /// Tell the call: the handset was lifted.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Burst,
    BeforeCallerId,
    Pause,
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
            Event::Chip(change) => chip(state, change, &self.settings, now, out),
            Event::Ring(caller_id) => self.ring(state, caller_id, now, out),
            Event::StopRing => stop_ring(state, out),
            Event::Release => self.release(state, now, out),
            Event::Deadline => self.due(state, now, out),
        };
    }

    fn ring(&self, state: State, caller_id: Option<CallerId>, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Idle => {
                out.extend([Command::Feed(Linefeed::Ringing), Command::RingBegan]);
                let until = now.after_ms(self.settings.burst_ms(0).0);
                State::Ringing(Ringing { burst: 0, phase: Phase::Burst, until, caller_id, lift_at: None })
            }
            // The caller asks `is_idle` first; a port that changed in between does not ring.
            busy => busy,
        }
    }

    fn release(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::OffHook | State::Opened { .. } => {
                out.extend([Command::Hush, Command::Feed(Linefeed::Open)]);
                State::CurrentOff { until: now.after_ms(self.settings.cpc_ms) }
            }
            State::Recovering { ringing: None, up, .. } => after_recovery(up),
            same => same,
        }
    }

    fn due(&self, state: State, now: Instant, out: &mut Vec<Command>) -> State {
        match state {
            State::Lifting { until } if now >= until => {
                // Nobody called: there is no line to give yet.
                out.push(Command::Play(self.settings.tones.reorder));
                State::Reorder { until: now.after_ms(self.settings.reorder_ms) }
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

    fn next_phase(&self, mut r: Ringing, out: &mut Vec<Command>) -> Ringing {
        let (_, pause_ms) = self.settings.burst_ms(r.burst);
        match r.phase {
            Phase::Burst => {
                out.push(Command::Feed(Linefeed::OnHookTransmission));
                let sends_id = r.caller_id.is_some() && pause_ms > CALLER_ID_DELAY_MS;
                r.phase = if sends_id { Phase::BeforeCallerId } else { Phase::Pause };
                r.until = r.until.after_ms(if sends_id { CALLER_ID_DELAY_MS } else { pause_ms });
            }
            Phase::BeforeCallerId => {
                out.extend(r.caller_id.take().map(Command::SendCallerId));
                r.phase = Phase::Pause;
                r.until = r.until.after_ms(pause_ms - CALLER_ID_DELAY_MS);
            }
            Phase::Pause => {
                out.push(Command::Feed(Linefeed::Ringing));
                r.burst += 1;
                r.phase = Phase::Burst;
                r.until = r.until.after_ms(self.settings.burst_ms(r.burst).0);
            }
        }
        r
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

fn chip(
    state: State,
    change: PortChange,
    settings: &Settings,
    now: Instant,
    out: &mut Vec<Command>,
) -> State {
    match (state, change) {
        (State::Down, PortChange::Up) => {
            out.push(Command::Feed(Linefeed::Active));
            State::Idle
        }
        (State::Ringing(_), PortChange::RingTripped) => lifted(out),
        (State::Ringing(r), PortChange::LoopClosed) if r.phase != Phase::Burst => {
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
            out.push(Command::Play(settings.tones.reorder));
            State::Reorder { until: now.after_ms(settings.reorder_ms) }
        }
        (State::Reorder { .. } | State::Howler { .. } | State::Parked, PortChange::LoopOpened) => {
            State::ParkedOpened { until: now.after_ms(HANG_UP_MS) }
        }
        (State::ParkedOpened { .. }, PortChange::LoopClosed) => parked_again(out),
        (State::Recovering { ringing: Some(r), .. }, PortChange::Up) => {
            out.push(Command::Feed(Linefeed::Ringing));
            let until = now.after_ms(settings.burst_ms(r.burst).0);
            State::Ringing(Ringing { phase: Phase::Burst, until, lift_at: None, ..r })
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

#[cfg(test)]
mod tests;
