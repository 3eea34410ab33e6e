//! How deep a playout buffer should be: a quantile of how much longer packets travel than the quickest ones.
//!
//! The offset of a packet is its timestamp less the line's time at its arrival. The largest offset of the last
//! seconds belongs to the quickest packet, and follows the drift between the two clocks; how far others are behind it
//! is their delay. Delays are counted in bins of 10 ms that slowly forget, and the target is the depth at which all
//! but [`LATE_SHARE`] of the packets come in time.

/// Samples of one bin, and of one correction: 10 ms, the period of the line.
pub(super) const STEP: i32 = 80;
/// Depth before anything is known: 40 ms.
pub(super) const START: u32 = 320;
/// Least target: 20 ms, one packet.
pub(super) const LEAST: i32 = 160;
/// Greatest target: 200 ms.
pub(super) const MOST: i32 = 1_600;

/// Bins: delays up to [`MOST`], and all above.
const BINS: usize = (MOST / STEP) as usize + 2;
/// Share of the packets that may be late.
const LATE_SHARE: f32 = 0.018;
/// What a packet weighs more than the one before: after 2,000 packets (40 s) it weighs 1/e.
const GROWTH: f32 = 1.000_5;
/// Weight of the first guess, in packets: it is given up after some 4 s of a quiet network.
const PRIOR: f32 = 4.0;
/// Bins by which the quickest packet falls back if the path changed.
const OTHER_PATH: usize = 3;
/// Packets from one look at the bins to the next.
const LOOK: u8 = 32;
/// Samples for which the quickest packet counts, and then once more: 5 s. At 200 ppm the clocks drift 2 ms meanwhile.
const WINDOW: u32 = 40_000;

/// Delays of one stream.
#[derive(Debug)]
pub(super) struct Delays {
    /// Offset of the quickest packet of the last window and this one; wraps.
    quickest: u32,
    /// Offset of the quickest packet of this window.
    quickest_now: u32,
    /// Offset of the quickest packet at the last look.
    aligned: u32,
    /// Line time at which the window began.
    window: u32,
    bins: [f32; BINS],
    /// What the next packet weighs.
    weight: f32,
    looks_in: u8,
    /// Samples; whole steps.
    target: i32,
}

impl Default for Delays {
    fn default() -> Self {
        let mut bins = [0.0; BINS];
        bins[START as usize / STEP as usize] = PRIOR;
        Self {
            quickest: 0,
            quickest_now: 0,
            aligned: 0,
            window: 0,
            bins,
            weight: 1.0,
            looks_in: LOOK,
            target: START as i32,
        }
    }
}

impl Delays {
    /// Counts from `offset` on: the timeline was set anew. What is known of the network stays.
    pub(super) const fn align(&mut self, offset: u32, line: u32) {
        self.quickest = offset;
        self.quickest_now = offset;
        self.aligned = offset;
        self.window = line;
    }

    /// Takes the offset of a packet; `line` is the line's time.
    #[inline]
    pub(super) fn note(&mut self, offset: u32, line: u32) {
        let mut delay = self.quickest.wrapping_sub(offset) as i32;
        if delay < 0 {
            self.quickest = offset;
            delay = 0;
        }
        if (self.quickest_now.wrapping_sub(offset) as i32) < 0 {
            self.quickest_now = offset;
        }
        let bin = (delay.unsigned_abs().div_ceil(STEP as u32) as usize).min(BINS - 1);
        self.bins[bin] += self.weight;
        self.weight *= GROWTH;
        self.looks_in -= 1;
        if self.looks_in == 0 {
            self.look(line);
        }
    }

    /// Offset of the quickest packet; wraps.
    #[inline]
    pub(super) const fn quickest(&self) -> u32 {
        self.quickest
    }

    /// The depth to aim at in samples, [`LEAST`] to [`MOST`].
    #[inline]
    pub(super) const fn target(&self) -> i32 {
        self.target
    }

    #[cold]
    fn look(&mut self, line: u32) {
        self.looks_in = LOOK;
        if line.wrapping_sub(self.window) >= WINDOW {
            self.window = line;
            self.quickest = self.quickest_now;
            // The next packets are close to the quickest one again.
            self.quickest_now = self.quickest_now.wrapping_sub(MOST as u32);
        }
        self.follow_the_path();
        self.target = self.quantile().clamp(LEAST, MOST);
        if self.weight > 1e6 {
            self.bins.iter_mut().for_each(|bin| *bin /= self.weight);
            self.weight = 1.0;
        }
    }

    /// Where the quickest packet fell back far since the last look, the path became slower, and what was counted as
    /// delay meanwhile was none. Drift and jitter move it less.
    fn follow_the_path(&mut self) {
        let slower = self.aligned.wrapping_sub(self.quickest) as i32 / STEP;
        self.aligned = self.quickest;
        let bins = usize::try_from(slower).unwrap_or(0).min(BINS - 1);
        if bins >= OTHER_PATH {
            let under: f32 = self.bins[..=bins].iter().sum();
            self.bins.copy_within(bins.., 0);
            self.bins[BINS - bins..].fill(0.0);
            self.bins[0] = under;
        }
    }

    /// The least depth at which no more than [`LATE_SHARE`] would have been late.
    fn quantile(&self) -> i32 {
        let all: f32 = self.bins.iter().sum();
        let (mut later, mut bin) = (0.0, BINS - 1);
        while bin > 0 {
            later += self.bins[bin];
            if later > all * LATE_SHARE {
                break;
            }
            bin -= 1;
        }
        bin as i32 * STEP
    }
}
