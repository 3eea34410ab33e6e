//! The board profile: which chips, ports, slots and devices this box has.
