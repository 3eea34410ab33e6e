//! What programs are told, and the webhooks, over the API.

use super::*;

#[tokio::test]
async fn programs_are_given_a_snapshot_then_each_happening_under_ids_that_count_up() {
    use crate::webhook::{Kind, happening::Happening};
    let office = Office::empty();
    office.state.live.publish(made_up::ringing(1));
    let mut events = office.stream("/api/v1/events").await;
    let snapshot = events.next().await.unwrap();
    assert!(
        snapshot.contains("event: snapshot") && snapshot.contains(&made_up::call(1).to_string()),
        "{snapshot}"
    );
    let state = |n| Happening::of_box(Kind::TrunkState, (1, n), WallTime(n), format!("{{\"n\":{n}}}"));
    office.state.happenings.publish(Happening { kind: Kind::EmergencyDialled, ..state(1) });
    office.state.happenings.publish(state(2));
    let second = events.next().await.unwrap();
    assert!(second.contains("event: trunk_state") && second.contains("\"data\":{\"n\":2}"), "{second}");
    let id = |event: &str| {
        let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        (id.clone(), id.rsplit('-').next().unwrap().parse::<u64>().unwrap())
    };
    let (first, second) = (id(&snapshot), id(&second));
    assert!(first.1 < second.1);
    office.state.happenings.publish(state(3));
    let request = to("/api/v1/events").header("last-event-id", second.0).body(Body::empty()).unwrap();
    let response = office.send(request).await;
    let mut again = Events { body: response.into_body().into_data_stream() };
    let resumed = again.next().await.unwrap();
    assert!(resumed.contains("\"data\":{\"n\":3}"), "{resumed}");
}

#[tokio::test]
async fn webhooks_are_listed_and_what_is_not_there_is_a_problem() {
    let office = Office::empty();
    let (status, list) = office.get("/api/v1/webhooks").await;
    assert_eq!((status, list.as_str()), (StatusCode::OK, "{\"webhooks\":[]}"));
    for (path, status) in [
        ("/api/v1/webhooks/1/test", StatusCode::NOT_FOUND),
        ("/api/v1/webhooks/x/test", StatusCode::NOT_FOUND),
        ("/api/v1/webhooks/1/replay", StatusCode::BAD_REQUEST),
        ("/api/v1/webhooks/1/replay?from=2026-11-22T13:05:09Z", StatusCode::NOT_FOUND),
    ] {
        let request = Request::post(path).header(header::HOST, "127.0.0.1:8480").body(Body::empty()).unwrap();
        let response = office.send(request).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
}
