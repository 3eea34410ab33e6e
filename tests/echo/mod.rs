//! Recorded talkers, a 2-wire line with the echo paths of ITU-T G.168 annex D, and the table of what the canceller
//! makes of both; shared by the tests and the bench.

pub(crate) mod line;
pub(crate) mod recordings;
pub(crate) mod table;
