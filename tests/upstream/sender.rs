//! The box's side for these tests: calls that are the same whenever they are asked for, and a sender over the wire types.

use ringside::{
    id::{BoxId, CallId, RecordingId},
    record::ClockState,
    sync::wire::{
        BLAKE3, Batch, CALL, Gaps, Health, Receipts, RecordingReceipt, SCHEMA, SentRecord, UPLOAD_COMPLETE,
        UPLOAD_LENGTH, UPLOAD_OFFSET,
    },
    time::WallTime,
};
use serde_json::value::RawValue;
use std::time::{Duration, Instant};
use ureq::{Agent, Body, http::Response};

/// 2025-11-22.
const THEN: u64 = 1_763_816_709_007;

/// A box that has taken calls.
#[derive(Clone)]
pub struct Office {
    pub id: BoxId,
    number: u128,
    pub token: String,
}

impl Office {
    pub fn new(number: u128) -> Self {
        Self { id: BoxId::from_parts(WallTime(THEN), number), number, token: String::new() }
    }

    pub fn call(&self, seq: u64) -> CallId {
        CallId::from_parts(WallTime(THEN + seq * 1000), self.number << 40 | u128::from(seq))
    }

    pub fn recording(&self, seq: u64) -> RecordingId {
        RecordingId::from_parts(WallTime(THEN + seq * 1000), self.number << 40 | u128::from(seq))
    }

    /// The audio of a call, of `length` bytes.
    pub fn audio(&self, seq: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let seed = format!("{} {seq}", self.id);
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// A revision of a call's record; from the second on it promises a recording with the digest of `audio`.
    pub fn record(&self, seq: u64, rev: u32, audio: Option<&[u8]>) -> SentRecord {
        let (id, call, start) = (self.id, self.call(seq), WallTime(THEN + seq * 1000));
        let recording = match audio {
            Some(audio) => format!(
                r#""id":"{}","state":"closed","hash":"{}","bytes":{},"#,
                self.recording(seq),
                blake3::hash(audio).to_hex(),
                audio.len()
            ),
            None => r#""state":"none","bytes":0,"#.to_owned(),
        };
        sent(format!(
            r#"{{"schema":"ringside.call/1","id":"{call}", "box_id":"{id}","seq":{seq},"rev":{rev},
"direction":"inbound","tracked":true,"start_time":"{start}","customer_phone_number":"+14105550100",
"customer_number_presentation":"allowed","customer_name":"A\u0000B","tracking_phone_number":"+14105550199",
"campaign":{{"id":"cmp_spring","name":"Spring mailer"}},
"attribution":{{"method":"request_uri","double_forwarded":false,"diversion":[],"warnings":[]}},
"timing_ms":{{"talk":61000,"hold":0,"total":70000}},"answered":true,"voicemail":false,"duration":70,
"outcome":{{"ended":"caller_hung_up"}},"legs":[],"route":[],
"consent":{{"policy":"announce","disclosure_played":true,"heard_by":["caller"]}},
"recording":{{{recording}"codec":"opus","container":"ogg","channels":2,"channel_map":["caller","office"],
"duration_ms":61000,"expected_ms":61000,"gap_ms":0}},
"sync":{{"record_acked_rev":0,"recording_acked":false}},"sip_call_id":"x"}}"#
        ))
    }

    pub fn batch(&self, records: Vec<SentRecord>) -> Batch {
        Batch {
            schema: SCHEMA.to_owned(),
            box_id: self.id,
            boot_id: "0123456789abcdef".to_owned(),
            software: "ringside/0.1.0".to_owned(),
            sent_at: WallTime(THEN),
            clock: ClockState::Synced,
            head: None,
            health: Health {
                site: "Bel Air".to_owned(),
                alarms: vec!["line_dead".to_owned()],
                ..Health::default()
            },
            records,
        }
    }
}

/// Text as it is sent.
pub fn sent(text: String) -> SentRecord {
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    SentRecord { hash, record: RawValue::from_string(text).unwrap() }
}

/// How a box reaches its upstream; a clone uses the same connections.
#[derive(Clone)]
pub struct Sender {
    agent: Agent,
}

/// A piece of a recording, and what is announced with it.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    pub seq: u64,
    pub whole: &'a [u8],
    pub offset: usize,
    pub end: usize,
}

