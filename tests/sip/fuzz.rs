//! 100,000 damaged messages and session descriptions, and 2,000 calls of the box with damaged answers: nothing panics,
//! and what is accepted is consistent.
//!
//! The damage is seeded, so a failure repeats; the assertion names the seed.

use super::corpus;
use crate::peer::{TRUNK, media, read, response_of, sdp, settings_to_place};
use ringside::{
    number::Dialplan,
    record::Presentation,
    sip::{
        auth,
        endpoint::Endpoint,
        event::{Command, DialogId, Event, Priority, TrunkId},
        identity::{self, DidSource},
        message::{Message, Method, NameAddr, Outgoing, Rejected, parse},
        sdp::{Exchange, Session},
        uri::Uri,
    },
    time::Instant,
};
use std::net::SocketAddr;

const MESSAGES: u64 = 80_000;
const DESCRIPTIONS: u64 = 20_000;
const PLACED_CALLS: u64 = 2_000;

/// Pieces of text that parsers have stumbled over.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n ",
    b"\n",
    b"\0",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b";;",
    b",",
    b"=",
    b":",
    b"@",
    b"%00",
    b"%",
    b"\xff\xfe",
    b"[::1]",
    b"4294967296",
    b"-1",
    b"sip:",
    b"tel:",
    b"m=audio 9 RTP/AVP 0\r\n",
    b"\xe2\x82",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    /// A range of at most `longest` bytes of `bytes`.
    fn range(&mut self, bytes: &[u8], longest: usize) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        start..(start + self.below(longest)).min(bytes.len())
    }
}

/// One to three injuries. Half of the time Content-Length is put out of the way, which most injuries make wrong.
fn damaged(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    if let (0, Some(at)) =
        (random.below(2), bytes.windows(15).position(|window| window == b"Content-Length:"))
    {
        bytes[at] = b'X';
    }
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(random.range(&bytes.clone(), 40))),
            2 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            3 => {
                let copy = bytes[random.range(&bytes, 80)].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let piece = other[random.range(other, 120)].to_vec();
                bytes.splice(at..at, piece);
            }
            5 if random.below(4) == 0 => bytes.truncate(at),
            _ => {
                let range = random.range(&bytes, 12);
                bytes.splice(range, PIECES[random.below(PIECES.len())].iter().copied());
            }
        }
    }
    bytes
}

fn source() -> SocketAddr {
    "198.51.100.7:5060".parse().unwrap()
}

fn check_accepted(message: &Message) {
    assert!(!message.call_id().is_empty() && message.cseq() <= 0x7fff_ffff);
    for address in [message.from(), message.to()].into_iter().chain(message.contacts()) {
        assert_eq!(NameAddr::parse(&address.to_string()).as_ref(), Some(address));
        assert_eq!(address.uri().to_string().parse::<Uri>().as_ref(), Ok(address.uri()));
    }
    check_identity(message);
    let _ = auth::challenge(message);
    if let Some(offer) = message.sdp() {
        check_description(offer);
    }
    if message.is_request() {
        check_response(message);
        check_target(message);
    }
}

fn check_response(request: &Message) {
    let tag = request.to_tag().unwrap_or("ours").to_owned();
    let bytes = request.response(200, "OK", Some("ours")).to_bytes();
    let response =
        parse(&bytes, source()).unwrap_or_else(|why| panic!("{why:?} {}", String::from_utf8_lossy(&bytes)));
    assert_eq!((response.status(), response.method()), (Some(200), request.method()));
    assert_eq!((response.call_id(), response.cseq()), (request.call_id(), request.cseq()));
    assert_eq!((response.from_tag(), response.to_tag()), (request.from_tag(), Some(tag.as_str())));
    assert_eq!(response.via().branch(), request.via().branch());
    assert_eq!(response.vias().count(), request.vias().count());
}

/// What we send to a peer's Contact has that address as its target, letter by letter, and no line more than ours.
fn check_target(request: &Message) {
    let Some(target) = request.contact().map(NameAddr::uri) else { return };
    let bytes = Outgoing::request(&Method::Bye, target).with_header("Call-ID", request.call_id()).to_bytes();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!((lines.len(), lines[0]), (5, format!("BYE {} SIP/2.0", target.without_headers()).as_str()));
}

