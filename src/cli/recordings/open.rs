//! `ringside recordings open`: the playable Opus file of a recording, also of an encrypted one.

use super::{
    super::{Failure, ask::Where, desk},
    new_owner_key,
};
use crate::{
    id::CallId,
    io::{box_key::BoxKey, files, files::JOURNAL_DIR, journal::reader::fold, recording_file::Audio},
    recording::vault::{Kek, SecretKey, Unlock},
};
use clap::Args;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes opened at once.
const PIECE_BYTES: u64 = 256 << 10;
/// Longest key file that is read: a comment and a key.
const MAX_KEY_FILE_BYTES: u64 = 4_096;

#[derive(Args)]
pub(in super::super) struct Arguments {
    /// Id of the call (`cal_…`), or a recording's file.
    #[arg(value_name = "CALL or FILE")]
    what: String,
    /// The owner's secret key, or a copy of a `box.key`, instead of this box's key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = super::super::DATA)]
    data: PathBuf,
    /// Where to write the Opus file; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    of: Where,
}

/// Any key that opens recordings.
enum Key {
    Box(Kek),
    Owner(SecretKey),
}

pub(in super::super) fn open(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { what, key, data, out, of } = arguments;
    let calls = format!("ringside calls --data {}", data.display());
    let (path, audio_hash) = find(what, data).map_err(|error| Failure::failed(error, calls))?;
    let copied = key_of(key.as_deref(), data).and_then(|key| {
        let key = key.as_ref().map(|key| match key {
            Key::Box(kek) => Unlock::Box(kek),
            Key::Owner(secret) => Unlock::Owner(secret),
        });
        copy(&Audio::open(&path, key)?, audio_hash.as_deref(), out)
    });
    if copied.is_ok() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        desk::account(of, data, "opened", &name);
    }
    copied.map_err(|error| {
        let next = "give the right key with `--key FILE`, a new file with `--out FILE`, or look at the file with \
                    `ringside recordings verify`";
        Failure::failed(format_args!("{}: {error}", path.display()), next)
    })
}

/// The file that is meant, and the digest that its audio should have.
fn find(what: &str, data: &Path) -> io::Result<(PathBuf, Option<String>)> {
    let Ok(call) = what.parse::<CallId>() else { return Ok((PathBuf::from(what), None)) };
    let (records, _) = fold(&data.join(JOURNAL_DIR))?;
    let none = |why: &str| io::Error::new(io::ErrorKind::NotFound, format!("{call}: {why}"));
    let record =
        records.into_iter().find(|record| record.id == call).ok_or_else(|| none("there is no such call"))?;
    let path = record.recording.path.ok_or_else(|| none("it has no recording"))?;
    let hash = if files::is_encrypted(Path::new(&path)) {
        record.recording.audio_hash
    } else {
        record.recording.hash
    };
    Ok((data.join(path), hash))
}

fn key_of(file: Option<&Path>, data: &Path) -> io::Result<Option<Key>> {
    let Some(path) = file else { return Ok(BoxKey::find(data)?.map(|key| Key::Box(key.kek()))) };
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_KEY_FILE_BYTES).read_to_end(&mut bytes)?;
    if let Some(secret) = std::str::from_utf8(&bytes).ok().and_then(new_owner_key::read) {
        return Ok(Some(Key::Owner(secret)));
    }
    Ok(Some(Key::Box(BoxKey::read(path)?.kek())))
}

/// Writes the audio to a new file, which is gone again if anything is wrong with it.
fn copy(audio: &Audio, audio_hash: Option<&str>, out: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", out.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(named)?;
    let copied = copy_to(audio, audio_hash, &mut file);
    if copied.is_err() {
        let _ = fs::remove_file(out);
    }
    copied
}

fn copy_to(audio: &Audio, audio_hash: Option<&str>, file: &mut File) -> io::Result<()> {
    let mut hash = blake3::Hasher::new();
    let mut at = 0;
    while at < audio.bytes() {
        let piece = audio.read_range(at..at + PIECE_BYTES)?;
        hash.update(&piece);
        file.write_all(&piece)?;
        at += piece.len() as u64;
    }
    file.sync_all()?;
    match audio_hash {
        Some(wanted) if wanted != hash.finalize().to_hex().as_str() => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "its audio is not what the call's record says"))
        }
        Some(_) | None => Ok(()),
    }
}
