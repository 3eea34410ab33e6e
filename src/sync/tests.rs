//! Ladders of the machine: what goes in, what comes out.

use super::{
    event::{Answer, Command, Event, Failure, Listing, Received, RecordDue, RecordingDue, RequestId},
    machine::{Contact, Machine, SIGN_OF_LIFE_MS, Settings},
    wire::Gaps,
};
use crate::{
    id::{CallId, RecordingId},
    note::What,
    time::{Instant, WallTime},
};

fn record(seq: u64) -> RecordDue {
    RecordDue { seq, call: CallId::from_parts(WallTime(seq), 1), rev: 2 }
}

fn recording(seq: u64, bytes: u64) -> RecordingDue {
    let call = record(seq).call;
    RecordingDue { seq, call, recording: RecordingId::from_parts(WallTime(seq), 2), bytes }
}

fn whole(records: Vec<RecordDue>, recordings: Vec<RecordingDue>) -> Listing {
    let last_call = records.iter().map(|due| due.seq).chain(recordings.iter().map(|due| due.seq)).max();
    Listing {
        records,
        all_records: true,
        recordings,
        all_recordings: true,
        last_call: last_call.unwrap_or(0),
    }
}

/// A machine at a table, with the clock in ms and what the index lists.
struct Table {
    machine: Machine,
    now_ms: u64,
    listing: Listing,
    notes: Vec<What>,
}

impl Table {
    fn new(listing: Listing) -> Self {
        let settings = Settings { seed: 1, takes_sites: false, pauses_in_calls: false, last_hq_seq: 0 };
        Self { machine: Machine::new(settings, Instant::ZERO), now_ms: 0, listing, notes: Vec::new() }
    }

    fn now(&self) -> Instant {
        Instant::ZERO.after_ms(self.now_ms)
    }

    /// Gives an event; the answer is what is asked of the upstream then.
    fn give(&mut self, event: Event) -> Option<Command> {
        let (mut asked, mut events) = (None, vec![event]);
        while let Some(event) = events.pop() {
            let mut out = Vec::new();
            self.machine.handle(event, self.now(), &mut out);
            for command in out {
                match command {
                    Command::List { .. } => events.push(Event::Listed(self.listing.clone())),
                    Command::Note(what) => self.notes.push(what),
                    other => assert_eq!(asked.replace(other), None, "two requests at once"),
                }
            }
        }
        asked
    }

    /// Lets time pass until something is asked.
    fn wait(&mut self) -> Command {
        for _ in 0..1000 {
            let deadline = self.machine.deadline().expect("nothing is awaited");
            self.now_ms = self.now_ms.max(deadline.0.div_ceil(1000));
            if let Some(asked) = self.give(Event::Deadline) {
                return asked;
            }
        }
        panic!("a busy loop at {} ms", self.now_ms);
    }

    fn answer(&mut self, to: &Command, answer: Answer) -> Option<Command> {
        self.give(Event::Answered(request(to), answer))
    }

    fn fail(&mut self, to: &Command, status: u16) -> Option<Command> {
        let why = "no".to_owned();
        let failure = Failure::Status { status, retry_after_ms: None, offset: None, why };
        self.give(Event::Failed(request(to), failure))
    }

    /// The first audit is done: nothing is missing.
    fn audited(listing: Listing) -> (Self, Option<Command>) {
        let mut table = Self::new(listing);
        let first = table.wait();
        assert!(matches!(first, Command::AskGaps { .. }), "{first:?}");
        let next = table.answer(&first, Answer::Gaps(Gaps::default()));
        (table, next)
    }
}

fn request(command: &Command) -> RequestId {
    match command {
        Command::SendBatch { request, .. }
        | Command::AskOffset { request, .. }
        | Command::Upload { request, .. }
        | Command::AskGaps { request, .. }
        | Command::AskSite { request } => *request,
        Command::List { .. } | Command::Note(_) => panic!("{command:?} is no request"),
    }
}

fn sent(command: &Command) -> Vec<u64> {
    match command {
        Command::SendBatch { records, .. } => records.iter().map(|due| due.seq).collect(),
        other => panic!("{other:?} is no batch"),
    }
}

