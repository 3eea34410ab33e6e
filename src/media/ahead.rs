//! What was written to the card and is not on the line yet.
//!
//! The card plays what it is given a few periods later, while what it captured has just been on the line. The tap wants
//! both legs as they were on the line at one moment, so the caller leg waits here for as long as it waits in the card.

use crate::audio::PERIOD;

/// Periods that may wait in the card: the buffer of a board has no more.
pub(super) const MAX_LEAD_PERIODS: usize = 4;

/// The last periods that were written, oldest at `next`.
#[derive(Debug)]
pub(super) struct Ahead {
    written: [[i16; PERIOD]; MAX_LEAD_PERIODS],
    /// Whether a period carries a key, bit by bit.
    keys: u8,
    lead: usize,
    next: usize,
}

impl Ahead {
    /// For a card that plays `lead` periods after it was given, 0 to [`MAX_LEAD_PERIODS`]; silence waits in it.
    pub(super) const fn new(lead: usize) -> Self {
        Self { written: [[0; PERIOD]; MAX_LEAD_PERIODS], keys: 0, lead, next: 0 }
    }

    /// Takes the period that is written now, and whether it carries a key; leaves the one that goes onto the line now,
    /// and says whether that carries one.
    pub(super) fn exchange(&mut self, leg: &mut [i16; PERIOD], is_key: bool) -> bool {
        let waiting = self.written.iter_mut().take(self.lead).nth(self.next);
        // Without a lead nothing waits.
        let Some(waiting) = waiting else { return is_key };
        std::mem::swap(waiting, leg);
        let place = 1 << self.next;
        let was_key = self.keys & place != 0;
        self.keys = if is_key { self.keys | place } else { self.keys & !place };
        self.next = (self.next + 1) % self.lead;
        was_key
    }

    /// What goes onto the line in this period. Of a card without a lead it is not known before it is written.
    pub(super) fn due(&self) -> &[i16; PERIOD] {
        self.written.get(self.next).unwrap_or(&[0; PERIOD])
    }

    /// How long a period waits, in ms.
    pub(super) const fn ms(&self) -> u32 {
        10 * self.lead as u32
    }

    /// The card was started again: silence waits in it.
    pub(super) fn clear(&mut self) {
        self.written = [[0; PERIOD]; MAX_LEAD_PERIODS];
        self.keys = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(ahead: &mut Ahead, values: std::ops::RangeInclusive<i16>) -> Vec<i16> {
        values
            .map(|value| {
                let mut leg = [value; PERIOD];
                let due = (ahead.lead > 0).then(|| *ahead.due());
                ahead.exchange(&mut leg, false);
                assert!(due.is_none_or(|due| due == leg));
                leg[0]
            })
            .collect()
    }

    #[test]
    fn a_period_comes_out_as_many_periods_later_as_the_card_needs() {
        assert_eq!(through(&mut Ahead::new(0), 1..=4), [1, 2, 3, 4]);
        assert_eq!(through(&mut Ahead::new(2), 1..=6), [0, 0, 1, 2, 3, 4]);
        assert_eq!(through(&mut Ahead::new(4), 1..=6), [0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_key_is_told_with_its_own_period() {
        for lead in [0, 3] {
            let mut ahead = Ahead::new(lead);
            let told: Vec<bool> =
                (0..8).map(|n| ahead.exchange(&mut [0; PERIOD], n == 2 || n == 4)).collect();
            let right: Vec<bool> = (0..8).map(|n| n == 2 + lead || n == 4 + lead).collect();
            assert_eq!(told, right);
        }
    }

    #[test]
    fn a_card_that_starts_again_plays_silence_first() {
        let mut ahead = Ahead::new(2);
        through(&mut ahead, 1..=3);
        ahead.clear();
        assert_eq!(through(&mut ahead, 4..=6), [0, 0, 4]);
    }
}
