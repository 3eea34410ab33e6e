//! SIP as a trunk sees the box: messages and session descriptions as carriers, broken peers and bad luck send them;
//! calls as ladders, floods, storms and registrations.

#![allow(clippy::disallowed_methods)] // ladders and messages are files

mod corpus;
mod fuzz;
mod ladders;
mod limits;
mod messages;
mod peer;
mod placing;
mod registration;
mod storm;
