//! A SIP caller in the test's own hands: late offers, re-INVITEs, RTP and RFC 4733 digits, one message at a time.

use super::sound;
use ringside::audio::g711::{self, Law};
use std::{
    collections::BTreeSet,
    f64::consts::TAU,
    net::{SocketAddr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);
const PACKET: Duration = Duration::from_millis(20);
/// Payload type of telephone-events in our offers.
const EVENTS: u8 = 101;

/// Which way audio goes, as our SDP says it.
pub type Direction = &'static str;

/// One call.
pub struct Peer {
    sip: UdpSocket,
    rtp: UdpSocket,
    server: SocketAddr,
    call_id: String,
    target: String,
    to: String,
    sequence: u32,
    branch: u32,
    session: u32,
    /// Where the box wants its RTP.
    media: Option<SocketAddr>,
    /// Port at which we want RTCP, if not the one above RTP.
    control: Option<u16>,
    /// Every so many packets one is lost.
    loses_every: Option<u16>,
    packets: u16,
    stamp: u32,
    /// What was received last, by 20 ms frames: RTP sequence and sound.
    pub heard: Vec<(u16, Vec<i16>)>,
    /// Every telephone-event packet received: its timestamp and its payload.
    pub events: Vec<(u32, [u8; 4])>,
}

/// A message of the box.
pub struct Message {
    head: String,
    /// Its body.
    pub body: String,
}

impl Message {
    fn parse(datagram: &[u8]) -> Self {
        let text = String::from_utf8(datagram.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    /// Status of a response.
    pub fn status(&self) -> Option<u16> {
        self.head.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn is_request(&self, method: &str) -> bool {
        self.head.starts_with(&format!("{method} "))
    }
}

impl Peer {
    /// A caller at `local`, whose port is 0, of the box at `server`.
    pub fn new(local: SocketAddr, server: SocketAddr, number: &str) -> Self {
        let sip = UdpSocket::bind(local).unwrap();
        sip.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let rtp = UdpSocket::bind(local).unwrap();
        rtp.set_nonblocking(true).unwrap();
        let call_id = format!("{}@{}", sip.local_addr().unwrap().port(), local.ip());
        let target = format!("sip:{number}@{server}");
        let to = format!("<{target}>");
        Self {
            sip,
            rtp,
            server,
            call_id,
            target,
            to,
            sequence: 0,
            branch: 0,
            session: 0,
            media: None,
            control: None,
            loses_every: None,
            packets: 0,
            stamp: 0,
            heard: Vec::new(),
            events: Vec::new(),
        }
    }

    /// A socket for RTCP, which our SDP names from now on (RFC 3605).
    pub fn open_control(&mut self) -> UdpSocket {
        let control = UdpSocket::bind((self.rtp.local_addr().unwrap().ip(), 0)).unwrap();
        control.set_nonblocking(true).unwrap();
        self.control = Some(control.local_addr().unwrap().port());
        control
    }

    /// Where the box takes RTCP.
    pub fn box_control(&self) -> SocketAddr {
        let media = self.media.unwrap();
        SocketAddr::new(media.ip(), media.port() + 1)
    }

    /// Loses one of `every` packets on the way from now on.
    pub fn loses_every(&mut self, every: u16) {
        self.loses_every = Some(every);
    }

    /// An offer or answer of ours.
    pub fn sdp(&mut self, direction: Direction) -> String {
        let at = self.rtp.local_addr().unwrap();
        self.session += 1;
        let control = self.control.map_or_else(String::new, |port| format!("a=rtcp:{port}\r\n"));
        format!(
            "v=0\r\no=- 7 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 {EVENTS}\r\n\
             a=rtpmap:{EVENTS} telephone-event/8000\r\na={direction}\r\n{control}",
            self.session,
            at.port(),
            ip = at.ip(),
        )
    }

    fn send(&mut self, method: &str, body: &str) {
        let local = self.sip.local_addr().unwrap();
        if method != "ACK" {
            self.sequence += 1;
        }
        self.branch += 1;
        let Self { target, to, call_id, sequence, branch, server, .. } = self;
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKp{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+13126009999@{local}>;tag=peer\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:peer@{local}>\r\n{content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sip.send_to(text.as_bytes(), *server).unwrap();
    }

    fn receive(&self) -> Option<Message> {
        let mut buffer = [0; 4096];
        let (length, _) = self.sip.recv_from(&mut buffer).ok()?;
        Some(Message::parse(&buffer[..length]))
    }

    /// Sends an INVITE, with `offer` or to be offered something, and waits for its final answer.
    pub fn invite(&mut self, offer: &str) -> Message {
        self.send("INVITE", offer);
        self.answer_to("INVITE")
    }

    /// Acknowledges the 200; `answer` is ours to an offer of the box.
    pub fn ack(&mut self, answer: &str) {
        self.send("ACK", answer);
    }

    /// Hangs up.
    pub fn bye(&mut self) -> Message {
        self.send("BYE", "");
        self.answer_to("BYE")
    }

    fn answer_to(&mut self, method: &str) -> Message {
        let until = Instant::now() + PATIENCE;
        let sequence = format!("{} {method}", self.sequence);
        while Instant::now() < until {
            let Some(message) = self.receive() else { continue };
            if message.header("CSeq") == Some(&sequence)
                && message.status().is_some_and(|status| status >= 200)
            {
                self.learn(&message);
                return message;
            }
        }
        panic!("no answer to {method}");
    }

    fn learn(&mut self, answer: &Message) {
        if let Some(contact) = answer.header("Contact") {
            contact.trim_matches(['<', '>']).clone_into(&mut self.target);
        }
        answer.header("To").unwrap().clone_into(&mut self.to);
        let line = |prefix: &str| answer.body.lines().find_map(|line| line.strip_prefix(prefix));
        if let (Some(ip), Some(port)) = (line("c=IN IP4 "), line("m=audio ")) {
            let port = port.split(' ').next().unwrap().parse().unwrap();
            self.media = Some(SocketAddr::new(ip.trim().parse().unwrap(), port));
        }
    }

    /// Waits for a BYE of the box and answers it; how long that took.
    pub fn expect_bye(&mut self) -> Duration {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let Some(message) = self.receive().filter(|message| message.is_request("BYE")) else { continue };
            let mut answer = String::from("SIP/2.0 200 OK\r\n");
            for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
                answer += &format!("{name}: {}\r\n", message.header(name).unwrap());
            }
            self.sip.send_to((answer + "Content-Length: 0\r\n\r\n").as_bytes(), self.server).unwrap();
            return started.elapsed();
        }
        panic!("no BYE");
    }

    /// Talks for a while, in a tone, and listens; without a tone it only listens. What came before is forgotten.
    pub fn talk(&mut self, time: Duration, hz: Option<f64>) {
        let started = Instant::now();
        self.talk_while(hz, || started.elapsed() < time);
    }

    /// As [`Peer::talk`], until `goes_on` says no.
    pub fn talk_while(&mut self, hz: Option<f64>, goes_on: impl Fn() -> bool) {
        self.heard.clear();
        while self.listen() {}
        self.heard.clear();
        let started = Instant::now();
        for number in 1.. {
            if let Some(hz) = hz {
                let sample = |at: u32| ((f64::from(at) * hz / 8000.0 * TAU).sin() * 8000.0) as i16;
                let payload: Vec<u8> =
                    (self.stamp..self.stamp + 160).map(|at| g711::compress(Law::Mu, sample(at))).collect();
                self.send_rtp(0, false, self.stamp, &payload);
                self.stamp += 160;
            }
            sleep((PACKET * number).saturating_sub(started.elapsed()));
            while self.listen() {}
            if !goes_on() {
                return;
            }
        }
    }

    /// Sends a digit for 100 ms by RFC 4733, its end three times.
    pub fn digit(&mut self, code: u8) {
        let stamp = self.stamp;
        for packet in 1..=8_u16 {
            let (end, duration) = (packet > 5, packet.min(5) * 160);
            let [high, low] = duration.to_be_bytes();
            let flags = if end { 0x80 | 10 } else { 10 };
            self.send_rtp(EVENTS, packet == 1, stamp, &[code, flags, high, low]);
            if !end {
                sleep(PACKET);
            }
        }
        self.stamp += 160 * 5;
    }

    fn send_rtp(&mut self, payload_type: u8, marker: bool, stamp: u32, payload: &[u8]) {
        let Some(to) = self.media else { return };
        let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
        packet.extend(self.packets.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(payload);
        self.packets = self.packets.wrapping_add(1);
        if self.loses_every.is_some_and(|every| self.packets.is_multiple_of(every)) {
            return;
        }
        self.rtp.send_to(&packet, to).unwrap();
    }

    fn listen(&mut self) -> bool {
        let mut buffer = [0; 2048];
        let Ok((length, _)) = self.rtp.recv_from(&mut buffer) else { return false };
        if buffer[1] & 0x7f == EVENTS {
            let stamp = u32::from_be_bytes(buffer[4..8].try_into().unwrap());
            self.events.push((stamp, buffer[12..16].try_into().unwrap()));
            return true;
        }
        let sound = buffer[12..length].iter().map(|code| g711::expand(Law::Mu, *code)).collect();
        self.heard.push((u16::from_be_bytes([buffer[2], buffer[3]]), sound));
        true
    }

    /// How many packets are missing between the first and the last that was heard.
    pub fn missing(&self) -> usize {
        let Some((first, _)) = self.heard.first() else { return 0 };
        let places: BTreeSet<u16> = self.heard.iter().map(|(place, _)| place.wrapping_sub(*first)).collect();
        places.last().map_or(0, |last| usize::from(*last) + 1 - places.len())
    }

    /// How many of the packets heard carry a tone.
    pub fn packets_with(&self, hz: f64) -> usize {
        self.heard.iter().filter(|(_, sound)| sound::peak_at(sound, hz) > 4000.0).count()
    }
}
