//! What an observer outside the box knows, and what must hold after every input.

use super::rig::Rig;
use ringside::{
    call::{bubble::BubbleState, untracked::Via},
    chip::Linefeed,
    id::{CallId, PortId, RtpPort, Slot},
    media::control as media,
    recording::lifecycle as storage,
    switchboard::{Output, Report},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the observer has seen.
#[derive(Default)]
pub(crate) struct Observer {
    pub ringing_calls: BTreeSet<CallId>,
    /// What each slot carries: a patch, or a join named by its phone.
    pub carries: BTreeMap<Slot, Carried>,
    /// Patches without a slot.
    pub parked: BTreeSet<RtpPort>,
    pub listened: BTreeSet<Slot>,
    /// Notices that are being spoken.
    pub spoken: Vec<Slot>,
    pub to_unpatch: Vec<RtpPort>,
    pub saved: BTreeMap<CallId, u32>,
    pub begun: BTreeSet<CallId>,
    pub seen: Seen,
    pub broken: Vec<String>,
}

/// How often what is rare has come to pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub patches: u64,
    pub joins: u64,
    pub parks: u64,
    pub emergencies: u64,
    pub emergencies_on_trunk: u64,
    pub taken: u64,
    pub losses: u64,
}

impl Seen {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            patches: self.patches + other.patches,
            joins: self.joins + other.joins,
            parks: self.parks + other.parks,
            emergencies: self.emergencies + other.emergencies,
            emergencies_on_trunk: self.emergencies_on_trunk + other.emergencies_on_trunk,
            taken: self.taken + other.taken,
            losses: self.losses + other.losses,
        }
    }
}

/// What a slot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Patch(RtpPort),
    Join(Slot),
}

impl Observer {
    pub(crate) fn see(&mut self, output: &Output) {
        match output {
            Output::Show(bubble) => {
                if bubble.state == BubbleState::Ringing {
                    self.ringing_calls.insert(bubble.call);
                } else {
                    self.ringing_calls.remove(&bubble.call);
                }
                self.begun.insert(bubble.call);
            }
            Output::Patch { rtp, slot, .. } => {
                self.seen.patches += 1;
                if self.is_patched(*rtp) {
                    self.broken.push(format!("two calls on RTP port {rtp:?}"));
                }
                self.put(*slot, Carried::Patch(*rtp));
            }
            Output::Media(command) => self.see_media(command),
            Output::Listen { slot, .. } => {
                self.listened.insert(*slot);
            }
            Output::Interject { slot, .. } => {
                self.seen.taken += 1;
                self.spoken.push(*slot);
            }
            Output::Store(storage::Command::Save(record)) => {
                self.seen.losses += u64::from(record.outcome.why.as_deref() == Some("line_lost"));
                *self.saved.entry(record.id).or_insert(0) += 1;
            }
            Output::Report(Report::EmergencyDialled { via, .. }) => {
                self.seen.emergencies += 1;
                self.seen.emergencies_on_trunk += u64::from(*via == Via::Trunk);
            }
            _ => {}
        }
    }

    fn see_media(&mut self, command: &media::Command) {
        match command {
            media::Command::Unpatch { rtp } => {
                if !self.is_patched(*rtp) {
                    self.broken.push(format!("{rtp:?} unpatched without a patch"));
                }
                self.carries.retain(|_, carried| *carried != Carried::Patch(*rtp));
                self.parked.remove(rtp);
                self.to_unpatch.push(*rtp);
            }
            media::Command::Park { rtp } => {
                if !self.is_patched(*rtp) {
                    self.broken.push(format!("{rtp:?} parked without a patch"));
                }
                self.carries.retain(|_, carried| *carried != Carried::Patch(*rtp));
                self.seen.parks += 1;
                self.parked.insert(*rtp);
            }
            media::Command::Unpark { rtp, slot } => {
                if !self.parked.remove(rtp) {
                    self.broken.push(format!("{rtp:?} was not parked"));
                }
                self.put(*slot, Carried::Patch(*rtp));
            }
            media::Command::Join { phone, line } => {
                self.seen.joins += 1;
                self.put(*phone, Carried::Join(*phone));
                self.put(*line, Carried::Join(*phone));
            }
            media::Command::Part { phone } => {
                self.carries.retain(|_, carried| *carried != Carried::Join(*phone));
            }
            media::Command::Ignore { slot } => {
                self.listened.remove(slot);
            }
            _ => {}
        }
    }

