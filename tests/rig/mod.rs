//! The whole control plane on a bench: a switchboard with its real SIP endpoint, phones that lift and hang up, a
//! trunk that speaks SIP text, and a virtual clock. Used by the ladders and by the storm.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of the rig")]

pub mod dice;
mod site;
mod words;

use ringside::{
    audio::{dtmf::Key, line_ear::Heard},
    call::incoming::Numbering,
    chip::{LineChange, LineOrder, Linefeed, PortChange},
    config::Config,
    directory::Directory,
    id::{BoxId, PortId, RtpPort, Slot},
    media::control as media,
    number::Dialplan,
    recording::lifecycle as storage,
    sip::{endpoint::Endpoint, settings as sip},
    switchboard::{Input, Output, Settings, Switchboard},
    time::{Instant, WallTime},
};
use site::{CONFIG, settings};
use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, sync::Arc};
use words::shown;

/// Where the trunk sends from.
pub const TRUNK: &str = "127.0.0.1:5070";

/// From an order to go off hook until the driver says that it is.
const SETTLES_MS: u64 = 208;

/// One call as the trunk sees it.
#[derive(Clone, Debug, Default)]
pub struct TrunkCall {
    pub name: String,
    pub to: String,
    pub to_tag: Option<String>,
    pub cseq: u32,
    /// Whether its INVITE was ever sent.
    pub invited: bool,
    /// When it was sent first.
    pub invited_at: u64,
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

/// An office line as its chip sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub off_hook: bool,
    /// When the driver says that it is off hook.
    pub settles_at: Option<u64>,
    /// Digits dialled in the seizure that lasts, and how often it was dialled.
    pub dialled: u32,
    /// It takes no orders.
    pub deaf: bool,
}

/// The bench.
pub struct Rig {
    pub board: Switchboard,
    pub ms: u64,
    pub phones: BTreeMap<PortId, Phone>,
    pub lines: BTreeMap<PortId, Line>,
    pub calls: BTreeMap<String, TrunkCall>,
    /// The last INVITE of the box.
    pub placed: Option<String>,
    /// Everything that came out, one line each.
    pub log: Vec<String>,
    /// What came out since it was last taken.
    pub out: Vec<Output>,
    /// Whether the log tells how each call was attributed.
    pub tells_attribution: bool,
}

impl Rig {
    /// A box with `phones` phones, no office line and no call waiting.
    pub fn new(phones: u8, seed: u64) -> Self {
        Self::with(phones, 0, seed, |settings| settings.call_waiting = false)
    }

