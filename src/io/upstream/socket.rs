//! Sockets to the upstream: least effort for the network, short buffers, so that a call never waits behind an upload.

use socket2::SockRef;
use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use ureq::{
    Error, Timeout,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
};

/// DSCP LE (RFC 8622): yields to everything.
pub const DSCP_LE: u8 = 1;
/// DSCP CS1 (RFC 3662), for networks that do not know LE.
pub const DSCP_CS1: u8 = 8;
/// What the kernel holds of an upload; it doubles this for its own book-keeping.
const SEND_BUFFER_BYTES: usize = 32 << 10;
/// Of this, what may wait without being sent.
const NOT_SENT_BYTES: libc::c_int = 16 << 10;
/// Time for one address of the upstream.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Opens sockets, and can shut the one that is open.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    dscp: u8,
    open: Arc<Mutex<Option<TcpStream>>>,
}

impl Sockets {
    pub(super) fn new(dscp: u8) -> Self {
        Self { dscp, open: Arc::default() }
    }

    /// Ends whatever waits on the socket.
    pub(super) fn shut(&self) {
        if let Some(open) = &*self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = open.shutdown(Shutdown::Both);
        }
    }

    fn connect_one(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_PATIENCE)?;
        mark(&stream, self.dscp)?;
        stream.set_nodelay(true)?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = stream.try_clone().ok();
        Ok(stream)
    }
}

/// Sets what a socket to the upstream has.
///
/// # Errors
/// If the kernel refuses.
pub fn mark(stream: &TcpStream, dscp: u8) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let tos = u32::from(dscp) << 2;
    match stream.peer_addr()? {
        SocketAddr::V4(_) => socket.set_tos_v4(tos)?,
        SocketAddr::V6(_) => socket.set_tclass_v6(tos)?,
    }
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    not_sent_low_water(stream)
}

#[allow(unsafe_code)]
fn not_sent_low_water(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let value = std::ptr::from_ref(&NOT_SENT_BYTES).cast();
    let length = size_of_val(&NOT_SENT_BYTES) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the kernel reads `length` bytes of a value that lives as long.
    let done = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, value, length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Connector<()> for Sockets {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Stream>, Error> {
        let mut last = Error::HostNotFound;
        for &address in &*details.addrs {
            match self.connect_one(address) {
                Ok(stream) => {
                    let config = details.config;
                    let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
                    return Ok(Some(Stream { stream, buffers }));
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// One connection.
pub(super) struct Stream {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.stream).finish()
    }
}

/// The kernel says "would block" when a blocking socket's time is over.
fn in_time<T>(done: io::Result<T>, reason: Timeout) -> Result<T, Error> {
    done.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(reason),
        _ => error.into(),
    })
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|left| *left))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        in_time(self.stream.write_all(output), timeout.reason)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let length = in_time(read, timeout.reason)?;
        self.buffers.input_appended(length);
        Ok(length > 0)
    }

    fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let probe = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut byte));
        let is_quiet = probe.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_quiet && self.stream.set_nonblocking(false).is_ok()
    }
}
