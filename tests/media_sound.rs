//! What the data plane does to the sound of a call, in virtual time: keys, echo, fax, gain, one-way audio.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, reason = "a test reads its recordings")]

mod media {
    pub(crate) mod display_phone;
    pub(crate) mod plane;
}
#[path = "echo/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod lines;

use lines::{line::Line, recordings::talker};
use media::display_phone::{DisplayPhone, announcement, who_waits};
use media::plane::{OFFICE, PERIOD, Plane, Sent, event_packet, rtp, speech, trunk};
use ringside::{
    audio::{
        caller_id::waiting::Outcome,
        dtmf::{Generator, Key},
        fsk::Variant,
        g711::{self, Law},
        level,
        line_ear::{Heard, LineEar},
        progress::Progress,
        sine::Oscillator,
        tone::{Generator as Sounding, Tone},
        tone_plan::TonePlan,
    },
    id::{RtpPort, Slot},
    media::{
        control::{Command, Event, TapFrame, Trunk},
        patch_bay::PortAudio,
    },
    record::LegKind,
    rtp::telephone_event::Events,
};

/// Telephone-events both ways, as every trunk offers them.
fn with_events() -> Trunk {
    Trunk { event_pt_in: Some(101), event_pt_out: Some(101), ..trunk() }
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 8]
}

fn key(sign: char, ms: usize) -> Vec<i16> {
    let mut generator = Generator::new(Key::from_sign(sign).unwrap());
    (0..ms * 8).map(|_| generator.advance()).collect()
}

fn sine(hz: f32, dbm0: f32, ms: usize) -> Vec<i16> {
    let mut oscillator = Oscillator::new(hz, dbm0);
    (0..ms * 8).map(|_| oscillator.advance().round() as i16).collect()
}

/// A caller whose packets come one every 20 ms, and the person at the phone on slot 0.
struct Talk {
    plane: Plane,
    seq: u16,
    heard: Vec<i16>,
}

impl Talk {
    fn new(mut plane: Plane, trunk: Trunk) -> Self {
        plane.patch(0, 0, trunk, None);
        Self { plane, seq: 0, heard: Vec::new() }
    }

    /// Both talk as long as the office has something to say; a caller who has nothing to say is silent.
    fn talk(&mut self, caller: &[i16], office: &[i16]) {
        for (n, said) in office.chunks_exact(PERIOD).enumerate() {
            if n % 2 == 0 {
                let words = caller.get(n * PERIOD..).unwrap_or_default();
                let code = |at| g711::compress(Law::Mu, words.get(at).copied().unwrap_or(0));
                let payload: Vec<u8> = (0..2 * PERIOD).map(code).collect();
                self.packet(0, &payload);
            }
            self.plane.says(0, said);
            self.heard.extend(self.plane.tick_and_hear(0));
        }
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) {
        let timestamp = u32::from(self.seq) * 160;
        self.plane.arrives(0, OFFICE, rtp(payload_type, self.seq, timestamp, 7, payload));
        self.seq += 1;
    }

    /// What the trunk heard as audio.
    fn sent_audio(&self) -> Vec<i16> {
        let audio = self.plane.sent(0).into_iter().filter(|packet| packet.payload.len() > 4);
        audio.flat_map(|packet| packet.payload).map(|code| g711::expand(Law::Mu, code)).collect()
    }

    fn sent_events(&self) -> Vec<Sent> {
        self.plane.sent(0).into_iter().filter(|packet| packet.payload.len() == 4).collect()
    }

    /// Keys that the trunk heard of: event code and length in samples.
    fn sent_keys(&self) -> Vec<(u8, u32)> {
        let mut events = Events::default();
        let mut keys: Vec<(u8, u32)> = Vec::new();
        for packet in self.sent_events() {
            let Some(press) = events.packet(packet.timestamp, &packet.payload) else { continue };
            if press.first {
                keys.push((press.code, 0));
            }
            keys.last_mut().unwrap().1 = press.samples;
        }
        keys
    }

    fn recording(&mut self) -> (Vec<i16>, Vec<i16>) {
        self.plane.unpatch(0);
        let frames: Vec<TapFrame> = self.plane.frames(0);
        (
            frames.iter().flat_map(|frame| frame.caller).collect(),
            frames.iter().flat_map(|frame| frame.office).collect(),
        )
    }
}

fn loud(samples: &[i16]) -> usize {
    samples.iter().filter(|sample| sample.unsigned_abs() > 500).count()
}

