//! The data directory: where things lie, and how a file becomes durable.
//!
//! ```text
//! box.json                          identity of this box, made once, and its public key
//! box.key                           its secret, see `io::box_key`
//! lock                              held by the running daemon
//! accounts.json, claim-code         who may come in, see `web::accounts`
//! ctl.sock                          the running daemon's own socket, for programs on the box
//! lines.json                        what is known of the lines, see `io::lines_file`
//! directory.book, directory.log     the office's directory, see `io::directory_file`
//! setup.json                        what the installer has seen to
//! webhooks.json                     which calls each receiver has been told of, see `io::webhooks`
//! ballast                           free space for the journal when the disk is full
//! journal/000001.rj                 the truth, see `io::journal`
//! rec/2026/11/22/<call>.opus        a recording; `.opus.part` while it is written
//! rec/2026/11/22/<call>.opus.enc    an encrypted one; `.opus.enc.part` while it is written
//! rec/2026/11/22/<call>.json        its sidecar: the whole call record
//! rec/2026/11/22/<call>.peaks       its waveform, never encrypted
//! proofs/<proof>.json               a signed proof that a number forwards, see `io::proof_files`
//! index/                            derived, see `io::store`; `index.*` while it is exchanged, or put aside
//! ```

use crate::{
    id::{BoxId, CallId},
    record::CallRecord,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Extension of a recording.
pub const RECORDING: &str = "opus";
/// Extension of a recording being written.
pub const PART: &str = "opus.part";
/// Extension of an encrypted recording.
pub const ENCRYPTED: &str = "opus.enc";
/// Extension of an encrypted recording being written.
pub const ENCRYPTED_PART: &str = "opus.enc.part";
/// Extension of a sidecar.
pub const SIDECAR: &str = "json";
/// Extension of a peaks file.
pub const PEAKS: &str = "peaks";

/// The folder of recordings below the data directory.
pub const RECORDINGS_DIR: &str = "rec";
/// The folder of the journal below the data directory.
pub const JOURNAL_DIR: &str = "journal";
/// The folder of the index below the data directory.
pub const INDEX_DIR: &str = "index";

/// The folder of proofs below the data directory.
pub const PROOFS_DIR: &str = "proofs";

const BALLAST: &str = "ballast";
const BOX: &str = "box.json";

/// Path of a call's file below the data directory: `rec/2026/11/22/cal_….opus`, by the UTC day of the INVITE.
#[must_use]
pub fn path_of(call: CallId, start_time: WallTime, extension: &str) -> String {
    let date = start_time.to_string();
    let day = date.get(..10).unwrap_or("1970-01-01").replace('-', "/");
    format!("{RECORDINGS_DIR}/{day}/{call}.{extension}")
}

/// Makes a folder and its parents durable: each folder that had to be made is synced, and the one it was made in.
///
/// # Errors
/// If a folder cannot be made or synced.
pub fn make_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => sync_dir(path)?,
    }
    sync_parent(path)
}

/// Makes the entries of a folder durable.
///
/// # Errors
/// If it cannot be opened or synced.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the entry of a file in its folder durable.
///
/// # Errors
/// As [`sync_dir`].
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Writes a whole file so that after a power cut there is the old one or the new one, never a part.
///
/// # Errors
/// If a step fails; a file with `.tmp` added to its name may be left.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// Renames a file durably within its folder.
///
/// # Errors
/// If the rename or the sync of the folder fails.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Writes the sidecar of a call.
///
/// # Errors
/// As [`write_whole`].
pub fn write_sidecar(data_dir: &Path, record: &CallRecord) -> io::Result<()> {
    let path = data_dir.join(path_of(record.id, record.start_time, SIDECAR));
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    write_whole(&path, &sidecar_bytes(record)?)
}

/// What stands in the sidecar of a call.
///
/// # Errors
/// If the record cannot be written as JSON.
pub fn sidecar_bytes(record: &CallRecord) -> io::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(record)?;
    json.push(b'\n');
    Ok(json)
}

