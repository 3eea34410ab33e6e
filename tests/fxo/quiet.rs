//! Hours of speech and music that end no call: complaint number 2 of all such boxes.

use super::exchange::{Profile, talking_in};
use super::office::Noise;
use super::sounds;
use ringside::{
    audio::{fsk::Variant, level, line_ear::LineEar, tone_plan::TonePlan},
    line::fxo::{Command, Event, Fxo},
    time::Instant,
};

/// A conversation on one line; who has been cut off takes the next call.
struct Line {
    machine: Fxo,
    ear: LineEar,
    now: Instant,
    cuts: Vec<String>,
}

impl Line {
    fn talking(country: &str) -> Self {
        let mut settings = Profile::None.settings();
        settings.tones = TonePlan::for_country(country).unwrap();
        settings.supervision.cap_ms = u64::MAX / 2_000;
        let mut line = Self {
            machine: Fxo::new(settings),
            ear: LineEar::for_line(settings.tones, Variant::Bell202),
            now: Instant::ZERO,
            cuts: Vec::new(),
        };
        line.take_a_call();
        line
    }

    fn take_a_call(&mut self) {
        use ringside::chip::LineChange::{OffHook, RingBegan, Up};
        for event in [Event::Chip(Up), Event::Chip(RingBegan), Event::Answer, Event::Chip(OffHook)] {
            self.give(event);
        }
        assert!(self.machine.is_off_hook());
    }

    fn give(&mut self, event: Event) {
        let mut out = Vec::new();
        self.machine.handle(event, self.now, &mut out);
        for command in out {
            if let Command::Gone(how) = command {
                self.cuts.push(format!("{how:?} at {} s", self.now.0 / 1_000_000));
            }
        }
    }

    fn hear(&mut self, period: &[i16; 80]) {
        self.now = self.now.after_ms(10);
        let mut heard = Vec::new();
        self.ear.hear(period, &mut |what| heard.push(what));
        heard.into_iter().for_each(|what| self.give(Event::Heard(what)));
        if self.machine.deadline().is_some_and(|at| at <= self.now) {
            self.give(Event::Deadline);
        }
        if !self.machine.is_off_hook() {
            self.take_a_call();
        }
    }
}

/// The corpus once more, as a line brings it: another level, another phase, noise. The seconds played.
fn round(n: u64, lines: &mut [Line]) -> u64 {
    let mut random = Noise(n);
    let mut samples = 0;
    for clip in sounds::hour() {
        let gain = 10_f32.powf((random.next() * 9.0 - 4.0) / 20.0);
        let noise = level::amplitude(-56.0 + 8.0 * random.next());
        // The first round is the corpus as it is.
        let (gain, noise, skip) =
            if n == 0 { (1.0, 0.0, 0) } else { (gain, noise, (random.next().abs() * 79.0) as usize) };
        let mut play = |sample: i16| (f32::from(sample) * gain + noise * random.next()).round() as i16;
        let clip: Vec<i16> = clip.iter().skip(skip).map(|sample| play(*sample)).collect();
        for period in clip.as_chunks::<80>().0 {
            lines.iter_mut().for_each(|line| line.hear(period));
        }
        samples += clip.len() as u64;
    }
    samples / 8_000
}

#[test]
fn speech_and_music_end_no_call() {
    let hours = if std::env::var_os("RINGSIDE_LONG").is_some() { 24 } else { 1 };
    let countries: &[&str] = if hours > 1 { &["US"] } else { &["US", "DE", "GB"] };
    let mut lines: Vec<Line> = countries.iter().map(|country| Line::talking(country)).collect();
    let (mut seconds, mut rounds) = (0, 0);
    while seconds < hours * 3_600 {
        seconds += round(rounds, &mut lines);
        rounds += 1;
    }
    for (country, line) in countries.iter().zip(&lines) {
        println!(
            "{country}: {seconds} s of speech and music, {} calls cut: {:?}",
            line.cuts.len(),
            line.cuts
        );
    }
    assert!(lines.iter().all(|line| line.cuts.is_empty()));
}

#[test]
fn the_same_line_would_be_cut_by_a_real_busy_tone() {
    let mut office = talking_in(Profile::Busy);
    Profile::Busy.hang_up(&mut office);
    office.until(4_000, |command| matches!(command, Command::Gone(_)));
}