fn check_identity(message: &Message) {
    let plan = Dialplan::for_country("US").unwrap();
    let caller = identity::caller(message, &plan);
    match caller.presentation {
        Presentation::Restricted => {
            assert!(caller.number.is_none() && caller.name.is_none() && caller.raw.is_empty())
        }
        Presentation::Allowed => assert!(caller.number.is_some()),
        Presentation::Unavailable => assert!(caller.number.is_none()),
    }
    assert!(identity::called(message, &DidSource::Auto, &plan).len() <= 4);
    let diversions = identity::diversions(message, &plan);
    assert_eq!(diversions.to_record().len(), diversions.list().len());
}

/// Returns whether the offer was answered.
fn check_description(offer: &[u8]) -> bool {
    let mut exchange = Exchange::new("192.0.2.9:4000".parse().unwrap(), 2);
    let Ok((body, agreed)) = exchange.answer(offer) else { return false };
    let (offered, answered) = (Session::parse(offer).unwrap(), Session::parse(&body).unwrap());
    let kinds = |session: &Session| {
        session.media.iter().map(|m| (m.kind.clone(), m.protocol.clone())).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&answered), kinds(&offered));
    let used: Vec<_> = answered.media.iter().filter(|media| media.port != 0).collect();
    let [audio] = used.as_slice() else { panic!("{answered:?}") };
    assert_eq!((audio.kind.as_str(), audio.port, audio.codec()), ("audio", 4000, Some(agreed.codec)));
    assert!([10, 20, 30, 40, 60].contains(&agreed.ptime_ms));
    assert!(audio.direction.sends() == agreed.send || agreed.remote.ip().is_unspecified());
    assert_eq!(exchange.answer(offer).unwrap(), (body, agreed), "the same offer, the same answer");
    true
}

#[test]
fn damaged_messages_never_panic_and_accepted_ones_are_consistent() {
    let seeds: Vec<_> = ["valid", "valid", "reject"].iter().flat_map(|folder| corpus::load(folder)).collect();
    let seeds: Vec<_> = seeds.into_iter().filter(|seed| seed.bytes.len() < 4_000).collect();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..MESSAGES {
        let mut random = Random(seed);
        let bytes = &seeds[random.below(seeds.len())].bytes;
        let bytes = damaged(bytes, &seeds[random.below(seeds.len())].bytes, &mut random);
        match parse(&bytes, source()) {
            Ok(message) => {
                accepted += 1;
                check_accepted(&message);
            }
            Err(Rejected::Refused(refusal)) => {
                refused += 1;
                let text = refusal.response(Some("t")).to_bytes();
                assert!(text.starts_with(format!("SIP/2.0 {} ", refusal.status()).as_bytes()), "seed {seed}");
            }
            Err(Rejected::Dropped(_)) => {}
        }
    }
    assert!(accepted > MESSAGES / 5 && refused > MESSAGES / 10, "{accepted} accepted, {refused} refused");
}

#[test]
fn damaged_descriptions_never_panic_and_answers_have_the_offered_streams() {
    let offers = [
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 18 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\na=sendonly\r\na=rtcp:4001\r\n",
        "v=0\r\no=Acme Packet 1 1 IN IP6 ::1\r\ns=x\r\nt=1 2\r\nm=image 5000 udptl t38\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\n\
         c=IN IP6 2001:db8::1\r\na=rtcp-mux\r\nm=video 6000 RTP/AVPF 96 97\r\na=rtpmap:96 H264/90000\r\n",
        "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\nm=audio 4002 RTP/AVP 0\r\na=maxptime:60\r\n",
    ];
    let mut answered = 0;
    for seed in 0..DESCRIPTIONS {
        let mut random = Random(seed ^ 0x5d9);
        let (offer, other) = (offers[random.below(offers.len())], offers[random.below(offers.len())]);
        let offer = damaged(offer.as_bytes(), other.as_bytes(), &mut random);
        answered += u64::from(check_description(&offer));
        let mut exchange = Exchange::new("192.0.2.9:4000".parse().unwrap(), 2);
        let ours = exchange.offer();
        let accepted = exchange.accept(&offer);
        assert_eq!(accepted.ok(), exchange.negotiated().copied(), "seed {seed}");
        assert_eq!(exchange.offer().len(), ours.len(), "seed {seed}");
    }
    assert!(answered > DESCRIPTIONS / 5, "{answered} answered");
}

