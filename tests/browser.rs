//! The live page in a real browser: `browser/drive.mjs` in Debian's chromium, against scripted calls.
//!
//! `cargo test --test browser` installs the two node packages on its first run. Screenshots are left in
//! `target/browser/`. Without node or chromium the test says so and passes.

// A test owns its clock, its files and its threads.
#![allow(clippy::disallowed_methods)]

use ringside::{
    call::bubble::{Bubble, BubbleState},
    id::CallId,
    record::{CallRecord, Ended, LegKind, Presentation},
    time::WallTime,
    web::{
        self, Accounts, Calls, Health, LineTests, LiveBubbles, Metrics, Names, State, StatusBoard, SyncNow,
    },
};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::SystemTime,
};
use tokio::sync::oneshot;

#[test]
fn an_office_can_work_with_the_live_page() {
    if let Err(reason) = tools() {
        eprintln!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut office = Office::open(dir.path());
    let mut browser = drive(office.address);
    let mut published_ms = None;
    let mut report = None;
    for line in BufReader::new(browser.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("next", "calls")) => office.calls(),
            Some(("next", "hung-up")) => office.untracked(7),
            Some(("next", "hidden")) => office.ring(20, "+12125550147", "Radio spot"),
            Some(("next", "end")) => office.end(12),
            Some(("next", "timed")) => {
                published_ms = Some(now().0);
                office.ring(30, "+13125550188", "Google Ads");
            }
            Some(("next", "stop")) => office.stop(),
            Some(("next", "start")) => office.start(),
            Some(("report", json)) => report = serde_json::from_str::<serde_json::Value>(json).ok(),
            _ => panic!("the browser script said: {line}"),
        }
    }
    assert!(browser.wait().unwrap().success(), "the browser script found a fault; see above");
    let report = report.expect("a report at the end");
    let seen_ms = report["bubble_seen_at_ms"].as_u64().unwrap();
    eprintln!("{report}\nbubble on the screen {} ms after it was published", seen_ms - published_ms.unwrap());
}

/// Whether everything is there that the script needs; installs its packages.
fn tools() -> Result<(), String> {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() {
        return Err(format!("{chromium} is not installed (apt-get install chromium)"));
    }
    if Command::new("node").arg("--version").output().is_err() {
        return Err("node is not installed (apt-get install nodejs npm)".to_owned());
    }
    if script_dir().join("node_modules/playwright-core").exists() {
        return Ok(());
    }
    let install = Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(script_dir()).output();
    match install {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(format!("npm ci failed: {}", String::from_utf8_lossy(&done.stderr))),
        Err(error) => Err(format!("npm cannot be run: {error} (apt-get install npm)")),
    }
}

fn script_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn drive(address: SocketAddr) -> Child {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
    Command::new("node")
        .arg("drive.mjs")
        .arg(format!("http://{address}"))
        .arg(out)
        .env("RESTARTS", "1")
        .current_dir(script_dir())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The stored calls of the scripted day.
#[derive(Default)]
struct Shelf(Mutex<Vec<CallRecord>>);

impl Calls for Shelf {
    fn today(&self, limit: usize) -> Vec<CallRecord> {
        self.0.lock().unwrap().iter().rev().take(limit).cloned().collect()
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.0.lock().unwrap().iter().find(|record| record.id == call).cloned()
    }
}

/// A box without telephones: the page, and calls as the script asks for them.
struct Office {
    address: SocketAddr,
    state: State,
    shelf: Arc<Shelf>,
    server: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl Office {
    fn open(data_dir: &Path) -> Self {
        let shelf = Arc::new(Shelf(Mutex::new(the_morning(data_dir))));
        let state = State {
            live: LiveBubbles::new(),
            calls: Arc::<Shelf>::clone(&shelf),
            recordings: data_dir.to_owned(),
            metrics: Metrics::new(),
            health: Health::new(),
            status: StatusBoard::new(),
            line_tests: LineTests::unavailable(),
            retention: web::Retention::unavailable(),
            sync: SyncNow::default(),
            directory: web::DirectoryWay::unavailable(),
            accounts: Accounts::loopback_only(),
            names: Names::default(),
            office: Arc::new(web::EmptyBook),
            desk: web::Desk::unavailable(),
            proofs: ringside::web::Proofs::unavailable(),
            set_up: ringside::web::SetUp::unavailable(),
            certificate: web::Certificate::none(),
            happenings: ringside::web::Happenings::new(),
            webhooks: ringside::web::Webhooks::default(),
        };
        // A box with every lamp, every state and two alarms.
        let status = include_str!("data/status.json");
        state.status.publish(serde_json::from_str(status).unwrap());
        let mut office = Self { address: ([127, 0, 0, 1], 0).into(), state, shelf, server: None };
        office.start();
        office
    }

    fn start(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let state = self.state.clone();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                web::serve(listener, state, async move { drop(stopped.await) }).await
            })
        });
        self.server = Some((stop, served));
    }

    fn stop(&mut self) {
        let (stop, served) = self.server.take().unwrap();
        stop.send(()).unwrap();
        served.join().unwrap().unwrap();
    }

    /// One bubble of each state.
    fn calls(&self) {
        self.state.live.publish(Bubble {
            state: BubbleState::Ended,
            ended: Some(Ended::Cancelled),
            ..bubble(10, "+16305550162", "Google Ads")
        });
        self.state.live.publish(Bubble {
            silent: Some(LegKind::Trunk),
            ..answered(11, "+442079460123", "Radio spot", "PHONE2", 187_000)
        });
        self.state.live.publish(Bubble {
            caller_name: Some("Dana Ortiz".to_owned()),
            ..answered(12, "+12065550173", "Spring mailer", "PHONE1", 42_000)
        });
        self.state.live.publish(Bubble {
            presentation: Presentation::Restricted,
            caller_number: None,
            ..bubble(13, "", "Google Ads")
        });
    }

    /// A call that is not tracked is over.
    fn untracked(&self, count: u64) {
        let mut status = (*self.state.status.newest().unwrap()).clone();
        status.counters.untracked = count;
        self.state.status.publish(status);
    }

    fn ring(&self, n: u64, caller: &str, campaign: &str) {
        self.state.live.publish(bubble(n, caller, campaign));
    }

    fn end(&self, n: u64) {
        let live = self.state.live.snapshot().into_iter().find(|shown| shown.bubble.call == call(n)).unwrap();
        self.state.live.publish(Bubble {
            rev: live.bubble.rev + 1,
            state: BubbleState::Ended,
            ended: Some(Ended::CallerHungUp),
            recording: false,
            ..live.bubble
        });
        let record = record(n, 0, &["+12065550173", "Dana Ortiz", "Spring mailer"], "caller_hung_up");
        self.shelf.0.lock().unwrap().push(record);
        self.state.live.record_changed(call(n));
    }
}

