//! SIP messages and session descriptions as carriers, broken peers and bad luck send them.

mod corpus;
mod fuzz;
mod messages;
