//! The machine's requests, each with what its answer means to the machine.

use super::{
    Client,
    body::Pace,
    file::{Outgoing, Source},
    http::{json, number},
};
use crate::{
    io::journal::chain::Head,
    sync::{
        budget::Kind,
        event::{Answer, Command, Event, Failure, Received, RecordDue, RecordingDue},
        wire::{self, Batch, ChainHead, Gaps, Health, Receipts, RecordingReceipt, SentRecord, SignedSite},
    },
};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    sync::PoisonError,
    time::Duration,
};

/// Bytes of a batch that are not records, at most.
const BATCH_FRAME_BYTES: usize = 64 << 10;

impl Client {
    /// Does a request and tells what came of it; `None` for what is no request.
    pub(super) fn request(&mut self, command: Command) -> Option<Event> {
        let (request, done) = match command {
            Command::SendBatch { request, records } => (request, self.batch(&records)),
            Command::AskOffset { request, recording } => (request, self.ask_offset(recording)),
            Command::Upload { request, recording, offset, length } => {
                (request, self.upload(recording, offset, length))
            }
            Command::AskGaps { request, calls } => (request, self.ask_gaps(calls)),
            Command::AskSite { request } => (request, self.ask_site()),
            Command::List { .. } | Command::Note(_) => return None,
        };
        Some(match done {
            Ok(answer) => Event::Answered(request, answer),
            Err(failure) => Event::Failed(request, failure),
        })
    }

    fn batch(&mut self, due: &[RecordDue]) -> Result<Answer, Failure> {
        let (mut records, mut sent, mut bytes) = (Vec::new(), BTreeMap::new(), BATCH_FRAME_BYTES);
        for &due in due {
            let Some(record) = self.listed.get(&due.seq).filter(|record| record.rev == due.rev) else {
                continue;
            };
            let text = serde_json::to_string(record).map_err(|error| Failure::Network(error.to_string()))?;
            bytes += text.len() + 100;
            if bytes > wire::MAX_BATCH_BYTES && !records.is_empty() {
                break;
            }
            let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
            let record = RawValue::from_string(text).map_err(|error| Failure::Network(error.to_string()))?;
            sent.insert(hash.clone(), due);
            records.push(SentRecord { hash, record });
        }
        let batch = Batch {
            schema: wire::SCHEMA.to_owned(),
            box_id: self.options.box_id,
            boot_id: self.options.boot_id.clone(),
            software: concat!("ringside/", env!("CARGO_PKG_VERSION")).to_owned(),
            sent_at: self.clock.wall(),
            clock: self.clock.state(),
            head: self.notes.head().map(chain_head),
            health: self.health(),
            records,
        };
        let body = serde_json::to_vec(&batch).map_err(|error| Failure::Network(error.to_string()))?;
        let request = self.http.request("POST", "records").header("content-type", "application/json");
        let answer = self.http.send(
            request,
            &body,
            (Kind::Records, Duration::ZERO),
            pace(&mut self.budget, self.clock, &self.shared, &self.stopping),
        )?;
        Ok(receipts(json(answer)?, &sent))
    }

    fn health(&self) -> Health {
        let backlog = self.outbox.backlog();
        Health {
            site: self.options.site.clone(),
            records_waiting: backlog.records,
            recordings_waiting: backlog.recordings,
            oldest_waiting: backlog.oldest,
            refused: backlog.refused,
            alarms: self.shared.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn ask_offset(&mut self, due: RecordingDue) -> Result<Answer, Failure> {
        self.source = None;
        let hash = self.outgoing(due)?.hash.clone();
        let request = self.http.request("HEAD", &format!("recordings/{}", due.recording));
        match self.http.ask(request.header(wire::BLAKE3, &hash)) {
            Ok(answer) => {
                let named = answer.headers().get(wire::BLAKE3);
                let is_ours = named.is_none_or(|named| named.as_bytes() == hash.as_bytes());
                let offset = number(&answer, wire::UPLOAD_OFFSET).filter(|_| is_ours);
                Ok(Answer::Offset(offset.unwrap_or(0)))
            }
            Err(Failure::Status { status: 404, .. }) => Ok(Answer::Offset(0)),
            Err(failure) => Err(failure),
        }
    }

    /// What goes of a recording, looked at now if that was not possible before.
    fn outgoing(&mut self, due: RecordingDue) -> Result<&Outgoing, Failure> {
        let gone = || Failure::File("its record is not in the index".to_owned());
        let record = self.listed.get(&due.seq).ok_or_else(gone)?;
        let outgoing = match self.outgoing.entry(due.recording) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let look = Outgoing::look(&self.options.data, &record.recording, self.kek.as_ref());
                place.insert(look.map_err(unread)?)
            }
        };
        if outgoing.bytes == due.bytes {
            return Ok(outgoing);
        }
        // The listing that comes next has it right.
        Err(Failure::Network("the recording has changed".to_owned()))
    }

