//! The pages and the API as a browser or a program meets them, without a socket.

pub(super) mod accounts;
mod calls;
mod directory;
mod events;
mod handling;
mod matrix;
mod proofs;
mod retention;
mod sealed;
mod setup;
mod status;
mod tls;

use super::*;
use crate::{
    record::{Ended, Presentation, RecordingState},
    web::made_up,
};
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    response::Response,
};
use std::{path::Path, sync::Mutex};
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

#[derive(Default)]
struct Shelf(Mutex<Vec<CallRecord>>);

impl Calls for Shelf {
    fn today(&self, limit: usize) -> Vec<CallRecord> {
        self.0.lock().unwrap().iter().rev().take(limit).cloned().collect()
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.0.lock().unwrap().iter().find(|record| record.id == call).cloned()
    }
}

struct Office {
    state: State,
    shelf: Arc<Shelf>,
    stopping: watch::Sender<bool>,
}

impl Office {
    fn new(data_dir: &Path, records: Vec<CallRecord>) -> Self {
        let shelf = Arc::new(Shelf(Mutex::new(records)));
        let state = State {
            live: LiveBubbles::new(),
            calls: Arc::<Shelf>::clone(&shelf),
            recordings: data_dir.to_owned(),
            metrics: Metrics::new(),
            health: Health::new(),
            status: StatusBoard::new(),
            line_tests: LineTests::unavailable(),
            retention: Retention::unavailable(),
            sync: SyncNow::default(),
            directory: DirectoryWay::unavailable(),
            accounts: Accounts::loopback_only(),
            names: Names::default(),
            office: Arc::new(EmptyBook),
            desk: Desk::unavailable(),
            proofs: Proofs::unavailable(),
            set_up: SetUp::unavailable(),
            certificate: Certificate::none(),
            happenings: Happenings::new(),
            webhooks: Webhooks::default(),
        };
        Self { state, shelf, stopping: watch::channel(false).0 }
    }

    fn empty() -> Self {
        Self::new(Path::new("nowhere"), Vec::new())
    }

    async fn send(&self, request: Request<Body>) -> Response {
        router(self.state.clone(), self.stopping.subscribe()).oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(to(path).body(Body::empty()).unwrap()).await;
        let status = response.status();
        (status, text(response).await)
    }

