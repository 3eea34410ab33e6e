//! The SIP endpoint as a trunk sees it: ladders, limits, storms, registrations.

mod ladders;
mod limits;
mod peer;
mod registration;
mod storm;
