//! The outside: one file per thing that is not ours.

pub mod line_io;
