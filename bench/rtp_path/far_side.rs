//! Both ends of the loopback: the sockets of the media thread with a count of their system calls, and the far side of
//! all calls, which costs the media thread nothing.

use ringside::{
    audio::PERIOD,
    id::RtpPort,
    media::RtpIo,
    rtp::{ntp::NtpTime, packet::Outgoing},
};
use std::{
    net::{SocketAddr, UdpSocket},
    time::{SystemTime, UNIX_EPOCH},
};

/// Sockets of the media thread.
pub(crate) struct Sockets {
    pub(crate) sockets: Vec<UdpSocket>,
    /// For the RTCP of all calls.
    control: UdpSocket,
    pub(crate) system_calls: u64,
}

impl Sockets {
    pub(crate) fn new(calls: usize) -> Self {
        Self { sockets: bind(calls), control: bind(1).swap_remove(0), system_calls: 0 }
    }
}

impl RtpIo for Sockets {
    // A call in both loops, so that it cancels in the difference.
    #[inline(never)]
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.system_calls += 1;
        self.sockets.get(usize::from(rtp.0))?.recv_from(buf).ok()
    }

    #[inline(never)]
    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        self.system_calls += 1;
        if let Some(socket) = self.sockets.get(usize::from(rtp.0)) {
            let _ = socket.send_to(bytes, to);
        }
    }

    fn receive_control(&mut self, _rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        self.system_calls += 1;
        let (bytes, from) = self.control.recv_from(buf).ok()?;
        Some((bytes, from, NtpTime::default()))
    }

    fn send_control(&mut self, _rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        self.system_calls += 1;
        let _ = self.control.send_to(bytes, to);
    }

    fn now(&self) -> NtpTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        NtpTime::from_unix(since.as_secs(), since.subsec_nanos())
    }
}

/// The far side of all calls: one socket and one stream each.
pub(crate) struct FarSide {
    pub(crate) sockets: Vec<UdpSocket>,
    /// Where all of them want their RTCP.
    control: UdpSocket,
    streams: Vec<Outgoing>,
}

impl FarSide {
    pub(crate) fn new(ours: &[SocketAddr]) -> Self {
        let sockets = bind(ours.len());
        for (socket, ours) in sockets.iter().zip(ours) {
            socket.connect(ours).expect("loopback");
        }
        let stream = |n| {
            let mut stream = Outgoing::new(n as u32, n as u16, n as u32);
            stream.set_format(0, 2 * PERIOD);
            stream
        };
        Self { streams: (0..ours.len()).map(stream).collect(), control: bind(1).swap_remove(0), sockets }
    }

    /// Where the RTCP of all calls goes.
    pub(crate) fn control(&self) -> SocketAddr {
        self.control.local_addr().expect("bound")
    }

    /// Where each call's audio goes.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.sockets)
    }

    /// One packet from each call.
    pub(crate) fn speak(&mut self) {
        for (socket, stream) in self.sockets.iter().zip(&mut self.streams) {
            for (n, code) in stream.room(2 * PERIOD).iter_mut().enumerate() {
                *code = n as u8 ^ 0x5a;
            }
            socket.send(stream.finished().expect("full")).expect("loopback");
        }
    }

    /// Takes what came; returns how many packets of 20 ms of G.711 there were.
    pub(crate) fn listen(&self) -> usize {
        let mut buf = [0; 640];
        let mut packets = 0;
        for socket in self.sockets.iter().chain([&self.control]) {
            while let Ok(length) = socket.recv(&mut buf) {
                packets += usize::from(length == 172);
            }
        }
        packets
    }
}

pub(crate) fn addresses(sockets: &[UdpSocket]) -> Vec<SocketAddr> {
    sockets.iter().map(|socket| socket.local_addr().expect("bound")).collect()
}

/// Sockets that do not wait.
pub(crate) fn bind(count: usize) -> Vec<UdpSocket> {
    let bind = |_| {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
        socket.set_nonblocking(true).expect("a socket");
        socket
    };
    (0..count).map(bind).collect()
}
