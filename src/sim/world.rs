//! One analog world: what is wired to the chips, in steps of the line's 8 kHz clock.

/// The line side of the simulated sound card: called once per step of its clock.
pub trait LineSide: Send {
    /// Moves the world on by `down.len() / slots` samples. `down` (box to line) and `up` (line to box) are interleaved
    /// frames of `slots` samples; all of `up` is written.
    fn step(&mut self, down: &[i16], up: &mut [i16], slots: usize);
}
