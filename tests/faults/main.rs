//! Disks that fail, fill up, rot, or hold very much, and clocks that jump: what was acknowledged is there.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files and clocks")]

mod calls;
mod clocks;
#[path = "../disks/mod.rs"]
mod disks;
mod flips;
mod full;
#[path = "../powercut/judge.rs"]
mod judge;
mod many;
#[path = "../storage/mod.rs"]
mod storage;
mod sweep;

/// Whether the long run was asked for.
fn is_long() -> bool {
    std::env::var_os("RINGSIDE_LONG").is_some()
}
