//! Proofs of double forwarding: what the signalling thread tells them, what the pages ask of them.
//!
//! [`Proofs`] is the one place where both meet. Whatever is told to it takes one short lock; what is to be kept goes
//! to a thread of the daemon that signs and writes it.

mod api;
mod pages;
mod view;

pub(super) use api::routes as api_routes;
pub(super) use pages::{routes as page_routes, see_other};

use super::wall_now;
use crate::{
    directory::Directory,
    id::{BoxId, ProofId},
    number::{Dialplan, E164},
    proving::{Command, Event, Office, Proof, ProofView, Prover, Refused, Verdict},
    time::{Instant, WallTime},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};
use tokio::sync::watch;

/// The proofs of the box; a clone is the same ones.
#[derive(Clone)]
pub struct Proofs(Arc<Shared>);

/// The same proofs for whoever must not keep them alive.
pub struct WeakProofs(Weak<Shared>);

struct Shared {
    began: std::time::Instant,
    plan: Option<Dialplan>,
    /// Whether a test waits for its call; read for every output of the switchboard.
    waits: AtomicBool,
    /// Counts what looked different.
    version: watch::Sender<u64>,
    keep: Option<mpsc::Sender<Proof>>,
    shelf: Mutex<Shelf>,
}

struct Shelf {
    prover: Prover,
    directory: Arc<Directory>,
    /// Signed proofs, as they lie on the disk.
    signed: BTreeMap<ProofId, Arc<str>>,
}

/// What [`Proofs`] begins with.
pub struct Opened {
    /// The box.
    pub box_id: BoxId,
    /// Proofs of before, oldest first, each with its signed file.
    pub kept: Vec<(Proof, String)>,
    /// Numbers and campaigns.
    pub directory: Arc<Directory>,
    /// How numbers are dialled here.
    pub plan: Option<Dialplan>,
}

impl WeakProofs {
    /// A proof was signed and is on the disk.
    pub fn kept(&self, id: ProofId, signed: &str) {
        if let Some(shared) = self.0.upgrade() {
            Proofs(shared).kept(id, signed);
        }
    }
}

impl Proofs {
    /// Proofs that go to `keep` to be kept; without it nothing can be tested.
    #[must_use]
    pub fn new(opened: Opened, keep: Option<mpsc::Sender<Proof>>) -> Self {
        let Opened { box_id, kept, directory, plan } = opened;
        let signed = kept.iter().map(|(proof, text)| (proof.id, Arc::from(text.as_str()))).collect();
        let prover = Prover::new(box_id, kept.into_iter().map(|(proof, _)| proof));
        Self(Arc::new(Shared {
            began: std::time::Instant::now(),
            plan,
            waits: AtomicBool::new(false),
            version: watch::Sender::new(0),
            keep,
            shelf: Mutex::new(Shelf { prover, directory, signed }),
        }))
    }

    /// No proofs, and no way to make one.
    #[must_use]
    pub fn unavailable() -> Self {
        let opened = Opened {
            box_id: BoxId::from_parts(WallTime(0), 0),
            kept: Vec::new(),
            directory: Arc::default(),
            plan: None,
        };
        Self::new(opened, None)
    }

    /// Numbers and campaigns changed.
    pub fn set_directory(&self, directory: Arc<Directory>) {
        self.shelf().directory = directory;
    }

    /// Whether a test waits for its call.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// Something happened that the test may wait for; [`Event::Deadline`] at least once a second.
    pub fn tell(&self, event: Event) {
        if !self.is_waiting() {
            return;
        }
        let mut out = Vec::new();
        let now = self.now();
        let mut shelf = self.shelf();
        shelf.prover.handle(event, now, wall_now(), &mut out);
        self.0.waits.store(shelf.prover.deadline().is_some(), Ordering::Relaxed);
        drop(shelf);
        for command in &out {
            // Without the thread that keeps them, the daemon is about to end.
            if let (Command::Keep(proof), Some(keep)) = (command, &self.0.keep) {
                let _ = keep.send((**proof).clone());
            }
        }
        if !out.is_empty() {
            self.show();
        }
    }

    /// The same proofs, not kept alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakProofs {
        WeakProofs(Arc::downgrade(&self.0))
    }

    fn kept(&self, id: ProofId, signed: &str) {
        self.shelf().signed.insert(id, Arc::from(signed));
        self.show();
    }

    /// The newest proof of an advertised number; `None` if it was never tested.
    #[must_use]
    pub fn newest_for(&self, advertised: &E164) -> Option<ProofView> {
        self.shelf().prover.newest_for(advertised)
    }

    /// Tracking numbers of the directory.
    pub(super) fn tracking_numbers(&self) -> usize {
        self.shelf().directory.trackers().count()
    }

    /// Advertised numbers whose newest proof verifies them, and those that were tested at all.
    pub(super) fn verified(&self) -> (usize, usize) {
        let shelf = self.shelf();
        let tested: BTreeSet<&E164> = shelf.prover.kept().map(|proof| &proof.advertised).collect();
        let newest = tested.iter().filter_map(|number| shelf.prover.newest_for(number));
        (newest.filter(|proof| proof.verdict == Verdict::Verified).count(), tested.len())
    }

    /// Wakes whenever something looks different.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    fn begin(&self, numbers: (E164, E164), campaign: String, by: String) -> Option<ProofId> {
        self.0.keep.as_ref()?;
        let random = (u128::from(getrandom::u64().ok()?) << 64) | u128::from(getrandom::u64().ok()?);
        let at = wall_now();
        let id = ProofId::from_parts(at, random);
        self.shelf().prover.begin(id, numbers, (campaign, by), at);
        Some(id)
    }

    fn see_to(&self, id: ProofId, words: &[String]) {
        self.shelf().prover.see_to(id, words);
    }

    fn test(&self, id: ProofId, office: Office, caller: Option<E164>) -> Result<(), Refused> {
        let now = self.now();
        self.shelf().prover.test(id, office, caller, now)?;
        self.0.waits.store(true, Ordering::Relaxed);
        self.show();
        Ok(())
    }

    fn get(&self, id: ProofId) -> Option<Proof> {
        self.shelf().prover.get(id).cloned()
    }

    fn signed(&self, id: ProofId) -> Option<Arc<str>> {
        self.shelf().signed.get(&id).cloned()
    }

    fn all(&self) -> Vec<Proof> {
        self.shelf().prover.kept().cloned().collect()
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.shelf().directory)
    }

    /// Seconds that the test of a proof still waits.
    fn waits_s(&self, id: ProofId) -> Option<u64> {
        let shelf = self.shelf();
        let until = shelf.prover.running(id)?.deadline()?;
        Some(until.ms_since(self.now()).div_ceil(1000))
    }

    fn now(&self) -> Instant {
        Instant(u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn show(&self) {
        self.0.version.send_modify(|version| *version += 1);
    }

    /// A panic elsewhere leaves the shelf whole: each change is one call of the prover.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
