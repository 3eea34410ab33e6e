//! Of whom was erased nothing is left in any file, whatever was cut off; and the commands that ask for it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests look at files")]

mod storage;

use ringside::{
    cli::verify::verify,
    id::CallId,
    io::{
        clock::Clock,
        storage::{Options, Storage, recover, start},
    },
    note::Part,
    record::{CallRecord, Ended},
    recording::{
        lifecycle::{Command, Event, Tags},
        request::{Answer, Receipt, Refused, Request, Subject, When},
        retention::{self, Policy, Upstream},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use storage::{call, ended, noise, recording, ringing, tags, tapped};

const WAIT: Duration = Duration::from_secs(60);
const NUMBER: &str = "+12065550142";
/// What names the caller that is erased.
const NAMES: [&str; 3] = ["2065550142", "Grace", "Hopper"];

fn options() -> Options {
    Options { ballast_bytes: 0, ..Options::default() }
}

fn begin(dir: &Path, options: &Options) -> (Storage, Receiver<Event>) {
    let clock = Clock::start();
    recover(dir, options, clock).unwrap();
    let (report, events) = channel();
    (start(dir, options, clock, move |event| drop(report.send(event))).unwrap(), events)
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn named(mut record: Box<CallRecord>) -> Box<CallRecord> {
    record.customer_phone_number = NUMBER.parse().ok();
    record.customer_name = Some("Grace Hopper".to_owned());
    record.sip_call_id = "2065550142@trunk".to_owned();
    record
}

/// A call of a second that is recorded, from the caller who is erased, or from the usual one.
fn take_call(
    storage: &Storage,
    events: &Receiver<Event>,
    seq: u64,
    who: fn(Box<CallRecord>) -> Box<CallRecord>,
) {
    let came_in = who(ringing(seq));
    let caller = came_in.customer_phone_number.as_ref().unwrap().to_string();
    storage.send(Command::Ringing(came_in));
    let frames = tapped(0, &noise(1, 8_000), &noise(2, 8_000));
    let (mut tap, ring) = rtrb::RingBuffer::new(frames.len());
    storage.start_recording(call(seq), recording(seq), Tags { caller, ..tags(seq) }, ring);
    frames.iter().for_each(|&frame| tap.push(frame).unwrap());
    drop(tap);
    storage.send(Command::Save(who(ended(seq, Ended::CallerHungUp))));
    let is_it = |event: &Event| matches!(event, Event::Recorded { call: of, .. } if *of == call(seq));
    while !is_it(&events.recv_timeout(WAIT).expect("an event")) {}
}

fn ask(storage: &Storage, request: &Request) -> Answer {
    until("the index is level", || match storage.desk().ask(request) {
        Err(Refused::Busy) => None,
        answer => Some(answer.unwrap()),
    })
}

fn erase(of: Subject, part: Part, receipt: Receipt) -> Request {
    let (by, why) = ("dana".to_owned(), "the caller asked".to_owned());
    Request::Erase { of, part, by, why, when: When::Now, receipt }
}

fn is_erased(storage: &Storage, call: CallId) -> bool {
    storage.index().get(call).ok().flatten().is_some_and(|record| retention::is_erased(&record))
}

/// Files below a directory that name the caller who is erased.
fn naming(dir: &Path) -> Vec<PathBuf> {
    let mut naming = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            naming.extend(self::naming(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let holds = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
        if NAMES.into_iter().any(holds) {
            naming.push(path);
        }
    }
    naming
}

fn is_left_in(dir: &Path, folder: &str) -> bool {
    naming(dir).iter().any(|path| path.starts_with(dir.join(folder)))
}

#[test]
fn of_a_number_that_was_erased_no_file_says_anything_even_after_a_cut() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (storage, events) = begin(dir, &options());
    take_call(&storage, &events, 1, named);
    take_call(&storage, &events, 2, |record| record);
    take_call(&storage, &events, 3, named);
    for folder in ["journal", "index", "rec"] {
        assert!(is_left_in(dir, folder), "{folder} names the caller: {:?}", naming(dir));
    }
    let aside = dir.join("index.bad-7");
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("db"), "Grace Hopper").unwrap();
    let number = Subject::Number(NUMBER.parse().unwrap());
    let answer = ask(&storage, &erase(number, Part::Record, Receipt::Needed));
    assert_eq!((answer.calls, answer.waiting.len()), (vec![call(1), call(3)], 0));
    until("erased", || (is_erased(&storage, call(1)) && is_erased(&storage, call(3))).then_some(()));
    // Cut off before the journal's frames are erased: the first start after it does that.
    storage.shutdown();
    assert!(dir.join("erasing.json").exists() && is_left_in(dir, "journal") && !is_left_in(dir, "rec"));
    let (storage, _events) = begin(dir, &options());
    until("nothing is left to do", || (!dir.join("erasing.json").exists()).then_some(()));
    assert!(is_erased(&storage, call(1)) && !is_erased(&storage, call(2)), "the new index answers");
    storage.shutdown();
    assert_eq!(naming(dir), Vec::<PathBuf>::new());
    let mut said = Vec::new();
    assert_eq!(verify(dir, None, false, &mut said).unwrap(), 0, "{}", String::from_utf8_lossy(&said));
    let other =
        fs::read_dir(dir.join("journal")).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    assert!(other.into_iter().any(|bytes| String::from_utf8_lossy(&bytes).contains("+13125550199")));
}

#[test]
fn with_an_upstream_an_erasure_waits_for_the_receipt_or_is_waived() {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy { upstream: Upstream::Configured, ..Policy::default() };
    let (storage, events) = begin(dir.path(), &Options { policy, ..options() });
    take_call(&storage, &events, 1, named);
    take_call(&storage, &events, 2, named);
    let request = |seq, receipt| erase(Subject::Call(call(seq)), Part::Record, receipt);
    assert_eq!(ask(&storage, &request(1, Receipt::Needed)).waiting, [call(1)]);
    assert_eq!(ask(&storage, &request(2, Receipt::Waived)).waiting, []);
    until("the second is erased", || is_erased(&storage, call(2)).then_some(()));
    assert!(!is_erased(&storage, call(1)));
    let listing = until("the listing", || storage.desk().listing());
    assert_eq!(listing.asked.iter().map(|one| one.call).collect::<Vec<_>>(), [call(1)]);
    assert_eq!(listing.waiting, [call(1)]);
    let audit = until("the audit", || storage.desk().audit(9));
    let did: Vec<&str> = audit.iter().map(|one| one.did.as_str()).collect();
    assert!(did.contains(&"let it be erased without the upstream's receipt"), "{did:?}");
}

/// Runs a command on a data directory on which no box runs.
fn command(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sim = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim/ringside.toml");
    let config = fs::read_to_string(sim).unwrap().replace("127.0.0.1:8480", &free.to_string());
    let path = dir.with_extension("toml");
    fs::write(&path, config).unwrap();
    let mut command = process::Command::new(env!("CARGO_BIN_EXE_ringside"));
    command.args(arguments).arg("--data").arg(dir).arg("--config").arg(&path);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_commands_hold_list_release_erase_and_account_for_it() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let (storage, events) = begin(&dir, &options());
    take_call(&storage, &events, 1, named);
    storage.shutdown();
    let id = call(1).to_string();
    for (arguments, is_good, said) in [
        (vec!["audit"], true, "nobody did anything"),
        (vec!["hold", &id, "--why", "court"], true, "is held"),
        (vec!["hold", &id, "--why", "court"], false, "it is held already"),
        (vec!["erase", "--number", NUMBER, "--why", "asked"], true, "legal hold"),
        (vec!["erase", "--list"], true, ": court, by "),
        (vec!["release", &id], true, "is free"),
        (vec!["release", &id], false, "it is not held"),
        (vec!["erase", "--call", &id], false, "--why"),
        (vec!["erase", "--number", NUMBER, "--why", "asked"], true, "is erased on"),
        (vec!["erase", "--cancel", &id], true, "stays"),
        (vec!["erase", "--call", &id, "--part", "record", "--now", "--why", "asked"], true, "being erased"),
        (vec!["erase", "--list", "--json"], true, r#""asked":[]"#),
        (vec!["audit"], true, "asked to erase the record"),
        (vec!["audit", "--json", "--limit", "1"], true, r#""why":"asked""#),
    ] {
        let (good, text) = command(&dir, &arguments);
        assert_eq!(good, is_good, "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    let (_, audit) = command(&dir, &["audit"]);
    let lines: Vec<&str> = audit.lines().collect();
    assert_eq!(lines.len(), 5, "{audit}");
    assert!(lines[0].contains("asked to erase the record") && lines[4].contains(" held "), "{audit}");
}
