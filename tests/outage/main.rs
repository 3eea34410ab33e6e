//! The box and its upstream together, as real processes on loopback: one call, seven days without the upstream, and a
//! disk that fills up. RINGSIDE_LONG=1 makes the outage 10,000 calls.
#![cfg(all(feature = "sim", feature = "upstream"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests wait, look at files and open sockets"
)]

#[path = "../disks/mod.rs"]
mod disks;
mod full_disk;
mod office;
mod one_call;
mod receiver;
mod seven_days;
#[path = "../daemon/mod.rs"]
mod shared;
#[path = "../storage/mod.rs"]
mod storage;
