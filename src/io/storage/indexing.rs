//! Keeps the index level with the journal.
//!
//! ```text
//!             opened and filled              put fails, or a number is missing
//!  CatchingUp ------------------> Level ----------------------------------------> Behind --10 s--> CatchingUp
//!      `-- fails --> Behind
//! ```
//! Filling runs on a thread of its own: a rebuild of years takes a minute, and recordings go on meanwhile.

use crate::{
    io::{
        clock::Clock,
        files::JOURNAL_DIR,
        journal::Fact,
        store::{self, Index, IndexError},
    },
    time::Instant,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Time between two attempts to open a failing index.
const RETRY_MS: u64 = 10_000;

enum State {
    /// Filling; gives the number of the last entry that is in.
    CatchingUp(JoinHandle<Result<u64, IndexError>>),
    /// Every entry up to this one is in.
    Level(u64),
    /// To be filled at the given time; opened before, unless a gap in the numbers was all that was wrong.
    Behind(Instant, Access),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Open,
    Closed,
}

/// The index and how far it is.
pub(super) struct Indexing {
    index: Index,
    journal_dir: PathBuf,
    clock: Clock,
    state: State,
    /// Number of the last entry known to be in the journal.
    last_seq: u64,
}

impl Indexing {
    pub(super) fn new(index: Index, data_dir: &Path, clock: Clock) -> Self {
        let state = State::Behind(Instant::ZERO, Access::Closed);
        Self { index, journal_dir: data_dir.join(JOURNAL_DIR), clock, state, last_seq: 0 }
    }

    /// Notes that the journal goes up to entry `seq`, which says `fact`; tells whether it is to be put. While the index
    /// is being filled, the filling reads it from the journal.
    pub(super) fn wants(&mut self, seq: u64, fact: &Fact) -> bool {
        self.saw(seq);
        matches!(self.state, State::Level(applied) if applied < seq) && store::is_indexed(fact)
    }

    /// Notes that the journal goes up to entry `seq`.
    pub(super) fn saw(&mut self, seq: u64) {
        let skipped = seq > self.last_seq + 1;
        self.last_seq = self.last_seq.max(seq);
        if skipped && matches!(self.state, State::Level(_)) {
            self.state = State::Behind(Instant::ZERO, Access::Open);
        }
    }

    /// Puts the wanted facts of all entries seen since the last call, in one commit.
    pub(super) fn put(&mut self, facts: &[Fact]) -> Result<(), IndexError> {
        let State::Level(applied) = &mut self.state else { return Ok(()) };
        if facts.is_empty() {
            // Entries that are not indexed need no commit; the next one notes their number.
            return Ok(());
        }
        let result = self.index.apply(facts, Some(self.last_seq));
        match &result {
            Ok(()) => *applied = self.last_seq,
            Err(_) => self.fall_behind(),
        }
        result
    }

    /// Opens, fills or goes on waiting; an error is one to be counted.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), IndexError> {
        match std::mem::replace(&mut self.state, State::Behind(now, Access::Closed)) {
            State::CatchingUp(thread) if thread.is_finished() => {
                match thread.join().unwrap_or(Err(IndexError::Panicked)) {
                    // Entries came in meanwhile: another round, short this time.
                    Ok(applied) if applied < self.last_seq => self.catch_up(Access::Open),
                    Ok(applied) => self.state = State::Level(applied),
                    Err(error) => {
                        self.fall_behind();
                        return Err(error);
                    }
                }
            }
            State::Behind(at, access) if at <= now => self.catch_up(access),
            state @ (State::CatchingUp(_) | State::Level(_) | State::Behind(..)) => self.state = state,
        }
        Ok(())
    }

    /// Whether every entry of the journal is in the index.
    pub(super) fn is_level(&self) -> bool {
        matches!(self.state, State::Level(_))
    }

    /// Builds a level index anew from the journal, so that nothing is left of what was erased there; sets `renewed` when
    /// that is done. The old index answers meanwhile.
    pub(super) fn renew(&mut self, renewed: Arc<AtomicBool>) {
        let State::Level(applied) = self.state else { return };
        let (index, journal_dir) = (self.index.clone(), self.journal_dir.clone());
        let thread = thread::Builder::new().name("index-renew".to_owned()).spawn(move || {
            match index.renew(&journal_dir) {
                Ok(()) => renewed.store(true, Ordering::Relaxed),
                Err(error) => {
                    tracing::warn!(%error, "the index still holds what was erased; tried again tomorrow")
                }
            }
            let applied = index.applied()?;
            index.catch_up(&journal_dir, applied)
        });
        self.state = match thread {
            Ok(thread) => State::CatchingUp(thread),
            Err(_) => State::Level(applied),
        };
    }

    /// Ends: waits for a filling that is going on and notes how far the index is.
    pub(super) fn close(&mut self) {
        match std::mem::replace(&mut self.state, State::Behind(Instant::ZERO, Access::Closed)) {
            State::CatchingUp(thread) => drop(thread.join()),
            State::Level(applied) if applied < self.last_seq => {
                if let Err(error) = self.index.apply(&[], Some(self.last_seq)) {
                    tracing::warn!(%error, "index not level at the end; the next start fills it");
                }
            }
            State::Level(_) | State::Behind(..) => {}
        }
        self.index.close();
    }

    fn fall_behind(&mut self) {
        self.index.close();
        self.state = State::Behind(self.clock.now().after_ms(RETRY_MS), Access::Closed);
    }

    fn catch_up(&mut self, access: Access) {
        let (index, journal_dir) = (self.index.clone(), self.journal_dir.clone());
        let (wall, last_seq) = (self.clock.wall(), self.last_seq);
        let thread = thread::Builder::new().name("index-fill".to_owned()).spawn(move || {
            if access == Access::Closed {
                index.open(&journal_dir, wall)?;
            }
            // An index ahead of the journal belongs to a journal that is gone.
            let applied = index.applied()?;
            index.catch_up(&journal_dir, if applied > last_seq { 0 } else { applied })
        });
        self.state = match thread {
            Ok(thread) => State::CatchingUp(thread),
            Err(_) => State::Behind(self.clock.now().after_ms(RETRY_MS), Access::Closed),
        };
    }
}
