//! Two slots joined with each other, 10 ms at a time: a phone on a line, without trunk, tap or notice.
//!
//! ```text
//!  capture of the phone --> LineEnd --> Waiting? --> Interjection? --> playback of the line --> Ahead --.
//!                             ^ far                                                                     |
//!                             '----------- what is on the phone's line now -- (the other way) <---------'
//! ```
//! There is nothing here that could be recorded: a join has no ring, and nobody can give it one.
//!
//! Sound that was captured in one period is written in the same tick. The card plays it as many periods later as wait in
//! it, so the way from line to line is the card's lead and nothing else: 20 ms with two periods of 10 ms. A period cannot
//! be played before it is full, so at least one waits even in a card that does not say so; each canceller is given what
//! is on its line while its line is captured.

use super::{
    ahead::Ahead, control::Event, ears::OfficeKey, line_end::LineEnd, spoken::Interjection, waiting::Waiting,
};
use crate::{
    audio::{
        PERIOD,
        dtmf::Receiver,
        fax::Detector,
        interleaved::{Column, ColumnMut},
    },
    id::Slot,
};

/// Two slots that hear each other.
#[derive(Debug)]
pub(super) struct Join {
    ends: [End; 2],
    interjection: Option<Interjection>,
    /// A fax or a modem was heard: nothing is done to the sound any more.
    is_fax: bool,
    /// Line clock of the next tick; unknown before the first.
    next_clock: Option<u64>,
}

/// One of the two.
#[derive(Debug)]
struct End {
    slot: Slot,
    /// What goes to it and is not on its line yet.
    ahead: Ahead,
    fax: Detector,
    /// Another call that is being announced to it, and the ear for its answer.
    waiting: Option<(Waiting, Receiver)>,
}

impl Join {
    /// Both slots on a card that plays `lead` periods after it was given.
    pub(super) fn new(slots: [Slot; 2], lead: usize) -> Self {
        let end = |slot| End { slot, ahead: Ahead::new(lead.max(1)), fax: Detector::new(), waiting: None };
        Self { ends: slots.map(end), interjection: None, is_fax: false, next_clock: None }
    }

    /// The phone and the line.
    pub(super) fn slots(&self) -> [Slot; 2] {
        self.ends.each_ref().map(|end| end.slot)
    }

    /// Announces a waiting call to the phone on a slot; gives back what was announced to it before.
    pub(super) fn announce(&mut self, slot: Slot, waiting: Waiting) -> Option<Waiting> {
        let Some(end) = self.ends.iter_mut().find(|end| end.slot == slot) else { return Some(waiting) };
        end.waiting.replace((waiting, Receiver::new())).map(|(before, _)| before)
    }

    /// Interjects a notice; gives back the one before.
    pub(super) const fn interject(&mut self, interjection: Interjection) -> Option<Interjection> {
        self.interjection.replace(interjection)
    }

    /// The two are parted.
    pub(super) fn end(self, events: &mut impl FnMut(Event)) {
        for (waiting, _) in self.ends.into_iter().filter_map(|end| end.waiting) {
            waiting.end(None, events);
        }
        if let Some(interjection) = self.interjection {
            interjection.end(events);
        }
    }

    /// One period, with the lines in the order of [`Self::slots`]. `playback` of both is silent before.
    pub(super) fn tick(
        &mut self,
        clock: u64,
        lines: [&mut LineEnd; 2],
        (capture, slots): (&[i16], usize),
        playback: &mut [i16],
        events: &mut impl FnMut(Event),
    ) {
        if self.next_clock.replace(clock + PERIOD as u64).is_some_and(|expected| expected != clock) {
            self.ends.iter_mut().for_each(|end| end.ahead.clear());
        }
        let mut said = [[0; PERIOD]; 2];
        let [phone, line] = lines;
        for ((end, line), said) in self.ends.iter_mut().zip([&mut *phone, &mut *line]).zip(&mut said) {
            let capture = Column::new(capture, slots, usize::from(end.slot.0));
            line.listen(capture, end.ahead.due(), said, events);
        }
        if !self.is_fax && self.hears_fax(&said) {
            self.is_fax = true;
            phone.leave_alone();
            line.leave_alone();
        }
        for (end, said) in self.ends.iter_mut().zip(&mut said) {
            end.hear_waiting(said, events);
        }
        if let Some(mut interjection) = self.interjection.take() {
            said.iter_mut().for_each(|said| interjection.mix_into(said.iter_mut()));
            if interjection.pass() {
                interjection.end(events);
            } else {
                self.interjection = Some(interjection);
            }
        }
        let [from_phone, from_line] = said;
        for ((end, line), heard) in self.ends.iter_mut().zip([phone, line]).zip([from_line, from_phone]) {
            let mut column = ColumnMut::new(playback, slots, usize::from(end.slot.0));
            end.play(&heard, &mut column);
            line.play(&mut column);
        }
    }

    fn hears_fax(&mut self, said: &[[i16; PERIOD]; 2]) -> bool {
        // Both hear every period.
        let heard = self.ends.iter_mut().zip(said).filter_map(|(end, said)| end.fax.hear(said));
        heard.count() > 0
    }
}

impl End {
    /// The answer to an announcement is not for the other end.
    fn hear_waiting(&mut self, said: &mut [i16; PERIOD], events: &mut impl FnMut(Event)) {
        let Some((waiting, keys)) = &mut self.waiting else { return };
        let key = OfficeKey::from(keys.hear(said));
        waiting.hear(key, said);
        if let outcome @ Some(_) = waiting.outcome()
            && let Some((waiting, _)) = self.waiting.take()
        {
            waiting.end(outcome, events);
        }
    }

    /// What the other end said goes onto the card, and is remembered until it is on the line.
    fn play(&mut self, heard: &[i16; PERIOD], column: &mut ColumnMut<'_>) {
        column.write(heard, |&sample| sample);
        let mut written = *heard;
        if let Some((waiting, _)) = &mut self.waiting {
            waiting.sound(column);
            column.as_column().read(&mut written);
        }
        self.ahead.exchange(&mut written, false);
    }
}
