//! The state of the box for the API: the newest snapshot, a stream of snapshots, and line tests.
//!
//! The signalling thread publishes into the [`StatusBoard`] and never waits; readers take the newest snapshot and skip
//! what they were too slow for. A line test goes the other way: [`LineTests`] hands the daemon an order with the end of
//! a channel on which it answers.

use super::{Site, api};
use crate::status::{BoxStatus, LineHealth};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;

/// A page is sent the state of the box at most so often.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(200);

/// A comment in a silent stream, before any proxy or reader gives it up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a line test may take: dial tone, every impedance and the hybrid take about 20 s.
const TEST_PATIENCE: Duration = Duration::from_secs(30);

/// Line tests that may wait for the daemon: one per port of the largest board.
const MAX_TESTS: usize = crate::board::MAX_PORTS;

/// The newest snapshot of the box; a clone is the same board.
#[derive(Clone, Debug)]
pub struct StatusBoard(watch::Sender<Option<Arc<BoxStatus>>>);

impl StatusBoard {
    /// Nothing published yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Makes `status` the newest. Followers wake only if it says something new.
    ///
    /// Called on the signalling thread: it takes one short lock and never waits for a reader.
    pub fn publish(&self, status: BoxStatus) {
        self.0.send_if_modified(|newest| {
            let is_news = newest.as_ref().is_none_or(|before| !status.says_the_same_as(before));
            *newest = Some(Arc::new(status));
            is_news
        });
    }

    /// The newest snapshot; `None` until the first.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<BoxStatus>> {
        self.0.borrow().clone()
    }

    /// Wakes at once if there is a snapshot, then with each that says something new.
    pub(super) fn follow(&self) -> watch::Receiver<Option<Arc<BoxStatus>>> {
        let mut following = self.0.subscribe();
        if following.borrow().is_some() {
            following.mark_changed();
        }
        following
    }
}

impl Default for StatusBoard {
    fn default() -> Self {
        Self::new()
    }
}

/// A line test that somebody asks for.
#[derive(Debug)]
pub struct LineTestOrder {
    /// Name of the port.
    pub port: String,
    /// Where the result goes. It is closed when nobody waits for it any more.
    pub answer: oneshot::Sender<Result<LineHealth, LineTestRefused>>,
}

/// Why a line was not tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineTestRefused {
    /// The board has no such port.
    UnknownPort,
    /// A call, or another test, has it.
    InUse,
    /// The test began and could not be ended; the text says what happened.
    Failed(String),
}

/// The way of line tests to the daemon; a clone is the same way.
#[derive(Clone, Debug)]
pub struct LineTests {
    orders: Option<mpsc::Sender<LineTestOrder>>,
    patience: Duration,
}

impl LineTests {
    /// A way, and the end of it that takes the orders.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<LineTestOrder>) {
        let (orders, taken) = mpsc::channel(MAX_TESTS);
        (Self { orders: Some(orders), patience: TEST_PATIENCE }, taken)
    }

    /// No way: whoever asks is told that lines cannot be tested yet.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self { orders: None, patience: TEST_PATIENCE }
    }

    #[cfg(test)]
    pub(super) const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) async fn run(&self, port: String) -> Result<LineHealth, Response> {
        let Some(orders) = &self.orders else {
            return Err(api::problem(
                StatusCode::NOT_IMPLEMENTED,
                "not_available",
                "this box cannot test lines yet",
            ));
        };
        let (answer, result) = oneshot::channel();
        if orders.try_send(LineTestOrder { port, answer }).is_err() {
            return Err(api::problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_tests",
                "other line tests must end first",
            ));
        }
        let refused = match tokio::time::timeout(self.patience, result).await {
            Ok(Ok(Ok(health))) => return Ok(health),
            Ok(Ok(Err(refused))) => refused,
            Ok(Err(_dropped)) => LineTestRefused::Failed("the box gave the test up".to_owned()),
            Err(_elapsed) => {
                return Err(api::problem(
                    StatusCode::GATEWAY_TIMEOUT,
                    "test_too_long",
                    "the line test did not end in time",
                ));
            }
        };
        Err(match refused {
            LineTestRefused::UnknownPort => no_such_port(),
            LineTestRefused::InUse => api::problem(
                StatusCode::CONFLICT,
                "line_in_use",
                "the line is in use: try again after the call",
            ),
            LineTestRefused::Failed(why) => {
                api::problem(StatusCode::BAD_GATEWAY, "test_failed", &format!("the line test failed: {why}"))
            }
        })
    }
}

fn no_such_port() -> Response {
    api::problem(StatusCode::NOT_FOUND, "no_such_port", "this box has no such port")
}

fn starting() -> Response {
    api::problem(StatusCode::SERVICE_UNAVAILABLE, "starting", "the box is still starting")
}

pub(super) async fn status(State(site): State<Arc<Site>>) -> Response {
    site.state.status.newest().map_or_else(starting, |newest| Json(&*newest).into_response())
}

pub(super) async fn test_line(State(site): State<Arc<Site>>, Path(port): Path<String>) -> Response {
    let Some(newest) = site.state.status.newest() else { return starting() };
    if !newest.ports().any(|name| name == port) {
        return no_such_port();
    }
    match site.state.line_tests.run(port).await {
        Ok(health) => Json(health).into_response(),
        Err(problem) => problem,
    }
}

pub(super) async fn events(State(site): State<Arc<Site>>) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return api::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams",
            "too many open streams: close some",
        );
    };
    // One waits, the rest is skipped: a slow reader gets newer snapshots, not more of them.
    let (out, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut stop = site.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = out.closed() => {}
            () = send_each(site.state.status.follow(), &out) => {}
        }
        drop(permit);
    });
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Sends one snapshot per change until nobody listens.
async fn send_each(
    mut following: watch::Receiver<Option<Arc<BoxStatus>>>,
    out: &mpsc::Sender<Result<Event, Infallible>>,
) {
    while following.changed().await.is_ok() {
        let Some(newest) = following.borrow_and_update().clone() else { continue };
        let event = Event::default().event("status").id(newest.at.to_string()).json_data(&*newest);
        let Ok(event) = event.inspect_err(|error| tracing::error!(%error, "a snapshot cannot be written"))
        else {
            continue;
        };
        if out.send(Ok(event)).await.is_err() {
            return;
        }
        tokio::time::sleep(MIN_INTERVAL).await;
    }
}
