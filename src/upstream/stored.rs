//! What both kinds of stores keep, and the one rule by which a record is taken, known already, or refused.
//!
//! `hq_seq`, the upstream's number of a revision, is `max(last of this box + 1, Unix milliseconds now)`. The first half
//! makes it ascend. The second half is for the day on which the store is wiped, or put back from an older copy: what it
//! counts from then on must lie above every number it ever gave, and nothing but the clock remembers that. It holds as
//! long as one box does not send more than a thousand revisions a second on average.

use crate::{
    hex,
    id::{BoxId, CallId, RecordingId},
    record::ClockState,
    sync::wire::{Batch, ChainHead, Health, Receipt, Refusal, SentRecord},
    time::WallTime,
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A store did not do what it was asked: nothing was promised, and it may be asked again.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct StoreError {
    /// What could not be done.
    pub what: &'static str,
    /// What the store said.
    pub why: String,
}

impl StoreError {
    /// Names the thing that could not be done.
    pub(super) fn of<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |why| Self { what, why: format!("{why:#}") }
    }
}

/// A record that has been read and whose hash is right.
#[derive(Debug)]
pub struct Arrived {
    /// The call.
    pub call: CallId,
    /// Its number on the box.
    pub seq: u64,
    /// Revision.
    pub rev: u32,
    /// BLAKE3 of the bytes, hex.
    pub hash: String,
    /// The bytes as they came.
    pub text: String,
    /// The same for queries, without the character that PostgreSQL's jsonb cannot hold.
    pub doc: Value,
    /// The recording that belongs to it, with its digest, if one was closed.
    pub recording: Option<(RecordingId, String)>,
    /// BLAKE3 of the audio in it, hex, if it is encrypted: it may come under this digest, opened.
    pub audio_hash: Option<String>,
}

/// What a store has of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Revision.
    pub rev: u32,
    /// BLAKE3 of the record, hex.
    pub hash: String,
    /// The upstream's number of it.
    pub hq_seq: u64,
}

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new: to be stored under the receipt's number.
    New(Receipt),
    /// This or a later revision is here.
    Known(Receipt),
    /// It cannot be taken.
    Refused(Refusal),
}

/// Decides about one record, and notes in `kept` and `last` what is to be stored of it.
pub fn take(record: &Arrived, kept: &mut BTreeMap<CallId, Kept>, last: &mut u64, now: WallTime) -> Taken {
    let receipt = |hq_seq| Receipt { call: record.call, rev: record.rev, hash: record.hash.clone(), hq_seq };
    match kept.get(&record.call) {
        Some(have) if have.rev == record.rev && have.hash != record.hash => Taken::Refused(Refusal {
            hash: record.hash.clone(),
            why: format!("revision {} of {} is here with another content", record.rev, record.call),
        }),
        Some(have) if have.rev >= record.rev => Taken::Known(receipt(have.hq_seq)),
        Some(_) | None => {
            *last = last.saturating_add(1).max(now.0);
            let have = Kept { rev: record.rev, hash: record.hash.clone(), hq_seq: *last };
            kept.insert(record.call, have);
            Taken::New(receipt(*last))
        }
    }
}

/// Of a record's fields those that the receiver cannot do without. A newer box may say more than this receiver knows.
#[derive(Deserialize)]
struct Outline {
    schema: String,
    id: CallId,
    box_id: BoxId,
    seq: u64,
    rev: u32,
}

