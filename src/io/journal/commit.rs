//! The journal's thread: collects what is queued, commits it at once, reports what is durable.
//!
//! It is a thread of its own and does nothing else, so that a call's first entry never waits behind the index, the
//! encoder or a recording. Nobody waits for it: the queue is bounded, and over it an entry is counted as lost.

use super::{
    Fact, Kind,
    chain::Head,
    erase::{Erasure, ToErase},
    writer::Writer,
};
use crate::{
    io::{clock::Clock, files::Ballast},
    note::Note,
    record::CallRecord,
    time::Instant,
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

/// Entries that may wait for the disk: two seconds of a flood of 2,000 INVITEs a second.
pub const QUEUE_ENTRIES: usize = 4_096;
/// Entries committed by one `fdatasync` at most.
pub const BATCH_ENTRIES: usize = 256;

/// How long to wait before a disk that failed twice is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Attempts at a failing disk once the daemon is stopping.
const LAST_ATTEMPTS: u32 = 3;

/// The queue is full, or the thread is gone: the entry was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal takes no more entries; check the disk of the data directory")]
pub struct JournalFull;

/// An entry that is on the disk.
#[derive(Debug)]
pub struct Durable {
    /// Number of the entry.
    pub seq: u64,
    /// What it says.
    pub fact: Fact,
    /// Milliseconds from queueing until it was durable.
    pub ms: u64,
}

/// Counters of the journal, since the start.
#[derive(Debug, Default)]
pub struct JournalCounters {
    /// Entries on the disk.
    pub entries: AtomicU64,
    /// Commits: one `fdatasync` each.
    pub commits: AtomicU64,
    /// Commits that failed and were tried again.
    pub failed_commits: AtomicU64,
    /// Entries that the full queue refused.
    pub refused: AtomicU64,
    /// Entries given up because the disk failed while the daemon stopped.
    pub lost: AtomicU64,
    /// Whether the disk was found full; recordings must not use what is left.
    pub disk_full: AtomicBool,
    /// Whether the daemon is stopping.
    stopping: AtomicBool,
}

enum Item {
    Entry { fact: Fact, queued: Instant },
    Order(Order),
}

/// What is done between two commits, after everything queued before.
enum Order {
    Wait(SyncSender<()>),
    Head(SyncSender<Option<Head>>),
    Erase(Vec<ToErase>, SyncSender<io::Result<Erasure>>),
}

/// The way to the journal's thread. When all copies are gone it commits what is queued and ends.
#[derive(Clone)]
pub struct Journal {
    queue: SyncSender<Item>,
    clock: Clock,
    counters: Arc<JournalCounters>,
}

impl Journal {
    /// Starts the thread; `on_durable` runs on it, entry by entry, in order.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        writer: Writer,
        clock: Clock,
        ballast: Ballast,
        on_durable: impl FnMut(Durable) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE_ENTRIES);
        let counters = Arc::new(JournalCounters::default());
        let mut thread = Thread { writer, clock, ballast, on_durable, counters: counters.clone() };
        thread::Builder::new().name("journal".to_owned()).spawn(move || thread.run(&items))?;
        Ok(Self { queue, clock, counters })
    }

    /// Queues the record of a call; never waits.
    ///
    /// # Errors
    /// [`JournalFull`]; the entry is counted as refused.
    pub fn append(&self, kind: Kind, record: Box<CallRecord>) -> Result<(), JournalFull> {
        let call = record.id;
        self.queue(Fact::Call(kind, record)).map_err(|why| {
            tracing::error!(%call, ?kind, why, "journal entry lost");
            JournalFull
        })
    }

    /// Queues a note; never waits.
    ///
    /// # Errors
    /// [`JournalFull`]; the note is counted as refused.
    pub fn note(&self, note: Note) -> Result<(), JournalFull> {
        self.queue(Fact::Note(note)).map_err(|why| {
            tracing::warn!(why, "a note is not in the journal");
            JournalFull
        })
    }

    fn queue(&self, fact: Fact) -> Result<(), &'static str> {
        let queued = self.clock.now();
        self.queue.try_send(Item::Entry { fact, queued }).map_err(|error| {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => "queue full",
                TrySendError::Disconnected(_) => "journal ended",
            }
        })
    }

    /// Waits until everything queued before is durable and was reported.
    pub fn wait(&self) {
        let (done, waiting) = sync_channel(1);
        if self.queue.send(Item::Order(Order::Wait(done))).is_ok() {
            let _ = waiting.recv();
        }
    }

    /// As [`Journal::wait`], but gives up after `patience`, and at once if the queue is full; tells whether it is done.
    #[must_use]
    pub fn wait_at_most(&self, patience: Duration) -> bool {
        let (done, waiting) = sync_channel(1);
        self.queue.try_send(Item::Order(Order::Wait(done))).is_ok() && waiting.recv_timeout(patience).is_ok()
    }

    /// The signed end of the journal, after everything queued before; waits for it. `None` if there is no entry yet,
    /// no key, or the thread is gone.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let (done, waiting) = sync_channel(1);
        self.queue.send(Item::Order(Order::Head(done))).ok()?;
        waiting.recv().ok()?
    }

    /// As [`Journal::head`], but gives up after `patience`, and at once if the queue is full.
    #[must_use]
    pub fn head_at_most(&self, patience: Duration) -> Option<Head> {
        let (done, waiting) = sync_channel(1);
        self.queue.try_send(Item::Order(Order::Head(done))).ok()?;
        waiting.recv_timeout(patience).ok()?
    }

    /// Erases what the journal says of calls but the last entry of each, and waits until that is durable. Their
    /// records must have been erased before: see [`super::erase`].
    ///
    /// # Errors
    /// If a segment cannot be read or written, or the thread is gone. It may be done again at any time.
    pub fn erase(&self, calls: Vec<ToErase>) -> io::Result<Erasure> {
        let (done, waiting) = sync_channel(1);
        let gone = || io::Error::other("the journal has ended");
        self.queue.send(Item::Order(Order::Erase(calls, done))).map_err(|_| gone())?;
        waiting.recv().map_err(|_| gone())?
    }

    /// From now on a failing disk is given up after a few attempts.
    pub fn stop(&self) {
        self.counters.stopping.store(true, Ordering::Relaxed);
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Arc<JournalCounters> {
        &self.counters
    }
}

