//! RTCP of a call through the running daemon: a peer that loses packets, reports, and reads our reports.

use crate::shared::{
    inside::Inside,
    peer::Peer,
    process,
    site::{ANSWERS, Site, number},
    web,
};
use ringside::rtp::{
    ntp::NtpTime,
    rtcp::{Block, Cname, Heard, MAX_COMPOUND, Sender, Statement},
};
use std::{
    net::UdpSocket,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The source of the peer's RTP.
const PEERS: u32 = 7;
/// How long the peer keeps a report before it answers.
const KEPT: Duration = Duration::from_millis(300);

fn now() -> NtpTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    NtpTime::from_unix(since.as_secs(), since.subsec_nanos())
}

/// A compound packet of the box, by its bytes; `None` if none waits.
fn receive(control: &UdpSocket) -> Option<Heard> {
    let mut buf = [0; 1_500];
    let (bytes, from) = control.recv_from(&mut buf).ok()?;
    assert_eq!(from.port() % 2, 1, "from the odd port");
    let compound = rtcp_types::Compound::parse(&buf[..bytes]).unwrap();
    let names = compound.filter(|packet| matches!(packet, Ok(rtcp_types::Packet::Sdes(_)))).count();
    assert_eq!(names, 1, "each compound has the name (RFC 3550 6.1)");
    Heard::parse(&buf[..bytes], PEERS)
}

/// Talks until the box reports.
fn next_report(peer: &mut Peer, control: &UdpSocket) -> Heard {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        peer.talk(Duration::from_millis(40), Some(440.0));
        if let Some(heard) = receive(control) {
            return heard;
        }
    }
    panic!("no report in 10 s");
}

/// A sender report of the peer that answers one of the box.
fn answer(ours: &Heard, sent_at: NtpTime) -> Vec<u8> {
    let sender = Sender { at: sent_at, timestamp: 0, packets: 1, octets: 160 };
    let block = Block {
        ssrc: ours.ssrc,
        lost: 5,
        jitter: 24,
        last_sr: ours.sender.unwrap().at.middle(),
        delay_since_last_sr: KEPT.as_millis() as u32 * 65_536 / 1_000,
        ..Block::default()
    };
    let (cname, mut out) = (Cname::new(1), [0; MAX_COMPOUND]);
    let statement =
        Statement { ssrc: PEERS, sender: Some(sender), block: Some(block), cname: &cname, leaves: false };
    statement.write(&mut out).to_vec()
}

#[test]
fn a_peer_reads_its_loss_and_its_delay_and_our_goodbye() {
    let inside = Inside::start(Site::new(&[&[ANSWERS]], ""));
    let mut peer = Peer::new(inside.site.peer(), inside.site.sip(), &number(0));
    let control = peer.open_control();
    let offer = peer.sdp("sendrecv");
    assert_eq!(peer.invite(&offer).status(), Some(200));
    peer.ack("");
    let box_control = peer.box_control();
    peer.loses_every(10);
    let ours = next_report(&mut peer, &control);
    let block = ours.block.unwrap();
    println!("{block:?}");
    assert!((20..=32).contains(&block.fraction_lost), "10 % of 256 is 25.6: {block:?}");
    sleep(KEPT);
    let sent_at = now();
    control.send_to(&answer(&ours, sent_at), box_control).unwrap();
    let heard = next_report(&mut peer, &control);
    let since_ms = now().units_since(sent_at) * 1_000 / 65_536;
    let block = heard.block.unwrap();
    let told_ms = block.delay_since_last_sr * 1_000 / 65_536;
    println!("DLSR {told_ms} ms, of {since_ms} ms since the peer's report");
    assert_eq!(block.last_sr, sent_at.middle());
    assert!(told_ms <= since_ms && since_ms - told_ms < 150, "{told_ms} {since_ms}");
    assert_eq!(peer.bye().status(), Some(200));
    let until = Instant::now() + Duration::from_secs(5);
    let goodbye = std::iter::repeat_with(|| receive(&control)).take_while(|_| Instant::now() < until);
    assert!(goodbye.flatten().any(|heard| heard.leaves), "no goodbye");

    let record = process::closed_calls(&inside.site, 1).remove(0);
    let leg = &record.legs[0];
    println!("{leg:?}");
    assert!(leg.round_trip_ms.unwrap() < 150 && leg.jitter_ms_p95.unwrap() < 100);
    assert_eq!(leg.far_end.map(|far| (far.lost, far.jitter_ms)), Some((5, 3)));
    assert!(leg.lost * 8 >= leg.packets / 2 && leg.lost > 5, "{leg:?}");
    assert!((1.0..4.0).contains(&leg.mos_cq.unwrap()), "10 % of loss is heard");
    let (_, metrics) = web::get(inside.site.web(), "/metrics").unwrap();
    assert!(metrics.contains("ringside_rtcp_received_total 1\n"), "{metrics}");
    assert!(metrics.contains("ringside_rtcp_refused_total 0\n"), "{metrics}");
    let (_, page) = web::get(inside.site.web(), &format!("/calls/{}", record.id)).unwrap();
    assert!(
        page.contains("Round trip on the network") && page.contains("5 packets lost, jitter 3 ms"),
        "{page}"
    );
}
