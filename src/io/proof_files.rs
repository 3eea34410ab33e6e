//! Proofs on the disk: one signed JSON file each in `proofs/`, which anybody can check without the box.
//!
//! `{"proof":{…},"public_key":"…","signature":"…"}`. What is signed is the name of the schema, a line feed and the bytes
//! of `proof` as they stand in the file, so a file that was reformatted no longer checks.

use super::{
    box_key::BoxKey,
    files::{self, PROOFS_DIR},
    signing,
};
use crate::proving::{Proof, SCHEMA};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{fs, io, path::Path};

/// A proof is about 2 kB; what is longer is none.
const MAX_BYTES: u64 = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    proof: &'a RawValue,
    public_key: String,
    signature: String,
}

/// A proof with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub proof: Proof,
    /// The file: JSON.
    pub text: String,
}

/// Why a file is no proof.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It is something else.
    #[error("not a proof: {0}")]
    NotAProof(serde_json::Error),
    /// It is of another version.
    #[error("a proof of another kind: `{0}`")]
    OtherSchema(String),
    /// Signed by somebody else than was asked for.
    #[error("signed by another box: its key is {0}")]
    OtherBox(String),
    /// Not as it was signed.
    #[error("changed since it was signed, or never signed")]
    Changed,
}

/// Signs a proof.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn sign(proof: Proof, key: &BoxKey) -> io::Result<Signed> {
    let raw = RawValue::from_string(serde_json::to_string(&proof)?)?;
    let signature = key.sign(&message(raw.get()));
    let file = File { proof: &raw, public_key: key.public_key(), signature };
    Ok(Signed { text: serde_json::to_string(&file)?, proof })
}

/// Checks a file. Without `public_key` the key in the file is believed, which shows only that nothing was changed.
///
/// # Errors
/// Why it proves nothing.
pub fn verify(text: &str, public_key: Option<&str>) -> Result<Proof, Unproven> {
    let file: File<'_> = serde_json::from_str(text).map_err(Unproven::NotAProof)?;
    let proof: Proof = serde_json::from_str(file.proof.get()).map_err(Unproven::NotAProof)?;
    if proof.schema != SCHEMA {
        return Err(Unproven::OtherSchema(proof.schema));
    }
    if public_key.is_some_and(|key| key != file.public_key) {
        return Err(Unproven::OtherBox(file.public_key));
    }
    let holds = signing::verify(&file.public_key, &message(file.proof.get()), &file.signature);
    if holds { Ok(proof) } else { Err(Unproven::Changed) }
}

fn message(proof: &str) -> Vec<u8> {
    format!("{SCHEMA}\n{proof}").into_bytes()
}

/// Signs a proof and writes it durably; one of the same id is replaced.
///
/// # Errors
/// If it cannot be written.
pub fn save(data_dir: &Path, proof: Proof, key: &BoxKey) -> io::Result<Signed> {
    let folder = data_dir.join(PROOFS_DIR);
    files::make_dir(&folder)?;
    let signed = sign(proof, key)?;
    files::write_whole(&folder.join(format!("{}.json", signed.proof.id)), signed.text.as_bytes())?;
    Ok(signed)
}

/// A file of a bounded length.
///
/// # Errors
/// If it cannot be read, or is too long to be a proof.
pub fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long to be a proof"));
    }
    fs::read_to_string(path)
}

/// The newest `limit` proofs of a data directory that are as they were signed, oldest first, and the names of the files
/// that are not.
///
/// # Errors
/// If the folder cannot be read.
pub fn read_all(
    data_dir: &Path,
    public_key: Option<&str>,
    limit: usize,
) -> io::Result<(Vec<Signed>, Vec<String>)> {
    let mut names: Vec<String> = match fs::read_dir(data_dir.join(PROOFS_DIR)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        entries => entries?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?,
    };
    names.retain(|name| name.starts_with("fwp_") && name.ends_with(".json"));
    // Identities begin with the time, so this is the order in which they were begun.
    names.sort_unstable();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for name in names.into_iter().rev().take(limit).rev() {
        let text = read(&data_dir.join(PROOFS_DIR).join(&name));
        match text.ok().and_then(|text| Some(Signed { proof: verify(&text, public_key).ok()?, text })) {
            Some(signed) => good.push(signed),
            None => bad.push(name),
        }
    }
    Ok((good, bad))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{BoxId, ProofId},
        proving::Prover,
        time::WallTime,
    };

    fn proof(n: u64) -> Proof {
        let id = ProofId::from_parts(WallTime(n), 1);
        let mut prover = Prover::new(BoxId::from_parts(WallTime(0), 1), []);
        let numbers = ("+13125550150".parse().unwrap(), "+13125550100".parse().unwrap());
        prover.begin(id, numbers, ("Flyer".to_owned(), "Dana".to_owned()), WallTime(n));
        prover.get(id).unwrap().clone()
    }

    #[test]
    fn a_proof_reads_back_and_any_changed_word_spoils_it() {
        let dir = tempfile::tempdir().unwrap();
        let key = BoxKey::open(dir.path()).unwrap();
        let signed = save(dir.path(), proof(1), &key).unwrap();
        assert_eq!(verify(&signed.text, Some(&key.public_key())).unwrap(), proof(1));
        assert_eq!(verify(&signed.text, None).unwrap(), proof(1));
        for (from, to) in [("unknown", "verified"), ("+13125550100", "+13125550101"), ("Dana", "Dora")] {
            let changed = signed.text.replacen(from, to, 1);
            assert!(matches!(verify(&changed, None), Err(Unproven::Changed)), "{from} to {to}");
        }
        let other = "00".repeat(32);
        assert!(matches!(verify(&signed.text, Some(&other)), Err(Unproven::OtherBox(_))));
        assert!(matches!(verify("{}", None), Err(Unproven::NotAProof(_))));
    }

    #[test]
    fn all_proofs_are_read_in_their_order_and_a_changed_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let key = BoxKey::open(dir.path()).unwrap();
        assert!(read_all(dir.path(), None, 9).unwrap().0.is_empty());
        for n in [3, 1, 2] {
            save(dir.path(), proof(n), &key).unwrap();
        }
        let file = format!("{}.json", proof(1).id);
        fs::write(dir.path().join(PROOFS_DIR).join(&file), "{}").unwrap();
        let (good, bad) = read_all(dir.path(), Some(&key.public_key()), 9).unwrap();
        let ids: Vec<ProofId> = good.iter().map(|signed| signed.proof.id).collect();
        assert_eq!((ids, bad), (vec![proof(2).id, proof(3).id], vec![file]));
        assert_eq!(read_all(dir.path(), None, 1).unwrap().0.len(), 1);
    }
}
