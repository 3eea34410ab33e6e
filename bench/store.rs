//! What the journal and the index of calls cost: `cargo bench --bench store [-- --json]`.
//!
//! The store of 100,000 calls lies in memory (`/dev/shm`, or `TMPDIR`), so that times are those of the program and not
//! of a disk; what a disk adds is one `fdatasync` per commit, which is counted. Memory is that of a fresh process that
//! opens the store, less what it had before.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench looks at files and clocks")]

mod count;
mod row;
#[path = "../tests/storage/mod.rs"]
mod storage;

use ringside::{
    id::BoxId,
    io::{
        journal::{
            Fact, Kind,
            writer::{Disk, RealDisk, Writer},
        },
        store::{Index, Limits},
    },
    ledger::{
        Filter,
        filter::Site,
        report::report,
        search::{self, Paging},
    },
    note::{Note, What},
    number::Dialplan,
    record::{AnsweredBy, Campaign, Ended, Recording, RecordingState},
    time::WallTime,
};
use row::Row;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use storage::{START, call, ended, recording};

const CALLS: u64 = 100_000;
/// Calls confirmed one batch after the other, as the sync client does.
const DRAINED: usize = 10_000;
const BATCH: usize = 200;
/// Commits in the shorter and the longer counted run.
const COMMITS: [&str; 2] = ["100", "600"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let run = match &arguments[..] {
        [_, what, number] if what == "--journal" => journal_commits(number),
        [_, what, dir] if what == "--memory" => memory(Path::new(dir)),
        _ => measure(),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("store: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn print(metric: &'static str, value: f64, unit: &'static str, goal: Option<f64>) {
    Row { bench: "store", metric, value, unit, goal }.print();
}

fn measure() -> Outcome<()> {
    let per_entry = |what| count::instructions(&[what, COMMITS[0]], &[what, COMMITS[1]], 500);
    print("journal_instructions_per_commit_of_1", per_entry("--journal")?, "instructions", Some(100_000.0));
    print("journal_fdatasyncs_per_commit", fdatasyncs()?, "syscalls", Some(1.0));

    let dir = tempfile::tempdir_in(in_memory())?;
    let journal = dir.path().join("journal");
    let (mut writer, _) = Writer::open(&journal, BoxId::from_parts(START, 7), 1, Box::new(RealDisk))?;
    let begun = Instant::now();
    for first in (1..=CALLS).step_by(BATCH) {
        writer.commit(&(first..first + BATCH as u64).map(handled).collect::<Vec<_>>())?;
    }
    let ms = ms_since(begun);
    print("journal_us_per_entry_in_batches_of_200", ms * 1_000.0 / CALLS as f64, "us", None);

    let index = Index::new(&dir.path().join("index"));
    index.open(&journal, START)?;
    let begun = Instant::now();
    index.catch_up(&journal, 0)?;
    print("rebuild_ms_per_10000_calls", ms_since(begun) * 10_000.0 / CALLS as f64, "ms", Some(10_000.0));
    questions(&index)?;
    pages(&index)?;
    drain(&index)?;
    drop(index);
    reopened(dir.path())?;
    remembered(dir.path())
}

/// Times of what the page and the sync client ask for: 95 of 100 take no longer.
fn questions(index: &Index) -> Outcome<()> {
    let p95 = |question: &dyn Fn(u64) -> Outcome<usize>, expected: usize| -> Outcome<f64> {
        let mut times = Vec::new();
        for at in 1..=100 {
            let begun = Instant::now();
            assert_eq!(question(at * (CALLS / 101))?, expected);
            times.push(ms_since(begun));
        }
        times.sort_by(f64::total_cmp);
        Ok(times[94])
    };
    let page = |at| Ok(index.page(Some(at), 50)?.len());
    print("page_of_50_at_any_place_ms", p95(&page, 50)?, "ms", Some(20.0));
    let backlog = |_| Ok(usize::try_from(index.backlog()?.records)?);
    print("backlog_ms", p95(&backlog, usize::try_from(CALLS)?)?, "ms", Some(1.0));
    let one = |seq| Ok(usize::from(index.get(call(seq))?.is_some()));
    print("one_call_ms", p95(&one, 1)?, "ms", Some(5.0));
    let old = |at| Ok(index.expired(WallTime(u64::MAX), Some((came_in(at), at)), 50)?.len());
    print("50_calls_by_age_ms", p95(&old, 50)?, "ms", Some(20.0));
    Ok(())
}

/// Times of what the pages of lists, searches and reports ask for, over all 100,000 calls: 95 of 100 take no longer.
fn pages(index: &Index) -> Outcome<()> {
    let site = Site {
        zone: jiff::tz::TimeZone::get("America/Chicago")?,
        plan: Dialplan::for_country("US").ok_or("no plan")?,
        now: came_in(CALLS),
    };
    let p95 = |question: &dyn Fn(u64) -> Outcome<usize>, least: usize| -> Outcome<f64> {
        let mut times = Vec::new();
        for at in 1..=50 {
            let begun = Instant::now();
            let found = question(at)?;
            times.push(ms_since(begun));
            assert!(found >= least, "{found} found");
        }
        times.sort_by(f64::total_cmp);
        Ok(times[47])
    };
    let paging = Paging { per_page: 50, ..Paging::default() };
    let listed = |pairs: &[(&str, String)]| -> Outcome<usize> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (filter, _) = Filter::of(&pairs, &site)?;
        Ok(search::page(index, &filter, &paging, &site)?.total)
    };
    print("list_of_all_calls_ms", p95(&|_| listed(&[]), 100_000)?, "ms", Some(50.0));
    let missed = |_| listed(&[("answered", "false".to_owned()), ("campaign", "cmp_3".to_owned())]);
    print("list_filtered_ms", p95(&missed, 1_000)?, "ms", Some(50.0));
    let digits = |at: u64| listed(&[("search", format!("{:04}", 1_000 + at))]);
    print("search_last_4_digits_ms", p95(&digits, 9)?, "ms", Some(50.0));
    let spelled = |at: u64| listed(&[("search", format!("(312) 555-{:04}", 1_000 + at))]);
    print("search_whole_number_ms", p95(&spelled, 9)?, "ms", Some(50.0));
    let name = |at: u64| listed(&[("search", format!("ortiz {}", at % 10))]);
    print("search_name_ms", p95(&name, 90)?, "ms", Some(50.0));
    let report = |preset: &str| -> Outcome<usize> {
        let pairs = [("date_range".to_owned(), preset.to_owned())];
        let (filter, _) = Filter::of(&pairs, &site)?;
        Ok(usize::try_from(report(index, &filter, &site)?.all.calls)?)
    };
    print("report_of_30_days_ms", p95(&|_| report("last_30_days"), 2_000)?, "ms", Some(50.0));
    print("report_of_all_calls_ms", p95(&|_| report("all_time"), 100_000)?, "ms", Some(50.0));
    Ok(())
}

/// Records given out and confirmed, a batch at a time.
fn drain(index: &Index) -> Outcome<()> {
    let before = index.backlog()?;
    let begun = Instant::now();
    for _ in 0..DRAINED / BATCH {
        let batch = index.unsent_records(BATCH)?;
        let receipts: Vec<Fact> = batch
            .iter()
            .map(|record| {
                let hash = "ab".repeat(32);
                let what =
                    What::RecordReceived { call: record.id, rev: record.rev, hash, hq_seq: record.seq };
                Fact::Note(Note { at: START, what })
            })
            .collect();
        index.apply(&receipts, None)?;
    }
    print("drain_ms_per_10000_records", ms_since(begun), "ms", Some(10_000.0));
    assert_eq!(before.records - index.backlog()?.records, DRAINED as u64);
    Ok(())
}

fn reopened(dir: &Path) -> Outcome<()> {
    let live = fs::metadata(dir.join("index/db"))?.len();
    print("index_bytes_per_call", live as f64 / CALLS as f64, "bytes", None);
    let index = Index::new(&dir.join("index"));
    let begun = Instant::now();
    index.open(&dir.join("journal"), START)?;
    print("reopen_ms", ms_since(begun), "ms", Some(5_000.0));
    assert_eq!(index.page(None, 1)?.len(), 1);
    drop(index);
    let limits = Limits { small_bytes: 0, ratio: 1, spare_bytes: 0 };
    let index = Index::with_limits(&dir.join("index"), limits);
    let begun = Instant::now();
    index.open(&dir.join("journal"), START)?;
    print("exchange_ms_per_10000_calls", ms_since(begun) * 10_000.0 / CALLS as f64, "ms", Some(10_000.0));
    let bytes = fs::metadata(dir.join("index/db"))?.len();
    print("index_bytes_per_call_after_exchange", bytes as f64 / CALLS as f64, "bytes", None);
    Ok(())
}

/// What a process of its own says about its memory.
fn remembered(dir: &Path) -> Outcome<()> {
    let output = Command::new(std::env::current_exe()?).arg("--memory").arg(dir).output()?;
    let text = String::from_utf8(output.stdout)?;
    let megabytes: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [open, paged] = megabytes[..] else {
        return Err(format!("no figures in `{text}`: {}", String::from_utf8_lossy(&output.stderr)).into());
    };
    print("memory_open_mb", open, "MB", Some(10.0));
    print("memory_after_pages_mb", paged, "MB", Some(16.0));
    Ok(())
}

/// Opens a store, walks 2,000 calls in pages of 50 from 40 places, and prints what that added to the memory.
fn memory(dir: &Path) -> Outcome<()> {
    let before = resident_mb()?;
    let index = Index::new(&dir.join("index"));
    index.open(&dir.join("journal"), START)?;
    let open = resident_mb()? - before;
    for at in 1..=40 {
        assert_eq!(index.page(Some(at * CALLS / 41), 50)?.len(), 50);
    }
    pages_seen(&index)?;
    println!("{open} {}", resident_mb()? - before);
    Ok(())
}

/// Lists and a report over all calls, as the page asks for them.
fn pages_seen(index: &Index) -> Outcome<()> {
    let plan = Dialplan::for_country("US").ok_or("no plan")?;
    let site = Site { zone: jiff::tz::TimeZone::UTC, plan, now: came_in(CALLS) };
    for _ in 0..5 {
        let paging = Paging { per_page: 50, ..Paging::default() };
        assert_eq!(search::page(index, &Filter::default(), &paging, &site)?.calls.len(), 50);
        assert_eq!(report(index, &Filter::default(), &site)?.all.calls, CALLS);
    }
    Ok(())
}

fn resident_mb() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
}

