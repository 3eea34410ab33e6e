//! One slot of an interleaved PCM area: every n-th sample.

/// Samples of one slot, read only.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    area: &'a [i16],
    slots: usize,
    slot: usize,
}

impl<'a> Column<'a> {
    /// Slot `slot` of an area of frames of `slots` samples; a slot that is not there makes an empty column.
    #[must_use]
    pub fn new(area: &'a [i16], slots: usize, slot: usize) -> Self {
        if slot < slots { Self { area, slots, slot } } else { Self { area: &[], slots: 1, slot: 0 } }
    }

    /// Passes each sample through `map` into `out`, as many as both have.
    #[inline(always)]
    pub fn read<T>(&self, out: &mut [T], map: impl Fn(i16) -> T) {
        let slot = self.slot;
        for (out, frame) in out.iter_mut().zip(self.area.chunks_exact(self.slots)) {
            if let Some(&sample) = frame.get(slot) {
                *out = map(sample);
            }
        }
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
    #[must_use]
    pub fn new(area: &'a mut [i16], slots: usize, slot: usize) -> Self {
        if slot < slots { Self { area, slots, slot } } else { Self { area: &mut [], slots: 1, slot: 0 } }
    }

    /// The same column from frame `first` on.
    #[must_use]
    pub fn from_frame(&mut self, first: usize) -> ColumnMut<'_> {
        let area = self.area.get_mut(first * self.slots..).unwrap_or_default();
        ColumnMut { area, slots: self.slots, slot: self.slot }
    }

    /// The same column, read only.
    #[must_use]
    pub fn as_column(&self) -> Column<'_> {
        Column { area: self.area, slots: self.slots, slot: self.slot }
    }

    /// Writes `map` of each value, as many as both have.
    #[inline(always)]
    pub fn write<T>(&mut self, values: &[T], map: impl Fn(&T) -> i16) {
        let slot = self.slot;
        for (value, frame) in values.iter().zip(self.area.chunks_exact_mut(self.slots)) {
            if let Some(sample) = frame.get_mut(slot) {
                *sample = map(value);
            }
        }
    }

    /// The samples in order.
    pub fn samples(&mut self) -> impl Iterator<Item = &mut i16> {
        let slot = self.slot;
        self.area.chunks_exact_mut(self.slots).filter_map(move |frame| frame.get_mut(slot))
    }
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
        column.from_frame(1).write(&[9_i16], |&s| s);
        let mut read = [0; 3];
        column.as_column().read(&mut read, |s| s);
        assert_eq!(read, [1, 9, 3]);
        assert_eq!(area, [0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 3, 0]);
    }

    #[test]
    fn a_slot_that_is_not_there_is_empty() {
        let mut area = [5_i16; 8];
        assert_eq!(ColumnMut::new(&mut area, 4, 4).samples().count(), 0);
        let mut out = [1_i16; 2];
        Column::new(&area, 0, 0).read(&mut out, |s| s);
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
