//! A box and its upstream as far as syncing goes, in virtual time.

use crate::dice::Dice;
use ringside::{
    id::{CallId, RecordingId},
    note::What,
    sync::{
        event::{Answer, Command, Event, Failure, Listing, Received, RecordDue, RecordingDue, RequestId},
        machine::{Machine, Settings},
        wire::{Gaps, MIN_PIECE_BYTES},
    },
    time::{Instant, WallTime},
};
use std::collections::{BTreeMap, BTreeSet};

/// How the upstream does: every chance in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) unreachable: u64,
    pub(crate) hangs: u64,
    pub(crate) answer_lost: u64,
    pub(crate) error_500: u64,
    pub(crate) busy_429: u64,
    pub(crate) answers_twice: u64,
    pub(crate) note_lost: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// Revision and number of each call's record.
    pub(crate) records: BTreeMap<u64, (u32, u64)>,
    /// Bytes of each recording that is whole.
    pub(crate) recordings: BTreeMap<RecordingId, u64>,
    partial: BTreeMap<RecordingId, u64>,
}

pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    /// Time in µs.
    pub(crate) now: u64,
    pub(crate) upstream: Upstream,
    hq_seq: u64,
    /// Revision and bytes of the recording of each call, by its number.
    pub(crate) calls: BTreeMap<u64, (u32, u64)>,
    received: BTreeMap<u64, (u32, u64)>,
    recordings_received: BTreeSet<u64>,
    /// Notes on their way into the index.
    notes: Vec<(u64, What)>,
    pub(crate) down_until: u64,
    /// Until then everything but recordings, or recordings only, are answered with 500.
    pub(crate) records_break_until: u64,
    pub(crate) recordings_break_until: u64,
    pub(crate) requests: u64,
    pub(crate) turns: u64,
    last_answer: Option<(RequestId, Answer)>,
}

pub(crate) fn call_id(seq: u64) -> CallId {
    CallId::from_parts(WallTime(seq), 1)
}

pub(crate) fn recording_id(seq: u64) -> RecordingId {
    RecordingId::from_parts(WallTime(seq), 2)
}

