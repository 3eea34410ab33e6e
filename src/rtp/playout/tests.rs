//! The playout buffer with packets whose samples count up, one period of the line at a time.

use super::*;
use crate::rtp::packet::HEADER_BYTES;

/// A stream whose samples count up, so that each pulled byte tells where it came from.
struct Stream {
    playout: Playout,
}

impl Stream {
    fn new() -> Self {
        Self { playout: Playout::default() }
    }

    fn file(&mut self, seq: u16, timestamp: u32, samples: usize) -> Filed {
        self.file_marked(false, seq, timestamp, samples)
    }

    fn file_marked(&mut self, marker: bool, seq: u16, timestamp: u32, samples: usize) -> Filed {
        let codes = (0..samples).map(|n| timestamp.wrapping_add(n as u32) as u8);
        let room = self.playout.rx_buf();
        room[HEADER_BYTES..].iter_mut().zip(codes).for_each(|(byte, code)| *byte = code);
        let payload = HEADER_BYTES..HEADER_BYTES + samples;
        self.playout.file(&Packet { payload_type: 0, marker, seq, timestamp, ssrc: 1, payload })
    }

    /// 10 ms; `None` where a sample is missing.
    fn period(&mut self) -> Vec<Option<u8>> {
        let mut out = Vec::new();
        while out.len() < 80 {
            match self.playout.pull(80 - out.len()) {
                Piece::Audio(bytes) => out.extend(bytes.iter().map(|&b| Some(b))),
                Piece::Missing(samples) => out.extend(std::iter::repeat_n(None, samples)),
            }
        }
        assert_eq!(out.len(), 80);
        out
    }

    fn periods(&mut self, count: usize) -> Vec<Option<u8>> {
        (0..count).flat_map(|_| self.period()).collect()
    }
}

fn counting(from: u32, samples: u32) -> Vec<Option<u8>> {
    (from..from + samples).map(|n| Some(n as u8)).collect()
}

#[test]
fn the_first_packet_plays_after_the_depth() {
    let mut stream = Stream::new();
    assert_eq!(stream.period(), [None; 80]);
    stream.file(7, 1_000, 160);
    assert_eq!(stream.periods(4), [None; 320]);
    assert_eq!(stream.periods(2), counting(1_000, 160));
    assert_eq!(stream.period(), [None; 80]);
}

#[test]
fn every_packet_time_from_10_to_60_ms_plays_without_a_seam() {
    for ms in [10, 20, 30, 40, 60_u32] {
        let (mut stream, mut played) = (Stream::new(), Vec::new());
        for period in 0..120_u32 {
            if (period * 10).is_multiple_of(ms) {
                let n = period * 10 / ms;
                assert_eq!(stream.file(n as u16, n * ms * 8, ms as usize * 8), Filed::Waits);
            }
            played.extend(stream.period());
        }
        assert_eq!(played[320..], counting(0, 120 * 80 - 320), "{ms} ms");
    }
}

#[test]
fn packets_of_odd_size_and_a_timestamp_that_wraps_play_without_a_seam() {
    let (mut stream, mut played) = (Stream::new(), Vec::new());
    let start = u32::MAX - 500;
    for n in 0..40_u16 {
        stream.file(65_520_u16.wrapping_add(n), start.wrapping_add(u32::from(n) * 97), 97);
        played.extend(stream.period());
    }
    let expected: Vec<_> = (0..40 * 80 - 320).map(|n| Some(start.wrapping_add(n) as u8)).collect();
    assert_eq!(played[320..], expected);
}

#[test]
fn a_packet_that_was_overtaken_plays_in_its_place() {
    let mut stream = Stream::new();
    for n in [1_u16, 0, 3, 2] {
        assert_eq!(stream.file(100 + n, u32::from(n) * 160, 160), Filed::Waits);
    }
    assert_eq!(stream.periods(2), [None; 160]);
    assert_eq!(stream.periods(8), counting(0, 640));
}

#[test]
fn a_lost_packet_leaves_exactly_its_own_gap() {
    let mut stream = Stream::new();
    for n in [0_u16, 2] {
        stream.file(n, u32::from(n) * 160, 160);
    }
    stream.periods(4);
    let played = stream.periods(6);
    assert_eq!(played[..160], counting(0, 160));
    assert_eq!(played[160..320], [None; 160]);
    assert_eq!(played[320..], counting(320, 160));
}

