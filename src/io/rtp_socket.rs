//! The UDP sockets of the RTP ports, each with one for RTCP on the odd port above it (RFC 3550 section 11): bound once at
//! start, and lent to one call after another.

use super::{
    arrival::{note_arrivals, receive},
    clock::Clock,
};
use crate::{id::RtpPort, media::RtpIo, rtp::ntp::NtpTime};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
};

/// DSCP EF (RFC 3246) in the upper six bits of the traffic class: voice, and the reports about it.
const TRAFFIC_CLASS: u32 = 46 << 2;

/// Why there are no RTP sockets.
#[derive(Debug, thiserror::Error)]
pub enum RtpSocketError {
    /// Too few pairs of an even port and the odd one above it are free.
    #[error(
        "RTP: only {free} of {wanted} pairs of ports are free on {address} from {first} to {last}; widen `rtp_ports`"
    )]
    Ports {
        /// Where they were sought.
        address: IpAddr,
        /// Start of the range.
        first: u16,
        /// End of the range, included.
        last: u16,
        /// Pairs that were needed.
        wanted: usize,
        /// Pairs that were found.
        free: usize,
    },
    /// A socket could not be made or bound, and not because its port was taken.
    #[error("RTP: bind {at}: {source}; check the address in the configuration")]
    Bind {
        /// What was bound.
        at: SocketAddr,
        /// The error.
        source: io::Error,
    },
}

/// All local RTP addresses; [`RtpPort`] is the index.
#[derive(Debug)]
pub struct RtpSockets {
    sockets: Box<[Pair]>,
    addresses: Box<[SocketAddr]>,
    unsent: u64,
}

/// The sockets of one port.
#[derive(Debug)]
struct Pair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl RtpSockets {
    /// Binds the first `wanted` even ports of `ports` that are free like the odd port above them, 1 to 256 of them.
    ///
    /// # Errors
    /// If there are too few, or the address is not ours.
    pub fn bind(address: IpAddr, ports: RangeInclusive<u16>, wanted: usize) -> Result<Self, RtpSocketError> {
        let mut sockets = Vec::with_capacity(wanted);
        let mut addresses = Vec::with_capacity(wanted);
        for port in ports.clone().filter(|port| port % 2 == 0 && ports.contains(&(port + 1))) {
            if sockets.len() == wanted {
                break;
            }
            let at = SocketAddr::new(address, port);
            match Pair::bind(at) {
                Ok(pair) => {
                    sockets.push(pair);
                    addresses.push(at);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(RtpSocketError::Bind { at, source }),
            }
        }
        if sockets.len() < wanted {
            let (first, last) = ports.into_inner();
            return Err(RtpSocketError::Ports { address, first, last, wanted, free: sockets.len() });
        }
        Ok(Self { sockets: sockets.into(), addresses: addresses.into(), unsent: 0 })
    }

    /// The address that SDP offers for each RTP port, by index.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Datagrams that the kernel did not take.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent
    }
}

impl RtpIo for RtpSockets {
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.sockets.get(usize::from(rtp.0))?.rtp.recv_from(buf).ok()
    }

    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        let pair = self.sockets.get(usize::from(rtp.0));
        self.unsent += u64::from(pair.is_none_or(|pair| pair.rtp.send_to(bytes, to).is_err()));
    }

    fn receive_control(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        receive(&self.sockets.get(usize::from(rtp.0))?.rtcp, buf)
    }

    fn send_control(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        let pair = self.sockets.get(usize::from(rtp.0));
        self.unsent += u64::from(pair.is_none_or(|pair| pair.rtcp.send_to(bytes, to).is_err()));
    }

    fn now(&self) -> NtpTime {
        Clock::ntp()
    }
}

impl Pair {
    /// The even port `at` and the odd one above it.
    fn bind(at: SocketAddr) -> io::Result<Self> {
        let rtcp = bind(SocketAddr::new(at.ip(), at.port() + 1))?;
        // Without it round trips are right to a second only.
        let _ = note_arrivals(&rtcp);
        Ok(Self { rtp: bind(at)?, rtcp })
    }
}

fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // A network that is to ignore the class may; some containers forbid to set it.
    let _ = match at {
        SocketAddr::V4(_) => socket.set_tos_v4(TRAFFIC_CLASS),
        SocketAddr::V6(_) => socket.set_tclass_v6(TRAFFIC_CLASS),
    };
    socket.bind(&at.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));

    fn receive_soon(sockets: &mut RtpSockets, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        (0..100).find_map(|_| {
            let got = sockets.receive(rtp, buf);
            if got.is_none() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            got
        })
    }

    #[test]
    fn ports_are_even_and_one_of_a_taken_pair_is_passed_over() {
        let taken = [41_002, 41_007].map(|port| UdpSocket::bind((HERE, port)).unwrap());
        let sockets = RtpSockets::bind(HERE, 40_999..=41_009, 3).unwrap();
        let ports: Vec<u16> = sockets.addresses().iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [41_000, 41_004, 41_008]);
        assert!(matches!(
            RtpSockets::bind(HERE, 41_010..=41_010, 1),
            Err(RtpSocketError::Ports { free: 0, .. })
        ));
        drop(taken);
    }

    #[test]
    fn a_report_goes_from_odd_port_to_odd_port_marked_as_voice() {
        let mut sockets = RtpSockets::bind(HERE, 41_500..=41_510, 2).unwrap();
        let beside = |n: usize| SocketAddr::new(HERE, sockets.addresses()[n].port() + 1);
        let (ours, to) = (beside(0), beside(1));
        let before = sockets.now();
        sockets.send_control(RtpPort(0), to, b"report");
        let mut buf = [0; 64];
        let mut received = || sockets.receive_control(RtpPort(1), &mut buf);
        let (bytes, from, at) =
            std::iter::repeat_with(&mut received).take(1_000_000).flatten().next().unwrap();
        assert!(at.0 >= before.0);
        assert_eq!((&buf[..bytes], from), (&b"report"[..], ours));
        assert_eq!(socket2::SockRef::from(&sockets.sockets[0].rtcp).tos_v4().unwrap(), TRAFFIC_CLASS);
        assert_eq!(sockets.receive(RtpPort(1), &mut buf), None, "it is not RTP");
    }

    #[test]
    fn too_few_free_ports_are_reported_with_the_remedy() {
        let error = RtpSockets::bind(HERE, 41_100..=41_103, 3).unwrap_err().to_string();
        assert!(error.contains("only 2 of 3") && error.contains("rtp_ports"), "{error}");
    }

    #[test]
    fn an_address_that_is_not_ours_is_reported() {
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert!(matches!(RtpSockets::bind(elsewhere, 41_200..=41_201, 1), Err(RtpSocketError::Bind { .. })));
    }

    #[test]
    fn a_datagram_goes_from_port_to_port_marked_as_voice() {
        let mut sockets = RtpSockets::bind(HERE, 41_300..=41_310, 2).unwrap();
        let to = sockets.addresses()[1];
        sockets.send(RtpPort(0), to, b"voice");
        let mut buf = [0; 64];
        let (bytes, from) = receive_soon(&mut sockets, RtpPort(1), &mut buf).unwrap();
        assert_eq!((&buf[..bytes], from), (&b"voice"[..], sockets.addresses()[0]));
        assert_eq!(sockets.receive(RtpPort(1), &mut buf), None);
        assert_eq!(socket2::SockRef::from(&sockets.sockets[0].rtp).tos_v4().unwrap(), TRAFFIC_CLASS);
    }

    #[test]
    fn a_port_that_does_not_exist_neither_sends_nor_receives() {
        let mut sockets = RtpSockets::bind(HERE, 41_400..=41_401, 1).unwrap();
        let to = sockets.addresses()[0];
        sockets.send(RtpPort(9), to, b"x");
        assert_eq!((sockets.unsent(), sockets.receive(RtpPort(9), &mut [0; 8])), (1, None));
    }
}
