//! Fleets against three receivers: everything but the boxes is killed at random; then the records are wiped, and the
//! audit of gaps brings back all of them. A small one with an S3 server inside of the test; the long run with Garage.

use super::{
    dice::Dice,
    garage::Garage,
    running::{Bucket, Database, Running, admit, bucket_arguments},
    sender::{Office, Sender, rest},
};
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread::ScopedJoinHandle,
    time::{Duration, Instant},
};

/// Boxes that send at the same time.
const SENDING: usize = 10;
/// Records of one batch.
const BATCH: usize = 20;

/// How large a run is.
#[derive(Clone, Copy)]
struct Size {
    boxes: u64,
    /// Of each box.
    calls: u64,
    /// Kills while they send.
    kills: u64,
}

/// What has happened so far.
#[derive(Default)]
struct Tally {
    /// Records in batches that were sent, answered or not.
    sent: AtomicU64,
    /// Of those, records sent once more to another receiver after their receipt had come, and answered with the same.
    repeated: AtomicU64,
    /// Receipts for recordings.
    recordings: AtomicU64,
}

/// A fleet at work.
struct Fleet {
    bases: Vec<String>,
    offices: Vec<Office>,
    size: Size,
    tally: Tally,
}

/// A few KiB, of one piece; every 25th of two.
fn audio(office: &Office, seq: u64) -> Vec<u8> {
    let length = if seq.is_multiple_of(25) { 100 << 10 } else { 1_024 + seq * 977 % 4_096 };
    office.audio(seq, usize::try_from(length).unwrap())
}

impl Fleet {
    fn records(&self, sender: &Sender, office: &Office, numbers: &[u64]) {
        for (turn, batch) in numbers.chunks(BATCH).enumerate() {
            let send = |tried: usize| {
                self.tally.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
                let record = |seq: &u64| office.record(*seq, 2, Some(&audio(office, *seq)));
                let base = &self.bases[tried % self.bases.len()];
                sender.records(base, office, batch.iter().map(record).collect())
            };
            let mut tried = turn;
            let answer = loop {
                if let Some(answer) = send(tried) {
                    break answer;
                }
                tried += 1;
                rest();
            };
            assert_eq!(answer.receipts.len(), batch.len());
            // As if the receipt had been lost on its way.
            if turn.is_multiple_of(3)
                && let Some(again) = send(tried + 1)
            {
                assert_eq!(again.receipts, answer.receipts);
                self.tally.repeated.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
        }
    }

    fn recording(&self, sender: &Sender, office: &Office, seq: u64) {
        let whole = audio(office, seq);
        let receipt = sender.recording(&self.bases, office, seq, &whole);
        assert_eq!(receipt.hash, blake3::hash(&whole).to_hex().to_string());
        self.tally.recordings.fetch_add(1, Ordering::Relaxed);
    }

    /// A box's work: records, recordings, and then the gaps until there are none.
    fn sync(&self, office: &Office) {
        let sender = Sender::new();
        self.records(&sender, office, &(1..=self.size.calls).collect::<Vec<_>>());
        for seq in 1..=self.size.calls {
            self.recording(&sender, office, seq);
        }
        self.refill(office);
    }

    fn refill(&self, office: &Office) {
        let (sender, calls) = (Sender::new(), self.size.calls);
        loop {
            let Some(gaps) = self.bases.iter().find_map(|base| sender.gaps(base, office, calls)) else {
                rest();
                continue;
            };
            if gaps.calls.is_empty() && gaps.recordings.is_empty() {
                return;
            }
            let missing: Vec<u64> = gaps.calls.iter().flat_map(|[from, to]| *from..=*to).collect();
            self.records(&sender, office, &missing);
            for seq in (1..=calls).filter(|seq| gaps.recordings.contains(&office.recording(*seq))) {
                self.recording(&sender, office, seq);
            }
        }
    }

    /// All boxes at their work, some at a time.
    fn all(&self, work: impl Fn(&Self, &Office) + Sync) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..SENDING {
                scope.spawn(|| {
                    while let Some(office) = self.offices.get(next.fetch_add(1, Ordering::Relaxed)) {
                        work(self, office);
                    }
                });
            }
        });
    }
}

/// Where the recordings go: Garage, or the server inside of the test, which cannot be killed.
enum Store {
    Garage(Garage),
    Inside(Bucket),
}

impl Store {
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Garage(garage) => bucket_arguments(garage.port, "garage"),
            Self::Inside(bucket) => bucket.arguments(),
        }
    }
}

/// How often each was killed.
#[derive(Debug, Default)]
struct Kills {
    receivers: u32,
    postgresql: u32,
    garage: u32,
}

/// What stands behind the boxes.
struct Behind {
    database: Database,
    store: Store,
    receivers: Vec<Running>,
}

