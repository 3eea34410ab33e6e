//! Where requests come in: the socket of the page, and the box's own socket for programs on it.
//!
//! The page's socket takes TLS and plain HTTP: the first byte tells. Plain HTTP from beyond this machine is only told the
//! right address, by the guard.
//!
//! The box's own socket lies in the data directory and is the daemon's user's only; whoever is on it is this user or
//! root, and so may do everything that the files of the box let them do anyway.

use super::{
    connections::Known,
    tls::{Certificate, TlsAcceptor, TlsStream},
};
use axum::serve::Listener;
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};

/// Name of the box's own socket in its data directory.
pub const HATCH: &str = "ctl.sock";
/// After an accept that failed: out of file descriptors, most likely.
const BREATH: Duration = Duration::from_millis(100);

/// Handshakes under way at once.
const HANDSHAKES: usize = 64;
/// How long a handshake may take, from the connection's first moment.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How a TLS connection begins: a record of the kind `handshake` (RFC 8446 5.1). No HTTP method begins like this.
const TLS_HANDSHAKE: u8 = 22;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A program on this box, of its user or of root.
    ThisBox,
    /// Somebody on a network, which may be this machine's loopback.
    Network {
        /// Where they are.
        address: SocketAddr,
        /// Where they reached us.
        local: SocketAddr,
        /// Whether nobody can listen.
        encrypted: bool,
    },
}

impl Peer {
    /// Their address on a network.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::ThisBox => None,
            Self::Network { address, .. } => Some(address.ip().to_canonical()),
        }
    }

    /// Whether others on a network may listen.
    pub(super) fn is_overheard(self) -> bool {
        self.address().is_some_and(|address| !address.is_loopback()) && !self.is_encrypted()
    }

    pub(super) const fn is_encrypted(self) -> bool {
        matches!(self, Self::Network { encrypted: true, .. })
    }
}

/// The sockets of a server.
#[derive(Debug)]
pub struct Doors {
    pub(super) page: TcpListener,
    pub(super) hatch: Option<UnixListener>,
}

impl From<TcpListener> for Doors {
    fn from(page: TcpListener) -> Self {
        Self { page, hatch: None }
    }
}

impl Doors {
    /// With the box's own socket as well, made with [`hatch`].
    ///
    /// # Errors
    /// It cannot be waited on.
    pub fn with_hatch(self, hatch: std::os::unix::net::UnixListener) -> io::Result<Self> {
        hatch.set_nonblocking(true)?;
        Ok(Self { hatch: Some(UnixListener::from_std(hatch)?), ..self })
    }
}

/// Makes the box's own socket in place of one that a dead daemon left; the caller has the lock of the data directory.
///
/// # Errors
/// It cannot be made.
pub fn hatch(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Bytes of a connection, whatever it runs over.
pub(super) enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Known<Peer> for Wire {
    type Peer = Peer;

    fn peer(&self, address: Peer) -> Peer {
        address
    }

    fn speaks_h2(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
            Self::Tcp(_) | Self::Unix(_) => false,
        }
    }
}

/// The page's socket. Handshakes go on beside each other, so that a slow one holds up nobody.
pub(super) struct Page {
    local: SocketAddr,
    ready: mpsc::Receiver<(Wire, Peer)>,
}

impl Page {
    /// Takes over a socket; without a certificate it takes no TLS.
    pub(super) fn new(listener: TcpListener, certificate: &Certificate) -> io::Result<Self> {
        let (local, acceptor) = (listener.local_addr()?, certificate.acceptor()?);
        let (done, ready) = mpsc::channel(HANDSHAKES);
        tokio::spawn(accept(listener, acceptor, done));
        Ok(Self { local, ready })
    }
}

async fn accept(mut listener: TcpListener, acceptor: Option<TlsAcceptor>, done: mpsc::Sender<(Wire, Peer)>) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, address) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = done.closed() => return,
        };
        // A connection that is gone already has no address.
        let Ok(local) = stream.local_addr() else { continue };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE, begin(stream, acceptor)).await {
                Ok(Ok(wire)) => {
                    let encrypted = matches!(wire, Wire::Tls(_));
                    // Nobody is there to take it: the server ends.
                    drop(done.send((wire, Peer::Network { address, local, encrypted })).await);
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%address, "a connection began with nothing"),
            }
            drop(place);
        });
    }
}

async fn begin(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Wire> {
    let Some(acceptor) = acceptor else { return Ok(Wire::Tcp(stream)) };
    let mut first = [0];
    let length = stream.peek(&mut first).await?;
    if length == 1 && first == [TLS_HANDSHAKE] {
        return Ok(Wire::Tls(Box::new(acceptor.accept(stream).await?)));
    }
    Ok(Wire::Tcp(stream))
}

impl Listener for Page {
    type Io = Wire;
    type Addr = Peer;

    async fn accept(&mut self) -> (Wire, Peer) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends after us only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::Network { address: self.local, local: self.local, encrypted: false })
    }
}

/// The box's own socket.
pub(super) struct Hatch(pub(super) UnixListener);

impl Listener for Hatch {
    type Io = Wire;
    type Addr = Peer;

    async fn accept(&mut self) -> (Wire, Peer) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) if is_ours(&stream) => return (Wire::Unix(stream), Peer::ThisBox),
                Ok(_) => tracing::warn!("somebody else than the box's user tried its own socket"),
                Err(error) => {
                    tracing::debug!(%error, "the box's own socket does not accept");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::ThisBox)
    }
}

/// Whether the other end is of our own user or of root. The file's mode says so too; a folder that is shared may not.
fn is_ours(stream: &UnixStream) -> bool {
    let uid = |stream: &UnixStream| stream.peer_cred().map(|peer| peer.uid());
    // Both ends of a pair are ours.
    let own = UnixStream::pair().and_then(|(one, _other)| uid(&one));
    match (uid(stream), own) {
        (Ok(peer), Ok(own)) => peer == 0 || peer == own,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
