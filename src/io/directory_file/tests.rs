//! The directory through crashes and bad disks.

use super::*;
use crate::{
    access::Role,
    directory::{Base, By, CustomerForm, Edit},
    id::CustomerId,
    io::{
        clock::Clock,
        storage::{self, Options},
    },
    note::Note,
    time::WallTime,
};

/// The next change of a book: another customer.
fn change(book: &Book, edit: u64) -> Change {
    let id = CustomerId::from_parts(WallTime(edit), u128::from(edit));
    let numbers = vec![format!("+1312555{edit:04}").parse().unwrap()];
    let form = CustomerForm { name: format!("Customer {edit}"), numbers, ..CustomerForm::default() };
    let by = By { who: "Dana".to_owned(), role: Role::Office, at: WallTime(edit) };
    let edited = book.consider(&Base::default(), &Edit::CustomerAdded { id, form }, &by).unwrap();
    Change { edit, by: by.who, changed: edited.changed }
}

fn put(book: &mut Book, change: &Change) {
    change.changed.iter().for_each(|changed| book.put(changed));
}

/// Makes `count` changes; the journal gets all but the last `unjournaled`.
fn make(data_dir: &Path, count: u64, unjournaled: u64) -> Book {
    let options = Options { ballast_bytes: 0, ..Options::default() };
    let clock = Clock::start();
    storage::recover(data_dir, &options, clock).unwrap();
    let storage = storage::start(data_dir, &options, clock, |_| {}).unwrap();
    let Opened { mut file, mut book, .. } = open(data_dir).unwrap();
    for _ in 0..count {
        let change = change(&book, file.edits() + 1);
        file.append(&change).unwrap();
        put(&mut book, &change);
        if change.edit + unjournaled <= count {
            for what in change.notes() {
                storage.notes().note(Note { at: WallTime(1), what }).unwrap();
            }
            storage.notes().wait();
            file.journaled();
        }
    }
    storage.shutdown();
    book
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let book = make(dir.path(), 3, 0);
    let opened = open(dir.path()).unwrap();
    assert_eq!((opened.book, opened.file.edits()), (book, 3));
    assert!(opened.unjournaled.is_empty());
}

#[test]
fn a_kill_between_file_and_journal_is_made_good_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let book = make(dir.path(), 3, 1);
    let opened = open(dir.path()).unwrap();
    assert_eq!(opened.book, book);
    assert_eq!(opened.unjournaled.iter().map(|change| change.edit).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_file_that_is_lost_or_cut_anywhere_is_made_anew_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let book = make(dir.path(), 3, 0);
    for name in [BOOK, LOG] {
        let whole = fs::read(dir.path().join(name)).unwrap();
        for length in (0..whole.len()).step_by(23) {
            fs::write(dir.path().join(name), &whole[..length]).unwrap();
            let opened = open(dir.path()).unwrap();
            assert_eq!((opened.file.edits(), &opened.book), (3, &book), "{name} cut to {length}");
        }
        fs::remove_file(dir.path().join(name)).unwrap();
        assert_eq!(open(dir.path()).unwrap().book, book, "{name} lost");
        let mut flipped = fs::read(dir.path().join(name)).unwrap();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(dir.path().join(name), flipped).unwrap();
        assert_eq!(open(dir.path()).unwrap().book, book, "{name} with a flipped bit");
    }
    assert_eq!(make(dir.path(), 1, 0).customer_count(), 4, "and it is gone on with");
}

#[test]
fn a_refused_change_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let book = make(dir.path(), 1, 0);
    let mut opened = open(dir.path()).unwrap();
    let next = change(&book, 2);
    opened.file.append(&next).unwrap();
    opened.file.take_back(&next).unwrap();
    assert_eq!(open(dir.path()).unwrap().book, book);
}

#[test]
fn a_long_log_is_put_into_the_book() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(dir.path()).unwrap();
    while opened.file.generation < 2 {
        let change = change(&opened.book, opened.file.edits() + 1);
        opened.file.append(&change).unwrap();
        put(&mut opened.book, &change);
        opened.file.journaled();
        opened.file.compact(&opened.book).unwrap();
        assert!(opened.file.edits() < 5_000, "the log grows without end");
    }
    let log = fs::metadata(dir.path().join(LOG)).unwrap().len();
    assert!(log < 200, "{log} bytes");
    let again = open(dir.path()).unwrap();
    assert_eq!((again.file.edits(), again.book), (opened.file.edits(), opened.book));
    remove(dir.path()).unwrap();
    assert_eq!(open(dir.path()).unwrap().book, Book::default(), "a factory reset forgets everybody");
}

#[test]
fn a_large_change_goes_to_the_journal_in_parts() {
    let changed = change(&Book::default(), 1).changed.remove(0);
    let large = Change { edit: 1, by: "Dana".to_owned(), changed: vec![changed; 5_000] };
    let notes = large.notes();
    let lengths: Vec<usize> = notes.iter().map(|note| serde_json::to_vec(note).unwrap().len()).collect();
    assert!(notes.len() > 2 && lengths.iter().all(|length| *length < 1 << 19), "{lengths:?}");
}