/// A call that the box has placed, as its office and its trunk see it.
struct Placed {
    endpoint: Endpoint,
    dialog: DialogId,
    now: Instant,
    invite: Message,
    answered: u32,
    over: u32,
}

impl Placed {
    fn new(seed: u64) -> Self {
        let mut endpoint = Endpoint::new(settings_to_place(true), seed);
        let dialog = endpoint.reserve();
        let (trunk, priority) = (TrunkId(0), Priority::Emergency);
        let rtp = "127.0.0.1:30000".parse().unwrap();
        let mut out = Vec::new();
        endpoint.handle(Event::Place { dialog, trunk, to: "911", rtp, priority }, Instant::ZERO, &mut out);
        let Some(Command::Send { bytes, .. }) = out.first() else { panic!("{out:?}") };
        Self { endpoint, dialog, now: Instant::ZERO, invite: read(bytes), answered: 0, over: 0 }
    }

    fn give(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        self.endpoint.handle(event, self.now, &mut out);
        for command in out {
            match command {
                Command::Answered { .. } => self.answered += 1,
                Command::Refused { .. } | Command::Ended { .. } => self.over += 1,
                Command::Send { bytes, .. } if bytes.starts_with(b"INVITE") => self.invite = read(&bytes),
                Command::Send { bytes, .. } => drop(read(&bytes)),
                _ => {}
            }
        }
    }

    fn hear_damaged(&mut self, random: &mut Random) {
        let status = [100, 180, 183, 200, 200, 202, 302, 401, 407, 422, 486][random.below(11)];
        let asks = ["WWW-Authenticate", "Proxy-Authenticate"][random.below(2)];
        let headers = [
            (asks, "Digest realm=\"trunk\", nonce=\"n\", qop=\"auth\", stale=true"),
            ("Min-SE", "2000"),
            ("Session-Expires", "1800;refresher=uac"),
            ("Record-Route", "<sip:127.0.0.1:5062;lr>, <sip:127.0.0.9>"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = sdp(&media(["audio", "hold", "srtp"][random.below(3)]).unwrap());
        let good = response_of(["a", "b"][random.below(2)], &self.invite, status, Some(&body), &headers);
        let bytes = damaged(&good, &good, random);
        self.give(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &bytes });
    }
}

#[test]
fn damaged_answers_to_placed_calls_never_panic_and_leave_nothing_behind() {
    let (mut answered, mut over, mut stray) = (0, 0, 0);
    for seed in 0..PLACED_CALLS {
        let mut random = Random(seed ^ 0xca11);
        let mut call = Placed::new(seed);
        for _ in 0..4 {
            call.hear_damaged(&mut random);
        }
        let dialog = call.dialog;
        call.give(Event::HangUp { dialog, reason: None });
        call.hear_damaged(&mut random);
        call.give(Event::Shutdown);
        while let Some(at) = call.endpoint.deadline() {
            call.now = at;
            call.give(Event::Deadline);
            assert!(call.endpoint.deadline() > Some(at) || call.endpoint.deadline().is_none(), "seed {seed}");
        }
        assert_eq!((call.endpoint.transactions(), call.endpoint.calls()), (0, 0), "seed {seed}");
        assert!(call.answered <= 1 && call.over <= 1, "seed {seed}");
        (answered, over) = (answered + call.answered, over + call.over);
        stray += call.endpoint.counters().stray_responses;
    }
    assert!(answered > 200 && over > 200 && stray > 200, "{answered} {over} {stray}");
}
