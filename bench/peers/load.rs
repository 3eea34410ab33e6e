//! The same load for every program: streams of speech in G.711, a packet each 20 ms, from one thread.

use ringside::{
    audio::{
        g711::{self, Law},
        wav,
    },
    rtp::packet::Outgoing,
};
use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

/// Samples of one packet.
const SAMPLES: usize = 160;
const PACKET: Duration = Duration::from_millis(20);
/// Where the load's sockets are.
pub(crate) const ADDRESS: &str = "127.0.0.41";

/// One stream: what we send to a program, and what comes back on the same socket.
pub(crate) struct Leg {
    socket: UdpSocket,
    to: SocketAddr,
    stream: Outgoing,
    /// Where in the speech it is.
    at: usize,
}

/// A socket for a stream whose other end is not known yet.
pub(crate) fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ADDRESS, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Leg {
    /// The `n`-th stream, from `socket` to `to`.
    pub(crate) fn new(n: usize, socket: UdpSocket, to: SocketAddr) -> Self {
        let mut stream = Outgoing::new(0x1000 + n as u32, 0, 0);
        stream.set_format(0, SAMPLES);
        Self { socket, to, stream, at: 4_000 * n }
    }

    /// Sends a packet, if the program takes it; 1 or 0.
    fn send(&mut self, speech: &[u8]) -> u64 {
        let room = self.stream.room(SAMPLES);
        for (code, said) in room.iter_mut().zip(speech.iter().cycle().skip(self.at % speech.len())) {
            *code = *said;
        }
        self.at += SAMPLES;
        let packet = self.stream.finished().expect("full");
        u64::from(self.socket.send_to(packet, self.to).is_ok())
    }

    /// Packets of audio that have come.
    fn received(&self) -> u64 {
        let mut buf = [0; 1_500];
        let mut packets = 0;
        while let Ok(length) = self.socket.recv(&mut buf) {
            packets += u64::from(length > SAMPLES);
        }
        packets
    }
}

/// Packets that we sent to a program and received from it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Packets {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// All streams to one program.
pub(crate) struct Load {
    legs: Vec<Leg>,
    speech: Vec<u8>,
}

impl Load {
    pub(crate) fn new(legs: Vec<Leg>) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/board/sim/hello.wav");
        let samples = wav::decode(&fs::read(path).expect("speech")).expect("speech");
        let mut speech = vec![0; samples.len()];
        g711::encode(Law::Mu, &samples, &mut speech);
        Self { legs, speech }
    }

    /// Sends for so long, the streams spread evenly over each 20 ms; returns what went and came.
    pub(crate) fn run(&mut self, length: Duration) -> Packets {
        self.legs.iter().for_each(|leg| _ = leg.received());
        let step = PACKET / self.legs.len() as u32;
        let (begun, mut packets, mut due) = (Instant::now(), Packets::default(), Duration::ZERO);
        while due < length {
            for leg in &mut self.legs {
                sleep((begun + due).saturating_duration_since(Instant::now()));
                packets.sent += leg.send(&self.speech);
                packets.received += leg.received();
                due += step;
            }
        }
        sleep(PACKET);
        packets.received += self.legs.iter().map(Leg::received).sum::<u64>();
        packets
    }
}
