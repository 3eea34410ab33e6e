//! The long run: fifty boxes, three receivers, PostgreSQL and Garage, all but the boxes killed at random; then the
//! records are wiped, and the audit of gaps brings back all of them.

use super::{
    dice::Dice,
    garage::Garage,
    running::{Bucket, Database, Running, admit, bucket_arguments},
    sender::{Office, Sender, rest},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const BOXES: u64 = 50;
const CALLS: u64 = 200;
const SENDING: usize = 10;

/// 8 to 200 KiB: of one piece, and of several.
fn audio(office: &Office, seq: u64) -> Vec<u8> {
    let length = 8 * 1024 + usize::try_from(seq * 977 % 192).unwrap() * 1024;
    office.audio(seq, length)
}

fn records(sender: &Sender, bases: &[String], office: &Office, numbers: &[u64]) {
    for (turn, batch) in numbers.chunks(20).enumerate() {
        let mut tried = turn;
        loop {
            let records =
                batch.iter().map(|seq| office.record(*seq, 2, Some(&audio(office, *seq)))).collect();
            if let Some(answer) = sender.records(&bases[tried % bases.len()], office, records) {
                assert_eq!(answer.receipts.len(), batch.len());
                break;
            }
            tried += 1;
            rest();
        }
    }
}

/// A box's work: records, recordings, and then the gaps until there are none.
fn sync(bases: &[String], office: &Office) {
    let sender = Sender::new();
    records(&sender, bases, office, &(1..=CALLS).collect::<Vec<_>>());
    for seq in 1..=CALLS {
        let whole = audio(office, seq);
        let receipt = sender.recording(bases, office, seq, &whole);
        assert_eq!(receipt.hash, blake3::hash(&whole).to_hex().to_string());
    }
    refill(&sender, bases, office);
}

fn refill(sender: &Sender, bases: &[String], office: &Office) {
    loop {
        let Some(gaps) = bases.iter().find_map(|base| sender.gaps(base, office, CALLS)) else {
            rest();
            continue;
        };
        if gaps.calls.is_empty() && gaps.recordings.is_empty() {
            return;
        }
        let missing: Vec<u64> = gaps.calls.iter().flat_map(|[from, to]| *from..=*to).collect();
        records(sender, bases, office, &missing);
        for seq in (1..=CALLS).filter(|seq| gaps.recordings.contains(&office.recording(*seq))) {
            sender.recording(bases, office, seq, &audio(office, seq));
        }
    }
}

/// All boxes at their work, some at a time.
fn all(offices: &[Office], work: impl Fn(&Office) + Send + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SENDING {
            scope.spawn(|| {
                while let Some(office) = offices.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(office);
                }
            });
        }
    });
}

#[test]
#[ignore = "takes minutes and wants Garage: tests/run --long fleet"]
fn fifty_boxes_lose_nothing_while_everything_behind_them_is_killed() {
    let Some(database) = Database::start() else { return };
    let store = Store::start();
    let arguments = [database.store(), store.arguments()].concat();
    let receivers: Vec<Running> = (0..3).map(|_| Running::start(&arguments)).collect();
    let bases: Vec<String> = receivers.iter().map(|receiver| receiver.base.clone()).collect();
    let offices: Vec<Office> =
        (1..=BOXES).map(|number| admit(&database.store(), Office::new(u128::from(number)))).collect();
    let (started, done) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let killing = kill_all(database, store, receivers, Arc::clone(&done));
    all(&offices, |office| sync(&bases, office));
    done.store(true, Ordering::Relaxed);
    let (database, _store, _receivers, kills) = killing.join().unwrap();
    println!(
        "{:?}, killed: receivers {}, PostgreSQL {}, Garage {}",
        started.elapsed(),
        kills[0],
        kills[1],
        kills[2]
    );
    let counted = || {
        database.ask("SELECT COUNT(*), COUNT(DISTINCT (box_id, call_id)), COUNT(DISTINCT (box_id, hq_seq)) FROM record")
    };
    let all_records = BOXES * CALLS;
    assert_eq!(counted(), format!("{all_records}|{all_records}|{all_records}"));
    assert_eq!(database.ask("SELECT COUNT(*) FROM recording"), all_records.to_string());
    let before: i64 = database.ask("SELECT MAX(hq_seq) FROM record").parse().unwrap();
    database.ask("TRUNCATE record, recording");
    database.ask("UPDATE box SET last_hq_seq = 0");
    all(&offices, |office| refill(&Sender::new(), &bases, office));
    assert_eq!(counted(), format!("{all_records}|{all_records}|{all_records}"));
    assert_eq!(database.ask("SELECT COUNT(*) FROM recording"), all_records.to_string());
    assert!(database.ask("SELECT MIN(hq_seq) FROM record").parse::<i64>().unwrap() > before);
    println!("{:?} with the wiped records back", started.elapsed());
}

type Killed = (Database, Store, Vec<Running>, [u32; 3]);

/// Where the recordings go: Garage, or the server inside of the test, which cannot be killed.
enum Store {
    Garage(Garage),
    Inside(Bucket),
}

impl Store {
    fn start() -> Self {
        Garage::start().map_or_else(|| Self::Inside(Bucket::start()), Self::Garage)
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Garage(garage) => bucket_arguments(garage.port, "garage"),
            Self::Inside(bucket) => bucket.arguments(),
        }
    }
}

/// Kills one of the processes every second or so, until the boxes are done; all of them run again then.
fn kill_all(
    database: Database,
    mut store: Store,
    mut receivers: Vec<Running>,
    done: Arc<AtomicBool>,
) -> std::thread::JoinHandle<Killed> {
    std::thread::spawn(move || {
        let (mut dice, mut kills) = (Dice::new(50), [0; 3]);
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(u64::try_from(2_000 + dice.below(6_000)).unwrap()));
            let pause = Duration::from_millis(u64::try_from(dice.below(700)).unwrap());
            match dice.below(5) {
                0 => {
                    kills[1] += 1;
                    database.crash();
                    std::thread::sleep(pause);
                    database.start_again();
                }
                1 => {
                    if let Store::Garage(garage) = &mut store {
                        kills[2] += 1;
                        garage.kill();
                        std::thread::sleep(pause);
                        garage.start_again();
                    }
                }
                other => {
                    kills[0] += 1;
                    let receiver = &mut receivers[other - 2];
                    receiver.kill();
                    std::thread::sleep(pause);
                    // Its database runs: it is killed and started by this thread.
                    receiver.start_again();
                }
            }
        }
        (database, store, receivers, kills)
    })
}
