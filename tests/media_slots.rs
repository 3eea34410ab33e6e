//! What a slot carries and what becomes of it: every command on every slot, parked patches, everything given back.
#![cfg(feature = "sim")]

mod media {
    #[allow(dead_code, reason = "only its announcement is needed")]
    pub(crate) mod display_phone;
    pub(crate) mod plane;
}

use media::{
    display_phone::announcement,
    plane::{OFFICE, PERIOD, Plane, rtp, speech, trunk},
};
use ringside::{
    audio::{
        g711::{self, Law},
        line_ear::LineEar,
        probe::{self, Probe},
        tone_plan::TonePlan,
    },
    id::{RtpPort, Slot},
    media::control::{Command, Event, Sound, Trunk},
};
use std::sync::Arc;

/// The slot that is commanded; 2 and 3 are others.
const SLOT: Slot = Slot(1);
/// What is said on it.
const SAID: i16 = 8_000;
const ONCE: i16 = 111;

/// What a slot carries, as it shows outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Silence,
    Once,
    Tone,
    /// Patched with this port.
    Call(u8),
    /// Joined with this slot.
    With(u8),
}

/// What it may carry before: nothing but a parked patch, a sound, a patch, a join as the phone or as the line.
const BEFORE: [&str; 7] = ["silence", "parked", "once", "tone", "call", "phone", "line"];

fn once() -> Arc<[i16]> {
    [ONCE; 80_000].into()
}

fn tone() -> Sound {
    Sound::Tone(TonePlan::north_america().dial)
}

fn plane_with(before: &str) -> Plane {
    let mut plane = Plane::new(4, 2);
    match before {
        "once" => plane.command(Command::Play { slot: SLOT, sound: Sound::Once(once()) }),
        "tone" => plane.command(Command::Play { slot: SLOT, sound: tone() }),
        "phone" => plane.command(Command::Join { phone: SLOT, line: Slot(2) }),
        "line" => plane.command(Command::Join { phone: Slot(2), line: SLOT }),
        "call" => _ = plane.patch(0, 1, trunk(), None),
        "parked" => {
            plane.patch(0, 1, trunk(), None);
            plane.command(Command::Park { rtp: RtpPort(0) });
        }
        _ => {}
    }
    plane
}

/// Says something on the slot and looks who hears it; if nobody, what the slot hears.
fn carried(plane: &mut Plane) -> Carried {
    let near = |sample: i16| sample.abs_diff(SAID) < 400;
    let before = [0, 1].map(|rtp| plane.sent(rtp).len());
    for _ in 0..6 {
        plane.says(1, &[SAID; PERIOD]);
        plane.run(1);
    }
    for rtp in [0, 1] {
        let sent = plane.sent(rtp).split_off(before[usize::from(rtp)]);
        if sent.last().is_some_and(|packet| near(g711::expand(Law::Mu, packet.payload[159]))) {
            return Carried::Call(rtp);
        }
    }
    if let Some(other) = [0, 2, 3].into_iter().find(|other| near(plane.heard(*other)[79])) {
        return Carried::With(other as u8);
    }
    match plane.heard(1) {
        [0, .., 0] => Carried::Silence,
        heard if heard == [ONCE; PERIOD] => Carried::Once,
        _ => Carried::Tone,
    }
}