struct Thread<F> {
    writer: Writer,
    clock: Clock,
    ballast: Ballast,
    on_durable: F,
    counters: Arc<JournalCounters>,
}

type Batch = Vec<(Fact, Instant)>;

impl<F: FnMut(Durable)> Thread<F> {
    fn run(&mut self, items: &Receiver<Item>) {
        let mut batch = Batch::with_capacity(BATCH_ENTRIES);
        while let Ok(first) = items.recv() {
            let mut order = None;
            for item in std::iter::once(first).chain(items.try_iter()) {
                match item {
                    Item::Entry { fact, queued } => batch.push((fact, queued)),
                    Item::Order(given) => order = Some(given),
                }
                if batch.len() >= BATCH_ENTRIES || order.is_some() {
                    break;
                }
            }
            self.commit(&mut batch);
            if let Some(order) = order {
                self.obey(order);
            }
        }
    }

    /// Whoever gave the order may have gone; that is no fault.
    fn obey(&mut self, order: Order) {
        match order {
            Order::Wait(done) => drop(done.send(())),
            Order::Head(done) => drop(done.send(self.writer.head())),
            Order::Erase(calls, done) => {
                let erasing = catch_unwind(AssertUnwindSafe(|| self.writer.erase(&calls)));
                let erased = erasing.unwrap_or_else(|_| Err(io::Error::other("erasing panicked")));
                drop(done.send(erased));
            }
        }
    }

    fn commit(&mut self, batch: &mut Batch) {
        let mut attempt = 0;
        while !batch.is_empty() {
            match self.try_commit(batch) {
                Ok(first) => return self.report(first, batch),
                Err(error) => {
                    attempt += 1;
                    self.after_failure(&error, attempt);
                }
            }
            if attempt >= LAST_ATTEMPTS && self.counters.stopping.load(Ordering::Relaxed) {
                tracing::error!(entries = batch.len(), "journal entries lost: the disk fails");
                self.counters.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                batch.clear();
            }
        }
    }

    /// A panic while writing is a failed commit: the segment is left and the batch is written again.
    fn try_commit(&mut self, batch: &Batch) -> io::Result<u64> {
        let entries = batch.iter().map(|(fact, _)| fact);
        catch_unwind(AssertUnwindSafe(|| self.writer.commit(entries))).unwrap_or_else(|_| {
            self.writer.give_up_segment();
            Err(io::Error::other("the journal writer panicked"))
        })
    }

    fn report(&mut self, first: u64, batch: &mut Batch) {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.entries.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let now = self.clock.now();
        for (seq, (fact, queued)) in (first..).zip(batch.drain(..)) {
            let durable = Durable { seq, fact, ms: now.ms_since(queued) };
            // Whoever listens must not end the journal.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.on_durable)(durable)));
        }
    }

    fn after_failure(&mut self, error: &io::Error, attempt: u32) {
        self.counters.failed_commits.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, attempt, "journal: a segment was given up; check the disk of the data directory");
        if error.kind() == io::ErrorKind::StorageFull {
            self.counters.disk_full.store(true, Ordering::Relaxed);
            if self.ballast.release() {
                return;
            }
        }
        if attempt > 1 {
            thread::sleep(RETRY_AFTER);
        }
    }
}
