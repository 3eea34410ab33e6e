//! Proving that an advertised number forwards to its tracking number: by a call, and with what the network said of it.
//!
//! [`check`] says whether two numbers may be joined at all, [`Test`] watches for one test call, [`Proof`] is what two
//! tests have shown, and [`Prover`] keeps the proofs of the box.
//!
//! One call proves that the advertised number forwards. It does not prove that it always does: a forward "when nobody
//! answers" or "when busy" brings a call too. So there are two tests. The first is made while the office's lines are
//! free, which a forward "when busy" does not pass; the second while they are busy, which a forward "when nobody
//! answers" does not pass. Only both together make a proof unconditional.

mod check;
mod judge;
mod proof;
mod prover;
mod test;
mod words;

pub use check::{Objection, check};
pub use judge::{Arrival, Evidence};
pub use proof::{CHECKLIST, Finding, Proof, SCHEMA, Verdict};
pub use prover::{Command, MAX_DRAFTS, MAX_KEPT, ProofView, Prover, Refused};
pub use test::{Event, Office, Order, State, TEST_MS, Test};
pub use words::{failed_hop, remedy, said};
