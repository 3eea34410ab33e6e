//! The key of this box: 32 random bytes, made once, from which the box derives a key for each purpose.
//!
//! It lies in `box.key` below the data directory, readable by the daemon's user only. A systemd credential of that
//! name takes its place, so that it need not lie on the disk.

use crate::io::files;
use std::{
    env, fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

const FILE: &str = "box.key";

/// The secret of this box.
#[derive(Clone)]
pub struct BoxKey([u8; 32]);

impl BoxKey {
    /// The key of the box whose data directory this is, made durably at the first start.
    ///
    /// # Errors
    /// If it cannot be read or written, or is not 32 bytes long: a bad key is never replaced in silence.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        if let Some(key) = Self::find(data_dir)? {
            return Ok(key);
        }
        files::make_dir(data_dir)?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let path = data_dir.join(FILE);
        let temporary = path.with_extension("key.tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&key)?;
        file.sync_all()?;
        files::rename(&temporary, &path)?;
        Ok(Self(key))
    }

    /// The key if there is one.
    ///
    /// # Errors
    /// If it cannot be read or is not 32 bytes long.
    pub fn find(data_dir: &Path) -> io::Result<Option<Self>> {
        let credentials = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        for folder in credentials.iter().map(PathBuf::as_path).chain([data_dir]) {
            let path = folder.join(FILE);
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            let key = bytes.as_slice().try_into().map_err(|_| {
                let why = format!("{}: a key of 32 bytes is expected; put its copy back", path.display());
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            return Ok(Some(Self(key)));
        }
        Ok(None)
    }

    /// The key for one purpose; `context` names it for ever.
    #[must_use]
    pub fn derive(&self, context: &'static str) -> [u8; 32] {
        blake3::derive_key(context, &self.0)
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey")
    }
}
