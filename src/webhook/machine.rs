//! What goes to which receiver next.
//!
//! ```text
//!             due                     accepted
//!   Open ───────────► Sending ───────────────────────► Open      all that waits is due
//!    ▲                   │ failed, refused
//!    │                   ├───────────────────────────► Open      this one waits 5 s, 5 min, 30 min, 2 h, 5 h, 10 h…
//!    │ revived           │ failed for five days, 410
//!    └──── GivenUp ◄─────┘
//! ```
//! Each happening has its own patience, so that one that the receiver does not want holds up no other; the receiver as a
//! whole is asked ever more seldom while it fails, up to once a minute. What waits is bounded: over the limit the oldest
//! is dropped and counted. A `post_call` that is dropped is not lost: it is listed again from the store, which is also
//! where the machine finds after a restart what was not told before.

use super::{
    Kind,
    event::{Command, Event, Outcome},
    happening::Happening,
};
use crate::time::Instant;
use std::collections::VecDeque;

/// Happenings that wait for one receiver: some hours of a busy office.
pub const MAX_WAITING: usize = 256;
/// Calls of one replay: a month of a busy office.
pub const MAX_REPLAY: usize = 10_000;
/// Waits between the attempts at one happening; the last one repeats (Standard Webhooks, "retry schedule").
pub const RETRY_MS: [u64; 8] =
    [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000];
/// A receiver or a happening that has failed for so long is given up: five days.
pub const PATIENCE_MS: u64 = 5 * 86_400_000;
/// A failing receiver rests so long after its first failure, twice as long after its second…
const REST_MS: u64 = 5_000;
/// … and never longer than this.
const MAX_REST_MS: u64 = 60_000;
/// `Retry-After` is obeyed up to here.
const MAX_RETRY_AFTER_MS: u64 = 86_400_000;

/// What the machine is to know of the receivers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What each receiver wants to be told.
    pub receivers: Vec<Vec<Kind>>,
    /// Random, fresh at every start.
    pub seed: u64,
}

/// How a receiver does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it was given up.
    pub given_up: bool,
    /// Failures since it last accepted anything.
    pub failures: u32,
    /// Happenings that wait, without those that only the store has.
    pub waiting: usize,
    /// Accepted since the start.
    pub accepted: u64,
    /// Not told for want of room since the start; a `post_call` among them is told later.
    pub dropped: u64,
    /// Given up after five days since the start.
    pub expired: u64,
    /// How the last attempt went.
    pub last: Option<Outcome>,
}

/// The webhook machine.
#[derive(Clone, Debug)]
pub struct Machine {
    receivers: Vec<Receiver>,
    random: u64,
}

#[derive(Clone, Debug)]
enum State {
    Open,
    Sending(Delivery),
    GivenUp,
}

#[derive(Clone, Debug)]
struct Delivery {
    happening: Happening,
    due: Instant,
    tries: u32,
    /// When it was first tried.
    since: Option<Instant>,
    /// The receiver did not want it: that others are accepted says nothing about this one.
    is_unwanted: bool,
}

#[derive(Clone, Debug)]
struct Receiver {
    wants: Vec<Kind>,
    state: State,
    waiting: VecDeque<Delivery>,
    replay: VecDeque<Happening>,
    failing_since: Option<Instant>,
    not_before: Instant,
    /// The store may have calls that do not wait here.
    has_more: bool,
    /// A listing was asked for.
    is_listing: bool,
    standing: Standing,
}

