//! RTCP against bytes made by hand and against the builders of `rtcp-types`.

use super::*;
use rtcp_types::{Compound, Packet, Sdes};

const OURS: u32 = 0x0102_0304;
const PEERS: u32 = 0x0a0b_0c0d;

fn block() -> Block {
    Block {
        ssrc: PEERS,
        fraction_lost: 64,
        lost: -3,
        highest: 0x0001_0fa0,
        jitter: 42,
        last_sr: 0xb705_2000,
        delay_since_last_sr: 0x0005_4000,
    }
}

fn sender() -> Sender {
    Sender { at: NtpTime(0xb44d_b705_2000_0000), timestamp: 50_160, packets: 500, octets: 80_000 }
}

fn written(statement: &Statement<'_>) -> Vec<u8> {
    statement.write(&mut [0xee; MAX_COMPOUND]).to_vec()
}

/// By the figures of RFC 3550 6.4.1, 6.5 and 6.6, word by word.
#[test]
fn a_goodbye_has_the_bytes_of_the_rfc() {
    let cname = Cname::new(0);
    let statement =
        Statement { ssrc: OURS, sender: Some(sender()), block: Some(block()), cname: &cname, leaves: true };
    let mut expected: Vec<u8> = Vec::new();
    let words: [u32; 13] = [
        0x81c8_000c, // V=2, one block, SR, 12 words behind
        OURS,
        0xb44d_b705,
        0x2000_0000,
        50_160,
        500,
        80_000,
        PEERS,
        0x40ff_fffd, // 64/256, -3 in 24 bits
        0x0001_0fa0,
        42,
        0xb705_2000,
        0x0005_4000,
    ];
    words.iter().for_each(|word| expected.extend(word.to_be_bytes()));
    expected.extend([0x81, 0xca, 0, 6, 1, 2, 3, 4, 1, 16]);
    expected.extend(b"AAAAAAAAAAAAAAAA\0\0");
    expected.extend([0x81, 0xcb, 0, 1, 1, 2, 3, 4]);
    assert_eq!(written(&statement), expected);
    assert_eq!(expected.len(), MAX_COMPOUND);
}

#[test]
fn every_statement_is_read_by_another_reader() {
    let cname = Cname::new(0x0123_4567_89ab_cdef_0123_4567);
    for (sender, block, leaves) in [
        (None, None, false),
        (None, Some(block()), false),
        (Some(sender()), None, true),
        (Some(sender()), Some(block()), true),
    ] {
        let bytes = written(&Statement { ssrc: OURS, sender, block, cname: &cname, leaves });
        let packets: Vec<Packet<'_>> = Compound::parse(&bytes).unwrap().map(Result::unwrap).collect();
        match &packets[0] {
            Packet::Sr(report) => assert_eq!(Some(Sender::from(report)), sender),
            Packet::Rr(report) => {
                assert_eq!((report.ssrc(), sender), (OURS, None));
                assert_eq!(report.report_blocks().next().map(|read| Block::from(&read)), block);
            }
            other => panic!("{other:?}"),
        }
        let Packet::Sdes(names) = &packets[1] else { panic!("{packets:?}") };
        let items: Vec<(u32, u8, usize)> = names
            .chunks()
            .flat_map(|chunk| chunk.items().map(|item| (chunk.ssrc(), item.type_(), item.value().len())))
            .collect();
        assert_eq!(items, [(OURS, rtcp_types::SdesItem::CNAME, 16)]);
        assert_eq!(matches!(packets.get(2), Some(Packet::Bye(_))), leaves);
    }
}

#[test]
fn a_name_is_all_its_random_bits() {
    let name = |random| String::from_utf8(Cname::new(random).0.to_vec()).unwrap();
    assert_eq!(name(63 << 90), "AAAAAAAAAAAAAAA/");
    assert_eq!((0..96).map(|bit| name(1 << bit)).collect::<std::collections::BTreeSet<_>>().len(), 96);
    assert_eq!(name(1 << 96), name(0), "the upper bits are for others");
}

