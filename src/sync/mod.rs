//! Bringing records and recordings upstream: what is said, and when.

pub mod wire;