#[test]
fn a_key_pressed_at_the_phone_goes_out_as_an_event_and_its_tone_does_not() {
    let mut talk = Talk::new(Plane::new(1, 1), with_events());
    let said = [silence(200), key('5', 100), silence(300), key('#', 80), silence(300)].concat();
    talk.talk(&[], &said);
    let keys = talk.sent_keys();
    assert_eq!(keys.iter().map(|key| key.0).collect::<Vec<_>>(), [5, 11]);
    for ((_, samples), ms) in keys.iter().zip([100_u32, 80]) {
        assert!(samples.abs_diff(ms * 8) <= 240, "{samples} samples for {ms} ms");
    }
    let leaked = loud(&talk.sent_audio());
    assert!(leaked <= 2 * 160, "{} ms of the tones leaked", leaked / 8);
    let marked: Vec<bool> = talk.sent_events().iter().map(|packet| packet.marker).collect();
    assert_eq!(marked.iter().filter(|&&marker| marker).count(), 2, "one marker for each key");
}

#[test]
fn a_trunk_without_telephone_events_hears_the_tone_itself() {
    let mut talk = Talk::new(Plane::new(1, 1), trunk());
    talk.talk(&[], &[silence(200), key('5', 100), silence(200)].concat());
    assert!(talk.sent_events().is_empty());
    let (sent, pressed) = (loud(&talk.sent_audio()), loud(&key('5', 100)));
    assert!(sent.abs_diff(pressed) < 20, "{sent} of {pressed}");
}

#[test]
fn no_key_is_in_the_recording_whoever_pressed_it() {
    let mut talk = Talk::new(Plane::new(1, 1), with_events());
    // At the phone, by the caller as an event, by the caller as a tone.
    talk.talk(&[], &[silence(200), key('1', 100), silence(400)].concat());
    for n in 1..=5_u16 {
        let timestamp = u32::from(talk.seq) * 160;
        talk.plane.arrives(0, OFFICE, event_packet(101, talk.seq, timestamp, 7, 160 * n, n == 5));
        talk.seq += 1;
        talk.plane.run(2);
    }
    talk.talk(&[], &silence(400));
    talk.talk(&[silence(100), key('9', 100), silence(300)].concat(), &silence(500));
    assert!(loud(&talk.heard) > 1_000, "the caller's keys are heard at the phone");
    let (caller, office) = talk.recording();
    assert_eq!((loud(&caller), loud(&office)), (0, 0));
}

#[test]
fn the_echo_of_the_callers_key_is_not_sent_back_as_a_key_of_ours() {
    let mut talk = Talk::new(Plane::new(1, 1), with_events());
    let tone = key('3', 100);
    let echo: Vec<i16> = tone.iter().map(|sample| sample / 4).collect();
    // The line is played to 40 ms after the packet came.
    talk.talk(&[tone, silence(200)].concat(), &[silence(40), echo, silence(160)].concat());
    assert!(talk.sent_events().is_empty());
}

#[test]
fn speech_is_not_taken_for_keys_and_passes_unchanged() {
    let mut talk = Talk::new(Plane::new(1, 1), with_events());
    let said = speech(5, 80_000);
    talk.talk(&[], &said);
    let right: Vec<i16> = said.iter().map(|&s| g711::expand(Law::Mu, g711::compress(Law::Mu, s))).collect();
    let sent = talk.sent_audio();
    assert_eq!(sent, right[..sent.len()]);
    assert!(talk.sent_events().is_empty());
}

#[test]
fn a_fax_is_told_once_and_then_left_alone() {
    let audio = PortAudio::default();
    let mut talk = Talk::new(Plane::with_ports(1, 1, audio), with_events());
    let calling = [sine(1_100.0, -12.0, 500), silence(3_000)].concat().repeat(3);
    talk.talk(&calling, &silence(10_500));
    let faxes = talk.plane.events().iter().filter(|event| matches!(event, Event::Fax { .. })).count();
    assert_eq!(faxes, 1, "{:?}", talk.plane.events());
    let from = talk.plane.events().iter().find_map(|event| match event {
        Event::Fax { from, .. } => Some(*from),
        _ => None,
    });
    assert_eq!(from, Some(LegKind::Trunk));
    // From now on neither canceller nor keys touch the line: what is said comes through bit by bit.
    let before = talk.sent_audio().len();
    let said = [key('5', 100), speech(9, 8_000)].concat();
    talk.talk(&speech(8, 8_800), &said);
    let right: Vec<i16> = said.iter().map(|&s| g711::expand(Law::Mu, g711::compress(Law::Mu, s))).collect();
    let sent = talk.sent_audio().split_off(before);
    assert!(sent.len() > 8_000);
    assert_eq!(sent[..], right[..sent.len()]);
    // 100 ms, and not for the next call.
    let depth = talk.plane.unpatch(0).mean_depth_samples;
    talk.plane.patch(0, 0, with_events(), None);
    talk.talk(&speech(6, 80_000), &silence(10_000));
    let next = talk.plane.unpatch(0).mean_depth_samples;
    assert!(depth > 600 && next <= 320, "{depth} samples for a fax, {next} for a call");
}

