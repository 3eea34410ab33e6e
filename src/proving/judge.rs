//! What one call that came to the box says about a test: whether it is the test's call, and what it shows then.

use super::{
    proof::Verdict,
    test::{Office, Order},
};
use crate::{id::CallId, number::E164};
use serde::{Deserialize, Serialize};

/// A tracked call that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The call.
    pub call: CallId,
    /// The tracking number that it came to.
    pub tracking: E164,
    /// Its caller, if that may be known.
    pub caller: Option<E164>,
    /// Numbers that forwarded it, first forwarder first, and the advertised number if the caller's place shows it.
    pub forwarders: Vec<E164>,
    /// Whether somebody forwards only sometimes.
    pub is_conditional: bool,
    /// What the office's lines were doing.
    pub office: Office,
    /// What a person should look at, the words of the record.
    pub warnings: Vec<String>,
}

/// Why a call is taken for the test's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The trunk names the advertised number as a forwarder.
    Forwarder,
    /// It came from the number that the tester said they call from, while they called.
    Caller,
}

/// Why `arrival` is the call that `order` waits for; `None` if it is another one.
pub(super) fn evidence(order: &Order, arrival: &Arrival) -> Option<Evidence> {
    if arrival.forwarders.contains(&order.advertised) {
        return Some(Evidence::Forwarder);
    }
    let is_tester = order.caller.is_some() && order.caller == arrival.caller;
    is_tester.then_some(Evidence::Caller)
}

/// What the test's own call shows.
pub(super) fn judge(order: &Order, arrival: &Arrival) -> Verdict {
    if arrival.tracking != order.tracking {
        Verdict::WrongNumber
    } else if arrival.is_conditional {
        Verdict::Conditional
    } else if arrival.office != order.office {
        // A forward of the other kind would have brought it as well: nothing is shown.
        Verdict::Unknown
    } else {
        Verdict::Verified
    }
}
