//! Whatever is sent twice, in whatever order and to whichever receiver: the same rows.

use super::{
    dice::Dice,
    running::{BUCKET, Bucket, Database, Running, admit, eventually},
    sender::{Office, Piece, Sender, header, read},
};
use ringside::sync::wire::{MIN_PIECE_BYTES, Receipt, RecordingReceipt, UPLOAD_OFFSET};
use std::collections::{BTreeMap, BTreeSet};

const RECEIVERS: usize = 3;

/// Receivers side by side on one database and one bucket.
struct Side {
    database: Database,
    bucket: Bucket,
    receivers: Vec<Running>,
}

impl Side {
    fn start() -> Option<Self> {
        let (database, bucket) = (Database::start()?, Bucket::start());
        let arguments = [database.store(), bucket.arguments()].concat();
        // All at once: one of them makes the tables, the others wait.
        let starting: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let arguments = arguments.clone();
                std::thread::spawn(move || Running::start(&arguments))
            })
            .collect();
        let receivers = starting.into_iter().map(|started| started.join().unwrap()).collect();
        Some(Self { database, bucket, receivers })
    }

    fn bases(&self) -> Vec<String> {
        self.receivers.iter().map(|receiver| receiver.base.clone()).collect()
    }
}

#[test]
fn batches_sent_twice_and_shuffled_to_three_receivers_leave_the_same_rows() {
    const CALLS: u64 = 200;
    let Some(side) = Side::start() else { return };
    let office = admit(&side.database.store(), Office::new(1));
    let mut dice = Dice::new(7);
    // Three revisions of every call, twice.
    let mut sending: Vec<(u64, u32)> =
        (1..=CALLS).flat_map(|seq| (1..=3).map(move |rev| (seq, rev))).collect();
    sending.extend_from_within(..);
    dice.shuffle(&mut sending);
    let bases = side.bases();
    let workers: Vec<_> = (0..6)
        .map(|worker| {
            let part: Vec<_> = sending.iter().skip(worker).step_by(6).copied().collect();
            let (office, base) = (office.clone(), bases[worker % RECEIVERS].clone());
            std::thread::spawn(move || send_all(&Sender::new(), &base, &office, &part))
        })
        .collect();
    let receipts: Vec<Receipt> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    assert_eq!(receipts.len(), sending.len(), "a receipt for everything that was sent");
    let rows = side.database.ask("SELECT COUNT(*), COUNT(DISTINCT call_id), MIN(rev), MAX(rev) FROM record");
    assert_eq!(rows, format!("{CALLS}|{CALLS}|3|3"));
    let exact = side.database.ask("SELECT COUNT(*) FROM record WHERE campaign_id = 'cmp_spring' AND answered \
        AND talk_ms = 61000 AND position(convert_to('A\\u0000B', 'UTF8') in body) > 0 AND start_time > '2025-11-22'");
    assert_eq!(exact, CALLS.to_string());
    // A number belongs to one call, and to one revision that was stored.
    let mut numbers: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for receipt in &receipts {
        numbers.entry(receipt.hq_seq).or_default().insert(receipt.call.to_string());
    }
    assert!(numbers.values().all(|calls| calls.len() == 1));
    let gaps = Sender::new().gaps(&bases[0], &office, CALLS + 2).unwrap();
    assert_eq!(gaps.calls, [[CALLS + 1, CALLS + 2]]);
    assert_eq!(gaps.recordings.len(), usize::try_from(CALLS).unwrap(), "promised and not here");
    wiped(&side, &office, numbers.into_keys().max().unwrap());
}

/// The records are lost: the gaps tell, and no number comes again.
fn wiped(side: &Side, office: &Office, highest: u64) {
    let sender = Sender::new();
    side.database.ask("DELETE FROM record");
    side.database.ask("UPDATE box SET last_hq_seq = 0");
    let base = &side.receivers[0].base;
    // More than one a millisecond was sent just now; the clock has to have come by.
    eventually("the clock has passed the numbers", || ringside::upstream::wall_now().0 > highest);
    let gaps = sender.gaps(base, office, 200).unwrap();
    assert_eq!((gaps.calls, gaps.last_hq_seq), (vec![[1, 200]], 0));
    let receipts = sender.records(base, office, vec![office.record(5, 1, None)]).unwrap().receipts;
    assert!(receipts[0].hq_seq > highest, "{} was given before", receipts[0].hq_seq);
    assert_eq!(sender.gaps(base, office, 6).unwrap().calls, [[1, 4], [6, 6]]);
}

fn send_all(sender: &Sender, base: &str, office: &Office, part: &[(u64, u32)]) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for batch in part.chunks(40) {
        let records = batch.iter().map(|(seq, rev)| {
            let audio = office.audio(*seq, 100);
            office.record(*seq, *rev, (*rev > 1).then_some(audio.as_slice()))
        });
        let answer = sender.records(base, office, records.collect()).unwrap();
        assert!(answer.refused.is_empty(), "{:?}", answer.refused);
        receipts.extend(answer.receipts);
    }
    receipts
}

#[test]
fn the_pieces_of_a_recording_may_go_to_any_receiver() {
    let Some(mut side) = Side::start() else { return };
    let office = admit(&side.database.store(), Office::new(1));
    let (sender, bases) = (Sender::new(), side.bases());
    // Below and above what is written in one request.
    for (seq, bytes) in [(1, 4 * MIN_PIECE_BYTES + 77), (2, (9 << 20) + 1)] {
        let whole = office.audio(seq, bytes);
        let step = (bytes / 9).clamp(MIN_PIECE_BYTES, 1 << 20);
        let mut offset = 0;
        let receipt = loop {
            let end = bytes.min(offset + step);
            let piece = Piece { seq, whole: &whole, offset, end };
            let mut answer = sender.piece(&bases[offset / step % RECEIVERS], &office, piece).unwrap();
            match answer.status().as_u16() {
                202 => {
                    assert_eq!(header(&answer, UPLOAD_OFFSET), end.to_string());
                    let standing =
                        sender.head(&bases[(offset / step + 1) % RECEIVERS], &office, seq).unwrap();
                    assert_eq!(
                        header(&standing, UPLOAD_OFFSET),
                        end.to_string(),
                        "asked of another receiver"
                    );
                }
                200 => break read::<RecordingReceipt>(&mut answer).unwrap(),
                other => panic!("{other}"),
            }
            offset = end;
        };
        assert_eq!(receipt.hash, blake3::hash(&whole).to_hex().to_string());
        let name =
            format!("{BUCKET}/recordings/{}/{}/{}.ogg", office.id, office.recording(seq), receipt.hash);
        assert_eq!(std::fs::read(side.bucket.folder.path().join(name)).unwrap(), whole);
    }
    assert_eq!(side.database.ask("SELECT COUNT(*) FROM recording"), "2");
    // Records and receipts are lost, the bucket is not: one piece, and what is there counts.
    side.database.ask("DELETE FROM recording");
    let whole = office.audio(2, (9 << 20) + 1);
    let piece = Piece { seq: 2, whole: &whole, offset: 0, end: 1 << 20 };
    assert_eq!(sender.piece(&bases[0], &office, piece).unwrap().status(), 200);
    // The database goes away and comes back.
    side.database.crash();
    assert_eq!(sender.piece(&bases[0], &office, piece).unwrap().status(), 503);
    side.database.start_again();
    eventually("the receiver has found its database", || {
        sender.piece(&bases[0], &office, piece).unwrap().status() == 200
    });
    side.receivers.clear();
}
