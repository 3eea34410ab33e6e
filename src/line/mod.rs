//! Analog ports as machines: ring cadence, hook, flash, disconnect.

pub mod allocation;
pub mod fxo;
pub mod fxs;
pub mod line_test;
pub mod two_calls;
