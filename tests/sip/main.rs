//! SIP: messages as carriers, broken peers and bad luck send them, and the endpoint as a trunk sees it.

mod corpus;
mod fuzz;
mod ladders;
mod limits;
mod messages;
mod peer;
mod registration;
mod storm;
