//! Start and stop order, threads and loops.