    async fn stream(&self, path: &str) -> Events {
        let response = self.send(to(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events { body: response.into_body().into_data_stream() }
    }
}

/// The page's router, for somebody on this machine unless a test says who it is.
fn router(state: State, stop: watch::Receiver<bool>) -> Router {
    super::router(state, stop).layer(middleware::from_fn(
        |mut request: axum::extract::Request, next: middleware::Next| {
            request.extensions_mut().get_or_insert_with(|| axum::extract::ConnectInfo(loopback()));
            next.run(request)
        },
    ))
}

/// Somebody on this machine.
fn loopback() -> door::Peer {
    let local = "127.0.0.1:8480".parse().unwrap();
    door::Peer::Network { address: "127.0.0.1:50000".parse().unwrap(), local, encrypted: false }
}

fn to(path: &str) -> axum::http::request::Builder {
    Request::get(path).header(header::HOST, "127.0.0.1:8480")
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap()
}

struct Events {
    body: axum::body::BodyDataStream,
}

impl Events {
    async fn next(&mut self) -> Option<String> {
        let chunk = tokio::time::timeout(Duration::from_secs(5), self.body.next()).await.unwrap()?;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }
}

/// A record with a 1,000-byte recording and its peaks in `data_dir`.
fn recorded(n: u64, data_dir: &Path) -> CallRecord {
    let mut record = made_up::record(n, Ended::CallerHungUp);
    record.recording.state = RecordingState::Closed;
    record.recording.duration_ms = 200;
    record.recording.path = Some(format!("rec/{n}.opus"));
    record.recording.hash = Some("ab12".to_owned());
    std::fs::create_dir_all(data_dir.join("rec")).unwrap();
    let audio: Vec<u8> = (0..1000_u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(data_dir.join(format!("rec/{n}.opus")), audio).unwrap();
    std::fs::write(data_dir.join(format!("rec/{n}.peaks")), b"RSPK\x01\0\0\0\x80\x10\0\0\0\0\xf0\x40")
        .unwrap();
    record
}

#[tokio::test]
async fn a_page_from_another_host_is_refused() {
    let office = Office::new(Path::new("nowhere"), vec![made_up::record(1, Ended::Busy)]);
    for host in ["evil.example:8480", "192.168.1.20"] {
        let request = Request::get("/api/v1/calls").header(header::HOST, host).body(Body::empty()).unwrap();
        let response = office.send(request).await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
        assert!(!text(response).await.contains("cal_"));
    }
    let nameless = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(office.send(nameless).await.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn every_answer_forbids_foreign_and_inline_content() {
    let office = Office::empty();
    for path in ["/", "/nowhere", "/ui.js", "/healthz"] {
        let response = office.send(to(path).body(Body::empty()).unwrap()).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    let (_, page) = office.get("/").await;
    assert!(!page.contains(" style=") && !page.contains(" onclick=") && !page.contains("<script>"));
}

#[tokio::test]
async fn the_live_page_shows_bubbles_and_the_calls_of_today() {
    let dir = tempfile::tempdir().unwrap();
    let mut anonymous = made_up::record(2, Ended::NoAnswer);
    anonymous.customer_number_presentation = Presentation::Restricted;
    let office = Office::new(dir.path(), vec![recorded(1, dir.path()), anonymous]);
    office.state.live.publish(made_up::answered(3));
    let (status, page) = office.get("/").await;
    assert_eq!(status, StatusCode::OK);
    for shown in [
        "<title>1 live · ringside</title>",
        "On the phone",
        "REC",
        "Spring mailer",
        "(206) 555-0173",
        "Answered on PHONE1",
        "Anonymous caller",
        "Missed",
        "<path class=\"caller-leg\" d=\"M0.5 24v-24M1.5 24v-1\"/>",
        "\"pauseOnBackground\":false",
    ] {
        assert!(page.contains(shown), "{shown} is missing in\n{page}");
    }
    let first = page.find(&format!("c-{}", made_up::call(2))).unwrap();
    assert!(first < page.find(&format!("c-{}", made_up::call(1))).unwrap(), "the newest call is on top");
}

#[tokio::test]
async fn names_from_the_trunk_cannot_become_markup() {
    let mut record = made_up::record(1, Ended::NoAnswer);
    record.customer_name = Some("<script>alert(1)</script>".to_owned());
    let office = Office::new(Path::new("nowhere"), vec![record]);
    let mut bubble = made_up::ringing(2);
    bubble.caller_name = Some("\"><img src=x>".to_owned());
    office.state.live.publish(bubble);
    let call = format!("/calls/{}", made_up::call(1));
    for path in ["/", call.as_str(), "/events"] {
        let page = if path == "/events" {
            office.stream(path).await.next().await.unwrap()
        } else {
            office.get(path).await.1
        };
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}");
    }
}

#[tokio::test]
async fn the_stream_opens_with_the_board_and_goes_on_with_changes() {
    let office = Office::empty();
    office.state.live.publish(made_up::ringing(1));
    let mut events = office.stream("/events").await;
    let snapshot = events.next().await.unwrap();
    assert!(snapshot.contains("id: snapshot") && snapshot.contains("Ringing"), "{snapshot}");
    assert!(snapshot.contains("hx-target=\"#calls\""), "a page that names no version gets the table too");

    office.state.live.publish(made_up::answered(1));
    let answered = events.next().await.unwrap();
    assert!(answered.contains(&format!("id: {}.2\n", made_up::call(1))), "{answered}");
    assert!(answered.contains("<title>1 live · ringside</title>") && answered.contains("On the phone"));

    office.shelf.0.lock().unwrap().push(made_up::record(1, Ended::OfficeHungUp));
    office.state.live.record_changed(made_up::call(1));
    let saved = events.next().await.unwrap();
    assert!(
        saved.contains(&format!("c-{}", made_up::call(1))) && saved.contains("Answered on PHONE1"),
        "{saved}"
    );

    office.state.live.publish(made_up::ended(1));
    events.next().await.unwrap();
    office.state.live.sweep(std::time::Instant::now() + UNCLOSED_STAYS);
    assert!(events.next().await.unwrap().contains("hx-swap=\"delete\""));
}

#[tokio::test]
async fn a_page_with_a_current_table_is_not_sent_it_again() {
    let office = Office::empty();
    let page = office.get("/").await.1;
    let from = page.find("/events?records=").unwrap();
    let address = page[from..].split('"').next().unwrap().to_owned();
    let snapshot = office.stream(&address).await.next().await.unwrap();
    assert!(!snapshot.contains("hx-target=\"#calls\""), "{snapshot}");
    office.state.live.record_changed(made_up::call(1));
    let snapshot = office.stream(&address).await.next().await.unwrap();
    assert!(snapshot.contains("hx-target=\"#calls\""), "a record was saved since the page was drawn");
}

#[tokio::test]
async fn a_page_that_falls_behind_is_given_the_whole_board_again() {
    let office = Office::empty();
    let mut events = office.stream("/events").await;
    events.next().await.unwrap();
    // Without a turn of the stream's task in between, this overflows its channel.
    for n in 0..3000 {
        office.state.live.publish(made_up::ringing(n % 200));
        office.state.live.publish(made_up::answered(n % 200));
        office.state.live.record_changed(made_up::call(n));
    }
    let again = events.next().await.unwrap();
    assert!(again.contains("id: snapshot"), "{}", &again[..200.min(again.len())]);
    assert_eq!(again.matches("On the phone").count() / 2, 200, "each bubble once: its words and its label");
}

#[tokio::test]
async fn streams_end_with_the_server_and_are_limited() {
    let office = Office::empty();
    let router = router(office.state.clone(), office.stopping.subscribe());
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let request = to("/events").body(Body::empty()).unwrap();
        open.push(router.clone().oneshot(request).await.unwrap());
    }
    let one_more = router.clone().oneshot(to("/events").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(one_more.status(), StatusCode::SERVICE_UNAVAILABLE);

    let mut events = Events { body: open.pop().unwrap().into_body().into_data_stream() };
    assert!(events.next().await.is_some());
    office.stopping.send(true).unwrap();
    assert_eq!(events.next().await, None, "an endless stream would keep the daemon from stopping");
}

#[tokio::test]
async fn a_recording_is_served_whole_in_ranges_and_not_twice() {
    let dir = tempfile::tempdir().unwrap();
    let office = Office::new(dir.path(), vec![recorded(1, dir.path())]);
    let path = format!("/calls/{}/recording", made_up::call(1));
    let ask = |name, value| office.send(to(&path).header(name, value).body(Body::empty()).unwrap());

    let whole = ask(header::ACCEPT, "*/*").await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "audio/ogg");
    assert_eq!(whole.headers()[header::ETAG], "\"ab12\"");
    assert_eq!(to_bytes(whole.into_body(), 10_000).await.unwrap().len(), 1000);

    let part = ask(header::RANGE, "bytes=10-13").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 10-13/1000");
    assert_eq!(to_bytes(part.into_body(), 10_000).await.unwrap()[..], [10, 11, 12, 13]);

    assert_eq!(ask(header::RANGE, "bytes=2000-").await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(ask(header::IF_NONE_MATCH, "\"ab12\"").await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(ask(header::IF_NONE_MATCH, "\"other\"").await.status(), StatusCode::OK);

    let if_range = |tag| to(&path).header(header::RANGE, "bytes=0-0").header(header::IF_RANGE, tag);
    let same = office.send(if_range("\"ab12\"").body(Body::empty()).unwrap()).await;
    assert_eq!(same.status(), StatusCode::PARTIAL_CONTENT);
    let changed = office.send(if_range("\"old\"").body(Body::empty()).unwrap()).await;
    assert_eq!(changed.status(), StatusCode::OK, "a range of another version is no use");
}

#[tokio::test]
async fn a_recording_that_is_not_there_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut writing = made_up::record(1, Ended::CallerHungUp);
    writing.recording.state = RecordingState::Writing;
    let missed = made_up::record(2, Ended::NoAnswer);
    let mut lost = recorded(3, dir.path());
    lost.recording.path = Some("rec/lost.opus".to_owned());
    let mut outside = recorded(4, dir.path());
    outside.recording.path = Some("../secret.opus".to_owned());
    let office = Office::new(dir.path(), vec![writing, missed, lost, outside]);
    for (n, status) in [(1, 202), (2, 404), (3, 404), (4, 404), (5, 404)] {
        let path = format!("/calls/{}/recording", made_up::call(n));
        assert_eq!(office.get(&path).await.0.as_u16(), status, "call {n}");
    }
    assert_eq!(office.get("/calls/..%2f..%2fetc%2fpasswd/recording").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_call_has_a_page_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = recorded(1, dir.path());
    record.attribution.warnings = vec!["caller_is_diverter".to_owned()];
    let office = Office::new(dir.path(), vec![record]);
    let (status, page) = office.get(&format!("/calls/{}", made_up::call(1))).await;
    assert_eq!(status, StatusCode::OK);
    for shown in [
        "Call route",
        "Legs",
        "PCMU",
        "the called address",
        "Postcard",
        "the office’s own",
        "ab12",
        "Download",
    ] {
        assert!(page.contains(shown), "{shown} is missing");
    }
    assert_eq!(office.get(&format!("/calls/{}", made_up::call(9))).await.0, StatusCode::NOT_FOUND);
    assert_eq!(office.get("/calls/nonsense").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn programs_read_the_same_facts() {
    let office =
        Office::new(Path::new("nowhere"), (1..=3).map(|n| made_up::record(n, Ended::Busy)).collect());
    office.state.live.publish(made_up::ringing(4));
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let calls = json(office.get("/api/v1/calls?per_page=2&format=record").await.1);
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(calls["calls"][0]["seq"], 3);
    let call = json(office.get(&format!("/api/v1/calls/{}?format=record", made_up::call(1))).await.1);
    assert_eq!(call["schema"], "ringside.call/1");
    assert_eq!(json(office.get("/api/v1/calls/x").await.1)["code"], "no_such_call");
    assert_eq!(json(office.get("/api/v1/bubbles").await.1)["bubbles"][0]["state"], "ringing");
    assert!(office.get("/metrics").await.1.contains("ringside_bubbles_open 1"));
}

#[tokio::test]
async fn health_is_503_when_a_thread_is_stuck() {
    let office = Office::empty();
    let media = office.state.health.watch("media", 20);
    assert_eq!(office.get("/healthz").await.0, StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (status, report) = office.get("/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(report.contains("\"media\":{\"status\":\"stuck\""), "{report}");
    media.beat();
    assert_eq!(office.get("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_page_is_not_served_to_the_network() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(listener, Office::empty().state, std::future::ready(())).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn the_server_stops_while_a_page_is_open() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Office::empty().state, async move { drop(stopped.await) }));
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut page = tokio::net::TcpStream::connect(address).await.unwrap();
    page.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 64];
    assert!(page.read(&mut first).await.unwrap() > 0);
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
}
