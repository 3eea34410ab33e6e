//! The box: routes input to machine and action to output; has no states of its own.