fn now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    WallTime(u64::try_from(since_epoch.as_millis()).unwrap())
}

fn call(n: u64) -> CallId {
    CallId::from_parts(WallTime(1_795_352_709_000), u128::from(n))
}

fn bubble(n: u64, caller: &str, campaign: &str) -> Bubble {
    Bubble {
        call: call(n),
        rev: 1,
        state: BubbleState::Ringing,
        start_time: now(),
        caller_number: caller.parse().ok(),
        presentation: Presentation::Allowed,
        caller_name: None,
        verified: false,
        tracking_number: format!("+1312555010{}", n % 4).parse().unwrap(),
        campaign: campaign.to_owned(),
        port: None,
        answered_at: None,
        recording: false,
        silent: None,
        ended: None,
        why: None,
    }
}

fn answered(n: u64, caller: &str, campaign: &str, port: &str, since_ms: u64) -> Bubble {
    let began = now().0 - since_ms;
    Bubble {
        rev: 2,
        state: BubbleState::Live,
        start_time: WallTime(began - 9000),
        port: Some(port.to_owned()),
        answered_at: Some(WallTime(began)),
        recording: true,
        ..bubble(n, caller, campaign)
    }
}

/// What was on the table before the page was opened, oldest first.
fn the_morning(data_dir: &Path) -> Vec<CallRecord> {
    let day: [([&str; 3], &str); 8] = [
        (["+17735550121", "Maple Street Dental", "Google Ads"], "caller_hung_up"),
        (["+13125550177", "", "Spring mailer"], "no_answer"),
        (["", "", "Radio spot"], "office_hung_up"),
        (["+442079460123", "", "Radio spot"], "cancelled"),
        (["+18475550139", "R. Kowalski", "Google Ads"], "caller_hung_up"),
        (["+16305550162", "", "Spring mailer"], "busy"),
        (["+12245550114", "Northside Heating", "Google Ads"], "office_hung_up"),
        (["+13125550190", "", "Google Ads"], "interrupted"),
    ];
    let mut records = Vec::new();
    for (n, (who, ended)) in (1..).zip(day) {
        let mut record = record(n, (9 - n) * 37 * 60_000, &who, ended);
        if record.answered {
            record_audio(&mut record, data_dir, talk_s(n));
        }
        records.push(record);
    }
    records
}

/// Seconds that call `n` lasts, if it is answered.
fn talk_s(n: u64) -> u64 {
    12 + 5 * n
}

