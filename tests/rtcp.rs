//! RTCP of whole calls through `PatchBay`, in virtual time: what is said, when, to whom, and who is listened to.

mod media {
    pub(crate) mod plane;
}

use media::plane::{OFFICE, OFFICE_RTCP, Plane, Report, address, ntp, rtp, trunk};
use ringside::{
    id::RtpPort,
    media::control::{Command, FarEnd, Trunk},
    rtp::{
        ntp::NtpTime,
        rtcp::{Block, Cname, Heard, MAX_COMPOUND, Sender, Statement},
    },
};
use std::net::SocketAddr;

/// Our stream in these tests, and the peer's.
const OURS: u32 = 0xabcd;
const PEERS: u32 = 7;
const TICKS_PER_S: usize = 100;

/// A call on port 0 whose peer talks; packet `n` is sent unless `lost` says so.
struct Call {
    plane: Plane,
    seq: u16,
    lost: fn(u16) -> bool,
}

impl Call {
    fn new(trunk: Trunk) -> Self {
        let mut plane = Plane::new(1, 2);
        plane.patch(0, 0, trunk, None);
        plane.run(1);
        Self { plane, seq: 65_000, lost: |_| false }
    }

    fn talk(&mut self, from: SocketAddr, ticks: usize) {
        for _ in 0..ticks / 2 {
            if !(self.lost)(self.seq) {
                let timestamp = u32::from(self.seq) * 160;
                self.plane.arrives(0, from, rtp(0, self.seq, timestamp, PEERS, &[0xff; 160]));
            }
            self.seq = self.seq.wrapping_add(1);
            self.plane.run(2);
        }
    }

    /// Talks until a report comes that was not there before.
    fn next_report(&mut self, from: SocketAddr) -> Report {
        let before = self.plane.reports().len();
        for _ in 0..7 * TICKS_PER_S / 2 {
            self.talk(from, 2);
            if self.plane.reports().len() > before {
                return self.plane.reports().last().unwrap().clone();
            }
        }
        panic!("no report in 7 s");
    }
}

fn heard(report: &Report) -> Heard {
    Heard::parse(&report.bytes, PEERS).unwrap()
}

/// A sender report of the peer with a block about our stream.
fn peers_report(ssrc: u32, at: NtpTime, block: Option<Block>) -> Vec<u8> {
    let sender = Sender { at, timestamp: 9, packets: 10, octets: 1_600 };
    let (cname, mut out) = (Cname::new(3), [0; MAX_COMPOUND]);
    Statement { ssrc, sender: Some(sender), block, cname: &cname, leaves: false }.write(&mut out).to_vec()
}

fn about_us(report: &Report, delay_ms: u32) -> Block {
    Block {
        ssrc: OURS,
        lost: 12,
        jitter: 48,
        last_sr: heard(report).sender.unwrap().at.middle(),
        delay_since_last_sr: delay_ms * 65_536 / 1_000,
        ..Block::default()
    }
}

#[test]
fn the_first_report_comes_early_and_says_what_was_sent() {
    let mut call = Call::new(trunk());
    let first = call.next_report(OFFICE);
    let at_ms = (call.plane.clock() / 80 - 12_345) * 10;
    assert!((1_000..2_520).contains(&at_ms), "{at_ms} ms");
    assert_eq!((first.to, first.shared_port), (OFFICE_RTCP, false));
    let said = heard(&first);
    let sender = said.sender.unwrap();
    let sent = call.plane.sent(0);
    // One packet more may have gone out in the tick after the report.
    let told = sent[sender.packets as usize - 1].clone();
    assert!((0..=1).contains(&(sent.len() - sender.packets as usize)), "{sender:?}");
    assert_eq!((said.ssrc, sender.octets), (OURS, sender.packets * 160));
    assert_eq!(sender.at, first.at);
    // The stream's clock at this moment: one packet beyond the last one, and half of the next if that is begun.
    assert!([160, 240].contains(&(sender.timestamp - told.timestamp)), "{sender:?} {told:?}");
    let mut times = vec![first.at];
    (0..20).for_each(|_| times.push(call.next_report(OFFICE).at));
    let gaps: Vec<u64> = times.windows(2).map(|pair| ((pair[1].0 - pair[0].0) * 1_000) >> 32).collect();
    assert!(gaps.iter().all(|ms| (2_040..6_180).contains(ms)), "{gaps:?}");
    assert!(
        gaps.iter().max().unwrap() - gaps.iter().min().unwrap() > 1_000,
        "drawn anew each time: {gaps:?}"
    );
    assert_eq!(call.plane.heap_calls(), 0);
}

