//! The data plane in virtual time: whole calls through `PatchBay`, with sockets that are queues.

mod media {
    mod bad_network;
    pub(crate) mod plane;
}

use media::plane::{OFFICE, PERIOD, Plane, address, event_packet, rtp, speech, trunk};
use ringside::{
    audio::{
        g711::{self, Law},
        level,
        tone_plan::TonePlan,
    },
    id::{RtpPort, Slot},
    media::control::{Codec, Command, Event, Sound, Trunk},
};
use std::sync::Arc;

/// Ticks from the arrival of the first packet to its playout.
const DEPTH_TICKS: usize = 4;

#[test]
fn both_sides_hear_each_other_sample_for_sample() {
    for (codec, law, payload_type) in [(Codec::Pcmu, Law::Mu, 0), (Codec::Pcma, Law::A, 8)] {
        let mut plane = Plane::new(8, 2);
        plane.patch(1, 3, Trunk { codec, ..trunk() }, None);
        plane.run(1);
        let (caller, office) = (speech(1, 16_000), speech(2, 16_000));
        let coded: Vec<u8> = caller.iter().map(|&s| g711::compress(law, s)).collect();
        let mut heard = Vec::new();
        for n in 0..200 {
            if n % 2 == 0 {
                let seq = n as u16 / 2;
                plane.arrives(
                    1,
                    OFFICE,
                    rtp(payload_type, seq, u32::from(seq) * 160, 7, &coded[n * 80..][..160]),
                );
            }
            plane.says(3, &office[n * 80..][..80]);
            heard.extend(plane.tick_and_hear(3));
        }
        let expected: Vec<i16> = coded.iter().map(|&code| g711::expand(law, code)).collect();
        assert_eq!(heard[DEPTH_TICKS * 80..], expected[..heard.len() - DEPTH_TICKS * 80]);
        let sent: Vec<u8> = plane.sent(1).iter().flat_map(|packet| packet.payload.clone()).collect();
        // The tick before the first word is in the first packet.
        let said: Vec<u8> = office.iter().map(|&s| g711::compress(law, s)).collect();
        assert_eq!(sent[..80], [law.silence(); 80]);
        assert_eq!(sent[80..], said[..sent.len() - 80]);
    }
}

#[test]
fn every_packet_time_is_sent_as_negotiated() {
    for ptime_ms in [10, 20, 30, 40, 60] {
        let mut plane = Plane::new(1, 1);
        plane.patch(0, 0, Trunk { ptime_ms, ..trunk() }, None);
        plane.run(60);
        let (samples, sent) = (u32::from(ptime_ms) * 8, plane.sent(0));
        assert_eq!(sent.len(), 600 / usize::from(ptime_ms));
        for (n, packet) in sent.iter().enumerate() {
            assert_eq!(packet.payload.len(), samples as usize);
            assert_eq!(packet.seq, 1_000 + n as u16);
            assert_eq!(packet.timestamp, 50_000 + n as u32 * samples);
            assert_eq!(packet.marker, n == 0);
            assert_eq!((packet.ssrc, packet.to), (0xabcd, OFFICE));
        }
    }
}

#[test]
fn calls_do_not_hear_each_other() {
    let mut plane = Plane::new(4, 2);
    plane.patch(0, 1, trunk(), None);
    plane.patch(1, 2, trunk(), None);
    plane.run(1);
    for n in 0..20_u16 {
        plane.arrives(0, OFFICE, rtp(0, n, u32::from(n) * 160, 7, &[0x12; 160]));
        plane.arrives(1, OFFICE, rtp(0, n, u32::from(n) * 160, 8, &[0x92; 160]));
        plane.run(2);
    }
    for (slot, sample) in [(0, 0), (1, g711::expand(Law::Mu, 0x12)), (2, g711::expand(Law::Mu, 0x92)), (3, 0)]
    {
        assert_eq!(plane.heard(slot), [sample; PERIOD]);
    }
}

#[test]
fn what_came_before_the_call_is_not_part_of_it() {
    let mut plane = Plane::new(1, 1);
    for n in 0..100 {
        plane.arrives(0, OFFICE, rtp(0, n, u32::from(n) * 160, 7, &[0; 160]));
    }
    plane.patch(0, 0, trunk(), None);
    plane.run(50);
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused), (0, 0));
}

