//! Our side of the offers and answers of one dialog (RFC 3264 5 to 8).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::{Codec, Direction, Media, Negotiated, Refused, Session};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// Payload type of telephone-events in our own offers.
const EVENT_PT: u8 = 101;
/// Milliseconds of audio in a packet unless the peer asks for another of [`PTIMES_MS`].
const PTIME_MS: u8 = 20;
/// Packet lengths the media side can send, longest first.
const PTIMES_MS: [u8; 5] = [60, 40, 30, 20, 10];

/// What both sides of one dialog have described so far.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Where we receive RTP.
    local: SocketAddr,
    /// Session id of our o= line.
    id: u64,
    /// Session version of our o= line: one more for each description that differs from the one before.
    version: u64,
    /// What we last sent, without the o= line.
    sent: Option<String>,
    /// m= lines of the dialog; a later offer must repeat them all (RFC 3264 8).
    lines: Vec<Line>,
    negotiated: Option<Negotiated>,
}

/// One m= line of ours.
#[derive(Clone, Debug)]
enum Line {
    Audio {
        protocol: String,
    },
    /// Refused: the offered line with port 0.
    Refused(String),
}

/// What our audio section says.
struct Audio<'a> {
    codecs: &'a [Codec],
    event_pt: Option<u8>,
    direction: Direction,
    rtcp_mux: bool,
}

impl Exchange {
    /// A dialog in which we receive RTP at `local`; `id` is random and names our descriptions.
    #[must_use]
    pub const fn new(local: SocketAddr, id: u64) -> Self {
        Self { local, id: id >> 1, version: 0, sent: None, lines: Vec::new(), negotiated: None }
    }

    /// The stream both sides have agreed on, if they have.
    #[must_use]
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Answers an offer: the body to send and the stream agreed on. The same offer gets the same body.
    ///
    /// # Errors
    /// [`Refused`]; the dialog then stays as it was (RFC 3261 14.2).
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Negotiated), Refused> {
        let session = Session::parse(offer).ok_or(Refused::Malformed)?;
        let (at, media) = choose(&session)?;
        let negotiated = agree(media, media.event_pt)?;
        let line = |(i, offered): (usize, &Media)| match i == at {
            true => Line::Audio { protocol: offered.protocol.clone() },
            false => Line::Refused(format!("m={} 0 {} {}", offered.kind, offered.protocol, offered.formats)),
        };
        self.lines = session.media.iter().enumerate().map(line).collect();
        self.negotiated = Some(negotiated);
        let direction = match is_held_by_address(media) {
            true if media.direction == Direction::SendRecv => Direction::Inactive,
            _ => media.direction.mirrored(),
        };
        let audio = Audio {
            codecs: &[negotiated.codec],
            event_pt: media.event_pt,
            direction,
            rtcp_mux: media.rtcp_mux,
        };
        Ok((self.describe(&audio, &session.time), negotiated))
    }

    /// Makes an offer: the first one of a dialog, or the one for a re-INVITE that carried none.
    pub fn offer(&mut self) -> Vec<u8> {
        if self.lines.is_empty() {
            self.lines.push(Line::Audio { protocol: "RTP/AVP".to_owned() });
        }
        let event_pt = self.negotiated.and_then(|agreed| agreed.event_pt_in).unwrap_or(EVENT_PT);
        let (codecs, direction) = (&Codec::ALL, Direction::SendRecv);
        self.describe(&Audio { codecs, event_pt: Some(event_pt), direction, rtcp_mux: false }, "0 0")
    }

    /// Reads the answer to our last offer.
    ///
    /// # Errors
    /// [`Refused`] if the peer refused the stream or answered nonsense.
    pub fn accept(&mut self, answer: &[u8]) -> Result<Negotiated, Refused> {
        let session = Session::parse(answer).ok_or(Refused::Malformed)?;
        let (_, media) = choose(&session)?;
        let ours = self.negotiated.and_then(|agreed| agreed.event_pt_in).unwrap_or(EVENT_PT);
        let negotiated = agree(media, media.event_pt.map(|_| ours))?;
        self.negotiated = Some(negotiated);
        Ok(negotiated)
    }

    fn describe(&mut self, audio: &Audio<'_>, time: &str) -> Vec<u8> {
        let family = if self.local.is_ipv4() { "IP4" } else { "IP6" };
        let address = format!("IN {family} {}", self.local.ip());
        let mut text = format!("s=-\r\nc={address}\r\nt={time}\r\n");
        for line in &self.lines {
            match line {
                Line::Audio { protocol } => write_audio(&mut text, self.local.port(), protocol, audio),
                Line::Refused(line) => {
                    text.push_str(line);
                    text.push_str("\r\n");
                }
            }
        }
        if self.sent.as_ref() != Some(&text) {
            self.version += 1;
        }
        // RFC 4566 5.2 allows `-` as the user name; some peers want letters there.
        let body = format!("v=0\r\no=ringside {} {} {address}\r\n{text}", self.id, self.version).into_bytes();
        self.sent = Some(text);
        body
    }
}

