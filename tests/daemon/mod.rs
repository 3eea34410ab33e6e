//! What the tests of the running daemon share: a site, the process, its page, its sound, a SIP peer.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod inside;
pub mod peer;
pub mod process;
pub mod site;
pub mod sound;
pub mod web;