impl Arrived {
    /// Reads and checks a record that `from` has sent.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn read(sent: &SentRecord, from: BoxId) -> Result<Self, Refusal> {
        let text = sent.record.get();
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        let refused = |why: String| Refusal { hash: sent.hash.chars().take(64).collect(), why };
        if hash != sent.hash {
            return Err(refused("its BLAKE3 is not the announced one".to_owned()));
        }
        let outline: Outline = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        if outline.schema.split('/').next() != Some("ringside.call") {
            return Err(refused("it is no record of the schema ringside.call".to_owned()));
        }
        if outline.box_id != from {
            return Err(refused("it is of another box".to_owned()));
        }
        let in_range = |n: u64| (1..=i64::MAX as u64).contains(&n);
        if !in_range(outline.seq) || !(1..=i32::MAX as u32).contains(&outline.rev) {
            return Err(refused("its number and its revision must be 1 or more".to_owned()));
        }
        let mut doc: Value = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        without_nul(&mut doc);
        let recording = recording_of(&doc);
        let audio_hash = doc.pointer("/recording/audio_hash").and_then(Value::as_str).map(str::to_owned);
        let Outline { id, seq, rev, .. } = outline;
        Ok(Self { call: id, seq, rev, hash, text: text.to_owned(), doc, recording, audio_hash })
    }

    /// A text of the record, by the names on the way to it.
    pub(super) fn text_at(&self, pointer: &str) -> Option<&str> {
        self.doc.pointer(pointer)?.as_str()
    }
}

/// The recording that a record promises: closed, with a digest, not erased.
pub(super) fn recording_of(doc: &Value) -> Option<(RecordingId, String)> {
    let recording = doc.get("recording")?;
    if !matches!(recording.get("state")?.as_str()?, "closed" | "recovered") {
        return None;
    }
    let id = recording.get("id")?.as_str()?.parse().ok()?;
    let hash = blake3::Hash::from_hex(recording.get("hash")?.as_str()?).ok()?;
    Some((id, hash.to_hex().to_string()))
}

fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(values) => values.iter_mut().for_each(without_nul),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains('\0')) {
                let old = std::mem::take(fields);
                fields.extend(old.into_iter().map(|(key, value)| (key.replace('\0', "\u{fffd}"), value)));
            }
            fields.values_mut().for_each(without_nul);
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a box said of itself with its last batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// When the batch came.
    pub at: WallTime,
    /// `ringside/0.1.0`.
    pub software: String,
    /// The run of its daemon.
    pub boot_id: String,
    /// Its wall clock when it sent.
    pub sent_at: WallTime,
    /// How far that can be trusted.
    pub clock: ClockState,
    /// How it is.
    pub health: Health,
    /// What is known of its journal.
    #[serde(default)]
    pub chain: Chain,
}

impl Heard {
    /// What a batch that came `now` says, after what was known of the box's journal `before`.
    #[must_use]
    pub fn of(batch: &Batch, before: Chain, now: WallTime) -> Self {
        let health = Health {
            site: shown(&batch.health.site),
            alarms: batch.health.alarms.iter().take(MAX_ALARMS).map(|alarm| shown(alarm)).collect(),
            ..batch.health.clone()
        };
        Self {
            at: now,
            software: shown(&batch.software),
            boot_id: shown(&batch.boot_id),
            sent_at: batch.sent_at,
            clock: batch.clock,
            health,
            chain: before.after(batch, now),
        }
    }
}

/// What is known of the journal of a box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    /// The key that signed its first head, hex.
    pub key: Option<String>,
    /// The newest head that fits.
    pub newest: Option<ChainHead>,
    /// When the batch was sent that brought it.
    pub sent_at: WallTime,
    /// The last thing that did not fit, and when; it stays, for somebody has to look at the box.
    pub warning: Option<(WallTime, String)>,
}

impl Chain {
    fn after(mut self, batch: &Batch, now: WallTime) -> Self {
        // A request that hung may be done after those that followed it: its head is no news.
        let Some(head) = batch.head.as_ref().filter(|_| batch.sent_at >= self.sent_at) else { return self };
        match self.fault(head, batch.box_id) {
            Some(fault) => self.warning = Some((now, fault)),
            None => {
                self.key.get_or_insert_with(|| head.public_key.clone());
                (self.newest, self.sent_at) = (Some(head.clone()), batch.sent_at);
            }
        }
        self
    }