#[test]
fn a_caller_who_is_not_heard_raises_the_alarm_until_he_is() {
    let mut talk = Talk::new(Plane::new(1, 1), trunk());
    let alarms = |talk: &Talk| -> Vec<Option<LegKind>> {
        let silent = |event: &Event| match event {
            Event::OneWay { silent, .. } => Some(*silent),
            _ => None,
        };
        talk.plane.events().iter().filter_map(silent).collect()
    };
    talk.talk(&[], &sine(440.0, -20.0, 11_000));
    assert_eq!(alarms(&talk), [Some(LegKind::Trunk)]);
    talk.talk(&sine(300.0, -20.0, 1_000), &silence(1_000));
    assert_eq!(alarms(&talk), [Some(LegKind::Trunk), None]);
}

#[test]
fn the_echo_of_the_line_is_taken_away_and_known_again_in_the_next_call() {
    let mut plane = Plane::with_ports(1, 1, PortAudio::default());
    let caller: Vec<i16> = speech(3, 64_000).iter().map(|sample| sample / 4).collect();
    for call in 0..2 {
        let tap = plane.patch(0, 0, trunk(), None);
        let mut line = [0_i16; PERIOD];
        let mut residual = Vec::new();
        for n in 0..800_usize {
            if n % 2 == 0 {
                let seq = (n / 2) as u16;
                let words = caller[n * PERIOD..][..2 * PERIOD].iter();
                let codes: Vec<u8> = words.map(|&s| g711::compress(Law::Mu, s)).collect();
                plane.arrives(0, OFFICE, rtp(0, seq, u32::from(seq) * 160, 7 + call, &codes));
            }
            // What is written in one tick is on the line in the next, as the bay of these tests has no lead.
            plane.says(0, &line);
            let heard = plane.tick_and_hear(0);
            line = heard.map(|sample| sample / 3);
            let frames = plane.frames(tap);
            residual.extend(frames.iter().map(|frame| level::dbm0(&frame.office)));
        }
        let (early, late) = (&residual[100..200], &residual[600..]);
        let worst = |levels: &[f32]| levels.iter().copied().fold(f32::MIN, f32::max);
        assert!(worst(late) < -45.0, "call {call}: {}", worst(late));
        if call == 1 {
            assert!(worst(early) < -45.0, "the path was forgotten: {}", worst(early));
        }
        let counters = plane.unpatch(0);
        let erl = counters.sound.erl_tenths_db.unwrap();
        assert!((85..=110).contains(&erl), "{erl}: a third is 9.5 dB");
    }
}

#[test]
fn gains_act_on_everything_the_port_plays_and_says() {
    let audio = PortAudio { to_line_db: -6.0206, from_line_db: 6.0206, echo_canceller: false };
    let mut talk = Talk::new(Plane::with_ports(1, 1, audio), trunk());
    let (caller, office) = (sine(500.0, -10.0, 500), sine(700.0, -20.0, 500));
    talk.talk(&caller, &office);
    let near = |level: f32, right: f32| (level - right).abs() < 0.3;
    assert!(near(level::dbm0(&talk.heard[1_600..3_200]), -16.0));
    assert!(near(level::dbm0(&talk.sent_audio()[1_600..3_200]), -14.0));
    // Recorded is what the network carries.
    let counters = talk.plane.unpatch(0);
    assert!(counters.sound.caller.active_tenths_dbm0.unwrap().abs_diff(-100) <= 3);
    assert!(counters.sound.office.active_tenths_dbm0.unwrap().abs_diff(-140) <= 3);
}

#[test]
fn a_waiting_call_is_shown_by_a_phone_that_acknowledges_and_the_trunk_hears_none_of_it() {
    let id = who_waits();
    for answers in [true, false] {
        let mut talk = Talk::new(Plane::new(1, 1), with_events());
        talk.talk(&[], &silence(200));
        talk.plane.command(Command::Announce { slot: Slot(0), waiting: announcement() });
        let mut phone = DisplayPhone::new(answers);
        for _ in 0..300 {
            talk.plane.says(0, &phone.says());
            phone.hears(&talk.plane.tick_and_hear(0));
        }
        let outcome = talk.plane.events().iter().find_map(|event| match event {
            Event::Announced { outcome, .. } => Some(*outcome),
            _ => None,
        });
        let right = if answers { Outcome::Shown } else { Outcome::NotAcknowledged };
        assert_eq!(outcome, Some(Some(right)));
        let right = Some((id.number.clone(), id.name.clone())).filter(|_| answers);
        assert_eq!(phone.shown(), right);
        assert!(talk.sent_events().is_empty());
        assert_eq!(loud(&talk.sent_audio()), 0);
    }
}

