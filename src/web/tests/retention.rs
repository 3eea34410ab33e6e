//! Requests about erasures and holds, and the audit, as a program sends them.

use super::*;
use crate::{
    note::{Account, Part},
    recording::request::{Answer, Listing, Refused, Request as Asked},
};

/// Gives the same answer to everybody and keeps what was accounted for.
pub(super) struct Desk {
    pub(super) answer: Result<Answer, Refused>,
    pub(super) accounts: Mutex<Vec<String>>,
}

impl RetentionDesk for Arc<Desk> {
    fn ask(&self, _request: &Asked) -> Result<Answer, Refused> {
        self.answer.clone()
    }

    fn listing(&self) -> Option<Listing> {
        self.answer.is_ok().then(Listing::default)
    }

    fn kept_until(&self, _record: &CallRecord) -> Option<(Part, WallTime)> {
        None
    }

    fn account(&self, by: &str, did: &str, on: &str) -> Result<(), Refused> {
        self.accounts.lock().unwrap().push(format!("{by} {did} {on}"));
        Ok(())
    }

    fn audit(&self, limit: usize) -> Option<Vec<Account>> {
        let account = |did: &String| Account {
            at: WallTime(1),
            by: "dana".to_owned(),
            did: did.clone(),
            on: "cal_1".to_owned(),
            why: None,
        };
        let accounts = self.accounts.lock().unwrap();
        self.answer.is_ok().then(|| accounts.iter().rev().take(limit).map(account).collect())
    }
}

pub(super) fn office_with(answer: Result<Answer, Refused>, dir: &Path) -> (Office, Arc<Desk>) {
    let mut office = Office::new(dir, vec![recorded(1, dir)]);
    let desk = Arc::new(Desk { answer, accounts: Mutex::default() });
    office.state.retention = Retention::new(desk.clone());
    (office, desk)
}

async fn post(office: &Office, path: &str, json: &str) -> (u16, String) {
    let request = Request::post(path)
        .header(header::HOST, "127.0.0.1:8480")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json.to_owned()))
        .unwrap();
    let response = office.send(request).await;
    (response.status().as_u16(), text(response).await)
}

fn hold() -> String {
    format!(r#"{{"do":"hold","call":"{}","by":"dana","why":"court"}}"#, made_up::call(1))
}

#[tokio::test]
async fn every_answer_to_a_request_has_its_status() {
    let call = made_up::call(1);
    let good = Answer { calls: vec![call], waiting: vec![call], ..Answer::default() };
    let erase = format!(
        r#"{{"do":"erase","of":{{"call":"{call}"}},"part":"record","by":"dana","why":"asked","when":"now"}}"#
    );
    let waived = erase.replace(r#""when":"now""#, r#""when":"now","receipt":"waived""#);
    for (answer, json, status, said) in [
        (Ok(good.clone()), hold(), 200, r#""waiting":["cal_"#),
        (Ok(good.clone()), erase.clone(), 200, "cal_"),
        (Ok(good.clone()), waived, 200, "cal_"),
        (Ok(good.clone()), erase.replace("now", "yesterday"), 400, "not_a_request"),
        (Ok(good.clone()), "hold it".to_owned(), 400, "not_a_request"),
        (Ok(good), hold().replace("court", "court\",\"at\":\"1"), 400, "not_a_request"),
        (Err(Refused::UnknownCall), hold(), 404, "no_such_call"),
        (Err(Refused::Unsaid), hold(), 400, "unsaid"),
        (Err(Refused::Not("it is held already")), hold(), 422, "it is held already"),
        (Err(Refused::NotWritten), hold(), 507, "not_written"),
        (Err(Refused::Busy), hold(), 503, "busy"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (office, _) = office_with(answer, dir.path());
        let (got, text) = post(&office, "/api/v1/retention", &json).await;
        assert_eq!(got, status, "{json}: {text}");
        assert!(text.contains(said), "{json}: {text}");
    }
}

#[tokio::test]
async fn a_listing_and_an_audit_that_cannot_be_told_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let (office, _) = office_with(Err(Refused::Busy), dir.path());
    for path in ["/api/v1/retention", "/api/v1/audit"] {
        assert_eq!(office.get(path).await.0, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(Office::empty().get(path).await.0, StatusCode::NOT_IMPLEMENTED, "{path}");
    }
}

#[tokio::test]
async fn whoever_opens_or_exports_is_in_the_audit_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (office, desk) = office_with(Ok(Answer::default()), dir.path());
    for (json, status) in [
        (r#"{"by":"dana","did":"exported","on":"all calls"}"#, 204),
        (r#"{"by":"dana","did":"opened","on":"cal_1"}"#, 204),
        (r#"{"by":"","did":"opened","on":"cal_1"}"#, 400),
        (r#"{"by":"dana","did":"burnt","on":"cal_1"}"#, 400),
    ] {
        assert_eq!(post(&office, "/api/v1/audit", json).await.0, status, "{json}");
    }
    assert_eq!(*desk.accounts.lock().unwrap(), ["dana exported all calls", "dana opened cal_1"]);
    let audit = office.get("/api/v1/audit?limit=1").await.1;
    assert!(audit.contains("opened") && !audit.contains("exported"), "{audit}");
}

#[tokio::test]
async fn a_recording_that_is_played_is_accounted_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let (office, desk) = office_with(Ok(Answer::default()), dir.path());
    let path = format!("/calls/{}/recording", made_up::call(1));
    for range in ["bytes=0-", "bytes=500-", "bytes=10-20"] {
        let request = to(&path).header(header::RANGE, range).body(Body::empty()).unwrap();
        assert_eq!(office.send(request).await.status(), StatusCode::PARTIAL_CONTENT);
    }
    let head = to(&path).method("HEAD").body(Body::empty()).unwrap();
    assert_eq!(office.send(head).await.status(), StatusCode::OK);
    let gone = format!("/calls/{}/recording", made_up::call(9));
    office.get(&gone).await;
    assert_eq!(*desk.accounts.lock().unwrap(), [format!("this box played {}", made_up::call(1))]);
}