    fn put(&mut self, slot: Slot, carried: Carried) {
        if let Some(before) = self.carries.insert(slot, carried) {
            self.broken.push(format!("{carried:?} on {slot:?}, which carries {before:?}"));
        }
    }

    fn is_patched(&self, rtp: RtpPort) -> bool {
        self.parked.contains(&rtp) || self.carries.values().any(|carried| *carried == Carried::Patch(rtp))
    }

    /// What holds at every moment.
    pub(crate) fn check(&mut self, rig: &Rig, seed: u64) {
        let rings = rig.phones.values().any(|phone| phone.feed == Linefeed::Ringing);
        if rings && rig.board.untracked_calls().count() == 0 && rig.board.calls() == 0 {
            self.broken.push("a phone rings and no call does".to_owned());
        }
        if rings && rig.lines.is_empty() && self.ringing_calls.is_empty() {
            self.broken.push("a phone rings and no call does".to_owned());
        }
        // Two on each phone, one on each line, and one whose line was taken.
        let most = 2 * rig.phones.len() + 2 * rig.lines.len() + 1;
        if rig.board.calls() > most {
            self.broken.push(format!("{} calls, at most {most} have room", rig.board.calls()));
        }
        if rig.deadline_ms().is_some_and(|due| due < rig.ms) {
            self.broken.push("a deadline was missed".to_owned());
        }
        for call in rig.calls.values() {
            if call.finals.len() > 1 {
                self.broken.push(format!("{}: final answers {:?}", call.name, call.finals));
            }
        }
        for (port, line) in &rig.lines {
            if line.dialled > 1 {
                self.broken.push(format!("{} was dialled on {} times", rig.port_name(*port), line.dialled));
            }
        }
        self.assert_whole(rig, seed);
    }

    fn assert_whole(&self, rig: &Rig, seed: u64) {
        let broken = &self.broken;
        assert!(broken.is_empty(), "seed {seed} at {} ms: {broken:?}\n{}", rig.ms, rig.log.join("\n"));
    }

    /// After the storm nothing is left over.
    pub(crate) fn quiet(&self, rig: &Rig, seed: u64) {
        let log = || rig.log.join("\n");
        assert_eq!(rig.board.calls(), 0, "seed {seed}: a call never ended\n{}", log());
        let untracked: Vec<_> = rig.board.untracked_calls().collect();
        assert!(untracked.is_empty(), "seed {seed}: never ended: {untracked:?}\n{}", log());
        assert!(self.carries.is_empty(), "seed {seed}: still carried: {:?}\n{}", self.carries, log());
        assert!(self.parked.is_empty(), "seed {seed}: still parked\n{}", log());
        assert!(self.listened.is_empty(), "seed {seed}: still listened to: {:?}\n{}", self.listened, log());
        assert!(self.ringing_calls.is_empty(), "seed {seed}: still ringing\n{}", log());
        for call in &self.begun {
            assert_eq!(self.saved.get(call), Some(&1), "seed {seed}: {call} saved\n{}", log());
        }
        for call in rig.calls.values().filter(|call| call.cseq > 0 && call.invited) {
            assert_eq!(call.finals.len(), 1, "seed {seed}: {} got {:?}\n{}", call.name, call.finals, log());
        }
        for (port, line) in &rig.lines {
            let held: &PortId = port;
            assert!(!line.off_hook, "seed {seed}: {} is held\n{}", rig.port_name(*held), log());
        }
        assert_eq!(rig.board.transactions(), 0, "seed {seed}: transactions left\n{}", log());
    }
}