    fn upload(&mut self, due: RecordingDue, offset: u64, length: u64) -> Result<Answer, Failure> {
        let hash = self.outgoing(due)?.hash.clone();
        if due.bytes > wire::MAX_RECORDING_BYTES {
            return Err(Failure::File("it is larger than 512 MiB".to_owned()));
        }
        let is_last = offset + length >= due.bytes;
        let piece = self.read_piece(due, offset, length, is_last.then_some(&hash))?;
        let request = self
            .http
            .request("PUT", &format!("recordings/{}", due.recording))
            .header("content-type", "application/octet-stream")
            .header(wire::UPLOAD_OFFSET, offset)
            .header(wire::UPLOAD_LENGTH, due.bytes)
            .header(wire::UPLOAD_COMPLETE, if is_last { "?1" } else { "?0" })
            .header(wire::CALL, due.call.to_string())
            .header(wire::BLAKE3, &hash);
        let pace = pace(&mut self.budget, self.clock, &self.shared, &self.stopping);
        // Before the answer to the last piece the upstream joins the whole and reads it back.
        let more = Duration::from_secs(if is_last { due.bytes >> 20 } else { 0 });
        let answer = self.http.send(request, &piece, (Kind::Recording, more), pace)?;
        if answer.status().as_u16() == 202 {
            let there = number(&answer, wire::UPLOAD_OFFSET);
            return Ok(Answer::Piece(there.unwrap_or(offset + length)));
        }
        let receipt: RecordingReceipt = json(answer)?;
        if (receipt.recording, receipt.call, &receipt.hash) != (due.recording, due.call, &hash) {
            return Err(Failure::Network("the receipt is of another recording".to_owned()));
        }
        self.source = None;
        Ok(Answer::Recording { call: due.call, recording: due.recording, hash })
    }

    /// Reads a piece; of the last one the digest of the whole file must be `hash`.
    fn read_piece(
        &mut self,
        due: RecordingDue,
        offset: u64,
        length: u64,
        hash: Option<&String>,
    ) -> Result<Vec<u8>, Failure> {
        let goes_on = |(id, source): &(_, Source)| *id == due.recording && source.at() <= offset;
        let mut source = match self.source.take().filter(goes_on) {
            Some((_, source)) => source,
            None => {
                let outgoing = self.outgoing(due)?.clone();
                Source::new(outgoing.open(self.kek.as_ref()).map_err(unread)?)
            }
        };
        source.skip_to(offset).map_err(unread)?;
        let piece = source.piece(length).map_err(unread)?;
        if let Some(hash) = hash
            && !source.ends_with(hash).map_err(unread)?
        {
            tracing::error!(call = %due.call, "a recording is not what was recorded; it is not sent");
            return Err(Failure::File("the file is not what its record says: the digest differs".to_owned()));
        }
        self.source = Some((due.recording, source));
        Ok(piece)
    }

    fn ask_gaps(&mut self, calls: u64) -> Result<Answer, Failure> {
        let answer = self.http.ask(self.http.request("GET", &format!("gaps?calls={calls}")))?;
        let mut gaps: Gaps = json(answer)?;
        gaps.calls.truncate(wire::MAX_GAP_RANGES);
        gaps.recordings.truncate(wire::MAX_GAP_RANGES);
        Ok(Answer::Gaps(gaps))
    }

    fn ask_site(&mut self) -> Result<Answer, Failure> {
        let Some(sites) = &mut self.sites else { return Ok(Answer::Site) };
        let answer = self.http.ask(self.http.request("GET", &format!("site?after={}", sites.version())))?;
        if answer.status().as_u16() == 204 {
            return Ok(Answer::Site);
        }
        let site: SignedSite = json(answer)?;
        self.site_error = sites.take(&site).err().map(|error| {
            tracing::error!(version = site.version, %error, "a site of the upstream is not taken");
            format!("version {}: {error}", site.version)
        });
        Ok(Answer::Site)
    }
}

fn unread(error: io::Error) -> Failure {
    Failure::File(format!("it cannot be read: {error}"))
}

fn pace<'a>(
    budget: &'a mut crate::sync::budget::Budget,
    clock: crate::io::clock::Clock,
    shared: &'a super::Shared,
    stopping: &'a std::sync::atomic::AtomicBool,
) -> Pace<'a> {
    Pace { budget, clock, calls_up: &shared.calls_up, stopping }
}

fn chain_head(head: Head) -> ChainHead {
    let Head { seq, segment, digest, signature, public_key } = head;
    ChainHead { seq, segment, digest, signature, public_key }
}

/// What of an answer is about what was sent.
fn receipts(answer: Receipts, sent: &BTreeMap<String, RecordDue>) -> Answer {
    let receipts = answer.receipts.into_iter().filter_map(|receipt| {
        let due = *sent.get(&receipt.hash)?;
        let is_ours = due.call == receipt.call && due.rev == receipt.rev;
        is_ours.then_some(Received { due, hash: receipt.hash, hq_seq: receipt.hq_seq })
    });
    let refused = answer.refused.into_iter();
    let refused = refused.filter_map(|refusal| Some((*sent.get(&refusal.hash)?, refusal.why)));
    Answer::Batch { received: receipts.collect(), refused: refused.collect() }
}
