//! The webhooks as the site wants them, and what of the switchboard's outputs others are told.

use super::{Options, StartError};
use crate::{
    call::bubble::Bubble,
    config::{Webhook, WebhookSigning},
    id::CallId,
    io::{
        box_key::BoxKey,
        clock::Clock,
        lookup::{self, Lookups},
        store::Index,
        webhooks::{self, Receiver, Records, Webhooks},
    },
    record::{CallRecord, RecordingState},
    recording::lifecycle,
    time::WallTime,
    web::{self, Happenings, State},
    webhook::{
        Kind,
        happening::{Happening, ended_at},
        signing::Signer,
    },
};
use std::{collections::BTreeMap, io};

/// What the box's key for webhooks is derived by.
const PURPOSE: &str = "ringside 2026 webhooks";
/// Calls whose recording may still be written: more than can be up at once.
const MAX_ENDED: usize = 1_024;

/// Starts what tells others; gives what is to be kept while the daemon runs, and what the signalling thread tells.
///
/// # Errors
/// As [`start`] and [`lookups`].
pub(super) fn begin(
    options: &Options,
    index: Index,
    (last_call, boot): (u64, u64),
    clock: Clock,
    state: &mut State,
) -> Result<(Option<Webhooks>, Tell), StartError> {
    let webhooks = start(options, index, (last_call, boot), clock, &state.happenings)?;
    if let Some(webhooks) = &webhooks {
        state.webhooks = web::Webhooks::new(webhooks.orders());
    }
    let lookups = lookups(options, state, clock)?;
    Ok((webhooks, Tell::new(state.happenings.clone(), lookups, clock, boot)))
}

/// Starts the thread if the configuration names a receiver.
///
/// # Errors
/// The box has no key to sign with, or there is no thread to be had.
fn start(
    options: &Options,
    index: Index,
    (last_call, boot): (u64, u64),
    clock: Clock,
    happenings: &Happenings,
) -> Result<Option<Webhooks>, StartError> {
    if options.config.webhooks.is_empty() {
        return Ok(None);
    }
    let receivers: Result<Vec<Receiver>, StartError> =
        options.config.webhooks.iter().map(|webhook| receiver(options, webhook)).collect();
    let settings = webhooks::Options {
        receivers: receivers?,
        data: options.data.clone(),
        last_call,
        seed: boot.rotate_left(23),
    };
    let webhooks = webhooks::start(settings, IndexRecords(index), clock)?;
    let orders = webhooks.orders();
    happenings.tell(move |happening| orders.happened(happening.clone()));
    Ok(Some(webhooks))
}

fn receiver(options: &Options, webhook: &Webhook) -> Result<Receiver, StartError> {
    if webhook.is_private {
        let place = webhook.url.split('?').next().unwrap_or_default();
        tracing::warn!("[[webhook]] {place}: an address of a local network; is it the one that is meant?");
    }
    let signer = signer(options, &webhook.signing)?;
    Ok(Receiver { url: webhook.url.clone(), signer, events: webhook.events.clone() })
}

/// Starts asking who calls, if the configuration names whom to ask.
///
/// # Errors
/// The box has no key to sign with, or there is no thread to be had.
fn lookups(options: &Options, state: &State, clock: Clock) -> Result<Option<Lookups>, StartError> {
    let Some(wanted) = &options.config.lookup else { return Ok(None) };
    let (live, metrics) = (state.live.clone(), state.metrics.clone());
    let settings = lookup::Options {
        url: wanted.url.clone(),
        signer: signer(options, &wanted.signing)?,
        looked: Box::new(move |looked| live.looked_up(looked)),
        missed: Box::new(move || {
            metrics.lookups_missed.inc();
        }),
    };
    Ok(Some(lookup::start(settings, clock)?))
}

