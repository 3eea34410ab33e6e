//! Decides what is asked of the upstream next. One request is on its way at a time.
//!
//! ```text
//!            something due              Listed, Answered, Failed
//!   Free ─────────────────────► Asked ───────────────────────────► Free
//!    ▲  (list, gaps, records,     │
//!    │   sign of life, site,      └─ a failure that may pass: not before the back-off is over;
//!    │   recording: in this order)   401, 403: not before five minutes are over
//!    └─────────────────────────────────────────────────────────────────────────────────────
//! ```
//! Records go first and newest first, recordings oldest first and piece by piece, so that a record never waits for a
//! recording. Both have a back-off of their own. Facts are taken from every answer, however late or often it comes;
//! only the answer that is waited for moves the state. What has a receipt rests until the index no longer lists it.
//!
//! Neither waits for the other for ever: after a few failures of everything else recordings have their turn between two
//! tries, although the upstream is there and only takes no records; recordings that fail never delay a record.
//!
//! An upstream that was not heard of for more than a minute is asked for its gaps before anything is sent: new
//! receipts would hide that it was restored from a backup meanwhile.

mod answers;
mod failures;

use super::{
    backoff::Backoff,
    event::{Command, Event, Listing, RecordDue, RequestId},
    resting::{Resting, Why},
    upload::{Next, Upload},
    wire::{self, Gaps},
};
use crate::time::Instant;

/// A batch is sent at least so often, as a sign of life.
pub const SIGN_OF_LIFE_MS: u64 = 60_000;
/// The gap audit.
pub const AUDIT_MS: u64 = 86_400_000;
/// An audit that found something new is followed by another: the recordings of lost records are only missed once these
/// are back.
const AUDIT_AGAIN_MS: u64 = 3_600_000;
/// An audit that failed or was called for out of turn does not come earlier after another.
const AUDIT_PAUSE_MS: u64 = 600_000;
/// An upstream that was not heard of for so long is asked for its gaps first.
const SILENCE_MS: u64 = 75_000;
/// So many failures of that question, and records go without it.
const MAX_AUDIT_TRIES: u8 = 20;
/// A newer site is asked for so often.
const SITE_MS: u64 = 300_000;
/// An upstream without sites is asked again after so long.
const NO_SITE_MS: u64 = 3_600_000;
/// The index is looked at unasked so often.
const LIST_MS: u64 = 60_000;
/// It is looked at again if it has more than it listed, all of which rests.
const LIST_AGAIN_MS: u64 = 1_000;
/// A stored record and those that follow at once are sent together.
const STORED_MS: u64 = 100;
/// A box that the upstream does not know tries so often.
const UNKNOWN_BOX_MS: u64 = 300_000;
/// Refused things are tried again once a day.
const REFUSED_MS: u64 = 86_400_000;
/// A receipt that is not in the index by then was lost, and the thing is sent again.
const RECEIVED_MS: u64 = 600_000;
/// Things that fail over and over give way to others for so long.
const FAILED_MS: u64 = 300_000;
/// Records of one batch while calls are up.
const CALM_BATCH_RECORDS: usize = 20;
/// Recordings listed at once.
const LISTED_RECORDINGS: usize = 8;
/// Records and recordings listed at most, those at rest included.
const MAX_LISTED: usize = 2_000;
/// After so many failures in a row of everything else, recordings do not wait for it any more.
const MAX_TALK_FAILURES: u32 = 4;
/// A slice that a 500 answers so often is cut in halves.
const MAX_SLICE_FAILURES: u8 = 4;

/// How a site has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Random, fresh at every start.
    pub seed: u64,
    /// Whether sites are taken from the upstream.
    pub takes_sites: bool,
    /// Whether uploads rest while calls are up.
    pub pauses_in_calls: bool,
    /// Highest number among the receipts in the index.
    pub last_hq_seq: u64,
}

/// How the upstream was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contact {
    /// Not asked yet.
    #[default]
    New,
    /// The last request was answered well.
    Fine,
    /// The last requests failed.
    Failing,
    /// The upstream does not know this box (401, 403).
    UnknownBox,
}

/// What is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Job {
    Batch(Vec<RecordDue>),
    Offset,
    Piece,
    Gaps,
    Site,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Free,
    Listing,
    Asked { request: RequestId, job: Job },
}

/// Records that are sent together: a whole batch, or what is left of one that was refused.
#[derive(Clone, Debug, Default)]
struct Slice {
    records: Vec<RecordDue>,
    failures: u8,
}

/// A back-off and its end.
#[derive(Debug)]
struct Lane {
    backoff: Backoff,
    not_before: Instant,
}

impl Lane {
    const fn new(seed: u64) -> Self {
        Self { backoff: Backoff::new(seed), not_before: Instant::ZERO }
    }

    fn failed(&mut self, retry_after_ms: Option<u64>, now: Instant) {
        self.not_before = now.after_ms(self.backoff.failed(retry_after_ms));
    }

