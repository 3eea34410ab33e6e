//! A caller for programs that speak SIP: it invites, waits for the answer, acknowledges, and stays.

use crate::load::ADDRESS;
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The SIP side of all calls to one program.
pub(crate) struct Caller {
    socket: UdpSocket,
    local: SocketAddr,
    to: SocketAddr,
}

impl Caller {
    pub(crate) fn new(to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ADDRESS, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok(Self { local: socket.local_addr()?, socket, to })
    }

    /// The `n`-th call, to `user`, with its audio at `audio`.
    pub(crate) fn invite(&self, n: usize, user: &str, audio: &UdpSocket) -> io::Result<()> {
        let (port, uri) = (audio.local_addr()?.port(), format!("sip:{user}@{}", self.to));
        let sdp = format!(
            "v=0\r\no=bench 1 1 IN IP4 {ADDRESS}\r\ns=-\r\nc=IN IP4 {ADDRESS}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        self.request("INVITE", n, &uri, &format!("<{uri}>"), &sdp)
    }

    fn request(&self, method: &str, n: usize, uri: &str, to: &str, body: &str) -> io::Result<()> {
        let (local, length) = (self.local, body.len());
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let request = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-peers-{method}-{n}\r\n\
             From: <sip:+13125550142@{local}>;tag={n}\r\nTo: {to}\r\nCall-ID: {n}@peers\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:bench@{local}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(request.as_bytes(), self.to).map(drop)
    }

    /// Waits until so many more calls are answered; where their audio is, in the calls' order.
    pub(crate) fn answers(&self, calls: usize) -> Result<Vec<SocketAddr>, String> {
        let (mut answered, until) = (BTreeMap::new(), Instant::now() + PATIENCE);
        let mut buf = [0; 4_096];
        while answered.len() < calls {
            if Instant::now() > until {
                return Err(format!("{} of {calls} calls were answered within {PATIENCE:?}", answered.len()));
            }
            let Ok((length, _)) = self.socket.recv_from(&mut buf) else { continue };
            let text = String::from_utf8_lossy(&buf[..length]);
            let Some(n) =
                header(&text, "Call-ID").and_then(|id| id.strip_suffix("@peers")?.parse::<usize>().ok())
            else {
                continue;
            };
            let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).unwrap_or("000");
            match status.as_bytes()[0] {
                b'2' => _ = answered.insert(n, self.acknowledge(n, &text)?),
                b'0' | b'1' => {}
                _ => {
                    return Err(format!("call {n} was refused: {}", text.lines().next().unwrap_or_default()));
                }
            }
        }
        Ok(answered.into_values().collect())
    }

    /// The ACK of a 2xx goes to the Contact (RFC 3261 13.2.2.4).
    fn acknowledge(&self, n: usize, answer: &str) -> Result<SocketAddr, String> {
        let to = header(answer, "To").ok_or("an answer without To")?;
        let contact = header(answer, "Contact").and_then(|contact| contact.split(['<', '>']).nth(1));
        self.request("ACK", n, contact.ok_or("an answer without Contact")?, to, "")
            .map_err(|error| error.to_string())?;
        audio(answer).ok_or_else(|| format!("an answer without audio: {answer}"))
    }
}

fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let lines = message.lines().take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.split_once(':'));
    values.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Where the first audio of an SDP is.
pub(crate) fn audio(sdp: &str) -> Option<SocketAddr> {
    let value = |key| sdp.lines().find_map(|line| line.trim().strip_prefix(key));
    let ip: IpAddr = value("c=IN IP4 ")?.trim().parse().ok()?;
    Some(SocketAddr::new(ip, value("m=audio ")?.split_whitespace().next()?.parse().ok()?))
}