impl Sender {
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: config.into() }
    }

    pub fn get(&self, url: &str, token: &str) -> Result<Response<Body>, ureq::Error> {
        self.agent.get(url).header("authorization", format!("Bearer {token}")).call()
    }

    pub fn post(&self, url: &str, token: &str, body: &[u8]) -> Result<Response<Body>, ureq::Error> {
        self.agent.post(url).header("authorization", format!("Bearer {token}")).send(body)
    }

    /// Sends records to the receiver at `base`; `None` if that did not work out.
    pub fn records(&self, base: &str, office: &Office, records: Vec<SentRecord>) -> Option<Receipts> {
        let body = serde_json::to_vec(&office.batch(records)).unwrap();
        let mut answer =
            self.post(&format!("{base}/v1/boxes/{}/records", office.id), &office.token, &body).ok()?;
        (answer.status() == 200).then(|| read(&mut answer))?
    }

    pub fn gaps(&self, base: &str, office: &Office, calls: u64) -> Option<Gaps> {
        let url = format!("{base}/v1/boxes/{}/gaps?calls={calls}", office.id);
        let mut answer = self.get(&url, &office.token).ok()?;
        (answer.status() == 200).then(|| read(&mut answer))?
    }

    pub fn head(&self, base: &str, office: &Office, seq: u64) -> Result<Response<Body>, ureq::Error> {
        let url = format!("{base}/v1/boxes/{}/recordings/{}", office.id, office.recording(seq));
        self.agent.head(&url).header("authorization", format!("Bearer {}", office.token)).call()
    }

    pub fn piece(
        &self,
        base: &str,
        office: &Office,
        piece: Piece<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        let Piece { seq, whole, offset, end } = piece;
        let hash = blake3::hash(whole).to_hex().to_string();
        self.named_piece(base, office, piece, &hash, &office.call(seq).to_string(), &whole[offset..end])
    }

    pub fn named_piece(
        &self,
        base: &str,
        office: &Office,
        piece: Piece<'_>,
        hash: &str,
        call: &str,
        bytes: &[u8],
    ) -> Result<Response<Body>, ureq::Error> {
        let Piece { seq, whole, offset, end } = piece;
        let url = format!("{base}/v1/boxes/{}/recordings/{}", office.id, office.recording(seq));
        self.agent
            .put(&url)
            .header("authorization", format!("Bearer {}", office.token))
            .header(UPLOAD_OFFSET, offset.to_string())
            .header(UPLOAD_LENGTH, whole.len().to_string())
            .header(UPLOAD_COMPLETE, if end == whole.len() { "?1" } else { "?0" })
            .header(CALL, call)
            .header(BLAKE3, hash)
            .send(bytes)
    }

    /// Sends a recording, each piece to the next of `bases`, until there is a receipt; failures are borne for minutes.
    pub fn recording(&self, bases: &[String], office: &Office, seq: u64, whole: &[u8]) -> RecordingReceipt {
        const PIECE: usize = 64 << 10;
        let mut turn = usize::try_from(seq).unwrap();
        let until = Instant::now() + Duration::from_secs(180);
        while Instant::now() < until {
            turn += 1;
            let base = &bases[turn % bases.len()];
            let Ok(standing) = self.head(base, office, seq) else {
                rest();
                continue;
            };
            let offset = match standing.status().as_u16() {
                200 if header(&standing, UPLOAD_COMPLETE) == "?1" => 0,
                200 => header(&standing, UPLOAD_OFFSET).parse().unwrap(),
                404 => 0,
                _ => {
                    rest();
                    continue;
                }
            };
            let end = whole.len().min(offset + PIECE);
            let base = &bases[(turn + 1) % bases.len()];
            match self.piece(base, office, Piece { seq, whole, offset, end }) {
                Ok(mut answer) if answer.status() == 200 => {
                    if let Some(receipt) = read::<RecordingReceipt>(&mut answer) {
                        return receipt;
                    }
                }
                Ok(answer) if matches!(answer.status().as_u16(), 202 | 409) => {}
                Ok(_) | Err(_) => rest(),
            }
        }
        panic!("recording {seq} of {} was not taken", office.id);
    }
}

/// What is asked again is asked a little later.
pub fn rest() {
    std::thread::sleep(Duration::from_millis(50));
}

pub fn read<T: serde::de::DeserializeOwned>(answer: &mut Response<Body>) -> Option<T> {
    serde_json::from_slice(&answer.body_mut().read_to_vec().ok()?).ok()
}

pub fn header<'a>(answer: &'a Response<Body>, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}
