//! The front panel and the lifeline relay: what the LEDs show, what the button means, when line and phone are joined.
//!
//! Everything here is pure. What is behind the traits ([`Leds`], [`Button`], [`Relay`]) is `io` on the box and
//! `sim::panel` in the simulation.

pub mod button;
pub mod led;
pub mod lifeline;

use crate::time::Instant;
use led::{Led, Light};

/// A device of the panel that does not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{device}: {problem}; {remedy}")]
pub struct DeviceError {
    /// Which one: a path, or what the profile calls it.
    pub device: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// The LEDs of a board.
pub trait Leds: Send {
    /// Takes what a LED shall show from the next turn on; one that the board does not have is left out.
    fn show(&mut self, led: Led, light: Light);

    /// Brings the LEDs to what they shall show at `now`; due at least every [`led::STEP_MS`].
    ///
    /// # Errors
    /// A LED that has just failed: each is reported once, until it has worked again.
    fn turn(&mut self, now: Instant) -> Result<(), DeviceError>;
}

/// An edge of the button's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The contact closed.
    Pressed,
    /// The contact opened.
    Released,
}

/// The button of a board.
pub trait Button: Send {
    /// The next edge that has happened until `now`; call it until it gives `None`. It never waits.
    ///
    /// # Errors
    /// The device is gone; it is reported once, then there are no edges any more.
    fn poll(&mut self, now: Instant) -> Result<Option<Edge>, DeviceError>;
}

/// The coil of the lifeline relay. It is released when this is dropped.
pub trait Relay: Send {
    /// Separates line and phone, so that both are the box's.
    ///
    /// # Errors
    /// The coil did not take the order.
    fn energise(&mut self) -> Result<(), DeviceError>;

    /// Joins line and phone.
    ///
    /// # Errors
    /// The coil did not take the order.
    fn release(&mut self) -> Result<(), DeviceError>;
}
