//! What the machine makes of answers.

use super::{
    AUDIT_AGAIN_MS, AUDIT_MS, AUDIT_PAUSE_MS, FAILED_MS, Job, LIST_AGAIN_MS, Machine, RECEIVED_MS,
    REFUSED_MS, Why,
};
use crate::{
    note::{Part, What},
    sync::{
        event::{Answer, Command, Received, RecordDue, RecordingDue, RequestId},
        resting::Key,
        wire::Gaps,
    },
    time::Instant,
};

/// Characters of a refusal that are kept.
const MAX_WHY: usize = 200;
/// Status of a refusal that stands in the answer to a batch (RFC 9110 15.5.21).
const UNPROCESSABLE: u16 = 422;

impl Machine {
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        answer: Answer,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let job = self.take_job(request);
        match answer {
            Answer::Batch { received, refused } => {
                let progress = !received.is_empty() || !refused.is_empty();
                self.take_receipts(received, now, out);
                for (due, why) in refused {
                    self.refuse_record(due, UNPROCESSABLE, &why, now, out);
                }
                if let Some(Job::Batch(sent)) = job {
                    self.batch_done(&sent, progress, now);
                }
            }
            Answer::Recording { call, recording, hash } => {
                self.recording_received((call, recording, hash), job.is_some(), now, out);
            }
            Answer::Offset(offset) if job == Some(Job::Offset) => self.recording_there(offset, now),
            Answer::Piece(offset) if job == Some(Job::Piece) => {
                self.uploads.works();
                self.recording_there(offset, now);
            }
            Answer::Gaps(gaps) if job == Some(Job::Gaps) => self.gaps(gaps, now, out),
            Answer::Site if job == Some(Job::Site) => self.met(now),
            // Late: where a recording stood then is not where it stands now, and gaps may be filled.
            Answer::Offset(_) | Answer::Piece(_) | Answer::Gaps(_) | Answer::Site => {}
        }
    }

    fn take_receipts(&mut self, received: Vec<Received>, now: Instant, out: &mut Vec<Command>) {
        let highest = received.iter().map(|receipt| receipt.hq_seq).max();
        for Received { due, hash, hq_seq } in received {
            if self.resting.is_received(due.into()) {
                continue;
            }
            self.resting.insert(due.into(), now.after_ms(RECEIVED_MS), Why::Received);
            out.push(Command::Note(What::RecordReceived { call: due.call, rev: due.rev, hash, hq_seq }));
        }
        let Some(highest) = highest else { return };
        if highest < self.hq_seq {
            // Either it had these already, or it has forgotten what it had: its gaps tell.
            let earliest = self.last_audit.map_or(now, |last| last.after_ms(AUDIT_PAUSE_MS));
            self.next_audit = self.next_audit.min(earliest.max(now));
        }
        self.hq_seq = self.hq_seq.max(highest);
    }

    fn batch_done(&mut self, sent: &[RecordDue], progress: bool, now: Instant) {
        let is_sign_of_life = sent.is_empty();
        if !is_sign_of_life {
            self.slices.pop();
            for &due in sent {
                // Neither received nor refused: others get their turn.
                if !self.resting.holds(due.into(), now) {
                    self.resting.insert(due.into(), now.after_ms(FAILED_MS), Why::Failed);
                }
            }
            self.look_again(now);
        }
        if progress || is_sign_of_life {
            self.outage = None;
            self.met(now);
        } else {
            self.last_error = Some("the upstream answered without a receipt".to_owned());
            self.talk.failed(None, now);
        }
    }

    /// When the listing is used up the index is looked at again at once, if it may have more.
    fn look_again(&mut self, now: Instant) {
        let all_rest = self.listing.records.iter().all(|&due| self.resting.holds(due.into(), now));
        if all_rest && self.slices.is_empty() && !self.listing.all_records {
            self.next_list = now;
        }
    }

    fn recording_there(&mut self, offset: u64, now: Instant) {
        self.met_by_recording(now);
        let Some(upload) = &mut self.upload else { return };
        if !upload.there(offset) {
            self.last_error = Some("the upstream has more of a recording than there is".to_owned());
            self.set_recording_aside(now);
        }
    }

    fn recording_received(
        &mut self,
        (call, recording, hash): (crate::id::CallId, crate::id::RecordingId, String),
        was_awaited: bool,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        if was_awaited {
            self.uploads.works();
            self.met_by_recording(now);
        }
        if self.resting.has_recording_of(call) {
            return;
        }
        let under_way = self.upload.filter(|upload| upload.due.recording == recording);
        let listed = self.listing.recordings.iter().find(|due| due.recording == recording).copied();
        if let Some(due) = under_way.map(|upload| upload.due).or(listed) {
            self.resting.insert(due.into(), now.after_ms(RECEIVED_MS), Why::Received);
        }
        out.push(Command::Note(What::RecordingReceived { call, recording, hash }));
        if under_way.is_some() {
            self.upload = None;
            self.next_recordings(now);
        }
    }

    /// When the listed recordings are used up the index is looked at again, if it may have more.
    pub(super) fn next_recordings(&mut self, now: Instant) {
        let rests = |due: &RecordingDue| self.resting.holds(Key::from(*due), now);
        if self.listing.recordings.iter().all(rests) && !self.listing.all_recordings {
            self.next_list = now;
        }
    }

    fn gaps(&mut self, gaps: Gaps, now: Instant, out: &mut Vec<Command>) {
        self.outage = None;
        self.met(now);
        (self.last_audit, self.owes_audit, self.audit_tries) = (Some(now), false, 0);
        // Receipts from after a silence hide what was lost in it: everything goes once more then.
        let above_hq_seq = if std::mem::take(&mut self.is_blind) {
            Some(0)
        } else {
            (gaps.last_hq_seq < self.hq_seq).then_some(gaps.last_hq_seq)
        };
        self.hq_seq = gaps.last_hq_seq;
        let is_whole = above_hq_seq.is_none() && gaps.calls.is_empty() && gaps.recordings.is_empty();
        let is_news = !is_whole && gaps != self.last_gaps;
        self.next_audit = now.after_ms(if is_news { AUDIT_AGAIN_MS } else { AUDIT_MS });
        self.last_gaps.clone_from(&gaps);
        if is_whole {
            return;
        }
        self.resting.wake(Why::Received);
        self.next_list = now.after_ms(LIST_AGAIN_MS);
        out.push(Command::Note(What::UpstreamLost {
            above_hq_seq,
            calls: gaps.calls,
            recordings: gaps.recordings,
        }));
    }

    pub(super) fn refuse_record(
        &mut self,
        due: RecordDue,
        status: u16,
        why: &str,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        self.resting.insert(due.into(), now.after_ms(REFUSED_MS), Why::Refused);
        let why = why.chars().take(MAX_WHY).collect();
        out.push(Command::Note(What::Refused { call: due.call, part: Part::Record, status, why }));
    }

    pub(super) fn refuse_recording(&mut self, status: u16, why: &str, now: Instant, out: &mut Vec<Command>) {
        let Some(upload) = self.upload.take() else { return };
        self.resting.insert(upload.due.into(), now.after_ms(REFUSED_MS), Why::Refused);
        let why = why.chars().take(MAX_WHY).collect();
        let call = upload.due.call;
        out.push(Command::Note(What::Refused { call, part: Part::Recording, status, why }));
        self.next_recordings(now);
    }

    /// Another recording gets its turn.
    pub(super) fn set_recording_aside(&mut self, now: Instant) {
        let Some(upload) = self.upload.take() else { return };
        self.resting.insert(upload.due.into(), now.after_ms(FAILED_MS), Why::Failed);
        self.next_recordings(now);
    }
}
