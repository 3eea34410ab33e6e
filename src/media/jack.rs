//! One slot of the PCM bus and what it carries toward its line.
//!
//! ```text
//!          Play, Probe                Patch, Unpark
//!   Silence ───────▶ a sound ─────┐  ┌──────────────▶ Call
//!      ▲  ▲   Hush, over │        ├──┤                  │ Park, Unpatch
//!      │  └──────────────┘        │  │ Join             │
//!      │        (any of them) ────┘  └──────▶ Joined    │
//!      └───────────────────────────────────────┴────────┘
//! ```
//! What is in the way of a call ends first, another call too; a sound never ends a call.

use super::{
    control::{Event, Sound},
    line_end::LineEnd,
};
use crate::{
    audio::{
        PERIOD,
        interleaved::{Column, ColumnMut},
        probe::Probe,
        tone::Generator,
    },
    id::{RtpPort, Slot},
};
use std::sync::Arc;

/// One slot of the PCM bus.
#[derive(Debug)]
pub(super) struct Jack {
    pub(super) carries: Carries,
    pub(super) line: LineEnd,
}

/// What a slot carries toward its line.
#[derive(Debug, Default)]
pub(super) enum Carries {
    #[default]
    Silence,
    Once {
        samples: Arc<[i16]>,
        at: usize,
    },
    Tone(Generator),
    /// Plays once, and listens meanwhile.
    Probe {
        slot: Slot,
        probe: Box<Probe>,
    },
    /// A patch with the trunk.
    Call(RtpPort),
    /// A join with another slot; the phone's slot names it.
    Joined(Slot),
}

impl Jack {
    pub(super) const fn new(line: LineEnd) -> Self {
        Self { carries: Carries::Silence, line }
    }

    /// Whether two people may be talking: then no sound is played.
    pub(super) const fn is_in_call(&self) -> bool {
        matches!(self.carries, Carries::Call(_) | Carries::Joined(_))
    }
}

impl From<Sound> for Carries {
    fn from(sound: Sound) -> Self {
        match sound {
            Sound::Once(samples) => Self::Once { samples, at: 0 },
            Sound::Tone(tone) => Self::Tone(Generator::new(&tone)),
        }
    }
}

impl Carries {
    /// One period of samples that are played once.
    pub(super) fn play_once(&mut self, mut column: ColumnMut<'_>, events: &mut impl FnMut(Event)) {
        let Self::Once { samples, at } = self else { return };
        let rest = samples.get(*at..).unwrap_or_default();
        column.write(rest, |&sample| sample);
        *at += PERIOD;
        if *at >= samples.len() {
            std::mem::take(self).give_back(events);
        }
    }

    /// One period of a probe, at a line clock in samples.
    #[cold]
    #[inline(never)]
    pub(super) fn probe(
        &mut self,
        clock: u64,
        line: Column<'_>,
        mut column: ColumnMut<'_>,
        events: &mut impl FnMut(Event),
    ) {
        let Self::Probe { probe, .. } = self else { return };
        let (sent, heard) = probe.period(clock);
        column.write(sent, |&sample| sample);
        let mut period = [0; PERIOD];
        line.read(&mut period);
        heard.iter_mut().zip(period).for_each(|(heard, sample)| *heard = sample);
        if probe.is_over() {
            std::mem::take(self).give_back(events);
        }
    }

    /// What a sound brought.
    pub(super) fn give_back(self, events: &mut impl FnMut(Event)) {
        match self {
            Self::Once { samples, .. } => events(Event::Spent(samples)),
            Self::Probe { slot, probe } => events(Event::Probed { slot, probe }),
            Self::Silence | Self::Tone(_) | Self::Call(_) | Self::Joined(_) => {}
        }
    }
}
