//! The directory: tracking number to campaign, forwarding number and ring group.
