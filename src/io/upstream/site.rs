//! Sites from the upstream: taken only if they are signed for this box, newer, and good.

use crate::{config::unhex, id::BoxId, io::files, sync::wire::SignedSite};
use ed25519_dalek::{Signature, VerifyingKey};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Name of the file in the data directory.
const SITE_FILE: &str = "site.json";
/// More than this is no list of numbers.
const MAX_TOML_BYTES: usize = 1 << 20;

/// Why a site was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Not signed by the key of the configuration, or for another box.
    #[error("its signature is not of `site_key`, or for another box")]
    Signature,
    /// More than a mebibyte.
    #[error("it is too large")]
    TooLarge,
    /// The configuration with it would be wrong.
    #[error("{0}")]
    Bad(String),
    /// It cannot be kept.
    #[error("{SITE_FILE}: {0}")]
    Io(#[from] io::Error),
}

/// What takes effect: the TOML of a site; an error if the configuration with it would be wrong.
pub type Apply = Box<dyn FnMut(&str) -> Result<(), String> + Send>;

/// The site that is in force, and whose word is taken.
pub struct Sites {
    key: VerifyingKey,
    box_id: BoxId,
    file: PathBuf,
    version: u64,
    apply: Apply,
}

impl Sites {
    /// Takes the sites that `key` signs; puts the one in force that was kept last.
    pub fn new(key: &[u8; 32], box_id: BoxId, data: &Path, apply: Apply) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok()?;
        let mut sites = Self { key, box_id, file: data.join(SITE_FILE), version: 0, apply };
        if let Err(error) = sites.load() {
            tracing::warn!(%error, "the site that was kept is not used");
        }
        Some(sites)
    }

    /// Version in force; 0 if none is.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Takes a site; an older one is left alone.
    ///
    /// # Errors
    /// [`SiteError`]; the one in force stays.
    pub fn take(&mut self, site: &SignedSite) -> Result<(), SiteError> {
        if site.version <= self.version {
            return Ok(());
        }
        self.check(site)?;
        (self.apply)(&site.toml).map_err(SiteError::Bad)?;
        self.version = site.version;
        files::write_whole(&self.file, &serde_json::to_vec(site).map_err(io::Error::other)?)?;
        Ok(())
    }

    fn check(&self, site: &SignedSite) -> Result<(), SiteError> {
        if site.toml.len() > MAX_TOML_BYTES {
            return Err(SiteError::TooLarge);
        }
        let signature = unhex::<64>(&site.signature).ok_or(SiteError::Signature)?;
        let signed = site.signed_bytes(self.box_id);
        self.key.verify_strict(&signed, &Signature::from_bytes(&signature)).map_err(|_| SiteError::Signature)
    }

    fn load(&mut self) -> Result<(), SiteError> {
        let bytes = match std::fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let site: SignedSite = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        self.check(&site)?;
        (self.apply)(&site.toml).map_err(SiteError::Bad)?;
        self.version = site.version;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;
    use ed25519_dalek::{Signer as _, SigningKey};
    use std::sync::{Arc, Mutex};

    fn signed(key: &SigningKey, box_id: BoxId, version: u64, toml: &str) -> SignedSite {
        let mut site = SignedSite { version, toml: toml.to_owned(), signature: String::new() };
        let signature = key.sign(&site.signed_bytes(box_id)).to_bytes();
        site.signature = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        site
    }

    #[test]
    fn only_a_newer_site_of_the_right_key_for_this_box_is_taken_and_it_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let box_id = BoxId::from_parts(WallTime(1), 1);
        let taken = Arc::new(Mutex::new(Vec::new()));
        let open = || {
            let taken = Arc::clone(&taken);
            let apply = move |toml: &str| {
                taken.lock().unwrap().push(toml.to_owned());
                if toml == "bad" { Err("line 1".to_owned()) } else { Ok(()) }
            };
            Sites::new(key.verifying_key().as_bytes(), box_id, dir.path(), Box::new(apply)).unwrap()
        };
        let mut sites = open();
        let stranger = BoxId::from_parts(WallTime(1), 2);
        assert!(matches!(sites.take(&signed(&other, box_id, 5, "a")), Err(SiteError::Signature)));
        assert!(matches!(sites.take(&signed(&key, stranger, 5, "a")), Err(SiteError::Signature)));
        assert_eq!(*taken.lock().unwrap(), [] as [&str; 0]);
        sites.take(&signed(&key, box_id, 5, "a")).unwrap();
        sites.take(&signed(&key, box_id, 4, "older")).unwrap();
        assert!(matches!(sites.take(&signed(&key, box_id, 6, "bad")), Err(SiteError::Bad(_))));
        assert_eq!(
            (sites.version(), &taken.lock().unwrap()[..]),
            (5, &["a".to_owned(), "bad".to_owned()][..])
        );
        drop(sites);
        assert_eq!(open().version(), 5);
        assert_eq!(taken.lock().unwrap().last().unwrap(), "a");
    }
}
