//! The SIP socket: one UDP socket, marked CS3 (RFC 4594 4.3), with room for a burst of INVITEs.

use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr};
use tokio::net::UdpSocket;

/// Class selector 3 in the upper six bits of the traffic class octet.
const DSCP_CS3: u32 = 24 << 2;
/// A burst of 2,000 INVITEs of 1.2 kB waits here while a call is being handled.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest datagram UDP can carry.
pub const MAX_DATAGRAM: usize = 65_535;

/// The bound socket.
#[derive(Debug)]
pub struct SipSocket {
    socket: UdpSocket,
    /// Datagrams the kernel refused to send.
    pub refused: u64,
}

impl SipSocket {
    /// Binds to `address`; must run inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // A network without DSCP or with a smaller buffer limit still carries calls.
        let _ = match address {
            SocketAddr::V4(_) => socket.set_tos_v4(DSCP_CS3),
            SocketAddr::V6(_) => socket.set_tclass_v6(DSCP_CS3),
        };
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, refused: 0 })
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next datagram. Errors of earlier sends that the kernel reports here are passed over.
    pub async fn receive(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            match self.socket.recv_from(buffer).await {
                Ok(received) => return received,
                // ICMP port unreachable of a peer that went away.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Takes a datagram that is already there.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.socket.try_recv_from(buffer).ok()
    }

    /// Sends without waiting: SIP repeats what a full buffer drops (RFC 3261 17).
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        if self.socket.try_send_to(bytes, to).is_err() {
            self.refused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    #[tokio::test]
    async fn signalling_is_marked_cs3_in_both_families() {
        let bind = |at: &str| SipSocket::bind(at.parse().unwrap()).unwrap();
        let (four, six) = (bind("127.0.0.1:0"), bind("[::1]:0"));
        assert_eq!(SockRef::from(&four.socket).tos_v4().unwrap(), 0b0110_0000);
        assert_eq!(SockRef::from(&six.socket).tclass_v6().unwrap(), 0b0110_0000);
    }
}
