//! `ringside`: the box between a business's advertised phone numbers and its office line.
//!
//! Two pure values are the product: [`switchboard::Switchboard`] (control plane) and
//! [`media::PatchBay`] (data plane). Everything that touches the outside lives in [`io`], [`web`],
//! [`upstream`], [`daemon`], [`cli`] and [`sim`]; a module imports only lower layers, which `tests/tidy.rs` enforces.

// Words.
pub mod access;
pub mod handling;
pub mod hex;
pub mod id;
pub mod note;
pub mod number;
pub mod record;
pub mod status;
pub mod time;

// Tools.
pub mod audio;
pub mod board;
pub mod chip;
pub mod config;
pub mod dialling;
pub mod directory;
pub mod doctor;
pub mod health;
pub mod ledger;
pub mod rtp;

// Machines: pure, siblings, blind to each other.
pub mod call;
pub mod line;
pub mod media;
pub mod panel;
pub mod proving;
pub mod recording;
pub mod sip;
pub mod sync;
pub mod webhook;

// The box.
pub mod switchboard;

// Edges: the only modules allowed a clock, a file, a socket or a thread.
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod io;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod web;

// The other end of many boxes.
#[cfg(feature = "upstream")]
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod upstream;

#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod cli;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod daemon;
#[cfg(feature = "sim")]
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod sim;
