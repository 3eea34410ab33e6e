//! The key of this box: 32 random bytes, made once, from which every other key of the box is derived.
//!
//! It lies in `box.key` in the data directory, for the daemon's user only. A systemd credential named `box.key`
//! (`LoadCredentialEncrypted=`) takes its place, so that it can be kept off the disk.

use crate::{io::files, recording::vault::Kek};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const NAME: &str = "box.key";
const KEY_BYTES: usize = 32;

/// The key of this box.
#[derive(Clone)]
pub struct BoxKey(Zeroizing<[u8; KEY_BYTES]>);

impl BoxKey {
    /// The box's key, made and written durably if there is none yet.
    ///
    /// # Errors
    /// If it cannot be read or written, or is not a key: that is never put right by making another.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        if let Some(key) = Self::find(data_dir)? {
            return Ok(key);
        }
        // Another daemon that starts just now makes one key, not two.
        let _lock = files::lock(data_dir)?;
        Self::open_locked(data_dir)
    }

    /// As [`BoxKey::open`], for whoever has the lock of the data directory.
    ///
    /// # Errors
    /// As [`BoxKey::open`].
    pub fn open_locked(data_dir: &Path) -> io::Result<Self> {
        match Self::find(data_dir)? {
            Some(key) => Ok(key),
            None => Self::make(&data_dir.join(NAME)),
        }
    }

    /// The box's key if there is one; nothing is made.
    ///
    /// # Errors
    /// If it cannot be read or is not a key.
    pub fn find(data_dir: &Path) -> io::Result<Option<Self>> {
        let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(NAME));
        for path in credential.into_iter().chain([data_dir.join(NAME)]) {
            match Self::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return read.map(Some),
            }
        }
        Ok(None)
    }

    /// The key in a file of any name, as a copy of `box.key` put away elsewhere.
    ///
    /// # Errors
    /// If it cannot be read or does not hold 32 bytes.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = fs::File::open(path).map_err(named)?;
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(named)?;
        let key = bytes.as_slice().try_into().map(|key| Self(Zeroizing::new(key)));
        key.map_err(|_| {
            let why = format!(
                "{}: not a box key of {KEY_BYTES} bytes; put a copy of it back, or move it away to begin with a \
                 new key: recordings under the old one then open with the owner's key only",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, why)
        })
    }

    /// A key for one purpose; `context` names it and never changes.
    #[must_use]
    pub fn derive(&self, context: &'static str) -> [u8; 32] {
        blake3::derive_key(context, &*self.0)
    }

    /// The key that wraps the keys of recordings.
    #[must_use]
    pub fn kek(&self) -> Kek {
        Kek::new(self.derive("ringside 2026 box key that wraps the keys of recordings"))
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key).map_err(io::Error::other)?;
        let temporary = path.with_extension("key.tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&*key)?;
        file.sync_all()?;
        files::rename(&temporary, path)?;
        Ok(Self(key))
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_box_keeps_its_key_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert!(BoxKey::find(dir.path()).unwrap().is_none());
        let key = BoxKey::open(dir.path()).unwrap();
        assert_eq!(BoxKey::open(dir.path()).unwrap().derive("a"), key.derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        let mode = fs::metadata(dir.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(format!("{key:?}"), "BoxKey(secret)");
    }

    #[test]
    fn a_damaged_key_is_named_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for damaged in [0, 31, 33] {
            fs::write(dir.path().join(NAME), vec![1; damaged]).unwrap();
            let error = BoxKey::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains("box.key") && error.contains("copy"), "{error}");
            assert_eq!(fs::read(dir.path().join(NAME)).unwrap().len(), damaged);
        }
    }
}
