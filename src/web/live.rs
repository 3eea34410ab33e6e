//! The call bubbles that are on the screens: the newest revision of each, and the changes as they happen.
//!
//! The signalling thread publishes, every open page follows. The board is state and not a log: a page that
//! connects, reconnects or falls behind is given the whole board again, so a reload shows the same.

use crate::{
    call::bubble::{Bubble, BubbleState},
    handling::Handling,
    id::CallId,
    time::WallTime,
    webhook::lookup::Looked,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// How long a missed call stays on the screen, so that a person can read who it was; the list of missed calls keeps it.
pub const ENDED_STAYS: Duration = Duration::from_secs(60);

/// How long a call that was answered waits to be closed with a reason. Its record can be written into at any time.
pub const UNCLOSED_STAYS: Duration = Duration::from_secs(15 * 60);

/// Bubbles kept at once: ten times the lines of the largest board, so that only a burst of refused calls reaches it.
pub const MAX_BUBBLES: usize = 256;

/// Changes that a slow page may lag behind before it is given the whole board again.
const MAX_LAG: usize = 1024;

/// A bubble and what the page needs beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The newest revision.
    pub bubble: Bubble,
    /// Revision of what is shown, 1-based: that of the bubble or higher, as the office has its say too.
    pub rev: u32,
    /// What the office has of the call.
    pub handling: Handling,
    /// Place on the page: the higher, the nearer to the top.
    pub order: u64,
    /// When its end was published.
    pub ended_at: Option<WallTime>,
    /// What the office's own system knows of the caller.
    pub looked: Option<Looked>,
}

/// Something that the open pages must show.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A bubble is new or has a new revision.
    Bubble(Box<Shown>),
    /// A bubble leaves the page.
    Gone(CallId),
    /// The stored record of a call is new or has a new revision.
    Record(CallId),
}

/// A moment of the board, and everything that happens after it.
pub(super) struct Following {
    /// Every bubble, top of the page first.
    pub(super) board: Vec<Shown>,
    /// Which stored records the moment includes; see [`LiveBubbles::records_version`].
    pub(super) records: String,
    /// What happens from now on.
    pub(super) changes: broadcast::Receiver<Change>,
}

/// Number of bubbles by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Phones that ring.
    pub ringing: usize,
    /// Calls with somebody on the phone.
    pub live: usize,
}

/// The board of call bubbles; a clone is the same board.
#[derive(Clone, Debug)]
pub struct LiveBubbles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    board: Mutex<Board>,
    changes: broadcast::Sender<Change>,
    /// Sets this run of the daemon apart from the last one in [`LiveBubbles::records_version`].
    started_ms: u64,
}

#[derive(Debug, Default)]
struct Board {
    bubbles: BTreeMap<CallId, (Shown, Option<Instant>)>,
    published: u64,
    records: u64,
    refused: u64,
    /// What is known of a call whose bubble is still to come: it is next.
    early: Option<(CallId, Handling)>,
}