#[test]
fn one_packet_of_ten_lost_is_told_as_such() {
    let mut call = Call::new(trunk());
    call.lost = |seq| seq % 10 == 5;
    let first = heard(&call.next_report(OFFICE)).block.unwrap();
    let second = heard(&call.next_report(OFFICE)).block.unwrap();
    for block in [first, second] {
        assert!((22..=29).contains(&block.fraction_lost), "{block:?}");
        let expected = block.highest - 65_000 + 1;
        assert_eq!(block.ssrc, PEERS);
        assert!(block.lost.unsigned_abs().abs_diff(expected / 10) <= 1, "{block:?}");
    }
    (0..3).for_each(|_| drop(call.next_report(OFFICE)));
    let wrapped = heard(&call.next_report(OFFICE)).block.unwrap();
    assert!(wrapped.highest > 0xffff, "sequence numbers wrap: {wrapped:?}");
    let counters = call.plane.unpatch(0);
    let expected = counters.packets + counters.lost;
    assert!(counters.lost.abs_diff(expected / 10) <= 1, "{counters:?}");
    assert_eq!(counters.loss_runs, counters.lost);
}

#[test]
fn round_trip_and_the_far_ends_view_reach_the_counters() {
    let mut call = Call::new(trunk());
    let ours = call.next_report(OFFICE);
    // It travels, waits 500 ms at the peer, and the answer is there 560 ms after it was sent.
    call.talk(OFFICE, 56);
    let sent_at = NtpTime(call.plane.clock() << 20);
    let waited = (((ntp(call.plane.clock()).0 - ours.at.0) * 1_000) >> 32) as u32;
    call.plane.control_arrives(
        0,
        OFFICE_RTCP,
        peers_report(PEERS, sent_at, Some(about_us(&ours, waited - 60))),
    );
    let arrived = ntp(call.plane.clock());
    let next = call.next_report(OFFICE);
    let block = heard(&next).block.unwrap();
    assert_eq!(block.last_sr, sent_at.middle());
    assert_eq!(
        block.delay_since_last_sr,
        next.at.units_since(arrived),
        "from the arrival, not from the look"
    );
    let counters = call.plane.unpatch(0);
    assert!((58..=60).contains(&counters.round_trip_ms.unwrap()), "{counters:?}");
    assert_eq!(counters.far_end, Some(FarEnd { lost: 12, jitter_ms: 6 }));
    assert_eq!((counters.rtcp_received, counters.rtcp_refused, counters.jitter_p95_ms), (1, 0, Some(0)));
    assert_eq!(call.plane.heap_calls(), 0);
}

#[test]
fn strangers_and_nonsense_are_refused_and_never_answered() {
    let mut call = Call::new(trunk());
    let ours = call.next_report(OFFICE);
    let forged = peers_report(PEERS, ours.at, Some(about_us(&ours, 0)));
    for from in [address(66), OFFICE, SocketAddr::new(OFFICE.ip(), 9)] {
        call.plane.control_arrives(0, from, forged.clone());
    }
    call.plane.control_arrives(0, OFFICE_RTCP, forged[4..].to_vec());
    call.plane.control_arrives(0, OFFICE_RTCP, vec![0x80, 201, 0, 1]);
    // RTCP at the RTP port, where none was agreed on.
    call.plane.arrives(0, OFFICE, forged.clone());
    let next = call.next_report(OFFICE);
    assert_eq!(heard(&next).block.unwrap().last_sr, 0);
    assert!(call.plane.reports().iter().all(|report| report.to == OFFICE_RTCP));
    let counters = call.plane.unpatch(0);
    assert_eq!((counters.rtcp_received, counters.rtcp_refused, counters.refused), (0, 5, 1));
    assert_eq!((counters.round_trip_ms, counters.far_end), (None, None));
}

#[test]
fn a_flood_at_the_rtcp_port_is_read_in_small_helpings() {
    let mut call = Call::new(trunk());
    (0..100).for_each(|_| call.plane.control_arrives(0, address(66), vec![0; 8]));
    call.talk(OFFICE, 2 * TICKS_PER_S);
    let counters = call.plane.unpatch(0);
    assert_eq!(counters.rtcp_refused, 16, "eight each second");
}

#[test]
fn what_came_before_the_call_is_thrown_away() {
    let mut plane = Plane::new(1, 1);
    (0..10).for_each(|_| plane.control_arrives(0, OFFICE_RTCP, peers_report(PEERS, ntp(0), None)));
    plane.patch(0, 0, trunk(), None);
    plane.run(2 * TICKS_PER_S);
    assert_eq!(plane.unpatch(0).rtcp_received, 0);
}

