//! `/events`: the live page's stream of server-sent events.
//!
//! It opens with the whole board and goes on with one event per change, whose id is `<call>.<revision>`. The data
//! are fragments that htmx swaps into the page. A page that falls behind is given the whole board again. The strip of
//! the box itself is sent when it looks different, with the id `panel`.

use super::{
    Site,
    access::Asking,
    bubble_view::{BubbleView, Viewer},
    live::{Change, Following, Shown},
    missed::{self, MissedView},
    pages,
    panel::PanelView,
    status,
    view::{self, CallView, Player, Summary},
};
use crate::{id::CallId, status::BoxStatus, time::WallTime};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast::error::RecvError, mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;

/// A comment in a silent stream, before any proxy or browser gives it up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Changed records are gathered for this long, so that a burst of refused calls costs a page little.
const GATHER: Duration = Duration::from_millis(150);

/// More changed records than this in one go: the whole table is drawn again.
const MAX_GATHERED: usize = 24;

/// Events that wait for a slow page; behind them it lags in the board's channel.
const MAX_QUEUED: usize = 4;

/// What a page already shows.
#[derive(serde::Deserialize)]
pub(super) struct Seen {
    /// Version of the records in its call table.
    records: Option<String>,
    /// Whether it is a wall display, which shows bubbles and nothing else.
    #[serde(default)]
    wall: bool,
}

pub(super) async fn events(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(seen): Query<Seen>,
) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many open live pages: close some\n").into_response();
    };
    let (out, events) = mpsc::channel(MAX_QUEUED);
    let panel = Panel { status: site.state.status.follow(), next_at: Instant::now(), shown: String::new() };
    let viewer = if seen.wall { Viewer::wall() } else { Viewer::new(&asking.0, &*site.state.office) };
    let (dirty, is_wall) = (BTreeSet::new(), seen.wall);
    let stream = Stream { site, out, viewer, is_wall, dirty, flush_at: None };
    tokio::spawn(stream.run(seen, panel, permit));
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// The page went away.
struct PageGone;

/// One open page.
struct Stream {
    site: Arc<Site>,
    out: mpsc::Sender<Result<Event, Infallible>>,
    viewer: Viewer,
    is_wall: bool,
    /// Calls whose stored record changed and is not on the page yet.
    dirty: BTreeSet<CallId>,
    flush_at: Option<Instant>,
}

/// The strip of the box on one open page.
struct Panel {
    status: watch::Receiver<Option<Arc<BoxStatus>>>,
    /// Not sent again before.
    next_at: Instant,
    /// As it was sent last.
    shown: String,
}

/// What an open page waits for.
enum Turn {
    Change(Result<Change, RecvError>),
    Flush,
    Panel,
}

impl Panel {
    /// Waits until there is news and it may be sent.
    async fn due(&mut self) {
        tokio::time::sleep_until(self.next_at).await;
        if self.status.changed().await.is_err() {
            // The board is gone with the daemon; the stream ends by its stop.
            std::future::pending::<()>().await;
        }
    }

    /// The strip, if it looks different from the one before.
    fn fragment(&mut self) -> Option<PanelFragment> {
        self.next_at = Instant::now() + status::MIN_INTERVAL;
        let newest = self.status.borrow_and_update().clone()?;
        let fragment = PanelFragment { panel: PanelView::new(&newest) };
        let html = fragment.render().unwrap_or_default();
        if html == self.shown {
            return None;
        }
        self.shown = html;
        Some(fragment)
    }
}