    fn fault(&self, head: &ChainHead, from: BoxId) -> Option<String> {
        if self.key.as_ref().is_some_and(|key| *key != head.public_key) {
            return Some("its journal is signed with another key than before".to_owned());
        }
        if !is_signed(head, from) {
            return Some("its journal's head is not signed as it should be".to_owned());
        }
        let before = self.newest.as_ref()?;
        let (was, is) = ((before.segment, before.seq), (head.segment, head.seq));
        if head.seq < before.seq || head.segment < before.segment {
            return Some(format!("its journal goes back: from entry {} to entry {}", was.1, is.1));
        }
        let is_other = was == is && before.digest != head.digest;
        is_other.then(|| format!("its journal has changed up to entry {}", is.1))
    }
}

fn is_signed(head: &ChainHead, from: BoxId) -> bool {
    let key = hex::decode::<32>(&head.public_key).and_then(|key| VerifyingKey::from_bytes(&key).ok());
    let signature = hex::decode::<64>(&head.signature).map(|bytes| Signature::from_bytes(&bytes));
    key.zip(signature)
        .is_some_and(|(key, signature)| key.verify_strict(&head.signed_bytes(from), &signature).is_ok())
}

/// Alarms of one box that are shown.
const MAX_ALARMS: usize = 32;
/// Characters of one of a box's words that are shown.
const MAX_SHOWN: usize = 100;

/// A box's words fit for a page, and for a store that knows no control characters.
fn shown(words: &str) -> String {
    words.chars().filter(|character| !character.is_control()).take(MAX_SHOWN).collect()
}

/// A box of the fleet.
#[derive(Clone, Debug)]
pub struct FleetBox {
    /// Identity.
    pub id: BoxId,
    /// The name it was added under.
    pub name: String,
    /// BLAKE3 of its token; `None` if it may not send any more.
    pub token: Option<[u8; 32]>,
    /// What it said last; `None` if it was never heard.
    pub heard: Option<Heard>,
}