fn received(seqs: &[u64]) -> Answer {
    let receipt = |&seq: &u64| Received { due: record(seq), hash: "h".to_owned(), hq_seq: 100 + seq };
    Answer::Batch { received: seqs.iter().map(receipt).collect(), refused: Vec::new() }
}

#[test]
fn records_go_before_recordings_and_the_newest_first() {
    let (mut table, batch) = Table::audited(whole(vec![record(9), record(8)], vec![recording(8, 10)]));
    let batch = batch.unwrap();
    assert_eq!(sent(&batch), [9, 8]);
    let ask = table.answer(&batch, received(&[9, 8])).unwrap();
    assert!(matches!(ask, Command::AskOffset { recording: due, .. } if due.seq == 8), "{ask:?}");
    assert_eq!(table.notes.len(), 2);
}

#[test]
fn what_has_a_receipt_is_not_sent_again_while_the_index_does_not_know_it_yet() {
    let (mut table, batch) = Table::audited(whole(vec![record(9)], vec![]));
    table.answer(&batch.unwrap(), received(&[9]));
    let next = table.wait();
    assert_eq!(sent(&next), [] as [u64; 0], "a sign of life");
}

#[test]
fn a_receipt_that_was_lost_on_its_way_is_asked_for_again() {
    let (mut table, batch) = Table::audited(whole(vec![record(9)], vec![]));
    table.answer(&batch.unwrap(), received(&[9]));
    loop {
        let next = table.wait();
        if sent(&next) == [9] {
            break;
        }
        table.answer(&next, received(&[]));
        assert!(table.now_ms < 700_000, "never sent again");
    }
    assert!(table.now_ms >= 600_000);
}

#[test]
fn a_batch_is_halved_until_the_bad_record_stands_alone() {
    let seqs: Vec<u64> = (1..=8).rev().collect();
    let (mut table, batch) = Table::audited(whole(seqs.iter().map(|&seq| record(seq)).collect(), vec![]));
    let (mut batch, mut sizes, mut requests) = (batch.unwrap(), Vec::new(), 0);
    while table.notes.len() < 8 {
        let seqs = sent(&batch);
        sizes.push(seqs.len());
        let next =
            if seqs.contains(&5) { table.fail(&batch, 400) } else { table.answer(&batch, received(&seqs)) };
        batch = next.unwrap_or_else(|| table.wait());
        requests += 1;
        assert!(requests < 20, "{sizes:?}");
    }
    let refused: Vec<_> = table.notes.iter().filter(|note| matches!(note, What::Refused { .. })).collect();
    assert!(matches!(refused[..], [What::Refused { call, status: 400, .. }] if *call == record(5).call));
}

#[test]
fn what_was_refused_is_tried_again_after_a_day() {
    let (mut table, batch) = Table::audited(whole(vec![record(5)], vec![]));
    table.fail(&batch.unwrap(), 422);
    assert_eq!(table.notes.len(), 1);
    let mut next = table.wait();
    for _ in 0..2000 {
        let then = match next {
            Command::AskGaps { .. } => table.answer(&next, Answer::Gaps(Gaps::default())),
            _ if sent(&next) == [5] => break,
            _ => table.answer(&next, received(&[])),
        };
        next = then.unwrap_or_else(|| table.wait());
    }
    assert!((86_400_000..87_000_000).contains(&table.now_ms), "{}", table.now_ms);
}

#[test]
fn a_passing_failure_is_tried_again_and_refuses_nothing() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let (mut table, batch) = Table::audited(whole(vec![record(5)], vec![]));
        assert_eq!(table.fail(&batch.unwrap(), status), None, "{status}");
        assert_eq!(sent(&table.wait()), [5], "{status}");
        assert!(table.notes.is_empty() && table.now_ms <= 1_100, "{status} {}", table.now_ms);
        assert_eq!(table.machine.contact(), Contact::Failing);
    }
}

#[test]
fn the_upstream_says_how_long_to_wait() {
    let (mut table, batch) = Table::audited(whole(vec![record(5)], vec![]));
    let failure =
        Failure::Status { status: 429, retry_after_ms: Some(30_000), offset: None, why: "busy".to_owned() };
    table.give(Event::Failed(request(&batch.unwrap()), failure));
    table.wait();
    assert!((30_000..=35_000).contains(&table.now_ms), "{}", table.now_ms);
}

