//! Records in a directory: for a single office, and for trying it out. One receiver at a time.
//!
//! ```text
//! DIR/receiver.lock                          held while a receiver runs
//! DIR/boxes/box_…/box.json                   name, digest of the token
//! DIR/boxes/box_…/calls/cal_….json           one record: written whole, fsynced, renamed; the folder fsynced
//! DIR/boxes/box_…/received/rec_….HASH.json   one receipt of a recording, likewise
//! DIR/boxes/box_…/heads.jsonl                heads of the box's journal, appended and fsynced
//! DIR/boxes/box_…/chain.json                 what is known of the box's journal, fsynced
//! DIR/boxes/box_…/heard.json                 what it said last
//! DIR/boxes/box_…/site.json                  its signed site
//! ```
//! Nothing is indexed on the disk. What the files say is read once for each box and kept in memory; after an error it is
//! forgotten and read again, so that memory never says more than the disk.

use super::stored::{Arrived, Chain, FleetBox, Heard, Kept, StoreError, StoredCall, Taken, take};
use crate::{
    id::{BoxId, CallId, RecordingId},
    sync::wire::{Batch, ChainHead, Gaps, MAX_GAP_RANGES, RecordingReceipt, SignedSite},
    time::WallTime,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Records below a directory.
pub struct Directory {
    root: PathBuf,
    shelves: Mutex<BTreeMap<BoxId, Arc<Mutex<Option<Shelf>>>>>,
    /// Held for as long as this receiver runs; `None` for the commands that run beside it.
    _lock: Option<File>,
}

/// Number of a call, the recording that its record promises, and that one's other digest.
type Promised = (u64, Option<(RecordingId, String)>, Option<String>);

/// One box's files, as they are on the disk.
#[derive(Default)]
struct Shelf {
    kept: BTreeMap<CallId, Kept>,
    calls: BTreeMap<CallId, Promised>,
    received: BTreeMap<(RecordingId, String), RecordingReceipt>,
    last: u64,
    head: Option<ChainHead>,
    chain: Chain,
}

#[derive(Serialize, Deserialize)]
struct BoxFile {
    name: String,
    token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CallFile {
    seq: u64,
    rev: u32,
    hash: String,
    hq_seq: u64,
    received_at: WallTime,
    #[serde(default)]
    recording: Option<(RecordingId, String)>,
    #[serde(default)]
    audio_hash: Option<String>,
    record: Box<RawValue>,
}

impl Directory {
    /// Opens a directory for the one receiver that may use it.
    ///
    /// # Errors
    /// It cannot be made, or another receiver has it.
    pub fn receive(root: &Path) -> io::Result<Self> {
        let mut directory = Self::visit(root)?;
        let lock = File::create(root.join("receiver.lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::other(format!("another receiver runs on {}: stop it first", root.display()))
        })?;
        directory._lock = Some(lock);
        Ok(directory)
    }

    /// Opens a directory for a command, which may run beside the receiver.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn visit(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("boxes"))?;
        sync_dir(&root.join("boxes"))?;
        sync_dir(root)?;
        Ok(Self { root: root.to_owned(), shelves: Mutex::default(), _lock: None })
    }

    fn home(&self, id: BoxId) -> PathBuf {
        self.root.join("boxes").join(id.to_string())
    }

    pub(super) fn ready(&self) -> Result<(), StoreError> {
        fs::read_dir(self.root.join("boxes")).map(drop).map_err(StoreError::of("the directory is not there"))
    }

    /// Works on the files of a box with nobody else at them.
    fn on_shelf<T>(
        &self,
        id: BoxId,
        what: &'static str,
        work: impl FnOnce(&mut Shelf, &Path) -> io::Result<T>,
    ) -> Result<T, StoreError> {
        let home = self.home(id);
        let shelf = {
            let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(shelves.entry(id).or_default())
        };
        let mut place = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match place.take() {
            Some(mut shelf) => work(&mut shelf, &home).map(|done| (shelf, done)),
            None => {
                Shelf::read(&home).and_then(|mut shelf| work(&mut shelf, &home).map(|done| (shelf, done)))
            }
        };
        let (shelf, done) = done.map_err(StoreError::of(what))?;
        *place = Some(shelf);
        Ok(done)
    }

    /// Lets a box send, with the digest of its token; `None` ends that and keeps what it sent.
    pub(super) fn admit(&self, id: BoxId, name: &str, token: Option<[u8; 32]>) -> Result<(), StoreError> {
        let home = self.home(id);
        let token = token.map(|token| blake3::Hash::from(token).to_hex().to_string());
        let write = || {
            for folder in ["calls", "received"] {
                fs::create_dir_all(home.join(folder))?;
            }
            sync_dir(&home)?;
            sync_dir(&self.root.join("boxes"))?;
            write_whole(&home.join("box.json"), &BoxFile { name: name.to_owned(), token })?;
            sync_dir(&home)
        };
        write().map_err(StoreError::of("a box could not be written"))
    }

    pub(super) fn fleet_box(&self, id: BoxId) -> Result<Option<FleetBox>, StoreError> {
        let home = self.home(id);
        let read = || {
            let Some(file) = read_file::<BoxFile>(&home.join("box.json"))? else { return Ok(None) };
            let token = file.token.and_then(|hex| blake3::Hash::from_hex(hex).ok()).map(Into::into);
            // It is a sign of life and not fsynced: after a power cut it may be half a file.
            let heard = read_file::<Heard>(&home.join("heard.json")).unwrap_or_default();
            Ok(Some(FleetBox { id, name: file.name, token, heard }))
        };
        read().map_err(StoreError::of::<io::Error>("a box could not be read"))
    }

    pub(super) fn fleet(&self) -> Result<Vec<FleetBox>, StoreError> {
        let names = names(&self.root.join("boxes")).map_err(StoreError::of("the boxes could not be read"))?;
        let ids = names.iter().filter_map(|name| name.parse().ok());
        ids.filter_map(|id| self.fleet_box(id).transpose()).collect()
    }

    pub(super) fn take(
        &self,
        id: BoxId,
        batch: &Batch,
        records: &[Arrived],
        now: WallTime,
    ) -> Result<Vec<Taken>, StoreError> {
        self.on_shelf(id, "records could not be written", |shelf, home| {
            let taken = shelf.take(home, records, now)?;
            if batch.head.is_some() && batch.head != shelf.head {
                append_line(&home.join("heads.jsonl"), &(now, &batch.head))?;
                shelf.head.clone_from(&batch.head);
            }
            let heard = Heard::of(batch, shelf.chain.clone(), now);
            if heard.chain != shelf.chain {
                write_whole(&home.join("chain.json"), &heard.chain)?;
                sync_dir(home)?;
                shelf.chain.clone_from(&heard.chain);
            }
            write_unsynced(&home.join("heard.json"), &heard)?;
            Ok(taken)
        })
    }

    pub(super) fn calls(&self, id: BoxId, below: u64, limit: usize) -> Result<Vec<StoredCall>, StoreError> {
        self.on_shelf(id, "records could not be read", |shelf, home| {
            let mut numbers: Vec<(u64, CallId)> =
                shelf.calls.iter().map(|(id, (seq, ..))| (*seq, *id)).collect();
            numbers.retain(|(seq, _)| *seq < below);
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            let read = |(seq, call): (u64, CallId)| {
                let file = read_file::<CallFile>(&call_path(home, call))?.ok_or(ErrorKind::NotFound)?;
                Ok(StoredCall { seq, text: file.record.get().to_owned() })
            };
            numbers.into_iter().take(limit).map(read).collect()
        })
    }

    pub(super) fn recording(
        &self,
        id: BoxId,
        recording: RecordingId,
    ) -> Result<Vec<RecordingReceipt>, StoreError> {
        self.on_shelf(id, "recordings could not be read", |shelf, _| {
            let from = (recording, String::new());
            let these = shelf.received.range(from..).take_while(|((id, _), _)| *id == recording);
            Ok(these.map(|(_, receipt)| receipt.clone()).collect())
        })
    }

    pub(super) fn receive_recording(&self, id: BoxId, receipt: &RecordingReceipt) -> Result<(), StoreError> {
        self.on_shelf(id, "a receipt could not be written", |shelf, home| {
            let folder = home.join("received");
            write_whole(&folder.join(format!("{}.{}.json", receipt.recording, receipt.hash)), receipt)?;
            sync_dir(&folder)?;
            shelf.received.insert((receipt.recording, receipt.hash.clone()), receipt.clone());
            Ok(())
        })
    }

    pub(super) fn gaps(&self, id: BoxId, calls: u64) -> Result<Gaps, StoreError> {
        self.on_shelf(id, "gaps could not be read", |shelf, _| {
            let numbers: BTreeSet<u64> = shelf.calls.values().map(|(seq, ..)| *seq).collect();
            let is_here = |id: RecordingId, hash: &String| shelf.received.contains_key(&(id, hash.clone()));
            let missing = shelf.calls.values().filter_map(|(_, recording, audio_hash)| {
                let (id, hash) = recording.as_ref()?;
                let is_missing = !std::iter::once(hash).chain(audio_hash).any(|hash| is_here(*id, hash));
                is_missing.then_some(*id)
            });
            Ok(Gaps {
                calls: ranges(numbers, calls),
                recordings: missing.take(MAX_GAP_RANGES).collect(),
                last_hq_seq: shelf.kept.values().map(|kept| kept.hq_seq).max().unwrap_or(0),
            })
        })
    }

    pub(super) fn site(&self, id: BoxId) -> Result<Option<SignedSite>, StoreError> {
        read_file(&self.home(id).join("site.json")).map_err(StoreError::of("a site could not be read"))
    }

    pub(super) fn set_site(&self, id: BoxId, site: &SignedSite) -> Result<(), StoreError> {
        let home = self.home(id);
        let write = || write_whole(&home.join("site.json"), site).and_then(|()| sync_dir(&home));
        write().map_err(StoreError::of("a site could not be written"))
    }
}

impl Shelf {
    fn read(home: &Path) -> io::Result<Self> {
        let chain = read_file(&home.join("chain.json"))?.unwrap_or_default();
        let mut shelf = Self { chain, ..Self::default() };
        // A file may have been renamed by a receiver that was killed before it fsynced the folder: what is read here
        // gets receipts, so it has to be durable first.
        for folder in ["calls", "received"].map(|name| home.join(name)) {
            if folder.is_dir() {
                sync_dir(&folder)?;
            }
        }
        for name in names(&home.join("calls"))? {
            let Some(call) = name.strip_suffix(".json").and_then(|id| id.parse().ok()) else { continue };
            let Some(file) = read_file::<CallFile>(&home.join("calls").join(&name))? else { continue };
            shelf.last = shelf.last.max(file.hq_seq);
            shelf.calls.insert(call, (file.seq, file.recording, file.audio_hash));
            shelf.kept.insert(call, Kept { rev: file.rev, hash: file.hash, hq_seq: file.hq_seq });
        }
        for name in names(&home.join("received"))?.iter().filter(|name| name.ends_with(".json")) {
            let Some(receipt) = read_file::<RecordingReceipt>(&home.join("received").join(name))? else {
                continue;
            };
            shelf.received.insert((receipt.recording, receipt.hash.clone()), receipt);
        }
        Ok(shelf)
    }

    /// Writes what is new of a batch. All of it is on the disk before anything of it is promised.
    fn take(&mut self, home: &Path, records: &[Arrived], now: WallTime) -> io::Result<Vec<Taken>> {
        let folder = home.join("calls");
        let mut taken = Vec::with_capacity(records.len());
        let mut fresh = BTreeMap::new();
        for record in records {
            let decided = take(record, &mut self.kept, &mut self.last, now);
            if let Taken::New(receipt) = &decided {
                fresh.insert(record.call, (record, receipt.hq_seq));
            }
            taken.push(decided);
        }
        for (record, hq_seq) in fresh.values() {
            let file = CallFile {
                seq: record.seq,
                rev: record.rev,
                hash: record.hash.clone(),
                hq_seq: *hq_seq,
                received_at: now,
                recording: record.recording.clone(),
                audio_hash: record.audio_hash.clone(),
                record: RawValue::from_string(record.text.clone())?,
            };
            write_whole(&call_path(home, record.call), &file)?;
        }
        if !fresh.is_empty() {
            sync_dir(&folder)?;
        }
        let numbers = fresh.into_values().map(|(record, _)| {
            (record.call, (record.seq, record.recording.clone(), record.audio_hash.clone()))
        });
        self.calls.extend(numbers);
        Ok(taken)
    }
}

/// Ranges of 1..=`last` that `numbers` leave out, the first [`MAX_GAP_RANGES`].
fn ranges(numbers: BTreeSet<u64>, last: u64) -> Vec<[u64; 2]> {
    let mut next = 1;
    let mut ranges = Vec::new();
    for number in numbers.into_iter().take_while(|number| *number <= last).chain([last.saturating_add(1)]) {
        if number > next {
            ranges.push([next, number - 1]);
        }
        next = number.saturating_add(1);
    }
    ranges.truncate(MAX_GAP_RANGES);
    ranges
}

fn call_path(home: &Path, call: CallId) -> PathBuf {
    home.join("calls").join(format!("{call}.json"))
}

/// Names in a folder; none if it is not there.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn read_file<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        bytes => {
            let wrong = |error| io::Error::other(format!("{}: {error}", path.display()));
            serde_json::from_slice(&bytes?).map(Some).map_err(wrong)
        }
    }
}

