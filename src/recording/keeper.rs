//! Goes through old calls in small slices: what is due to be erased first, then what is old enough to be asked for.
//!
//! ```text
//!            every 3 s              nothing due                 end of the old calls
//!  Waiting -----------> due, 1 call -----------> old, 16 calls ---------------------> Resting, an hour
//!     ^---------------------'--------------------------'                                  |
//!     `-----------------------------------------------------------------------------------'
//! ```
//! On a disk that is nearly full, what is due is looked at in every turn. Recordings never wait for any of this.

use super::{
    request::{Books, Place},
    retention::{self, Policy},
    standing::Asked,
};
use crate::{
    id::CallId,
    note::Note,
    record::CallRecord,
    status::Room,
    time::{Instant, WallTime},
};
use std::collections::BTreeMap;

/// Time between two slices: 20 calls a minute are erased at most.
const PACE_MS: u64 = 3_000;
/// Old calls looked at in one slice.
const OLD_CALLS: usize = 16;
/// From the end of the old calls to the next round.
const REST_MS: u64 = 3_600_000;
/// A call whose erasure was begun is left alone for so long: its entry may be on the way, or its file cannot go.
const AGAIN_MS: u64 = 600_000;
/// Such calls at once: as many as can be begun in that time, on a full disk, ten times a second.
const MAX_BEGUN: usize = 6_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The files go, then this record is journaled as erased.
    Erase {
        /// What was asked for.
        asked: Asked,
        /// The record as it is left.
        left: Box<CallRecord>,
    },
    /// To be journaled.
    Ask(Note),
}

/// The one who goes through.
#[derive(Debug)]
pub struct Keeper {
    policy: Policy,
    next_at: Instant,
    /// The last old call that was looked at in this round.
    at: Option<Place>,
    rest_until: Instant,
    begun: BTreeMap<CallId, Instant>,
}

