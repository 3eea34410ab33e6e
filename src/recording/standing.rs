//! What stands in the way of a call's erasure, or asks for it, as the notes in the journal tell.
//!
//! ```text
//!        erase asked                 due, and nothing stands in the way
//!  kept ------------> asked, due at ------------------------------------> erased
//!    ^                 | cancelled, or held
//!    `-----------------'          held ---- released ----> kept
//! ```

use crate::{
    id::CallId,
    note::{Note, Part, What},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An erasure that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The call.
    pub call: CallId,
    /// Its recording, or the record with it.
    pub part: Part,
    /// Who: `retention`, or a user.
    pub by: String,
    /// Why.
    pub why: String,
    /// Not before.
    pub due: WallTime,
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The call.
    pub call: CallId,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: WallTime,
}

/// How a call stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The erasure that is to come.
    pub asked: Option<Asked>,
    /// The hold that forbids one.
    pub held: Option<Hold>,
    /// Whether it may go without the upstream's receipt.
    #[serde(default)]
    pub receipt_waived: bool,
}

/// How every call stands of which something was said.
#[derive(Clone, Debug, Default)]
pub struct Standings(BTreeMap<CallId, Standing>);

impl Standings {
    /// Takes a note; one that says nothing of erasure changes nothing.
    pub fn note(&mut self, note: &Note) {
        match &note.what {
            What::Held { call, by, why } => {
                // A hold ends what was asked: after it, it has to be asked again.
                let hold = Hold { call: *call, by: by.clone(), why: why.clone(), since: note.at };
                self.0.insert(*call, Standing { asked: None, held: Some(hold), receipt_waived: false });
            }
            What::Released { call, .. } => {
                if let Some(standing) = self.0.get_mut(call) {
                    standing.held = None;
                }
                self.tidy(*call);
            }
            What::EraseAsked { call, part, by, why, due } => {
                let standing = self.0.entry(*call).or_default();
                // Whoever asked for the record is not content with the recording.
                let part = standing.asked.as_ref().map_or(*part, |before| before.part.max(*part));
                let (by, why) = (by.clone(), why.clone());
                standing.asked = Some(Asked { call: *call, part, by, why, due: *due });
            }
            What::EraseCancelled { call, .. } => self.settle(*call),
            What::ReceiptWaived { call, .. } => self.0.entry(*call).or_default().receipt_waived = true,
            What::RecordReceived { .. }
            | What::RecordingReceived { .. }
            | What::Refused { .. }
            | What::UpstreamLost { .. }
            | What::Directory { .. }
            | What::Audit { .. } => {}
        }
    }

    /// Nothing is to be erased of a call any more: it is done, or called off.
    pub fn settle(&mut self, call: CallId) {
        if let Some(standing) = self.0.get_mut(&call) {
            standing.asked = None;
            standing.receipt_waived = false;
        }
        self.tidy(call);
    }

    /// How a call stands.
    #[must_use]
    pub fn of(&self, call: CallId) -> Standing {
        self.0.get(&call).cloned().unwrap_or_default()
    }

    /// Erasures that are to come, the one that is due first in front.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let mut asked: Vec<Asked> = self.0.values().filter_map(|one| one.asked.clone()).collect();
        asked.sort_by_key(|one| (one.due, one.call));
        asked
    }

    /// Legal holds, by call.
    #[must_use]
    pub fn held(&self) -> Vec<Hold> {
        self.0.values().filter_map(|one| one.held.clone()).collect()
    }

    fn tidy(&mut self, call: CallId) {
        if self.0.get(&call).is_some_and(|standing| *standing == Standing::default()) {
            self.0.remove(&call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::from_parts(WallTime(1), 1);

    fn after(notes: &[What]) -> Standing {
        let mut standings = Standings::default();
        for (at, what) in (1..).zip(notes) {
            standings.note(&Note { at: WallTime(at), what: what.clone() });
        }
        standings.of(CALL)
    }

    fn ask(part: Part, due: u64) -> What {
        let (by, why) = ("retention".to_owned(), "old".to_owned());
        What::EraseAsked { call: CALL, part, by, why, due: WallTime(due) }
    }

    fn told(standing: &Standing) -> (Option<(Part, u64)>, bool) {
        (standing.asked.as_ref().map(|asked| (asked.part, asked.due.0)), standing.held.is_some())
    }

    #[test]
    fn notes_move_a_call_between_kept_asked_and_held() {
        let by = || "dana".to_owned();
        let held = || What::Held { call: CALL, by: by(), why: "court".to_owned() };
        let released = || What::Released { call: CALL, by: by() };
        let cancelled = || What::EraseCancelled { call: CALL, by: by() };
        for (notes, expected) in [
            (vec![], (None, false)),
            (vec![ask(Part::Recording, 9)], (Some((Part::Recording, 9)), false)),
            (vec![ask(Part::Recording, 9), cancelled()], (None, false)),
            (vec![ask(Part::Recording, 9), held()], (None, true)),
            (vec![ask(Part::Recording, 9), held(), released()], (None, false)),
            (vec![held(), ask(Part::Record, 9)], (Some((Part::Record, 9)), true)),
            (vec![ask(Part::Record, 9), ask(Part::Recording, 5)], (Some((Part::Record, 5)), false)),
            (vec![released(), cancelled()], (None, false)),
        ] {
            assert_eq!(told(&after(&notes)), expected, "{notes:?}");
        }
    }

    #[test]
    fn what_is_due_first_is_in_front_and_nothing_is_kept_of_what_is_over() {
        let mut standings = Standings::default();
        let call = |n: u64| CallId::from_parts(WallTime(n), 1);
        for (n, due) in [(1, 30), (2, 10), (3, 20)] {
            let what = match ask(Part::Recording, due) {
                What::EraseAsked { part, by, why, due, .. } => {
                    What::EraseAsked { call: call(n), part, by, why, due }
                }
                other => other,
            };
            standings.note(&Note { at: WallTime(1), what });
        }
        let order: Vec<CallId> = standings.asked().into_iter().map(|one| one.call).collect();
        assert_eq!(order, [call(2), call(3), call(1)]);
        (1..=3).for_each(|n| standings.settle(call(n)));
        assert!(standings.0.is_empty());
    }
}
