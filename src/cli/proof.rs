//! `ringside proof verify`: a proof that an advertised number forwards, checked without the box.

use super::{Failure, print};
use crate::{
    io::{
        proof_files::{self, Unproven},
        signing,
    },
    proving::{self, Finding, Office, Proof},
    web::wording,
};
use clap::Subcommand;
use std::{fmt::Write as _, path::PathBuf};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say whether a proof is as a box signed it, and what it shows.
    Verify {
        /// The proof: JSON, as the page exports it or as it lies in the data directory.
        file: PathBuf,
        /// The box's public key, kept elsewhere; without it the one in the file is believed.
        #[arg(long, value_name = "HEX", value_parser = public_key)]
        public_key: Option<String>,
    },
}

fn public_key(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    if signing::is_public_key(&text) { Ok(text) } else { Err("a public key is 64 hex digits") }
}

pub(super) fn proof(command: &Command) -> Result<(), Failure> {
    let Command::Verify { file, public_key } = command;
    let text = proof_files::read(file).map_err(|error| {
        let next = "name a proof that the page exported, or one of the folder `proofs` of the data directory";
        Failure::failed(format!("{}: {error}", file.display()), next)
    })?;
    let proof = proof_files::verify(&text, public_key.as_deref()).map_err(|why| {
        let next = match why {
            Unproven::OtherBox(_) => "ask whose box it is, or test the number again on this one",
            _ => "export the proof again, and do not change or reformat the file",
        };
        Failure::failed(format!("{}: {why}", file.display()), next)
    })?;
    print(format_args!("{}", show(&proof)));
    if public_key.is_none() {
        print(format_args!("the key was taken from the file itself; to trust it, give --public-key"));
    }
    Ok(())
}

/// A proof in words, one fact a line.
fn show(proof: &Proof) -> String {
    let facts = [
        ("proof", proof.id.to_string()),
        ("box", proof.box_id.to_string()),
        ("advertised number", wording::number(&proof.advertised)),
        ("tracking number", wording::number(&proof.tracking)),
        ("campaign", proof.campaign.clone()),
        ("tested by", proof.by.clone()),
        ("last test", proof.at.to_string()),
        ("verdict", proving::said(proof).to_owned()),
    ];
    let mut out = String::new();
    // Writing to a String does not fail.
    for (name, value) in facts {
        let _ = writeln!(out, "{name:<18} {value}");
    }
    for finding in [&proof.free, &proof.busy].into_iter().flatten() {
        let _ = writeln!(out, "{}", test(finding));
    }
    out.truncate(out.trim_end().len());
    out
}

fn test(finding: &Finding) -> String {
    let lines = match finding.office {
        Office::Free => "lines free",
        Office::Busy => "lines busy",
    };
    let call = finding.call.map_or_else(|| "no call".to_owned(), |call| call.to_string());
    let failed = proving::failed_hop(finding).map(|hop| format!("; failed: {hop}")).unwrap_or_default();
    format!("test, {lines:<12} {:?} after {} s, {call}{failed}", finding.verdict, finding.at_ms / 1000)
}