impl Keeper {
    /// At the beginning of a round.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let (next_at, rest_until) = (Instant::ZERO, Instant::ZERO);
        Self { policy, next_at, at: None, rest_until, begun: BTreeMap::new() }
    }

    /// The next slice of work; empty most of the time.
    pub fn turn(&mut self, books: &dyn Books, room: Room, now: Instant, wall: WallTime, out: &mut Vec<Step>) {
        if now < self.next_at && room == Room::Enough {
            return;
        }
        let in_pace = now >= self.next_at;
        if in_pace {
            self.next_at = now.after_ms(PACE_MS);
            self.begun.retain(|_, at| now.ms_since(*at) < AGAIN_MS);
        }
        if let Some(step) = self.due(books, now, wall) {
            out.push(step);
        } else if in_pace && now >= self.rest_until {
            self.old(books, now, wall, out);
        }
    }

    /// One erasure whose time has come and in whose way nothing stands.
    fn due(&mut self, books: &dyn Books, now: Instant, wall: WallTime) -> Option<Step> {
        if self.begun.len() >= MAX_BEGUN {
            return None;
        }
        // Those that were begun, or may not go yet, stay in front: look behind them.
        let due = books.due(wall, self.begun.len() + OLD_CALLS)?;
        for asked in due {
            if self.begun.contains_key(&asked.call) {
                continue;
            }
            self.begun.insert(asked.call, now);
            let (Some(record), Some(standing)) = (books.get(asked.call), books.standing(asked.call)) else {
                continue;
            };
            if retention::may_erase(&record, &standing, asked.part, &self.policy).is_ok() {
                let left = Box::new(retention::erased(&record, &asked));
                return Some(Step::Erase { asked, left });
            }
        }
        None
    }

    fn old(&mut self, books: &dyn Books, now: Instant, wall: WallTime, out: &mut Vec<Step>) {
        let Some(before) = self.policy.oldest_kept(wall) else { return };
        let Some(old) = books.expired(before, self.at, OLD_CALLS) else { return };
        match old.last() {
            Some(last) => self.at = Some(last.into()),
            None => (self.at, self.rest_until) = (None, now.after_ms(REST_MS)),
        }
        for record in &old {
            let Some(standing) = books.standing(record.id) else { continue };
            if let Ok(wanted) = retention::wanted(record, &standing, &self.policy, wall) {
                out.push(Step::Ask(retention::ask(record.id, wanted, &self.policy, wall)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        note::{Part, What},
        record::{RecordingState, Sync},
        recording::{
            made_up::{self, Ledger, START},
            retention::Upstream,
        },
    };

    const POLICY: Policy = Policy {
        recordings_days: 10,
        records_days: 20,
        missed_days: 20,
        grace_days: 2,
        upstream: Upstream::None,
    };
    const DAY_MS: u64 = 86_400_000;

    fn ledger(calls: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for n in 1..=calls {
            let mut record = made_up::record(n);
            record.recording.state = RecordingState::Closed;
            ledger.put(record);
        }
        ledger
    }

    /// Runs for so many seconds and does what the keeper says; gives the erasures and the second of each.
    fn run(keeper: &mut Keeper, ledger: &mut Ledger, room: Room, day: u64, seconds: u64) -> Vec<(u64, Part)> {
        let mut erased = Vec::new();
        for tick in 0..seconds * 10 {
            let (now, wall) =
                (Instant::ZERO.after_ms(tick * 100), WallTime(START.0 + day * DAY_MS + tick * 100));
            let mut steps = Vec::new();
            keeper.turn(ledger, room, now, wall, &mut steps);
            for step in steps {
                match step {
                    Step::Ask(note) => ledger.standings.note(&note),
                    Step::Erase { asked, left } => {
                        erased.push((tick / 10, asked.part));
                        ledger.standings.settle(asked.call);
                        ledger.put(*left);
                    }
                }
            }
        }
        erased
    }

    #[test]
    fn an_old_recording_is_asked_for_and_goes_after_its_grace() {
        let mut ledger = ledger(1);
        assert!(
            run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 11, 60).is_empty(),
            "only asked for"
        );
        assert_eq!(ledger.standings.asked().len(), 1);
        assert!(run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 12, 60).is_empty());
        assert_eq!(run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 13, 60), [(0, Part::Recording)]);
        assert!(run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 15, 60).is_empty(), "once");
        assert!(
            run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 21, 60).is_empty(),
            "only asked for"
        );
        assert_eq!(run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 23, 60), [(0, Part::Record)]);
    }

    #[test]
    fn twenty_calls_a_minute_go_and_ten_a_second_when_the_disk_is_nearly_full() {
        for (room, most) in [(Room::Enough, 20), (Room::Low, 600), (Room::Full, 600)] {
            let mut ledger = ledger(700);
            // 16 every 3 s are asked for: all of them in less than 3 minutes.
            assert!(run(&mut Keeper::new(POLICY), &mut ledger, room, 11, 180).is_empty());
            assert_eq!(ledger.standings.asked().len(), 700);
            let erased = run(&mut Keeper::new(POLICY), &mut ledger, room, 14, 60);
            assert_eq!(erased.len(), most, "{room:?}");
        }
    }

    #[test]
    fn what_was_called_off_or_held_during_its_grace_stays() {
        for what in [
            What::EraseCancelled { call: made_up::record(1).id, by: "dana".to_owned() },
            What::Held { call: made_up::record(1).id, by: "dana".to_owned(), why: "court".to_owned() },
        ] {
            let mut ledger = ledger(1);
            run(&mut Keeper::new(POLICY), &mut ledger, Room::Enough, 11, 60);
            ledger.standings.note(&Note { at: START, what });
            // Called off, it is asked for again, with a new grace.
            assert!(run(&mut Keeper::new(POLICY), &mut ledger, Room::Full, 14, 60).is_empty());
        }
    }

    #[test]
    fn what_the_upstream_has_not_waits_and_does_not_block_the_rest() {
        let policy = Policy { upstream: Upstream::Configured, ..POLICY };
        let mut ledger = ledger(40);
        let mut received = made_up::record(41);
        received.recording.state = RecordingState::Closed;
        received.sync = Sync { record_acked_rev: 2, recording_acked: true };
        ledger.put(received);
        for n in 1..=41 {
            let (call, part, by, why) =
                (made_up::record(n).id, Part::Recording, "dana".to_owned(), "x".to_owned());
            let what = What::EraseAsked { call, part, by, why, due: START };
            ledger.standings.note(&Note { at: START, what });
        }
        assert_eq!(run(&mut Keeper::new(policy), &mut ledger, Room::Enough, 14, 60).len(), 1);
        assert_eq!(ledger.standings.asked().len(), 40, "the others go when their receipts are there");
    }
}
