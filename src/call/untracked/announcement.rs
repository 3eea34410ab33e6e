//! The box itself speaks to a phone of the office: somebody has pressed its button and wants to know its address.
//!
//! ```text
//!   idle phone ──► Ringing ── lifted ──► Silent ⇄ Speaking ── said twice ──► Ended
//!   dial tone ─────────────────────────────▲                     on hook, stopped ──► Ended
//!                     │ nobody lifts, or somebody calls ──► Ended
//! ```

use super::{Command, Event, Kind};
use crate::{audio::prompt::Prompt, id::PortId, time::Instant};

/// Who presses the button stands beside the box; the phone may be a room away.
const RING_MS: u64 = 30_000;
/// From the lifted handset to the ear, and between the two times: who writes it down needs a moment.
const SILENCE_MS: u64 = 1_000;
/// How often it is said: what was missed the first time is heard the second.
const TIMES: u8 = 2;
/// Samples of the prompt in a millisecond.
const SAMPLES_PER_MS: u64 = 8;

#[derive(Clone, Copy, Debug)]
enum State {
    Ringing { until: Instant },
    Silent { until: Instant, left: u8 },
    Speaking { until: Instant, left: u8 },
    Ended,
}

/// A phone of the office as the box finds it that has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its handset was lifted, and no key was pressed: whoever holds it listens.
    DialTone,
    /// It is on hook, and can ring.
    Idle,
    /// It is in use, or does not work.
    Taken,
}

/// One announcement.
#[derive(Debug)]
pub struct Announcement {
    phone: PortId,
    prompt: Prompt,
    state: State,
}

impl Announcement {
    /// Tells it to the first phone that can be told: one with dial tone hears it at once, an idle one rings. One thing
    /// is said at a time: `calls` are those that are not over.
    pub fn begin(
        prompt: Prompt,
        phones: &[(PortId, Found)],
        mut calls: impl Iterator<Item = Kind>,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> Option<Self> {
        if calls.any(|kind| kind == Kind::Announcement) {
            return None;
        }
        let first = |wanted| phones.iter().find(|(_, found)| *found == wanted).map(|(phone, _)| *phone);
        if let Some(phone) = first(Found::DialTone) {
            return Some(Self::speak(phone, prompt, now));
        }
        first(Found::Idle).map(|phone| Self::ring(phone, prompt, now, out))
    }

    /// An idle phone is to ring for it.
    fn ring(phone: PortId, prompt: Prompt, now: Instant, out: &mut Vec<Command>) -> Self {
        out.push(Command::Ring(phone));
        Self { phone, prompt, state: State::Ringing { until: now.after_ms(RING_MS) } }
    }

    /// A phone whose handset is up already is to hear it.
    fn speak(phone: PortId, prompt: Prompt, now: Instant) -> Self {
        Self { phone, prompt, state: silent(TIMES, now) }
    }

    /// The phone that is told.
    #[must_use]
    pub const fn phone(&self) -> PortId {
        self.phone
    }

    /// Whether it still waits for somebody to lift the handset.
    pub(super) const fn is_ringing(&self) -> bool {
        matches!(self.state, State::Ringing { .. })
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ringing { until } | State::Silent { until, .. } | State::Speaking { until, .. } => {
                Some(until)
            }
            State::Ended => None,
        }
    }

    pub(super) fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let phone = self.phone;
        self.state = match (self.state, event) {
            (State::Ringing { .. }, Event::OffHook(by)) if by == phone => silent(TIMES, now),
            (State::Ringing { .. }, Event::Taken | Event::Stopped) => self.stop_ring(out),
            (State::Ringing { until }, Event::Deadline) if now >= until => self.stop_ring(out),
            (State::Silent { until, left }, Event::Deadline) if now >= until => {
                out.push(Command::Say { phone, prompt: self.prompt });
                let ms = self.prompt.samples().len() as u64 / SAMPLES_PER_MS;
                State::Speaking { until: now.after_ms(ms), left: left.saturating_sub(1) }
            }
            (State::Speaking { until, left: 0 }, Event::Deadline) if now >= until => self.let_go(out),
            (State::Speaking { until, left }, Event::Deadline) if now >= until => silent(left, now),
            (State::Speaking { .. }, Event::OnHook(by)) if by == phone => {
                out.push(Command::Quiet(phone));
                end(true, out)
            }
            (State::Silent { .. }, Event::OnHook(by)) if by == phone => end(true, out),
            (State::Ringing { .. } | State::Silent { .. } | State::Speaking { .. }, Event::PhoneLost(by))
                if by == phone =>
            {
                end(false, out)
            }
            (State::Speaking { .. }, Event::Taken | Event::Stopped) => {
                out.push(Command::Quiet(phone));
                self.let_go(out)
            }
            (State::Silent { .. }, Event::Taken | Event::Stopped) => self.let_go(out),
            (same, _) => same,
        };
    }

    fn stop_ring(&self, out: &mut Vec<Command>) -> State {
        out.push(Command::StopRing(self.phone));
        end(false, out)
    }

    fn let_go(&self, out: &mut Vec<Command>) -> State {
        out.push(Command::Release(self.phone));
        end(true, out)
    }
}

const fn silent(left: u8, now: Instant) -> State {
    State::Silent { until: now.after_ms(SILENCE_MS), left }
}

