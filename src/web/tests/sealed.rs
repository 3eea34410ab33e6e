//! An encrypted recording as the player meets it: the same as a plain one.

use super::*;
use crate::{
    id::RecordingId,
    io::recording_file::{self, RecordingFile, Sealing},
    recording::{
        lifecycle::Tags,
        recorder::{Output, Recorder},
        vault::{Kek, Unlock, Vault},
    },
};

struct SealedShelf {
    record: CallRecord,
    kek: Option<Kek>,
}

struct Opened(recording_file::Audio);

impl SealedAudio for Opened {
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn read_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.0.read_range(range)
    }
}

impl Calls for SealedShelf {
    fn today(&self, _limit: usize) -> Vec<CallRecord> {
        vec![self.record.clone()]
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        (call == self.record.id).then(|| self.record.clone())
    }

    fn open_sealed(&self, recording: &Path) -> io::Result<Arc<dyn SealedAudio>> {
        let key = self.kek.as_ref().map(Unlock::Box);
        Ok(Arc::new(Opened(recording_file::Audio::open(recording, key)?)))
    }
}

/// An office with one encrypted recording of 40 s, and its audio.
fn office(dir: &Path, with_key: bool) -> (Office, Vec<u8>) {
    let mut record = recorded(1, dir);
    let (call, recording) = (record.id, RecordingId::from_parts(WallTime(1), 1));
    let (tracking, caller, campaign) = <(String, String, String)>::default();
    let tags = Tags { call, tracking, caller, start_time: WallTime(1), campaign };
    let mut output = Output::default();
    let mut recorder = Recorder::new(recording, &tags, &mut output).unwrap();
    for at in 0..4_000_u64 {
        let sample = |n: usize| i16::try_from((at * 80 + n as u64) * 7_919 % 20_011).unwrap() - 10_000;
        let (caller, office) = (std::array::from_fn(sample), std::array::from_fn(|n| sample(n * 3)));
        recorder.push(crate::audio::tap_frame::TapFrame { at: at * 80, caller, office, is_paused: false });
        while recorder.step(&mut output).unwrap() {}
    }
    recorder.finish(&mut output).unwrap();
    let vault = Vault { kek: Kek::new([1; 32]), owner: None };
    let path = format!("rec/{call}.opus.enc");
    let sealing = Sealing { vault: &vault, recording, call };
    let mut file = RecordingFile::create(dir, &path, Some(sealing)).unwrap();
    file.append(&output).unwrap();
    file.finish().unwrap();
    record.recording.path = Some(path);
    record.recording.encryption = Some("xchacha20poly1305".to_owned());
    let mut office = Office::empty();
    office.state.recordings = dir.to_owned();
    office.state.calls = Arc::new(SealedShelf { record, kek: with_key.then_some(vault.kek) });
    (office, output.pages)
}

#[tokio::test]
async fn an_encrypted_recording_is_served_as_a_plain_one() {
    let dir = tempfile::tempdir().unwrap();
    let (office, audio) = office(dir.path(), true);
    let length = audio.len();
    assert!(length > 100_000, "{length} bytes are one piece");
    let path = format!("/calls/{}/recording", made_up::call(1));
    let ask = |name, value: String| office.send(to(&path).header(name, value).body(Body::empty()).unwrap());
    let whole = ask(header::ACCEPT, "*/*".to_owned()).await;
    assert_eq!(whole.status(), StatusCode::OK);
    let expected =
        [(header::CONTENT_TYPE, "audio/ogg"), (header::ETAG, "\"ab12\""), (header::ACCEPT_RANGES, "bytes")];
    for (name, value) in expected {
        assert_eq!(whole.headers()[&name], value);
    }
    assert_eq!(whole.headers()[header::CONTENT_LENGTH], length.to_string());
    assert_eq!(to_bytes(whole.into_body(), 1 << 24).await.unwrap()[..], audio[..]);
    for (first, last) in [(0, 0), (10, 13), (1_000, 99_999), (length - 5, length - 1), (70_000, length + 9)] {
        let part = ask(header::RANGE, format!("bytes={first}-{last}")).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        let last = last.min(length - 1);
        assert_eq!(part.headers()[header::CONTENT_RANGE], format!("bytes {first}-{last}/{length}"));
        assert_eq!(part.headers()[header::CONTENT_LENGTH], (last + 1 - first).to_string());
        assert_eq!(to_bytes(part.into_body(), 1 << 24).await.unwrap()[..], audio[first..=last]);
    }
    let beyond = ask(header::RANGE, format!("bytes={length}-")).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()[header::CONTENT_RANGE], format!("bytes */{length}"));
    assert_eq!(ask(header::IF_NONE_MATCH, "\"ab12\"".to_owned()).await.status(), StatusCode::NOT_MODIFIED);
    let head = to(&path).method("HEAD").header(header::RANGE, "bytes=0-1").body(Body::empty()).unwrap();
    let head = office.send(head).await;
    assert_eq!((head.status(), &head.headers()[header::CONTENT_LENGTH]), (StatusCode::OK, &length.into()));
    assert!(to_bytes(head.into_body(), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_encrypted_recording_whose_key_is_gone_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (office, _) = office(dir.path(), false);
    let (status, said) = office.get(&format!("/calls/{}/recording", made_up::call(1))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(said.contains("encrypted"), "{said}");
}