impl Stream {
    async fn run(mut self, seen: Seen, mut panel: Panel, permit: OwnedSemaphorePermit) {
        let gauge = self.site.state.metrics.streams_open.clone();
        gauge.inc();
        let mut stop = self.site.stop.clone();
        let page = self.out.clone();
        // Ends with the page or with the daemon, whatever is first.
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = page.closed() => {}
            PageGone = self.follow(seen.records, &mut panel) => {}
        }
        gauge.dec();
        drop(permit);
    }

    async fn follow(&mut self, mut seen: Option<String>, panel: &mut Panel) -> PageGone {
        loop {
            let following = self.site.state.live.follow();
            if let Err(gone) = self.snapshot(&following, seen.as_deref()).await {
                return gone;
            }
            if let Err(gone) = self.deltas(following, panel).await {
                return gone;
            }
            // Fell behind: begin again with everything.
            seen = None;
        }
    }

    /// Sends changes until the page is gone (`Err`) or has fallen behind (`Ok`).
    async fn deltas(&mut self, mut following: Following, panel: &mut Panel) -> Result<(), PageGone> {
        loop {
            let flush_at = self.flush_at;
            let turn = tokio::select! {
                biased;
                () = reached(flush_at) => Turn::Flush,
                change = following.changes.recv() => Turn::Change(change),
                () = panel.due() => Turn::Panel,
            };
            match turn {
                Turn::Change(Ok(Change::Bubble(shown))) => self.bubble(&shown).await?,
                Turn::Change(Ok(Change::Gone(call))) => self.gone(call).await?,
                Turn::Change(Ok(Change::Record(_))) if self.is_wall => {}
                Turn::Change(Ok(Change::Record(call))) => {
                    self.dirty.insert(call);
                    self.flush_at.get_or_insert_with(|| Instant::now() + GATHER);
                }
                Turn::Change(Err(RecvError::Lagged(_) | RecvError::Closed)) => return Ok(()),
                Turn::Flush => self.flush().await?,
                Turn::Panel => {
                    if let Some(fragment) = panel.fragment().filter(|_| !self.is_wall) {
                        self.send("panel", &fragment).await?;
                    }
                }
            }
        }
    }

    /// Sends the whole board, and the call table unless the page's own is of this moment.
    async fn snapshot(&mut self, following: &Following, seen: Option<&str>) -> Result<(), PageGone> {
        self.dirty.clear();
        self.flush_at = None;
        let is_seen = self.is_wall || seen == Some(following.records.as_str());
        let day = if is_seen { None } else { Some(self.day().await) };
        let now = super::wall_now();
        let fragment =
            SnapshotFragment { title: self.title(), bubbles: self.draw(&following.board, now), day };
        self.send("snapshot", &fragment).await
    }

    async fn bubble(&self, shown: &Shown) -> Result<(), PageGone> {
        let bubble = BubbleView::new(shown, super::wall_now(), &self.viewer);
        let id = format!("{}.{}", shown.bubble.call, shown.rev);
        self.send(&id, &BubbleFragment { title: self.title(), bubble }).await
    }

    async fn gone(&self, call: CallId) -> Result<(), PageGone> {
        let fragment = GoneFragment { title: self.title(), id: call.to_string() };
        self.send(&format!("{call}.gone"), &fragment).await
    }

    /// Sends the gathered records.
    async fn flush(&mut self) -> Result<(), PageGone> {
        self.flush_at = None;
        let dirty = std::mem::take(&mut self.dirty);
        if dirty.len() > MAX_GATHERED {
            let day = Some(self.day().await);
            let bubbles = self.site.state.live.snapshot();
            let bubbles = self.draw(&bubbles, super::wall_now());
            return self.send("records", &SnapshotFragment { title: self.title(), bubbles, day }).await;
        }
        let handles = self.viewer.handles;
        let fragment = self.site.read(move |state| {
            let calls = dirty.iter().filter_map(|call| state.calls.get(*call));
            let calls = calls.map(|record| pages::row(&record, state)).collect();
            let missed = handles.then(|| missed::open(state));
            RecordsFragment { calls, missed, summary: Summary::of(&state.calls.today(pages::MAX_CALLS)) }
        });
        let Some(fragment) = fragment.await else { return Ok(()) };
        self.send("records", &fragment).await
    }

    async fn day(&self) -> Day {
        let handles = self.viewer.handles;
        let day = self.site.read(move |state| {
            let records = state.calls.today(pages::MAX_CALLS);
            let calls = records.iter().map(|record| pages::row(record, state)).collect();
            Day { calls, missed: handles.then(|| missed::open(state)), summary: Summary::of(&records) }
        });
        day.await.unwrap_or_default()
    }

    fn draw(&self, board: &[Shown], now: WallTime) -> Vec<BubbleView> {
        board.iter().map(|shown| BubbleView::new(shown, now, &self.viewer)).collect()
    }

    fn title(&self) -> String {
        view::title(self.site.state.live.counts())
    }

    async fn send(&self, id: &str, fragment: &impl Template) -> Result<(), PageGone> {
        let html = match fragment.render() {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(%error, "the live page could not be drawn");
                return Ok(());
            }
        };
        self.out.send(Ok(Event::default().id(id).data(html))).await.map_err(|_| PageGone)
    }
}

/// Ready at `at`; never without one.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[derive(Default)]
struct Day {
    calls: Vec<CallView>,
    missed: Option<Vec<MissedView>>,
    summary: Summary,
}

#[derive(Template)]
#[template(path = "stream_snapshot.html")]
struct SnapshotFragment {
    title: String,
    bubbles: Vec<BubbleView>,
    day: Option<Day>,
}

#[derive(Template)]
#[template(path = "stream_bubble.html")]
struct BubbleFragment {
    title: String,
    bubble: BubbleView,
}

#[derive(Template)]
#[template(path = "stream_gone.html")]
struct GoneFragment {
    title: String,
    id: String,
}

#[derive(Template)]
#[template(path = "stream_records.html")]
struct RecordsFragment {
    calls: Vec<CallView>,
    missed: Option<Vec<MissedView>>,
    summary: Summary,
}

#[derive(Template)]
#[template(path = "stream_panel.html")]
struct PanelFragment {
    panel: PanelView,
}