    fn works(&mut self) {
        self.backoff.reset();
        self.not_before = Instant::ZERO;
    }
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    request: RequestId,
    /// Batches, gaps and sites.
    talk: Lane,
    /// Recordings.
    uploads: Lane,
    contact: Contact,
    last_contact: Option<Instant>,
    last_error: Option<String>,
    /// Since when the upstream as a whole has failed.
    outage: Option<Instant>,
    next_list: Instant,
    next_sign: Instant,
    next_audit: Instant,
    last_audit: Option<Instant>,
    last_gaps: Gaps,
    audit_tries: u8,
    /// Something else than a look at the gaps met the upstream again after a silence.
    owes_audit: bool,
    /// Records went after a silence without that look: what their receipts hide is to be found out.
    is_blind: bool,
    next_site: Instant,
    listing: Listing,
    resting: Resting,
    /// Records to be sent, the next at the end.
    slices: Vec<Slice>,
    upload: Option<Upload>,
    calls_up: usize,
    hq_seq: u64,
}

impl Machine {
    /// A machine that has asked nothing yet.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut talk = Lane::new(settings.seed);
        // A hundred thousand boxes do not give their signs of life at the same moment.
        let phase = talk.backoff.below(SIGN_OF_LIFE_MS);
        Self {
            settings,
            state: State::Free,
            request: RequestId(0),
            talk,
            uploads: Lane::new(!settings.seed),
            contact: Contact::New,
            last_contact: None,
            last_error: None,
            outage: None,
            next_list: now,
            next_sign: now.after_ms(phase),
            next_audit: now,
            last_audit: None,
            last_gaps: Gaps::default(),
            audit_tries: 0,
            owes_audit: false,
            is_blind: false,
            next_site: now,
            listing: Listing::default(),
            resting: Resting::default(),
            slices: Vec::new(),
            upload: None,
            calls_up: 0,
            hq_seq: settings.last_hq_seq,
        }
    }

    /// Something happened; what is to be done goes to `out`.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Listed(listing) => self.listed(listing, now),
            Event::Stored => self.next_list = self.next_list.min(now.after_ms(STORED_MS)),
            Event::SyncNow => self.sync_now(now),
            Event::CallsUp(calls) => self.calls_up = calls,
            Event::Answered(request, answer) => self.answered(request, answer, now, out),
            Event::Failed(request, failure) => self.failed(request, failure, now, out),
            Event::Deadline => {}
        }
        self.go_on(now, out);
    }

    /// When [`Event::Deadline`] is to come; `None` while an answer is awaited.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.state != State::Free {
            return None;
        }
        let mut talk = self.next_audit.min(self.next_sign);
        if self.settings.takes_sites {
            talk = talk.min(self.next_site);
        }
        let at = self.talk.not_before;
        let is_due = |due: &RecordDue| !self.resting.holds((*due).into(), at);
        if self.outage.is_some() || !self.slices.is_empty() || self.listing.records.iter().any(is_due) {
            talk = at;
        }
        let uploads = self.may_upload().then_some(self.uploads.not_before);
        uploads.into_iter().chain(self.resting.next()).chain([talk.max(at), self.next_list]).min()
    }

    /// How the upstream was met.
    #[must_use]
    pub const fn contact(&self) -> Contact {
        self.contact
    }

    /// When it last answered well.
    #[must_use]
    pub const fn last_contact(&self) -> Option<Instant> {
        self.last_contact
    }

    /// What was wrong the last time, while it is.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Failures in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.talk.backoff.failures()
    }

    /// Whether records or a recording are on their way.
    #[must_use]
    pub const fn is_sending(&self) -> bool {
        match &self.state {
            State::Asked { job: Job::Batch(records), .. } => !records.is_empty(),
            State::Asked { job: Job::Piece | Job::Offset, .. } => true,
            State::Asked { job: Job::Gaps | Job::Site, .. } | State::Free | State::Listing => false,
        }
    }

    fn listed(&mut self, listing: Listing, now: Instant) {
        if self.state == State::Listing {
            self.state = State::Free;
        }
        self.resting.prune(&listing, now);
        self.listing = listing;
        // The rest of a refused batch stays cut as it is; what was settled meanwhile drops out.
        for slice in &mut self.slices {
            slice.records.retain(|record| self.listing.records.contains(record));
        }
        self.slices.retain(|slice| !slice.records.is_empty());
        if let Some(upload) = self.upload
            && !self.listing.recordings.iter().any(|due| due.recording == upload.due.recording)
            && self.listing.all_recordings
        {
            self.upload = None;
        }
        let listing = &self.listing;
        let no_records = listing.records.iter().all(|&due| self.resting.holds(due.into(), now));
        let no_recordings = listing.recordings.iter().all(|&due| self.resting.holds(due.into(), now));
        // More than was listed, and all that was listed rests: the index is about to be told.
        let hides_some = (no_records && !listing.all_records) || (no_recordings && !listing.all_recordings);
        self.next_list = now.after_ms(if hides_some { LIST_AGAIN_MS } else { LIST_MS });
    }

    fn sync_now(&mut self, now: Instant) {
        (self.talk.not_before, self.uploads.not_before) = (now, now);
        (self.next_list, self.next_sign) = (now, now);
        self.resting.wake(Why::Refused);
        self.resting.wake(Why::Failed);
    }

    /// Asks the next thing, if it is time for one.
    fn go_on(&mut self, now: Instant, out: &mut Vec<Command>) {
        if self.state != State::Free {
            return;
        }
        if now >= self.next_list || self.resting.next().is_some_and(|at| now >= at) {
            self.state = State::Listing;
            let room = |wanted: usize| (wanted + self.resting.len()).min(MAX_LISTED);
            let (records, recordings) = (room(wire::MAX_BATCH_RECORDS), room(LISTED_RECORDINGS));
            out.push(Command::List { records, recordings });
            return;
        }
        let has_asked = now >= self.talk.not_before && self.talk(now, out);
        if !has_asked && self.may_upload() && now >= self.uploads.not_before {
            self.bring_recording(now, out);
        }
    }

    /// Asks what is not a recording; false if there is nothing.
    fn talk(&mut self, now: Instant, out: &mut Vec<Command>) -> bool {
        let is_first = self.owes_audit || self.is_silent(now);
        if now >= self.next_audit || (is_first && self.audit_tries < MAX_AUDIT_TRIES) {
            let calls = self.listing.last_call;
            self.ask(Job::Gaps, out, |request| Command::AskGaps { request, calls });
            return true;
        }
        self.cut_slice(now);
        let records = self.slices.last().map_or_else(Vec::new, |slice| slice.records.clone());
        if !records.is_empty() || now >= self.next_sign || self.outage.is_some() {
            self.next_sign = now.after_ms(SIGN_OF_LIFE_MS);
            self.is_blind |= is_first && !records.is_empty();
            self.ask(Job::Batch(records.clone()), out, |request| Command::SendBatch { request, records });
            return true;
        }
        if self.settings.takes_sites && now >= self.next_site {
            self.next_site = now.after_ms(SITE_MS);
            self.ask(Job::Site, out, |request| Command::AskSite { request });
            return true;
        }
        false
    }

    /// Without anything to send, takes the newest records that do not rest.
    fn cut_slice(&mut self, now: Instant) {
        if !self.slices.is_empty() {
            return;
        }
        let most = if self.calls_up == 0 { wire::MAX_BATCH_RECORDS } else { CALM_BATCH_RECORDS };
        let due = self.listing.records.iter().filter(|&&due| !self.resting.holds(due.into(), now));
        let records: Vec<RecordDue> = due.take(most).copied().collect();
        if !records.is_empty() {
            self.slices.push(Slice { records, failures: 0 });
        }
    }

    /// Whether recordings may go now, as far as anything but time says.
    fn may_upload(&self) -> bool {
        let is_held_up = self.settings.pauses_in_calls && self.calls_up > 0;
        let is_there = self.upload.is_some() || !self.listing.recordings.is_empty();
        let has_turn = match self.contact {
            Contact::Fine => true,
            Contact::New | Contact::Failing => self.talk.backoff.failures() >= MAX_TALK_FAILURES,
            Contact::UnknownBox => false,
        };
        is_there && !is_held_up && self.outage.is_none() && has_turn
    }

    fn bring_recording(&mut self, now: Instant, out: &mut Vec<Command>) {
        let due = self.listing.recordings.iter().find(|&&due| !self.resting.holds(due.into(), now));
        let Some(upload) = self.upload.or(due.copied().map(Upload::new)) else {
            // All that is listed rests. The listing may be looked at again then.
            self.listing.recordings.clear();
            return;
        };
        self.upload = Some(upload);
        let recording = upload.due;
        match upload.next(self.calls_up) {
            Next::Ask => {
                self.ask(Job::Offset, out, |request| Command::AskOffset { request, recording });
            }
            Next::Piece { offset, length } => {
                self.ask(Job::Piece, out, |request| Command::Upload { request, recording, offset, length })
            }
        }
    }

    fn ask(&mut self, job: Job, out: &mut Vec<Command>, command: impl FnOnce(RequestId) -> Command) {
        self.request.0 += 1;
        self.state = State::Asked { request: self.request, job };
        out.push(command(self.request));
    }

    /// The job of this request, if it is the one that is waited for.
    fn take_job(&mut self, request: RequestId) -> Option<Job> {
        match &self.state {
            State::Asked { request: awaited, .. } if *awaited == request => {}
            State::Free | State::Listing | State::Asked { .. } => return None,
        }
        match std::mem::replace(&mut self.state, State::Free) {
            State::Asked { job, .. } => Some(job),
            State::Free | State::Listing => None,
        }
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.last_contact.is_none_or(|at| now.ms_since(at) >= SILENCE_MS)
    }

    /// The upstream answered well about a recording, which says nothing of records.
    fn met_by_recording(&mut self, now: Instant) {
        self.owes_audit |= self.is_silent(now);
        self.last_contact = Some(now);
    }

    /// The upstream answered well.
    fn met(&mut self, now: Instant) {
        self.talk.works();
        self.owes_audit |= self.is_silent(now);
        (self.contact, self.last_contact, self.last_error) = (Contact::Fine, Some(now), None);
    }
}