/// Every command, and whether it leaves what the slot carried as it was; if not, what the slot carries then.
fn commands() -> Vec<(&'static str, Command, [Option<Carried>; 7])> {
    use Carried::{Call, Once, Silence, Tone, With};
    let (zero, held) = (RtpPort(0), Trunk { receive: false, ..trunk() });
    let ear = || Box::new(LineEar::for_phone());
    let interject = |slot| Command::Interject { slot, samples: [5; 4_000].into() };
    let to_silence = Some(Silence);
    let same = [None; 7];
    //  before: silence, parked, once, tone, call, phone, line
    vec![
        ("change", Command::Change { rtp: zero, trunk: held }, same),
        ("park", Command::Park { rtp: zero }, [None, None, None, None, to_silence, None, None]),
        (
            "unpark",
            Command::Unpark { rtp: zero, slot: SLOT },
            [None, Some(Call(0)), None, None, None, None, None],
        ),
        (
            "unpark elsewhere",
            Command::Unpark { rtp: zero, slot: Slot(3) },
            [None, None, None, None, to_silence, None, None],
        ),
        ("unpark nowhere", Command::Unpark { rtp: zero, slot: Slot(9) }, same),
        ("unpatch", Command::Unpatch { rtp: zero }, [None, None, None, None, to_silence, None, None]),
        ("join", Command::Join { phone: SLOT, line: Slot(3) }, [Some(With(3)); 7]),
        ("join as the line", Command::Join { phone: Slot(3), line: SLOT }, [Some(With(3)); 7]),
        (
            "join the other",
            Command::Join { phone: Slot(2), line: Slot(3) },
            [None, None, None, None, None, to_silence, to_silence],
        ),
        ("join with itself", Command::Join { phone: SLOT, line: SLOT }, same),
        ("join with no slot", Command::Join { phone: SLOT, line: Slot(9) }, same),
        ("part", Command::Part { phone: SLOT }, [None, None, None, None, None, to_silence, to_silence]),
        (
            "part the other",
            Command::Part { phone: Slot(2) },
            [None, None, None, None, None, to_silence, to_silence],
        ),
        ("announce", Command::Announce { slot: SLOT, waiting: announcement() }, same),
        ("interject", interject(SLOT), same),
        ("listen", Command::Listen { slot: SLOT, ear: ear() }, same),
        ("ignore", Command::Ignore { slot: SLOT }, same),
        (
            "play once",
            Command::Play { slot: SLOT, sound: Sound::Once(once()) },
            [Some(Once), Some(Once), Some(Once), Some(Once), None, None, None],
        ),
        (
            "play a tone",
            Command::Play { slot: SLOT, sound: tone() },
            [Some(Tone), Some(Tone), Some(Tone), Some(Tone), None, None, None],
        ),
        ("hush", Command::Hush { slot: SLOT }, [None, None, to_silence, to_silence, None, None, None]),
    ]
}

#[test]
fn every_command_has_an_answer_whatever_the_slot_carries() {
    for (n, before) in BEFORE.into_iter().enumerate() {
        for (name, command, after) in commands() {
            let mut plane = plane_with(before);
            let was = carried(&mut plane);
            plane.command(command);
            let right = after[n].unwrap_or(was);
            assert_eq!(carried(&mut plane), right, "{name} on {before}");
            assert_eq!(plane.heap_calls(), 0, "{name} on {before}");
        }
        for rtp in [0, 1] {
            let mut plane = plane_with(before);
            plane.patch(rtp, 1, trunk(), None);
            assert_eq!(carried(&mut plane), Carried::Call(rtp), "patch {rtp} on {before}");
        }
    }
}

/// How often each thing was given to the plane, and how often it came back.
fn given_back(plane: &Plane) -> [usize; 5] {
    let mut back = [0; 5];
    for event in plane.events() {
        match event {
            Event::Announced { .. } => back[0] += 1,
            Event::Interjected { .. } => back[1] += 1,
            Event::EarSpent(_) => back[2] += 1,
            Event::Unpatched { .. } => back[3] += 1,
            Event::Probed { .. } => back[4] += 1,
            _ => {}
        }
    }
    back
}

