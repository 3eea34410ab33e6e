//! The whole control plane on a bench: a switchboard with its real SIP endpoint, phones that lift and hang up, a
//! trunk that speaks SIP text, and a virtual clock. Used by the ladders and by the storm.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of the rig")]

use ringside::{
    audio::{caller_id::Delivery, tone_plan::TonePlan},
    call::{incoming::Numbering, machine},
    chip::{Linefeed, PortChange},
    config::Config,
    directory::Directory,
    id::{BoxId, PortId, RtpPort, Slot},
    line::fxs,
    media::control as media,
    number::Dialplan,
    recording::lifecycle as storage,
    sip::{endpoint::Endpoint, settings as sip},
    switchboard::{Input, Output, Settings, Switchboard},
    time::{Instant, WallTime},
};
use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, sync::Arc};

/// Where the trunk sends from.
pub const TRUNK: &str = "127.0.0.1:5070";

const CONFIG: &str = r#"
[[trunk]]
name = "provider"
mode = "ip"
allow = ["127.0.0.0/8"]

[[campaign]]
id = "spring"
name = "Spring mailer"

[[campaign]]
id = "web"
name = "Web site"

[[tracking_number]]
id = "trk-100"
number = "+13125550100"
campaign = "spring"

[[tracking_number]]
id = "trk-101"
number = "+13125550101"
campaign = "web"
"#;

/// One call as the trunk sees it.
#[derive(Clone, Debug, Default)]
pub struct TrunkCall {
    pub name: String,
    pub to: String,
    pub to_tag: Option<String>,
    pub cseq: u32,
    /// Whether its INVITE was ever sent.
    pub invited: bool,
    /// Final statuses of the INVITE, each distinct answer once.
    pub finals: Vec<u16>,
    pub acked: bool,
    /// The box sent BYE, or we did.
    pub over: bool,
}

/// The phone on one port.
#[derive(Clone, Copy, Debug)]
pub struct Phone {
    pub feed: Linefeed,
    pub off_hook: bool,
    pub loop_closed: bool,
}

/// The bench.
pub struct Rig {
    pub board: Switchboard,
    pub ms: u64,
    pub phones: BTreeMap<PortId, Phone>,
    pub calls: BTreeMap<String, TrunkCall>,
    /// Everything that came out, one line each.
    pub log: Vec<String>,
    /// What came out since it was last taken.
    pub out: Vec<Output>,
}

impl Rig {
    /// A box with `phones` phones whose chips are up.
    pub fn new(phones: u8, seed: u64) -> Self {
        let names: Vec<String> = (1..=phones).map(|n| format!("PHONE{n}")).collect();
        let config = Config::parse(CONFIG, "rig.toml").expect("the rig's configuration is good");
        let port = |n: u8, name: &String| (machine::Port { id: PortId(n), name: name.clone() }, Slot(n));
        let settings = Settings {
            ports: (0..).zip(&names).map(|(n, name)| port(n, name)).collect(),
            line: fxs::Settings {
                tones: TonePlan::north_america(),
                caller_id: Delivery::NORTH_AMERICA,
                cpc_ms: 500,
                reorder_ms: 30_000,
                howler_ms: 60_000,
            },
            call: machine::Settings {
                ring_timeout_ms: 30_000,
                consent_policy: "announce".to_owned(),
                records: true,
            },
            time_zone: jiff::tz::TimeZone::UTC,
            rtp: (0..u16::from(phones) + 2)
                .map(|n| SocketAddr::from(([127, 0, 0, 1], 16_384 + 2 * n)))
                .collect(),
        };
        let endpoint = Endpoint::new(
            sip::Settings {
                local: SocketAddr::from(([127, 0, 0, 1], 5060)),
                user_agent: "ringside/test".to_owned(),
                dialplan: Dialplan::for_country("US").expect("the country is listed"),
                trunks: vec![sip::Trunk {
                    name: "provider".to_owned(),
                    mode: sip::Mode::Ip,
                    did_source: ringside::config::DidSource::Auto,
                    allow: vec!["127.0.0.0/8".parse().expect("a block")],
                }],
            },
            seed,
        );
        let directory = Arc::new(Directory::from_config(&config, &names));
        let numbering = Numbering::new(BoxId::from_parts(WallTime(0), 1), 1, seed);
        let mut rig = Self {
            board: Switchboard::new(settings, directory, endpoint, numbering),
            ms: 0,
            phones: BTreeMap::new(),
            calls: BTreeMap::new(),
            log: Vec::new(),
            out: Vec::new(),
        };
        rig.give(Input::WallTime(WallTime(1_795_352_400_000)));
        for n in 0..phones {
            let phone = Phone { feed: Linefeed::Active, off_hook: false, loop_closed: false };
            rig.phones.insert(PortId(n), phone);
            rig.give(Input::Line { port: PortId(n), change: PortChange::Up });
        }
        rig.log.clear();
        rig
    }

