//! The live page and the page of one call.

use super::{
    Site, State,
    access::Asking,
    bar::{Bar, Page},
    bubble_view::{BubbleView, Viewer},
    calls::timeline::{self, Timeline},
    missed::{self, MissedView},
    panel::PanelView,
    route,
    view::{self, CallDetail, CallView, Fact, Player, Summary},
};
use crate::{access::Task, id::CallId, record::CallRecord};
use askama::Template;
use axum::{
    extract::{self, Path},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use std::sync::Arc;

/// Rows of the call table: a busy office's day.
pub(super) const MAX_CALLS: usize = 200;

/// Bars of a waveform in the table, about one for each two pixels.
const ROW_COLUMNS: usize = 120;

/// Bars of a waveform on a call's own page.
const PAGE_COLUMNS: usize = 480;

/// A record as a row of the call table.
pub(super) fn row(record: &CallRecord, state: &State) -> CallView {
    CallView::new(record, &state.recordings, ROW_COLUMNS)
}

pub(super) async fn live(extract::State(site): extract::State<Arc<Site>>, asking: Asking) -> Response {
    // The version is taken before the records: a record saved in between is sent once more, never missed.
    let records = site.state.live.records_version();
    let board = site.state.live.snapshot();
    let panel = site.state.status.newest().map(|newest| PanelView::new(&newest));
    let page = site.read(move |state| {
        let today = state.calls.today(MAX_CALLS);
        let now = super::wall_now();
        let viewer = Viewer::new(&asking.0, &*state.office);
        LivePage {
            bar: Bar::new(Page::Live, &asking.0),
            missed: viewer.handles.then(|| missed::open(state)),
            title: view::title(state.live.counts()),
            records,
            panel,
            bubbles: board.iter().map(|shown| BubbleView::new(shown, now, &viewer)).collect(),
            summary: Summary::of(&today),
            calls: today.iter().map(|record| row(record, state)).collect(),
        }
    });
    drawn(StatusCode::OK, page.await)
}

/// The calls of now in large type, for a screen that everybody sees: nothing to press, nothing that the office wrote.
pub(super) async fn wall(extract::State(site): extract::State<Arc<Site>>) -> Response {
    let now = super::wall_now();
    let (live, viewer) = (&site.state.live, Viewer::wall());
    let page = WallPage {
        title: view::title(live.counts()),
        bubbles: live.snapshot().iter().map(|shown| BubbleView::new(shown, now, &viewer)).collect(),
    };
    drawn(StatusCode::OK, Some(page))
}

pub(super) async fn call(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<CallId>() else { return no_such_call(&asking) };
    let who = Arc::clone(&asking.0);
    let page = site.read(move |state| {
        let record = state.desk.newest(id).or_else(|| state.calls.get(id))?;
        let call = CallView::new(&record, &state.recordings, PAGE_COLUMNS);
        let has_player = matches!(call.player, Player::Ready { .. });
        Some(CallPage {
            bar: Bar::new(Page::Other, &who),
            call,
            has_player,
            route: route::Picture::new(&record),
            proof: record.attribution.proof_id.map(|id| id.to_string()),
            course: Timeline::new(&record),
            office: timeline::office(&record),
            keeps: who.role.may(Task::Administer),
            detail: CallDetail::new(&record, state.retention.kept_until(&record)),
        })
    });
    match page.await {
        Some(Some(page)) => drawn(StatusCode::OK, Some(page)),
        Some(None) => no_such_call(&asking),
        None => drawn(StatusCode::OK, None::<CallPage>),
    }
}

pub(super) async fn not_found(asking: Asking) -> Response {
    let remedy = "The calls of today are on the live page.";
    problem(StatusCode::NOT_FOUND, &asking, "There is no such page", remedy)
}

fn no_such_call(asking: &Asking) -> Response {
    let remedy = "Its address may be mistyped, or the call may belong to another box.";
    problem(StatusCode::NOT_FOUND, asking, "There is no such call", remedy)
}

/// A page that says what is the matter and what to do.
pub(super) fn problem(
    status: StatusCode,
    asking: &Asking,
    title: &'static str,
    remedy: &'static str,
) -> Response {
    drawn(status, Some(Problem { bar: Bar::new(Page::Other, &asking.0), title, remedy }))
}

/// A page as an answer; `None` means that reading what it shows has failed.
pub(super) fn drawn(status: StatusCode, page: Option<impl Template>) -> Response {
    match page.map(|page| page.render()) {
        Some(Ok(html)) => (status, Html(html)).into_response(),
        Some(Err(error)) => {
            tracing::error!(%error, "a page could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the call records could not be read; see the log\n")
            .into_response(),
    }
}

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    bar: Bar,
    title: String,
    records: String,
    panel: Option<PanelView>,
    bubbles: Vec<BubbleView>,
    /// For those who handle calls.
    missed: Option<Vec<MissedView>>,
    summary: Summary,
    calls: Vec<CallView>,
}

#[derive(Template)]
#[template(path = "wall.html")]
struct WallPage {
    title: String,
    bubbles: Vec<BubbleView>,
}

#[derive(Template)]
#[template(path = "call.html")]
struct CallPage {
    bar: Bar,
    call: CallView,
    has_player: bool,
    route: Option<route::Picture>,
    /// The proof of its advertised number, as it was when the call came in.
    proof: Option<String>,
    course: Option<Timeline>,
    office: Vec<Fact>,
    /// Whether whoever looks may hold and erase.
    keeps: bool,
    detail: CallDetail,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    bar: Bar,
    title: &'static str,
    remedy: &'static str,
}