fn seq_of(call: CallId, calls: &BTreeMap<u64, (u32, u64)>) -> u64 {
    *calls.keys().find(|&&seq| call_id(seq) == call).expect("a call of ours")
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let settings =
            Settings { seed, takes_sites: seed.is_multiple_of(2), pauses_in_calls: false, last_hq_seq: 0 };
        Self {
            machine: Machine::new(settings, Instant::ZERO),
            dice: Dice(seed),
            weather: Weather::default(),
            now: 0,
            upstream: Upstream::default(),
            hq_seq: 0,
            calls: BTreeMap::new(),
            received: BTreeMap::new(),
            recordings_received: BTreeSet::new(),
            notes: Vec::new(),
            down_until: 0,
            records_break_until: 0,
            recordings_break_until: 0,
            requests: 0,
            turns: 0,
            last_answer: None,
        }
    }

    /// A call is over, or its record has a new revision.
    pub(crate) fn store(&mut self, seq: u64, recording_bytes: u64) {
        let call = self.calls.entry(seq).or_insert((0, recording_bytes));
        call.0 += 1;
        self.give(Event::Stored);
    }

    /// The upstream is set back to what it was, after it has been away.
    pub(crate) fn restore(&mut self, backup: Upstream) {
        self.upstream = backup;
        self.down_until = self.now + 90_000_000 + self.dice.below(600_000_000);
    }

    /// Whether the upstream has everything, in its newest revision.
    pub(crate) fn is_level(&self) -> bool {
        self.calls.iter().all(|(seq, (rev, bytes))| {
            self.upstream.records.get(seq).is_some_and(|(there, _)| there == rev)
                && (*bytes == 0 || self.upstream.recordings.get(&recording_id(*seq)) == Some(bytes))
        })
    }

    /// Lets time pass until `end` in µs, or until nothing is left to be done before.
    pub(crate) fn run_until(&mut self, end: u64) {
        loop {
            let deadline = self.machine.deadline().expect("answers come at once here").0.max(self.now);
            let note = self.notes.iter().map(|(at, _)| *at).min().unwrap_or(u64::MAX);
            let next = deadline.min(note);
            if next > end {
                self.now = self.now.max(end);
                return;
            }
            self.now = self.now.max(next);
            self.apply_notes();
            if deadline <= self.now {
                self.give(Event::Deadline);
            }
        }
    }

    pub(crate) fn give(&mut self, event: Event) {
        let mut events = vec![event];
        while !events.is_empty() {
            let event = events.remove(0);
            self.turns += 1;
            let mut out = Vec::new();
            self.machine.handle(event, Instant(self.now), &mut out);
            for command in out {
                self.perform(command, &mut events);
            }
        }
    }

    fn perform(&mut self, command: Command, events: &mut Vec<Event>) {
        let (request, answer) = match command {
            Command::List { records, recordings } => {
                events.push(Event::Listed(self.list(records, recordings)));
                return;
            }
            Command::Note(what) => {
                // Only a receipt may be lost: what it was for is sent again. Notes keep their order.
                let may_be_lost = !matches!(what, What::UpstreamLost { .. });
                if !(may_be_lost && self.dice.below(100) < self.weather.note_lost) {
                    let before = self.notes.last().map_or(0, |(at, _)| *at);
                    self.notes.push((before.max(self.now + self.dice.below(3_000_000)), what));
                }
                return;
            }
            Command::SendBatch { request, .. }
            | Command::AskOffset { request, .. }
            | Command::Upload { request, .. }
            | Command::AskGaps { request, .. }
            | Command::AskSite { request } => (request, command),
        };
        self.requests += 1;
        self.now += 5_000 + self.dice.below(50_000);
        events.extend(self.ask(request, &answer));
        if let Some((request, answer)) = &self.last_answer
            && self.dice.below(100) < self.weather.answers_twice
        {
            // Late, and once more.
            events.push(Event::Answered(*request, answer.clone()));
        }
    }

    fn ask(&mut self, request: RequestId, command: &Command) -> Option<Event> {
        let status = |status, retry_after_ms| {
            let why = "storm".to_owned();
            Some(Event::Failed(request, Failure::Status { status, retry_after_ms, offset: None, why }))
        };
        let roll = |dice: &mut Dice, chance: u64| dice.below(100) < chance;
        if self.now < self.down_until || roll(&mut self.dice, self.weather.unreachable) {
            return Some(Event::Failed(request, Failure::Unreachable("refused".to_owned())));
        }
        if roll(&mut self.dice, self.weather.hangs) {
            self.now += 30_000_000;
            return Some(Event::Failed(request, Failure::Network("no answer".to_owned())));
        }
        if roll(&mut self.dice, self.weather.busy_429) {
            return status(429, Some(self.dice.below(60_000)));
        }
        let is_recording = matches!(command, Command::AskOffset { .. } | Command::Upload { .. });
        let broken = if is_recording { self.recordings_break_until } else { self.records_break_until };
        if self.now < broken || roll(&mut self.dice, self.weather.error_500) {
            return status(500, None);
        }
        let answered = self.answer(command);
        if roll(&mut self.dice, self.weather.answer_lost) {
            return Some(Event::Failed(request, Failure::Network("cut".to_owned())));
        }
        Some(match answered {
            Ok(answer) => {
                self.last_answer = Some((request, answer.clone()));
                Event::Answered(request, answer)
            }
            Err(failure) => Event::Failed(request, failure),
        })
    }

    fn answer(&mut self, command: &Command) -> Result<Answer, Failure> {
        match command {
            Command::SendBatch { records, .. } => {
                let received = records.iter().map(|&due| self.take_record(due)).collect();
                Ok(Answer::Batch { received, refused: Vec::new() })
            }
            Command::AskOffset { recording, .. } => {
                let whole = self.upstream.recordings.get(&recording.recording);
                let part = self.upstream.partial.get(&recording.recording);
                Ok(Answer::Offset(*whole.or(part).unwrap_or(&0)))
            }
            Command::Upload { recording, offset, length, .. } => {
                self.take_piece(*recording, *offset, *length)
            }
            Command::AskGaps { calls, .. } => Ok(Answer::Gaps(self.gaps(*calls))),
            Command::AskSite { .. } => Ok(Answer::Site),
            Command::List { .. } | Command::Note(_) => unreachable!("no request"),
        }
    }

    fn take_record(&mut self, due: RecordDue) -> Received {
        let there = self.upstream.records.entry(due.seq).or_insert((0, 0));
        if there.0 < due.rev {
            self.hq_seq += 1;
            *there = (due.rev, self.hq_seq);
        }
        Received { due, hash: "h".to_owned(), hq_seq: there.1 }
    }

    fn take_piece(&mut self, due: RecordingDue, offset: u64, length: u64) -> Result<Answer, Failure> {
        let RecordingDue { recording, call, bytes, .. } = due;
        let receipt = Answer::Recording { call, recording, hash: "h".to_owned() };
        if self.upstream.recordings.contains_key(&recording) {
            return Ok(receipt);
        }
        let there = self.upstream.partial.entry(recording).or_insert(0);
        if *there != offset {
            let (status, offset) = (409, Some(*there));
            return Err(Failure::Status { status, retry_after_ms: None, offset, why: String::new() });
        }
        let end = offset + length;
        assert!(
            length > 0 && (end == bytes || length >= MIN_PIECE_BYTES as u64),
            "a piece of {length} bytes"
        );
        if end < bytes {
            *there = end;
            return Ok(Answer::Piece(end));
        }
        if self.dice.below(100) < self.weather.error_500 {
            // The last piece came, and its store did not make it whole: it has to come again.
            let (status, retry_after_ms, offset) = (503, None, None);
            return Err(Failure::Status { status, retry_after_ms, offset, why: String::new() });
        }
        self.upstream.partial.remove(&recording);
        self.upstream.recordings.insert(recording, bytes);
        Ok(receipt)
    }

    fn gaps(&self, calls: u64) -> Gaps {
        let missing = (1..=calls).filter(|seq| !self.upstream.records.contains_key(seq));
        let spoken_of = self.upstream.records.keys().filter(|seq| self.calls[seq].1 > 0);
        let absent = spoken_of.map(|&seq| recording_id(seq));
        Gaps {
            calls: missing.map(|seq| [seq, seq]).take(1_000).collect(),
            recordings: absent.filter(|id| !self.upstream.recordings.contains_key(id)).take(1_000).collect(),
            last_hq_seq: self.upstream.records.values().map(|(_, hq_seq)| *hq_seq).max().unwrap_or(0),
        }
    }

    fn list(&self, records: usize, recordings: usize) -> Listing {
        let is_unsent = |seq: &u64, rev: u32| self.received.get(seq).is_none_or(|(there, _)| *there < rev);
        let unsent = self.calls.iter().rev().filter(|(seq, (rev, _))| is_unsent(seq, *rev));
        let due: Vec<RecordDue> = unsent
            .map(|(&seq, &(rev, _))| RecordDue { seq, call: call_id(seq), rev })
            .take(records + 1)
            .collect();
        let unheard = |seq: &u64, bytes: u64| bytes > 0 && !self.recordings_received.contains(seq);
        let waiting = self.calls.iter().filter(|(seq, (_, bytes))| unheard(seq, *bytes));
        let due_recordings: Vec<RecordingDue> = waiting
            .map(|(&seq, &(_, bytes))| RecordingDue {
                seq,
                call: call_id(seq),
                recording: recording_id(seq),
                bytes,
            })
            .take(recordings + 1)
            .collect();
        Listing {
            all_records: due.len() <= records,
            records: due.into_iter().take(records).collect(),
            all_recordings: due_recordings.len() <= recordings,
            recordings: due_recordings.into_iter().take(recordings).collect(),
            last_call: self.calls.keys().next_back().copied().unwrap_or(0),
        }
    }

    fn apply_notes(&mut self) {
        let now = self.now;
        let (ripe, rest) = std::mem::take(&mut self.notes).into_iter().partition(|(at, _)| *at <= now);
        self.notes = rest;
        for (_, what) in ripe {
            match what {
                What::RecordReceived { call, rev, hq_seq, .. } => {
                    let there = self.received.entry(seq_of(call, &self.calls)).or_insert((0, 0));
                    if there.0 <= rev {
                        *there = (rev, hq_seq);
                    }
                }
                What::RecordingReceived { call, .. } => {
                    self.recordings_received.insert(seq_of(call, &self.calls));
                }
                What::UpstreamLost { above_hq_seq, calls, recordings } => {
                    let is_lost = |seq: u64, hq_seq: u64| {
                        above_hq_seq.is_some_and(|above| hq_seq > above)
                            || calls.iter().any(|[first, last]| (*first..=*last).contains(&seq))
                    };
                    self.received.retain(|seq, (_, hq_seq)| !is_lost(*seq, *hq_seq));
                    self.recordings_received.retain(|seq| !recordings.contains(&recording_id(*seq)));
                }
                What::Refused { .. } => panic!("nothing is refused here"),
                _ => {}
            }
        }
    }
}
