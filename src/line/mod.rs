//! Analog ports as machines: ring cadence, hook, flash, disconnect.

pub mod cadence;
pub mod fxs;
