//! How long recordings and records are kept, and what may be erased when.
//!
//! In two steps: a note asks, and once its grace is over the files go and the record says so. Three things are never
//! erased, whoever asks: a call that is not over, a call under a legal hold, and, with an upstream, anything of which
//! the upstream has not confirmed both record and recording.

use super::standing::{Asked, Standing};
use crate::{
    id::CallId,
    note::{BY_RETENTION, Note, Part, What},
    record::{CallRecord, ClockState, Ended, RecordingState},
    time::WallTime,
};

/// The mark on a record of which only what names nobody is left.
pub const ERASED: &str = "record_erased";

const DAY_MS: u64 = 86_400_000;
/// 2020-01-01: a call before that came in on a clock that nothing had set.
const SANE: WallTime = WallTime(1_577_836_800_000);

/// How long things are kept. 0 days are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Days that a recording is kept.
    pub recordings_days: u32,
    /// Days that the record of an answered call is kept.
    pub records_days: u32,
    /// Days that the record of a call that nobody answered is kept.
    pub missed_days: u32,
    /// Days between asking and erasing; 0 are none.
    pub grace_days: u32,
    /// Whether an upstream has to confirm first.
    pub upstream: Upstream,
}

/// Whether records and recordings are sent somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// This box has the only copy: age decides.
    None,
    /// Nothing goes without its receipt.
    Configured,
}

/// Keeps everything.
impl Default for Policy {
    fn default() -> Self {
        let upstream = Upstream::None;
        Self { recordings_days: 0, records_days: 0, missed_days: 0, grace_days: 7, upstream }
    }
}

impl Policy {
    /// When an erasure is due that is asked for at `now`.
    #[must_use]
    pub fn due(&self, now: WallTime) -> WallTime {
        WallTime(now.0.saturating_add(u64::from(self.grace_days) * DAY_MS))
    }

    /// Calls that came in before this may be old enough for something; `None` if nothing ever is.
    #[must_use]
    pub fn oldest_kept(&self, now: WallTime) -> Option<WallTime> {
        let days = [self.recordings_days, self.records_days, self.missed_days];
        let least = days.into_iter().filter(|&days| days > 0).min()?;
        Some(WallTime(now.0.saturating_sub(u64::from(least) * DAY_MS)))
    }

    fn record_days(&self, record: &CallRecord) -> u32 {
        if record.answered { self.records_days } else { self.missed_days }
    }
}

/// Why something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The call, or its recording, is not over.
    Open,
    /// A legal hold.
    Held,
    /// Its erasure was asked for already.
    Asked,
    /// The upstream has not confirmed record and recording.
    NotReceived,
    /// Its time has not come, or never does.
    InTime,
    /// Its clock was not set when the call came in: how old it is, nobody knows.
    AgeUnknown,
    /// There is nothing left to erase.
    Gone,
}

impl Kept {
    /// The reason for a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Open => "the call is not over",
            Self::Held => "it is under a legal hold; release it first",
            Self::Asked => "its erasure was asked for already",
            Self::NotReceived => "the upstream has not confirmed it",
            Self::InTime => "its time has not come",
            Self::AgeUnknown => "the clock was not set when it came in",
            Self::Gone => "there is nothing left to erase",
        }
    }
}

/// What retention wants of a call: a part and why.
///
/// # Errors
/// Why it wants nothing.
pub fn wanted(
    record: &CallRecord,
    standing: &Standing,
    policy: &Policy,
    now: WallTime,
) -> Result<(Part, String), Kept> {
    if standing.asked.is_some() {
        return Err(Kept::Asked);
    }
    let unset = record.clock.as_ref().is_some_and(|clock| clock.state == ClockState::Unsynced);
    if unset || record.start_time < SANE || now < SANE {
        return Err(Kept::AgeUnknown);
    }
    let age_ms = now.0.saturating_sub(record.start_time.0);
    let is_old = |days: u32| days > 0 && age_ms >= u64::from(days) * DAY_MS;
    let record_days = policy.record_days(record);
    let (part, days) = if is_old(record_days) && may_ask(record, standing, Part::Record).is_ok() {
        (Part::Record, record_days)
    } else if is_old(policy.recordings_days) {
        (Part::Recording, policy.recordings_days)
    } else {
        return Err(Kept::InTime);
    };
    may_erase(record, standing, part, policy)?;
    Ok((part, format!("older than {days} days")))
}

