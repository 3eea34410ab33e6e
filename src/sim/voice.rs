//! A voice: plays a [`Speech`], and single sounds, sample by sample.

use super::office::Speech;
use std::f32::consts::PI;

/// What a person at a phone, or a party behind the exchange, says; at its beginning when new.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    place: usize,
    phases: [f32; 2],
}

impl Voice {
    /// Goes on with `speech`; leaves `said` as it is where there is nothing more to say.
    pub(super) fn speak(&mut self, speech: &Speech, said: &mut [i16]) {
        let (samples, repeat) = match speech {
            Speech::Silence => return,
            &Speech::Tone { hz, peak } => return self.sound([hz, 0.0], peak, said),
            Speech::Words { samples, repeat } => (samples, *repeat),
        };
        for out in said {
            let Some(&sample) = samples.get(self.place) else { return };
            *out = sample;
            self.place += 1;
            if repeat && self.place == samples.len() {
                self.place = 0;
            }
        }
    }

    /// Up to two frequencies, 0 for none, each with this peak.
    pub(super) fn sound(&mut self, hz: [f32; 2], peak: f32, said: &mut [i16]) {
        for out in said {
            let mut sum = 0.0;
            for (phase, hz) in self.phases.iter_mut().zip(hz).filter(|(_, hz)| *hz > 0.0) {
                *phase += 2.0 * PI * hz / 8000.0;
                *phase -= if *phase > 2.0 * PI { 2.0 * PI } else { 0.0 };
                sum += phase.sin() * peak;
            }
            *out = sum as i16;
        }
    }
}