impl LiveBubbles {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        let (changes, _) = broadcast::channel(MAX_LAG);
        Self(Arc::new(Inner { board: Mutex::default(), changes, started_ms: super::wall_now().0 }))
    }

    /// Shows a bubble. A revision that is not higher than the one shown is ignored.
    ///
    /// Called on the signalling thread: it takes one short lock and never waits for a page.
    pub fn publish(&self, bubble: Bubble) {
        let ended = bubble.state == BubbleState::Ended;
        let mut board = self.board();
        if board.bubbles.get(&bubble.call).is_some_and(|(shown, _)| shown.bubble.rev >= bubble.rev) {
            return;
        }
        let before = board.bubbles.get(&bubble.call).cloned();
        if before.is_none() && board.bubbles.len() >= MAX_BUBBLES && !self.make_room(&mut board) {
            board.refused += 1;
            return;
        }
        board.published += 1;
        let (before, leaves) = before.unzip();
        let looked = before.as_ref().and_then(|before| before.looked.clone());
        let early = board.early.take_if(|(call, _)| *call == bubble.call).map(|(_, handling)| handling);
        let (order, rev, ended_at, handling) = match before {
            Some(before) => (before.order, before.rev, before.ended_at, before.handling),
            None => (board.published, 0, None, early.unwrap_or_default()),
        };
        let stays = if bubble.answered_at.is_some() { UNCLOSED_STAYS } else { ENDED_STAYS };
        let leaves = leaves.flatten().or_else(|| ended.then(|| Instant::now() + stays));
        let (rev, ended_at) = (bubble.rev.max(rev + 1), ended_at.or_else(|| ended.then(super::wall_now)));
        let shown = Shown { bubble, rev, order, ended_at, handling, looked };
        board.bubbles.insert(shown.bubble.call, (shown.clone(), leaves));
        // Sent under the lock, so that a follower never sees revisions out of order. No receiver is no error.
        let _ = self.0.changes.send(Change::Bubble(Box::new(shown)));
    }

    /// What the office has of a call changed.
    pub fn handled(&self, call: CallId, handling: Handling) {
        self.change(call, |shown| shown.handling = handling);
    }

    /// The box found out who calls, or whose handset was lifted; what the office said before stands.
    pub fn found(&self, call: CallId, found: &Handling) {
        let mut board = self.board();
        if !board.bubbles.contains_key(&call) {
            board.early = Some((call, found.clone()));
            return;
        }
        drop(board);
        self.change(call, |shown| {
            let handling = &mut shown.handling;
            handling.customer = handling.customer.take().or_else(|| found.customer.clone());
            handling.claimed_by = handling.claimed_by.take().or_else(|| found.claimed_by.clone());
        });
    }

    /// The office's own system knows the caller: the bubble is shown again with it, if it is still there.
    pub fn looked_up(&self, looked: Looked) {
        self.change(looked.call, |shown| shown.looked = Some(looked));
    }

    /// The office is done with a call: its bubble goes; false if the call is still up.
    pub fn close(&self, call: CallId) -> bool {
        let mut board = self.board();
        let state = board.bubbles.get(&call).map(|(shown, _)| shown.bubble.state);
        match state {
            Some(BubbleState::Ended) => {
                board.bubbles.remove(&call);
                let _ = self.0.changes.send(Change::Gone(call));
                true
            }
            Some(BubbleState::Ringing | BubbleState::Live | BubbleState::Paused) => false,
            None => true,
        }
    }

    /// State of a call's bubble, if there is one.
    #[must_use]
    pub fn state_of(&self, call: CallId) -> Option<BubbleState> {
        self.board().bubbles.get(&call).map(|(shown, _)| shown.bubble.state)
    }

    fn change(&self, call: CallId, change: impl FnOnce(&mut Shown)) {
        let mut board = self.board();
        let Some((shown, _)) = board.bubbles.get_mut(&call) else { return };
        let mut after = shown.clone();
        change(&mut after);
        if after != *shown {
            after.rev += 1;
            *shown = after.clone();
            let _ = self.0.changes.send(Change::Bubble(Box::new(after)));
        }
    }

    /// Tells the open pages that the stored record of `call` is new or has changed.
    pub fn record_changed(&self, call: CallId) {
        self.board().records += 1;
        let _ = self.0.changes.send(Change::Record(call));
    }

    /// Every bubble, top of the page first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Shown> {
        self.board().in_page_order()
    }

    /// Number of bubbles by state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let board = self.board();
        let of = |state| board.bubbles.values().filter(|(shown, _)| shown.bubble.state == state).count();
        let live = of(BubbleState::Live) + of(BubbleState::Paused);
        Counts { ringing: of(BubbleState::Ringing), live }
    }

    /// Bubbles that found no room since the start; 0 unless more than [`MAX_BUBBLES`] calls are up at once.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.board().refused
    }

    /// A name for the set of stored records that the pages were told of. It differs after each
    /// [`record_changed`](Self::record_changed) and from one run of the daemon to the next.
    pub(super) fn records_version(&self) -> String {
        self.version_of(&self.board())
    }

    /// The board of this moment together with all later changes: nothing is missed in between.
    pub(super) fn follow(&self) -> Following {
        let board = self.board();
        let changes = self.0.changes.subscribe();
        Following { board: board.in_page_order(), records: self.version_of(&board), changes }
    }

    /// Takes the ended bubbles off the board whose time is over at `now`.
    pub(super) fn sweep(&self, now: Instant) {
        let mut board = self.board();
        let over = |leaves: &Option<Instant>| leaves.is_some_and(|at| at <= now);
        let gone: Vec<CallId> =
            board.bubbles.iter().filter(|(_, (_, leaves))| over(leaves)).map(|(call, _)| *call).collect();
        for call in gone {
            board.bubbles.remove(&call);
            let _ = self.0.changes.send(Change::Gone(call));
        }
    }

    /// Drops the bubble that ended first; false if every call on the board is still up.
    fn make_room(&self, board: &mut Board) -> bool {
        let ended = board.bubbles.iter().filter_map(|(call, (_, leaves))| leaves.map(|at| (at, *call)));
        let Some((_, call)) = ended.min() else { return false };
        board.bubbles.remove(&call);
        let _ = self.0.changes.send(Change::Gone(call));
        true
    }

    fn version_of(&self, board: &Board) -> String {
        format!("{:x}-{:x}", self.0.started_ms, board.records)
    }

    /// A panic elsewhere leaves the board whole: it is only ever changed by single inserts and removals.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LiveBubbles {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    fn in_page_order(&self) -> Vec<Shown> {
        let mut shown: Vec<Shown> = self.bubbles.values().map(|(shown, _)| shown.clone()).collect();
        shown.sort_by_key(|shown| std::cmp::Reverse(shown.order));
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{handling::CustomerLink, web::made_up};

    fn calls(live: &LiveBubbles) -> Vec<CallId> {
        live.snapshot().iter().map(|shown| shown.bubble.call).collect()
    }

    #[test]
    fn the_newest_call_is_on_top_and_stays_there_when_an_older_one_changes() {
        let live = LiveBubbles::new();
        live.publish(made_up::ringing(9));
        live.publish(made_up::ringing(2));
        live.publish(made_up::answered(9));
        assert_eq!(calls(&live), [made_up::call(2), made_up::call(9)]);
        assert_eq!(live.counts(), Counts { ringing: 1, live: 1 });
    }

    #[test]
    fn an_old_revision_changes_nothing() {
        let live = LiveBubbles::new();
        live.publish(made_up::answered(1));
        let mut following = live.follow();
        live.publish(made_up::ringing(1));
        assert_eq!(live.counts().live, 1);
        assert!(following.changes.try_recv().is_err());
    }

    #[test]
    fn a_missed_call_leaves_after_a_minute_and_not_before() {
        let live = LiveBubbles::new();
        live.publish(made_up::ringing(1));
        live.publish(Bubble { answered_at: None, ..made_up::ended(2) });
        let mut following = live.follow();
        live.sweep(Instant::now() + ENDED_STAYS / 2);
        assert_eq!(live.snapshot().len(), 2);
        live.sweep(Instant::now() + ENDED_STAYS);
        assert_eq!(calls(&live), [made_up::call(1)]);
        assert!(
            matches!(following.changes.try_recv(), Ok(Change::Gone(call)) if call == made_up::call(2)),
            "open pages are told"
        );
    }

    #[test]
    fn an_answered_call_waits_to_be_closed_and_not_for_ever() {
        let live = LiveBubbles::new();
        live.publish(made_up::answered(1));
        assert!(!live.close(made_up::call(1)), "it is up");
        live.publish(made_up::ended(1));
        live.publish(made_up::ended(2));
        live.sweep(Instant::now() + ENDED_STAYS);
        assert_eq!(calls(&live), [made_up::call(2), made_up::call(1)]);
        assert!(live.close(made_up::call(1)) && live.close(made_up::call(1)));
        assert_eq!(calls(&live), [made_up::call(2)]);
        live.sweep(Instant::now() + UNCLOSED_STAYS);
        assert!(live.snapshot().is_empty());
    }

    #[test]
    fn what_the_office_has_of_a_call_is_a_revision_of_its_own_and_outlives_the_calls() {
        let live = LiveBubbles::new();
        let customer = CustomerLink {
            id: "cus_1".to_owned(),
            external_id: None,
            name: "Dana Ortiz".to_owned(),
            matched: "number".to_owned(),
        };
        let found = Handling { customer: Some(customer), ..Handling::default() };
        // Who calls is known before the bubble is there.
        live.found(made_up::call(1), &found);
        live.publish(made_up::ringing(1));
        let mut following = live.follow();
        let noted = Handling { note: Some("leak".to_owned()), ..found };
        live.handled(made_up::call(1), noted.clone());
        live.handled(made_up::call(1), noted.clone());
        live.publish(made_up::answered(1));
        let mut revs = Vec::new();
        while let Ok(Change::Bubble(shown)) = following.changes.try_recv() {
            assert_eq!(shown.handling, noted);
            revs.push(shown.rev);
        }
        assert_eq!((following.board[0].rev, revs), (1, vec![2, 3]));
    }

    #[test]
    fn a_full_board_gives_up_the_call_that_ended_first() {
        let live = LiveBubbles::new();
        live.publish(made_up::ringing(0));
        for n in 1..MAX_BUBBLES as u64 {
            live.publish(made_up::ended(n));
        }
        live.publish(made_up::ringing(5000));
        let calls = calls(&live);
        assert_eq!(calls.len(), MAX_BUBBLES);
        assert!(calls.contains(&made_up::call(0)), "a call that is up stays");
        assert!(!calls.contains(&made_up::call(1)), "the oldest of the ended ones went");
        assert!(calls.contains(&made_up::call(5000)));
    }

    #[test]
    fn a_board_full_of_calls_that_are_up_refuses_one_more_and_counts_it() {
        let live = LiveBubbles::new();
        for n in 0..=MAX_BUBBLES as u64 {
            live.publish(made_up::ringing(n));
        }
        assert_eq!((live.snapshot().len(), live.refused()), (MAX_BUBBLES, 1));
    }

    #[test]
    fn what_is_known_of_a_caller_stays_with_the_bubble() {
        let live = LiveBubbles::new();
        live.publish(made_up::ringing(1));
        let mut following = live.follow();
        let looked = |n| Looked {
            call: made_up::call(n),
            customer_name: Some("Dana Ortiz".to_owned()),
            external_id: None,
            url: None,
            note: None,
        };
        live.looked_up(looked(2));
        assert!(following.changes.try_recv().is_err(), "a bubble that is gone stays gone");
        live.looked_up(looked(1));
        assert!(matches!(following.changes.try_recv(), Ok(Change::Bubble(shown)) if shown.looked.is_some()));
        live.publish(made_up::answered(1));
        assert_eq!(live.snapshot()[0].looked, Some(looked(1)));
    }

    #[test]
    fn a_follower_has_the_board_and_every_later_change_exactly_once() {
        let live = LiveBubbles::new();
        live.publish(made_up::ringing(1));
        let mut following = live.follow();
        live.publish(made_up::answered(1));
        live.record_changed(made_up::call(1));
        assert_eq!(following.board[0].bubble.rev, 1);
        assert!(matches!(following.changes.try_recv(), Ok(Change::Bubble(shown)) if shown.bubble.rev == 2));
        assert!(matches!(following.changes.try_recv(), Ok(Change::Record(_))));
        assert!(following.changes.try_recv().is_err());
        assert_ne!(following.records, live.records_version());
    }
}