#[test]
fn a_box_that_the_upstream_does_not_know_says_so_and_tries_every_five_minutes() {
    for status in [401, 403] {
        let (mut table, batch) = Table::audited(whole(vec![record(5)], vec![recording(5, 1)]));
        assert_eq!(table.fail(&batch.unwrap(), status), None);
        assert_eq!(table.machine.contact(), Contact::UnknownBox);
        let gaps = table.wait();
        assert_eq!(table.now_ms, 300_000);
        let again = table.answer(&gaps, Answer::Gaps(Gaps::default())).unwrap();
        assert_eq!(sent(&again), [5]);
        table.answer(&again, received(&[5]));
        assert_eq!(table.machine.contact(), Contact::Fine);
    }
}

#[test]
fn a_recording_goes_on_where_the_upstream_has_it() {
    let (mut table, ask) = Table::audited(whole(vec![], vec![recording(3, 3 << 20)]));
    let first = table.answer(&ask.unwrap(), Answer::Offset(1 << 20)).unwrap();
    assert!(matches!(first, Command::Upload { offset: 1_048_576, length: 1_048_576, .. }), "{first:?}");
    let conflict =
        Failure::Status { status: 409, retry_after_ms: None, offset: Some(2_500_000), why: String::new() };
    let second = table.give(Event::Failed(request(&first), conflict)).unwrap();
    assert!(matches!(second, Command::Upload { offset: 2_500_000, length: 645_728, .. }), "{second:?}");
    let due = recording(3, 3 << 20);
    let answer = Answer::Recording { call: due.call, recording: due.recording, hash: "h".to_owned() };
    table.answer(&second, answer.clone());
    assert!(matches!(table.notes[..], [What::RecordingReceived { .. }]));
    // Told twice, noted once.
    table.give(Event::Answered(RequestId(1), answer));
    assert_eq!(table.notes.len(), 1);
}

#[test]
fn a_new_record_does_not_wait_for_the_rest_of_a_recording() {
    let (mut table, ask) = Table::audited(whole(vec![], vec![recording(3, 3 << 20)]));
    let piece = table.answer(&ask.unwrap(), Answer::Offset(0)).unwrap();
    table.listing.records.push(record(4));
    assert_eq!(table.give(Event::Stored), None, "the piece is under way");
    table.now_ms += 200;
    let next = table.answer(&piece, Answer::Piece(1 << 20)).unwrap();
    assert_eq!(sent(&next), [4]);
    let rest = table.answer(&next, received(&[4])).unwrap();
    assert!(matches!(rest, Command::Upload { offset: 1_048_576, .. }), "{rest:?}");
}

#[test]
fn a_digest_that_does_not_match_begins_again_and_is_refused_in_the_end() {
    let (mut table, ask) = Table::audited(whole(vec![], vec![recording(3, 10)]));
    let mut next = table.answer(&ask.unwrap(), Answer::Offset(4)).unwrap();
    for _ in 0..2 {
        table.fail(&next, 422);
        next = table.wait();
        if matches!(next, Command::SendBatch { .. }) {
            next = table.answer(&next, received(&[])).unwrap();
        }
        assert!(matches!(next, Command::Upload { offset: 0, .. }), "{next:?}");
    }
    table.fail(&next, 422);
    assert!(matches!(table.notes[..], [What::Refused { status: 422, .. }]), "{:?}", table.notes);
}

#[test]
fn a_file_that_is_not_what_its_record_says_is_refused_with_status_0() {
    let (mut table, ask) = Table::audited(whole(vec![], vec![recording(3, 10)]));
    let piece = table.answer(&ask.unwrap(), Answer::Offset(0)).unwrap();
    table.give(Event::Failed(request(&piece), Failure::File("the digest differs".to_owned())));
    assert!(matches!(table.notes[..], [What::Refused { status: 0, .. }]));
}