impl Machine {
    /// Receivers that have been told nothing since the daemon started. Give it [`Event::Deadline`] to begin.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let receiver = |wants: Vec<Kind>| Receiver {
            has_more: wants.contains(&Kind::PostCall),
            wants,
            state: State::Open,
            waiting: VecDeque::new(),
            replay: VecDeque::new(),
            failing_since: None,
            not_before: Instant::ZERO,
            is_listing: false,
            standing: Standing::default(),
        };
        Self { receivers: settings.receivers.into_iter().map(receiver).collect(), random: settings.seed }
    }

    /// How a receiver does; `None` if there is none of this number.
    #[must_use]
    pub fn standing(&self, receiver: usize) -> Option<Standing> {
        let receiver = self.receivers.get(receiver)?;
        let sending = usize::from(matches!(receiver.state, State::Sending(_)));
        Some(Standing {
            given_up: matches!(receiver.state, State::GivenUp),
            waiting: receiver.waiting.len() + receiver.replay.len() + sending,
            ..receiver.standing.clone()
        })
    }

    /// When something is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.receivers.iter().filter_map(Receiver::deadline).min()
    }

    /// Takes an event; what is to be done about it goes into `out`.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Happened(happening) => {
                for receiver in &mut self.receivers {
                    if receiver.wants.contains(&happening.kind) {
                        receiver.happened(happening.clone(), now);
                    }
                }
            }
            Event::Overrun => {
                for receiver in &mut self.receivers {
                    receiver.has_more = receiver.wants.contains(&Kind::PostCall);
                }
            }
            Event::Answered { receiver, id, outcome } => self.answered(receiver, &id, outcome, now, out),
            Event::Listed { receiver, calls, is_all } => {
                let Some(receiver) = self.receivers.get_mut(receiver) else { return };
                if !std::mem::take(&mut receiver.is_listing) {
                    return;
                }
                receiver.has_more = !is_all;
                for call in calls {
                    receiver.happened(call, now);
                }
            }
            Event::Replayed { receiver, happenings } => {
                let Some(receiver) = self.receivers.get_mut(receiver) else { return };
                let room = MAX_REPLAY.saturating_sub(receiver.replay.len());
                receiver.replay.extend(happenings.into_iter().take(room));
            }
            Event::Revived { receiver } => {
                if let Some(receiver) = self.receivers.get_mut(receiver) {
                    receiver.revive(now);
                }
            }
            Event::Deadline => {}
        }
        for (n, receiver) in self.receivers.iter_mut().enumerate() {
            receiver.go_on(n, now, out);
        }
    }

    fn answered(&mut self, n: usize, id: &str, outcome: Outcome, now: Instant, out: &mut Vec<Command>) {
        let jitter = self.percent();
        let Some(receiver) = self.receivers.get_mut(n) else { return };
        let delivery = match std::mem::replace(&mut receiver.state, State::Open) {
            State::Sending(delivery) if delivery.happening.id == id => delivery,
            // An answer to nothing that is under way changes nothing.
            other => {
                receiver.state = other;
                return;
            }
        };
        receiver.standing.last = Some(outcome.clone());
        match outcome {
            Outcome::Accepted(_) => {
                receiver.accepted(now);
                out.push(Command::Settle { receiver: n, happening: delivery.happening });
            }
            // The next listing does not have it, unless it was only not to be seen yet.
            Outcome::Void => {}
            Outcome::Gone => {
                receiver.put_back(delivery);
                receiver.give_up(n, out);
            }
            Outcome::Refused(_) => {
                receiver.failed(n, Delivery { is_unwanted: true, ..delivery }, (0, jitter), now, out);
            }
            Outcome::Failed { retry_after_ms, .. } => {
                receiver.failed(n, delivery, (retry_after_ms.unwrap_or(0), jitter), now, out);
            }
        }
    }

    /// 80..=120 (SplitMix64): boxes do not come back at the same moment.
    fn percent(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        80 + (z ^ (z >> 31)) % 41
    }
}

impl Receiver {
    fn deadline(&self) -> Option<Instant> {
        if !matches!(self.state, State::Open) {
            return None;
        }
        self.waiting.iter().map(|delivery| delivery.due).min().map(|due| due.max(self.not_before))
    }