fn words(name: &str, ms: usize) -> Vec<i16> {
    talker(name, ms * 8).iter().map(|&sample| sample as i16).collect()
}

fn tone(tone: &Tone, ms: usize) -> Vec<i16> {
    let mut generator = Sounding::new(tone);
    (0..ms * 8).map(|_| generator.advance()).collect()
}

/// The caller talks to a line that returns an echo 10 dB weaker and says something itself.
fn talk_to_a_line(talk: &mut Talk, caller: &[i16], line: &[i16]) {
    let mut hybrid = Line::new("D5", 10.0, 0);
    let mut heard = [0_i16; PERIOD];
    for n in 0..line.len() / PERIOD {
        let own = &line[n * PERIOD..][..PERIOD];
        let [far, near] =
            [&heard[..], own].map(|side| side.iter().map(|&s| f32::from(s)).collect::<Vec<_>>());
        let said = hybrid.carry(&far, &near).heard;
        talk.talk(caller.get(n * PERIOD..).unwrap_or_default(), &said);
        heard = talk.plane.heard(0);
    }
}

fn count(talk: &Talk, is_it: impl Fn(&Event) -> bool) -> usize {
    talk.plane.events().iter().filter(|event| is_it(event)).count()
}

#[test]
fn both_sides_talking_is_told_once() {
    let mut talk = Talk::new(Plane::with_ports(1, 1, PortAudio::default()), trunk());
    // In turns, 1 s each: after 6 s both have had 2 s of speech and not 3.
    let turns = |first: bool| -> Vec<i16> {
        let words = words(if first { "hts" } else { "hts1" }, 12_000);
        words
            .chunks(8_000)
            .enumerate()
            .flat_map(|(n, second)| if (n % 2 == 0) == first { second.to_vec() } else { vec![0; 8_000] })
            .collect()
    };
    let (caller, office) = (turns(true), turns(false));
    let is_two_way = |event: &Event| matches!(event, Event::TwoWay { rtp: RtpPort(0) });
    talk_to_a_line(&mut talk, &caller[..24_000], &office[..24_000]);
    assert_eq!(count(&talk, is_two_way), 0);
    talk_to_a_line(&mut talk, &caller, &office);
    assert_eq!(count(&talk, is_two_way), 1, "{:?}", talk.plane.events());
}

#[test]
fn a_caller_who_talks_to_a_tone_and_to_his_echo_is_no_conversation() {
    let plan = TonePlan::north_america();
    for sound in [plan.ringback, plan.busy] {
        let mut talk = Talk::new(Plane::with_ports(1, 1, PortAudio::default()), trunk());
        talk_to_a_line(&mut talk, &words("kristoff", 30_000), &tone(&sound, 30_000));
        assert_eq!(count(&talk, |event| matches!(event, Event::TwoWay { .. })), 0, "{sound:?}");
    }
}

#[test]
fn the_tones_of_the_exchange_are_heard_in_a_call_whose_caller_talks() {
    let plan = TonePlan::north_america();
    for (sound, right) in [(plan.busy, Progress::Busy), (plan.reorder, Progress::Reorder)] {
        let mut talk = Talk::new(Plane::with_ports(1, 1, PortAudio::default()), trunk());
        let ear = Box::new(LineEar::for_line(plan, Variant::Bell202));
        talk.plane.command(Command::Listen { slot: Slot(0), ear });
        let line = [words("hts1", 5_000), silence(1_000), tone(&sound, 15_000)].concat();
        talk_to_a_line(&mut talk, &words("kristoff", 21_000), &line);
        let is_it = |event: &Event| matches!(event, Event::Heard { slot: Slot(0), heard: Heard::Progress(progress) } if *progress == right);
        assert_eq!(count(&talk, is_it), 1, "{right:?}");
    }
}

#[test]
fn nothing_is_allocated_in_a_hundred_thousand_ticks_with_everything_on() {
    let mut talk = Talk::new(Plane::with_ports(1, 1, PortAudio::default()), with_events());
    let caller = [key('2', 100), speech(1, 7_200), sine(1_100.0, -12.0, 500)].concat();
    let office = [speech(2, 8_000), key('8', 200), silence(300)].concat();
    for _ in 0..680 {
        talk.talk(&caller, &office);
        talk.plane.frames(0);
        talk.heard.clear();
    }
    assert!(680 * office.len() / PERIOD >= 100_000);
    assert_eq!(talk.plane.heap_calls(), 0);
}
