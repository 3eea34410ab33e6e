//! The SIP endpoint alone, on real sockets, with a handset that beeps: it calls SIPp, and the simulated provider.
//!
//! The product has no command yet that places a call, so the endpoint is driven from here.

use super::{running::PATIENCE, sipp};
use ringside::{
    number::Dialplan,
    sim::provider::{Account, AnswerPlan, End, Provider, Speech},
    sip::{
        endpoint::Endpoint,
        event::{Command, DialogId, Ended, Event, Priority, Refusal, Registration, TrunkId},
        identity::DidSource,
        settings::{self, Emergency, Mode, Settings, Trunk},
    },
    time,
};
use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Bytes of 20 ms of G.711.
const PACKET_BYTES: usize = 160;
const RTP_HEADER: usize = 12;

struct Caller {
    endpoint: Endpoint,
    sip: UdpSocket,
    rtp: UdpSocket,
    started: Instant,
    speak_to: Option<SocketAddr>,
    next_packet: Instant,
    sent: u16,
    heard: Vec<Vec<u8>>,
    told: Vec<Command>,
}

impl Caller {
    /// A box that registers with the account of [`Account::default`] at `registrar`.
    fn new(registrar: SocketAddr) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
            socket
        };
        let (sip, rtp, known) = (socket(), socket(), Account::default());
        let account = settings::Account {
            registrar,
            domain: format!("sip:{registrar}").parse().unwrap(),
            user: known.user.clone(),
            auth_user: known.user,
            password: known.password,
            expires_s: 600,
        };
        let trunk = Trunk {
            name: "trunk".to_owned(),
            mode: Mode::Register(account),
            did_source: DidSource::Auto,
            allow: Vec::new(),
            emergency: Some(Emergency { callback: "+13125550177".parse().unwrap(), peer: None }),
        };
        let settings = Settings {
            local: sip.local_addr().unwrap(),
            user_agent: "ringside".to_owned(),
            dialplan: Dialplan::for_country("US").unwrap(),
            trunks: vec![trunk],
        };
        Self {
            endpoint: Endpoint::new(settings, 7),
            sip,
            rtp,
            started: Instant::now(),
            speak_to: None,
            next_packet: Instant::now(),
            sent: 0,
            heard: Vec::new(),
            told: Vec::new(),
        }
    }

    fn give(&mut self, event: Event<'_>) {
        let now = time::Instant::ZERO.after_ms(self.started.elapsed().as_millis() as u64);
        let mut out = Vec::new();
        self.endpoint.handle(event, now, &mut out);
        for command in out {
            match command {
                Command::Send { to, bytes } => drop(self.sip.send_to(&bytes, to).unwrap()),
                Command::Media { media, .. } => {
                    self.speak_to = Some(media.remote);
                    self.next_packet = Instant::now();
                }
                told => self.told.push(told),
            }
        }
    }

    fn place(&mut self, to: &str) -> DialogId {
        let dialog = self.endpoint.reserve();
        let (trunk, rtp) = (TrunkId(0), self.rtp.local_addr().unwrap());
        self.give(Event::Place { dialog, trunk, to, rtp, priority: Priority::Emergency });
        dialog
    }

    /// Lives until `enough` was told; panics if it never is.
    fn live_until(&mut self, enough: impl Fn(&Command) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !self.told.iter().any(&enough) {
            assert!(Instant::now() < until, "{:?}", self.told);
            self.live();
        }
    }

    /// Takes what has come, and sends what is due.
    fn live(&mut self) {
        let mut buffer = [0; 4096];
        // Nothing, or an error while the other side is not there yet: the endpoint repeats what is lost.
        if let Ok((length, source)) = self.sip.recv_from(&mut buffer) {
            self.give(Event::Datagram { source, bytes: &buffer[..length] });
        }
        if let Ok(length) = self.rtp.recv(&mut buffer) {
            self.heard.push(buffer[RTP_HEADER..length].to_vec());
        }
        self.give(Event::Deadline);
        if let Some(peer) = self.speak_to.filter(|_| self.next_packet <= Instant::now()) {
            self.next_packet += Duration::from_millis(20);
            self.rtp.send_to(&self.packet(), peer).unwrap();
            self.sent += 1;
        }
    }

    fn register(&mut self) {
        let registered = |told: &Command| {
            matches!(told, Command::Registration { state: Registration::Registered { .. }, .. })
        };
        self.live_until(registered);
    }

    /// RTP in µ-law: the loudest value, and the number of the packet in its first two bytes.
    fn packet(&self) -> Vec<u8> {
        let stamp = u32::from(self.sent) * PACKET_BYTES as u32;
        let head = [&[0x80, 0][..], &self.sent.to_be_bytes(), &stamp.to_be_bytes(), &[7; 4]].concat();
        let mut packet = [head, vec![0x80; PACKET_BYTES]].concat();
        packet[RTP_HEADER..RTP_HEADER + 2].copy_from_slice(&self.sent.to_be_bytes());
        packet
    }
}

