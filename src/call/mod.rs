//! One tracked call: its state machine, its record, its bubble.

pub mod attribution;
pub mod bubble;
pub mod event;
pub mod incoming;
pub mod machine;
pub mod our_own;
pub mod ring_group;
mod story;
pub mod untracked;
