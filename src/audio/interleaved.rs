//! One slot of an interleaved PCM area: every n-th sample.

/// Runs the first block with the frame size as a constant if it is one that boards have, else the second: a stride
/// that the compiler knows costs a third of the instructions.
macro_rules! frames_of {
    ($slots:expr, |$size:ident| $known:block, $other:block) => {
        frames_of!(@ $slots, $size, $known, $other, 2 4 8 16 24 32 64 128 256)
    };
    (@ $slots:expr, $size:ident, $known:block, $other:block, $($n:literal)+) => {
        match $slots {
            $($n => {
                const $size: usize = $n;
                $known
            })+
            _ => $other,
        }
    };
}

/// Samples that are moved without looking at a counter: 5 ms.
const HALF_PERIOD: usize = 40;

/// Samples of one slot, read only.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    area: &'a [i16],
    slots: usize,
    slot: usize,
}

impl<'a> Column<'a> {
    /// Slot `slot` of an area of frames of `slots` samples; a slot that is not there makes an empty column.
    #[inline]
    #[must_use]
    pub fn new(area: &'a [i16], slots: usize, slot: usize) -> Self {
        if slot < slots { Self { area, slots, slot } } else { Self { area: &[], slots: 1, slot: 0 } }
    }

    /// Copies the samples into `out`, as many as both have.
    // The length is part of the type: where the compiler does not know it, a period costs 8 instructions more.
    #[inline]
    pub fn read<const N: usize>(&self, out: &mut [i16; N]) {
        let slot = self.slot;
        frames_of!(
            self.slots,
            |SLOTS| {
                let (frames, _) = self.area.as_chunks::<SLOTS>();
                in_blocks::<HALF_PERIOD, _, _>(out, frames, |out, frame| *out = frame[slot % SLOTS]);
            },
            {
                let frames = self.area.chunks_exact(self.slots);
                out.iter_mut()
                    .zip(frames)
                    .for_each(|(out, frame)| *out = frame.get(slot).copied().unwrap_or(0));
            }
        );
    }
}

/// Samples of one slot, to be written.
#[derive(Debug)]
pub struct ColumnMut<'a> {
    area: &'a mut [i16],
    slots: usize,
    slot: usize,
}

impl<'a> ColumnMut<'a> {
    /// Slot `slot` of an area of frames of `slots` samples; a slot that is not there makes an empty column.
    #[inline]
    #[must_use]
    pub fn new(area: &'a mut [i16], slots: usize, slot: usize) -> Self {
        if slot < slots { Self { area, slots, slot } } else { Self { area: &mut [], slots: 1, slot: 0 } }
    }

    /// The same column, lent.
    #[inline]
    #[must_use]
    pub fn lend(&mut self) -> ColumnMut<'_> {
        ColumnMut { area: self.area, slots: self.slots, slot: self.slot }
    }

    /// Goes `frames` ahead: what is before is no longer part of the column.
    #[inline]
    pub fn skip(&mut self, frames: usize) {
        self.area = std::mem::take(&mut self.area).get_mut(frames * self.slots..).unwrap_or_default();
    }

    /// The same column, read only.
    #[inline]
    #[must_use]
    pub fn as_column(&self) -> Column<'_> {
        Column { area: self.area, slots: self.slots, slot: self.slot }
    }

    /// Writes `map` of each value, as many as both have.
    #[inline]
    pub fn write<T>(&mut self, values: &[T], map: impl Fn(&T) -> i16) {
        let slot = self.slot;
        frames_of!(
            self.slots,
            |SLOTS| {
                let (frames, _) = self.area.as_chunks_mut::<SLOTS>();
                in_blocks::<HALF_PERIOD, _, _>(frames, values, |frame, value| {
                    frame[slot % SLOTS] = map(value)
                });
            },
            {
                let frames = self.area.chunks_exact_mut(self.slots);
                for (value, frame) in values.iter().zip(frames) {
                    if let Some(sample) = frame.get_mut(slot) {
                        *sample = map(value);
                    }
                }
            }
        );
    }

    /// The samples in order.
    pub fn samples(&mut self) -> impl Iterator<Item = &mut i16> {
        let slot = self.slot;
        self.area.chunks_exact_mut(self.slots).filter_map(move |frame| frame.get_mut(slot))
    }
}

/// `each` of all pairs, in blocks of `BLOCK`: the bodies are so small that the loop around them would cost as much.
#[inline(always)]
pub(super) fn in_blocks<const BLOCK: usize, A, B>(to: &mut [A], from: &[B], each: impl Fn(&mut A, &B)) {
    let both = to.len().min(from.len());
    let (to, to_rest) = to[..both].as_chunks_mut::<BLOCK>();
    let (from, from_rest) = from[..both].as_chunks::<BLOCK>();
    for (to, from) in to.iter_mut().zip(from) {
        for n in 0..BLOCK {
            each(&mut to[n], &from[n]);
        }
    }
    to_rest.iter_mut().zip(from_rest).for_each(|(to, from)| each(to, from));
}

/// Adds `sound` to the samples, held at the ends of the range where the sum would leave it.
pub fn mix<'s>(samples: impl Iterator<Item = &'s mut i16>, sound: &[i16]) {
    for (sample, &added) in samples.zip(sound) {
        *sample = sample.saturating_add(added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_touches_its_own_slot_only() {
        let mut area = [0_i16; 12];
        let mut column = ColumnMut::new(&mut area, 4, 2);
        column.write(&[1_i16, 2, 3, 4], |&s| s);
        let mut rest = column.lend();
        rest.skip(1);
        rest.write(&[9_i16], |&s| s);
        let mut read = [0; 3];
        column.as_column().read(&mut read);
        assert_eq!(read, [1, 9, 3]);
        assert_eq!(area, [0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 3, 0]);
    }

    #[test]
    fn a_slot_that_is_not_there_is_empty() {
        let mut area = [5_i16; 8];
        assert_eq!(ColumnMut::new(&mut area, 4, 4).samples().count(), 0);
        let mut out = [1_i16; 2];
        Column::new(&area, 0, 0).read(&mut out);
        assert_eq!(out, [1; 2]);
        assert_eq!(area, [5; 8]);
    }

    #[test]
    fn a_mix_is_held_at_the_ends_of_the_range() {
        let mut samples = [30_000_i16, -30_000, 5];
        mix(samples.iter_mut(), &[10_000, -10_000]);
        assert_eq!(samples, [i16::MAX, i16::MIN, 5]);
    }
}
