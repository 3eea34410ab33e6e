//! Encrypted recordings on the disk: what is in them, who opens them, what a cut or a change does to them.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    cli::verify::verify,
    id::{CallId, RecordingId},
    io::{
        box_key::BoxKey,
        clock::Clock,
        files::{self, ENCRYPTED, ENCRYPTED_PART},
        journal::reader::fold,
        recording_file::{Audio, RecordingFile, Sealing, inspect, repair},
        storage::{Options, recover, start},
    },
    record::{CallRecord, Ended, RecordingState},
    recording::{
        lifecycle::Command,
        recorder::Output,
        vault::{CHUNK_OVERHEAD, Header, Kek, PublicKey, Unlock, Vault},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process,
};
use storage::{call, decode, ended, noise, record, recording, ringing, run, tags, tapped};

/// An encrypted recording in a folder of its own, and what is in it.
struct Kept {
    dir: tempfile::TempDir,
    vault: Vault,
    pages: Vec<u8>,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Kept {
    /// Of `frames` of 10 ms, quiet enough to be small.
    fn new(frames: usize) -> Self {
        Self::of(recording(1), call(1), frames)
    }

    fn of(recording: RecordingId, call: CallId, frames: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault { kek: Kek::new([7; 32]), owner: Some(PublicKey::new([9; 32])) };
        let output = record(&tapped(0, &noise(1, frames * 80), &vec![0; frames * 80]));
        let relative = format!("{call}.{ENCRYPTED}");
        let sealing = Sealing { vault: &vault, recording, call };
        let mut file = RecordingFile::create(dir.path(), &relative, Some(sealing)).unwrap();
        file.append(&output).unwrap();
        let finished = file.finish().unwrap();
        let path = dir.path().join(relative);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(finished.hash, blake3::hash(&bytes).to_hex().to_string());
        assert_eq!(finished.audio_hash, Some(blake3::hash(&output.pages).to_hex().to_string()));
        Self { dir, vault, pages: output.pages, path, bytes }
    }

    fn key(&self) -> Unlock<'_> {
        Unlock::Box(&self.vault.kek)
    }

    /// Where each chunk ends in the file; the first is where the header does.
    fn ends(&self) -> Vec<usize> {
        let mut ends = vec![Header::parse(&self.bytes).unwrap().bytes().len()];
        while let Some(length) = self.bytes[*ends.last().unwrap()..].first_chunk() {
            ends.push(ends.last().unwrap() + 4 + u32::from_le_bytes(*length) as usize);
        }
        ends
    }

