//! Random events in random order: every state has an answer to every event, and what must always hold holds.

use super::exchange::dial;
use ringside::{
    audio::{
        caller_id::{self, Frame},
        dtmf::Key,
        line_ear::Heard,
        progress::Progress,
    },
    chip::{LineChange, LineOrder, si3050::Polarity, si3050::pulse::Rhythm},
    line::fxo::{Alarm, Command, Dialling, Event, Fxo, Settings, Urgency, WithoutDialTone, answer::Reversal},
    time::Instant,
};
use std::collections::BTreeSet;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn change(random: &mut Random) -> LineChange {
    let to = if random.below(2) == 0 { Polarity::Positive } else { Polarity::Negative };
    let changes = [
        LineChange::Up,
        LineChange::Down,
        LineChange::Reset,
        LineChange::LinkLost,
        LineChange::RingBegan,
        LineChange::RingEnded,
        LineChange::BatteryLost,
        LineChange::LineDead,
        LineChange::BatteryReturned,
        LineChange::PolarityReversed { to },
        LineChange::ParallelLifted,
        LineChange::ParallelHungUp,
        LineChange::OffHook,
        LineChange::OffHook,
        LineChange::OffHook,
        LineChange::Flashed,
        LineChange::Pulsed,
        LineChange::Overload,
        LineChange::RingBegan,
        LineChange::BatteryReturned,
    ];
    changes[random.below(changes.len() as u64) as usize]
}

fn heard(random: &mut Random) -> Heard {
    let key = Key::from_event_code(random.below(16) as u8).unwrap();
    let progress = [
        Progress::DialTone,
        Progress::Ringback { cycle: 1 },
        Progress::Busy,
        Progress::Reorder,
        Progress::SpecialInformation,
    ];
    match random.below(8) {
        0 => Heard::Key(key),
        1 => Heard::KeyEnded(key),
        2..=4 => Heard::Progress(progress[random.below(5) as usize]),
        5 => Heard::Speech,
        6 => Heard::Silent { ms: 1_000 * (1 + random.below(5) as u32) },
        _ => Heard::CallerId(caller_id::Heard::Frame(Frame::from_bytes(&[0x80, 0, 0x80]))),
    }
}

fn event(random: &mut Random) -> Event {
    // Chips fail rarely, or nothing would ever come to a conversation.
    let rarely = random.below(20) == 0;
    match random.below(12) {
        0..=3 => loop {
            let change = change(random);
            let fails = matches!(
                change,
                LineChange::Up
                    | LineChange::Down
                    | LineChange::Reset
                    | LineChange::LinkLost
                    | LineChange::Overload
            );
            if rarely || !fails {
                break Event::Chip(change);
            }
        },
        4..=6 => Event::Heard(heard(random)),
        7 => dial("911", if random.below(4) == 0 { Urgency::Urgent } else { Urgency::Ordinary }),
        8 => Event::Answer,
        9 if random.below(3) == 0 => Event::Release,
        10 => Event::Flash,
        11 if random.below(3) == 0 => Event::FarLegEnded,
        _ => Event::Deadline,
    }
}

/// What must hold of all that a line says.
#[derive(Default)]
struct Watch {
    /// By the orders to the chip.
    off_hook: bool,
    /// A call that goes out and has not been answered for: neither refused nor gone, lost, or released.
    wants: bool,
    dialled: bool,
    /// A caller is offered.
    rings: bool,
    listens: bool,
    alarms: BTreeSet<u8>,
    seen: BTreeSet<&'static str>,
}

impl Watch {
    fn before(&mut self, event: &Event, line: &Fxo) {
        match event {
            Event::Seize(_) if line.is_free() => {
                assert!(!self.wants, "free while a call goes out");
                (self.wants, self.dialled) = (true, false);
            }
            Event::Release if line.is_off_hook() => (self.wants, self.rings) = (false, false),
            Event::Answer if self.rings => self.rings = false,
            Event::Chip(
                LineChange::Up
                | LineChange::Down
                | LineChange::Reset
                | LineChange::LinkLost
                | LineChange::Overload,
            ) => self.off_hook = false,
            _ => {}
        }
    }

