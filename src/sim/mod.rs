//! The simulated box: chips, analog world, sound card, SIP provider.