    /// What opens and is right about `bytes` in place of the recording.
    fn is_taken(&self, bytes: &[u8]) -> bool {
        fs::write(&self.path, bytes).unwrap();
        let inspected = inspect(&self.path, Some(self.key()));
        let read = Audio::open(&self.path, Some(self.key())).and_then(|audio| audio.read_range(0..u64::MAX));
        let inspected = inspected.is_ok_and(|found| found.fault.is_none() && found.outline.ended());
        let read = read.is_ok();
        assert_eq!(inspected, read, "the inspection and the player do not agree");
        read
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn is_clean(path: &Path) {
    let (ok, text) = run("opusinfo", &[path.to_str().unwrap()]);
    assert!(ok && !text.to_lowercase().contains("warning"), "{text}");
    let (ok, text) = run("ffprobe", &["-v", "warning", path.to_str().unwrap()]);
    assert!(ok && text.is_empty(), "{text}");
    let play = ["-v", "warning", "-i", path.to_str().unwrap(), "-f", "null", "-"];
    let (ok, text) = run("ffmpeg", &play);
    assert!(ok && text.is_empty(), "{text}");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let kept = Kept::new(8);
    assert!(kept.is_taken(&kept.bytes), "the recording itself");
    for bit in 0..kept.bytes.len() * 8 {
        let mut flipped = kept.bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!kept.is_taken(&flipped), "bit {bit} of {}", kept.bytes.len() * 8);
    }
    println!("{} bits", kept.bytes.len() * 8);
}

#[test]
fn a_file_cut_at_any_byte_keeps_every_whole_chunk_and_plays() {
    let kept = Kept::new(320);
    let ends = kept.ends();
    let part = kept.path.with_extension("enc.part");
    assert!(part.to_str().unwrap().ends_with(ENCRYPTED_PART));
    let mut seen = 0;
    for cut in 0..=kept.bytes.len() {
        fs::write(&part, &kept.bytes[..cut]).unwrap();
        let repaired = repair(&part, Some(&kept.vault.kek)).unwrap();
        let chunks = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        assert_eq!(repaired.is_some(), chunks > 2, "cut at {cut}: two headers are no audio");
        let Some(repaired) = repaired else { continue };
        let whole = ends[chunks] - ends[0] - chunks * CHUNK_OVERHEAD;
        let audio = Audio::open(&kept.path, Some(kept.key())).unwrap().read_range(0..u64::MAX).unwrap();
        assert_eq!(audio[..whole], kept.pages[..whole], "cut at {cut}");
        let is_whole = whole == kept.pages.len();
        assert_eq!(audio.len() - whole, if is_whole { 0 } else { 27 }, "a page that ends the stream");
        assert_eq!(repaired.cut_bytes, (cut - ends[chunks]) as u64);
        if chunks > seen {
            seen = chunks;
            let opened = kept.dir.path().join("opened.opus");
            fs::write(&opened, &audio).unwrap();
            is_clean(&opened);
            assert_eq!(decode(&opened).0.len() as u64 / 8, repaired.duration_ms);
        }
    }
    assert_eq!(seen, ends.len() - 1);
    println!("{} cuts, {seen} chunks", kept.bytes.len() + 1);
}

#[test]
fn a_repair_that_is_cut_off_is_done_again() {
    let kept = Kept::new(320);
    let ends = kept.ends();
    let part = kept.path.with_extension("enc.part");
    let torn = &kept.bytes[..ends[4] - 3];
    fs::write(&part, torn).unwrap();
    repair(&part, Some(&kept.vault.kek)).unwrap().unwrap();
    let once = fs::read(&kept.path).unwrap();
    for cut in ends[3]..=once.len() {
        fs::write(&part, &once[..cut]).unwrap();
        repair(&part, Some(&kept.vault.kek)).unwrap().unwrap();
        assert_eq!(fs::read(&kept.path).unwrap(), once, "cut at {cut}: other bytes under the same nonce");
    }
}

#[test]
fn without_its_key_a_cut_file_is_left_as_it_is() {
    let kept = Kept::new(320);
    let part = kept.path.with_extension("enc.part");
    let torn = &kept.bytes[..kept.bytes.len() - 9];
    fs::write(&part, torn).unwrap();
    let wrong = Kek::new([8; 32]);
    for (kek, said) in [(None, "no key here"), (Some(&wrong), kept.vault.kek.id().as_str())] {
        let error = repair(&part, kek).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(fs::read(&part).unwrap(), torn);
    }
}

#[test]
fn parts_of_two_recordings_do_not_fit_together() {
    let (mine, theirs) = (Kept::new(320), Kept::of(recording(2), call(2), 320));
    let (my, their) = (mine.ends(), theirs.ends());
    let chunk = |kept: &Kept, ends: &[usize], n: usize| kept.bytes[ends[n]..ends[n + 1]].to_vec();
    let built = |header: &[u8], chunks: &[Vec<u8>]| [header.to_vec(), chunks.concat()].concat();
    let header = &mine.bytes[..my[0]];
    let own: Vec<_> = (0..my.len() - 1).map(|n| chunk(&mine, &my, n)).collect();
    assert!(mine.is_taken(&built(header, &own)), "as it was");
    assert!(!mine.is_taken(&built(&theirs.bytes[..their[0]], &own)), "under another header");
    for (a, b) in [(0, 1), (2, 3), (3, own.len() - 1)] {
        let mut swapped = own.clone();
        swapped.swap(a, b);
        assert!(!mine.is_taken(&built(header, &swapped)), "{a} and {b} swapped");
    }
    for n in 0..own.len() {
        let mut foreign = own.clone();
        foreign[n] = chunk(&theirs, &their, n);
        assert!(!mine.is_taken(&built(header, &foreign)), "chunk {n} of another recording");
        let mut doubled = own.clone();
        doubled.insert(n, own[n].clone());
        assert!(!mine.is_taken(&built(header, &doubled)), "chunk {n} twice");
        let mut missing = own.clone();
        missing.remove(n);
        assert!(!mine.is_taken(&built(header, &missing)), "chunk {n} left out");
    }
    assert!(!mine.is_taken(&[&mine.bytes[..], b"more"].concat()));
}

#[test]
fn a_range_is_the_same_slice_of_the_audio() {
    let kept = Kept::new(320);
    let audio = Audio::open(&kept.path, Some(kept.key())).unwrap();
    let length = kept.pages.len() as u64;
    assert_eq!(audio.bytes(), length);
    for start in (0..length + 40).step_by(37) {
        for wanted in [0, 1, 26, 500, 4_000, u64::MAX - start] {
            let end = (start + wanted).min(length);
            let slice = kept.pages.get(start as usize..end as usize).unwrap_or_default();
            assert_eq!(audio.read_range(start..start + wanted).unwrap(), slice, "{start}+{wanted}");
        }
    }
}

/// A data directory with a recorded call, encrypted if asked for; the audio is the same each time.
fn recorded_call(encrypt: bool, owner: Option<PublicKey>) -> (tempfile::TempDir, CallRecord) {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault { kek: BoxKey::open(dir.path()).unwrap().kek(), owner };
    let options = Options { ballast_bytes: 0, vault: Some(vault), encrypt, ..Options::default() };
    recover(dir.path(), &options, Clock::start()).unwrap();
    let storage = start(dir.path(), &options, Clock::start(), |_| {}).unwrap();
    let (mut tap, ring) = rtrb::RingBuffer::new(2_000);
    storage.send(Command::Ringing(ringing(1)));
    storage.start_recording(call(1), recording(1), tags(1), ring);
    for frame in tapped(0, &noise(1, 80_000), &noise(2, 80_000)) {
        tap.push(frame).unwrap();
    }
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    drop(tap);
    storage.shutdown();
    let record = fold(&dir.path().join("journal")).unwrap().0.remove(0);
    (dir, record)
}

fn ringside(arguments: &[&str]) -> (bool, String) {
    let output = process::Command::new(env!("CARGO_BIN_EXE_ringside")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_encrypted_call_is_noise_on_the_disk_and_the_plain_recording_when_it_is_opened() {
    let (plain_dir, plain) = recorded_call(false, None);
    let (dir, record) = recorded_call(true, None);
    let facts = &record.recording;
    assert_eq!((facts.state, facts.duration_ms), (RecordingState::Closed, 10_000));
    assert_eq!(facts.encryption.as_deref(), Some("xchacha20poly1305"));
    assert_eq!((&plain.recording.encryption, &plain.recording.audio_hash), (&None, &None));
    assert_eq!(facts.audio_hash, plain.recording.hash);
    let path = dir.path().join(facts.path.as_ref().unwrap());
    assert!(path.to_str().unwrap().ends_with(".opus.enc"));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(facts.hash, Some(blake3::hash(&bytes).to_hex().to_string()));
    for word in ["OggS", "OpusHead", "OpusTags", "+1312555", "Spring"] {
        assert!(!contains(&bytes, word.as_bytes()), "{word} is in the file");
    }
    let opened = dir.path().join("opened.opus");
    let call = record.id.to_string();
    let (ok, said) =
        ringside(&["recordings", "open", &call, "--data", text(dir.path()), "--out", text(&opened)]);
    assert!(ok, "{said}");
    let plain = fs::read(plain_dir.path().join(plain.recording.path.unwrap())).unwrap();
    assert_eq!(fs::read(&opened).unwrap(), plain);
    is_clean(&opened);
    println!("{} bytes, {} encrypted", plain.len(), bytes.len());
}

#[test]
fn the_owner_opens_a_recording_when_the_box_key_is_gone_and_nobody_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let keys = ["mine", "other"].map(|name| dir.path().join(name));
    let public = keys.each_ref().map(|key| {
        let (ok, said) = ringside(&["recordings", "new-owner-key", "--out", text(key)]);
        assert!(ok, "{said}");
        let line = said.lines().find_map(|line| line.strip_prefix("owner_key = \""));
        line.unwrap().trim_end_matches('"').to_owned()
    });
    let owner = PublicKey::new(ringside::hex::decode(&public[0]).unwrap());
    let (data, record) = recorded_call(true, Some(owner));
    let stolen = dir.path().join("box.key");
    fs::rename(data.path().join("box.key"), &stolen).unwrap();
    let path = data.path().join(record.recording.path.unwrap());
    let out = dir.path().join("out.opus");
    let open = |key: Option<&Path>| {
        let mut arguments = vec!["recordings", "open", text(&path), "--data", text(data.path())];
        arguments.extend(["--out", text(&out)]);
        key.into_iter().for_each(|key| arguments.extend(["--key", text(key)]));
        let (ok, said) = ringside(&arguments);
        assert_eq!(ok, out.exists(), "{said}");
        let audio = ok.then(|| blake3::hash(&fs::read(&out).unwrap()).to_hex().to_string());
        let _ = fs::remove_file(&out);
        (audio, said)
    };
    assert_eq!(open(Some(&keys[0])).0, record.recording.audio_hash);
    assert_eq!(open(Some(&stolen)).0, record.recording.audio_hash, "a copy of the box's key does it too");
    let (audio, said) = open(Some(&keys[1]));
    assert!(audio.is_none() && said.contains(&public[0]), "{said}");
    let (audio, said) = open(None);
    assert!(audio.is_none() && said.contains("no key"), "{said}");
    let box_key = BoxKey::read(&stolen).unwrap().kek().id();
    BoxKey::open(data.path()).unwrap();
    let (audio, said) = open(None);
    assert!(audio.is_none() && said.contains(&box_key), "{said}");
}

fn verdict(dir: &Path) -> (String, String) {
    let mut out = Vec::new();
    verify(dir, None, true, &mut out).unwrap();
    let line: serde_json::Value = serde_json::from_slice(out.split(|b| *b == b'\n').next().unwrap()).unwrap();
    let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    (word("verdict"), word("detail"))
}

#[test]
fn an_encrypted_recording_is_verified_with_and_without_its_key() {
    let (dir, record) = recorded_call(true, None);
    assert_eq!(verdict(dir.path()), ("good".to_owned(), String::new()));
    let path = dir.path().join(record.recording.path.unwrap());
    let whole = fs::read(&path).unwrap();
    let header = Header::parse(&whole).unwrap().bytes().len();
    let damage = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
    };
    damage(header + 2_000);
    assert_eq!(verdict(dir.path()).0, "damaged");
    damage(20);
    assert_eq!(verdict(dir.path()).0, "unreadable");
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(verdict(dir.path()).0, "damaged");
    fs::remove_file(dir.path().join("box.key")).unwrap();
    assert_eq!(verdict(dir.path()).0, "changed");
    fs::write(&path, &whole).unwrap();
    assert_eq!(verdict(dir.path()).0, "good");
    assert!(verdict(dir.path()).1.contains("only the digest"), "{:?}", verdict(dir.path()));
    BoxKey::open(dir.path()).unwrap();
    let (word, detail) = verdict(dir.path());
    assert!(word == "good" && detail.contains("box key"), "under another key: {word}, {detail}");
}

/// A call that was talking when the power went: its record in the journal, its recording cut.
fn cut_call(dir: &Path, options: &Options) -> PathBuf {
    let storage = start(dir, options, Clock::start(), |_| {}).unwrap();
    storage.send(Command::Ringing(ringing(1)));
    let record = storage::still_writing(1);
    storage.send(Command::Answered { call: call(1), record });
    storage.shutdown();
    let relative = files::path_of(call(1), tags(1).start_time, ENCRYPTED);
    let vault = options.vault.as_ref().unwrap();
    let sealing = Sealing { vault, recording: recording(1), call: call(1) };
    let mut file = RecordingFile::create(dir, &relative, Some(sealing)).unwrap();
    let mut output: Output = record_of_five_seconds();
    output.pages.truncate(0);
    for page in pages(&record_of_five_seconds().pages).into_iter().take(5) {
        output.pages = page;
        file.append(&output).unwrap();
    }
    dir.join(relative)
}

fn record_of_five_seconds() -> Output {
    record(&tapped(0, &noise(1, 40_000), &noise(2, 40_000)))
}

fn pages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"OggS\0")).chain([bytes.len()]).collect();
    starts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

