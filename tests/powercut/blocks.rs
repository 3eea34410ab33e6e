//! What a disk was told, in order, and what may be on it when the power fails.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

/// A sector is written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// One thing that happened.
pub(crate) enum Entry {
    /// The disk was told to write; it may keep that to itself until it is told to flush.
    Write { at: u64, bytes: Vec<u8> },
    /// The disk was told to flush, and said that it had.
    Flush,
    /// Something that the writer had said by then.
    Mark(String),
}

/// Everything that happened on a disk since it was empty.
#[derive(Default)]
pub(crate) struct BlockLog {
    pub(crate) entries: Vec<Entry>,
    /// The first entry at which the power may fail.
    pub(crate) first_cut: usize,
}

/// What of the writes that were not flushed is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    All,
    Nothing,
    Some,
    /// Some, and of these some sectors.
    Torn,
}

/// One power cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Seed of everything random about it.
    pub(crate) image: u64,
    pub(crate) mode: Mode,
    /// Entries before this one happened.
    pub(crate) at: usize,
}

impl Cut {
    /// The cut of that number: the modes in turn; every third right behind an acknowledgement, the others anywhere.
    pub(crate) fn of(log: &BlockLog, image: u64) -> Self {
        let mode = [Mode::All, Mode::Nothing, Mode::Some, Mode::Torn][image as usize % 4];
        let span = log.entries.len() - log.first_cut;
        let at = log.first_cut + (Random(image).next() % span as u64) as usize;
        let cut = Self { image, mode, at };
        if image.is_multiple_of(3) { cut.behind_acknowledgement(log) } else { cut }
    }

    /// The same cut, but right behind the last acknowledgement before it: what was acknowledged has had no time to
    /// become durable by itself.
    pub(crate) fn behind_acknowledgement(self, log: &BlockLog) -> Self {
        let is_acknowledgement =
            |entry: &Entry| matches!(entry, Entry::Mark(mark) if !mark.starts_with("TAPPED"));
        let last = log.entries[..self.at].iter().rposition(is_acknowledgement);
        Self { at: last.map_or(self.at, |last| last + 1), ..self }
    }
}

/// Random numbers from a seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

impl BlockLog {
    /// What the writer had said before the cut.
    pub(crate) fn marks(&self, cut: Cut) -> impl Iterator<Item = &str> {
        self.entries[..cut.at].iter().filter_map(|entry| match entry {
            Entry::Mark(mark) => Some(mark.as_str()),
            Entry::Write { .. } | Entry::Flush => None,
        })
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Entry) -> bool) -> usize {
        self.entries.iter().filter(|entry| wanted(entry)).count()
    }

    /// Writes the disk as it is after the cut.
    pub(crate) fn build(&self, cut: Cut, disk_bytes: u64, path: &Path) -> io::Result<()> {
        let happened = &self.entries[..cut.at];
        let flushed = happened.iter().rposition(|entry| matches!(entry, Entry::Flush)).unwrap_or(0);
        let mut random = Random(!cut.image);
        let file = File::create(path)?;
        file.set_len(disk_bytes)?;
        for (number, entry) in happened.iter().enumerate() {
            let Entry::Write { at, bytes } = entry else { continue };
            if number < flushed {
                file.write_all_at(bytes, *at)?;
                continue;
            }
            match cut.mode {
                Mode::All => file.write_all_at(bytes, *at)?,
                Mode::Nothing => {}
                Mode::Some if random.coin() => file.write_all_at(bytes, *at)?,
                Mode::Torn if random.coin() => {
                    let sectors = (*at..).step_by(SECTOR_BYTES).zip(bytes.chunks(SECTOR_BYTES));
                    for (at, sector) in sectors.filter(|_| random.coin()) {
                        file.write_all_at(sector, at)?;
                    }
                }
                Mode::Some | Mode::Torn => {}
            }
        }
        Ok(())
    }

    /// Keeps the log for another look.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&(self.first_cut as u64).to_le_bytes())?;
        for entry in &self.entries {
            let (kind, at, bytes) = match entry {
                Entry::Write { at, bytes } => (b'w', *at, bytes.as_slice()),
                Entry::Flush => (b'f', 0, &[][..]),
                Entry::Mark(mark) => (b'm', 0, mark.as_bytes()),
            };
            file.write_all(&[kind])?;
            file.write_all(&at.to_le_bytes())?;
            file.write_all(&(bytes.len() as u64).to_le_bytes())?;
            file.write_all(bytes)?;
        }
        file.flush()
    }

    /// A log that was kept.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let mut log = Self { first_cut: number(&mut file)? as usize, ..Self::default() };
        let mut kind = [0];
        while file.read(&mut kind)? == 1 {
            let (at, length) = (number(&mut file)?, number(&mut file)?);
            let mut bytes = vec![0; length as usize];
            file.read_exact(&mut bytes)?;
            log.entries.push(match kind[0] {
                b'w' => Entry::Write { at, bytes },
                b'f' => Entry::Flush,
                _ => Entry::Mark(String::from_utf8_lossy(&bytes).into_owned()),
            });
        }
        Ok(log)
    }
}

fn number(file: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
