//! Keys pressed on the trunk side, played to the line as DTMF.
//!
//! A key sounds when the audio beside it would sound. By then its length is known or grows packet by packet, so it
//! sounds exactly as long as it was pressed; what the peer sent as audio meanwhile is not heard. A key whose release was lost ends when nothing was heard of it for a while.

use crate::{
    audio::dtmf::{Generator, Key},
    rtp::telephone_event::{Events, Press},
};

/// Keys that may wait to be played.
const QUEUE: usize = 8;
/// Shortest sound of a key, and shortest pause between two: 50 ms. ITU-T Q.24 lets receivers miss less than 40 ms.
const SHORTEST: u32 = 400;
/// A key of which nothing was heard for 150 ms was released: peers repeat the event every 20 to 50 ms.
const FORGOTTEN: u32 = 1_200;

/// The keys of one patch.
#[derive(Debug, Default)]
pub(super) struct Digits {
    events: Events,
    /// In the order of their playing; the first `len` are in use.
    queue: [Option<Digit>; QUEUE],
    len: usize,
    /// Samples until the next key may sound.
    pause: u32,
}

#[derive(Clone, Copy, Debug)]
struct Digit {
    sound: Generator,
    /// Samples until it sounds.
    delay: u32,
    played: u32,
    /// Length as far as the peer told.
    samples: u32,
    over: bool,
    /// Samples since the peer told.
    unheard: u32,
}

impl Digits {
    /// Takes the payload of a telephone-event packet; audio of its time plays in `delay` samples.
    pub(super) fn packet(&mut self, timestamp: u32, payload: &[u8], delay: u32) {
        let Some(press) = self.events.packet(timestamp, payload) else { return };
        if press.first {
            self.enqueue(press, delay);
        } else if let Some(Some(newest)) = self.len.checked_sub(1).and_then(|last| self.queue.get_mut(last)) {
            // A release that comes after the key was given up must not stop the one before it: that one is over.
            if !newest.over {
                newest.hear(press);
            }
        }
    }

    fn enqueue(&mut self, press: Press, delay: u32) {
        let Some(key) = Key::from_event_code(press.code) else { return };
        // Keys come one after another: a new one releases the one before, whatever was lost.
        if let Some(last) = self.queue.iter_mut().flatten().last() {
            last.over = true;
        }
        // No hand fills the queue; what floods it is not heard.
        if let Some(place) = self.queue.get_mut(self.len) {
            let mut digit =
                Digit { sound: Generator::new(key), delay, played: 0, samples: 0, over: false, unheard: 0 };
            digit.hear(press);
            *place = Some(digit);
            self.len += 1;
        }
    }

    /// Whether no key waits or sounds.
    pub(super) const fn is_idle(&self) -> bool {
        self.len == 0 && self.pause == 0
    }

    /// Replaces `samples` of the line by the keys that sound; whether one did.
    pub(super) fn play<'s>(&mut self, samples: impl Iterator<Item = &'s mut i16>) -> bool {
        let mut sounds = false;
        for sample in samples {
            if let Some(key) = self.advance() {
                *sample = key;
                sounds = true;
            }
        }
        sounds
    }

    /// Forgets all keys: another stream begins, or nothing may be heard.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// One sample of time; the sound of a key if one sounds.
    fn advance(&mut self) -> Option<i16> {
        let paused = self.pause > 0;
        self.pause = self.pause.saturating_sub(1);
        let due = self.queue[0].is_some_and(|digit| digit.delay == 0);
        for digit in self.queue.iter_mut().flatten() {
            digit.delay = digit.delay.saturating_sub(1);
            digit.unheard = digit.unheard.saturating_add(1);
        }
        let digit = self.queue[0].as_mut().filter(|_| due && !paused)?;
        let sample = digit.sound.advance();
        digit.played += 1;
        if digit.is_done() {
            self.queue.rotate_left(1);
            self.queue[QUEUE - 1] = None;
            self.len -= 1;
            self.pause = SHORTEST;
        }
        Some(sample)
    }
}

impl Digit {
    const fn hear(&mut self, press: Press) {
        self.samples = press.samples;
        self.over = press.over;
        self.unheard = 0;
    }

    fn is_done(&self) -> bool {
        let released = self.over || self.unheard >= FORGOTTEN;
        released && self.played >= self.samples.max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples until audio beside a key sounds: 40 ms.
    const DELAY: u32 = 320;

    fn press(digits: &mut Digits, timestamp: u32, code: u8, samples: u16, end: bool) {
        let [high, low] = samples.to_be_bytes();
        digits.packet(timestamp, &[code, if end { 0x80 } else { 0 }, high, low], DELAY);
    }

    /// Plays onto samples that no key has; a run of others is a key: (first sample, length).
    fn runs(digits: &mut Digits, samples: usize) -> Vec<(usize, usize)> {
        let mut line = vec![i16::MIN; samples];
        digits.play(line.iter_mut());
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for n in (0..samples).filter(|&n| line[n] != i16::MIN) {
            match runs.last_mut() {
                Some((start, len)) if *start + *len == n => *len += 1,
                Some(_) | None => runs.push((n, 1)),
            }
        }
        runs
    }

    #[test]
    fn a_key_sounds_once_for_as_long_as_it_was_pressed() {
        let mut digits = Digits::default();
        press(&mut digits, 0, 5, 160, false);
        for _ in 0..3 {
            press(&mut digits, 0, 5, 803, true);
        }
        assert_eq!(runs(&mut digits, 4_000), [(DELAY as usize, 803)]);
    }

    #[test]
    fn a_key_too_short_to_be_recognised_is_prolonged() {
        let mut digits = Digits::default();
        press(&mut digits, 0, 5, 80, true);
        assert_eq!(runs(&mut digits, 4_000), [(DELAY as usize, SHORTEST as usize)]);
    }

    #[test]
    fn keys_that_come_at_once_are_played_one_after_another() {
        let mut digits = Digits::default();
        for n in 0..20_u8 {
            press(&mut digits, u32::from(n) * 1_000, n % 10, 480, true);
        }
        let played = runs(&mut digits, 40_000);
        assert_eq!(played.len(), QUEUE);
        for (n, run) in played.iter().enumerate() {
            assert_eq!(*run, (DELAY as usize + n * (480 + SHORTEST as usize), 480));
        }
    }

    #[test]
    fn a_key_whose_release_was_lost_ends() {
        let mut digits = Digits::default();
        press(&mut digits, 0, 5, 160, false);
        assert_eq!(runs(&mut digits, 8_000), [(DELAY as usize, (FORGOTTEN - DELAY) as usize)]);
        press(&mut digits, 0, 5, 4_000, true);
        assert_eq!(runs(&mut digits, 8_000), []);
    }

    #[test]
    fn the_next_key_releases_the_one_before() {
        let mut digits = Digits::default();
        press(&mut digits, 0, 5, 480, false);
        press(&mut digits, 2_000, 6, 480, true);
        assert_eq!(runs(&mut digits, 4_000).len(), 2);
    }
}