    /// Takes a happening in, once.
    fn happened(&mut self, happening: Happening, now: Instant) {
        let is_post_call = happening.kind == Kind::PostCall;
        if matches!(self.state, State::GivenUp) {
            self.has_more |= is_post_call;
            self.standing.dropped += u64::from(!is_post_call);
            return;
        }
        let is_known = self.waiting.iter().any(|waiting| waiting.happening.id == happening.id)
            || matches!(&self.state, State::Sending(sending) if sending.happening.id == happening.id);
        if is_known {
            return;
        }
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.standing.dropped += 1;
            self.has_more |= oldest.happening.kind == Kind::PostCall;
        }
        self.waiting.push_back(Delivery { happening, due: now, tries: 0, since: None, is_unwanted: false });
    }

    fn accepted(&mut self, now: Instant) {
        self.standing.accepted += 1;
        self.standing.failures = 0;
        self.failing_since = None;
        self.not_before = now;
        for waiting in self.waiting.iter_mut().filter(|waiting| !waiting.is_unwanted) {
            waiting.due = waiting.due.min(now);
        }
    }

    fn failed(
        &mut self,
        n: usize,
        mut delivery: Delivery,
        (asked_ms, percent): (u64, u64),
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let since = *self.failing_since.get_or_insert(now);
        self.standing.failures = self.standing.failures.saturating_add(1);
        let rest_ms = REST_MS.saturating_mul(self.standing.failures.into()).min(MAX_REST_MS);
        let asked_ms = asked_ms.min(MAX_RETRY_AFTER_MS);
        self.not_before = now.after_ms((rest_ms * percent / 100).max(asked_ms));
        let step = usize::try_from(delivery.tries).unwrap_or(usize::MAX).min(RETRY_MS.len() - 1);
        let wait_ms = RETRY_MS.get(step).copied().unwrap_or(MAX_REST_MS);
        delivery.due = now.after_ms((wait_ms * percent / 100).max(asked_ms));
        delivery.tries = delivery.tries.saturating_add(1);
        let first = *delivery.since.get_or_insert(now);
        if now.ms_since(since) >= PATIENCE_MS {
            self.put_back(delivery);
            self.give_up(n, out);
        } else if now.ms_since(first) >= PATIENCE_MS {
            self.standing.expired += 1;
            out.push(Command::Settle { receiver: n, happening: delivery.happening });
        } else {
            self.waiting.push_back(delivery);
        }
    }

    /// What was under way when the receiver was given up: the store has it if it is a `post_call`.
    fn put_back(&mut self, delivery: Delivery) {
        self.has_more |= delivery.happening.kind == Kind::PostCall;
        self.waiting.push_front(delivery);
    }

    fn give_up(&mut self, n: usize, out: &mut Vec<Command>) {
        self.state = State::GivenUp;
        self.replay.clear();
        for delivery in std::mem::take(&mut self.waiting) {
            let is_stored = delivery.happening.kind == Kind::PostCall;
            self.has_more |= is_stored;
            self.standing.dropped += u64::from(!is_stored);
        }
        out.push(Command::GiveUp { receiver: n });
    }

    fn revive(&mut self, now: Instant) {
        if !matches!(self.state, State::GivenUp) {
            return;
        }
        self.state = State::Open;
        self.standing.failures = 0;
        self.failing_since = None;
        self.not_before = now;
        self.is_listing = false;
        self.has_more = self.wants.contains(&Kind::PostCall);
    }

    /// Sends what is due; fetches more when there is room for it.
    fn go_on(&mut self, n: usize, now: Instant, out: &mut Vec<Command>) {
        if matches!(self.state, State::GivenUp) {
            return;
        }
        while self.waiting.len() < MAX_WAITING / 2
            && let Some(again) = self.replay.pop_front()
        {
            self.happened(again, now);
        }
        if self.has_more && !self.is_listing && self.waiting.len() < MAX_WAITING / 2 {
            self.is_listing = true;
            out.push(Command::List { receiver: n });
        }
        if !matches!(self.state, State::Open) || self.not_before > now {
            return;
        }
        let due = self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.due <= now);
        let Some((first, _)) = due.min_by_key(|(at, waiting)| (waiting.due, *at)) else { return };
        if let Some(delivery) = self.waiting.remove(first) {
            out.push(Command::Send { receiver: n, happening: delivery.happening.clone() });
            self.state = State::Sending(delivery);
        }
    }
}