/// A stored call `ago_ms` before now; `who` is the caller's number (none: anonymous), name and campaign.
fn record(n: u64, ago_ms: u64, who: &[&str; 3], ended: &str) -> CallRecord {
    let [number, name, campaign] = *who;
    let answered = matches!(ended, "caller_hung_up" | "office_hung_up");
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let record = json!({
        "schema": "ringside.call/1", "id": call(n), "box_id": "box_01KAN5HZFF0000000000000000", "seq": n, "rev": 2,
        "direction": "inbound", "tracked": true, "start_time": WallTime(now().0 - ago_ms),
        "customer_phone_number": some(number),
        "customer_number_presentation": if number.is_empty() { "restricted" } else { "allowed" },
        "customer_name": some(name), "tracking_phone_number": format!("+1312555010{}", n % 4),
        "campaign": {"id": "cmp", "name": campaign, "source_name": campaign, "medium": "print"},
        "attribution": {"method": "request_uri", "double_forwarded": n % 3 == 1,
            "diversion": if n % 3 == 1 { json!([{"number": "+13125550199", "reason": "unconditional"}]) } else { json!([]) },
            "warnings": []},
        "timing_ms": {"invite_to_bubble": 2, "invite_to_ring": 14, "ring": 8200, "sip_200_sent": answered.then_some(8220),
            "answer_to_audio": answered.then_some(61), "talk": answered.then_some(talk_s(n) * 1000), "hold": 0,
            "total": 9000 + talk_s(n) * 1000},
        "answered": answered,
        "answered_by": answered.then(|| json!({"kind": "handset", "port": format!("PHONE{}", 1 + n % 2), "evidence": "off_hook"})),
        "voicemail": false, "duration": 60, "outcome": {"ended": ended, "sip_status": 200},
        "legs": [
            {"kind": "trunk", "codec": "PCMU", "packets": 50 * talk_s(n), "lost": n, "cid_sent": false},
            {"kind": "line", "port": "PHONE1", "packets": 0, "lost": 0, "cid_sent": true}],
        "route": [
            {"hop": "caller", "at_ms": 0, "what": "dialled the tracking number"},
            {"hop": "via 203.0.113.4", "at_ms": 0, "what": "trunk"},
            {"hop": "box", "at_ms": 2, "what": "bubble shown"},
            {"hop": "PHONE1", "at_ms": 14, "what": "rang"}],
        "consent": {"policy": "announce", "disclosure_played": true, "heard_by": ["caller", "office"]},
        "recording": {"state": "none", "codec": "opus", "container": "ogg", "channels": 2,
            "channel_map": ["caller", "office"], "duration_ms": 0, "expected_ms": 0, "gap_ms": 0, "bytes": 0},
        "sync": {"record_acked_rev": 0, "recording_acked": false}, "journaled_ms": 4, "sip_call_id": "f3a1@203.0.113.4"
    });
    serde_json::from_value(record).unwrap()
}

const RATE: u64 = 8000;

/// Gives a record a synthetic recording of `seconds`: two voices in turns, encoded by ffmpeg if it is there.
fn record_audio(record: &mut CallRecord, data_dir: &Path, seconds: u64) {
    let path = data_dir.join(format!("{}.opus", record.id));
    let wav = data_dir.join("voices.wav");
    let samples: Vec<[i16; 2]> = (0..seconds * RATE).map(voices).collect();
    std::fs::write(&wav, wav_file(&samples)).unwrap();
    let encode = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&wav)
        .args(["-c:a", "libopus", "-b:a", "24k", "-f", "ogg"])
        .arg(&path)
        .status();
    if !encode.is_ok_and(|status| status.success()) {
        eprintln!("without ffmpeg the calls have no recordings, and the player is not tried");
        return;
    }
    std::fs::write(path.with_extension("peaks"), peaks_file(&samples)).unwrap();
    record.recording.state = ringside::record::RecordingState::Closed;
    record.recording.duration_ms = seconds * 1000;
    record.recording.bytes = std::fs::metadata(&path).unwrap().len();
    record.recording.hash = Some(blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string());
    record.recording.path = path.file_name().map(|name| name.to_string_lossy().into_owned());
}

/// A sample of both voices: they take turns of some seconds, in words of uneven loudness.
fn voices(at: u64) -> [i16; 2] {
    let t = at as f64 / RATE as f64;
    let word = ((t * 5.3).sin() * (t * 2.1).cos() + (t * 0.83).sin() * 0.5).abs().min(1.0);
    let speak = |pitch: f64, turn: f64| {
        let share = (turn * 6.0).clamp(0.0, 1.0);
        (share * word * 16_000.0 * (t * pitch * std::f64::consts::TAU).sin()) as i16
    };
    let turn = (t * 0.9).sin() + (t * 0.37).sin() * 0.6;
    [speak(210.0, turn), speak(140.0, -turn)]
}

fn wav_file(samples: &[[i16; 2]]) -> Vec<u8> {
    let data_bytes = u32::try_from(samples.len() * 4).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + data_bytes).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    wav.extend(u32::try_from(RATE).unwrap().to_le_bytes());
    wav.extend(u32::try_from(RATE * 4).unwrap().to_le_bytes());
    wav.extend(b"\x04\0\x10\0data");
    wav.extend(data_bytes.to_le_bytes());
    wav.extend(samples.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
    wav
}

fn peaks_file(samples: &[[i16; 2]]) -> Vec<u8> {
    let mut peaks = b"RSPK\x01\0\0\0".to_vec();
    for tenth in samples.chunks(RATE as usize / 10) {
        for leg in [0, 1] {
            let eighths = || tenth.iter().map(|pair| (pair[leg] >> 8) as i8);
            peaks.extend([eighths().min().unwrap_or(0), eighths().max().unwrap_or(0)].map(i8::cast_unsigned));
        }
    }
    peaks
}