/// A compound of another writer: a sender report with two blocks, a name, an unknown packet and a goodbye.
fn foreign() -> Vec<u8> {
    let other = ReportBlock::builder(99);
    let ours = ReportBlock::builder(OURS)
        .fraction_lost(25)
        .cumulative_lost(0xff_fffe)
        .extended_sequence_number(7)
        .interarrival_jitter(80)
        .last_sender_report_timestamp(5)
        .delay_since_last_sender_report_timestamp(6);
    let report =
        SenderReport::builder(PEERS).ntp_timestamp(1 << 40).rtp_timestamp(9).packet_count(10).octet_count(11);
    let name = Sdes::builder().add_chunk(
        rtcp_types::SdesChunk::builder(PEERS)
            .add_item(rtcp_types::SdesItem::builder(rtcp_types::SdesItem::CNAME, "them@there")),
    );
    let compound = Compound::builder()
        .add_packet(report.add_report_block(other).add_report_block(ours))
        .add_packet(name)
        .add_packet(rtcp_types::Unknown::builder(210, &[0, 0, 0, 1, 2, 3, 4, 5]))
        .add_packet(Bye::builder().add_source(3).add_source(PEERS).reason("gone"));
    let mut bytes = vec![0; compound.calculate_size().unwrap()];
    compound.write_into(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_concerns_us_is_found_in_a_long_compound() {
    let heard = Heard::parse(&foreign(), OURS).unwrap();
    let sender = Sender { at: NtpTime(1 << 40), timestamp: 9, packets: 10, octets: 11 };
    let block = Block {
        ssrc: OURS,
        fraction_lost: 25,
        lost: -2,
        highest: 7,
        jitter: 80,
        last_sr: 5,
        delay_since_last_sr: 6,
    };
    assert_eq!(heard, Heard { ssrc: PEERS, sender: Some(sender), block: Some(block), leaves: true });
    assert_eq!(Heard::parse(&foreign(), 98).unwrap().block, None);
}

#[test]
fn what_is_not_well_formed_says_nothing() {
    let good = foreign();
    for cut in 0..good.len() {
        // A whole packet may be missing at the end, as long as the report is there.
        let ends_on_a_packet = [76, 100, 112].contains(&cut);
        assert_eq!(Heard::parse(&good[..cut], OURS).is_some(), ends_on_a_packet, "{cut}");
    }
    let name_first = &good[76..];
    assert_eq!(Heard::parse(name_first, OURS), None, "no report at the start");
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Heard::parse(&bytes, OURS)
    };
    assert_eq!(with(0, 0x42), None, "version 1");
    assert_eq!(with(0, 0x83), None, "a block more than there is");
    assert_eq!(with(0, 0xa2), None, "padding before the last packet");
    assert_eq!(with(76, 0x41), None, "version 1 in the second packet");
    let empty = [0x80, 201, 0, 1, 0, 0, 0, 7];
    assert_eq!(Heard::parse(&empty.repeat(16), OURS).map(|heard| heard.ssrc), Some(7));
    assert_eq!(Heard::parse(&empty.repeat(17), OURS), None, "more packets than anybody sends");
    assert_eq!(Heard::parse(&[&[0x80, 201, 1, 0x70], &[0; 1_472][..]].concat(), OURS), None, "too long");
}

#[test]
fn padding_is_allowed_at_the_end_only_and_must_be_true() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    let padded = |count: u8| [&report[..], &[0xa0, 201, 0, 2, 0, 0, 0, 7, 0, 0, 0, count]].concat();
    assert!(Heard::parse(&padded(4), OURS).is_some());
    for count in [0, 3, 12, 255] {
        assert_eq!(Heard::parse(&padded(count), OURS), None, "{count}");
    }
}

#[test]
fn a_shared_port_tells_rtcp_by_its_type() {
    for (second_byte, rtcp) in [(0, false), (0x80, false), (13, false), (101, false), (0x80 | 101, false)] {
        assert_eq!(is_rtcp(&[0x80, second_byte, 0, 1]), rtcp);
    }
    assert!((192..=223).all(|packet_type| is_rtcp(&[0x80, packet_type])));
    assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[0x80, 191]) && !is_rtcp(&[0x80, 224]));
}

#[test]
fn a_hundred_thousand_mutations_neither_panic_nor_are_believed_blindly() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below
    };
    let seeds = [foreign(), [0x80, 201, 0, 1, 0, 0, 0, 7].repeat(3)];
    let (mut read, mut refused) = (0, 0);
    for _ in 0..100_000 {
        let mut bytes = seeds[random(seeds.len())].clone();
        for _ in 0..=random(3) {
            match random(4) {
                0 => bytes.truncate(random(bytes.len() + 1)),
                1 => bytes.extend_from_within(random(bytes.len() + 1)..),
                2 => bytes.insert(random(bytes.len() + 1), random(256) as u8),
                _ if bytes.is_empty() => {}
                _ => {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
            }
        }
        match Heard::parse(&bytes, OURS) {
            Some(_) => read += 1,
            None => refused += 1,
        }
    }
    assert!(read > 5_000 && refused > 10_000, "{read} read, {refused} refused");
}