#[test]
fn a_second_copy_is_known_before_and_after_it_played() {
    let mut stream = Stream::new();
    assert_eq!(stream.file(5, 0, 160), Filed::Waits);
    assert_eq!(stream.file(5, 0, 160), Filed::Duplicate);
    stream.periods(8);
    assert_eq!(stream.file(5, 0, 160), Filed::Duplicate);
}

#[test]
fn a_late_packet_is_waited_for_unless_something_later_was_heard() {
    let mut stream = Stream::new();
    stream.file(0, 0, 160);
    stream.periods(4 + 5);
    // It was due 30 ms ago.
    assert_eq!(stream.file(1, 160, 160), Filed::Awaited);
    assert_eq!(stream.period(), counting(160, 80));
    assert_eq!(stream.file(3, 480, 160), Filed::Waits);
    stream.periods(3);
    assert_eq!(stream.period(), counting(480, 80));
    assert_eq!(stream.file(2, 320, 160), Filed::Late);
    assert_eq!(stream.period(), counting(560, 80));
}

#[test]
fn no_packet_is_waited_for_longer_than_200_ms() {
    let mut stream = Stream::new();
    stream.file(0, 0, 160);
    stream.periods(2 + 26);
    // Packets 1 to 13 come at once, the first of them 260 ms after it was sent.
    let filed: Vec<Filed> = (1..14_u16).map(|n| stream.file(n, u32::from(n) * 160, 160)).collect();
    assert_eq!(filed.iter().filter(|&&filed| filed == Filed::Late).count(), 3, "{filed:?}");
    assert_eq!(stream.playout.depth(), 1_600);
    assert_eq!(stream.periods(20), counting(4 * 160, 1_600));
}

#[test]
fn silence_without_packets_takes_its_time() {
    let mut stream = Stream::new();
    stream.file(0, 0, 160);
    stream.periods(100);
    // 1 s later by both clocks.
    assert_eq!(stream.file(1, 8_000, 160), Filed::Waits);
    assert_eq!(stream.periods(4), [None; 320]);
    assert_eq!(stream.periods(2), counting(8_000, 160));
}

#[test]
fn a_sender_whose_clock_jumps_is_followed_at_once() {
    for jump in [1_000_000_u32, 0_u32.wrapping_sub(1_000_000)] {
        let mut stream = Stream::new();
        stream.file(0, 0, 160);
        stream.periods(6);
        assert_eq!(stream.file(1, jump, 160), Filed::Waits);
        assert_eq!(stream.periods(4), [None; 320]);
        assert_eq!(stream.period()[0], Some(jump as u8));
    }
}

#[test]
fn a_talkspurt_that_begins_overdue_is_not_cut() {
    let mut stream = Stream::new();
    stream.file(0, 0, 160);
    stream.periods(100);
    // The sender's clock stood still for 150 ms of the silence, and then for 300 ms.
    assert_eq!(stream.file_marked(true, 1, 6_800, 160), Filed::Waits);
    assert_eq!(stream.periods(2), counting(6_800, 160));
    stream.periods(98);
    assert_eq!(stream.file_marked(true, 2, 12_400, 160), Filed::Waits);
    assert_eq!(stream.periods(4), [None; 320]);
    assert_eq!(stream.periods(2), counting(12_400, 160));
}

#[test]
fn a_talkspurt_begins_at_the_depth_that_the_network_needs() {
    let mut stream = Stream::new();
    for n in 0..600_u16 {
        stream.file(n, u32::from(n) * 160, 160);
        stream.periods(2);
    }
    assert_eq!(stream.playout.wish(), Wish::Shorten(160));
    stream.playout.pause();
    stream.periods(8);
    assert_eq!(stream.file(600, 604 * 160, 160), Filed::Waits);
    assert_eq!((stream.playout.wish(), stream.playout.depth()), (Wish::Nothing, 160));
    assert_eq!(stream.periods(2), [None; 160]);
    assert_eq!(stream.periods(2), counting(604 * 160, 160));
}

