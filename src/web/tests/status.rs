//! The state of the box and its line tests, as a program and as the live page meet them.

use super::*;
use crate::{
    health,
    status::{BoxStatus, LineHealth, LineMeasurement, Measured, made_up},
};

async fn post(office: &Office, path: &str) -> (StatusCode, serde_json::Value) {
    let request = Request::post(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
    let response = office.send(request).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

fn tested() -> LineHealth {
    let measured = LineMeasurement { battery_volts: Some(48.0), ..LineMeasurement::default() };
    health::judge(Measured::Line(measured), made_up::NOW, &[])
}

/// An office whose box answers line tests with `answer`; `None` lets the asker wait.
fn testing(answer: Option<Result<LineHealth, LineTestRefused>>, patience: Duration) -> Office {
    let mut office = Office::empty();
    office.state.status.publish(made_up::idle());
    let (tests, mut orders) = LineTests::channel();
    office.state.line_tests = tests.with_patience(patience);
    tokio::spawn(async move {
        let mut waiting = Vec::new();
        while let Some(order) = orders.recv().await {
            match &answer {
                Some(answer) => drop(order.answer.send(answer.clone())),
                None => waiting.push(order),
            }
        }
    });
    office
}

#[tokio::test]
async fn a_program_reads_the_newest_snapshot() {
    let office = Office::empty();
    let (status, problem) = office.get("/api/v1/status").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(problem.contains("\"code\":\"starting\""), "{problem}");
    office.state.status.publish(made_up::idle());
    office.state.status.publish(made_up::busy());
    let (status, json) = office.get("/api/v1/status").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_str::<BoxStatus>(&json).unwrap(), made_up::busy());
}

#[tokio::test]
async fn a_stream_brings_one_snapshot_per_change_and_the_newest_to_who_is_slow() {
    let office = Office::empty();
    office.state.status.publish(made_up::idle());
    let mut events = office.stream("/api/v1/status/events").await;
    let snapshot = |event: &str| {
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        serde_json::from_str::<BoxStatus>(data).unwrap()
    };
    let first = events.next().await.unwrap();
    assert!(first.contains("event: status"), "{first}");
    assert_eq!(snapshot(&first), made_up::idle());

    let mut later = made_up::idle();
    later.at.0 += 1000;
    later.uptime_s += 1;
    office.state.status.publish(later.clone());
    for untracked in 7..=9 {
        later.counters.untracked = untracked;
        office.state.status.publish(later.clone());
    }
    assert_eq!(snapshot(&events.next().await.unwrap()).counters.untracked, 9, "what is between is skipped");
    office.stopping.send(true).unwrap();
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn streams_of_the_state_count_among_the_open_pages() {
    let office = Office::empty();
    let router = router(office.state.clone(), office.stopping.subscribe());
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let request = to("/api/v1/status/events").body(Body::empty()).unwrap();
        open.push(router.clone().oneshot(request).await.unwrap());
    }
    let one_more = router.clone().oneshot(to("/events").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(one_more.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_line_test_answers_with_what_was_measured() {
    let office = testing(Some(Ok(tested())), Duration::from_secs(30));
    let (status, json) = post(&office, "/api/v1/lines/LINE1/test").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_value::<LineHealth>(json).unwrap(), tested());
}

#[tokio::test]
async fn a_line_test_that_cannot_be_says_why() {
    let patient = Duration::from_secs(30);
    for (answer, patience, status, code) in [
        (Some(Err(LineTestRefused::InUse)), patient, 409, "line_in_use"),
        (Some(Err(LineTestRefused::UnknownPort)), patient, 404, "no_such_port"),
        (Some(Err(LineTestRefused::Failed("no dial tone".to_owned()))), patient, 502, "test_failed"),
        (None, Duration::from_millis(5), 504, "test_too_long"),
    ] {
        let office = testing(answer, patience);
        let (given, problem) = post(&office, "/api/v1/lines/LINE1/test").await;
        assert_eq!((given.as_u16(), problem["code"].as_str()), (status, Some(code)));
        assert_eq!(problem["status"], status);
    }
}

#[tokio::test]
async fn only_a_known_port_is_tested_and_only_by_who_may() {
    let office = testing(Some(Ok(tested())), Duration::from_secs(30));
    let (status, problem) = post(&office, "/api/v1/lines/LINE9/test").await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (404, Some("no_such_port")));
    let foreign = Request::post("/api/v1/lines/LINE1/test")
        .header(header::HOST, "127.0.0.1:8480")
        .header(header::ORIGIN, "https://evil.example")
        .body(Body::empty())
        .unwrap();
    assert_eq!(office.send(foreign).await.status(), StatusCode::FORBIDDEN);
    let elsewhere =
        Request::post("/api/v1/lines/LINE1/test").header(header::HOST, "box.example").body(Body::empty());
    assert_eq!(office.send(elsewhere.unwrap()).await.status(), StatusCode::MISDIRECTED_REQUEST);
    let (status, _) = office.get("/api/v1/lines/LINE1/test").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_box_that_cannot_test_lines_yet_says_so() {
    let office = Office::empty();
    office.state.status.publish(made_up::idle());
    let (status, problem) = post(&office, "/api/v1/lines/PHONE1/test").await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (501, Some("not_available")));
}

#[tokio::test]
async fn the_live_page_shows_the_box_in_lamps_and_words() {
    let office = Office::empty();
    let page = office.get("/").await.1;
    assert!(page.contains("id=\"panel\"") && !page.contains("class=\"lamp"), "nothing is known yet");
    office.state.status.publish(made_up::busy());
    let page = office.get("/").await.1;
    for shown in [
        "<span class=\"lamp green slow\" aria-hidden=\"true\"></span>net<span class=\"unseen\">: green, flashing slowly</span>",
        "<strong>LINE1</strong> <span class=\"port-state\">in a call</span>",
        "no battery · 0 V · health 85, getting worse",
        "carrier does not answer",
        "6 untracked calls",
        "<strong>LINE2 has no battery</strong>",
        "check the cable from the telco jack",
    ] {
        assert!(page.contains(shown), "{shown} is missing in\n{page}");
    }
}

#[tokio::test]
async fn an_open_page_is_sent_the_strip_when_it_looks_different() {
    let office = Office::empty();
    office.state.status.publish(made_up::idle());
    let mut events = office.stream("/events").await;
    assert!(events.next().await.unwrap().contains("id: snapshot"));
    let strip = events.next().await.unwrap();
    assert!(strip.contains("id: panel") && strip.contains("hx-target=\"#panel\""), "{strip}");

    // Something changed, but nothing that the strip shows; then a call, which is not held up by it.
    let mut unseen = made_up::idle();
    unseen.media.cpu_percent = Some(9.0);
    office.state.status.publish(unseen);
    tokio::time::sleep(2 * super::super::status::MIN_INTERVAL).await;
    office.state.live.publish(made_up_bubble());
    assert!(events.next().await.unwrap().contains("Ringing"));

    office.state.status.publish(made_up::busy());
    let strip = events.next().await.unwrap();
    assert!(strip.contains("id: panel") && strip.contains("LINE2 has no battery"), "{strip}");
}

fn made_up_bubble() -> crate::call::bubble::Bubble {
    crate::web::made_up::ringing(1)
}

#[tokio::test]
async fn an_alarm_cannot_become_markup() {
    let office = Office::empty();
    let mut status = made_up::busy();
    status.alarms[0].text = "<script>alert(1)</script>".to_owned();
    status.trunks[0].name = "\"><img src=x>".to_owned();
    office.state.status.publish(status);
    let page = office.get("/").await.1;
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
}
