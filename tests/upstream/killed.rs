//! Receivers killed at any moment: every receipt that was given is found afterwards.

use super::{
    dice::Dice,
    running::{Bucket, Database, Running, admit, directory},
    sender::{Office, Sender, rest},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const RECORDS: u64 = 2_000;
const BATCH: usize = 10;

/// Sends all records while the receiver is killed again and again; then asks for every receipt once more.
fn every_receipt_is_found(running: Running, office: &Office, seed: u64) {
    let base = running.base.clone();
    let done = Arc::new(AtomicBool::new(false));
    let running = Arc::new(Mutex::new(running));
    let killing = {
        let (done, running) = (Arc::clone(&done), Arc::clone(&running));
        std::thread::spawn(move || {
            let (mut dice, mut kills) = (Dice::new(seed), 0);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(u64::try_from(20 + dice.below(400)).unwrap()));
                let mut running = running.lock().unwrap();
                running.kill();
                running.start_again();
                kills += 1;
            }
            kills
        })
    };
    let mut given = BTreeMap::new();
    let numbers: Vec<u64> = (1..=RECORDS).collect();
    let sender = Sender::new();
    for batch in numbers.chunks(BATCH) {
        // Without an answer the same is sent again, as a box does.
        let receipts = loop {
            let records = batch.iter().map(|seq| office.record(*seq, 1, None)).collect();
            if let Some(receipts) = sender.records(&base, office, records) {
                break receipts.receipts;
            }
            rest();
        };
        assert_eq!(receipts.len(), batch.len());
        given.extend(receipts.into_iter().map(|receipt| (receipt.call, receipt)));
    }
    done.store(true, Ordering::Relaxed);
    let kills: u32 = killing.join().unwrap();
    let mut running = running.lock().unwrap();
    running.kill();
    running.start_again();
    let sender = Sender::new();
    assert_eq!(sender.gaps(&base, office, RECORDS).unwrap().calls, Vec::<[u64; 2]>::new());
    // What was stored has its number still; what was lost would get a new one.
    for batch in numbers.chunks(200) {
        let records = batch.iter().map(|seq| office.record(*seq, 1, None)).collect();
        for receipt in sender.records(&base, office, records).unwrap().receipts {
            assert_eq!(given.get(&receipt.call), Some(&receipt), "after {kills} kills");
        }
    }
    println!("{kills} kills, {} receipts, all found", given.len());
    assert!(kills > 2, "{kills} kills are no test");
}

#[test]
fn a_receiver_on_a_directory_is_killed_and_every_receipt_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = directory(&folder);
    let office = admit(&store, Office::new(1));
    every_receipt_is_found(Running::start(&store), &office, 11);
    // One receiver at a time: the lock of the killed ones is gone, that of a living one is not.
    let living = Running::start(&store);
    assert!(super::running::command(&[vec!["run".to_owned()], store].concat()).is_err());
    drop(living);
}

#[test]
fn a_receiver_on_postgresql_is_killed_and_every_receipt_is_found() {
    let (Some(database), bucket) = (Database::start(), Bucket::start()) else { return };
    let arguments = [database.store(), bucket.arguments()].concat();
    let running = Running::start(&arguments);
    let office = admit(&database.store(), Office::new(1));
    every_receipt_is_found(running, &office, 12);
    let rows = database.ask("SELECT COUNT(*), COUNT(DISTINCT call_id), COUNT(DISTINCT hq_seq) FROM record");
    assert_eq!(rows, format!("{RECORDS}|{RECORDS}|{RECORDS}"));
}
