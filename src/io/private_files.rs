//! Small files that only the daemon's user may read: accounts, the claim code, the key of the page's certificate.

use super::files;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Those of one data directory.
#[derive(Clone, Debug)]
pub struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Those in `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.to_owned())
    }

    /// The whole file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the whole file durably and for the daemon's user only.
    ///
    /// # Errors
    /// If a step fails; then the old file is there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        files::make_dir(&self.0)?;
        let temporary = self.0.join(format!("{name}.tmp"));
        // One that a power cut left may have been made by somebody with another mode.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.0.join(name))?;
        files::sync_dir(&self.0)
    }

    /// Renames a file durably, in place of an older one, or removes it; one that is not there is done with already.
    ///
    /// # Errors
    /// If that fails.
    pub fn put_aside(&self, name: &str, aside: Option<&str>) -> io::Result<()> {
        let path = self.0.join(name);
        let done = match aside {
            Some(aside) => fs::rename(path, self.0.join(aside)),
            None => fs::remove_file(path),
        };
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => files::sync_dir(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_private_file_is_the_users_own() {
        let dir = tempfile::tempdir().unwrap();
        let files = PrivateDir::new(dir.path());
        assert_eq!(files.read("accounts.json").unwrap(), None);
        fs::write(dir.path().join("accounts.json.tmp"), "left by a power cut").unwrap();
        for text in ["one", "two"] {
            files.write("accounts.json", text.as_bytes()).unwrap();
            assert_eq!(files.read("accounts.json").unwrap().as_deref(), Some(text.as_bytes()));
        }
        let mode = fs::metadata(dir.path().join("accounts.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files.put_aside("accounts.json", Some("old")).unwrap();
        files.put_aside("accounts.json", None).unwrap();
        assert_eq!(files.read("accounts.json").unwrap(), None);
        assert_eq!(files.read("old").unwrap().as_deref(), Some(b"two".as_slice()));
    }
}
