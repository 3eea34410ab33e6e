//! What the endpoint is told about the site: our address, and the trunks.

use super::uri::Uri;
use crate::{
    config::{Cidr, DidSource},
    number::Dialplan,
};
use std::net::SocketAddr;

/// Facts of one endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our SIP address as peers on the same network see it; a registrar may teach the endpoint another one.
    pub local: SocketAddr,
    /// Value of User-Agent and Server.
    pub user_agent: String,
    /// How numbers without a country code are read.
    pub dialplan: Dialplan,
    /// SIP providers.
    pub trunks: Vec<Trunk>,
}

/// One SIP provider.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Name in the configuration.
    pub name: String,
    /// How it finds us.
    pub mode: Mode,
    /// Where it puts the called number.
    pub did_source: DidSource,
    /// Blocks from which it sends; INVITEs are taken from these without further proof.
    pub allow: Vec<Cidr>,
}

/// How a trunk finds us.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // there are as many of these as trunks: one or two
pub enum Mode {
    /// It knows our address.
    Ip,
    /// We register with it.
    Register(Account),
}

/// An account with a registrar.
#[derive(Clone)]
pub struct Account {
    /// Resolved address of the registrar.
    pub registrar: SocketAddr,
    /// Domain of the address of record, as an address without a user: `sip:sip.example.net`.
    pub domain: Uri,
    /// User of the address of record.
    pub user: String,
    /// User name for digest authentication.
    pub auth_user: String,
    /// Password for digest authentication; never printed.
    pub password: String,
    /// Registration interval asked for, in seconds.
    pub expires_s: u32,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("registrar", &self.registrar)
            .field("domain", &self.domain)
            .field("user", &self.user)
            .field("expires_s", &self.expires_s)
            .finish_non_exhaustive()
    }
}
