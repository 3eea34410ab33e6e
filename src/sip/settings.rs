//! What the endpoint is told about the site: our address, and the trunks.

use super::uri::Uri;
use crate::{
    config::{Cidr, DidSource},
    number::{Dialplan, E164},
};
use std::net::SocketAddr;

/// Port of a trunk that is known by its address alone (RFC 3261 19.1.2).
const DEFAULT_PORT: u16 = 5060;

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
    /// What an emergency call over this trunk shows, if the installer has said.
    pub emergency: Option<Emergency>,
}

/// What an emergency call over a trunk shows.
#[derive(Clone, Debug)]
pub struct Emergency {
    /// Number at which the office is called back. The provider must have the street address of the office on file for
    /// it: that is what reaches the answering point, no address is sent by SIP.
    pub callback: E164,
    /// Where calls to a trunk of mode `ip` go, if `allow` does not say.
    pub peer: Option<SocketAddr>,
}

impl Trunk {
    /// Where calls that the box places go: to the registrar; in mode `ip` to the named peer, or to the one host that
    /// `allow` names. `None` if it names none, or only blocks of several.
    #[must_use]
    pub fn way_out(&self) -> Option<SocketAddr> {
        match &self.mode {
            Mode::Register(account) => Some(account.registrar),
            Mode::Ip => self.emergency.as_ref().and_then(|emergency| emergency.peer).or_else(|| {
                let host = self.allow.iter().find_map(Cidr::host)?;
                Some(SocketAddr::new(host, DEFAULT_PORT))
            }),
        }
    }
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
