//! The list of calls, its exports, the reports and the API under CallRail's names.

use super::{
    retention::{Desk, office_with},
    *,
};
use crate::recording::request::Answer;
use serde_json::Value;

/// Twenty calls a minute apart: every fourth missed, every fifth of another campaign, the first ones new callers.
fn office() -> Office {
    Office::new(Path::new("nowhere"), (1..=20).map(call).collect())
}

fn call(n: u64) -> CallRecord {
    let ended = if n.is_multiple_of(4) { Ended::NoAnswer } else { Ended::CallerHungUp };
    let mut record = made_up::record(n, ended);
    record.customer_phone_number = format!("+1206555{:04}", 100 + n).parse().ok();
    record.timing_ms.ring = Some(20_000);
    record.handling.prior_calls = Some(u32::from(n > 3));
    if n.is_multiple_of(5) {
        let campaign = record.campaign.as_mut().unwrap();
        (campaign.id, campaign.name) = ("radio".to_owned(), "Radio, <loud>".to_owned());
        record.handling.tags = vec!["Emergency".to_owned()];
    }
    record
}

async fn json(office: &Office, path: &str) -> Value {
    let (status, text) = office.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_whole_list_comes_page_by_page_and_each_call_once() {
    let office = office();
    let mut path = "/api/v1/calls?per_page=7&fields=tags".to_owned();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = json(&office, &path).await;
        assert_eq!((&page["total_records"], &page["total_pages"]), (&20.into(), &3.into()));
        seen.extend(
            page["calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap().to_owned()),
        );
        path = page["next_page"].as_str().unwrap_or_default().to_owned();
    }
    let newest_first: Vec<String> = (1..=20).rev().map(|n| made_up::call(n).to_string()).collect();
    assert_eq!((seen, path.as_str()), (newest_first, ""));
}

#[tokio::test]
async fn a_call_has_callrails_names_and_the_raw_record_stays_reachable() {
    let office = office();
    let call = json(&office, &format!("/api/v1/calls/{}", made_up::call(5))).await;
    assert_eq!(call["customer_phone_number"], "+12065550105");
    assert_eq!(call["start_time"], "2026-11-22T13:10:09.000+00:00");
    assert_eq!((&call["call_type"], &call["booking"]), (&"repeat".into(), &"Unbooked".into()));
    assert_eq!((&call["source_name"], &call["tags"][0]), (&"Postcard".into(), &"Emergency".into()));
    assert!(call.get("schema").is_none());
    let few = json(&office, &format!("/api/v1/calls/{}?fields=note", made_up::call(5))).await;
    assert!(few.get("note").is_some() && few.get("answered").is_some() && few.get("source").is_none());
    let raw = json(&office, &format!("/api/v1/calls/{}?format=record", made_up::call(5))).await;
    assert_eq!(raw["schema"], "ringside.call/1");
}

#[tokio::test]
async fn a_list_shows_what_is_asked_for() {
    let office = office();
    for (asked, count) in [
        ("answered=false", 5),
        ("answer_status=missed", 5),
        ("campaign=radio", 4),
        ("campaign=Spring+mailer", 16),
        ("tag=Emergency&answered=true", 3),
        ("first_call=true", 3),
        ("search=0112", 1),
        ("search=(206)+555-0112", 1),
        ("search=555-0112", 1),
        ("search=dana", 20),
        ("search=radio", 4),
        ("search=nobody", 0),
        ("agent=PHONE1", 15),
        ("start_date=2026-11-22&end_date=2026-11-22", 20),
        ("end_date=2026-11-21", 0),
        ("recorded=true", 0),
        ("booking=Unbooked", 15),
        ("lead_status=unmarked", 20),
    ] {
        let page = json(&office, &format!("/api/v1/calls?{asked}")).await;
        assert_eq!(page["total_records"], count, "{asked}");
        assert_eq!(page["calls"].as_array().unwrap().len() as u64, count, "{asked}");
    }
    let shortest = json(&office, "/api/v1/calls?sort=talk&order=asc&per_page=1").await;
    assert_eq!(shortest["calls"][0]["answered"], false);
}

#[tokio::test]
async fn a_parameter_that_is_wrong_is_named() {
    let office = office();
    for (asked, named) in [
        ("per_page=0", "per_page"),
        ("per_page=251", "per_page"),
        ("start_date=yesterday", "start_date"),
        ("start_date=2026-11-23&end_date=2026-11-22", "end_date"),
        ("answered=maybe", "answered"),
        ("sort=colour", "sort"),
        ("after=there", "after"),
        ("fields=shoe_size", "fields"),
        ("tag=a&tag=b", "tag"),
        ("colour=red", "colour"),
        ("group_by=campaign", "group_by"),
    ] {
        let (status, text) = office.get(&format!("/api/v1/calls?{asked}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{asked}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["code"], "wrong_parameter");
        assert!(problem["title"].as_str().unwrap().starts_with(&format!("`{named}`")), "{text}");
        let (status, page) = office.get(&format!("/calls?{asked}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(page.contains("role=\"alert\""), "{page}");
    }
}

#[tokio::test]
async fn sums_agree_with_the_list() {
    let office = office();
    let all = json(&office, "/api/v1/calls/summary?group_by=campaign").await;
    assert_eq!(all["total_results"]["total_calls"], 20);
    assert_eq!(all["total_results"]["answered_calls"], 15);
    assert_eq!(all["total_results"]["missed_calls"], 5);
    assert_eq!(all["total_results"]["first_time_callers"], 3);
    let groups: Vec<(&str, u64)> = all["grouped_results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["name"].as_str().unwrap(), group["total_calls"].as_u64().unwrap()))
        .collect();
    assert_eq!(groups, [("Spring mailer", 16), ("Radio, <loud>", 4)]);
    let days = json(&office, "/api/v1/calls/timeseries?start_date=2026-11-21&end_date=2026-11-23").await;
    let counts: Vec<u64> =
        days["data"].as_array().unwrap().iter().map(|day| day["total_calls"].as_u64().unwrap()).collect();
    assert_eq!(counts, [0, 20, 0]);
    let tags = json(&office, "/api/v1/tags").await;
    assert_eq!(tags["tags"], serde_json::json!([{ "id": "Emergency", "name": "Emergency" }]));
}

#[tokio::test]
async fn the_page_of_calls_shows_finds_and_exports() {
    let office = office();
    let (status, page) = office.get("/calls?campaign=radio").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("4 calls found") && page.contains("Radio, &#60;loud&#62;"), "{page}");
    assert!(page.contains("/calls/export.csv?campaign=radio"));
    let (_, csv) = office.get("/calls/export.csv?campaign=radio").await;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!((lines.len(), lines[5]), (6, ""));
    assert!(lines[1].contains("\"Radio, <loud>\"") && lines[1].contains("+12065550120"), "{}", lines[1]);
    let all: Value = serde_json::from_str(&office.get("/calls/export.json").await.1).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn a_report_draws_what_the_calls_add_up_to() {
    let office = office();
    let (status, page) = office.get("/reports?start_date=2026-11-20&end_date=2026-11-23").await;
    assert_eq!(status, StatusCode::OK);
    for shown in [
        "Calls by day",
        "75 %",
        "First-time callers",
        "Radio, &#60;loud&#62;",
        "<svg class=\"plot\"",
        "Sun 13:00: 20 calls, 5 not answered",
    ] {
        assert!(page.contains(shown), "{shown} is missing");
    }
    assert!(!page.contains("Radio, <loud>"));
    let (status, page) = office.get("/reports?date_range=never").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("date_range"));
}

#[tokio::test]
async fn every_export_is_accounted_for_before_it_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (office, desk): (Office, Arc<Desk>) = office_with(Ok(Answer::default()), dir.path());
    office.get("/calls/export.csv?answered=true").await;
    let recording = format!("/api/v1/calls/{}/recording", made_up::call(1));
    let response = office.send(to(&recording).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let accounts = desk.accounts.lock().unwrap().clone();
    let played = format!("this box played {}", made_up::call(1));
    assert_eq!(accounts, ["this box exported 1 calls (answered=true)".to_owned(), played]);
}

#[tokio::test]
async fn the_recording_of_a_live_call_is_not_there_yet() {
    let office = Office::empty();
    office.state.live.publish(made_up::answered(9));
    let (status, _) = office.get(&format!("/api/v1/calls/{}/recording", made_up::call(9))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn an_administrator_holds_a_call_on_its_page_and_keeps_what_was_typed_when_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = format!("/calls/{}/keep", made_up::call(1));
    let send = |form: &'static str| {
        Request::post(&path)
            .header(header::HOST, "127.0.0.1:8480")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap()
    };
    let (office, _desk) =
        office_with(Ok(Answer { calls: vec![made_up::call(1)], ..Answer::default() }), dir.path());
    let response = office.send(send("do=hold&why=court")).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], format!("{path}?done=hold"));
    let (_, page) = office.get(&format!("{path}?done=hold")).await;
    assert!(page.contains("The call is held"), "{page}");
    let (office, _desk) = office_with(Err(crate::recording::request::Refused::Unsaid), dir.path());
    let response = office.send(send("do=erase&why=+because")).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(response).await;
    assert!(page.contains("say who asks and why") && page.contains("value=\" because\""), "{page}");
}
