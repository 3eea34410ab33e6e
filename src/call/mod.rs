//! One tracked call: its state machine, its bubble.

pub mod bubble;
