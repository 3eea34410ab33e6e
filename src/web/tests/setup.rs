//! The first run as an installer goes through it.

use super::*;
use crate::status::{PhoneState, made_up as box_made_up};

async fn post(office: &Office, path: &str, form: &str) -> (StatusCode, String) {
    let request = Request::post(path)
        .header(header::HOST, "127.0.0.1:8480")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    let response = office.send(request.unwrap()).await;
    let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (response.status(), to.unwrap_or_default())
}

fn set_up(dir: &Path) -> Office {
    let facts = SetUpFacts {
        office: "Ortiz Plumbing".to_owned(),
        country: "US".to_owned(),
        time_zone: "America/Chicago".to_owned(),
        consent: "announce".to_owned(),
        callback: None,
        address: Some("12 Main St, Springfield".to_owned()),
        file: "/etc/ringside/ringside.toml".to_owned(),
    };
    let mut office = Office::new(dir, Vec::new());
    office.state.set_up = SetUp::open(facts, dir.join("setup.json"));
    office.state.status.publish(box_made_up::idle());
    office
}

#[tokio::test]
async fn what_was_seen_to_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let office = set_up(dir.path());
    let (_, page) = office.get("/setup").await;
    for shown in
        ["Ortiz Plumbing", "America/Chicago", "12 Main St", "Fail-safe drill", "Lines found and tested"]
    {
        assert!(page.contains(shown), "{shown} is missing");
    }
    assert_eq!(
        post(&office, "/setup/tick/fail_safe", "").await,
        (StatusCode::SEE_OTHER, "/setup#fail_safe".to_owned())
    );
    assert_eq!(post(&office, "/setup/tick/nonsense", "").await.0, StatusCode::NOT_FOUND);
    let (_, page) = set_up(dir.path()).get("/setup").await;
    assert!(page.contains("this box, 20"), "who confirmed it, and when");
}

#[tokio::test]
async fn a_phone_that_is_lifted_is_noted_on_the_open_page_and_gets_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let office = set_up(dir.path());
    let mut events = office.stream("/setup/events").await;
    assert!(events.next().await.unwrap().contains("lift it, then hang up"));
    let mut status = box_made_up::idle();
    status.phones[0].state = PhoneState::OffHook;
    let port = status.phones[0].port.clone();
    office.state.status.publish(status);
    assert!(events.next().await.unwrap().contains("was lifted"));
    post(&office, &format!("/setup/phones/{port}"), "user=Dana+Ortiz").await;
    assert!(office.get("/setup").await.1.contains("value=\"Dana Ortiz\""));
}

#[tokio::test]
async fn the_first_call_is_the_one_that_comes_after_the_installer_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let office = set_up(dir.path());
    office.state.live.publish(made_up::ringing(1));
    assert_eq!(post(&office, "/setup/call", "").await.0, StatusCode::SEE_OTHER);
    assert!(office.get("/setup").await.1.contains("Waiting for the call"), "an earlier call is another one");
    let mut bubble = made_up::ringing(2);
    bubble.start_time = wall_now();
    office.state.live.publish(bubble);
    assert!(office.get("/setup").await.1.contains("The call came"));
}
