//! What tests, the demo and a status display can see of the world.

use super::exchange::{self, LineSnapshot};
use super::person::Act;
use super::phone::{Burst, Happening};
use super::phone_caller_id::CallerId;
use super::supervision::HungUpOn;
use super::world::World;
use crate::id::PortId;
use std::collections::VecDeque;

/// Events kept.
const EVENTS_MAX: usize = 4096;

/// Something that happened at a phone or on an office line.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// World clock, samples.
    pub at: u64,
    /// The phone's port, or the line's.
    pub port: PortId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// At the phone itself.
    Phone(Happening),
    /// The handset was lifted.
    Lifted,
    /// The handset was put down.
    HungUp,
    /// The person noticed that the far end is gone.
    HungUpOn(HungUpOn),
    /// On an office line.
    Line(exchange::Happening),
}

impl From<Act> for What {
    fn from(act: Act) -> Self {
        match act {
            Act::Lift => Self::Lifted,
            Act::HangUp => Self::HungUp,
        }
    }
}

/// The latest events.
#[derive(Clone, Debug, Default)]
pub(super) struct EventLog {
    events: VecDeque<Event>,
    forgotten: u64,
}

impl EventLog {
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(event);
    }
}

/// A piece of audio at 8 kHz.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audio {
    /// World clock at the first sample.
    pub started_at: u64,
    /// Samples.
    pub samples: Vec<i16>,
}

/// The last seconds of audio at one point.
#[derive(Clone, Debug)]
pub(super) struct AudioLog {
    samples: VecDeque<i16>,
    len_max: usize,
}

impl AudioLog {
    pub(super) fn new(seconds: u32) -> Self {
        Self { samples: VecDeque::new(), len_max: seconds as usize * 8000 }
    }

    pub(super) fn keeps(&self) -> bool {
        self.len_max > 0
    }

    pub(super) fn push(&mut self, sample: i16) {
        if self.len_max == 0 {
            return;
        }
        if self.samples.len() == self.len_max {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Silence without computing it; of a long one only what is kept.
    pub(super) fn push_silence(&mut self, samples: u64) {
        for _ in 0..samples.min(self.len_max as u64) {
            self.push(0);
        }
    }

    pub(super) fn audio(&self, now: u64) -> Audio {
        Audio { started_at: now - self.samples.len() as u64, samples: self.samples.iter().copied().collect() }
    }
}

/// One phone at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneSnapshot {
    /// Its port.
    pub port: PortId,
    /// What is printed beside the jack.
    pub name: String,
    /// The ringer sounds.
    pub ringing: bool,
    /// The handset is up.
    pub off_hook: bool,
    /// Loop voltage, V, TIP to RING; 0 is a dead loop.
    pub volts: f32,
    /// The latest bursts, oldest first.
    pub bursts: Vec<Burst>,
    /// The callers displayed, oldest first.
    pub callers: Vec<CallerId>,
    /// What was on the line toward the phone; as much as the office keeps.
    pub heard: Audio,
    /// What the person said.
    pub said: Audio,
}

impl World {
    /// Every phone as it is now, in the order of the profile.
    #[must_use]
    pub fn snapshot(&self) -> Vec<PhoneSnapshot> {
        self.loops
            .iter()
            .map(|l| PhoneSnapshot {
                port: l.port,
                name: l.name.clone(),
                ringing: l.phone.is_ringing(),
                off_hook: l.phone.is_off_hook(),
                volts: l.phone.volts(),
                bursts: l.phone.bursts().collect(),
                callers: l.phone.callers().cloned().collect(),
                heard: l.heard.audio(self.samples()),
                said: l.said.audio(self.samples()),
            })
            .collect()
    }

    /// Every office line as it is now, in the order of the profile.
    #[must_use]
    pub fn line_snapshots(&self) -> Vec<LineSnapshot> {
        self.lines.iter().map(|(_, line)| line.snapshot()).collect()
    }

    /// The events since the `seen`-th, and how many there have been; events older than the latest 4096 are gone.
    #[must_use]
    pub fn events_since(&self, seen: u64) -> (Vec<Event>, u64) {
        let skip = seen.saturating_sub(self.events.forgotten) as usize;
        let total = self.events.forgotten + self.events.events.len() as u64;
        (self.events.events.iter().skip(skip).cloned().collect(), total)
    }
}
