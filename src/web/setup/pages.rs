//! The page of the first run, its live part, and what is ticked on it.

use super::{
    super::{
        Site, State,
        access::{Asking, Routes, needs},
        bar::{Bar, Page},
        pages::{drawn, problem},
        proofs::see_other,
        wall_now,
    },
    progress::{Called, Progress, SEEN_TO, Seen},
    view::{Does, Steps},
};
use crate::access::Task;
use askama::Template;
use axum::{
    Form,
    extract::{self, Path},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How often the box is looked at while the page is open: nobody lifts and hangs up faster.
const LOOK: Duration = Duration::from_millis(500);

pub(in super::super) fn routes() -> Routes {
    Routes::new()
        .route("/setup", needs(Task::Install, get(show)))
        .route("/setup/events", needs(Task::Install, get(events)))
        .route("/setup/tick/{word}", needs(Task::Install, post(tick)))
        .route("/setup/call", needs(Task::Install, post(call)))
        .route("/setup/phones/{port}", needs(Task::Install, post(phone)))
        .route("/setup/lines/{port}/test", needs(Task::Install, post(test_line)))
}

async fn show(extract::State(site): extract::State<Arc<Site>>, asking: Asking) -> Response {
    let steps = site.read(look).await;
    let page = steps.map(|steps| SetUpPage { bar: Bar::new(Page::SetUp, &asking.0), steps });
    drawn(StatusCode::OK, page)
}

/// Looks at the box, notes what has happened, and draws the steps.
fn look(state: &State) -> Steps {
    let kept = state.set_up.change(|progress| note(progress, state));
    if let Err(error) = kept {
        tracing::warn!(%error, "what was seen to in the set-up could not be kept");
    }
    Steps::new(state)
}

/// A phone that is off hook was lifted, and a bubble since the installer wanted to call is that call's.
fn note(progress: &mut Progress, state: &State) {
    if let Some(status) = state.status.newest() {
        progress.note_lifted(&status, wall_now());
    }
    let Some(since) = progress.call_since.filter(|_| progress.call.is_none()) else { return };
    // The newest is first: of several, the first to come counts.
    let mut came = state.live.snapshot().into_iter().map(|shown| shown.bubble);
    progress.call = came.rfind(|bubble| bubble.start_time >= since).map(|bubble| Called {
        call: bubble.call,
        at: bubble.start_time,
        tracking: bubble.tracking_number,
        campaign: bubble.campaign,
    });
}

/// The steps, whenever they look different.
async fn events(extract::State(site): extract::State<Arc<Site>>) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many open pages: close some\n").into_response();
    };
    let (out, events) = mpsc::channel::<Result<Event, Infallible>>(2);
    tokio::spawn(async move {
        let mut stop = site.stop.clone();
        let mut turn = tokio::time::interval(LOOK);
        let mut shown = String::new();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => break,
                () = out.closed() => break,
                _ = turn.tick() => {}
            }
            let Some(steps) = site.read(look).await else { break };
            let Ok(html) = (StepsFragment { steps }).render() else { break };
            if html == shown {
                continue;
            }
            if out.send(Ok(Event::default().data(&html))).await.is_err() {
                break;
            }
            shown = html;
        }
        drop(permit);
    });
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new()).into_response()
}

async fn tick(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Path(word): Path<String>,
) -> Response {
    let Some((word, did)) = SEEN_TO.into_iter().find(|(known, _)| *known == word) else {
        return problem(StatusCode::NOT_FOUND, &asking, "There is no such step", "Go back to Set-up.");
    };
    let by = asking.0.name.clone();
    let seen = Seen { by: by.clone(), at: wall_now() };
    let account = site.state.retention.desk().map(|desk| desk.account(&by, did, "set-up"));
    if account.is_some_and(|account| account.is_err()) {
        tracing::warn!(did, "the journal did not take the note of a step of the set-up");
    }
    keep(&site, &asking, word, move |progress| {
        progress.seen.insert(word.to_owned(), seen);
    })
    .await
}

async fn call(extract::State(site): extract::State<Arc<Site>>, asking: Asking) -> Response {
    keep(&site, &asking, "call", |progress| {
        (progress.call_since, progress.call) = (Some(wall_now()), None);
    })
    .await
}

/// Whose a phone is.
#[derive(Deserialize)]
struct Named {
    user: String,
}

async fn phone(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Path(port): Path<String>,
    Form(Named { user }): Form<Named>,
) -> Response {
    keep(&site, &asking, "phones", move |progress| progress.name(&port, &user)).await
}

async fn keep(
    site: &Site,
    asking: &Asking,
    step: &str,
    change: impl FnOnce(&mut Progress) + Send + 'static,
) -> Response {
    match site.read(move |state| state.set_up.change(change)).await {
        Some(Ok(())) => see_other(&format!("/setup#{step}")),
        Some(Err(_)) | None => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            asking,
            "This could not be kept",
            "The data directory cannot be written: see the disk on the live page, and try again.",
        ),
    }
}

async fn test_line(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Path(port): Path<String>,
) -> Response {
    match site.state.line_tests.run(port).await {
        Ok(_) => see_other("/setup#lines"),
        Err(why) => problem(
            why.status(),
            &asking,
            "The jack could not be tested",
            "A call or another test may have it: go back to Set-up and try again after it.",
        ),
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetUpPage {
    bar: Bar,
    steps: Steps,
}

#[derive(Template)]
#[template(path = "stream_setup.html")]
struct StepsFragment {
    steps: Steps,
}
