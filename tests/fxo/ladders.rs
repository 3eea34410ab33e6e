//! Ladders of one office line: time-ordered message files a telephony person can read and write.
//!
//! `> 2600 chip rings` is something that happens at 2,600 ms, the lines below it are what the line does about it.
//! `BLESS=1 cargo test --test fxo ladders` writes down what it does now; read the difference before keeping it.

use super::exchange::dial;
use ringside::{
    audio::{
        caller_id::{self, CallType, CallerId, Frame, LocalTime, Message},
        dtmf::Key,
        line_ear::Heard,
        progress::Progress,
    },
    chip::{LineChange, LineOrder, si3050::Polarity, si3050::pulse::Rhythm},
    line::fxo::{
        Command, Dialling, Event, Fxo, Learned, Lesson, Settings, Urgency, WithoutDialTone, answer::Reversal,
    },
    record::Presentation,
    time::Instant,
};
use std::{fmt::Write, fs, path::Path};

struct Ladder {
    line: Fxo,
    text: String,
}

impl Ladder {
    fn give(&mut self, event: Event, ms: u64) {
        let mut out = Vec::new();
        self.line.handle(event, Instant::ZERO.after_ms(ms), &mut out);
        for command in &out {
            writeln!(self.text, "  {ms:<7} {}", said(command)).unwrap();
        }
    }

    /// Every deadline up to then.
    fn until(&mut self, ms: u64) {
        while let Some(at) = self.line.deadline().filter(|at| at.0 <= ms * 1_000) {
            self.give(Event::Deadline, at.0 / 1_000);
        }
    }
}

fn play(script: &str) -> String {
    let mut settings = Settings::for_country("US").unwrap();
    let mut script = script.lines().filter(|line| line.starts_with(['#', '>', '='])).peekable();
    let mut text = String::new();
    while let Some(line) = script.next_if(|line| !line.starts_with('>')) {
        text += &format!("{line}\n");
        if let Some(setting) = line.strip_prefix("= ") {
            set(&mut settings, setting);
        }
    }
    let mut ladder = Ladder { line: Fxo::new(settings), text };
    for line in script {
        let Some(rest) = line.strip_prefix("> ") else {
            ladder.text += &format!("{line}\n");
            continue;
        };
        let (ms, what) = rest.split_once(' ').expect("a time and what happens");
        let ms: u64 = ms.parse().expect("a time in ms");
        ladder.until(ms);
        ladder.text += &format!("{line}\n");
        if let Some(event) = happens(what.trim()) {
            ladder.give(event, ms);
        }
    }
    ladder.text
}

fn set(settings: &mut Settings, what: &str) {
    let lesson = Lesson { calls: 3, last_ms: 500 };
    match what {
        "refuse without dial tone" => settings.without_dial_tone = WithoutDialTone::Refuse,
        "dials by pulses" => settings.dialling = Dialling::Pulse(Rhythm::SIXTY_FORTY),
        "reverses on answer" => settings.answer.reversal = Reversal::Answers,
        "has learned CPC" => settings.learned = Some(Learned { cpc: lesson, ..Learned::default() }),
        "has learned busy" => settings.learned = Some(Learned { busy: lesson, ..Learned::default() }),
        country => *settings = Settings::for_country(country).expect("a setting or a country"),
    }
}

fn happens(what: &str) -> Option<Event> {
    let chip = |change| Some(Event::Chip(change));
    match what {
        "time passes" => None,
        "office answers" => Some(Event::Answer),
        "office releases" => Some(Event::Release),
        "office flashes" => Some(Event::Flash),
        "other leg ends" => Some(Event::FarLegEnded),
        "chip up" => chip(LineChange::Up),
        "chip down" => chip(LineChange::Down),
        "chip reset" => chip(LineChange::Reset),
        "chip settled" => chip(LineChange::OffHook),
        "chip has flashed" => chip(LineChange::Flashed),
        "chip has pulsed" => chip(LineChange::Pulsed),
        "chip overload" => chip(LineChange::Overload),
        "line rings" => chip(LineChange::RingBegan),
        "line stops ringing" => chip(LineChange::RingEnded),
        "line loses battery" => chip(LineChange::BatteryLost),
        "line is dead" => chip(LineChange::LineDead),
        "line has battery" => chip(LineChange::BatteryReturned),
        "line reverses" => chip(LineChange::PolarityReversed { to: Polarity::Positive }),
        "parallel phone lifts" => chip(LineChange::ParallelLifted),
        "parallel phone hangs up" => chip(LineChange::ParallelHungUp),
        other => match other.split_once(' ') {
            Some(("ear", heard)) => Some(Event::Heard(hears(heard))),
            Some(("office", what)) => dials(what),
            _ => panic!("nobody knows `{other}`"),
        },
    }
}

