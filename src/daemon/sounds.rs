//! What the media thread is given ready-made: ears, announcements, spoken words. Made here, so that it allocates nothing.

use crate::{
    audio::{
        caller_id::{CallerId, Delivery, Standard, waiting::CallWaiting},
        fsk::Variant,
        line_ear::LineEar,
        prompt::Prompt,
        tone_plan::TonePlan,
    },
    io::pcm::PREFILL_PERIODS,
    switchboard::{Listening, Words},
};
use std::sync::Arc;

/// Periods from the phone's answer to its being read, beside those that wait in the card.
const CAPTURE_PERIODS: usize = 2;

/// The site's country, as far as it sounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sounds {
    pub(super) tones: &'static TonePlan,
    pub(super) caller_id: Delivery,
}

impl Sounds {
    /// Somebody who listens to a slot.
    pub(super) fn ear(&self, to: Listening) -> Box<LineEar> {
        Box::new(match to {
            Listening::Phone => LineEar::for_phone(),
            Listening::Line => LineEar::for_line(self.tones, self.variant()),
        })
    }

    /// The announcement of a waiting call.
    pub(super) fn waiting(&self, id: &CallerId) -> Box<CallWaiting> {
        let round_trip = (PREFILL_PERIODS + CAPTURE_PERIODS) as u8;
        Box::new(CallWaiting::new(id, self.caller_id.standard, &self.tones.call_waiting, round_trip))
    }

    const fn variant(&self) -> Variant {
        match self.caller_id.standard {
            Standard::Bell202 => Variant::Bell202,
            Standard::EtsiFsk | Standard::Dtmf { .. } => Variant::V23,
        }
    }
}

/// Something said by the box itself.
pub(super) fn spoken(words: Words) -> Arc<[i16]> {
    match words {
        Words::Unplaced => Prompt::EmergencyUnavailable,
        Words::Taken => Prompt::TakenForEmergency,
        Words::Asked(prompt) => prompt,
    }
    .samples()
}
