//! What the index knows of one call beside its record, and the rows that follow from it. Pure: a row is in the index
//! if and only if the state of its call asks for it, so whatever leads to a state leads to the same index.

use super::trees::Tree;
use crate::{
    id::{CallId, RecordingId},
    io::journal::{Kind, is_settled},
    note::Part,
    number::E164,
    record::{CallRecord, RecordingState},
    recording::retention,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of one call, as it is kept as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Number of the call; 0 while only notes of it have come.
    #[serde(default)]
    pub(super) seq: u64,
    /// Revision of the record that is in the index.
    #[serde(default)]
    pub(super) rev: u32,
    /// Milliseconds since 1970.
    #[serde(default)]
    start_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<E164>,
    /// The recording, if it is closed and there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
    /// Whether nothing that names a person is left of the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    nameless: bool,
    /// Whether a failed recording may have left a part of itself on the disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    left_behind: bool,
    /// Whether it may be erased without the upstream's receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) receipt_waived: bool,
    /// The receipt of the highest revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<Receipt>,
    /// The recording that the upstream has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<RecordingId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold: Option<Hold>,
    /// What the upstream refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) refused: BTreeMap<Part, Refused>,
    /// What is to be erased.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) asked: BTreeMap<Part, Asked>,
}

/// A recording that can be sent or erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    id: RecordingId,
    bytes: u64,
}

/// The upstream's word for a record. Of two the one for the higher revision counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) rev: u32,
    pub(super) hq_seq: u64,
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub at: WallTime,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// The upstream's last word on something it does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) at: WallTime,
    pub(super) status: u16,
    pub(super) why: String,
    /// Whether it is among the unsent ones again; not journaled, so a rebuilt index asks again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
}

/// Who wants something erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) at: WallTime,
    pub(super) by: String,
    pub(super) why: String,
    pub(super) due: WallTime,
}

impl State {
    /// Takes a record unless a higher revision is in; tells whether it did.
    pub(super) fn take(&mut self, kind: Kind, record: &CallRecord) -> bool {
        if record.rev < self.rev {
            return false;
        }
        let CallRecord { recording, .. } = record;
        let is_there = matches!(recording.state, RecordingState::Closed | RecordingState::Recovered);
        let kept = recording.id.map(|id| Kept { id, bytes: recording.bytes });
        self.seq = record.seq;
        self.rev = record.rev;
        self.start_ms = record.start_time.0;
        self.caller = record.customer_phone_number.clone();
        self.kept = kept.filter(|_| is_there && is_settled(record));
        self.nameless = kind == Kind::Erased && retention::is_erased(record);
        self.left_behind = recording.state == RecordingState::Failed && recording.path.is_some();
        self.receipt_waived &= kind != Kind::Erased;
        // What was refused was another revision, or the same before a refusal that is still to come.
        self.refused.clear();
        true
    }

    /// Writes what the upstream has confirmed into a record of this call.
    pub(super) fn confirm(&self, record: &mut CallRecord) {
        record.sync.record_acked_rev = self.receipt.map_or(0, |receipt| receipt.rev);
        record.sync.recording_acked = self.received.is_some() && self.received == record.recording.id;
    }

    /// The upstream has this revision of the record.
    pub(super) fn record_received(&mut self, receipt: Receipt) {
        self.receipt = self.receipt.max(Some(receipt));
        if receipt.rev >= self.rev {
            self.refused.remove(&Part::Record);
        }
    }

    /// The upstream has this recording.
    pub(super) fn recording_received(&mut self, recording: RecordingId) {
        self.received = Some(recording);
        self.refused.remove(&Part::Recording);
    }

    /// Milliseconds since 1970, if the record is to be sent.
    fn unsent_record(&self) -> Option<u64> {
        let is_acked = self.receipt.is_some_and(|receipt| receipt.rev >= self.rev);
        (self.seq > 0 && !is_acked && self.may_be_sent(Part::Record)).then_some(self.start_ms)
    }

    /// Its bytes, if the recording is to be sent.
    fn unsent_recording(&self) -> Option<u64> {
        let kept = self.kept.filter(|kept| self.received != Some(kept.id))?;
        self.may_be_sent(Part::Recording).then_some(kept.bytes)
    }

    fn may_be_sent(&self, part: Part) -> bool {
        self.refused.get(&part).is_none_or(|refused| refused.again)
    }

