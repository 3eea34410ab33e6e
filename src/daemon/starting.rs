//! The first second: the trunks are registered at once, but calls are taken only when the phones can ring.
//!
//! The line chips need about a second to come up. What the trunks send meanwhile, the answer to a REGISTER or an
//! early INVITE, waits in the socket: without phones the call would be refused.

use crate::{id::PortId, time::Instant};
use std::{collections::BTreeSet, sync::mpsc::Sender};

/// How long calls wait for the line chips; one that is broken never comes.
const PATIENCE_MS: u64 = 3_000;

/// Whether calls are taken yet.
#[derive(Debug)]
pub(super) struct Starting {
    /// Phones whose chip has said nothing.
    silent: BTreeSet<PortId>,
    until: Instant,
    /// Told once when calls are taken.
    ready: Option<Sender<()>>,
}

impl Starting {
    /// Waits for `phones`, from `now` on, and tells `ready` when that is over.
    pub(super) fn new(phones: impl Iterator<Item = PortId>, now: Instant, ready: Sender<()>) -> Self {
        let mut starting =
            Self { silent: phones.collect(), until: now.after_ms(PATIENCE_MS), ready: Some(ready) };
        starting.tell(now);
        starting
    }

    /// A line chip said something: it is up, or known to be broken.
    pub(super) fn heard(&mut self, port: PortId, now: Instant) {
        self.silent.remove(&port);
        self.tell(now);
    }

    /// Time passed.
    pub(super) fn tell(&mut self, now: Instant) {
        if (self.silent.is_empty() || now >= self.until)
            && let Some(ready) = self.ready.take()
        {
            // Nobody may be waiting any more.
            let _ = ready.send(());
        }
    }

    /// Whether calls are taken.
    pub(super) const fn is_over(&self) -> bool {
        self.ready.is_none()
    }

    /// When patience is over, until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.is_over()).then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const BEGIN: Instant = Instant(5_000);

    #[test]
    fn calls_are_taken_once_every_phone_has_said_something() {
        let (ready, told) = channel();
        let mut starting = Starting::new([PortId(0), PortId(1)].into_iter(), BEGIN, ready);
        starting.heard(PortId(1), BEGIN);
        starting.heard(PortId(1), BEGIN);
        assert!(!starting.is_over() && told.try_recv().is_err());
        starting.heard(PortId(0), BEGIN);
        assert!(starting.is_over() && told.try_recv().is_ok());
        assert_eq!(starting.deadline(), None);
    }

    #[test]
    fn a_broken_chip_is_waited_for_three_seconds() {
        let (ready, told) = channel();
        let mut starting = Starting::new([PortId(0)].into_iter(), BEGIN, ready);
        let until = starting.deadline().unwrap();
        assert_eq!(until.ms_since(BEGIN), 3_000);
        starting.tell(Instant(until.0 - 1));
        assert!(told.try_recv().is_err());
        starting.tell(until);
        assert!(told.try_recv().is_ok());
    }
}
