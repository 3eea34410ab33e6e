//! Passwords as they are kept: argon2id (RFC 9106), salted, its costs beside it so that they may rise later.

use super::{refusal::Refusal, secret};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// One hash takes 7 MiB and the box makes one at a time: it has 40 MB for everything. As strong as the first choice of
/// OWASP's Password Storage Cheat Sheet, which lists this pair beside it.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
/// NIST SP 800-63B asks for 8 beside a second factor.
const LEAST_CHARS: usize = 10;
/// Longer ones only cost time.
const MOST_CHARS: usize = 200;
/// What everybody tries first.
const KNOWN: [&str; 10] = [
    "1234567890",
    "12345678910",
    "0123456789",
    "9876543210",
    "password12",
    "password123",
    "qwertyuiop",
    "administrator",
    "letmeinplease",
    "ringside123",
];

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    memory_kib: u32,
    passes: u32,
    #[serde(with = "crate::hex")]
    salt: [u8; 16],
    #[serde(with = "crate::hex")]
    hash: [u8; 32],
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl Sealed {
    /// Seals a password; takes tens of milliseconds and 7 MiB.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub(super) fn new(password: &str) -> io::Result<Self> {
        let (memory_kib, passes, salt) = (MEMORY_KIB, PASSES, secret::random()?);
        let hash = hash(password, &salt, memory_kib, passes)?;
        Ok(Self { memory_kib, passes, salt, hash })
    }

    /// Nobody's: as slow to try as anybody's.
    pub(super) const fn nobodys() -> Self {
        Self { memory_kib: MEMORY_KIB, passes: PASSES, salt: [0x5a; 16], hash: [0; 32] }
    }

    /// Whether it is this password.
    pub(super) fn opens(&self, password: &str) -> bool {
        // A file that asks for more memory than we would is not of ours.
        let memory = self.memory_kib.min(MEMORY_KIB);
        hash(password, &self.salt, memory, self.passes).is_ok_and(|hash| secret::same(&hash, &self.hash))
    }
}

fn hash(password: &str, salt: &[u8], memory_kib: u32, passes: u32) -> io::Result<[u8; 32]> {
    let params =
        Params::new(memory_kib, passes, 1, None).map_err(|error| io::Error::other(error.to_string()))?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hash)
}

/// Whether a password may be chosen.
///
/// # Errors
/// What is wrong with it.
pub(super) fn judge(password: &str, login: &str) -> Result<(), Refusal> {
    let chars = password.chars().count();
    let lower = password.to_lowercase();
    let first = password.chars().next();
    if !(LEAST_CHARS..=MOST_CHARS).contains(&chars) {
        Err(Refusal::Password("a password has 10 to 200 characters: a short sentence is a good one"))
    } else if lower == login || KNOWN.contains(&lower.as_str()) || password.chars().all(|c| Some(c) == first)
    {
        Err(Refusal::Password("that password is among the first that are tried: take a short sentence"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_password_opens_for_itself_only() {
        let sealed = Sealed::new("the kettle is on").unwrap();
        assert!(sealed.opens("the kettle is on"));
        assert!(!sealed.opens("the kettle is off") && !Sealed::nobodys().opens(""));
        assert_ne!(sealed, Sealed::new("the kettle is on").unwrap(), "salted");
        assert!(!format!("{sealed:?}").contains(&crate::hex::encode(&sealed.hash)));
    }

    #[test]
    fn what_everybody_tries_first_is_no_password() {
        assert!(judge("the kettle is on", "dana").is_ok());
        for bad in ["short", "password123", "PASSWORD123", "aaaaaaaaaaaa", "dana.ortiz1", &"x y".repeat(80)] {
            assert!(judge(bad, "dana.ortiz1").is_err(), "{bad}");
        }
    }
}