#[test]
fn packets_from_elsewhere_are_refused_and_never_heard() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let forger = address(66);
    for n in 0..200_u16 {
        plane.arrives(0, OFFICE, rtp(0, n, u32::from(n) * 160, 7, &[0xff; 160]));
        // The right stream from a wrong address, and a wrong stream from the right address.
        plane.arrives(0, forger, rtp(0, n + 1, u32::from(n + 1) * 160, 7, &[0x80; 160]));
        plane.arrives(0, OFFICE, rtp(0, n.wrapping_mul(7), 9, 66, &[0x80; 160]));
        for _ in 0..2 {
            assert!(plane.tick_and_hear(0).iter().all(|&s| s == 0));
        }
    }
    assert!(plane.sent(0).iter().all(|packet| packet.to == OFFICE));
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused, counters.lost), (200, 400, 0));
}

#[test]
fn a_peer_behind_a_translator_is_latched_once_and_only_then_sent_to() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let translated = address(9);
    for n in 0..10_u16 {
        plane.arrives(0, translated, rtp(0, n, u32::from(n) * 160, 7, &[0x12; 160]));
        plane.run(2);
    }
    let late_comer = address(66);
    for n in 0..10_u16 {
        plane.arrives(0, late_comer, rtp(0, n, u32::from(n) * 160, 8, &[0x80; 160]));
        plane.run(2);
    }
    let targets: Vec<_> = plane.sent(0).iter().map(|packet| packet.to).collect();
    assert!(targets[..3].iter().all(|&to| to == OFFICE), "{targets:?}");
    assert!(targets[4..].iter().all(|&to| to == translated), "{targets:?}");
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused), (7, 3 + 10));
}

#[test]
fn malformed_and_unknown_packets_are_refused_and_comfort_noise_is_silence() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    plane.arrives(0, OFFICE, vec![0x80; 5]);
    plane.arrives(0, OFFICE, Vec::new());
    plane.arrives(0, OFFICE, vec![0x80; 1_400]);
    plane.arrives(0, OFFICE, rtp(18, 0, 0, 7, &[0; 20]));
    plane.arrives(0, OFFICE, rtp(8, 0, 0, 7, &[0; 160]));
    plane.arrives(0, OFFICE, rtp(13, 0, 0, 7, &[60]));
    plane.run(1);
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused), (1, 5));
}

#[test]
fn a_flood_is_read_in_small_helpings() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    for n in 0..1_000 {
        plane.arrives(0, address(66), rtp(0, n, 0, 7, &[0; 160]));
    }
    plane.run(1);
    assert_eq!(plane.waiting(0), 1_000 - 16);
}

#[test]
fn a_peer_that_changes_its_source_is_heard_again_after_three_packets() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    for n in 0..100_u16 {
        let (ssrc, seq, timestamp) =
            if n < 50 { (7, n, u32::from(n) * 160) } else { (8, 30_000 + n, 900_000 + u32::from(n) * 160) };
        plane.arrives(0, OFFICE, rtp(0, seq, timestamp, ssrc, &[0x12; 160]));
        plane.run(2);
    }
    assert_eq!(plane.heard(0), [g711::expand(Law::Mu, 0x12); PERIOD]);
    let begun = plane.events().iter().filter(|event| matches!(event, Event::AudioStarted { .. })).count();
    assert_eq!(begun, 1, "the audio of a call starts once");
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.refused, counters.lost), (98, 2, 0));
}

#[test]
fn on_hold_nothing_is_sent_and_the_line_hears_silence() {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, trunk(), None);
    let mut seq = 0_u16;
    let mut talk = |plane: &mut Plane, ticks: usize| {
        for _ in 0..ticks / 2 {
            plane.arrives(0, OFFICE, rtp(0, seq, u32::from(seq) * 160, 7, &[0x12; 160]));
            seq += 1;
            plane.says(0, &[9_000; 80]);
            plane.run(1);
            plane.says(0, &[9_000; 80]);
            plane.run(1);
        }
    };
    plane.run(1);
    talk(&mut plane, 101);
    let before = plane.sent(0).len();
    plane.command(Command::Change {
        rtp: RtpPort(0),
        trunk: Trunk { send: false, receive: false, ..trunk() },
    });
    assert_eq!(plane.tick_and_hear(0), [0; PERIOD], "what waited is not played after the hold began");
    talk(&mut plane, 100);
    assert_eq!(plane.sent(0).len(), before);
    assert_eq!(plane.heard(0), [0; PERIOD]);
    assert!(plane.frames(tap).last().unwrap().office.iter().all(|&s| s == 0));
    plane.command(Command::Change { rtp: RtpPort(0), trunk: trunk() });
    talk(&mut plane, 100);
    assert_eq!(plane.heard(0), [g711::expand(Law::Mu, 0x12); PERIOD]);
    let sent = plane.sent(0);
    let (last, resumed) = (&sent[before - 1], &sent[before]);
    assert_eq!(resumed.seq, last.seq.wrapping_add(1));
    assert!(resumed.marker && resumed.timestamp - last.timestamp >= 8_000);
    let counters = plane.unpatch(0);
    assert_eq!((counters.refused, counters.late), (50, 0));
}