fn journal_commits(number: &str) -> Outcome<()> {
    let dir = tempfile::tempdir_in(in_memory())?;
    let box_id = BoxId::from_parts(START, 7);
    let (mut writer, _) = Writer::open(&dir.path().join("journal"), box_id, 1, Box::new(RealDisk))?;
    for seq in 1..=number.parse()? {
        writer.commit(&[finished(seq)])?;
    }
    Ok(())
}

/// The disk, with its syncs counted.
struct Counting(Arc<AtomicU64>);

impl Disk for Counting {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        RealDisk.create(path)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        RealDisk.append(file, bytes)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        RealDisk.sync(file)
    }
}

fn fdatasyncs() -> Outcome<f64> {
    let dir = tempfile::tempdir_in(in_memory())?;
    let syncs = Arc::new(AtomicU64::new(0));
    let disk = Box::new(Counting(syncs.clone()));
    let (mut writer, _) = Writer::open(&dir.path().join("journal"), BoxId::from_parts(START, 7), 1, disk)?;
    for seq in 1..=100 {
        writer.commit(&[finished(3 * seq), finished(3 * seq + 1), finished(3 * seq + 2)])?;
    }
    Ok(syncs.load(Ordering::Relaxed) as f64 / 100.0)
}

/// A call with a recording, as it is journaled last.
fn finished(seq: u64) -> Fact {
    let mut record = ended(seq, Ended::CallerHungUp);
    record.rev = 2;
    record.customer_phone_number = format!("+1312555{:04}", seq % 10_000).parse().ok();
    record.recording = Recording {
        id: Some(recording(seq)),
        state: RecordingState::Closed,
        codec: "opus".to_owned(),
        container: "ogg".to_owned(),
        channels: 2,
        duration_ms: 180_000,
        bytes: 540_000,
        hash: Some("ab".repeat(32)),
        ..Recording::default()
    };
    Fact::Call(Kind::Recorded, record)
}

