//! Keeps the index level with the journal.
//!
//! ```text
//!             opened and filled              put fails, or a number is missing
//!  CatchingUp ------------------> Level ----------------------------------------> Behind --10 s--> CatchingUp
//!      `-- fails --> Behind
//! ```
//! Filling runs on a thread of its own: a rebuild of years takes a minute, and recordings go on meanwhile. So does every
//! put, which becomes a filling if it takes more than 2 s. A thread that gets nothing done for 30 s is left behind: the
//! index answers nobody until the thread comes back or the daemon is started again, and nothing waits for it.

use crate::{
    io::{
        clock::Clock,
        files::JOURNAL_DIR,
        journal::Fact,
        store::{self, Index, IndexError},
    },
    time::{Instant, WallTime},
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Time between two attempts to open a failing index.
const RETRY_MS: u64 = 10_000;

/// How long the journal and the recordings wait for a put.
const PUT_PATIENCE: Duration = Duration::from_secs(2);
/// A thread that gets nothing done for so long is left behind.
const STUCK_MS: u64 = 30_000;
/// How often what the upstream refused is looked at, and how long it rests.
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Pause between two looks at a thread that is waited for at the end.
const END_POLL: Duration = Duration::from_millis(10);

enum State {
    /// Filling.
    CatchingUp(Filling),
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

/// A thread at work on the index; gives the number of the last entry that is in.
struct Filling {
    thread: JoinHandle<Result<u64, IndexError>>,
    /// What the index had done when it was looked at last, and since when it has not done more.
    steps: u64,
    since: Instant,
    is_stuck: bool,
}

impl Filling {
    /// Whether it is found stuck now, and was not before.
    fn got_stuck(&mut self, steps: u64, now: Instant) -> bool {
        if std::mem::replace(&mut self.steps, steps) != steps {
            self.since = now;
        }
        let was_stuck = std::mem::replace(&mut self.is_stuck, now >= self.since.after_ms(STUCK_MS));
        self.is_stuck |= was_stuck;
        self.is_stuck && !was_stuck
    }
}

/// The index and how far it is.
pub(super) struct Indexing {
    index: Index,
    journal_dir: PathBuf,
    clock: Clock,
    state: State,
    /// Number of the last entry known to be in the journal.
    last_seq: u64,
    /// When what was refused is looked at next.
    retry_at: Instant,
}

impl Indexing {
    pub(super) fn new(index: Index, data_dir: &Path, clock: Clock) -> Self {
        let state = State::Behind(Instant::ZERO, Access::Closed);
        let (journal_dir, retry_at) = (data_dir.join(JOURNAL_DIR), clock.now().after_ms(HOUR_MS));
        Self { index, journal_dir, clock, state, last_seq: 0, retry_at }
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

    /// Puts the wanted facts of all entries seen since the last call, in one go.
    pub(super) fn put(&mut self, facts: Vec<Fact>) -> Result<(), IndexError> {
        // Entries that are not indexed need no commit; the next one notes their number.
        if facts.is_empty() || !self.is_level() {
            return Ok(());
        }
        let (index, last_seq) = (self.index.clone(), self.last_seq);
        let (done, waiting) = sync_channel(1);
        let filling = self.spawn("index-put", move || {
            let applied = index.apply(&facts, Some(last_seq)).map(|()| last_seq);
            let _ = done.send(());
            applied
        });
        let filling = filling.inspect_err(|_| self.fall_behind())?;
        let is_slow = waiting.recv_timeout(PUT_PATIENCE).is_err() && !filling.thread.is_finished();
        self.state = State::CatchingUp(filling);
        if is_slow { Ok(()) } else { self.finish() }
    }

    /// Opens, fills or goes on waiting; an error is one to be counted.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), IndexError> {
        let steps = self.index.steps();
        match &mut self.state {
            State::CatchingUp(filling) if filling.thread.is_finished() => return self.finish(),
            State::CatchingUp(filling) => {
                if filling.got_stuck(steps, now) {
                    self.index.close();
                    return Err(IndexError::Stuck);
                }
            }
            &mut State::Behind(at, access) if at <= now => self.catch_up(access),
            &mut State::Level(applied) if self.retry_at <= now => self.retry_refused(applied, now),
            State::Level(_) | State::Behind(..) => {}
        }
        Ok(())
    }

    /// Puts what the upstream refused a day ago among the unsent again.
    fn retry_refused(&mut self, applied: u64, now: Instant) {
        self.retry_at = now.after_ms(HOUR_MS);
        let index = self.index.clone();
        let day_ago = WallTime(self.clock.wall().0.saturating_sub(DAY_MS));
        let filling = self.spawn("index-retry", move || {
            let retried = index.retry_refused(day_ago)?;
            if retried > 0 {
                tracing::info!(retried, "what the upstream refused a day ago is sent again");
            }
            Ok(applied)
        });
        if let Ok(filling) = filling {
            self.state = State::CatchingUp(filling);
        }
    }

    /// Takes what a thread that has ended, or is about to, gives.
    fn finish(&mut self) -> Result<(), IndexError> {
        let filling = match std::mem::replace(&mut self.state, State::Behind(Instant::ZERO, Access::Closed)) {
            State::CatchingUp(filling) => filling,
            state @ (State::Level(_) | State::Behind(..)) => {
                self.state = state;
                return Ok(());
            }
        };
        match filling.thread.join().unwrap_or(Err(IndexError::Panicked)) {
            // It was closed meanwhile.
            Ok(_) if filling.is_stuck => self.catch_up(Access::Closed),
            // Entries came in meanwhile: another round, short this time.
            Ok(applied) if applied < self.last_seq => self.catch_up(Access::Open),
            Ok(applied) => self.state = State::Level(applied),
            Err(error) => {
                self.fall_behind();
                return Err(error);
            }
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
        if !self.is_level() {
            return;
        }
        let (index, journal_dir) = (self.index.clone(), self.journal_dir.clone());
        let filling = self.spawn("index-renew", move || {
            match index.renew(&journal_dir) {
                Ok(()) => renewed.store(true, Ordering::Relaxed),
                Err(error) => {
                    tracing::warn!(%error, "the index still holds what was erased; tried again tomorrow")
                }
            }
            let applied = index.applied()?;
            index.catch_up(&journal_dir, applied)
        });
        if let Ok(filling) = filling {
            self.state = State::CatchingUp(filling);
        }
    }

    /// Ends: waits for a filling that is getting on and notes how far the index is.
    pub(super) fn close(&mut self) {
        let filling = match std::mem::replace(&mut self.state, State::Behind(Instant::ZERO, Access::Closed)) {
            State::CatchingUp(filling) => Some(filling),
            State::Level(applied) if applied < self.last_seq => {
                let (index, last_seq) = (self.index.clone(), self.last_seq);
                let note = move || index.apply(&[], Some(last_seq)).map(|()| last_seq);
                self.spawn("index-put", note).ok()
            }
            State::Level(_) | State::Behind(..) => None,
        };
        if let Some(Err(error)) = filling.map(|filling| self.end(filling)) {
            tracing::warn!(%error, "index not level at the end; the next start fills it");
        }
        self.index.close();
    }

    fn end(&self, mut filling: Filling) -> Result<u64, IndexError> {
        while !filling.thread.is_finished() {
            filling.got_stuck(self.index.steps(), self.clock.now());
            if filling.is_stuck {
                return Err(IndexError::Stuck);
            }
            thread::sleep(END_POLL);
        }
        filling.thread.join().unwrap_or(Err(IndexError::Panicked))
    }

    fn fall_behind(&mut self) {
        self.index.close();
        self.state = State::Behind(self.clock.now().after_ms(RETRY_MS), Access::Closed);
    }

    fn catch_up(&mut self, access: Access) {
        let (index, journal_dir) = (self.index.clone(), self.journal_dir.clone());
        let (wall, last_seq) = (self.clock.wall(), self.last_seq);
        let filling = self.spawn("index-fill", move || {
            if access == Access::Closed {
                index.open(&journal_dir, wall)?;
            }
            // An index ahead of the journal belongs to a journal that is gone.
            let applied = index.applied()?;
            index.catch_up(&journal_dir, if applied > last_seq { 0 } else { applied })
        });
        self.state = match filling {
            Ok(filling) => State::CatchingUp(filling),
            Err(_) => State::Behind(self.clock.now().after_ms(RETRY_MS), Access::Closed),
        };
    }

    fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<u64, IndexError> + Send + 'static,
    ) -> Result<Filling, IndexError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Filling { thread, steps: self.index.steps(), since: self.clock.now(), is_stuck: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        io,
        sync::atomic::{AtomicBool, Ordering},
    };

    static IS_HANGING: AtomicBool = AtomicBool::new(false);

    fn hang(_: &File) -> io::Result<()> {
        IS_HANGING.store(true, Ordering::Release);
        loop {
            thread::park();
        }
    }

    #[test]
    fn an_index_that_hangs_is_noticed_once_and_nothing_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(JOURNAL_DIR)).unwrap();
        let index = Index::synced_by(&dir.path().join("index"), hang);
        let mut indexing = Indexing::new(index.clone(), dir.path(), Clock::start());
        indexing.turn(Instant::ZERO).unwrap();
        while !IS_HANGING.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // The first look sees what was done since the start.
        let begun = indexing.clock.now();
        indexing.turn(begun).unwrap();
        indexing.turn(begun.after_ms(STUCK_MS - 1)).unwrap();
        assert!(index.applied().is_ok(), "it is only slow yet");
        let stuck = begun.after_ms(STUCK_MS);
        assert!(matches!(indexing.turn(stuck), Err(IndexError::Stuck)));
        assert!(matches!(index.page(None, 1), Err(IndexError::Closed)));
        indexing.turn(stuck.after_ms(STUCK_MS)).unwrap();
        indexing.put(Vec::new()).unwrap();
        assert!(!indexing.is_level());
        indexing.close();
        // Another one, elsewhere, is not held up.
        let other = Index::new(&dir.path().join("other"));
        other.open(&dir.path().join(JOURNAL_DIR), WallTime(1)).unwrap();
    }
    #[test]
    fn what_the_upstream_refused_is_looked_at_every_hour_and_the_index_is_level_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(JOURNAL_DIR)).unwrap();
        let index = Index::new(&dir.path().join("index"));
        let mut indexing = Indexing::new(index, dir.path(), Clock::start());
        let begun = indexing.clock.now();
        let settle = |indexing: &mut Indexing, now| {
            while !indexing.is_level() {
                indexing.turn(now).unwrap();
                thread::yield_now();
            }
        };
        settle(&mut indexing, begun);
        indexing.turn(begun.after_ms(HOUR_MS - 1_000)).unwrap();
        assert!(indexing.is_level(), "not before its time");
        let due = begun.after_ms(HOUR_MS + 1_000);
        indexing.turn(due).unwrap();
        assert!(!indexing.is_level(), "it is being looked at");
        // By the test's clock, which has run ahead of the thread's, it would be stuck.
        settle(&mut indexing, begun);
        indexing.turn(due.after_ms(HOUR_MS - 1_000)).unwrap();
        assert!(indexing.is_level(), "once is enough for an hour");
        indexing.close();
    }
}
