//! What is put over a patch: the notice at its start, an interjected one, the announcement of a waiting call.
//!
//! Each period passes twice: [`Overlay::sound`] before the line is listened to, for what is played to it, and
//! [`Overlay::hear`] behind that, for what the trunk hears of it.

use super::{
    control::Event,
    ears::Said,
    spoken::{Interjection, Spoken},
    waiting::Waiting,
};
use crate::{
    audio::{PERIOD, interleaved::ColumnMut},
    id::RtpPort,
};
use std::sync::Arc;

/// A caller who sends nothing holds the notice up this long: 200 ms of samples.
const NOTICE_PATIENCE_SAMPLES: u64 = 1_600;

/// All that is over one patch.
#[derive(Debug)]
pub(super) struct Overlay {
    notice: Option<Notice>,
    interjection: Option<Interjection>,
    waiting: Option<Waiting>,
    /// Whether there is any of them: a call without pays for one look.
    is_any: bool,
}

/// What both sides hear at the start.
#[derive(Debug)]
struct Notice {
    spoken: Spoken,
    /// Line clock at which it is played even to an address that is not settled.
    by: u64,
    /// Whether it is played in this period.
    sounds: bool,
}

impl Overlay {
    /// The notice of a patch that begins at `clock`.
    pub(super) fn new(notice: Option<Arc<[i16]>>, clock: u64) -> Self {
        let by = clock + NOTICE_PATIENCE_SAMPLES;
        let notice = notice.map(|samples| Notice { spoken: Spoken::new(samples), by, sounds: false });
        Self { is_any: notice.is_some(), notice, interjection: None, waiting: None }
    }

    /// Whether anything is over the patch.
    #[inline]
    pub(super) const fn is_any(&self) -> bool {
        self.is_any
    }

    /// Announces a waiting call; gives back what was announced before.
    pub(super) fn announce(&mut self, waiting: Waiting) -> Option<Waiting> {
        self.is_any = true;
        self.waiting.replace(waiting)
    }

    /// Interjects a notice; gives back the one before.
    pub(super) fn interject(&mut self, interjection: Interjection) -> Option<Interjection> {
        self.is_any = true;
        self.interjection.replace(interjection)
    }

    /// The patch leaves its slot: what was for this slot ends. A notice is for the caller as well, who hears it to its
    /// end: that the slot was taken away may be what it says.
    pub(super) fn leave_slot(&mut self, events: &mut impl FnMut(Event)) {
        if let Some(waiting) = self.waiting.take() {
            waiting.end(None, events);
        }
        self.is_any = self.notice.is_some() || self.interjection.is_some();
    }

    /// The patch ends.
    pub(super) fn give_back(mut self, events: &mut impl FnMut(Event)) {
        self.leave_slot(events);
        if let Some(interjection) = self.interjection.take() {
            interjection.end(events);
        }
        if let Some(notice) = self.notice {
            notice.spoken.give_back(events);
        }
    }

    /// Puts this period of it over what the line hears. `may_begin`: the trunk's address is settled, so that a caller
    /// behind a translator does not miss the notice; a caller who stays silent is not waited for long. `sends`: packets
    /// go to the trunk at all.
    #[cold]
    #[inline(never)]
    pub(super) fn sound(
        &mut self,
        clock: u64,
        (may_begin, sends): (bool, bool),
        playback: &mut ColumnMut<'_>,
    ) {
        if let Some(notice) = &mut self.notice {
            notice.sounds = sends && (may_begin || clock >= notice.by);
            if notice.sounds {
                notice.spoken.mix_into(playback.samples());
            }
        }
        if let Some(interjection) = &self.interjection {
            interjection.mix_into(playback.samples());
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.sound(playback);
        }
    }

    /// The same period toward the trunk, which hears what the phone said but for its answer to an announcement. Says
    /// whether the notice sounds.
    pub(super) fn hear(
        &mut self,
        rtp: RtpPort,
        said: &mut Said,
        office: &mut [i16; PERIOD],
        events: &mut impl FnMut(Event),
    ) -> bool {
        if let Some(mut waiting) = self.waiting.take() {
            said.key = waiting.hear(said.key, office);
            match waiting.outcome() {
                Some(outcome) => waiting.end(Some(outcome), events),
                None => self.waiting = Some(waiting),
            }
        }
        if let Some(mut interjection) = self.interjection.take() {
            interjection.mix_into(office.iter_mut());
            if interjection.pass() {
                interjection.end(events);
            } else {
                self.interjection = Some(interjection);
            }
        }
        let sounds = self.speak_notice(rtp, office, events);
        self.is_any = self.notice.is_some() || self.interjection.is_some() || self.waiting.is_some();
        sounds
    }

    fn speak_notice(
        &mut self,
        rtp: RtpPort,
        office: &mut [i16; PERIOD],
        events: &mut impl FnMut(Event),
    ) -> bool {
        let Some(mut notice) = self.notice.take_if(|notice| notice.sounds) else { return false };
        notice.spoken.mix_into(office.iter_mut());
        if notice.spoken.pass() {
            events(Event::NoticePlayed { rtp });
            notice.spoken.give_back(events);
        } else {
            self.notice = Some(notice);
        }
        true
    }
}
