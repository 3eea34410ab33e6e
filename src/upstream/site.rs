//! `GET …/gaps` and `GET …/site`: what is missing here, and what a box is to know. The sites' signatures.

use super::{Receiver, answer, stored::StoreError};
use crate::{id::BoxId, sync::wire::SignedSite, time::WallTime};
use axum::{
    Extension, Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ed25519_dalek::{Signer, SigningKey};
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

/// Tables of a configuration that an upstream may set.
const TABLES: [&str; 3] = ["campaign", "tracking_number", "ring_group"];
/// Bytes of a site at most: some thousand numbers.
pub const MAX_SITE_BYTES: usize = 1 << 20;

#[derive(serde::Deserialize)]
pub(super) struct Calls {
    calls: u64,
}

pub(super) async fn gaps(
    State(receiver): State<Arc<Receiver>>,
    Extension(id): Extension<BoxId>,
    asked: Result<Query<Calls>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(Calls { calls })) = asked else {
        return answer::problem(
            StatusCode::BAD_REQUEST,
            "not understood",
            "calls=N: how many calls there were",
        );
    };
    match receiver.records.gaps(id, calls).await {
        Ok(gaps) => Json(gaps).into_response(),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

pub(super) async fn site(
    State(receiver): State<Arc<Receiver>>,
    Extension(id): Extension<BoxId>,
    asked: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(After { after })) = asked else {
        return answer::problem(
            StatusCode::BAD_REQUEST,
            "not understood",
            "after=VERSION: the one that is there",
        );
    };
    match receiver.records.site(id).await {
        Ok(Some(site)) if site.version > after => Json(site).into_response(),
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

/// The upstream's key, 64 hex digits in a file that only its owner reads; made when it is not there.
///
/// # Errors
/// The file cannot be read or made, or is no key.
pub fn key(file: &Path) -> io::Result<SigningKey> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let wrong = |_| io::Error::new(ErrorKind::InvalidData, "a key is 64 hex digits");
            let seed = blake3::Hash::from_hex(text.trim()).map_err(wrong)?;
            Ok(SigningKey::from_bytes(seed.as_bytes()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(io::Error::other)?;
            let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            writeln!(made, "{}", blake3::Hash::from(seed).to_hex())?;
            made.sync_all()?;
            Ok(SigningKey::from_bytes(&seed))
        }
        Err(error) => Err(error),
    }
}

/// The public half of a key, hex.
#[must_use]
pub fn public_key(key: &SigningKey) -> String {
    blake3::Hash::from(key.verifying_key().to_bytes()).to_hex().to_string()
}

/// Signs a site for one box. Its version lies above `newest` and, for the day on which this store is lost, is not
/// below the clock.
///
/// # Errors
/// What is wrong with the text.
pub fn sign(
    key: &SigningKey,
    id: BoxId,
    newest: u64,
    text: &str,
    now: WallTime,
) -> Result<SignedSite, StoreError> {
    let wrong = StoreError::of::<String>("this site is not taken");
    if text.len() > MAX_SITE_BYTES || text.contains('\0') {
        return Err(wrong(format!("it is text of at most {MAX_SITE_BYTES} bytes")));
    }
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Err(wrong(toml::de::Error::to_string(&error))),
    };
    if let Some(other) = table.keys().find(|name| !TABLES.contains(&name.as_str())) {
        return Err(wrong(format!(
            "`{other}` is not the upstream's to set; there are {}",
            TABLES.join(", ")
        )));
    }
    let version = newest.saturating_add(1).max(now.0);
    let mut site = SignedSite { version, toml: text.to_owned(), signature: String::new() };
    let signature = key.sign(&site.signed_bytes(id)).to_bytes();
    site.signature = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signature, Verifier};

    #[test]
    fn a_site_is_signed_and_newer_than_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("site.key");
        let made = key(&file).unwrap();
        assert_eq!(key(&file).unwrap(), made, "the key stays");
        let id = BoxId::from_parts(WallTime(1), 1);
        let site = sign(&made, id, 9, "[[campaign]]\nid = \"spring\"\n", WallTime(5)).unwrap();
        assert_eq!(site.version, 10);
        let bytes: Vec<u8> =
            (0..64).map(|at| u8::from_str_radix(&site.signature[2 * at..2 * at + 2], 16).unwrap()).collect();
        let signature = Signature::from_slice(&bytes).unwrap();
        made.verifying_key().verify(&site.signed_bytes(id), &signature).unwrap();
        assert!(sign(&made, id, 9, "[trunk]\nuser = \"x\"\n", WallTime(5)).is_err(), "not its to set");
        assert!(sign(&made, id, 9, "[[campaign]", WallTime(5)).is_err());
    }
}