#[test]
fn a_key_is_played_once_with_its_length_and_its_packets_are_not_heard() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, Trunk { event_pt_in: Some(101), ..trunk() }, None);
    plane.run(1);
    let mut heard = Vec::new();
    let mut seq = 0_u16;
    for n in 0..100_u32 {
        // A key of 100 ms from packet 20 on; its packets come instead of audio, the last one three times.
        let payload = match n {
            20..=24 => vec![event_packet(101, seq, 20 * 160, 5, (n as u16 - 19) * 160, n == 24)],
            _ => vec![rtp(0, seq, n * 160, 7, &[0xff; 160])],
        };
        let copies = if n == 24 { 3 } else { 1 };
        for packet in payload.iter().cycle().take(copies) {
            let mut packet = packet.clone();
            packet[2..4].copy_from_slice(&seq.to_be_bytes());
            plane.arrives(0, OFFICE, packet);
            seq += 1;
        }
        heard.extend(plane.tick_and_hear(0));
        heard.extend(plane.tick_and_hear(0));
    }
    let first = heard.iter().position(|&s| s != 0).unwrap();
    let last = heard.iter().rposition(|&s| s != 0).unwrap();
    // Both ends of a sine are near zero: one sample of tolerance.
    assert!((799..=801).contains(&(last + 1 - first + 1)), "{first} {last}");
    assert!(heard[first + 20..last].windows(20).all(|w| w.iter().any(|&s| s != 0)));
    // The key sounds where the audio of its time would have sounded.
    assert!(first.abs_diff(20 * 160 + DEPTH_TICKS * 80) <= 1, "{first}");
    assert!((level::dbm0(&heard[first..last]) + 3.9).abs() < 0.3);
    let counters = plane.unpatch(0);
    assert_eq!((counters.packets, counters.lost, counters.duplicates), (102, 0, 0));
}

#[test]
fn the_tap_gets_both_legs_of_the_same_instants() {
    let mut plane = Plane::new(2, 1);
    let tap = plane.patch(0, 1, trunk(), None);
    let office = speech(3, 80 * 100);
    let (mut heard, start) = (Vec::new(), plane.clock());
    for n in 0..100 {
        let said: Vec<u8> = speech(n as u32, 80).iter().map(|&s| g711::compress(Law::Mu, s)).collect();
        plane.arrives(0, OFFICE, rtp(0, n as u16, n as u32 * 80, 7, &said));
        plane.says(1, &office[n * 80..][..80]);
        heard.extend(plane.tick_and_hear(1));
    }
    plane.unpatch(0);
    let frames = plane.frames(tap);
    assert_eq!(frames.len(), 100);
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(frame.at, start + n as u64 * 80);
        assert_eq!(frame.caller, heard[n * 80..][..80], "caller leg = what the line hears");
        assert_eq!(frame.office, office[n * 80..][..80], "office leg = what the line says");
    }
    assert!(heard.iter().any(|&s| s != 0));
}

#[test]
fn a_full_tap_is_counted_and_does_not_disturb_the_call() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(Plane::TAP_FRAMES + 30);
    let counters = plane.unpatch(0);
    assert_eq!(counters.tap_overruns, 30);
    assert_eq!(counters.sent, (Plane::TAP_FRAMES as u64 + 30) / 2);
}