#[test]
fn a_path_that_becomes_slower_for_good_is_followed_at_once_or_after_100_ms() {
    for (slower, lost) in [(8, 0), (20, 5)] {
        let (mut stream, mut late) = (Stream::new(), 0);
        for n in 0..200_u32 {
            // Packets 50 on travel so many packet times longer.
            let sent = if n < 50 { Some(n) } else { n.checked_sub(slower).filter(|&n| n >= 50) };
            if let Some(n) = sent {
                late += u32::from(stream.file(n as u16, n * 160, 160) == Filed::Late);
            }
            let played = stream.periods(2);
            if (82..200).contains(&n) {
                assert!(played.iter().all(Option::is_some), "{n}");
            }
        }
        assert_eq!(late, lost);
    }
}

#[test]
fn what_waited_for_our_own_line_says_nothing_about_the_network() {
    let mut stream = Stream::new();
    for n in 0..300_u16 {
        stream.file(n, u32::from(n) * 160, 160);
        stream.periods(2);
    }
    let depth = stream.playout.depth();
    stream.playout.skip(1_600);
    for n in 300..310_u16 {
        stream.file(n, u32::from(n) * 160, 160);
    }
    assert_eq!((stream.playout.depth(), stream.playout.delays.target()), (depth, 160));
}

#[test]
fn a_fixed_buffer_never_waits_and_never_wishes() {
    let mut stream = Stream::new();
    stream.playout.set_fixed(Some(800));
    stream.file(0, 0, 160);
    assert_eq!(stream.periods(10), [None; 800]);
    stream.periods(5);
    assert_eq!(stream.file(1, 160, 160), Filed::Late);
    assert_eq!(stream.file(2, 320, 160), Filed::Waits, "half of it is not over");
    assert_eq!(stream.period(), counting(400, 80));
    assert_eq!(stream.playout.wish(), Wish::Nothing);
}

#[test]
fn a_fixed_buffer_slips_by_whole_packets_when_it_runs_empty_or_over() {
    // The sender's clock is slower or quicker by 0.1 %.
    for (sixth, slip) in [(159, 640), (161, -800)] {
        let mut stream = Stream::new();
        stream.playout.set_fixed(Some(800));
        let mut slips = Vec::new();
        let mut timestamp = 0_u32;
        for n in 0..12_000_u16 {
            let samples = if n % 6 == 0 { sixth } else { 160 };
            let before = stream.playout.now;
            stream.file(n, timestamp, samples);
            timestamp = timestamp.wrapping_add(samples as u32);
            if n > 0 && stream.playout.now != before {
                slips.push(before.wrapping_sub(stream.playout.now) as i32);
            }
            stream.periods(2);
        }
        assert!(slips.len() >= 2 && slips.iter().all(|&by| by == slip), "{slips:?}");
    }
}

#[test]
fn jitter_deepens_the_buffer_and_its_end_makes_it_shallow_again() {
    let mut stream = Stream::new();
    let mut wishes = Vec::new();
    for n in 0..8_000_u32 {
        // Every tenth packet of the first half travels 60 ms longer, and those behind it wait.
        let bad = (10..4_000).contains(&n);
        if !(bad && n % 10 < 3) {
            let first = if bad && n % 10 == 3 { n - 3 } else { n };
            (first..=n).for_each(|n| {
                stream.file(n as u16, n * 160, 160);
            });
        }
        stream.periods(2);
        if n % 1_000 == 999 {
            wishes.push((stream.playout.depth(), stream.playout.delays.target()));
        }
    }
    assert!(wishes[..4].iter().all(|&wish| wish == (480, 480)), "{wishes:?}");
    assert!(wishes[7].1 <= 320, "{wishes:?}");
}

#[test]
fn a_burst_after_a_stall_fills_no_more_than_200_ms() {
    let mut stream = Stream::new();
    for n in 0..10_u32 {
        stream.file(n as u16, n * 160, 160);
        stream.periods(2);
    }
    stream.periods(50);
    for n in 10..36 {
        stream.file(n, u32::from(n) * 160, 160);
    }
    assert_eq!(stream.playout.depth(), 1_600);
    assert!(stream.playout.ahead() <= 1_600 + 160, "{}", stream.playout.ahead());
}

#[test]
fn a_sender_that_is_too_quick_never_fills_more_than_the_limit() {
    let mut stream = Stream::new();
    for n in 0..20_000_u32 {
        stream.file(n as u16, n * 160, 160);
        if n % 50 != 0 {
            stream.periods(2);
        }
        assert!(stream.playout.ahead() <= MAX_AHEAD + 160);
    }
}
