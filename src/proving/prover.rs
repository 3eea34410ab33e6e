//! The proofs of a box: those under way and those that are kept.
//!
//! ```text
//! begin ──> draft ── test ──> waiting ── finding ──> kept ── test again ──> waiting ──> …
//! ```
//!
//! A proof is kept from its first finding on, and kept anew with each later one. One test waits at a time: two calls
//! that are under way at once could not be told apart.

use super::{
    proof::{CHECKLIST, Proof, SCHEMA, Verdict},
    test::{Event, Office, Order, Test},
};
use crate::{
    id::{BoxId, ProofId},
    number::E164,
    time::{Instant, WallTime},
};
use std::collections::BTreeMap;

/// Proofs without a finding that are remembered; the oldest makes room.
pub const MAX_DRAFTS: usize = 16;
/// Proofs in memory: several of each number of a large office. Older ones stay on the disk.
pub const MAX_KEPT: usize = 200;

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keep this proof; a later one of the same id replaces it.
    Keep(Box<Proof>),
    /// Something looks different.
    Show,
}

/// Why a test does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such proof.
    Unknown,
    /// Another test waits for its call.
    Busy,
}

/// The newest proof of a number, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofView {
    /// What it comes to.
    pub verdict: Verdict,
    /// Whether every call is proven to be forwarded.
    pub unconditional: bool,
    /// When it was seen last.
    pub at: WallTime,
    /// Its identity.
    pub id: ProofId,
}

/// Every proof of the box.
#[derive(Debug)]
pub struct Prover {
    box_id: BoxId,
    proofs: BTreeMap<ProofId, Proof>,
    running: Option<(ProofId, Test)>,
}

impl Prover {
    /// A prover that knows these proofs.
    #[must_use]
    pub fn new(box_id: BoxId, kept: impl IntoIterator<Item = Proof>) -> Self {
        let mut prover = Self { box_id, proofs: BTreeMap::new(), running: None };
        for proof in kept {
            prover.proofs.insert(proof.id, proof);
            prover.make_room();
        }
        prover
    }

    /// Begins a proof without a test.
    pub fn begin(
        &mut self,
        id: ProofId,
        (advertised, tracking): (E164, E164),
        (campaign, by): (String, String),
        at: WallTime,
    ) {
        let proof = Proof {
            schema: SCHEMA.to_owned(),
            id,
            box_id: self.box_id,
            advertised,
            tracking,
            campaign,
            by,
            begun: at,
            at,
            seen_to: Vec::new(),
            free: None,
            busy: None,
            verdict: Verdict::Unknown,
            unconditional: false,
        };
        self.proofs.insert(id, proof);
        self.make_room();
    }

    /// Notes what of the checklist was seen to.
    pub fn see_to(&mut self, id: ProofId, words: &[String]) {
        let Some(proof) = self.proofs.get_mut(&id) else { return };
        let known = CHECKLIST.iter().map(|(word, _)| *word).filter(|word| words.iter().any(|w| w == word));
        proof.seen_to = known.map(str::to_owned).collect();
    }

    /// Begins a test.
    ///
    /// # Errors
    /// Why it does not.
    pub fn test(
        &mut self,
        id: ProofId,
        office: Office,
        caller: Option<E164>,
        now: Instant,
    ) -> Result<(), Refused> {
        let proof = self.proofs.get(&id).ok_or(Refused::Unknown)?;
        if self.running.is_some() {
            return Err(Refused::Busy);
        }
        let (advertised, tracking) = (proof.advertised.clone(), proof.tracking.clone());
        let order = Order { advertised, tracking, caller, office };
        self.running = Some((id, Test::begin(order, now)));
        Ok(())
    }

    /// Takes one event of the test that waits, if one does.
    pub fn handle(&mut self, event: Event, now: Instant, at: WallTime, out: &mut Vec<Command>) {
        let Some((id, test)) = &mut self.running else { return };
        let before = test.state().clone();
        let found = test.handle(event, now);
        if *test.state() != before {
            out.push(Command::Show);
        }
        let Some(finding) = found else { return };
        let (id, office) = (*id, test.order().office);
        self.running = None;
        let Some(proof) = self.proofs.get_mut(&id) else { return };
        proof.take(office, finding, at);
        out.push(Command::Keep(Box::new(proof.clone())));
    }

