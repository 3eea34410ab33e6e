//! The receiver, `ringside upstream`, as boxes and operators see it: real processes, a real PostgreSQL, an S3 server.

#![cfg(feature = "upstream")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, unreachable_pub)]

mod certificates;
mod conformance;
mod connections;
mod dice;
mod fleet;
mod fleet_pages;
mod garage;
mod killed;
mod running;
mod same_rows;
mod sender;
