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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ask::{NoAnswer, Order, RunningBox};
    use std::{os::unix::net::UnixListener, thread};

    #[test]
    fn a_box_is_asked_over_its_own_socket() {
        let dir = tempfile::tempdir().unwrap();
        assert!(RunningBox::on(dir.path()).is_none());
        let path = dir.path().join("ctl.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let running = RunningBox::on(dir.path()).unwrap();
        let answer: serde_json::Value = running.order(&Order::Get("/api/v1/users")).unwrap();
        assert_eq!(answer["a"], 1);
        assert!(served.join().unwrap().starts_with("GET /api/v1/users HTTP/1.1\r\n"));
        let gone = running.order::<serde_json::Value>(&Order::Get("/")).unwrap_err();
        assert!(matches!(gone, NoAnswer::Unreachable(..)) && gone.to_string().contains("ctl.sock"), "{gone}");
    }
}