#[test]
fn the_notice_is_heard_on_both_sides_as_soon_as_the_caller_is() {
    let mut plane = Plane::new(1, 1);
    let notice: Arc<[i16]> = (0..2_000).map(|n| 2_000 + n as i16).collect();
    let tap = plane.patch(0, 0, trunk(), Some(notice.clone()));
    // The trunk's address is not settled yet: the notice waits.
    plane.run(14);
    assert!(plane.sent(0).iter().all(|packet| packet.payload.iter().all(|&code| code == 0xff)));
    let before = plane.sent(0).len();
    plane.arrives(0, OFFICE, rtp(0, 0, 0, 7, &[0xff; 160]));
    let heard: Vec<i16> = (0..30).flat_map(|_| plane.tick_and_hear(0)).collect();
    assert_eq!(heard[..2_000], notice[..]);
    assert!(heard[2_000..].iter().all(|&s| s == 0));
    let sent: Vec<i16> = plane.sent(0)[before..]
        .iter()
        .flat_map(|packet| packet.payload.iter().map(|&code| g711::expand(Law::Mu, code)))
        .collect();
    let coded = notice.iter().map(|&sample| g711::expand(Law::Mu, g711::compress(Law::Mu, sample)));
    assert_eq!(sent[..2_000], coded.collect::<Vec<_>>());
    plane.unpatch(0);
    let frames = plane.frames(tap);
    assert_eq!(frames.len(), 30, "the recording begins with the notice");
    assert_eq!((&frames[0].caller[..], &frames[0].office[..]), (&notice[..80], &notice[..80]));
    let events = plane.events();
    assert!(events.iter().any(|event| matches!(event, Event::NoticePlayed { rtp: RtpPort(0) })));
    assert!(
        events.iter().any(|event| matches!(event, Event::Spent(samples) if Arc::ptr_eq(samples, &notice)))
    );
}

#[test]
fn a_notice_is_held_at_the_ends_of_the_range() {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, trunk(), Some([30_000; 800].into()));
    plane.run(1);
    plane.arrives(0, OFFICE, rtp(0, 0, 0, 7, &[0x80; 160]));
    for _ in 0..8 {
        plane.says(0, &[32_000; 80]);
        plane.run(1);
    }
    plane.unpatch(0);
    let frames = plane.frames(tap);
    assert_eq!(frames[5].caller, [i16::MAX; PERIOD]);
    assert_eq!(frames[5].office, [i16::MAX; PERIOD]);
}

#[test]
fn the_notice_is_played_even_if_the_peer_never_speaks() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), Some([1_000; 800].into()));
    plane.run(29);
    assert!(plane.events().iter().all(|event| !matches!(event, Event::NoticePlayed { .. })));
    plane.run(1);
    assert!(plane.events().iter().any(|event| matches!(event, Event::NoticePlayed { .. })));
}

#[test]
fn an_xrun_moves_both_clocks_and_loses_nothing_more() {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, trunk(), None);
    plane.run(1);
    for n in 0..100_u16 {
        plane.arrives(0, OFFICE, rtp(0, n, u32::from(n) * 160, 7, &[n as u8; 160]));
        if (40..50).contains(&n) {
            plane.stall(160);
        } else {
            plane.run(2);
        }
    }
    // The packet that plays now is the one that arrived 40 ms ago, as before the xrun.
    assert_eq!(plane.heard(0), [g711::expand(Law::Mu, 97); PERIOD]);
    let ats: Vec<u64> = plane.frames(tap).iter().map(|frame| frame.at).collect();
    let gaps = ats.windows(2).filter(|w| w[1] - w[0] != 80).count();
    assert_eq!(gaps, 1);
    let sent = plane.sent(0);
    let steps: Vec<u32> = sent.windows(2).map(|w| w[1].timestamp - w[0].timestamp).collect();
    assert_eq!(steps.iter().filter(|&&step| step != 160).count(), 1);
    assert!(steps.iter().any(|&step| step >= 160 + 1_600));
}

#[test]
fn sounds_play_on_unpatched_slots_only() {
    let mut plane = Plane::new(3, 1);
    let once: Arc<[i16]> = speech(1, 200).into();
    plane.command(Command::Play { slot: Slot(0), sound: Sound::Once(once.clone()) });
    plane.command(Command::Play { slot: Slot(1), sound: Sound::Tone(TonePlan::north_america().dial) });
    let heard: Vec<i16> = (0..4).flat_map(|_| plane.tick_and_hear(0)).collect();
    assert_eq!(heard[..200], once[..]);
    assert!(heard[200..].iter().all(|&s| s == 0));
    assert!(plane.events().iter().any(|event| matches!(event, Event::Spent(s) if Arc::ptr_eq(s, &once))));
    assert!((level::dbm0(&plane.heard(1)) + 10.0).abs() < 3.0);
    plane.command(Command::Hush { slot: Slot(1) });
    plane.run(1);
    assert_eq!((plane.heard(1), plane.heard(2)), ([0; PERIOD], [0; PERIOD]));

    plane.command(Command::Play { slot: Slot(1), sound: Sound::Tone(TonePlan::north_america().dial) });
    plane.patch(0, 1, trunk(), None);
    plane.command(Command::Play { slot: Slot(1), sound: Sound::Once(once.clone()) });
    plane.command(Command::Hush { slot: Slot(1) });
    plane.run(1);
    assert_eq!(plane.heard(1), [0; PERIOD], "the call goes first");
    assert_eq!(Arc::strong_count(&once), 1 + plane.spent());
    plane.unpatch(0);
}

