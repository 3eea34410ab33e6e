//! The outside: one file per thing that is not ours.
