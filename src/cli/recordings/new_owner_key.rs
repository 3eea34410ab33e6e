//! `ringside recordings new-owner-key`: a pair of keys for whoever owns the recordings.

use super::super::{Failure, print};
use crate::{hex, io::files, recording::vault::SecretKey};
use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use zeroize::Zeroizing;

/// Writes the secret key to a new file for this user only, and prints the public one.
pub(in super::super) fn new_owner_key(out: &Path) -> Result<(), Failure> {
    let public = make(out).map_err(|error| {
        let next = "name a new file in a folder that you can write";
        Failure::failed(format_args!("{}: {error}", out.display()), next)
    })?;
    print(format_args!(
        "The secret key is in {}. Keep it away from the box, and a copy of it.",
        out.display()
    ));
    print(format_args!("It opens a recording without the box:"));
    print(format_args!("  ringside recordings open FILE --key {} --out recording.opus", out.display()));
    print(format_args!("For ringside.toml, below [recording]:"));
    print(format_args!("encrypt = true\nowner_key = \"{public}\""));
    Ok(())
}

fn make(out: &Path) -> io::Result<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    let public = SecretKey::new(&bytes).public().to_string();
    let secret = Zeroizing::new(hex::encode(&*bytes));
    let text =
        Zeroizing::new(format!("# Secret key of the owner whose owner_key is {public}.\n{}\n", *secret));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    files::sync_parent(out)?;
    Ok(public)
}

/// Reads a secret key as [`new_owner_key`] wrote it; `None` if the text is something else.
pub(super) fn read(text: &str) -> Option<SecretKey> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    hex::decode(line).map(Zeroizing::new).map(|bytes| SecretKey::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn the_secret_is_for_this_user_only_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("owner.key");
        let public = make(&out).unwrap();
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(read(&text).unwrap().public().to_string(), public);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make(&out).is_err());
        assert_eq!(fs::read_to_string(&out).unwrap(), text);
        assert!(read("# nothing\n").is_none() && read("abc").is_none());
    }
}