    /// Whether there is nothing left to erase.
    pub(super) fn is_erased(&self, part: Part) -> bool {
        let is_gone = self.kept.is_none() && !self.left_behind;
        match part {
            Part::Recording => is_gone,
            Part::Record => self.nameless && is_gone,
        }
    }

    /// What this call adds to the counters.
    pub(super) fn counts(&self) -> Counts {
        let (record, recording) = (self.unsent_record(), self.unsent_recording());
        Counts {
            records: u64::from(record.is_some()),
            recordings: u64::from(recording.is_some()),
            recording_bytes: recording.unwrap_or(0),
            refused: if self.seq > 0 { self.refused.len() as u64 } else { 0 },
        }
    }

    /// Key in [`Tree::ByTime`]; `None` while no record has come.
    pub(super) fn by_time(&self) -> Option<Vec<u8>> {
        (self.seq > 0).then(|| pair(self.start_ms, self.seq))
    }

    /// Every row that the state of `call` asks for, but for the state itself, the record and its brief.
    pub(super) fn rows(&self, call: CallId) -> Vec<(Tree, Vec<u8>, Vec<u8>)> {
        let (seq, start, call) = (self.seq, self.start_ms, call.to_string().into_bytes());
        let mut rows = Vec::new();
        if let Some(receipt) = self.receipt {
            rows.push((Tree::ByHqSeq, by_hq_seq(receipt.hq_seq, &call), Vec::new()));
        }
        if let Some(recording) = self.received {
            rows.push((Tree::ByRecording, recording.to_string().into_bytes(), call.clone()));
        }
        if seq == 0 {
            return rows;
        }
        if let Some(caller) = &self.caller {
            rows.push((Tree::ByCaller, by_caller(&caller.to_string(), seq), Vec::new()));
        }
        if let Some(start) = self.unsent_record() {
            rows.push((Tree::UnsentRecords, seq.to_be_bytes().to_vec(), start.to_be_bytes().to_vec()));
        }
        if self.unsent_recording().is_some() {
            rows.push((Tree::UnsentRecordings, seq.to_be_bytes().to_vec(), start.to_be_bytes().to_vec()));
        }
        for (&part, refused) in &self.refused {
            let value = [&[u8::from(refused.again)], call.as_slice()].concat();
            rows.push((Tree::Refused, timed(refused.at, seq, part), value));
        }
        if let Some(hold) = &self.hold {
            rows.push((Tree::Holds, pair(hold.at.0, seq), call.clone()));
        }
        for (&part, asked) in &self.asked {
            if self.hold.is_none() && !self.is_erased(part) {
                rows.push((Tree::Erasures, timed(asked.due, seq, part), call.clone()));
            }
        }
        rows
    }
}

/// Counters over all calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) recordings: u64,
    pub(super) recording_bytes: u64,
    pub(super) refused: u64,
}

impl Counts {
    /// The counters after one call's share `before` became `after`.
    #[must_use]
    pub(super) fn moved(self, before: Self, after: Self) -> Self {
        let moved = |sum: u64, less: u64, more: u64| sum.saturating_add(more).saturating_sub(less);
        Self {
            records: moved(self.records, before.records, after.records),
            recordings: moved(self.recordings, before.recordings, after.recordings),
            recording_bytes: moved(self.recording_bytes, before.recording_bytes, after.recording_bytes),
            refused: moved(self.refused, before.refused, after.refused),
        }
    }
}

/// Two numbers as a key that sorts by the first, then by the second.
pub(super) fn pair(first: u64, second: u64) -> Vec<u8> {
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

/// Key in [`Tree::ByCaller`]; a zero keeps +1 apart from +12.
pub(super) fn by_caller(number: &str, seq: u64) -> Vec<u8> {
    [number.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

fn by_hq_seq(hq_seq: u64, call: &[u8]) -> Vec<u8> {
    [&hq_seq.to_be_bytes(), call].concat()
}

fn timed(at: WallTime, seq: u64, part: Part) -> Vec<u8> {
    let mut key = pair(at.0, seq);
    key.push(code_of(part));
    key
}

const fn code_of(part: Part) -> u8 {
    match part {
        Part::Recording => 0,
        Part::Record => 1,
    }
}

/// The part in the last byte of a key made by [`timed`].
pub(super) fn part_of(key: &[u8]) -> Option<Part> {
    [Part::Recording, Part::Record].into_iter().find(|&part| key.last() == Some(&code_of(part)))
}
