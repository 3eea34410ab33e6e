//! Webhooks by the Standard Webhooks specification 1.0.0: what is told to whom, signed how, and tried again when.
//!
//! `happening` is what can be told, `machine` decides what goes to which receiver next, `cursor` is what each
//! has been told of, `signing` signs it, `desk` is what people see and ask of it. None of
//! them touches a socket: `io::webhooks` does what they say.

pub mod cursor;
pub mod desk;
pub mod event;
pub mod happening;
pub mod lookup;
pub mod machine;
pub mod signing;
#[cfg(test)]
mod tests;

pub use crate::config::WebhookEvent as Kind;
