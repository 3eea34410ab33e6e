//! The simulated box: register-level chips, a sound card and one analog world of exchange, loops, phones and people.

pub mod card;
pub mod provider;
pub mod world;
