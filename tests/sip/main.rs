//! The SIP endpoint as a trunk sees it: ladders, storms, registrations.

mod ladders;
mod peer;
mod registration;
mod storm;
