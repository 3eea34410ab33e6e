//! TLS: the receiver's certificate, the certificates of boxes, trust in the database's. Beside `web::tls` the only file naming `rustls`.
//!
//! A box may show a certificate instead of a token: one that the given authority has signed and that names the box's id
//! as a DNS name or as its common name. Browsers show none and are let in without; what they may see is another matter.

use crate::{
    id::BoxId,
    web::{connections::Known, tls::provider},
};
use axum::serve::Listener;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Handshakes under way at once.
const HANDSHAKES: usize = 256;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Files of the receiver's TLS.
#[derive(Clone, Debug)]
pub struct Files {
    /// Its certificate and those between it and the root, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Authority of the boxes' certificates, PEM.
    pub client_ca: Option<PathBuf>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The box that its certificate names.
    pub certified: Option<BoxId>,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
}

impl Known<SocketAddr> for TcpStream {
    type Peer = Peer;

    fn peer(&self, address: SocketAddr) -> Peer {
        Peer { address, certified: None, encrypted: false }
    }
}

impl Known<SocketAddr> for TlsStream<TcpStream> {
    type Peer = Peer;

    fn peer(&self, address: SocketAddr) -> Peer {
        let (_, session) = self.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        Peer { address, certified: certificate.and_then(named_box), encrypted: true }
    }
}

/// The one TLS provider of this program, also for those crates that take the process's own.
pub fn install_provider() {
    // A second call finds the first one's.
    let _ = ring::default_provider().install_default();
}

/// Trust in the servers that `ca` has signed; without it in those that this machine trusts.
///
/// # Errors
/// The file cannot be read, or there is nothing to trust.
pub(super) fn client_config(ca: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => roots = authorities(ca)?,
        None => roots.extend(
            CertificateDer::pem_file_iter("/etc/ssl/certs/ca-certificates.crt")
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|der| {
                    webpki::anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned())
                }),
        ),
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(builder.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}

fn authorities(file: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable(file))? {
        roots.add(certificate.map_err(unreadable(file))?).map_err(unreadable(file))?;
    }
    if roots.is_empty() { Err(unreadable(file)("there is no certificate in it")) } else { Ok(roots) }
}

fn unreadable<E: fmt::Display>(file: &Path) -> impl Fn(E) -> io::Error + '_ {
    move |error| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {error}", file.display()))
}

/// The box that a certificate names: as a DNS name, else as the common name of its subject.
fn named_box(certificate: &CertificateDer<'_>) -> Option<BoxId> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let by_name = certificate.valid_dns_names().find_map(read_id);
    by_name.or_else(|| read_id(common_name(certificate.subject())?))
}

/// DNS names know no case; ids are written in capitals behind `box_`.
fn read_id(name: &str) -> Option<BoxId> {
    let (prefix, rest) = name.split_at_checked(4)?;
    format!("{}{}", prefix.to_ascii_lowercase(), rest.to_ascii_uppercase()).parse().ok()
}

/// The common name in a subject (X.520 2.5.4.3): its tag, a string's tag, a length below 128, the name.
fn common_name(subject: &[u8]) -> Option<&str> {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    let at = subject.windows(COMMON_NAME.len()).position(|window| window == COMMON_NAME)?;
    let [_, length, rest @ ..] = subject.get(at + COMMON_NAME.len()..)? else { return None };
    std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
}

/// Accepts TLS connections. Handshakes go on beside each other, so that a slow one holds up nobody.
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Takes over a socket.
    ///
    /// # Errors
    /// A file cannot be read, or key and certificate do not fit.
    pub fn new(listener: TcpListener, files: &Files) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(files)?));
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(HANDSHAKES);
        tokio::spawn(accept(listener, acceptor, done));
        Ok(Self { address, ready })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, address) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = done.closed() => return,
        };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                // Nobody is there to take it: the server ends.
                Ok(Ok(stream)) => drop(done.send((stream, address)).await),
                Ok(Err(error)) => tracing::debug!(%address, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
            }
            drop(place);
        });
    }
}

fn server_config(files: &Files) -> io::Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let builder = match &files.client_ca {
        Some(ca) => {
            let roots = Arc::new(authorities(ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder
                .with_client_cert_verifier(verifier.allow_unauthenticated().build().map_err(unreadable(ca))?)
        }
        None => builder.with_no_client_auth(),
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&files.certificate).map_err(unreadable(&files.certificate))?.collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let chain = chain.map_err(unreadable(&files.certificate))?;
    let mut config = builder.with_single_cert(chain, key).map_err(unreadable(&files.certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends after us only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_its_box_in_any_case() {
        let id = BoxId::from_parts(crate::time::WallTime(1_763_816_709_007), 42);
        let name = id.to_string();
        let certified = |subject: &str, names: &[String]| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut parameters = rcgen::CertificateParams::new(names).unwrap();
            parameters.distinguished_name.push(rcgen::DnType::CommonName, subject);
            named_box(parameters.self_signed(&key).unwrap().der())
        };
        assert_eq!(certified(&name, &[]), Some(id));
        assert_eq!(certified("somebody", &[name.to_lowercase()]), Some(id));
        assert_eq!(certified("somebody", &["example.org".to_owned()]), None);
        assert_eq!(certified("", &[]), None);
    }
}
