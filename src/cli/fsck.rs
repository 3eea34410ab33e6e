//! `ringside fsck`: whether what lies in the data directory fits together. Quick, and changes nothing; whether bytes
//! are the ones that were written is what `ringside verify` tells.

use super::{
    DATA, Failure, existing,
    recordings::{self, Line, Look, Verdict},
};
use crate::io::{
    clock::Clock,
    files::{self, INDEX_DIR, JOURNAL_DIR, PART},
    journal::{latest::Latest, reader::Report},
    store::{Index, IndexError, Opening},
};
use clap::Args;
use serde::Serialize;
use std::{
    cmp::Ordering,
    collections::BTreeSet,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

/// An index larger than this is not copied to be looked at.
const MAX_INDEX_BYTES: u64 = 256 << 20;

#[derive(Args)]
pub(super) struct Arguments {
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    existing(&arguments.data, "fsck")?;
    let next = format!("ringside verify --data {}", arguments.data.display());
    match fsck(&arguments.data, arguments.json, &mut io::stdout().lock()) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Failure::failed("not everything fits together", next)),
        Err(error) => Err(Failure::failed(error, next)),
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    running: bool,
    segments: u32,
    entries: u64,
    erased: u64,
    calls: usize,
    damaged_places: u64,
    torn_bytes: u64,
    broken_chain: u64,
    /// Recordings that a crash left open, or that are being written.
    parts: usize,
    index: IndexState,
    index_detail: Option<String>,
    /// Recordings and sidecars that do not fit their records, files without a record.
    bad: Vec<Line>,
}

/// State of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum IndexState {
    /// It opens and has every entry of the journal.
    Good,
    /// It opens; the next start fills it with the rest.
    Behind,
    /// There is none yet.
    None,
    /// It cannot be looked at now.
    NotChecked,
    /// It does not open, or is ahead of the journal; the next start makes a new one.
    Bad,
}

/// Looks through a data directory; returns the exit code: 0 if all fits together, 1 if not.
///
/// # Errors
/// If the journal or a folder cannot be read, or `out` not be written.
pub fn fsck(data: &Path, json: bool, out: &mut impl Write) -> io::Result<u8> {
    let found = look(data)?;
    let is_good = found.bad.is_empty()
        && found.damaged_places + found.broken_chain == 0
        && found.index != IndexState::Bad
        && (found.running || found.torn_bytes == 0 && found.parts == 0);
    if json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(u8::from(!is_good));
    }
    writeln!(
        out,
        "journal: {} segments, {} entries, {} erased, {} calls; {} damaged places, {} breaks of the chain, {} torn \
         bytes at the end",
        found.segments,
        found.entries,
        found.erased,
        found.calls,
        found.damaged_places,
        found.broken_chain,
        found.torn_bytes
    )?;
    let left =
        if found.running { "being written" } else { "left open by a crash; the next start closes them" };
    writeln!(out, "recordings not closed: {} ({left})", found.parts)?;
    let index = serde_json::to_value(found.index)?;
    let index = index.as_str().unwrap_or_default().replace('_', " ");
    writeln!(
        out,
        "index: {index}{}",
        found.index_detail.map_or(String::new(), |detail| format!(", {detail}"))
    )?;
    for Line { path, verdict, detail, .. } in &found.bad {
        let verdict = serde_json::to_value(verdict)?;
        let verdict = verdict.as_str().unwrap_or_default().replace('_', " ");
        writeln!(out, "{path}: {verdict} {}", detail.as_deref().unwrap_or_default())?;
    }
    writeln!(out, "{}", if is_good { "all fits together" } else { "not everything fits together" })?;
    Ok(u8::from(!is_good))
}

fn look(data: &Path) -> io::Result<Found> {
    let running = files::is_in_use(data);
    let journal_dir = data.join(JOURNAL_DIR);
    let (latest, report) = Latest::read(&journal_dir)?;
    let mut bad = Vec::new();
    let mut claimed = BTreeSet::new();
    for newest in latest.records(&journal_dir)? {
        let newest = newest?;
        let record = &newest.record;
        bad.extend(recordings::check(data, record, Look::Quick));
        bad.extend(recordings::check_sidecar(data, record));
        claimed.extend(record.recording.path.clone());
    }
    bad.extend(recordings::orphans(data, &claimed, |call| latest.knows(call))?);
    // A failed recording of which the record says so fits.
    bad.retain(|line| !(line.verdict.is_good() || line.verdict == Verdict::Missing && line.detail.is_some()));
    let is_part = |path: &&PathBuf| files::parse_name(path).is_some_and(|(_, extension)| extension == PART);
    let parts = files::recording_files(data)?.iter().filter(is_part).count();
    let (index, index_detail) = index_state(data, latest.last_seq(), running);
    let Report { segments, entries, erased, bad_places, torn_bytes, broken_chain, .. } = report;
    let calls = latest.len();
    let damaged_places = bad_places;
    Ok(Found {
        running,
        segments,
        entries,
        erased,
        calls,
        damaged_places,
        torn_bytes,
        broken_chain,
        parts,
        index,
        index_detail,
        bad,
    })
}

/// sled repairs while it opens, so a copy is opened. Beside a running box a copy proves nothing.
fn index_state(data: &Path, last_seq: u64, running: bool) -> (IndexState, Option<String>) {
    let dir = data.join(INDEX_DIR);
    if !dir.is_dir() {
        return (IndexState::None, Some("the next start makes one".to_owned()));
    }
    if running {
        return (IndexState::NotChecked, Some("the box is running and looks after it".to_owned()));
    }
    let copy = env::temp_dir().join(format!("ringside-fsck-{}", process::id()));
    let opened = copy_index(&dir, &copy)
        .and_then(|whole| if whole { applied(&copy, data).map(Some) } else { Ok(None) });
    let _ = fs::remove_dir_all(&copy);
    match opened {
        Ok(None) => (IndexState::NotChecked, Some("it is too large to be copied".to_owned())),
        Ok(Some((Opening::Whole | Opening::Rebuilt, applied))) => {
            let state = match applied.cmp(&last_seq) {
                Ordering::Less => IndexState::Behind,
                Ordering::Equal => IndexState::Good,
                // It belongs to a journal that is gone.
                Ordering::Greater => IndexState::Bad,
            };
            (state, Some(format!("it has entries up to {applied} of {last_seq}")))
        }
        Ok(Some((Opening::Replaced, _))) => (IndexState::Bad, Some("it does not open".to_owned())),
        Err(IndexError::Io(error)) => (IndexState::NotChecked, Some(error.to_string())),
        Err(error) => (IndexState::Bad, Some(error.to_string())),
    }
}

fn applied(copy: &Path, data: &Path) -> Result<(Opening, u64), IndexError> {
    let index = Index::new(&copy.join(INDEX_DIR));
    let opening = index.open(&data.join(JOURNAL_DIR), Clock::start().wall())?;
    let applied = index.applied();
    index.close();
    Ok((opening, applied?))
}

/// Copies the files of an index, which may have folders; false if it is too large.
fn copy_index(dir: &Path, copy: &Path) -> Result<bool, IndexError> {
    let mut folders = vec![PathBuf::from(INDEX_DIR)];
    let parent = dir.parent().unwrap_or(dir);
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(copy.join(&folder))?;
        for entry in fs::read_dir(parent.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            bytes += entry.metadata()?.len();
            if bytes > MAX_INDEX_BYTES {
                return Ok(false);
            }
            fs::copy(parent.join(&path), copy.join(&path))?;
        }
    }
    Ok(true)
}