/// The same with what the office makes of it, in an office that takes 84 calls a day.
fn handled(seq: u64) -> Fact {
    let Fact::Call(kind, mut record) = finished(seq) else { return finished(seq) };
    record.start_time = came_in(seq);
    record.customer_name = Some(format!("Ortiz {:03} & Daughters", seq % 1_000));
    record.campaign = Some(Campaign {
        id: format!("cmp_{}", seq % 12),
        name: format!("Campaign {}", seq % 12),
        source_name: Some("Mailer".to_owned()),
        medium: None,
    });
    record.tracking_phone_number =
        format!("+1312555{:04}", 100 + seq % 12).parse().unwrap_or(record.tracking_phone_number);
    record.answered = !seq.is_multiple_of(5);
    record.timing_ms.ring = Some(4_000 + seq % 20_000);
    if record.answered {
        record.timing_ms.talk = Some(20_000 + seq * 7_919 % 400_000);
        let port = format!("PHONE{}", seq % 4 + 1);
        record.answered_by =
            Some(AnsweredBy { kind: "handset".to_owned(), port, evidence: "off_hook".to_owned() });
    }
    record.handling.prior_calls = Some(u32::from(!seq.is_multiple_of(3)));
    if seq.is_multiple_of(10) {
        record.handling.tags = vec!["emergency".to_owned()];
    }
    Fact::Call(kind, record)
}

/// When the call of this number came in: about three years for all of them.
const fn came_in(seq: u64) -> WallTime {
    WallTime(START.0 + seq * 1_028_571)
}

fn in_memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn ms_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}
