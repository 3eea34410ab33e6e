//! The exchange behind the FXO ports, as the driver of the Si3050 and the time slot of the port meet it.

#![cfg(feature = "sim")]

mod echo;
mod ending;
mod incoming;
mod outgoing;
mod rig;
mod wires;
