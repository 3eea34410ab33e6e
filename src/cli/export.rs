//! `ringside export`: every call, and on request every recording, in open formats, so that an owner can leave with
//! what is theirs. Runs beside the daemon; memory does not grow with the calls' contents.
//!
//! ```text
//! DIR/calls.jsonl     one call record a line, schema `ringside.call/1`; or
//! DIR/calls.csv       RFC 4180, UTF-8, one call a line, with the columns of `COLUMNS`
//! DIR/rec/…           with --audio: Ogg Opus, opened if it was encrypted
//! ```
//! Calls come in the order in which they were last changed.

use super::{DATA, Failure, ask::Where, desk, existing, print};
use crate::{
    io::{
        box_key::BoxKey,
        files::{self, JOURNAL_DIR},
        journal::latest::Latest,
        recording_file::Audio,
    },
    record::{CallRecord, RecordingState},
    recording::vault::{Kek, Unlock},
    time::WallTime,
};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Bytes of audio that are held at once.
const PIECE_BYTES: u64 = 64 << 10;

/// Columns of the CSV, and where each is found in the record's JSON.
const COLUMNS: [(&str, &str); 23] = [
    ("call_id", "/id"),
    ("box_id", "/box_id"),
    ("number_on_box", "/seq"),
    ("revision", "/rev"),
    ("start_time_utc", "/start_time"),
    ("caller_number", "/customer_phone_number"),
    ("caller_number_presentation", "/customer_number_presentation"),
    ("caller_name", "/customer_name"),
    ("tracking_number", "/tracking_phone_number"),
    ("advertised_number", "/advertised_phone_number"),
    ("forwarding_number", "/business_phone_number"),
    ("campaign_id", "/campaign/id"),
    ("campaign_name", "/campaign/name"),
    ("source", "/campaign/source_name"),
    ("medium", "/campaign/medium"),
    ("answered", "/answered"),
    ("answered_by", "/answered_by/port"),
    ("ended", "/outcome/ended"),
    ("duration_s", "/duration"),
    ("talk_ms", "/timing_ms/talk"),
    ("recording_state", "/recording/state"),
    ("recording_path", "/recording/path"),
    ("recording_blake3", "/recording/hash"),
];

#[derive(Args)]
pub(super) struct Arguments {
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Directory to write to; no export may be there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only calls that came in at or after this day (UTC) or time: 2026-11-01, 2026-11-01T08:00:00+01:00.
    #[arg(long, value_name = "DATE", value_parser = since)]
    since: Option<WallTime>,
    /// How calls are written.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The recordings too.
    #[arg(long)]
    audio: bool,
    #[command(flatten)]
    of: Where,
}

/// How calls are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line: everything that is known.
    Jsonl,
    /// A table for a spreadsheet.
    Csv,
}

/// Which calls are exported, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Only calls that came in then or later.
    pub since: WallTime,
    /// How calls are written.
    pub format: Format,
    /// The recordings too.
    pub audio: bool,
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Calls.
    pub calls: u64,
    /// Recordings.
    pub recordings: u64,
    /// Recordings that are not there, or not as they were recorded; the latter were copied all the same.
    pub bad: Vec<String>,
}

