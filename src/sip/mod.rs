//! SIP without I/O: parser, transactions, dialogs, registration.

pub mod auth;
pub mod message;
pub mod params;
pub mod scan;
pub mod sdp;
pub mod uri;