/// What signs as the configuration wants it.
///
/// # Errors
/// The box has no key.
fn signer(options: &Options, signing: &WebhookSigning) -> Result<Signer, StartError> {
    let wrong = |why: String| StartError::Configuration(format!("[[webhook]] {why}"));
    match signing {
        WebhookSigning::Secret(secret) => {
            Signer::shared(secret.reveal()).map_err(|error| wrong(error.to_string()))
        }
        WebhookSigning::Ed25519 => {
            let key = BoxKey::open(&options.data).map_err(|error| wrong(error.to_string()))?;
            Ok(Signer::pair(&key.derive(PURPOSE)))
        }
    }
}

/// The index as the thread reads it.
struct IndexRecords(Index);

impl Records for IndexRecords {
    fn after(&self, seq: u64, limit: usize) -> Option<Vec<CallRecord>> {
        self.0.after(seq, limit).ok()
    }

    fn since(&self, from: WallTime, limit: usize) -> Vec<CallRecord> {
        self.0.since(from, limit).unwrap_or_default()
    }

    fn get(&self, call: CallId) -> io::Result<Option<CallRecord>> {
        self.0.get(call).map_err(io::Error::other)
    }

    fn last(&self) -> u64 {
        self.0.next_seq().map_or(0, |next| next.saturating_sub(1))
    }
}

/// Tells others what the signalling thread performs.
pub(super) struct Tell {
    happenings: Happenings,
    lookups: Option<Lookups>,
    clock: Clock,
    boot: u64,
    /// Happenings of the box itself so far.
    told: u64,
    /// Number and end of the calls that ended last.
    ended: BTreeMap<CallId, (u64, WallTime)>,
}

impl Tell {
    fn new(happenings: Happenings, lookups: Option<Lookups>, clock: Clock, boot: u64) -> Self {
        Self { happenings, lookups, clock, boot, told: 0, ended: BTreeMap::new() }
    }

    /// A bubble is shown.
    pub(super) fn shown(&self, bubble: &Bubble) {
        if bubble.rev == 1 {
            self.of_call(Kind::PreCall, bubble.call, bubble);
            if let Some(lookups) = &self.lookups {
                lookups.ask(bubble);
            }
        }
    }

    /// Storage is ordered something.
    pub(super) fn stores(&mut self, command: &lifecycle::Command) {
        match command {
            lifecycle::Command::Answered { call, record } => {
                self.of_call(Kind::CallRoutingComplete, *call, record);
            }
            lifecycle::Command::Save(record) => {
                if !record.answered {
                    self.of_call(Kind::CallRoutingComplete, record.id, record);
                }
                if self.ended.len() >= MAX_ENDED {
                    self.ended.pop_first();
                }
                self.ended.insert(record.id, (record.seq, ended_at(record)));
            }
            lifecycle::Command::Ringing(_) | lifecycle::Command::Start { .. } => {}
        }
    }

    /// Storage reports.
    pub(super) fn stored(&self, event: &lifecycle::Event) {
        match event {
            lifecycle::Event::Saved { call } => {
                if let Some((seq, at)) = self.ended.get(call) {
                    self.happenings.publish(Happening::post_call(*call, *seq, *at));
                }
            }
            lifecycle::Event::Recorded { call, recording } if recording.state == RecordingState::Closed => {
                if let Some((seq, _)) = self.ended.get(call) {
                    let happening = Happening::recording_ready(*call, *seq, self.clock.wall());
                    self.happenings.publish(happening);
                }
            }
            lifecycle::Event::Handled { call, revision: Some(revision), .. } => {
                self.happenings.publish(Happening::call_modified(*call, *revision, self.clock.wall()));
            }
            lifecycle::Event::Recorded { .. }
            | lifecycle::Event::Journaled { .. }
            | lifecycle::Event::Handled { .. } => {}
        }
    }

    /// Something about the box itself.
    pub(super) fn of_box(&mut self, kind: Kind, data: &serde_json::Value) {
        self.told += 1;
        let number = (self.boot, self.told);
        self.happenings.publish(Happening::of_box(kind, number, self.clock.wall(), data.to_string()));
    }

    fn of_call(&self, kind: Kind, call: CallId, data: &impl serde::Serialize) {
        // Plain values that always can be written.
        let Ok(json) = serde_json::to_string(data) else { return };
        self.happenings.publish(Happening::of_call(kind, call, self.clock.wall(), json));
    }
}