#[test]
fn whatever_is_commanded_everything_comes_back_exactly_once() {
    let mut state = 11_u64;
    let mut dice = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % sides) as u8
    };
    let mut plane = Plane::new(4, 3);
    let samples: Arc<[i16]> = [50; 400].into();
    let mut given = [0; 5];
    for _ in 0..6_000 {
        // One slot and one port are not there.
        let (rtp, slot, other) = (RtpPort(dice(4)), Slot(dice(5)), Slot(dice(5)));
        let command = match dice(15) {
            0 | 1 => {
                given[3] += 1;
                plane.patch(rtp.0, slot.0, trunk(), Some(samples.clone()));
                continue;
            }
            2 => Command::Park { rtp },
            3 | 4 => Command::Unpark { rtp, slot },
            5 => Command::Unpatch { rtp },
            6 | 7 => Command::Join { phone: slot, line: other },
            8 => Command::Part { phone: slot },
            9 => {
                given[0] += 1;
                Command::Announce { slot, waiting: announcement() }
            }
            10 => {
                given[1] += 1;
                Command::Interject { slot, samples: samples.clone() }
            }
            11 => {
                given[2] += 1;
                Command::Listen { slot, ear: Box::new(LineEar::for_phone()) }
            }
            12 => Command::Ignore { slot },
            13 => {
                given[4] += 1;
                Command::Probe { slot, probe: Box::default() }
            }
            _ => Command::Play { slot, sound: Sound::Once(samples.clone()) },
        };
        plane.command(command);
        plane.run(usize::from(dice(4)));
    }
    for n in 0..5 {
        plane.command(Command::Unpatch { rtp: RtpPort(n) });
        plane.command(Command::Part { phone: Slot(n) });
        plane.command(Command::Hush { slot: Slot(n) });
        plane.command(Command::Ignore { slot: Slot(n) });
    }
    assert_eq!(given_back(&plane), given);
    assert_eq!(Arc::strong_count(&samples), 1 + plane.spent());
    assert_eq!(plane.heap_calls(), 0);
}

/// 20 ms of a caller who says always the same.
fn caller_says(plane: &mut Plane, seq: u16) {
    plane.arrives(0, OFFICE, rtp(0, seq, u32::from(seq) * 160, 7, &[0x12; 160]));
}

#[test]
fn a_parked_patch_goes_on_with_a_silent_office_and_its_slot_is_free() {
    let mut plane = Plane::new(3, 1);
    let tap = plane.patch(0, 0, trunk(), None);
    plane.run(1);
    let (office, start) = (speech(4, 300 * PERIOD), plane.clock());
    let caller = g711::expand(Law::Mu, 0x12);
    let mut frames = Vec::new();
    for n in 0..300_usize {
        match n {
            100 => {
                plane.command(Command::Park { rtp: RtpPort(0) });
                plane.command(Command::Join { phone: Slot(0), line: Slot(2) });
            }
            200 => plane.command(Command::Unpark { rtp: RtpPort(0), slot: Slot(1) }),
            _ => {}
        }
        if n % 2 == 0 {
            caller_says(&mut plane, (n / 2) as u16);
        }
        let said = &office[n * PERIOD..][..PERIOD];
        plane.says(0, said);
        plane.says(1, said);
        plane.run(1);
        // The slots of the join hear each other, and nobody but the slot of the patch hears the caller.
        let joined = n >= 100;
        assert_eq!(plane.heard(2)[..] == *said, joined, "{n}");
        let at = [0, 1].map(|slot| plane.heard(slot) == [caller; PERIOD]);
        assert_eq!(at, [(4..100).contains(&n), n >= 200], "{n}");
        frames.extend(plane.frames(tap));
    }
    let counters = plane.unpatch(0);
    frames.extend(plane.frames(tap));
    assert_eq!((counters.recorded_samples, counters.packets, counters.lost), (301 * 80, 150, 0));
    assert_eq!(frames.len(), 301);
    for (n, frame) in frames[1..].iter().enumerate() {
        assert_eq!(frame.at, start + (n * PERIOD) as u64);
        let parked = (100..200).contains(&n);
        let right = if parked { &[0; PERIOD][..] } else { &office[n * PERIOD..][..PERIOD] };
        assert_eq!(frame.office[..], *right, "{n}");
        assert!(n < 4 || frame.caller == [caller; PERIOD], "the caller goes on being heard: {n}");
    }
    let sent = plane.sent(0);
    assert_eq!(sent.len(), 150);
    for (n, packet) in sent.iter().enumerate() {
        assert_eq!((packet.seq, packet.timestamp), (1_000 + n as u16, 50_000 + 160 * n as u32));
        let is_silent = packet.payload.iter().all(|&code| code == Law::Mu.silence());
        assert_eq!(is_silent, (51..100).contains(&n), "the caller hears silence: {n}");
    }
    assert!(plane.events().iter().all(|event| !matches!(event, Event::OneWay { .. })));
    assert_eq!(plane.heap_calls(), 0);
}