fn dials(what: &str) -> Option<Event> {
    match what.split_once(' ') {
        Some(("dials", signs)) => Some(dial(signs, Urgency::Ordinary)),
        Some(("urgently", signs)) => Some(dial(signs, Urgency::Urgent)),
        _ => panic!("the office cannot {what}"),
    }
}

fn hears(what: &str) -> Heard {
    let key = |sign: &str| Key::from_sign(sign.chars().next().expect("a key")).expect("a key");
    match what.split_once(' ') {
        None if what == "speech" => Heard::Speech,
        None if what == "busy" => Heard::Progress(Progress::Busy),
        None if what == "reorder" => Heard::Progress(Progress::Reorder),
        None if what == "ringback" => Heard::Progress(Progress::Ringback { cycle: 1 }),
        Some(("dial", "tone")) => Heard::Progress(Progress::DialTone),
        Some(("special", "information")) => Heard::Progress(Progress::SpecialInformation),
        Some(("silence", ms)) => Heard::Silent { ms: ms.parse().expect("ms") },
        Some(("key", sign)) => Heard::Key(key(sign)),
        Some(("end", sign)) => Heard::KeyEnded(key(sign)),
        Some(("garbled", _)) => Heard::CallerId(caller_id::Heard::Garbled),
        Some(("caller", number)) => {
            let at = LocalTime { month: 11, day: 22, hour: 9, minute: 5 };
            let id =
                CallerId { number: Some(number.into()), name: None, presentation: Presentation::Allowed, at };
            let message = Message::call_setup(&id, CallType::Voice);
            Heard::CallerId(caller_id::Heard::Frame(Frame::from_bytes(message.bytes())))
        }
        _ => panic!("the ear cannot hear `{what}`"),
    }
}

fn said(command: &Command) -> String {
    let signs = |keys: &[Key]| keys.iter().map(|key| key.sign()).collect::<String>();
    match command {
        Command::Order(LineOrder::OffHook) => "chip   < off hook".into(),
        Command::Order(LineOrder::Monitor) => "chip   < on hook".into(),
        Command::Order(LineOrder::OnHook) => "chip   < on hook, deaf".into(),
        Command::Order(LineOrder::Flash { open_ms }) => format!("chip   < flash {open_ms} ms"),
        Command::Order(LineOrder::Pulse { digits }) => format!("chip   < pulse {:?}", digits.digits()),
        Command::Listen => "ear    < listen".into(),
        Command::Ignore => "ear    < ignore".into(),
        Command::Send(keys) => format!("slot   < {}", signs(keys)),
        Command::Rings => "office < rings".into(),
        Command::CallerId(received) => {
            format!("office < caller {}", received.number.as_deref().unwrap_or("unknown"))
        }
        Command::RingStopped => "office < rings no more".into(),
        Command::Seized => "office < seized".into(),
        Command::Dialled => "office < dialled".into(),
        Command::Answered(evidence) => format!("office < answered ({evidence:?})"),
        Command::Refused(refusal) => format!("office < refused: {refusal:?}"),
        Command::Gone(how) => format!("office < gone: {how:?}"),
        Command::Lost(loss) => format!("office < lost: {loss:?}"),
        Command::Free => "office < free".into(),
        Command::Alarm(alarm) => format!("alarm  < {alarm:?}"),
        Command::AlarmOver(alarm) => format!("alarm  < {alarm:?} is over"),
        Command::Learned(how, ms) => format!("store  < ends calls with {how:?}, {ms} ms"),
        Command::LearnedReversal => "store  < reverses on answer".into(),
    }
}

#[test]
fn every_ladder_is_climbed_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders/fxo");
    let (mut differ, mut climbed) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).expect("the ladders") {
        let path = entry.expect("a ladder").path();
        let want = fs::read_to_string(&path).expect("text");
        let got = play(&want);
        climbed += 1;
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, got).expect("written");
        } else if got != want {
            differ.push(format!("{}:\n--- wanted\n{want}--- got\n{got}", path.display()));
        }
    }
    assert!(climbed > 20, "only {climbed} ladders");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
