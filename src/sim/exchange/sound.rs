//! What the exchange puts on a line: tones, data, or a voice from the far end.

use crate::audio::tone::{Generator, Tone, render};
use crate::audio::tone_plan::SpecialInformation;
use crate::sim::office::Speech;
use crate::sim::voice::Voice;
use std::sync::Arc;

/// One source of sound.
#[derive(Clone, Debug, Default)]
pub(super) enum Sound {
    /// Nothing.
    #[default]
    Silence,
    /// A tone, until something else sounds.
    Tone(Box<Generator>),
    /// Data, once.
    Data { samples: Arc<[i16]>, place: usize },
    /// A voice.
    Voice { speech: Speech, voice: Voice },
}

impl Sound {
    /// A tone from its first burst.
    pub(super) fn tone(tone: &Tone) -> Self {
        Self::Tone(Box::new(Generator::new(tone)))
    }

    /// The special information tone, repeated.
    pub(super) fn special_information(tone: &SpecialInformation) -> Self {
        let mut samples = render(&tone.bursts(), tone.dbm0);
        samples.resize(samples.len() + usize::from(tone.pause_ms) * 8, 0);
        Self::voice(&Speech::Words { samples: samples.into(), repeat: true })
    }

    /// Somebody who speaks.
    pub(super) fn voice(speech: &Speech) -> Self {
        match speech {
            Speech::Silence => Self::Silence,
            Speech::Tone { .. } | Speech::Words { .. } => {
                Self::Voice { speech: speech.clone(), voice: Voice::default() }
            }
        }
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Silence)
    }

    /// Sounds into `out`, which holds silence.
    pub(super) fn fill(&mut self, out: &mut [i16]) {
        match self {
            Self::Silence => {}
            Self::Tone(generator) => out.iter_mut().for_each(|sample| *sample = generator.advance()),
            Self::Data { samples, place } => {
                let left = samples.get(*place..).unwrap_or_default();
                out.iter_mut().zip(left).for_each(|(sample, &data)| *sample = data);
                *place += out.len();
                if *place >= samples.len() {
                    *self = Self::Silence;
                }
            }
            Self::Voice { speech, voice } => voice.speak(speech, out),
        }
    }
}
