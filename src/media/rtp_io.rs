//! The sockets as the data plane sees them.

use crate::{id::RtpPort, rtp::ntp::NtpTime};
use std::net::SocketAddr;

/// The sockets of the RTP ports, as the data plane sees them; never blocks.
pub trait RtpIo {
    /// Receives one waiting datagram into `buf`, cut to its length; `None` if none waits.
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)>;

    /// Sends one datagram; one that cannot be sent now is dropped, as RTP that comes late is of no use.
    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]);

    /// Receives one datagram that waits at the RTCP port beside an RTP port, with the time at which it arrived.
    fn receive_control(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)>;

    /// Sends one datagram from the RTCP port beside an RTP port, or drops it.
    fn send_control(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]);

    /// The time of day, by the clock of [`Self::receive_control`]; asked for a few times in ten seconds of a call.
    fn now(&self) -> NtpTime;
}
