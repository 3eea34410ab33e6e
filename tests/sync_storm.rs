//! The sync machine against an upstream that misbehaves in every way it can, in virtual time: everything arrives
//! exactly once in effect, nothing waits for ever, and nobody is hammered.

#[path = "sync/model.rs"]
mod model;
#[path = "rig/dice.rs"]
mod dice;

use model::{World, Weather};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