    /// A box with `phones` phones and `lines` office lines whose chips are up and whose lines are fed.
    pub fn with(phones: u8, lines: u8, seed: u64, change: impl Fn(&mut Settings)) -> Self {
        let names: Vec<String> = (1..=phones).map(|n| format!("PHONE{n}")).collect();
        let config = Config::parse(CONFIG, "rig.toml").expect("the rig's configuration is good");
        let mut settings = settings(phones, lines);
        change(&mut settings);
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
                    emergency: Some(sip::Emergency {
                        callback: "+13125550190".parse().expect("a number"),
                        peer: Some(TRUNK.parse().expect("an address")),
                    }),
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
            lines: BTreeMap::new(),
            calls: BTreeMap::new(),
            placed: None,
            log: Vec::new(),
            out: Vec::new(),
            tells_attribution: false,
        };
        rig.give(Input::WallTime(WallTime(1_795_352_400_000)));
        for n in 0..phones {
            let phone = Phone { feed: Linefeed::Active, off_hook: false, loop_closed: false };
            rig.phones.insert(PortId(n), phone);
            rig.give(Input::Fxs { port: PortId(n), change: PortChange::Up });
        }
        for n in phones..phones + lines {
            rig.lines.insert(PortId(n), Line::default());
            rig.give(Input::Fxo { port: PortId(n), change: LineChange::Up });
        }
        rig.until(1_000);
        rig.ms = 0;
        rig.out.clear();
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
            self.give(Input::Fxs { port, change });
        }
    }

    /// Lets time pass until `ms`, with every deadline on the way.
    pub fn until(&mut self, ms: u64) {
        loop {
            let settles = self.lines.iter().filter_map(|(port, line)| Some((line.settles_at?, *port))).min();
            let due = self.deadline_ms().filter(|due| *due <= ms);
            match (settles.filter(|(at, _)| *at <= ms), due) {
                (Some((at, port)), due) if due.is_none_or(|due| at <= due) => self.settle(at, port),
                (_, Some(due)) => {
                    self.ms = self.ms.max(due);
                    self.give(Input::Deadline);
                }
                (_, None) => break,
            }
        }
        self.ms = self.ms.max(ms);
    }

    /// The driver has seen a line that was ordered off hook settle.
    fn settle(&mut self, at: u64, port: PortId) {
        self.ms = self.ms.max(at);
        if let Some(line) = self.lines.get_mut(&port) {
            line.settles_at = None;
        }
        self.give(Input::Fxo { port, change: LineChange::OffHook });
    }

    /// When the next thing happens: a deadline, or a line that settles.
    pub fn due_ms(&self) -> Option<u64> {
        self.lines.values().filter_map(|line| line.settles_at).chain(self.deadline_ms()).min()
    }

    /// The lines stay off hook for ever: their orders get lost from now on.
    pub fn forget_on_hook(&mut self) {
        self.lines.values_mut().for_each(|line| (line.off_hook, line.deaf) = (true, true));
    }

    /// What the driver of a line says.
    pub fn line(&mut self, port: PortId, change: LineChange) {
        // A chip that failed, or has just come up, is on hook whatever was ordered.
        let on_hook = matches!(
            change,
            LineChange::Up
                | LineChange::Down
                | LineChange::Reset
                | LineChange::LinkLost
                | LineChange::Overload
        );
        if let Some(line) = self.lines.get_mut(&port).filter(|line| on_hook && !line.deaf) {
            (line.off_hook, line.settles_at) = (false, None);
        }
        self.give(Input::Fxo { port, change });
    }

    /// What is heard on a port.
    pub fn heard(&mut self, port: PortId, heard: Heard) {
        self.give(Input::Media(media::Event::Heard { slot: Slot(port.0), heard }));
    }

    /// Keys pressed on a phone, all at once.
    pub fn press(&mut self, port: PortId, keys: &str) {
        for sign in keys.chars() {
            self.heard(port, Heard::Key(Key::from_sign(sign).expect("a key")));
        }
    }

    /// The hook is opened for 500 ms.
    pub fn flash(&mut self, port: PortId) {
        self.give(Input::Fxs { port, change: PortChange::LoopOpened });
        self.until(self.ms + 500);
        self.give(Input::Fxs { port, change: PortChange::LoopClosed });
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
            return self.give(Input::Fxs { port, change: PortChange::RingTripped });
        }
        for (port, change) in self.loop_changes() {
            self.give(Input::Fxs { port, change });
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

    /// The trunk answers the last INVITE of the box.
    pub fn answer(&mut self, status: &str) {
        let Some(invite) = self.placed.clone() else { return };
        let header = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let body = if status.starts_with('2') { SDP } else { "" };
        let text = format!(
            "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=trunk\r\n{}\r\n{}\r\nContact: <sip:trunk@{TRUNK}>\r\n{}\
             Content-Length: {}\r\n\r\n{body}",
            header("Via:"),
            header("From:"),
            header("To:"),
            header("Call-ID:"),
            header("CSeq:"),
            if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" },
            body.len(),
        );
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
        if method == "INVITE" && !std::mem::replace(&mut call.invited, true) {
            call.invited_at = self.ms;
        }
        call.acked |= method == "ACK";
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

    pub fn port_name(&self, port: PortId) -> String {
        let phones = u8::try_from(self.phones.len().max(2)).unwrap_or(2);
        match port.0.checked_sub(phones) {
            Some(line) => format!("LINE{}", line + 1),
            None => format!("PHONE{}", port.0 + 1),
        }
    }

    pub fn slot_name(&self, slot: Slot) -> String {
        self.port_name(PortId(slot.0))
    }

    fn order(&mut self, port: PortId, order: LineOrder) {
        let now = self.ms;
        let Some(line) = self.lines.get_mut(&port).filter(|line| !line.deaf) else { return };
        match order {
            LineOrder::OffHook if !line.off_hook => {
                *line = Line { off_hook: true, settles_at: Some(now + SETTLES_MS), dialled: 0, deaf: false };
            }
            LineOrder::OnHook | LineOrder::Monitor => (line.off_hook, line.settles_at) = (false, None),
            LineOrder::OffHook | LineOrder::Flash { .. } | LineOrder::Pulse { .. } => {}
        }
    }

    fn watch(&mut self, output: &Output) {
        if let Output::Store(storage::Command::Ringing(record)) = output
            && self.tells_attribution
        {
            let told = words::attributed(record).into_iter();
            self.log.extend(told.map(|line| format!("  {:<7} record < {line}", self.ms)));
        }
        let (who, what) = match output {
            Output::Sip { bytes, .. } => ("trunk".to_owned(), self.trunk_hears(bytes)),
            Output::Fxs { port, feed } => {
                if let Some(phone) = self.phones.get_mut(port) {
                    phone.feed = *feed;
                }
                (self.port_name(*port), format!("{feed:?}"))
            }
            Output::Fxo { port, order } => {
                self.order(*port, *order);
                (self.port_name(*port), format!("{order:?}"))
            }
            Output::Balance { port, balance } => (self.port_name(*port), format!("balance {}", balance.acim)),
            Output::CallerId { slot, id, .. } => (self.slot_name(*slot), format!("caller id {}", shown(id))),
            Output::Announce { slot, id } => (self.slot_name(*slot), format!("announce {}", shown(id))),
            Output::Listen { slot, to } => (self.slot_name(*slot), format!("listen {to:?}").to_lowercase()),
            Output::Dial { slot, keys } => {
                if let Some(line) = self.lines.get_mut(&PortId(slot.0)) {
                    line.dialled += 1;
                }
                let keys: String = keys.iter().map(|key| key.sign()).collect();
                (self.slot_name(*slot), format!("dial {keys}"))
            }
            Output::Say { slot, words } => (self.slot_name(*slot), format!("say {words:?}")),
            Output::Interject { slot, words } => (self.slot_name(*slot), format!("interject {words:?}")),
            Output::Media(command) => self.media_hears(command),
            Output::Patch { rtp, slot, recording, .. } => (
                "media".to_owned(),
                format!(
                    "patch {} with {}{}",
                    rtp.0,
                    self.slot_name(*slot),
                    if recording.is_some() { ", recorded" } else { "" }
                ),
            ),
            Output::Show(bubble) => ("bubble".to_owned(), format!("{:?}", bubble.state).to_lowercase()),
            Output::Store(storage::Command::Ringing(_)) => ("store".to_owned(), "ringing".to_owned()),
            Output::Store(storage::Command::Answered { .. }) => ("store".to_owned(), "answered".to_owned()),
            Output::Store(storage::Command::Start { .. }) => ("store".to_owned(), "start".to_owned()),
            Output::Store(storage::Command::Save(record)) => {
                let why = record.outcome.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
                let by = record.answered_by.as_ref().map(|by| format!(", {} by {}", by.kind, by.evidence));
                let by = by.filter(|by| !by.contains("handset")).unwrap_or_default();
                ("store".to_owned(), format!("save {:?}{why}{by}", record.outcome.ended))
            }
            Output::Trunk { state, .. } => ("panel".to_owned(), format!("{state:?}")),
            Output::Report(report) => ("report".to_owned(), self.reported(report)),
        };
        let mut line = String::new();
        let _ = write!(line, "  {:<7} {who:<7}< {what}", self.ms);
        self.log.push(line);
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
        let Some(call) = self.calls.get_mut(&call_id) else {
            if first.starts_with("INVITE") {
                self.placed = Some(text.to_string());
            }
            return format!("{} of the box", first.trim_end_matches(" SIP/2.0"));
        };
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