fn end(joined: bool, out: &mut Vec<Command>) -> State {
    out.push(Command::End { kind: Kind::Announcement, joined });
    State::Ended
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: PortId = PortId(0);
    const PROMPT: Prompt = Prompt::NoNetwork;

    fn at(ms: u64) -> Instant {
        Instant::ZERO.after_ms(ms)
    }

    fn give(call: &mut Announcement, event: Event, ms: u64) -> Vec<Command> {
        let mut out = Vec::new();
        call.handle(event, at(ms), &mut out);
        out
    }

    fn ringing() -> Announcement {
        let mut out = Vec::new();
        let call = Announcement::ring(PHONE, PROMPT, at(0), &mut out);
        assert_eq!(out, [Command::Ring(PHONE)]);
        call
    }

    /// Lets deadlines pass until it is over; what it wanted and when.
    fn rest(call: &mut Announcement) -> Vec<(u64, Command)> {
        let mut done = Vec::new();
        while let Some(due) = call.deadline() {
            let mut out = Vec::new();
            call.handle(Event::Deadline, due, &mut out);
            done.extend(out.into_iter().map(|command| (due.ms_since(Instant::ZERO), command)));
        }
        done
    }

    fn over(joined: bool) -> Command {
        Command::End { kind: Kind::Announcement, joined }
    }

    #[test]
    fn a_phone_with_dial_tone_is_told_at_once_and_else_an_idle_one_rings() {
        use Found::{DialTone, Idle, Taken};
        for (phones, told, rings) in [
            (&[Idle, Taken, DialTone][..], Some(2), false),
            (&[DialTone, DialTone], Some(0), false),
            (&[Taken, Idle, Idle], Some(1), true),
            (&[Taken, Taken], None, false),
            (&[], None, false),
        ] {
            let found: Vec<_> = (0..).map(PortId).zip(phones.iter().copied()).collect();
            let mut out = Vec::new();
            let calls = [Kind::Direct, Kind::Emergency];
            let call = Announcement::begin(PROMPT, &found, calls.into_iter(), at(0), &mut out);
            assert_eq!(call.as_ref().map(|call| call.phone().0), told, "{phones:?}");
            assert_eq!(call.is_some_and(|call| call.is_ringing()), rings, "{phones:?}");
            let ring = told.filter(|_| rings).map(|phone| Command::Ring(PortId(phone)));
            assert_eq!(out, ring.into_iter().collect::<Vec<_>>(), "{phones:?}");
        }
    }

    #[test]
    fn one_thing_is_said_at_a_time() {
        let (mut out, idle) = (Vec::new(), [(PHONE, Found::Idle)]);
        let calls = [Kind::Direct, Kind::Announcement];
        assert!(Announcement::begin(PROMPT, &idle, calls.into_iter(), at(0), &mut out).is_none());
        assert_eq!(out, []);
    }

    #[test]
    fn who_lifts_the_handset_hears_it_twice_and_is_let_go() {
        let mut call = ringing();
        assert_eq!(give(&mut call, Event::OffHook(PHONE), 2_000), []);
        assert!(!call.is_ringing());
        let ms = PROMPT.samples().len() as u64 / 8;
        let say = Command::Say { phone: PHONE, prompt: PROMPT };
        let again = 2_000 + 2 * SILENCE_MS + ms;
        let right = [
            (3_000, say.clone()),
            (again, say),
            (again + ms, Command::Release(PHONE)),
            (again + ms, over(true)),
        ];
        assert_eq!(rest(&mut call), right);
    }

    #[test]
    fn nobody_lifts_and_the_phone_falls_silent() {
        let right = [(RING_MS, Command::StopRing(PHONE)), (RING_MS, over(false))];
        assert_eq!(rest(&mut ringing()), right);
    }

    #[test]
    fn a_caller_comes_first() {
        for event in [Event::Taken, Event::Stopped] {
            let mut call = ringing();
            assert_eq!(give(&mut call, event, 10), [Command::StopRing(PHONE), over(false)]);
            assert_eq!(call.deadline(), None);
        }
    }

    #[test]
    fn a_handset_that_is_up_hears_it_at_once_and_hanging_up_ends_it() {
        let mut call = Announcement::speak(PHONE, PROMPT, at(0));
        assert_eq!(give(&mut call, Event::OnHook(PortId(1)), 10), [], "another phone");
        assert_eq!(give(&mut call, Event::Deadline, 999), []);
        assert!(matches!(give(&mut call, Event::Deadline, 1_000)[..], [Command::Say { .. }]));
        assert_eq!(give(&mut call, Event::OnHook(PHONE), 1_100), [Command::Quiet(PHONE), over(true)]);
        assert_eq!(give(&mut call, Event::Deadline, 90_000), []);
    }

    #[test]
    fn the_end_of_the_box_ends_it() {
        let mut call = Announcement::speak(PHONE, PROMPT, at(0));
        give(&mut call, Event::Deadline, 1_000);
        let right = [Command::Quiet(PHONE), Command::Release(PHONE), over(true)];
        assert_eq!(give(&mut call, Event::Stopped, 1_100), right);
        let mut lost = ringing();
        assert_eq!(give(&mut lost, Event::PhoneLost(PHONE), 10), [over(false)]);
    }
}
