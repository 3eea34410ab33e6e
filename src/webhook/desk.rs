//! What people see of the webhooks, and what they can ask for.

use super::Kind;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// How a receiver does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its number, 1-based, in the order of the configuration.
    pub n: usize,
    /// Where it listens, without a query: that may be a secret.
    pub url: String,
    /// What it is told.
    pub events: Vec<Kind>,
    /// `v1`: a shared secret; `v1a`: the box's key.
    pub signing: String,
    /// What it checks signatures with, if it needs no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// `working`, `failing`, or `given_up`: it failed for five days, or said 410.
    pub state: String,
    /// How the last attempt went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Failures since it last accepted anything.
    pub failures: u32,
    /// What waits for it.
    pub waiting: usize,
    /// Accepted since the start.
    pub accepted: u64,
    /// Not told for want of room since the start.
    pub dropped: u64,
    /// Given up after five days since the start.
    pub expired: u64,
}

/// Why something asked for was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no receiver of this number.
    #[error("there is no webhook of this number: see `ringside webhook list`")]
    Unknown,
    /// The thread is busy or gone.
    #[error("the webhooks are busy: try again in a moment")]
    Busy,
    /// Too many calls in the range.
    #[error("these are more than 10,000 calls: name a shorter time")]
    TooMany,
}

/// Where the webhooks are asked. Answers may take as long as a receiver does.
pub trait Desk: Send + Sync {
    /// Every receiver, in the order of the configuration.
    fn reports(&self) -> Vec<Report>;

    /// Sends a receiver an event of type `test` now; how that went, in words. `n` is 1-based.
    ///
    /// # Errors
    /// It could not be tried.
    fn test(&self, n: usize) -> Result<Tested, Refused>;

    /// Sends a receiver the `post_call` of every call that came in within this time again, under the ids they had; how
    /// many. `n` is 1-based.
    ///
    /// # Errors
    /// It is not done.
    fn replay(&self, n: usize, from: WallTime, to: WallTime) -> Result<usize, Refused>;
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Whether the receiver accepted it.
    pub accepted: bool,
    /// Its status, or what went wrong.
    pub said: String,
}

/// A site without webhooks.
#[derive(Debug)]
pub struct NoWebhooks;

impl Desk for NoWebhooks {
    fn reports(&self) -> Vec<Report> {
        Vec::new()
    }

    fn test(&self, _: usize) -> Result<Tested, Refused> {
        Err(Refused::Unknown)
    }

    fn replay(&self, _: usize, _: WallTime, _: WallTime) -> Result<usize, Refused> {
        Err(Refused::Unknown)
    }
}