fn since(text: &str) -> Result<WallTime, String> {
    WallTime::parse(text)
        .or_else(|| WallTime::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "a day is written 2026-11-01, a time 2026-11-01T08:00:00Z".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { data, out, since, format, audio, of } = arguments;
    existing(data, "export")?;
    let wanted = Wanted { since: since.unwrap_or(WallTime(0)), format: *format, audio: *audio };
    let exported = export(data, out, wanted).map_err(|error| {
        Failure::failed(
            format!("{}: {error}", out.display()),
            "name a new directory on a disk with room: --out DIR",
        )
    })?;
    let Exported { calls, recordings, bad } = exported;
    desk::account(of, data, "exported", &format!("{calls} calls and {recordings} recordings"));
    print(format_args!("{calls} calls and {recordings} recordings are in {}", out.display()));
    bad.iter().for_each(|path| eprintln!("not as it was recorded: {path}"));
    if bad.is_empty() {
        return Ok(());
    }
    let next = format!("ringside verify --data {}", data.display());
    Err(Failure::failed(format!("{} recordings are missing or damaged", bad.len()), next))
}

/// Writes calls and recordings of the data directory `data` to `out`.
///
/// # Errors
/// If the journal cannot be read, or `out` not be written or holds an export already.
pub fn export(data: &Path, out: &Path, wanted: Wanted) -> io::Result<Exported> {
    let journal = data.join(JOURNAL_DIR);
    files::make_dir(out)?;
    let name = match wanted.format {
        Format::Jsonl => "calls.jsonl",
        Format::Csv => "calls.csv",
    };
    let mut calls = BufWriter::new(File::create_new(out.join(name))?);
    if wanted.format == Format::Csv {
        write_row(&mut calls, COLUMNS.iter().map(|(name, _)| (*name).to_owned()))?;
    }
    let mut exported = Exported::default();
    let (latest, _) = Latest::read(&journal)?;
    for newest in latest.records(&journal)? {
        let record = newest?.record;
        if record.start_time < wanted.since {
            continue;
        }
        match wanted.format {
            Format::Jsonl => writeln!(calls, "{}", serde_json::to_string(&record)?)?,
            Format::Csv => {
                let json = serde_json::to_value(&record)?;
                write_row(
                    &mut calls,
                    COLUMNS.iter().map(|(_, at)| json.pointer(at).map_or(String::new(), cell)),
                )?;
            }
        }
        exported.calls += 1;
        if wanted.audio {
            exported.take_recording(data, out, &record)?;
        }
    }
    calls.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(exported)
}

impl Exported {
    fn take_recording(&mut self, data: &Path, out: &Path, record: &CallRecord) -> io::Result<()> {
        let is_there = matches!(record.recording.state, RecordingState::Closed | RecordingState::Recovered);
        let (true, Some(path)) = (is_there, &record.recording.path) else { return Ok(()) };
        let kek = BoxKey::find(data).ok().flatten().map(|key| key.kek());
        // What comes out is a file that plays, whatever lies on the disk.
        let playable = out.join(files::path_of(record.id, record.start_time, files::RECORDING));
        match copy_recording(&data.join(path), kek.as_ref(), &playable) {
            Ok(hash) => {
                self.recordings += 1;
                let recorded = record.recording.audio_hash.as_ref().or(record.recording.hash.as_ref());
                if recorded != Some(&hash) {
                    self.bad.push(path.clone());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.bad.push(path.clone()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Copies a recording's audio piece by piece and returns its BLAKE3, hex.
fn copy_recording(from: &Path, kek: Option<&Kek>, to: &Path) -> io::Result<String> {
    let from = Audio::open(from, kek.map(Unlock::Box))?;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut to = File::create_new(to)?;
    let (mut hash, mut at) = (blake3::Hasher::new(), 0);
    while at < from.bytes() {
        let piece = from.read_range(at..at + PIECE_BYTES)?;
        at += PIECE_BYTES;
        hash.update(&piece);
        to.write_all(&piece)?;
    }
    to.sync_all()?;
    Ok(hash.finalize().to_hex().to_string())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // What a caller calls himself must not become a formula of a spreadsheet; a number keeps its plus.
        Value::String(text) if text.starts_with(['=', '@', '-', '\t', '\r']) => format!("'{text}"),
        Value::String(text) if text.starts_with('+') && !text.chars().skip(1).all(|c| c.is_ascii_digit()) => {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// RFC 4180 2: quoted where needed, lines end with CR LF.
fn write_row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for (at, cell) in cells.enumerate() {
        let comma = if at == 0 { "" } else { "," };
        if cell.contains([',', '"', '\r', '\n']) {
            write!(out, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{comma}{cell}")?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_no_formula_and_no_second_column() {
        let row =
            ["=1+1", "+13125550199", "Ada, \"the caller\"", "+1-1"].map(|text| cell(&Value::from(text)));
        let mut out = Vec::new();
        write_row(&mut out, row.into_iter()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "'=1+1,+13125550199,\"Ada, \"\"the caller\"\"\",'+1-1\r\n"
        );
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(since("2026-11-22").unwrap(), WallTime(1_795_305_600_000));
        assert!(since("yesterday").is_err());
    }
}