#[test]
fn a_long_park_is_no_audio_that_goes_one_way() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), None);
    plane.command(Command::Park { rtp: RtpPort(0) });
    for n in 0..1_000 {
        caller_says(&mut plane, n);
        plane.run(2);
    }
    assert!(plane.events().iter().all(|event| !matches!(event, Event::OneWay { .. })));
}

#[test]
fn an_announcement_ends_when_its_call_leaves_the_slot_and_a_notice_when_the_call_ends() {
    let rtp = RtpPort(0);
    let ends = [
        (Command::Park { rtp }, 0),
        (Command::Unpark { rtp, slot: Slot(2) }, 0),
        (Command::Unpatch { rtp }, 1),
    ];
    for (end, notices) in ends {
        let mut plane = plane_with("call");
        plane.command(Command::Announce { slot: SLOT, waiting: announcement() });
        plane.command(Command::Interject { slot: SLOT, samples: [9; 4_000].into() });
        plane.run(3);
        plane.command(end);
        let announced = |event: &Event| matches!(event, Event::Announced { slot: SLOT, outcome: None, .. });
        assert_eq!(plane.events().iter().filter(|event| announced(event)).count(), 1);
        let interjected = |event: &Event| matches!(event, Event::Interjected { slot: SLOT });
        let over = |plane: &Plane| plane.events().iter().filter(|event| interjected(event)).count();
        assert_eq!((over(&plane), plane.spent()), (notices, notices));
        plane.run(60);
        assert_eq!((over(&plane), plane.spent()), (1, 1), "the notice was said to its end");
    }
}

#[test]
fn the_notice_of_a_call_that_is_parked_goes_on_to_the_caller() {
    let mut plane = Plane::new(1, 1);
    plane.patch(0, 0, trunk(), Some([2_000; 1_600].into()));
    caller_says(&mut plane, 0);
    plane.run(5);
    plane.command(Command::Park { rtp: RtpPort(0) });
    plane.run(40);
    assert!(plane.events().iter().any(|event| matches!(event, Event::NoticePlayed { .. })));
}

/// Runs a plane whose line returns a quarter of what is played, one period later, for so many periods.
fn returns(plane: &mut Plane, periods: usize) {
    for _ in 0..periods {
        let returned =
            plane.heard(usize::from(SLOT.0)).map(|sample| if sample == i16::MIN { 0 } else { sample / 4 });
        plane.says(usize::from(SLOT.0), &returned);
        plane.run(1);
    }
}

fn probe_of(plane: &Plane) -> &Probe {
    let probed = plane.events().iter().filter_map(|event| match event {
        Event::Probed { slot: SLOT, probe } => Some(&**probe),
        _ => None,
    });
    probed.last().expect("the probe comes back")
}

#[test]
fn a_probe_measures_what_its_slot_returns_without_a_heap_call() {
    let mut plane = plane_with("tone");
    plane.command(Command::Probe { slot: SLOT, probe: Box::default() });
    plane.says(usize::from(SLOT.0), &[0; PERIOD]);
    plane.run(1);
    returns(&mut plane, probe::HEARD / PERIOD - 1);
    let path = probe_of(&plane).echo(None);
    assert!(probe_of(&plane).is_whole());
    assert!((path.at(PERIOD) - 0.25).abs() < 0.01 && (path.erl_db() - 12.0).abs() < 0.2, "{path:?}");
    assert_eq!((carried(&mut plane), plane.heap_calls()), (Carried::Silence, 0));
}

#[test]
fn a_probe_that_a_call_or_a_gap_breaks_says_so() {
    let mut plane = plane_with("silence");
    plane.command(Command::Probe { slot: SLOT, probe: Box::default() });
    plane.run(3);
    plane.patch(0, SLOT.0, trunk(), None);
    assert!(!probe_of(&plane).is_over());
    let mut plane = plane_with("silence");
    plane.command(Command::Probe { slot: SLOT, probe: Box::default() });
    plane.run(3);
    plane.stall(80);
    plane.run(probe::HEARD / PERIOD);
    assert!(probe_of(&plane).is_over() && !probe_of(&plane).is_whole());
}