#[test]
fn a_patch_onto_a_port_or_slot_in_use_ends_the_call_that_was_there() {
    let mut plane = Plane::new(2, 2);
    plane.patch(0, 0, trunk(), None);
    plane.patch(0, 1, trunk(), None);
    plane.patch(1, 1, trunk(), None);
    let ended = |event: &&Event| matches!(event, Event::Unpatched { rtp: RtpPort(0), tap: Some(_), .. });
    assert_eq!(plane.events().iter().filter(ended).count(), 2);
    plane.patch(9, 0, trunk(), Some([1; 80].into()));
    plane.patch(0, 9, trunk(), Some([1; 80].into()));
    assert_eq!(plane.spent(), 2, "what cannot be patched is given back");
    plane.run(2);
    assert_eq!((plane.sent(0).len(), plane.sent(1).len()), (0, 1));
}

#[test]
fn ten_minutes_of_a_bad_network_are_counted_exactly() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let (mut sent, mut lost, mut copies, mut swapped) = (0_u64, 0_u64, 0_u64, None);
    let mut seed = 0x1234_5678_u32;
    for n in 0..30_000_u32 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let packet = rtp(0, (n as u16).wrapping_add(60_000), n.wrapping_mul(160), 7, &[0x12; 160]);
        let dice = seed >> 24;
        // The first packet and the last arrive, so that all between them are known to have been sent.
        let dice = if n == 0 || n == 29_999 { 255 } else { dice };
        match dice {
            0..=12 => lost += 1,
            13..=20 => {
                plane.arrives(0, OFFICE, packet.clone());
                plane.arrives(0, OFFICE, packet);
                (sent, copies) = (sent + 1, copies + 1);
            }
            21..=28 if swapped.is_none() => swapped = Some(packet),
            _ => {
                plane.arrives(0, OFFICE, packet);
                sent += 1;
                if let Some(overtaken) = swapped.take() {
                    plane.arrives(0, OFFICE, overtaken);
                    sent += 1;
                }
            }
        }
        plane.run(2);
        assert_eq!(plane.waiting(0), 0);
    }
    let counters = plane.unpatch(0);
    assert!(lost > 1_000 && copies > 700);
    assert_eq!(
        (counters.packets, counters.lost, counters.duplicates, counters.refused, counters.sent),
        (sent, lost + counters.late, copies, 0, 30_000)
    );
    // Overtaken behind a lost packet is 60 ms late, more than the playout depth.
    assert!(counters.late < 60, "{}", counters.late);
}

#[test]
fn the_recording_is_asked_for_the_line_s_time_from_the_notice_on() {
    let mut plane = Plane::new(1, 1);
    let tap = plane.patch(0, 0, trunk(), Some([500; 4_000].into()));
    plane.run(7);
    plane.arrives(0, OFFICE, rtp(0, 1, 0, 7, &[0x12; 160]));
    plane.run(5);
    plane.stall(240);
    plane.run(2);
    assert_eq!(plane.unpatch(0).recorded_samples, 7 * PERIOD as u64 + 240);
    assert_eq!(plane.frames(tap).len(), 7, "nothing is recorded before the notice");
}

#[test]
fn neither_a_tick_nor_a_command_allocates_or_frees() {
    let mut plane = Plane::new(4, 2);
    let notice: Arc<[i16]> = [500; 4_000].into();
    for round in 0..5_u16 {
        plane.patch(0, 1, trunk(), Some(notice.clone()));
        for n in 0..200_u16 {
            plane.arrives(0, OFFICE, rtp(0, round * 300 + n, u32::from(n) * 160, 7, &[0x12; 160]));
            plane.arrives(0, address(66), vec![0x80; 900]);
            plane.run(2);
        }
        plane.command(Command::Play { slot: Slot(2), sound: Sound::Once(notice.clone()) });
        plane.command(Command::Play { slot: Slot(2), sound: Sound::Tone(TonePlan::north_america().busy) });
        plane.unpatch(0);
    }
    assert_eq!(plane.heap_calls(), 0);
    assert_eq!(Arc::strong_count(&notice), 1 + plane.spent(), "everything is given back");
}