#[test]
fn sipp_is_called_asks_for_the_password_echoes_the_audio_and_hangs_up() {
    if !sipp::is_here() {
        return;
    }
    let (mut callee, address) = sipp::answer("answers_the_box", &["-rtp_echo", "-m", "2"]);
    let mut caller = Caller::new(address);
    caller.register();
    let dialog = caller.place("911");
    caller.live_until(|told| *told == Command::Ended { dialog, why: Ended::HungUp });
    assert!(caller.told.contains(&Command::Progress { dialog, status: 180 }), "{:?}", caller.told);
    assert!(caller.told.contains(&Command::Answered { dialog }), "{:?}", caller.told);
    let counts = callee.finish();
    assert_eq!((counts.successful, counts.failed), (2, 0), "a registration and a call");
    let (sent, heard) = (caller.sent, caller.heard.len());
    assert!(sent >= 30 && heard >= 30, "{heard} of {sent} packets came back");
    let numbers: Vec<u16> = caller.heard.iter().map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
    assert!(numbers.is_sorted() && numbers.iter().all(|n| *n < sent), "{numbers:?}");
}

#[test]
fn an_emergency_call_goes_out_over_the_trunk_and_both_sides_hear_each_other() {
    let provider = Provider::start("127.0.0.1:0".parse().unwrap(), Account::default()).unwrap();
    let taken = provider.take_calls(AnswerPlan {
        challenges: true,
        announces: true,
        rings_for: Some(Duration::from_millis(300)),
        speech: Speech::Tone { hz: 1000.0, peak: 8000 },
        hang_up_after: Some(Duration::from_millis(400)),
        ..AnswerPlan::new()
    });
    let mut caller = Caller::new(provider.address());
    caller.register();
    let dialog = caller.place("911");
    caller.live_until(|told| *told == Command::Ended { dialog, why: Ended::HungUp });
    assert!(caller.told.contains(&Command::Progress { dialog, status: 183 }), "{:?}", caller.told);
    assert!(caller.told.contains(&Command::Answered { dialog }), "{:?}", caller.told);
    let call = taken.wait(0, PATIENCE).unwrap();
    assert!(taken.wait(1, Duration::ZERO).is_none(), "the challenged INVITE is the same call");
    assert_eq!(call.target, format!("sip:911@{}", provider.address()));
    let identity = format!("<sip:+13125550177@{}>", provider.address());
    assert_eq!(call.header("P-Asserted-Identity"), Some(identity.as_str()));
    assert_eq!(call.header("Priority"), Some("emergency"));
    let outcome = call.handle.wait(PATIENCE, |_| false);
    assert_eq!((outcome.end, outcome.statuses), (Some(End::CalleeHungUp), vec![183, 200]));
    assert!(outcome.heard.iter().any(|sample| *sample > 32_000), "the callee hears the handset");
    // 0xff and 0x7f are the two silent codes.
    let loud = caller.heard.iter().filter(|packet| packet.iter().any(|code| code & 0x7f != 0x7f)).count();
    assert!(loud >= 15, "{loud} packets with sound");
}

#[test]
fn a_busy_answering_point_and_a_handset_that_goes_down_are_understood() {
    let provider = Provider::start("127.0.0.1:0".parse().unwrap(), Account::default()).unwrap();
    let mut caller = Caller::new(provider.address());
    let busy = provider.take_calls(AnswerPlan { refuses_with: Some(486), ..AnswerPlan::new() });
    let dialog = caller.place("911");
    caller.live_until(|told| *told == Command::Refused { dialog, why: Refusal::Status(486) });
    let outcome = busy.wait(0, PATIENCE).unwrap().handle.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::Refused(486)));

    let patient = provider.take_calls(AnswerPlan { rings_for: None, ..AnswerPlan::new() });
    let dialog = caller.place("911");
    caller.live_until(|told| *told == Command::Progress { dialog, status: 180 });
    caller.give(Event::HangUp { dialog, reason: None });
    let again = caller.place("911");
    caller.live_until(|told| *told == Command::Progress { dialog: again, status: 180 });
    let first = patient.wait(0, PATIENCE).unwrap().handle;
    let until = Instant::now() + PATIENCE;
    while first.outcome().end.is_none() && Instant::now() < until {
        caller.live();
    }
    assert_eq!(first.outcome().end, Some(End::Cancelled));
}
