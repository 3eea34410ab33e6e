//! What the machine makes of requests that were not done.

use super::{
    AUDIT_MS, AUDIT_PAUSE_MS, Contact, FAILED_MS, Job, MAX_AUDIT_TRIES, MAX_SLICE_FAILURES, Machine,
    NO_SITE_MS, Slice, UNKNOWN_BOX_MS, Why,
};
use crate::{
    sync::event::{Command, Failure, RecordDue, RequestId},
    time::Instant,
};

/// An interrupted upload is looked at again after so long, should no call be up any more.
const PAUSED_MS: u64 = 1_000;

impl Machine {
    pub(super) fn failed(
        &mut self,
        request: RequestId,
        failure: Failure,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(job) = self.take_job(request) else { return };
        if let Some(error) = words(&failure) {
            self.last_error = Some(error);
        }
        match (&failure, job) {
            (Failure::File(why), _) => self.refuse_recording(0, why, now, out),
            (Failure::Paused, _) => {
                if let Some(upload) = &mut self.upload {
                    upload.interrupted();
                }
                self.uploads.not_before = now.after_ms(PAUSED_MS);
            }
            (Failure::Status { status: 401 | 403, .. }, _) => {
                self.contact = Contact::UnknownBox;
                self.talk.not_before = now.after_ms(UNKNOWN_BOX_MS);
                if let Some(upload) = &mut self.upload {
                    upload.interrupted();
                }
            }
            (failure, Job::Offset | Job::Piece) => self.upload_failed(failure, now, out),
            (failure, Job::Batch(records)) => self.batch_failed(failure, &records, now, out),
            (failure, job @ (Job::Gaps | Job::Site)) => self.question_failed(failure, &job, now),
        }
    }

    fn batch_failed(
        &mut self,
        failure: &Failure,
        records: &[RecordDue],
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        self.talk.failed(failure.retry_after_ms(), now);
        if !failure.is_refusal() {
            self.contact = Contact::Failing;
        }
        if failure.is_whole_upstream() {
            self.outage.get_or_insert(now);
            return;
        }
        let Some(slice) = self.slices.last_mut() else { return };
        if !failure.is_refusal() {
            slice.failures += 1;
            if slice.failures < MAX_SLICE_FAILURES {
                return;
            }
        }
        match records {
            // A sign of life: the slice, if there is one, was not sent.
            [] => {}
            &[record] => {
                self.slices.pop();
                match failure {
                    Failure::Status { status, why, .. } if failure.is_refusal() => {
                        self.refuse_record(record, *status, why, now, out);
                    }
                    _ => self.resting.insert(record.into(), now.after_ms(FAILED_MS), Why::Failed),
                }
            }
            many => {
                self.slices.pop();
                let (newer, older) = many.split_at(many.len() / 2);
                for half in [older, newer] {
                    self.slices.push(Slice { records: half.to_vec(), failures: 0 });
                }
            }
        }
    }

    fn upload_failed(&mut self, failure: &Failure, now: Instant, out: &mut Vec<Command>) {
        let Some(upload) = &mut self.upload else { return };
        match failure {
            Failure::Status { status: 409, offset, .. } if upload.conflict(*offset) => {}
            Failure::Status { status: 422, .. } if upload.restart() => self.uploads.failed(None, now),
            Failure::Status { status, why, .. } if failure.is_refusal() => {
                self.uploads.failed(None, now);
                if *status == 409 {
                    return self.set_recording_aside(now);
                }
                self.refuse_recording(*status, why, now, out);
            }
            _ => {
                self.uploads.failed(failure.retry_after_ms(), now);
                if !upload.failed() {
                    self.set_recording_aside(now);
                }
            }
        }
    }

    /// Neither gaps nor sites hold up records for long.
    fn question_failed(&mut self, failure: &Failure, job: &Job, now: Instant) {
        let is_gaps = *job == Job::Gaps;
        if failure.is_refusal() {
            // This upstream does not have that.
            self.outage = None;
            if is_gaps {
                self.audit_tries = MAX_AUDIT_TRIES;
                self.next_audit = now.after_ms(AUDIT_MS);
            } else {
                self.next_site = now.after_ms(NO_SITE_MS);
            }
            return;
        }
        self.talk.failed(failure.retry_after_ms(), now);
        if failure.is_whole_upstream() {
            self.contact = Contact::Failing;
            self.outage.get_or_insert(now);
        } else if is_gaps {
            self.audit_tries = self.audit_tries.saturating_add(1);
            self.next_audit = now.after_ms(AUDIT_PAUSE_MS);
        }
    }
}

impl Failure {
    /// Whether the thing itself is refused: a 4xx that does not pass.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 400..=499, .. })
            && !matches!(self, Self::Status { status: 401 | 403 | 408 | 425 | 429, .. })
    }

    /// Whether nothing else would have been answered either.
    const fn is_whole_upstream(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Status { status: 408 | 425 | 429 | 502 | 503 | 504, .. })
    }

    const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after_ms, .. } => *retry_after_ms,
            Self::Unreachable(_) | Self::Network(_) | Self::File(_) | Self::Paused => None,
        }
    }
}

fn words(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Unreachable(why) | Failure::Network(why) | Failure::File(why) => Some(why.clone()),
        Failure::Status { status, why, .. } => Some(format!("{status} {why}").trim_end().to_owned()),
        Failure::Paused => None,
    }
}
