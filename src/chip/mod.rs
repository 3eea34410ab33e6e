//! Line chips behind `embedded_hal::spi::SpiDevice`: register-level drivers, one file or folder per part.

pub mod si3050;
pub mod si3215;

pub use si3050::{Command as LineOrder, Event as LineChange};

/// What an FXS port feeds its loop with (Si3210/15 register 64, LF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linefeed {
    /// No battery: the loop is open (CPC, faults).
    Open,
    /// Battery and audio, forward polarity: idle or talking.
    Active,
    /// Forward polarity with audio while on hook: caller ID.
    OnHookTransmission,
    /// Ringing voltage.
    Ringing,
    /// Battery and audio, reversed polarity.
    ReverseActive,
    /// Reversed polarity with audio while on hook.
    ReverseOnHookTransmission,
}

/// What a poll of an FXS port found changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChange {
    /// The chip came up after start or recovery; the loop is open (phone on hook).
    Up,
    /// Loop current flows: the handset is off hook.
    LoopClosed,
    /// Loop current stopped.
    LoopOpened,
    /// The handset was lifted during a ring burst.
    RingTripped,
    /// A power alarm opened the line; the driver recovers it by itself.
    PowerAlarm,
    /// The chip lost its registers and is being started anew.
    Reset,
    /// The chip does not come up; it is tried again with back-off.
    Down,
}
