//! The preamble: HDLC flags, 01111110, in V.21 channel 2. Six bits of 1,650 Hz and two of 1,850 Hz over and over make
//! runs of known length, which speech does not.

use super::{BLOCKS, Wave};

/// Blocks of six ones: 16, and one more or less at either end.
const ONES: std::ops::RangeInclusive<u32> = 14..=18;
/// Blocks between: two zeros are 5.3, and one that two flags share is 2.7.
const ZEROS: std::ops::RangeInclusive<u32> = 2..=7;
/// Flags in a row that make a preamble, of 38 (T.30 section 5.3.1: 1 s).
const ENOUGH: u32 = 8;

/// Follows the bits of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// The last block, and its sum with the one before.
    block: Wave,
    sum: Wave,
    /// The bit that lasts, and for how many blocks.
    one: bool,
    run: u32,
    flags: u32,
}

impl Flags {
    /// Hears the blocks of a period, mixed down from 1,750 Hz; true if the last of enough flags ends in it.
    pub(super) fn hear(&mut self, blocks: &[Wave; BLOCKS]) -> bool {
        // A period has 17.5 turns of the mixer, which begins each at phase 0.
        self.block = self.block.map(|x| -x);
        self.sum = self.sum.map(|x| -x);
        let mut found = false;
        for &block in blocks {
            // Two blocks are less than a bit, and let little noise in.
            let sum = [block[0] + self.block[0], block[1] + self.block[1]];
            let turn = sum[1] * self.sum[0] - sum[0] * self.sum[1];
            (self.block, self.sum) = (block, sum);
            found |= self.bit(turn < 0.0);
        }
        found
    }

    fn bit(&mut self, one: bool) -> bool {
        if one == self.one {
            self.run = self.run.saturating_add(1);
            return false;
        }
        let expected = if self.one { ONES } else { ZEROS };
        let counted = if self.one { self.flags + 1 } else { self.flags };
        self.flags = if expected.contains(&self.run) { counted } else { 0 };
        (self.one, self.run) = (one, 1);
        self.flags >= ENOUGH
    }
}