#[test]
fn a_power_cut_in_an_encrypted_call_is_repaired_also_when_encryption_is_off_by_then() {
    let dir = tempfile::tempdir().unwrap();
    let kek = BoxKey::open(dir.path()).unwrap().kek();
    let on = Options {
        ballast_bytes: 0,
        vault: Some(Vault { kek, owner: None }),
        encrypt: true,
        ..Options::default()
    };
    recover(dir.path(), &on, Clock::start()).unwrap();
    let path = cut_call(dir.path(), &on);
    let off = Options { encrypt: false, ..on.clone() };
    let recovered = recover(dir.path(), &off, Clock::start()).unwrap();
    assert_eq!(recovered.repaired, [call(1)]);
    let facts = fold(&dir.path().join("journal")).unwrap().0.remove(0).recording;
    assert_eq!((facts.state, facts.encryption.is_some()), (RecordingState::Recovered, true));
    assert!((2_900..=3_000).contains(&facts.duration_ms), "3 pages of audio: {} ms", facts.duration_ms);
    assert_eq!(dir.path().join(facts.path.unwrap()), path);
    assert_eq!(verdict(dir.path()), ("good".to_owned(), String::new()));
}

#[test]
fn a_cut_call_whose_key_is_lost_says_so_and_is_repaired_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let kek = Kek::new([5; 32]);
    let with = Options {
        ballast_bytes: 0,
        vault: Some(Vault { kek, owner: None }),
        encrypt: true,
        ..Options::default()
    };
    recover(dir.path(), &with, Clock::start()).unwrap();
    let path = cut_call(dir.path(), &with);
    let without = Options { vault: None, ..with.clone() };
    recover(dir.path(), &without, Clock::start()).unwrap();
    let facts = || fold(&dir.path().join("journal")).unwrap().0.remove(0).recording;
    assert_eq!((facts().state, facts().why_none.as_deref()), (RecordingState::Failed, Some("locked")));
    assert!(path.with_extension("enc.part").exists() && !path.exists());
    recover(dir.path(), &with, Clock::start()).unwrap();
    assert_eq!((facts().state, facts().why_none), (RecordingState::Recovered, None));
    assert!(path.exists());
}

#[test]
fn recordings_that_are_to_be_encrypted_are_refused_without_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { ballast_bytes: 0, vault: None, encrypt: true, ..Options::default() };
    recover(dir.path(), &options, Clock::start()).unwrap();
    let storage = start(dir.path(), &options, Clock::start(), |_| {}).unwrap();
    let (_tap, ring) = rtrb::RingBuffer::new(10);
    storage.start_recording(call(1), recording(1), tags(1), ring);
    storage.send(Command::Save(ended(1, Ended::CallerHungUp)));
    storage.shutdown();
    let facts = fold(&dir.path().join("journal")).unwrap().0.remove(0).recording;
    assert_eq!((facts.state, facts.why_none.as_deref()), (RecordingState::None, Some("no_key")));
    assert_eq!((facts.path, facts.encryption), (None, None));
}