    fn take(&mut self, command: &Command, event: &Event, line: &Fxo) {
        let name = format!("{command:?}");
        let name = name.split(['(', ' ']).next().unwrap();
        match command {
            Command::Order(LineOrder::OffHook) => {
                assert!(!self.off_hook, "seized twice");
                self.off_hook = true;
                self.wants |= !matches!(event, Event::Answer);
            }
            Command::Order(LineOrder::OnHook | LineOrder::Monitor) => self.off_hook = false,
            Command::Order(LineOrder::Flash { .. } | LineOrder::Pulse { .. }) | Command::Send(_) => {
                assert!(self.off_hook, "{command:?} on hook");
            }
            Command::Listen | Command::Ignore => {
                let listens = matches!(command, Command::Listen);
                assert_ne!(std::mem::replace(&mut self.listens, listens), listens, "told twice");
            }
            Command::Rings => assert!(!std::mem::replace(&mut self.rings, true), "rings twice"),
            Command::RingStopped => assert!(std::mem::take(&mut self.rings), "stopped what did not ring"),
            Command::CallerId(_) => assert!(self.rings),
            Command::Dialled => assert!(self.wants && !std::mem::replace(&mut self.dialled, true)),
            Command::Answered(_) => assert!(self.wants && std::mem::take(&mut self.dialled)),
            Command::Gone(_) | Command::Lost(_) | Command::Refused(_) => {
                if !matches!(event, Event::Seize(_) | Event::Answer) || !line.is_off_hook() {
                    self.wants = false;
                }
            }
            Command::Free => assert!(line.is_free() && !self.off_hook && !self.rings, "{event:?}"),
            Command::Alarm(alarm) => assert!(self.alarms.insert(*alarm as u8), "{alarm:?} twice"),
            Command::AlarmOver(alarm) => assert!(self.alarms.remove(&(*alarm as u8)), "{alarm:?} was not"),
            Command::Seized | Command::Learned(..) | Command::LearnedReversal => {}
        }
        for known in ["Order", "Listen", "Ignore", "Send", "Rings", "RingStopped", "Seized", "Dialled"] {
            if known == name {
                self.seen.insert(known);
            }
        }
        for known in ["Answered", "Refused", "Gone", "Lost", "Free", "Alarm", "AlarmOver", "Learned"] {
            if known == name {
                self.seen.insert(known);
            }
        }
    }

    fn after(&self, line: &Fxo) {
        assert_eq!(line.is_off_hook(), self.off_hook, "the chip was told otherwise");
        assert!(!line.is_free() || !self.wants, "a call that went out was never answered for");
        assert_eq!(line.is_ringing(), self.rings);
        for alarm in [Alarm::BatteryNotBack, Alarm::Unplugged, Alarm::Overload, Alarm::LineHeld] {
            assert_eq!(line.is_alarmed(alarm), self.alarms.contains(&(alarm as u8)));
        }
    }
}

fn settings(random: &mut Random) -> Settings {
    let country = ["US", "GB", "DK"][random.below(3) as usize];
    let mut settings = Settings::for_country(country).unwrap();
    if random.below(2) == 0 {
        settings.dialling = Dialling::Pulse(Rhythm::SIXTY_FORTY);
        settings.without_dial_tone = WithoutDialTone::Refuse;
        settings.answer.reversal = Reversal::Answers;
        settings.supervision.silence_ms = Some(20_000);
    }
    settings
}

#[test]
fn a_storm_of_events_finds_an_answer_each_and_breaks_no_promise() {
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut line = Fxo::new(settings(&mut random));
        let (mut now, mut watch, mut idle_rounds) = (Instant::ZERO, Watch::default(), 0);
        for _ in 0..2_500 {
            // Half of the time the next deadline passes first.
            let due = line.deadline().filter(|_| random.below(2) == 0);
            let event = match due {
                Some(at) => {
                    now = now.max(at);
                    Event::Deadline
                }
                None => {
                    now = now.after_ms(random.below(400));
                    event(&mut random)
                }
            };
            let mut out = Vec::new();
            watch.before(&event, &line);
            line.handle(event.clone(), now, &mut out);
            for command in &out {
                watch.take(command, &event, &line);
            }
            watch.after(&line);
            // Two things may be due at once.
            idle_rounds =
                if matches!(event, Event::Deadline) && out.is_empty() { idle_rounds + 1 } else { 0 };
            let passes = idle_rounds < 3 || line.deadline().is_none_or(|at| at > now);
            assert!(passes, "seed {seed}: a deadline does not pass");
        }
        seen.append(&mut watch.seen);
    }
    assert_eq!(seen.len(), 16, "the storm did not reach everything: {seen:?}");
}

#[test]
fn whatever_happened_a_release_brings_the_line_back() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut line = Fxo::new(settings(&mut random));
        let mut now = Instant::ZERO;
        let mut out = Vec::new();
        for _ in 0..random.below(200) {
            now = now.after_ms(random.below(400));
            let event = event(&mut random);
            line.handle(event, now, &mut out);
        }
        out.clear();
        let end = [
            Event::Release,
            Event::Chip(LineChange::Up),
            Event::Chip(LineChange::RingEnded),
            Event::Chip(LineChange::BatteryReturned),
            Event::Chip(LineChange::ParallelHungUp),
        ];
        for event in end {
            line.handle(event, now, &mut out);
        }
        for _ in 0..20 {
            now = line.deadline().map_or(now, |at| at.max(now));
            line.handle(Event::Deadline, now, &mut out);
        }
        assert!(line.is_free() && !line.is_off_hook(), "seed {seed}: {line:?}");
    }
}
