//! The committed table: what the canceller reaches on each echo path with each recorded talker.

use super::{
    line::{Line, Period},
    recordings::{SPEECH, talker},
};
use ringside::audio::echo::EchoCanceller;
use std::ops::Range;

/// Where it is.
pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/echo/table.csv");
/// The echo paths.
pub(crate) const PATHS: [&str; 8] = ["D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9"];
/// Echo return loss that the goals are about.
pub(crate) const ERL_DB: f32 = 10.0;

/// Length of a measurement: far talker alone, both from the 10th to the 16th second, far talker alone.
const SECONDS: usize = 18;
const DOUBLE_TALK: Range<f64> = 10.0..16.0;

/// What is measured, with its goal in dB; all are at-least goals.
pub(crate) const FIGURES: [(&str, f64); 4] = [
    ("erle_after_2_s_db", 20.0),
    ("erle_steady_db", 29.0),
    ("near_snr_in_double_talk_db", 20.0),
    ("erle_after_double_talk_db", 25.0),
];
/// Seconds in which each is measured.
const WINDOWS: [Range<f64>; 4] = [1.5..2.0, 4.0..10.0, DOUBLE_TALK, 16.0..18.0];

/// The linear canceller alone, or with its non-linear processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Linear,
    Processed,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) part: Part,
    pub(crate) path: &'static str,
    pub(crate) erl_db: f32,
    /// Recording of the far talker; the near one is the next of the list.
    pub(crate) far: &'static str,
}

/// Figures of a row and the caps that an ideal filter would have: µ-law alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) reached: [f64; 4],
    pub(crate) caps: [f64; 4],
}

/// All rows: every talker at 10 dB, the first also at 6 and 20 dB and with the non-linear processor.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |part, erl_db, far| {
        cases.extend(PATHS.map(|path| Case { part, path, erl_db, far }));
    };
    SPEECH.iter().for_each(|far| add(Part::Linear, ERL_DB, *far));
    [6.0, 20.0].iter().for_each(|erl_db| add(Part::Linear, *erl_db, SPEECH[0]));
    add(Part::Processed, ERL_DB, SPEECH[0]);
    cases
}

impl Case {
    /// Both talkers on the line.
    pub(crate) fn periods(&self) -> Vec<Period> {
        let samples = SECONDS * 8_000;
        let place = SPEECH.iter().position(|name| *name == self.far).expect("a recording");
        let far = talker(self.far, samples);
        let near = talker(SPEECH[(place + 1) % SPEECH.len()], samples);
        let mut line = Line::new(self.path, self.erl_db, 0);
        let start = sample(DOUBLE_TALK.start);
        let talks = start..sample(DOUBLE_TALK.end);
        let period = |from: usize| {
            let near = if talks.contains(&from) { &near[from - start..] } else { &[0.0; 80][..] };
            line.carry(&far[from..], near)
        };
        (0..samples).step_by(80).map(period).collect()
    }

    /// Measures it.
    pub(crate) fn measure(&self) -> Figures {
        let periods = self.periods();
        let mut canceller = EchoCanceller::new();
        canceller.set_processing(self.part == Part::Processed);
        let mut reached = [Levels::default(); 4];
        let mut ideal = reached;
        for (at, period) in periods.iter().enumerate() {
            let mut near = period.heard;
            canceller.cancel(&period.far, &mut near);
            for (n, window) in WINDOWS.iter().enumerate() {
                if (sample(window.start)..sample(window.end)).contains(&(at * 80)) {
                    reached[n].add(period, &near.map(f32::from));
                    ideal[n]
                        .add(period, &std::array::from_fn(|i| f32::from(period.heard[i]) - period.echo[i]));
                }
            }
        }
        let figures = |levels: [Levels; 4]| std::array::from_fn(|n| levels[n].figure(FIGURES[n].0));
        Figures { reached: figures(reached), caps: figures(ideal) }
    }

    /// The row's name.
    pub(crate) fn name(&self) -> String {
        let part = match self.part {
            Part::Linear => "linear",
            Part::Processed => "processed",
        };
        format!("{part},{},{},{}", self.path, self.erl_db, self.far)
    }
}

/// Energies in a window.
#[derive(Clone, Copy, Default)]
struct Levels {
    echo: f64,
    near: f64,
    error: f64,
}

impl Levels {
    fn add(&mut self, period: &Period, cancelled: &[f32; 80]) {
        let square = |sample: f32| f64::from(sample).powi(2);
        for ((echo, near), cancelled) in period.echo.iter().zip(&period.near).zip(cancelled) {
            self.echo += square(*echo);
            self.near += square(*near);
            self.error += square(cancelled - near);
        }
    }

    /// In dB; not more than 99.9, which is silence.
    fn figure(&self, name: &str) -> f64 {
        let wanted = if name.starts_with("near") { self.near } else { self.echo };
        (10.0 * (wanted / self.error).log10()).min(99.9)
    }
}

fn sample(second: f64) -> usize {
    (second * 8_000.0) as usize
}

/// The table as text.
pub(crate) fn to_csv(rows: &[(String, Figures)]) -> String {
    let names = FIGURES.map(|(name, _)| name);
    let caps = FIGURES.map(|(name, _)| format!("cap_{name}"));
    let mut text = format!("part,path,erl_db,far,{},{}\n", names.join(","), caps.join(","));
    for (name, Figures { reached, caps }) in rows {
        let figures: Vec<_> = reached.iter().chain(caps).map(|figure| format!("{figure:.1}")).collect();
        text.push_str(&format!("{name},{}\n", figures.join(",")));
    }
    text
}

/// The rows of a table.
pub(crate) fn from_csv(text: &str) -> Vec<(String, Figures)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let figure = |n: usize| fields[n].parse().expect("a figure");
        let figures = Figures {
            reached: std::array::from_fn(|n| figure(4 + n)),
            caps: std::array::from_fn(|n| figure(8 + n)),
        };
        (fields[..4].join(","), figures)
    };
    text.lines().skip(1).map(row).collect()
}