fn write_audio(text: &mut String, port: u16, protocol: &str, audio: &Audio<'_>) {
    // Writing to a String cannot fail.
    let _ = write!(text, "m=audio {port} {protocol}");
    let types = audio.codecs.iter().map(|codec| codec.payload_type());
    for pt in types.chain(audio.event_pt) {
        let _ = write!(text, " {pt}");
    }
    text.push_str("\r\n");
    for codec in audio.codecs {
        let _ = write!(text, "a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name());
    }
    if let Some(pt) = audio.event_pt {
        let _ = write!(text, "a=rtpmap:{pt} telephone-event/8000\r\na=fmtp:{pt} 0-15\r\n");
    }
    let _ = write!(text, "a=ptime:{PTIME_MS}\r\na={}\r\n", audio.direction.as_str());
    if audio.rtcp_mux {
        text.push_str("a=rtcp-mux\r\n");
    }
}

/// The stream to use: the first plain RTP audio with one of our codecs. If there is none, the reason is that of the
/// stream that came closest.
fn choose(session: &Session) -> Result<(usize, &Media), Refused> {
    let mut reason = Refused::NoAudio;
    for (at, media) in session.media.iter().enumerate() {
        if media.kind != "audio" || media.port == 0 {
            continue;
        }
        let plain = ["RTP/AVP", "RTP/AVPF"].iter().any(|p| media.protocol.eq_ignore_ascii_case(p));
        match (plain, media.codec(), media.address) {
            (true, Some(_), Some(_)) => return Ok((at, media)),
            (true, Some(_), None) => reason = Refused::NoAddress,
            (true, None, _) => reason = Refused::NoCommonCodec,
            (false, ..) if media.protocol.contains("SAVP") && reason == Refused::NoAudio => {
                reason = Refused::Encrypted
            }
            (false, ..) => {}
        }
    }
    Err(reason)
}

/// RFC 3264 8.4: the older way to hold, `c=0.0.0.0`.
fn is_held_by_address(media: &Media) -> bool {
    media.address.is_some_and(|address| address.is_unspecified())
}

fn agree(media: &Media, event_pt_in: Option<u8>) -> Result<Negotiated, Refused> {
    let address = media.address.ok_or(Refused::NoAddress)?;
    let codec = media.codec().ok_or(Refused::NoCommonCodec)?;
    let held = is_held_by_address(media);
    Ok(Negotiated {
        remote: SocketAddr::new(address, media.port),
        rtcp: rtcp_address(media, address),
        codec,
        event_pt_in,
        event_pt_out: media.event_pt,
        ptime_ms: packet_length(media),
        send: media.direction.receives() && !held,
        receive: media.direction.sends() && !(held && media.direction == Direction::SendRecv),
    })
}

fn rtcp_address(media: &Media, address: IpAddr) -> SocketAddr {
    match media.rtcp {
        _ if media.rtcp_mux => SocketAddr::new(address, media.port),
        Some((port, own)) => SocketAddr::new(own.unwrap_or(address), port),
        None => SocketAddr::new(address, media.port.saturating_add(1)),
    }
}

/// The longest packet we can send that the peer's ptime and maxptime allow.
fn packet_length(media: &Media) -> u8 {
    let wanted = media.ptime_ms.filter(|ms| *ms > 0).unwrap_or(PTIME_MS.into());
    let most = wanted.min(media.max_ptime_ms.filter(|ms| *ms > 0).unwrap_or(u16::MAX));
    PTIMES_MS.into_iter().find(|ms| u16::from(*ms) <= most).unwrap_or(PTIME_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        Exchange::new("192.0.2.9:4002".parse().unwrap(), 14)
    }

    fn text(body: &[u8]) -> String {
        String::from_utf8(body.to_owned()).unwrap()
    }

    fn offer(media: &str) -> Vec<u8> {
        format!("v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{media}")
            .into_bytes()
    }

    const AUDIO: &str = "m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n";

    #[test]
    fn an_offer_is_answered_with_the_offerers_first_codec_we_have_and_its_event_type() {
        let (body, agreed) = exchange().answer(&offer(AUDIO)).unwrap();
        assert_eq!(
            text(&body),
            "v=0\r\no=ringside 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8 96\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        assert_eq!(agreed.remote, "198.51.100.7:4000".parse().unwrap());
        assert_eq!(
            (agreed.codec, agreed.event_pt_in, agreed.event_pt_out),
            (Codec::Pcma, Some(96), Some(96))
        );
        assert!(agreed.send && agreed.receive && agreed.ptime_ms == 20 && agreed.rtcp.port() == 4001);
    }

    #[test]
    fn every_offered_stream_is_answered_in_order_and_all_but_one_refused() {
        let more = "m=video 5000 RTP/AVP 31\r\nm=audio 4100 RTP/SAVP 0\r\n".to_owned()
            + AUDIO
            + "m=image 6000 udptl t38\r\n";
        let mut exchange = exchange();
        let (body, agreed) = exchange.answer(&offer(&more)).unwrap();
        let ports: Vec<_> =
            Session::parse(&body).unwrap().media.iter().map(|m| (m.kind.clone(), m.port)).collect();
        let expected =
            [("video", 0), ("audio", 0), ("audio", 4002), ("image", 0)].map(|(k, p)| (k.to_owned(), p));
        assert_eq!(ports, expected);
        assert_eq!(agreed.remote.port(), 4000);
        assert_eq!(Session::parse(&exchange.offer()).unwrap().media.len(), 4, "a later offer repeats them");
    }

    #[test]
    fn a_refresh_gets_the_same_answer_and_a_hold_a_higher_version() {
        let mut exchange = exchange();
        let (first, agreed) = exchange.answer(&offer(AUDIO)).unwrap();
        assert_eq!(exchange.answer(&offer(AUDIO)).unwrap(), (first.clone(), agreed));
        let (held, on_hold) = exchange.answer(&offer(&format!("{AUDIO}a=sendonly\r\n"))).unwrap();
        assert!(text(&held).contains("o=ringside 7 2 ") && text(&held).contains("a=recvonly"));
        assert!(!on_hold.send && on_hold.receive);
        let (resumed, agreed_again) = exchange.answer(&offer(AUDIO)).unwrap();
        assert_eq!(text(&resumed), text(&first).replace("o=ringside 7 1 ", "o=ringside 7 3 "));
        assert_eq!(agreed_again, agreed);
    }

    #[test]
    fn every_way_to_hold_is_understood() {
        for (media, answered, send, receive) in [
            (format!("{AUDIO}a=inactive\r\n"), "a=inactive", false, false),
            (format!("{AUDIO}a=recvonly\r\n"), "a=sendonly", true, false),
            (format!("{AUDIO}c=IN IP4 0.0.0.0\r\n"), "a=inactive", false, false),
            (format!("{AUDIO}c=IN IP4 0.0.0.0\r\na=sendonly\r\n"), "a=recvonly", false, true),
        ] {
            let (body, agreed) = exchange().answer(&offer(&media)).unwrap();
            assert!(text(&body).contains(answered), "{media}");
            assert_eq!((agreed.send, agreed.receive), (send, receive), "{media}");
        }
    }

    #[test]
    fn what_cannot_be_bridged_is_refused_and_the_call_stays() {
        let mut exchange = exchange();
        exchange.answer(&offer(AUDIO)).unwrap();
        let before = *exchange.negotiated().unwrap();
        for (media, refused) in [
            ("m=image 6000 udptl t38\r\n", Refused::NoAudio),
            ("m=audio 0 RTP/AVP 0\r\n", Refused::NoAudio),
            ("m=audio 4000 RTP/SAVP 0\r\n", Refused::Encrypted),
            ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", Refused::Encrypted),
            ("m=audio 4000 RTP/AVP 18 9\r\n", Refused::NoCommonCodec),
            ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n", Refused::NoAddress),
            ("", Refused::Malformed),
        ] {
            assert_eq!(exchange.answer(&offer(media)), Err(refused), "{media}");
        }
        assert_eq!(exchange.negotiated(), Some(&before));
        assert_eq!(
            text(&exchange.answer(&offer(AUDIO)).unwrap().0).lines().nth(1),
            Some("o=ringside 7 1 IN IP4 192.0.2.9")
        );
    }

    #[test]
    fn a_late_offer_is_answered_in_the_ack_and_each_side_keeps_its_own_event_type() {
        let mut exchange = exchange();
        let ours = text(&exchange.offer());
        assert!(ours.contains("m=audio 4002 RTP/AVP 0 8 101\r\n") && !ours.contains("rtcp-mux"));
        let media = "m=audio 4000 RTP/AVP 8 127\r\na=rtpmap:127 telephone-event/8000\r\n";
        let agreed = exchange.accept(&offer(media)).unwrap();
        assert_eq!(
            (agreed.codec, agreed.event_pt_in, agreed.event_pt_out),
            (Codec::Pcma, Some(101), Some(127))
        );
        assert_eq!(exchange.accept(&offer("m=audio 0 RTP/AVP 0\r\n")), Err(Refused::NoAudio));
    }

    #[test]
    fn the_packet_length_is_the_peers_as_far_as_we_can_send_it() {
        for (attributes, ptime_ms) in [
            ("a=ptime:30\r\n", 30),
            ("a=ptime:50\r\n", 40),
            ("a=ptime:200\r\n", 60),
            ("a=ptime:5\r\n", 20),
            ("a=ptime:0\r\n", 20),
            ("a=ptime:60\r\na=maxptime:20\r\n", 20),
            ("a=maxptime:10\r\n", 10),
        ] {
            let (_, agreed) = exchange().answer(&offer(&format!("{AUDIO}{attributes}"))).unwrap();
            assert_eq!(agreed.ptime_ms, ptime_ms, "{attributes}");
        }
    }

    #[test]
    fn rtcp_goes_where_the_peer_says() {
        let (body, agreed) = exchange().answer(&offer(&format!("{AUDIO}a=rtcp-mux\r\n"))).unwrap();
        assert!(text(&body).contains("a=rtcp-mux") && agreed.rtcp == agreed.remote);
        let (_, agreed) =
            exchange().answer(&offer(&format!("{AUDIO}a=rtcp:4900 IN IP4 203.0.113.8\r\n"))).unwrap();
        assert_eq!(agreed.rtcp, "203.0.113.8:4900".parse().unwrap());
    }

    #[test]
    fn ipv6_is_described_as_such() {
        let mut exchange = Exchange::new("[2001:db8::9]:4002".parse().unwrap(), 2);
        let body = exchange.offer();
        assert!(text(&body).contains("o=ringside 1 1 IN IP6 2001:db8::9\r\n"));
    }
}
