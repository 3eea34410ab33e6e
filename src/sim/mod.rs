//! The simulated box: register-level chips, a sound card and one analog world of exchange, loops, phones and people.

pub mod card;
pub mod exchange;
pub mod hybrid;
pub mod observe;
pub mod office;
pub mod panel;
pub mod person;
pub mod phone;
pub mod phone_alert;
pub mod phone_caller_id;
pub mod provider;
pub mod scenario;
pub mod si3050;
pub mod si3215;
pub mod spi;
pub mod supervision;
mod voice;
pub mod world;