#[test]
fn a_recording_that_fails_over_and_over_gives_way_to_the_next() {
    let (mut table, ask) = Table::audited(whole(vec![], vec![recording(3, 10), recording(4, 10)]));
    let mut ask = ask.unwrap();
    for _ in 0..20 {
        match ask {
            Command::AskOffset { recording, .. } if recording.seq == 4 => return,
            Command::AskOffset { .. } => table.fail(&ask, 500),
            _ => table.answer(&ask, received(&[])),
        };
        ask = table.wait();
    }
    panic!("the second recording never had its turn");
}

#[test]
fn uploads_rest_while_a_call_is_up_where_the_site_wants_it() {
    let mut table = Table::new(whole(vec![], vec![recording(3, 10)]));
    let settings = Settings { seed: 1, takes_sites: false, pauses_in_calls: true, last_hq_seq: 0 };
    table.machine = Machine::new(settings, Instant::ZERO);
    table.give(Event::CallsUp(1));
    let gaps = Command::AskGaps { request: RequestId(1), calls: 3 };
    assert_eq!(table.answer(&gaps, Answer::Gaps(Gaps::default())), None);
    let asked = table.give(Event::CallsUp(0)).unwrap();
    assert!(matches!(asked, Command::AskOffset { .. }));
}

#[test]
fn a_receipt_with_a_lower_number_calls_for_an_audit_and_what_is_lost_is_noted() {
    let (mut table, batch) = Table::audited(whole(vec![record(9)], vec![]));
    table.answer(&batch.unwrap(), received(&[9]));
    table.listing.records = vec![record(10)];
    table.now_ms = 700_000;
    let gaps = table.wait();
    let whole = Gaps { last_hq_seq: 109, ..Gaps::default() };
    let mut batch = table.answer(&gaps, Answer::Gaps(whole)).unwrap_or_else(|| table.wait());
    while sent(&batch) != [10] {
        batch = table.answer(&batch, received(&[])).unwrap_or_else(|| table.wait());
    }
    table.now_ms += 600_000;
    let lower = Received { due: record(10), hash: "h".to_owned(), hq_seq: 41 };
    let gaps = table.answer(&batch, Answer::Batch { received: vec![lower], refused: vec![] }).unwrap();
    assert!(matches!(gaps, Command::AskGaps { .. }), "{gaps:?}");
    let answer = Gaps { calls: vec![[9, 9]], recordings: vec![], last_hq_seq: 41 };
    table.answer(&gaps, Answer::Gaps(answer));
    let lost = table.notes.last().unwrap();
    assert!(
        matches!(lost, What::UpstreamLost { above_hq_seq: Some(41), calls, .. } if *calls == [[9, 9]]),
        "{lost:?}"
    );
}

#[test]
fn after_an_outage_the_gaps_are_asked_for_before_anything_is_sent() {
    let (mut table, batch) = Table::audited(whole(vec![record(9)], vec![]));
    let mut asked = batch.unwrap();
    while table.now_ms < 600_000 {
        table.give(Event::Failed(request(&asked), Failure::Unreachable("refused".to_owned())));
        asked = table.wait();
    }
    assert!(matches!(asked, Command::AskGaps { .. }), "{asked:?}");
    let next = table.answer(&asked, Answer::Gaps(Gaps::default())).unwrap();
    assert_eq!(sent(&next), [9]);
}

#[test]
fn boxes_give_their_first_sign_of_life_at_different_moments() {
    let first = |seed| {
        let mut table = Table::new(whole(vec![], vec![]));
        let settings = Settings { seed, takes_sites: false, pauses_in_calls: false, last_hq_seq: 0 };
        table.machine = Machine::new(settings, Instant::ZERO);
        let gaps = table.wait();
        table.answer(&gaps, Answer::Gaps(Gaps::default()));
        table.wait();
        table.now_ms
    };
    let moments: std::collections::BTreeSet<u64> = (0..100).map(first).collect();
    assert!(moments.len() > 90 && moments.iter().all(|&ms| ms <= SIGN_OF_LIFE_MS), "{moments:?}");
}

#[test]
fn now_means_now() {
    let (mut table, batch) = Table::audited(whole(vec![record(5)], vec![]));
    table.fail(&batch.unwrap(), 422);
    table.now_ms += 1;
    let again = table.give(Event::SyncNow).unwrap();
    assert_eq!(sent(&again), [5]);
}
