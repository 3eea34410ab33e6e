//! The office line's machine: ladders, every exchange's way to hang up, hours of sound that is no hang-up, a storm.

#![allow(clippy::disallowed_methods, reason = "ladders and sounds are files")]

mod chip;
mod dialling;
mod exchange;
mod ladders;
mod office;
mod quiet;
mod release;
mod storm;

#[path = "../sounds/mod.rs"]
mod sounds;
