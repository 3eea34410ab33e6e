//! A demo built without the receiver: its box has no upstream.

use super::Failure;
use std::{net::SocketAddr, path::Path};

/// The receiver that is not there.
pub(super) struct Upstream;

impl Upstream {
    pub(super) fn start(_data: &Path) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) fn section(&self) -> String {
        String::new()
    }

    pub(super) fn greeting(&self) -> String {
        String::new()
    }

    pub(super) fn check(&self, _data: &Path, _web: SocketAddr) -> Result<(), Failure> {
        Ok(())
    }
}
