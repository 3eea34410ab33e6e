//! Connections to the running box's own socket, for the HTTP client.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
};
use ureq::{
    Error, Timeout,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
};

/// Opens connections to one socket, whatever the address says.
#[derive(Clone, Debug)]
pub(super) struct Hatch(pub(super) PathBuf);

impl Connector<()> for Hatch {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Stream>, Error> {
        let stream = UnixStream::connect(&self.0)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Stream { stream, buffers }))
    }
}

/// One connection.
pub(super) struct Stream {
    stream: UnixStream,
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

    /// Each command asks a time or two: a new connection costs nothing here.
    fn is_open(&mut self) -> bool {
        false
    }
}