    /// Gives one input now, and lets the phones and the trunk see what comes out.
    pub fn give(&mut self, input: Input<'_>) {
        let now = Instant::ZERO.after_ms(self.ms);
        let mut out = Vec::new();
        self.board.handle(input, now, &mut out);
        for output in &out {
            self.watch(output);
        }
        self.out.extend(out);
        for (port, change) in self.loop_changes() {
            self.give(Input::Line { port, change });
        }
    }

    /// Lets time pass until `ms`, with every deadline on the way.
    pub fn until(&mut self, ms: u64) {
        while let Some(due) = self.deadline_ms().filter(|due| *due <= ms) {
            self.ms = self.ms.max(due);
            self.give(Input::Deadline);
        }
        self.ms = self.ms.max(ms);
    }

    /// The next deadline in whole milliseconds, rounded up.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.board.deadline().map(|at| at.0.div_ceil(1000))
    }

    /// A person lifts or hangs up a handset.
    pub fn hook(&mut self, port: PortId, off_hook: bool) {
        let Some(phone) = self.phones.get_mut(&port) else { return };
        if phone.off_hook == off_hook {
            return;
        }
        phone.off_hook = off_hook;
        if off_hook && phone.feed == Linefeed::Ringing {
            phone.loop_closed = true;
            return self.give(Input::Line { port, change: PortChange::RingTripped });
        }
        for (port, change) in self.loop_changes() {
            self.give(Input::Line { port, change });
        }
    }

    /// Loop current flows when the handset is off hook and the port feeds the loop.
    fn loop_changes(&mut self) -> Vec<(PortId, PortChange)> {
        let mut changes = Vec::new();
        for (port, phone) in &mut self.phones {
            let closed = phone.off_hook && !matches!(phone.feed, Linefeed::Open | Linefeed::Ringing)
                || phone.loop_closed && phone.off_hook && phone.feed == Linefeed::Ringing;
            if closed != phone.loop_closed {
                phone.loop_closed = closed;
                changes.push((*port, if closed { PortChange::LoopClosed } else { PortChange::LoopOpened }));
            }
        }
        changes
    }

    /// The trunk sends a request of the named call.
    pub fn send(&mut self, method: &str, name: &str, to: &str) {
        let text = self.request(method, name, to);
        self.datagram(&text);
    }

    /// A datagram from the trunk.
    pub fn datagram(&mut self, text: &str) {
        let source = TRUNK.parse().expect("an address");
        self.give(Input::Sip { source, bytes: text.as_bytes() });
    }

    /// The text of a request as the trunk would send it.
    pub fn request(&mut self, method: &str, name: &str, to: &str) -> String {
        let call = self.calls.entry(name.to_owned()).or_insert_with(|| TrunkCall {
            name: name.to_owned(),
            to: to.to_owned(),
            cseq: 1,
            ..TrunkCall::default()
        });
        call.invited |= method == "INVITE";
        if method == "BYE" {
            call.cseq += 1;
            call.over = true;
        }
        let to_tag = match (method, &call.to_tag) {
            ("INVITE" | "CANCEL", _) | (_, None) => String::new(),
            (_, Some(tag)) => format!(";tag={tag}"),
        };
        let in_dialog_ack = method == "ACK" && call.finals.first() == Some(&200);
        let branch = match method {
            "BYE" => format!("{name}-bye"),
            "ACK" if in_dialog_ack => format!("{name}-ack"),
            _ => name.to_owned(),
        };
        let body = if method == "INVITE" { SDP } else { "" };
        let uri = format!("sip:{}@127.0.0.1:5060", call.to);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {TRUNK};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:+13125551234@127.0.0.1>;tag=f{name}\r\nTo: <{uri}>{to_tag}\r\nCall-ID: {name}\r\n\
             CSeq: {} {method}\r\nContact: <sip:trunk@{TRUNK}>\r\n{}Content-Length: {}\r\n\r\n{body}",
            if method == "BYE" { call.cseq } else { 1 },
            if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" },
            body.len(),
        )
    }

    /// The media thread lets a patch go.
    pub fn unpatched(&mut self, rtp: RtpPort) {
        let counters = media::PatchCounters { packets: 100, ..media::PatchCounters::default() };
        self.give(Input::Media(media::Event::Unpatched { rtp, counters, tap: None }));
    }

    fn port_name(port: PortId) -> String {
        format!("PHONE{}", port.0 + 1)
    }

    fn watch(&mut self, output: &Output) {
        let (who, what) = match output {
            Output::Sip { bytes, .. } => ("trunk".to_owned(), self.trunk_hears(bytes)),
            Output::Line { port, feed } => {
                if let Some(phone) = self.phones.get_mut(port) {
                    phone.feed = *feed;
                }
                (Self::port_name(*port), format!("{feed:?}"))
            }
            Output::CallerId { slot, id, .. } => (
                Self::port_name(PortId(slot.0)),
                format!(
                    "caller id {} \"{}\"",
                    id.number.as_deref().unwrap_or("-"),
                    id.name.as_deref().unwrap_or("")
                ),
            ),
            Output::Media(command) => Self::media_hears(command),
            Output::Patch { rtp, slot, recording, .. } => (
                "media".to_owned(),
                format!(
                    "patch {} with {}{}",
                    rtp.0,
                    Self::port_name(PortId(slot.0)),
                    if recording.is_some() { ", recorded" } else { "" }
                ),
            ),
            Output::Show(bubble) => ("bubble".to_owned(), format!("{:?}", bubble.state).to_lowercase()),
            Output::Store(storage::Command::Ringing(_)) => ("store".to_owned(), "ringing".to_owned()),
            Output::Store(storage::Command::Answered { .. }) => ("store".to_owned(), "answered".to_owned()),
            Output::Store(storage::Command::Start { .. }) => ("store".to_owned(), "start".to_owned()),
            Output::Store(storage::Command::Save(record)) => {
                let why = record.outcome.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
                ("store".to_owned(), format!("save {:?}{why}", record.outcome.ended))
            }
            Output::Trunk { state, .. } => ("panel".to_owned(), format!("{state:?}")),
        };
        let mut line = String::new();
        let _ = write!(line, "  {:<7} {who:<7}< {what}", self.ms);
        self.log.push(line);
    }

    /// Names an order to the media thread for the log, and whom it is about.
    fn media_hears(command: &media::Command) -> (String, String) {
        use media::Command::{
            Announce, Change, Hush, Ignore, Interject, Join, Listen, Park, Part, Patch, Play, Unpark, Unpatch,
        };
        let at = |slot: &Slot| Self::port_name(PortId(slot.0));
        let media = "media".to_owned();
        match command {
            Patch { .. } => (media, "patch".to_owned()),
            Change { rtp, trunk } => {
                (media, format!("change {} send={} receive={}", rtp.0, trunk.send, trunk.receive))
            }
            Park { rtp } => (media, format!("park {}", rtp.0)),
            Unpark { rtp, slot } => (media, format!("unpark {} on {}", rtp.0, at(slot))),
            Unpatch { rtp } => (media, format!("unpatch {}", rtp.0)),
            Join { phone, line } => (media, format!("join {} with {}", at(phone), at(line))),
            Part { phone } => (at(phone), "part".to_owned()),
            Announce { slot, .. } => (at(slot), "announce".to_owned()),
            Interject { slot, .. } => (at(slot), "interject".to_owned()),
            Listen { slot, .. } => (at(slot), "listen".to_owned()),
            Ignore { slot } => (at(slot), "ignore".to_owned()),
            Play { slot, sound } => {
                let howler = media::Sound::Tone(TonePlan::north_america().howler);
                (at(slot), if *sound == howler { "howler" } else { "tone" }.to_owned())
            }
            Hush { slot } => (at(slot), "hush".to_owned()),
        }
    }

    /// Reads one message of the box as its trunk would, and names it for the log.
    fn trunk_hears(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let header = |name: &str| {
            let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let (call_id, cseq) = (header("call-id"), header("cseq"));
        let first = text.lines().next().unwrap_or_default();
        let Some(call) = self.calls.get_mut(&call_id) else { return format!("{first} ?") };
        let Some(status) = first.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok())
        else {
            let method = first.split(' ').next().unwrap_or_default();
            call.over |= method == "BYE";
            return format!("{method} {call_id}");
        };
        if let Some((_, tag)) = header("to").split_once(";tag=") {
            call.to_tag = Some(tag.to_owned());
        }
        let method = cseq.split(' ').nth(1).unwrap_or_default().to_owned();
        if method == "INVITE" && status >= 200 && !call.finals.contains(&status) {
            call.finals.push(status);
        }
        format!("{status} {call_id} {method}")
    }
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";