    /// When [`Event::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.running.as_ref().and_then(|(_, test)| test.deadline())
    }

    /// One proof.
    #[must_use]
    pub fn get(&self, id: ProofId) -> Option<&Proof> {
        self.proofs.get(&id)
    }

    /// The test of a proof that waits.
    #[must_use]
    pub fn running(&self, id: ProofId) -> Option<&Test> {
        self.running.as_ref().filter(|(running, _)| *running == id).map(|(_, test)| test)
    }

    /// Every proof that has a finding, newest first.
    pub fn kept(&self) -> impl Iterator<Item = &Proof> {
        self.proofs.values().rev().filter(|proof| proof.free.is_some())
    }

    /// The newest proof with a finding of an advertised number.
    #[must_use]
    pub fn newest_for(&self, advertised: &E164) -> Option<ProofView> {
        let proof = self.kept().find(|proof| proof.advertised == *advertised)?;
        let Proof { verdict, unconditional, at, id, .. } = *proof;
        Some(ProofView { verdict, unconditional, at, id })
    }

    /// Gives up the oldest draft, or the oldest proof, beyond what is remembered.
    fn make_room(&mut self) {
        let running = self.running.as_ref().map(|(id, _)| *id);
        let drafts =
            || self.proofs.values().filter(|proof| proof.free.is_none() && Some(proof.id) != running);
        let too_many = [
            (drafts().count() > MAX_DRAFTS).then(|| drafts().next()).flatten(),
            (self.kept().count() > MAX_KEPT).then(|| self.kept().last()).flatten(),
        ];
        let gone: Vec<ProofId> = too_many.into_iter().flatten().map(|proof| proof.id).collect();
        self.proofs.retain(|id, _| !gone.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::CallId,
        proving::{Arrival, TEST_MS},
    };

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn id(n: u64) -> ProofId {
        ProofId::from_parts(WallTime(n), 1)
    }

    fn prover() -> Prover {
        let mut prover = Prover::new(BoxId::from_parts(WallTime(0), 1), []);
        begin(&mut prover, 1);
        prover
    }

    fn begin(prover: &mut Prover, n: u64) {
        let numbers = (number("+13125550150"), number("+13125550100"));
        prover.begin(id(n), numbers, ("Flyer".to_owned(), "Dana".to_owned()), WallTime(n));
    }

    fn arrived(office: Office) -> Event {
        Event::Arrived(Arrival {
            call: CallId::from_parts(WallTime(1), 1),
            tracking: number("+13125550100"),
            caller: None,
            forwarders: vec![number("+13125550150")],
            is_conditional: false,
            office,
            warnings: Vec::new(),
        })
    }

    #[test]
    fn a_free_and_a_busy_test_make_an_unconditional_proof_that_is_kept_twice() {
        let (mut prover, mut out) = (prover(), Vec::new());
        for (office, unconditional) in [(Office::Free, false), (Office::Busy, true)] {
            assert_eq!(prover.get(id(1)).unwrap().next_test(), Some(office));
            prover.test(id(1), office, None, Instant::ZERO).unwrap();
            prover.handle(arrived(office), Instant::ZERO.after_ms(9_000), WallTime(5), &mut out);
            let view = prover.newest_for(&number("+13125550150")).unwrap();
            assert_eq!(
                (view.verdict, view.unconditional, view.id),
                (Verdict::Verified, unconditional, id(1))
            );
        }
        assert_eq!(prover.get(id(1)).unwrap().next_test(), None);
        assert_eq!(out.iter().filter(|command| matches!(command, Command::Keep(_))).count(), 2);
    }

    #[test]
    fn a_test_that_nothing_comes_to_ends_after_a_minute_and_another_may_begin() {
        let (mut prover, mut out) = (prover(), Vec::new());
        prover.test(id(1), Office::Free, None, Instant::ZERO).unwrap();
        assert_eq!(prover.test(id(1), Office::Free, None, Instant::ZERO), Err(Refused::Busy));
        assert_eq!(prover.test(id(9), Office::Free, None, Instant::ZERO), Err(Refused::Unknown));
        let due = prover.deadline().unwrap();
        assert_eq!(due, Instant::ZERO.after_ms(TEST_MS));
        prover.handle(Event::Deadline, due, WallTime(5), &mut out);
        let view = prover.newest_for(&number("+13125550150")).unwrap();
        assert_eq!((view.verdict, prover.deadline()), (Verdict::NoArrival, None));
        assert_eq!(prover.test(id(1), Office::Free, None, due), Ok(()));
    }

    #[test]
    fn drafts_are_bounded_and_no_proof_of_a_number() {
        let mut prover = prover();
        (2..100).for_each(|n| begin(&mut prover, n));
        assert_eq!(prover.proofs.len(), MAX_DRAFTS);
        assert!(prover.get(id(99)).is_some() && prover.get(id(1)).is_none());
        assert_eq!(prover.newest_for(&number("+13125550150")), None);
    }

    #[test]
    fn only_words_of_the_checklist_are_noted() {
        let mut prover = prover();
        prover.see_to(id(1), &["no_voicemail".to_owned(), "nonsense".to_owned()]);
        assert_eq!(prover.get(id(1)).unwrap().seen_to, ["no_voicemail"]);
    }
}