/// A record as it is stored.
#[derive(Clone, Debug)]
pub struct StoredCall {
    /// Number of the call on its box.
    pub seq: u64,
    /// The record as it was sent.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn sent(text: &str) -> SentRecord {
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        SentRecord { hash, record: RawValue::from_string(text.to_owned()).unwrap() }
    }

    fn ids() -> (BoxId, CallId) {
        (BoxId::from_parts(WallTime(1), 1), CallId::from_parts(WallTime(1), 1))
    }

    fn record(rev: u32, more: &str) -> SentRecord {
        let (own, call) = ids();
        sent(&format!(
            r#"{{"schema":"ringside.call/1","id":"{call}","box_id":"{own}","seq":7,"rev":{rev}{more}}}"#
        ))
    }

    #[test]
    fn a_lower_revision_never_replaces_a_higher_one_and_gets_its_receipt() {
        let (own, _) = ids();
        let read = |rev| Arrived::read(&record(rev, ""), own).unwrap();
        let (mut kept, mut last) = (BTreeMap::new(), 0);
        let Taken::New(second) = take(&read(2), &mut kept, &mut last, WallTime(100)) else { panic!() };
        assert_eq!(second.hq_seq, 100);
        let Taken::Known(first) = take(&read(1), &mut kept, &mut last, WallTime(100)) else { panic!() };
        assert_eq!((first.rev, first.hq_seq), (1, 100));
        assert_eq!(take(&read(2), &mut kept, &mut last, WallTime(100)), Taken::Known(second));
        let Taken::New(third) = take(&read(3), &mut kept, &mut last, WallTime(100)) else { panic!() };
        assert_eq!(third.hq_seq, 101);
    }

    #[test]
    fn one_revision_has_one_content() {
        let (own, _) = ids();
        let (mut kept, mut last) = (BTreeMap::new(), 0);
        take(&Arrived::read(&record(1, ""), own).unwrap(), &mut kept, &mut last, WallTime(1));
        let other = Arrived::read(&record(1, r#","answered":true"#), own).unwrap();
        assert!(matches!(take(&other, &mut kept, &mut last, WallTime(1)), Taken::Refused(_)));
    }

    #[test]
    fn numbers_after_a_loss_lie_above_those_before_it() {
        let (own, _) = ids();
        let arrived = Arrived::read(&record(1, ""), own).unwrap();
        let mut last = 0;
        take(&arrived, &mut BTreeMap::new(), &mut last, WallTime(5_000));
        let before = last;
        let mut after = 0;
        take(&arrived, &mut BTreeMap::new(), &mut after, WallTime(6_000));
        assert!(after > before);
    }

    #[test]
    fn what_is_not_this_boxes_record_is_refused() {
        let (own, call) = ids();
        let why = |sent: &SentRecord| Arrived::read(sent, own).unwrap_err().why;
        assert!(why(&SentRecord { hash: "0".repeat(64), ..record(1, "") }).contains("BLAKE3"));
        assert!(why(&record(0, "")).contains("revision"));
        assert!(why(&sent("[]")).contains("invalid"));
        let other = BoxId::from_parts(WallTime(1), 2);
        let foreign =
            format!(r#"{{"schema":"ringside.call/1","id":"{call}","box_id":"{other}","seq":7,"rev":1}}"#);
        assert!(why(&sent(&foreign)).contains("another box"));
        assert!(why(&sent(&foreign.replace("ringside.call", "x"))).contains("schema"));
    }

    #[test]
    fn a_journal_that_goes_back_or_changes_or_has_another_key_is_told_of() {
        use ed25519_dalek::{Signer as _, SigningKey};
        let (own, _) = ids();
        let batch = |key: u8, seq: u64, digest: &str, at: u64| {
            let key = SigningKey::from_bytes(&[key; 32]);
            let public_key = hex::encode(key.verifying_key().as_bytes());
            let (digest, signature) = (digest.repeat(64), String::new());
            let mut head = ChainHead { seq, segment: 1, digest, signature, public_key };
            head.signature = hex::encode(&key.sign(&head.signed_bytes(own)).to_bytes());
            let empty = format!(
                r#"{{"schema":"ringside.sync/1","box_id":"{own}","boot_id":"0","software":"x","sent_at":"{}",
                "clock":"synced","head":null,"health":{{}},"records":[]}}"#,
                WallTime(at)
            );
            let batch: Batch = serde_json::from_str(&empty).unwrap();
            Batch { head: Some(head), ..batch }
        };
        let first = Chain::default().after(&batch(1, 5, "a", 1_000), WallTime(1));
        let good = first.after(&batch(1, 7, "b", 2_000), WallTime(2));
        assert_eq!((good.newest.as_ref().unwrap().seq, &good.warning), (7, &None));
        let late = good.clone().after(&batch(1, 6, "a", 1_500), WallTime(3));
        assert_eq!(late, good, "an older request that hung is no news");
        let warned = |batch: &Batch| {
            let after = good.clone().after(batch, WallTime(3));
            assert_eq!(after.newest, good.newest, "the newest head that fits is kept");
            after.warning.unwrap().1
        };
        assert!(warned(&batch(1, 6, "c", 3_000)).contains("from entry 7 to entry 6"));
        assert!(warned(&batch(1, 7, "c", 3_000)).contains("changed"));
        assert!(warned(&batch(2, 8, "c", 3_000)).contains("another key"));
        let mut forged = batch(1, 8, "c", 3_000);
        forged.head.as_mut().unwrap().seq = 9;
        assert!(warned(&forged).contains("not signed"));
    }

    #[test]
    fn a_nul_is_kept_in_the_text_and_left_out_of_the_copy_for_queries() {
        let (own, _) = ids();
        let arrived = Arrived::read(&record(1, r#","a\u0000":{"b":["x\u0000y","\\u0000"]}"#), own).unwrap();
        assert!(arrived.text.contains(r"x\u0000y"));
        assert!(!arrived.doc.to_string().contains("x\\u0000"));
        assert_eq!(arrived.text_at("/a\u{fffd}/b/1"), Some("\\u0000"));
    }
}
