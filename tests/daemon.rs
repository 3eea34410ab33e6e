//! The running daemon, end to end: the real binary on a simulated office, called by a SIP provider of its own.
#![cfg(feature = "sim")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests wait, look at files and open sockets"
)]

#[path = "daemon/dialled.rs"]
mod dialled;
#[path = "daemon/direct.rs"]
mod direct;
#[path = "daemon/edited.rs"]
mod edited;
#[path = "daemon/emergency.rs"]
mod emergency;
#[path = "daemon/killed.rs"]
mod killed;
#[path = "daemon/line.rs"]
mod line;
#[path = "daemon/line_test.rs"]
mod line_test;
#[path = "daemon/mixed.rs"]
mod mixed;
#[path = "daemon/office.rs"]
mod office;
#[path = "daemon/panel.rs"]
mod panel;
#[path = "daemon/paused.rs"]
mod paused;
#[path = "daemon/proven.rs"]
mod proven;
#[path = "daemon/recorded.rs"]
mod recorded;
#[path = "daemon/reports.rs"]
mod reports;
#[path = "daemon/mod.rs"]
mod shared;
#[path = "daemon/status.rs"]
mod status;
#[path = "daemon/talking.rs"]
mod talking;
