//! Samples that are mixed into a call, a period at a time: the notice at its start, an interjected one.

use super::control::Event;
use crate::{
    audio::{PERIOD, interleaved::mix},
    id::Slot,
};
use std::sync::Arc;

/// Samples and how far they are played.
#[derive(Debug)]
pub(super) struct Spoken {
    samples: Arc<[i16]>,
    at: usize,
}

impl Spoken {
    pub(super) const fn new(samples: Arc<[i16]>) -> Self {
        Self { samples, at: 0 }
    }

    /// Adds this period of it to what one side hears.
    pub(super) fn mix_into<'s>(&self, side: impl Iterator<Item = &'s mut i16>) {
        mix(side, self.samples.get(self.at..).unwrap_or_default());
    }

    /// The period is over; whether that was the last.
    pub(super) fn pass(&mut self) -> bool {
        self.at += PERIOD;
        self.at >= self.samples.len()
    }

    /// To be freed off the media thread.
    pub(super) fn give_back(self, events: &mut impl FnMut(Event)) {
        events(Event::Spent(self.samples));
    }
}

/// A notice that is spoken over a call that goes on.
#[derive(Debug)]
pub(super) struct Interjection {
    slot: Slot,
    spoken: Spoken,
}

impl Interjection {
    /// Over the call on a slot.
    pub(super) const fn new(slot: Slot, samples: Arc<[i16]>) -> Self {
        Self { slot, spoken: Spoken::new(samples) }
    }

    /// Adds this period of it to what one side hears.
    pub(super) fn mix_into<'s>(&self, side: impl Iterator<Item = &'s mut i16>) {
        self.spoken.mix_into(side);
    }

    /// The period is over; whether that was the last.
    pub(super) fn pass(&mut self) -> bool {
        self.spoken.pass()
    }

    /// It is over, or its call is.
    pub(super) fn end(self, events: &mut impl FnMut(Event)) {
        events(Event::Interjected { slot: self.slot });
        self.spoken.give_back(events);
    }
}