/// All files below `rec/`, in order of their paths relative to the data directory. Empty if there is no such folder.
///
/// # Errors
/// If a folder cannot be read.
pub fn recording_files(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = vec![PathBuf::from(RECORDINGS_DIR)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(data_dir.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Call id and extension of a recording's file name: `cal_….opus.part` gives the id and `opus.part`.
#[must_use]
pub fn parse_name(path: &Path) -> Option<(CallId, &str)> {
    let (stem, extension) = path.file_name()?.to_str()?.split_once('.')?;
    Some((stem.parse().ok()?, extension))
}

/// A recording's file without what follows the call's id: what its side files are named after.
#[must_use]
pub fn stem(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(name.split_once('.').map_or(&*name, |(stem, _)| stem))
}

/// Whether a file is an encrypted recording, by its name.
#[must_use]
pub fn is_encrypted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split_once('.').is_some_and(|(_, extension)| [ENCRYPTED, ENCRYPTED_PART].contains(&extension))
}

/// Whether a file with this extension is a finished recording.
#[must_use]
pub fn is_recording(extension: &str) -> bool {
    [RECORDING, ENCRYPTED].contains(&extension)
}

/// Removes every file of a call but its sidecar, durably: recording, waveform, and what was cut off while being written.
/// Gone already is as good; gives the number of files.
///
/// # Errors
/// If the folder cannot be read or a file not be removed.
pub fn remove_audio(data_dir: &Path, call: CallId, start_time: WallTime) -> io::Result<usize> {
    remove_of_call(data_dir, call, start_time, |extension| extension != SIDECAR)
}

/// Removes a call's sidecar, durably, as [`remove_audio`] does the rest.
///
/// # Errors
/// As [`remove_audio`].
pub fn remove_sidecar(data_dir: &Path, call: CallId, start_time: WallTime) -> io::Result<usize> {
    remove_of_call(data_dir, call, start_time, |extension| extension == SIDECAR)
}

fn remove_of_call(
    data_dir: &Path,
    call: CallId,
    start_time: WallTime,
    is_meant: impl Fn(&str) -> bool,
) -> io::Result<usize> {
    let path = data_dir.join(path_of(call, start_time, RECORDING));
    let Some(folder) = path.parent() else { return Ok(0) };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry?.path();
        if parse_name(&path).is_some_and(|(of, extension)| of == call && is_meant(extension)) {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    // Also if there was nothing: a removal before a power cut may not be on the disk yet.
    sync_dir(folder)?;
    Ok(removed)
}

/// Locks the data directory for one daemon; the lock goes with the file that is returned.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if another process has it.
pub fn lock(data_dir: &Path) -> io::Result<File> {
    make_dir(data_dir)?;
    let file = File::create(data_dir.join("lock"))?;
    file.try_lock()?;
    Ok(file)
}

/// Whether a process has the lock of the data directory, as the running daemon does; it is not touched.
#[must_use]
pub fn is_in_use(data_dir: &Path) -> bool {
    let (Ok(meta), Ok(locks)) = (fs::metadata(data_dir.join("lock")), fs::read_to_string("/proc/locks"))
    else {
        return false;
    };
    // proc(5): `1: FLOCK  ADVISORY  WRITE 371 fd:00:1573 0 EOF`; behind the last colon is the inode.
    let inode = meta.ino().to_string();
    locks.lines().any(|lock| {
        let mut words = lock.split_whitespace();
        words.nth(1) == Some("FLOCK")
            && words.any(|word| word.rsplit_once(':').is_some_and(|(_, at)| at == inode))
    })
}

/// Removes every call, recording and proof of a data directory that nobody uses. Its identity stays.
///
/// # Errors
/// A folder cannot be removed; the others are.
pub fn erase(data_dir: &Path) -> io::Result<()> {
    let remove = |folder: &str| match fs::remove_dir_all(data_dir.join(folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // A new index that waits to take the old one's place would bring the calls back.
    let waiting = ["next", "old"].map(|name| remove(&format!("{INDEX_DIR}.{name}")));
    // Who the office's customers are is nobody's business after it.
    let customers = super::directory_file::remove(data_dir);
    [RECORDINGS_DIR, JOURNAL_DIR, INDEX_DIR, PROOFS_DIR]
        .map(remove)
        .into_iter()
        .chain(waiting)
        .chain([customers])
        .collect()
}

/// What `box.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct BoxFile {
    box_id: BoxId,
    /// What checks the box's signatures, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
}

impl BoxFile {
    fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(data_dir.join(BOX)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, data_dir: &Path) -> io::Result<()> {
        make_dir(data_dir)?;
        write_whole(&data_dir.join(BOX), &serde_json::to_vec(self)?)
    }
}

/// The identity of this box, made from `fresh` at the first start and kept in `box.json`; the public key is written
/// beside it, once it is known.
///
/// # Errors
/// If the file cannot be read or written, or says something else. Another public key is no error: calls go on, and
/// what is signed with a key that is not the box's is found when it is verified.
pub fn identity(data_dir: &Path, fresh: BoxId, public_key: Option<&str>) -> io::Result<BoxId> {
    let known = BoxFile::read(data_dir)?.unwrap_or(BoxFile { box_id: fresh, public_key: None });
    match (known.public_key.as_deref(), public_key) {
        (Some(known), Some(present)) if known != present => {
            tracing::error!(
                "box.key is not the key that box.json knows, and signs for nobody; put its copy back"
            );
        }
        (Some(_), _) => {}
        (None, _) => {
            BoxFile { box_id: known.box_id, public_key: public_key.map(str::to_owned) }.write(data_dir)?;
        }
    }
    Ok(known.box_id)
}

/// The box whose data directory this is and its public key, as far as `box.json` tells; nothing is made.
///
/// # Errors
/// If the file is there and cannot be read, or says something else.
pub fn known_identity(data_dir: &Path) -> io::Result<(Option<BoxId>, Option<String>)> {
    let known = BoxFile::read(data_dir)?;
    Ok(known.map_or((None, None), |known| (Some(known.box_id), known.public_key)))
}

/// Space that recordings cannot use up: a file of `bytes` bytes, given back when the journal finds the disk full.
#[derive(Clone, Debug)]
pub struct Ballast {
    path: PathBuf,
    bytes: usize,
}

impl Ballast {
    /// The ballast of a data directory, 0 bytes for none.
    #[must_use]
    pub fn new(data_dir: &Path, bytes: usize) -> Self {
        Self { path: data_dir.join(BALLAST), bytes }
    }

    /// Takes the space, with real blocks, and tells whether it has it: on a full disk there is none to spare.
    pub fn take(&self) -> bool {
        let length = fs::metadata(&self.path).map_or(0, |meta| meta.len());
        if self.bytes == 0 {
            return true;
        }
        let taken = length == self.bytes as u64 || write_whole(&self.path, &vec![0x5a; self.bytes]).is_ok();
        if !taken {
            self.release();
        }
        taken
    }

    /// Gives the space back, and tells whether there was any.
    pub fn release(&self) -> bool {
        let mut temporary = self.path.as_os_str().to_owned();
        temporary.push(".tmp");
        let unfinished = fs::remove_file(&temporary).is_ok();
        fs::remove_file(&self.path).is_ok() || unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_lies_under_the_day_it_came_in() {
        let call = CallId::from_parts(WallTime(1), 1);
        let path = path_of(call, WallTime(1_763_816_709_007), PART);
        assert_eq!(path, format!("rec/2025/11/22/{call}.opus.part"));
        assert_eq!(parse_name(Path::new(&path)), Some((call, PART)));
        assert_eq!(parse_name(Path::new("rec/readme.txt")), None);
        let sealed = path_of(call, WallTime(1_763_816_709_007), ENCRYPTED_PART);
        assert_eq!(stem(Path::new(&sealed)), stem(Path::new(&path)));
        assert!(is_encrypted(Path::new(&sealed)) && !is_encrypted(Path::new(&path)));
    }

    #[test]
    fn the_box_keeps_its_identity() {
        let dir = tempfile::tempdir().unwrap();
        let id = BoxId::from_parts(WallTime(1), 1);
        // As a version wrote it that signed nothing.
        fs::write(dir.path().join(BOX), format!("{{\"box_id\":\"{id}\"}}")).unwrap();
        for _ in 0..2 {
            assert_eq!(identity(dir.path(), BoxId::from_parts(WallTime(2), 2), Some("ab")).unwrap(), id);
            assert_eq!(known_identity(dir.path()).unwrap(), (Some(id), Some("ab".to_owned())));
        }
        assert_eq!(identity(dir.path(), id, Some("cd")).unwrap(), id, "calls go on");
        assert_eq!(
            known_identity(dir.path()).unwrap().1,
            Some("ab".to_owned()),
            "a changed key is never taken"
        );
        fs::write(dir.path().join(BOX), "{").unwrap();
        assert!(identity(dir.path(), id, Some("ab")).is_err(), "nor is a broken identity replaced");
    }

    #[test]
    fn ballast_is_given_back_once() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path(), 4_096);
        assert!(ballast.take());
        assert_eq!(fs::metadata(dir.path().join("ballast")).unwrap().len(), 4_096);
        assert!(ballast.release() && !ballast.release());
    }

    #[test]
    fn all_files_of_all_days_are_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert!(recording_files(dir.path()).unwrap().is_empty());
        make_dir(&dir.path().join("rec/2026/01/02")).unwrap();
        make_dir(&dir.path().join("rec/2026/01/01")).unwrap();
        for name in ["rec/2026/01/02/a.opus", "rec/2026/01/01/b.opus"] {
            write_whole(&dir.path().join(name), b"x").unwrap();
        }
        let found = recording_files(dir.path()).unwrap();
        assert_eq!(found, [Path::new("rec/2026/01/01/b.opus"), Path::new("rec/2026/01/02/a.opus")]);
    }
}
