//! What retention and requests ask of the stored calls, answered by the index and the notes of the journal.

use crate::{
    id::CallId,
    io::{
        files::JOURNAL_DIR,
        journal::{Fact, Kind, reader::Reader},
        store::Index,
    },
    note::Note,
    number::E164,
    record::CallRecord,
    recording::{
        request::{Books, Listing, Place},
        retention,
        standing::{Asked, Standing, Standings},
    },
    time::WallTime,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Records read at once while looking for a number.
const PAGE: usize = 500;
/// Facts kept while the notes of years are read; with more, reading begins again.
const MAX_LATER: usize = 10_000;

/// The books of the running storage; a clone reads the same.
#[derive(Clone)]
pub(super) struct IndexBooks {
    index: Index,
    journal_dir: PathBuf,
    notes: Arc<Mutex<Notes>>,
}

struct Notes {
    standings: Standings,
    reading: Reading,
}

enum Reading {
    /// Not begun, or given up.
    Waiting,
    /// The journal is being read; what came meanwhile.
    Going(Vec<Fact>),
    Done,
}

impl IndexBooks {
    pub(super) fn new(index: Index, data_dir: &Path) -> Self {
        let notes = Notes { standings: Standings::default(), reading: Reading::Waiting };
        Self { index, journal_dir: data_dir.join(JOURNAL_DIR), notes: Arc::new(Mutex::new(notes)) }
    }

    /// Reads the notes of the journal on a thread of its own, if that was not done yet.
    pub(super) fn fill(&self) {
        let mut notes = self.notes();
        if !matches!(notes.reading, Reading::Waiting) {
            return;
        }
        notes.reading = Reading::Going(Vec::new());
        drop(notes);
        let books = self.clone();
        let thread = thread::Builder::new().name("notes-fill".to_owned()).spawn(move || {
            let read = standings(&books.journal_dir);
            books.notes().filled(read);
        });
        if thread.is_err() {
            self.notes().reading = Reading::Waiting;
        }
    }

    /// Takes an entry that is durable.
    pub(super) fn saw(&self, fact: &Fact) {
        if !says_something(fact) {
            return;
        }
        let notes = &mut *self.notes();
        match &mut notes.reading {
            Reading::Waiting => {}
            Reading::Going(later) if later.len() < MAX_LATER => later.push(fact.clone()),
            Reading::Going(_) => notes.reading = Reading::Waiting,
            Reading::Done => apply(&mut notes.standings, fact),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told<T>(&self, tell: impl FnOnce(&Standings) -> T) -> Option<T> {
        let notes = self.notes();
        matches!(notes.reading, Reading::Done).then(|| tell(&notes.standings))
    }
}

impl Notes {
    fn filled(&mut self, read: io::Result<Standings>) {
        let later = std::mem::replace(&mut self.reading, Reading::Waiting);
        match (read, later) {
            (Ok(standings), Reading::Going(later)) => {
                // What was read and came as well says the same twice, in the same order.
                self.standings = standings;
                later.iter().for_each(|fact| apply(&mut self.standings, fact));
                self.reading = Reading::Done;
            }
            (Err(error), _) => {
                tracing::warn!(%error, "nothing is erased: the journal's notes cannot be read")
            }
            (Ok(_), _) => {}
        }
    }
}

/// How every call stands, by the whole journal.
pub(super) fn standings(journal_dir: &Path) -> io::Result<Standings> {
    let mut standings = Standings::default();
    for entry in Reader::open(journal_dir, 0)? {
        apply(&mut standings, &entry?.fact);
    }
    Ok(standings)
}

fn says_something(fact: &Fact) -> bool {
    matches!(fact, Fact::Note(_) | Fact::Call(Kind::Erased, _))
}

fn apply(standings: &mut Standings, fact: &Fact) {
    match fact {
        Fact::Note(note @ Note { .. }) => standings.note(note),
        Fact::Call(Kind::Erased, record) => standings.settle(record.id),
        Fact::Call(..) => {}
    }
}

impl Books for IndexBooks {
    fn due(&self, now: WallTime, limit: usize) -> Option<Vec<Asked>> {
        let asked = self.told(Standings::asked)?.into_iter();
        Some(asked.filter(|one| one.due <= now).take(limit).collect())
    }

    fn expired(&self, before: WallTime, after: Option<Place>, limit: usize) -> Option<Vec<CallRecord>> {
        let next = self.index.next_seq().ok()?;
        let mut after = after.map_or(0, |place| place.seq);
        // Numbers are contiguous but for records that were lost: a gap is stepped over.
        while after + 1 < next {
            let upto = after.saturating_add(limit as u64);
            let mut page = self.index.page(Some(upto + 1), limit).ok()?;
            page.retain(|record| record.seq > after && record.start_time < before);
            page.reverse();
            let newer = self.index.page(Some(upto + 1), 1).ok()?.pop();
            if !page.is_empty() || newer.is_some_and(|record| record.seq > after) {
                return Some(page);
            }
            after = upto;
        }
        Some(Vec::new())
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.index.get(call).ok().flatten()
    }

    fn standing(&self, call: CallId) -> Standing {
        self.notes().standings.of(call)
    }

    fn calls_of(&self, number: &E164, limit: usize) -> Option<Vec<CallId>> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = self.index.page(before, PAGE).ok()?;
            let Some(last) = page.last() else { break };
            before = Some(last.seq);
            let meant = page.iter().filter(|one| {
                one.customer_phone_number.as_ref() == Some(number) && !retention::is_erased(one)
            });
            found.extend(meant.map(|one| one.id));
        }
        found.reverse();
        found.truncate(limit);
        Some(found)
    }

    fn listing(&self) -> Option<Listing> {
        self.told(|standings| Listing { asked: standings.asked(), held: standings.held() })
    }
}
