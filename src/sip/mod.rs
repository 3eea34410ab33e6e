//! SIP without I/O: parser, transactions, dialogs, registration.
//!
//! Datagrams and the office's decisions go into [`endpoint::Endpoint`] as [`event::Event`]s, datagrams and facts of
//! calls come out as [`event::Command`]s. The parts, from the wire up:
//!
//! | what | modules |
//! |---|---|
//! | reading and writing messages | `message`, `uri`, `params`, `scan`, `sdp`, `auth`, `status` |
//! | transactions (RFC 3261 section 17) | `server_invite`, `server_request`, `client_invite`, `client_request`, `remembered`, `timer` |
//! | calls (RFC 3261 sections 12 to 15) | `dialog`, `calling`, `success`, `negotiation`, `session_timer` |
//! | facts of a new call | `offered`, `identity` |
//! | registration | `registration` |
//! | all of it | `endpoint`, with `guard`, `settings`, `event`, `tokens` |

pub mod auth;
pub mod calling;
pub mod client_invite;
pub mod client_request;
pub mod dialog;
pub mod endpoint;
pub mod event;
pub mod guard;
pub mod identity;
pub mod message;
pub mod negotiation;
pub mod offered;
pub mod params;
pub mod registration;
pub mod remembered;
pub mod scan;
pub mod sdp;
pub mod server_invite;
pub mod server_request;
pub mod session_timer;
pub mod settings;
pub mod status;
pub mod success;
pub mod timer;
pub mod tokens;
pub mod uri;