impl Behind {
    /// Kills something each time the boxes have got some recordings further, and starts it again a moment later; all
    /// run when it returns.
    fn kill_all(&mut self, fleet: &Fleet, sending: &ScopedJoinHandle<'_, ()>) -> Kills {
        let (mut dice, mut kills) = (Dice::new(50), Kills::default());
        let step = fleet.size.boxes * fleet.size.calls / (fleet.size.kills + 1);
        for turn in 1..=fleet.size.kills {
            while fleet.tally.recordings.load(Ordering::Relaxed) < turn * step && !sending.is_finished() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let pause = Duration::from_millis(u64::try_from(dice.below(700)).unwrap());
            let kind = dice.below(5);
            match (kind, &mut self.store) {
                (0, _) => {
                    kills.postgresql += 1;
                    self.database.crash();
                    std::thread::sleep(pause);
                    self.database.start_again();
                }
                (1, Store::Garage(garage)) => {
                    kills.garage += 1;
                    garage.kill();
                    std::thread::sleep(pause);
                    garage.start_again();
                }
                _ => {
                    kills.receivers += 1;
                    let receiver = &mut self.receivers[kind % 3];
                    receiver.kill();
                    std::thread::sleep(pause);
                    receiver.start_again();
                }
            }
        }
        kills
    }

    /// Every record and recording is there, once.
    fn has_all(&self, size: Size) {
        let all = size.boxes * size.calls;
        let rows = self.database.ask(
            "SELECT COUNT(*), COUNT(DISTINCT (box_id, call_id)), COUNT(DISTINCT (box_id, hq_seq)) FROM record",
        );
        assert_eq!(rows, format!("{all}|{all}|{all}"));
        assert_eq!(self.database.ask("SELECT COUNT(*) FROM recording"), all.to_string());
    }
}

fn nothing_is_lost(database: Database, store: Store, size: Size) -> Kills {
    let arguments = [database.store(), store.arguments()].concat();
    let receivers: Vec<Running> = (0..3).map(|_| Running::start(&arguments)).collect();
    let bases = receivers.iter().map(|receiver| receiver.base.clone()).collect();
    let box_of = |number| admit(&database.store(), Office::new(u128::from(number)));
    let offices = (1..=size.boxes).map(box_of).collect();
    let fleet = Fleet { bases, offices, size, tally: Tally::default() };
    let mut behind = Behind { database, store, receivers };
    let started = Instant::now();
    let kills = std::thread::scope(|scope| behind.kill_all(&fleet, &scope.spawn(|| fleet.all(Fleet::sync))));
    let said = |what: &str| {
        let [sent, repeated, recordings] =
            [&fleet.tally.sent, &fleet.tally.repeated, &fleet.tally.recordings]
                .map(|tally| tally.load(Ordering::Relaxed));
        println!(
            "{:.1?} {what}: {} records stored, {sent} sent, {repeated} of them again to another receiver; \
             {recordings} receipts for recordings; killed {kills:?}",
            started.elapsed(),
            size.boxes * size.calls,
        );
    };
    said("with everything there");
    behind.has_all(size);
    let newest = "SELECT MAX(hq_seq) FROM record";
    let before: i64 = behind.database.ask(newest).parse().unwrap();
    behind.database.ask("TRUNCATE record, recording");
    behind.database.ask("UPDATE box SET last_hq_seq = 0");
    fleet.all(Fleet::refill);
    behind.has_all(size);
    let oldest = behind.database.ask("SELECT MIN(hq_seq) FROM record");
    assert!(oldest.parse::<i64>().unwrap() > before, "numbers are not given again");
    said("with the wiped records back");
    kills
}

#[test]
fn ten_boxes_lose_nothing_while_receivers_and_postgresql_are_killed() {
    let Some(database) = Database::start() else { return };
    let size = Size { boxes: 10, calls: 20, kills: 6 };
    let kills = nothing_is_lost(database, Store::Inside(Bucket::start()), size);
    assert!(kills.receivers > 0 && kills.postgresql > 0, "{kills:?} is no test");
}

#[test]
#[ignore = "takes minutes and wants Garage: tests/run --long fleet"]
fn fifty_boxes_lose_nothing_while_everything_behind_them_is_killed() {
    let Some(database) = Database::start() else { return };
    let size = Size { boxes: 50, calls: 200, kills: 45 };
    let kills = nothing_is_lost(database, Store::Garage(Garage::start()), size);
    assert!(kills.receivers > 0 && kills.postgresql > 0 && kills.garage > 0, "{kills:?} is no test");
}

#[test]
#[ignore = "wants Garage: tests/run --long fleet"]
fn ten_boxes_lose_nothing_while_garage_is_killed_too() {
    let Some(database) = Database::start() else { return };
    let size = Size { boxes: 10, calls: 40, kills: 10 };
    let kills = nothing_is_lost(database, Store::Garage(Garage::start()), size);
    assert!(kills.receivers > 0 && kills.postgresql > 0 && kills.garage > 0, "{kills:?} is no test");
}
