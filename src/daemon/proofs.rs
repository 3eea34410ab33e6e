//! Proofs of double forwarding: what the switchboard does is told to the test that waits, and what a test has found is
//! signed, written and journaled by a thread that may wait for a disk.

use crate::{
    call::{attribution::CONDITIONAL_FORWARD, untracked::Kind},
    config::Config,
    directory::Directory,
    id::{BoxId, CallId, PortId, ProofId},
    io::{
        box_key::BoxKey,
        proof_files::{self, Signed},
        storage::Desk,
    },
    number::{Dialplan, E164},
    proving::{Arrival, Event, MAX_KEPT, Office, Proof},
    record::CallRecord,
    recording::lifecycle::Command,
    status::{LineState, PhoneState},
    switchboard::Switchboard,
    web::{ProofShelf, Proofs, WeakProofs},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{Builder, JoinHandle},
};

/// Calls whose proof is remembered until they are over; a call that is lost in between costs nothing else.
const MAX_CALLS: usize = 256;

/// What the signalling thread tells of.
pub(super) struct ProofFeed {
    proofs: Proofs,
    office: Office,
    /// Lines that ring with a direct call.
    ringing: BTreeSet<PortId>,
    /// The proof that a call began with, or that it began with none, stays so.
    calls: BTreeMap<CallId, Option<ProofId>>,
}

/// Reads the proofs that are kept, and starts the thread that keeps more.
///
/// # Errors
/// The thread cannot be had.
pub(super) fn open(
    config: &Config,
    data: &Path,
    box_id: BoxId,
    directory: Arc<Directory>,
    desk: Desk,
) -> io::Result<(Proofs, Option<JoinHandle<()>>)> {
    let key = BoxKey::find(data).ok().flatten();
    let public_key = key.as_ref().map(BoxKey::public_key);
    let read = proof_files::read_all(data, public_key.as_deref(), MAX_KEPT);
    let (kept, bad) = read.unwrap_or_else(|error| {
        tracing::warn!(%error, "the proofs of before cannot be read");
        (Vec::new(), Vec::new())
    });
    for name in bad {
        tracing::warn!(name, "a proof is not as this box signed it: it is not shown; test the number again");
    }
    let kept = kept.into_iter().map(|Signed { proof, text }| (proof, text)).collect();
    let plan = Dialplan::for_country(&config.site.country);
    let (keep, found) = mpsc::channel();
    let proofs = Proofs::new(ProofShelf { box_id, kept, directory, plan }, key.is_some().then_some(keep));
    let thread = key.map(|key| {
        let keeper = Keeper { data: data.to_owned(), key, desk, proofs: proofs.downgrade() };
        Builder::new().name("proofs".to_owned()).spawn(move || keeper.run(&found))
    });
    Ok((proofs, thread.transpose()?))
}

/// Signs, writes and journals; ends when nobody has the proofs any more.
struct Keeper {
    data: PathBuf,
    key: BoxKey,
    desk: Desk,
    proofs: WeakProofs,
}

impl Keeper {
    fn run(&self, found: &mpsc::Receiver<Proof>) {
        while let Ok(proof) = found.recv() {
            let id = proof.id;
            match proof_files::save(&self.data, proof, &self.key) {
                Ok(signed) => {
                    self.account(&signed);
                    self.proofs.kept(id, &signed.text);
                }
                Err(error) => tracing::error!(%error, %id, "a proof could not be written; test again"),
            }
        }
    }

    /// The journal has the digest, so that a file that is exchanged later is found out.
    fn account(&self, Signed { proof, text }: &Signed) {
        let Proof { id, advertised, tracking, verdict, .. } = proof;
        tracing::info!(%id, ?verdict, "proof_changed");
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let on = format!("{id} {advertised} to {tracking}: {verdict:?}, blake3 {digest}");
        if self.desk.account(&proof.by, "tested the forwarding", &on).is_err() {
            tracing::warn!(%id, "the journal did not take the note of a proof");
        }
    }
}

impl ProofFeed {
    pub(super) const fn new(proofs: Proofs) -> Self {
        Self { proofs, office: Office::Free, ringing: BTreeSet::new(), calls: BTreeMap::new() }
    }

    /// Every turn: what the office's lines do. Without lines its phones tell.
    pub(super) fn look(&mut self, switchboard: &Switchboard, ports: &[String]) {
        if !self.proofs.is_waiting() {
            return;
        }
        let is_used = |state: LineState| {
            matches!(
                state,
                LineState::Ringing | LineState::Seized | LineState::Talking | LineState::Releasing
            )
        };
        let mut lines = switchboard.lines().peekable();
        let is_busy = if lines.peek().is_some() {
            lines.any(|line| is_used(line.state))
        } else {
            let mut phones = switchboard.phones();
            phones.any(|phone| matches!(phone.state, PhoneState::Talking | PhoneState::OffHook))
        };
        self.office = if is_busy { Office::Busy } else { Office::Free };
        let direct = switchboard.passed_calls().filter(|call| call.kind == Kind::Direct);
        let ringing: BTreeSet<PortId> = direct.filter_map(|call| call.line).collect();
        for port in ringing.difference(&self.ringing) {
            let line = ports.get(usize::from(port.0)).cloned().unwrap_or_default();
            self.proofs.tell(Event::RangDirectly { line });
        }
        self.ringing = ringing;
    }

    /// Once a second: a test that waits too long ends.
    pub(super) fn turn(&self) {
        self.proofs.tell(Event::Deadline);
    }

    /// Numbers and campaigns changed.
    pub(super) fn set_directory(&self, directory: &Arc<Directory>) {
        self.proofs.set_directory(Arc::clone(directory));
    }

    /// Our own call came back.
    pub(super) fn came_back(&self, tracking: &E164) {
        self.proofs.tell(Event::CameBack { tracking: tracking.clone() });
    }

    /// What is about to be stored of a call names the proof of its advertised number, and is told to the test.
    pub(super) fn stored(&mut self, command: &mut Command) {
        match command {
            Command::Ringing(record) => {
                self.stamp(record);
                self.arrived(record);
            }
            Command::Answered { record, .. } => self.stamp(record),
            Command::Save(record) => {
                self.stamp(record);
                self.calls.remove(&record.id);
                // One that never rang is told of only here.
                self.arrived(record);
            }
            Command::Start { .. } => {}
        }
    }

    fn stamp(&mut self, record: &mut CallRecord) {
        let known = self.calls.get(&record.id).copied();
        record.attribution.proof_id = known.unwrap_or_else(|| {
            let advertised = record.advertised_phone_number.as_ref();
            let proof = advertised.and_then(|number| self.proofs.newest_for(number)).map(|proof| proof.id);
            if self.calls.len() >= MAX_CALLS {
                self.calls.pop_first();
            }
            self.calls.insert(record.id, proof);
            proof
        });
    }

    fn arrived(&self, record: &CallRecord) {
        if !self.proofs.is_waiting() {
            return;
        }
        let attribution = &record.attribution;
        let mut forwarders: Vec<E164> = record.advertised_phone_number.iter().cloned().collect();
        for number in attribution.diversion.iter().filter_map(|diverter| diverter.number.parse().ok()) {
            if !forwarders.contains(&number) {
                forwarders.push(number);
            }
        }
        self.proofs.tell(Event::Arrived(Arrival {
            call: record.id,
            tracking: record.tracking_phone_number.clone(),
            caller: record.customer_phone_number.clone(),
            forwarders,
            is_conditional: attribution.warnings.iter().any(|warning| warning == CONDITIONAL_FORWARD),
            office: self.office,
            warnings: attribution.warnings.clone(),
        }));
    }
}
