//! The telephone exchange: the lines behind the FXO ports, with everything that a port of a gateway can meet there.
//!
//! ```text
//!  World ── tick, samples ──> OfficeLine ── loop closed? ──> LoopWatch ── seized, digits, flash, released ──┐
//!                                │  ^                         dtmf::Receiver ── keys ───────────────────────┤
//!  chip (Si3050) <── Line ───────┘  └── battery, polarity, ringing, sound ── Switch <──────────────────────┘
//! ```
//! A [`LinePlan`] says how the exchange treats a line, a [`Destination`] what becomes of a call from the box, a
//! [`CallerIn`] who calls it. Time is the world's: the same calls at the same milliseconds give the same samples.

mod entry;
mod loop_watch;
mod office_line;
mod plan;
mod ringing;
mod sound;
mod switch;
mod treatment;
mod wire;

pub(super) use entry::read as read_entry;
pub use office_line::{Happening, LineSnapshot, OfficeLine};
pub use plan::{CallerIn, Country, Destination, LinePlan, Profile, Then};
pub use switch::State;
pub use wire::Line;