/// Writes a file whole and fsynced; the caller fsyncs its folder.
fn write_whole<T: Serialize>(path: &Path, content: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn write_unsynced<T: Serialize>(path: &Path, content: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(content)?)?;
    fs::rename(new, path)
}

fn append_line<T: Serialize>(path: &Path, line: &T) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_all()
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_in_ranges() {
        let told = |numbers: &[u64], last| ranges(numbers.iter().copied().collect(), last);
        assert_eq!(told(&[], 0), Vec::<[u64; 2]>::new());
        assert_eq!(told(&[], 3), [[1, 3]]);
        assert_eq!(told(&[1, 2, 3, 9], 3), Vec::<[u64; 2]>::new());
        assert_eq!(told(&[2, 5, 6], 8), [[1, 1], [3, 4], [7, 8]]);
        let odd: Vec<u64> = (0..3_000).map(|n| n * 2).collect();
        assert_eq!(told(&odd, 6_000).len(), MAX_GAP_RANGES);
    }

    #[test]
    fn two_receivers_do_not_share_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let first = Directory::receive(folder.path()).unwrap();
        assert!(Directory::receive(folder.path()).is_err());
        assert!(Directory::visit(folder.path()).is_ok());
        drop(first);
        assert!(Directory::receive(folder.path()).is_ok());
    }
}
