//! The waveform of a recording as two SVG paths: the caller above the middle, the office below.
//!
//! Drawn from the `.peaks` file beside the recording: an 8-byte header, then for each 100 ms the four `i8`
//! caller minimum, caller maximum, office minimum, office maximum.

use std::{fmt::Write as _, io::Read as _, path::Path};

/// First bytes of a peaks file; a version byte and three reserved bytes follow.
const MAGIC: [u8; 4] = *b"RSPK";

/// Layout of the groups after the header.
const VERSION: u8 = 1;

const HEADER_BYTES: usize = 8;
const GROUP_BYTES: usize = 4;

/// Milliseconds that one group stands for.
const GROUP_MS: u64 = 100;

/// A day of audio; a longer file is damaged.
const MAX_FILE_BYTES: u64 = 4 * 864_000 + 8;

/// Height of one leg in the drawing's units.
const LEG_HEIGHT: u32 = 24;

/// Excursion of the quietest recording that is drawn to the full height, -20 dB.
const QUIETEST_SCALE: u8 = 13;

/// A drawn waveform. The view box is `0 0 {columns} {height}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waveform {
    /// Width of the view box: one unit for each bar.
    pub(super) columns: usize,
    /// Height of the view box.
    pub(super) height: u32,
    /// Path data of the caller's bars.
    pub(super) caller: String,
    /// Path data of the office's bars.
    pub(super) office: String,
    /// Length of the audio that the bars stand for.
    pub(super) duration_ms: u64,
}

/// Reads a peaks file and draws at most `columns` bars; `None` if there is no file or it is not a peaks file.
pub(super) fn read(path: &Path, columns: usize) -> Option<Waveform> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    draw(&bytes, columns)
}

fn draw(bytes: &[u8], columns: usize) -> Option<Waveform> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
    if header.get(..5)? != [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION] {
        return None;
    }
    // A torn last group is left out.
    let groups: Vec<[u8; GROUP_BYTES]> =
        body.chunks_exact(GROUP_BYTES).filter_map(|g| g.try_into().ok()).collect();
    let columns = columns.min(groups.len());
    if columns == 0 {
        return None;
    }
    let mut waveform = Waveform {
        columns,
        height: 2 * LEG_HEIGHT,
        caller: String::new(),
        office: String::new(),
        duration_ms: GROUP_MS * groups.len() as u64,
    };
    let scale = scale(&groups);
    for column in 0..columns {
        // Every group falls into exactly one column, also when they do not divide evenly.
        let span = groups.get(column * groups.len() / columns..(column + 1) * groups.len() / columns)?;
        let loudest = |leg: usize| span.iter().map(|group| excursion(group, leg)).max().unwrap_or(0);
        // Drawing to a String cannot fail.
        let _ = write!(waveform.caller, "M{column}.5 {}v-{}", LEG_HEIGHT, bar(loudest(0), scale));
        let _ = write!(waveform.office, "M{column}.5 {}v{}", LEG_HEIGHT, bar(loudest(1), scale));
    }
    Some(waveform)
}

/// Largest distance from silence in one leg of a group, 0..=128.
fn excursion(group: &[u8; GROUP_BYTES], leg: usize) -> u8 {
    let of = |at: usize| group.get(2 * leg + at).map_or(0, |byte| byte.cast_signed().unsigned_abs());
    of(0).max(of(1))
}

/// The excursion that fills the height: the loudest of the call, so that quiet lines are seen as well, but never so
/// little that line noise looks like speech.
fn scale(groups: &[[u8; GROUP_BYTES]]) -> u32 {
    let loudest = groups.iter().map(|group| excursion(group, 0).max(excursion(group, 1))).max();
    u32::from(loudest.unwrap_or(0).max(QUIETEST_SCALE))
}

/// Height of a bar; silence keeps a hairline so that the length of the call is seen.
fn bar(excursion: u8, scale: u32) -> u32 {
    (u32::from(excursion) * LEG_HEIGHT / scale).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks(groups: &[[i8; 4]]) -> Vec<u8> {
        let mut bytes = b"RSPK\x01\0\0\0".to_vec();
        bytes.extend(groups.iter().flatten().map(|value| value.cast_unsigned()));
        bytes
    }

    #[test]
    fn the_caller_is_drawn_up_and_the_office_down() {
        let waveform = draw(&peaks(&[[-128, 100, 0, 0], [0, 0, -10, 64]]), 10).unwrap();
        assert_eq!((waveform.columns, waveform.duration_ms), (2, 200));
        assert_eq!(waveform.caller, "M0.5 24v-24M1.5 24v-1");
        assert_eq!(waveform.office, "M0.5 24v1M1.5 24v12");
    }

    #[test]
    fn a_long_call_keeps_its_loudest_moment() {
        let mut groups = vec![[0; 4]; 1001];
        groups[700] = [0, 127, 0, 0];
        let waveform = draw(&peaks(&groups), 100).unwrap();
        assert_eq!(waveform.columns, 100);
        assert_eq!(waveform.caller.matches("v-24").count(), 1);
    }

    #[test]
    fn a_quiet_line_is_drawn_larger_but_noise_is_not_drawn_as_speech() {
        let bars = |loud: i8| draw(&peaks(&[[0, loud, 0, 0]]), 1).unwrap().caller;
        assert_eq!((bars(30).as_str(), bars(1).as_str()), ("M0.5 24v-24", "M0.5 24v-1"));
    }

    #[test]
    fn what_is_not_a_peaks_file_is_not_drawn() {
        assert_eq!(draw(b"", 10), None);
        assert_eq!(draw(b"RSPK\x02\0\0\0aaaa", 10), None, "a later version");
        assert_eq!(draw(b"RSPK\x01\0\0\0", 10), None, "no audio");
        assert_eq!(draw(b"OggS\x01\0\0\0aaaa", 10), None);
        assert_eq!(draw(b"RSPK\x01\0\0\0aaaabb", 10).map(|waveform| waveform.columns), Some(1), "a torn end");
    }
}
