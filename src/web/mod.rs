//! The live page and the API.
