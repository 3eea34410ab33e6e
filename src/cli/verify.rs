//! `ringside verify`: the journal from its first segment on, every recording, sidecar and proof, against the box's key.
//!
//! Reads only, and runs beside the daemon. What is written while it reads may look broken for a moment, so a break
//! counts if a second look finds it too.

use super::{
    DATA, Failure, existing,
    recordings::{self, Line, Look, Verdict},
};
use crate::{
    id::CallId,
    io::{
        box_key::BoxKey,
        files::{self, JOURNAL_DIR, PROOFS_DIR},
        journal::{
            check::{Break, Checked, Fault, check},
            latest::Latest,
        },
        proof_files, signing,
    },
};
use clap::Args;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Between two looks: longer than a recording's record waits for its sidecar.
const SECOND_LOOK: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(super) struct Arguments {
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The box's public key, kept elsewhere; without it the one in the data directory is believed.
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    public_key: Option<String>,
}

fn public_key(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    if signing::is_public_key(&text) { Ok(text) } else { Err("a public key is 64 hex digits") }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { data, json, public_key } = arguments;
    existing(data, "verify")?;
    let next = "keep the disk as it is; what the upstream or a copy has can be compared with it";
    match verify(data, public_key.as_deref(), *json, &mut io::stdout().lock()) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Failure::failed("not everything is as the box wrote it", next)),
        Err(error) => Err(Failure::failed(error, "ringside fsck")),
    }
}

/// What is wrong, or right, with one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    call: Option<CallId>,
    path: String,
    detail: Option<String>,
    #[serde(skip)]
    is_good: bool,
}

impl From<Line> for Finding {
    fn from(line: Line) -> Self {
        let Line { call, path, verdict, detail } = line;
        let is_good = verdict.is_good();
        Self { verdict: word(verdict), segment: None, seq: None, call, path, detail, is_good }
    }
}

impl From<Break> for Finding {
    fn from(broken: Break) -> Self {
        let verdict = match broken.fault {
            Fault::Damaged(_) | Fault::NoHeader => "journal_damaged",
            Fault::Torn(_) => "journal_torn",
            Fault::Foreign(_) => "journal_foreign",
            Fault::Changed(_) => "journal_changed",
            Fault::Beheaded | Fault::Missing(..) => "journal_missing",
            Fault::Unsigned(_) | Fault::Unfounded => "journal_forged",
        };
        Self {
            verdict: verdict.to_owned(),
            segment: Some(broken.segment),
            seq: broken.seq,
            call: broken.call,
            path: format!("{JOURNAL_DIR}/{:06}.rj", broken.segment),
            detail: Some(broken.fault.to_string()),
            is_good: false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.verdict.replace('_', " "))?;
        if let Some(segment) = self.segment {
            write!(f, ", segment {segment}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", at or behind entry {seq}")?;
        }
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

fn word(verdict: Verdict) -> String {
    let value = serde_json::to_value(verdict).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Everything that was looked at once.
struct Seen {
    journal: Checked,
    findings: Vec<Finding>,
    recordings: usize,
    sealed: usize,
}

/// Checks a data directory and writes one line a finding to `out`, the first break first; as JSON also a line for every
/// good recording. Without `public_key` the one in the data directory is believed. Returns the exit code: 0 if all is
/// as it was written, 1 if not.
///
/// # Errors
/// If the journal or a folder cannot be read, or `out` not be written.
pub fn verify(data: &Path, public_key: Option<&str>, json: bool, out: &mut impl Write) -> io::Result<u8> {
    let mut seen = look(data, public_key)?;
    if seen.findings.iter().any(|finding| !finding.is_good) && files::is_in_use(data) {
        thread::sleep(SECOND_LOOK);
        let first = std::mem::replace(&mut seen, look(data, public_key)?).findings;
        seen.findings.retain(|finding| finding.is_good || first.contains(finding));
    }
    let bad = seen.findings.iter().filter(|finding| !finding.is_good);
    let code = u8::from(bad.clone().next().is_some() || seen.journal.unlisted > 0);
    if json {
        for finding in &seen.findings {
            writeln!(out, "{}", serde_json::to_string(finding)?)?;
        }
        return Ok(code);
    }
    for (at, finding) in bad.clone().enumerate() {
        writeln!(out, "{}{finding}", if at == 0 { "FIRST BREAK  " } else { "             " })?;
    }
    let Checked { segments, unsigned, entries, erased, unlisted, .. } = seen.journal;
    writeln!(
        out,
        "journal: {segments} segments ({unsigned} of a version that did not sign), {entries} entries, {erased} of \
         them erased lawfully"
    )?;
    writeln!(out, "recordings: {}, {} of them sealed", seen.recordings, seen.sealed)?;
    if public_key.is_none() {
        writeln!(out, "the key was taken from the data directory itself; to trust it, give --public-key")?;
    }
    writeln!(out, "{} bad", bad.count() as u64 + unlisted)?;
    Ok(code)
}

fn look(data: &Path, public_key: Option<&str>) -> io::Result<Seen> {
    let journal_dir = data.join(JOURNAL_DIR);
    let (box_id, known_key) = files::known_identity(data)?;
    let mut findings = Vec::new();
    let key = public_key.or(known_key.as_deref());
    if known_key.as_deref().is_some_and(|known| key != Some(known)) {
        let detail = Some("it names another public key".to_owned());
        let line = Line { call: None, path: "box.json".to_owned(), verdict: Verdict::Changed, detail };
        findings.push(line.into());
    }
    let kek = BoxKey::find(data).ok().flatten().map(|key| key.kek());
    let look = Look::Close(key, kek.as_ref());
    let mut journal = check(&journal_dir, box_id, key)?;
    findings.extend(std::mem::take(&mut journal.breaks).into_iter().map(Finding::from));
    let (latest, _) = Latest::read(&journal_dir)?;
    let mut claimed = BTreeSet::new();
    let (mut recordings, mut sealed) = (0, 0);
    for newest in latest.records(&journal_dir)? {
        let newest = newest?;
        let record = &newest.record;
        let lines = [recordings::check(data, record, look), recordings::check_sidecar(data, record)];
        for line in lines.into_iter().flatten() {
            let (segment, seq) = (Some(newest.segment), Some(newest.seq));
            findings.push(Finding { segment, seq, ..line.into() });
        }
        recordings += usize::from(record.recording.path.is_some());
        sealed += usize::from(record.recording.seal.is_some());
        claimed.extend(record.recording.path.clone());
    }
    findings.extend(
        recordings::orphans(data, &claimed, |call| latest.knows(call))?.into_iter().map(Finding::from),
    );
    let (_, spoilt) = proof_files::read_all(data, key, usize::MAX)?;
    findings.extend(spoilt.into_iter().map(|name| {
        let (path, detail) = (format!("{PROOFS_DIR}/{name}"), Some("not as the box signed it".to_owned()));
        Finding::from(Line { call: None, path, verdict: Verdict::Changed, detail })
    }));
    Ok(Seen { journal, findings, recordings, sealed })
}