#[test]
fn behind_a_translator_rtcp_is_known_by_the_host_and_the_source_of_the_rtp() {
    let translated = address(9);
    let mut call = Call::new(trunk());
    call.talk(translated, 3 * TICKS_PER_S);
    assert!(call.plane.reports().is_empty(), "nobody knows where to");
    let (control, other) =
        (SocketAddr::new(translated.ip(), 61_000), SocketAddr::new(translated.ip(), 61_002));
    call.plane.control_arrives(0, other, peers_report(PEERS + 1, ntp(0), None));
    call.plane.control_arrives(0, address(66), peers_report(PEERS, ntp(0), None));
    call.plane.control_arrives(0, OFFICE_RTCP, peers_report(PEERS, ntp(0), None));
    call.plane.control_arrives(0, control, peers_report(PEERS, ntp(0), None));
    call.plane.control_arrives(0, other, peers_report(PEERS, ntp(0), None));
    assert_eq!(call.next_report(translated).to, control);
    let counters = call.plane.unpatch(0);
    assert_eq!((counters.rtcp_received, counters.rtcp_refused), (1, 4));
}

#[test]
fn on_a_shared_port_rtcp_comes_and_goes_with_the_rtp() {
    let mut call = Call::new(Trunk { rtcp: OFFICE, ..trunk() });
    let ours = call.next_report(OFFICE);
    assert_eq!((ours.to, ours.shared_port), (OFFICE, true));
    call.plane.arrives(0, OFFICE, peers_report(PEERS, ours.at, Some(about_us(&ours, 0))));
    call.plane.arrives(0, address(66), peers_report(PEERS, ours.at, None));
    let next = heard(&call.next_report(OFFICE)).block.unwrap();
    assert_eq!(next.last_sr, ours.at.middle());
    call.plane.unpatch(0);
    let counters = {
        call.plane.run(1);
        call.plane.reports().last().unwrap().clone()
    };
    assert!(counters.shared_port && heard(&counters).leaves);
    assert_eq!(call.plane.heap_calls(), 0);
}

#[test]
fn a_shared_port_counts_reports_apart_from_audio() {
    let mut call = Call::new(Trunk { rtcp: OFFICE, ..trunk() });
    call.talk(OFFICE, 10);
    call.plane.arrives(0, OFFICE, peers_report(PEERS, ntp(0), None));
    call.plane.arrives(0, address(66), peers_report(PEERS, ntp(0), None));
    call.talk(OFFICE, 10);
    let counters = call.plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused, counters.lost), (10, 0, 0));
    assert_eq!((counters.rtcp_received, counters.rtcp_refused), (1, 1));
}

#[test]
fn a_call_that_ends_says_goodbye_in_the_next_tick() {
    let mut call = Call::new(trunk());
    call.talk(OFFICE, 50);
    let counters = call.plane.unpatch(0);
    assert_eq!(counters.rtcp_sent, 1);
    assert!(call.plane.reports().is_empty());
    call.plane.run(100);
    let [last] = call.plane.reports() else { panic!("{:?}", call.plane.reports()) };
    let said = heard(last);
    assert!(said.leaves && said.sender.is_some() && said.block.is_some());
    assert_eq!(last.to, OFFICE_RTCP);
    assert_eq!(call.plane.heap_calls(), 0);
}

#[test]
fn who_sent_nothing_says_no_goodbye() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    assert_eq!(plane.unpatch(0).rtcp_sent, 0);
    plane.run(10);
    assert!(plane.reports().is_empty());
}

#[test]
fn a_call_on_hold_reports_as_a_receiver_unless_it_has_no_address() {
    let mut call = Call::new(trunk());
    call.next_report(OFFICE);
    call.plane.command(Command::Change { rtp: RtpPort(0), trunk: Trunk { send: false, ..trunk() } });
    (0..2).for_each(|_| drop(call.next_report(OFFICE)));
    let held = heard(&call.next_report(OFFICE));
    assert!(held.sender.is_none() && held.block.is_some());
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 4_001));
    let trunk = Trunk { send: false, receive: false, rtcp: nowhere, ..trunk() };
    call.plane.command(Command::Change { rtp: RtpPort(0), trunk });
    let before = call.plane.reports().len();
    call.plane.run(10 * TICKS_PER_S);
    assert_eq!(call.plane.reports().len(), before);
}
