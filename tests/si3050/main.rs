//! The Si3050 driver: golden SPI frames, and four chips in a chain against the simulated board in virtual time.

#![cfg(feature = "sim")]

mod line;
mod pulse;
mod rig;
mod start;
