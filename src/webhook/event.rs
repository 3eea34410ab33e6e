//! What the webhook machine is told, and what it says.

use super::happening::Happening;

/// What the machine is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something happened.
    Happened(Happening),
    /// More happened than could be told: what the store has of it is still to be sent.
    Overrun,
    /// A receiver answered, or did not.
    Answered {
        /// Which receiver, in the order of the configuration.
        receiver: usize,
        /// `webhook-id` of what was sent.
        id: String,
        /// How it went.
        outcome: Outcome,
    },
    /// Calls that are over and that the receiver has not been told of, oldest first.
    Listed {
        /// Which receiver.
        receiver: usize,
        /// Their `post_call`s.
        calls: Vec<Happening>,
        /// Whether these are all.
        is_all: bool,
    },
    /// These are to be sent again, oldest first.
    Replayed {
        /// Which receiver.
        receiver: usize,
        /// At most [`MAX_REPLAY`](super::machine::MAX_REPLAY); what is over is left out.
        happenings: Vec<Happening>,
    },
    /// A receiver that was given up answers again.
    Revived {
        /// Which receiver.
        receiver: usize,
    },
    /// The deadline is reached.
    Deadline,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx.
    Accepted(u16),
    /// 410: the receiver wants nothing any more.
    Gone,
    /// 4xx: it does not want this one.
    Refused(u16),
    /// Anything else.
    Failed {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What is the matter, in words.
        why: String,
        /// What `Retry-After` asked for.
        retry_after_ms: Option<u64>,
    },
    /// There is nothing left to say: the record was erased.
    Void,
}

impl Outcome {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Accepted(status) => format!("{status}"),
            Self::Gone => "410: the receiver is gone".to_owned(),
            Self::Refused(status) => format!("{status}: refused"),
            Self::Failed { status: Some(status), why, .. } => format!("{status}: {why}"),
            Self::Failed { status: None, why, .. } => why.clone(),
            Self::Void => "erased before it was sent".to_owned(),
        }
    }
}

/// What the machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send this.
    Send {
        /// To which receiver.
        receiver: usize,
        /// What.
        happening: Happening,
    },
    /// This is done with, told or given up: it need not be kept for the receiver.
    Settle {
        /// Which receiver.
        receiver: usize,
        /// What.
        happening: Happening,
    },
    /// Say which calls the receiver has not been told of, oldest first.
    List {
        /// Which receiver.
        receiver: usize,
    },
    /// The receiver has failed for too long, or is gone: nothing is sent to it any more.
    GiveUp {
        /// Which receiver.
        receiver: usize,
    },
}