/// Whether a part may be asked for: it is there, the call is over, and nobody holds it.
///
/// # Errors
/// Why not.
pub fn may_ask(record: &CallRecord, standing: &Standing, part: Part) -> Result<(), Kept> {
    let is_open = record.outcome.ended == Ended::InProgress;
    if is_open || record.recording.state == RecordingState::Writing {
        return Err(Kept::Open);
    }
    if standing.held.is_some() {
        return Err(Kept::Held);
    }
    let is_there = match part {
        Part::Recording => has_audio(record),
        Part::Record => !is_erased(record),
    };
    if is_there { Ok(()) } else { Err(Kept::Gone) }
}

/// Whether a part may go now, if its time has come.
///
/// # Errors
/// Why not.
pub fn may_erase(record: &CallRecord, standing: &Standing, part: Part, policy: &Policy) -> Result<(), Kept> {
    may_ask(record, standing, part)?;
    match policy.upstream {
        Upstream::None => Ok(()),
        Upstream::Configured if is_received(record) || standing.receipt_waived => Ok(()),
        Upstream::Configured => Err(Kept::NotReceived),
    }
}

/// Both receipts: the record at its present revision, and the recording if there is one.
fn is_received(record: &CallRecord) -> bool {
    record.sync.record_acked_rev >= record.rev && (record.sync.recording_acked || !has_audio(record))
}

/// Whether the record says that there is a file with audio.
#[must_use]
pub fn has_audio(record: &CallRecord) -> bool {
    // A failed recording may have left a part of itself behind.
    let recording = &record.recording;
    match recording.state {
        RecordingState::Closed | RecordingState::Recovered => true,
        RecordingState::Failed => recording.path.is_some(),
        RecordingState::None | RecordingState::Writing | RecordingState::Erased => false,
    }
}

/// Whether nothing that names a person is left of a record.
#[must_use]
pub fn is_erased(record: &CallRecord) -> bool {
    record.attribution.warnings.iter().any(|warning| warning == ERASED)
}

/// The note with which retention asks.
#[must_use]
pub fn ask(call: CallId, (part, why): (Part, String), policy: &Policy, now: WallTime) -> Note {
    let due = policy.due(now);
    Note { at: now, what: What::EraseAsked { call, part, by: BY_RETENTION.to_owned(), why, due } }
}

/// The record as it is left, as its next revision.
#[must_use]
pub fn erased(record: &CallRecord, asked: &Asked) -> CallRecord {
    let mut left = record.clone();
    left.rev += 1;
    if has_audio(record) {
        let recording = &mut left.recording;
        recording.state = RecordingState::Erased;
        recording.path = None;
        recording.why_none = Some(match asked.by.as_str() {
            BY_RETENTION => BY_RETENTION.to_owned(),
            by => format!("asked by {by}"),
        });
    }
    if asked.part == Part::Record {
        left.customer_phone_number = None;
        left.customer_name = None;
        left.verstat = None;
        left.attribution.diversion.clear();
        left.route.clear();
        left.sip_call_id.clear();
        let handling = &mut left.handling;
        (handling.customer, handling.job, handling.note, handling.prior_calls) = (None, None, None, None);
        handling.tags.clear();
        left.attribution.warnings.push(ERASED.to_owned());
    }
    left
}

/// When the next part of a call goes by its age, if nothing stands in the way: not before this.
#[must_use]
pub fn kept_until(record: &CallRecord, policy: &Policy) -> Option<(Part, WallTime)> {
    let nothing = Standing::default();
    let parts = [(Part::Recording, policy.recordings_days), (Part::Record, policy.record_days(record))];
    let times = parts.into_iter().filter(|&(part, days)| {
        days > 0 && record.start_time >= SANE && may_ask(record, &nothing, part).is_ok()
    });
    let until = |(part, days): (Part, u32)| {
        let days = u64::from(days) + u64::from(policy.grace_days);
        (part, WallTime(record.start_time.0.saturating_add(days * DAY_MS)))
    };
    times.map(until).min_by_key(|&(_, at)| at)
}

#[cfg(test)]
mod tests;
