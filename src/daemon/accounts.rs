//! Who may come in: the accounts of the data directory, the names of the box, and its own socket.

use crate::{
    config::Config,
    io::{address, private_files::PrivateDir},
    web::{self, Accounts, Certificate, Loopback, Names, PrivateFiles},
};
use std::{fs, io, net::SocketAddr, os::unix::net::UnixListener, path::Path, sync::Arc};

/// The name that every box has on its network.
const LOCAL: &str = "ringside.local";

impl PrivateFiles for PrivateDir {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.read(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes)
    }

    fn put_aside(&self, name: &str, aside: Option<&str>) -> io::Result<()> {
        self.put_aside(name, aside)
    }
}

/// The accounts of a data directory. A box that is nobody's says its claim code in the log.
pub(super) fn open(config: &Config, data: &Path) -> Accounts {
    let loopback = if config.web.trust_loopback { Loopback::Trusted } else { Loopback::SignsIn };
    let accounts = Accounts::open(Arc::new(PrivateDir::new(data)), loopback);
    if let (Some(code), Loopback::SignsIn) = (accounts.claim_code(), loopback) {
        tracing::warn!("this box has no administrator yet: open its page and give the claim code {code}");
    }
    accounts
}

/// What browsers may call the box.
pub(super) fn names(config: &Config) -> Names {
    Names::new(named(config))
}

/// What the page shows for itself; nothing if it is for this machine only.
pub(super) fn certificate(config: &Config, page: SocketAddr, data: &Path) -> io::Result<Certificate> {
    if page.ip().is_loopback() {
        return Ok(Certificate::none());
    }
    let names = named(config);
    Certificate::open(Arc::new(PrivateDir::new(data)), move || {
        let addresses = address::all().into_iter().filter(|address| !address.is_loopback());
        names.iter().cloned().chain(addresses.map(|address| address.to_string())).collect()
    })
}

fn named(config: &Config) -> Vec<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let of_host =
        (!host.is_empty() && host != "localhost").then(|| [host.to_owned(), format!("{host}.local")]);
    let names = [LOCAL.to_owned()].into_iter().chain(of_host.into_iter().flatten());
    let names = names.chain(config.web.names.iter().cloned()).filter(|name| name.is_ascii());
    names.map(|name| name.to_ascii_lowercase()).collect()
}

/// The box's own socket. Without it the page works all the same.
pub(super) fn hatch(data: &Path) -> Option<UnixListener> {
    let path = data.join(web::HATCH);
    let made = web::hatch(&path);
    made.inspect_err(
        |error| tracing::error!(%error, "{}: programs on this box cannot ask it", path.display()),
    )
    .ok()
}
