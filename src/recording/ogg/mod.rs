//! Ogg pages (RFC 3533) with Opus in them (RFC 7845): written without an allocation, read as checked views.

pub mod crc;
pub mod headers;
pub mod outline;
pub mod page;
pub mod writer;
