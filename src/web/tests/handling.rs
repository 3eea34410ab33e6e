//! What people do with calls, as a browser or a program sends it.

use super::*;
use crate::handling::{Claim, CustomerLink, Edit, EditRefused, Handling};

/// A desk that writes into the shelf and notes who paused.
struct Drawer {
    shelf: Arc<Shelf>,
    log: Mutex<Vec<String>>,
}

impl CallDesk for Drawer {
    fn edit(&self, call: CallId, edit: &Edit, by: &str) -> Result<CallRecord, EditRefused> {
        let mut records = self.shelf.0.lock().unwrap();
        let record = records.iter_mut().find(|record| record.id == call).ok_or(EditRefused::UnknownCall)?;
        edit.apply(&mut record.handling)?;
        record.rev += 1;
        self.log.lock().unwrap().push(format!("{by} {}", edit.did()));
        Ok(record.clone())
    }

    fn newest(&self, call: CallId) -> Option<CallRecord> {
        self.shelf.get(call)
    }

    fn pause(&self, _: CallId, pauses: bool, by: &str) -> Result<(), NotPaused> {
        self.log.lock().unwrap().push(format!("{by} {}", if pauses { "paused" } else { "resumed" }));
        if pauses { Ok(()) } else { Err(NotPaused::NotRecorded) }
    }
}

struct Ledger;

impl OfficeBook for Ledger {
    fn customer_of(&self, _: &crate::number::E164) -> Option<CustomerLink> {
        None
    }
    fn customer(&self, id: &str) -> Option<CustomerLink> {
        let (id, name, matched) = (id.to_owned(), "Dana Ortiz".to_owned(), "number".to_owned());
        (id == "cus_1").then_some(CustomerLink { id, external_id: None, name, matched })
    }
    fn job(&self, job: &str) -> Option<(String, String)> {
        (job == "4471").then(|| ("job_1".to_owned(), "4471".to_owned()))
    }
    fn reasons(&self) -> Vec<String> {
        vec!["Booked".to_owned()]
    }
    fn user_of_port(&self, _: &str) -> Option<(String, String)> {
        None
    }
}

fn office() -> (Office, Arc<Drawer>) {
    let mut office = Office::new(Path::new("nowhere"), vec![made_up::record(1, Ended::CallerHungUp)]);
    let drawer = Arc::new(Drawer { shelf: Arc::clone(&office.shelf), log: Mutex::default() });
    office.state.office = Arc::new(Ledger);
    office.state.desk = Desk::shared(drawer.clone());
    (office, drawer)
}

async fn send(office: &Office, method: &str, path: &str, json: &str) -> (StatusCode, serde_json::Value) {
    let request = to(&format!("/api/v1/calls/{}{path}", made_up::call(1)))
        .method(method)
        .header(header::CONTENT_TYPE, "application/json");
    let response = office.send(request.body(Body::from(json.to_owned())).unwrap()).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap_or_default())
}

async fn submit(office: &Office, form: &str, accept: &str) -> (StatusCode, String) {
    let request = to(&format!("/calls/{}/handling", made_up::call(1)))
        .method("POST")
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let response = office.send(request.body(Body::from(form.to_owned())).unwrap()).await;
    let status = response.status();
    (status, text(response).await)
}

fn handling(office: &Office) -> Handling {
    office.shelf.0.lock().unwrap()[0].handling.clone()
}

#[tokio::test]
async fn a_program_changes_what_it_names_and_nothing_else() {
    let (office, drawer) = office();
    let all = r#"{"note":"leak","tags":["boiler"],"lead_status":"good_lead","reason":"Booked",
                  "customer_id":"cus_1","job":"4471","call_back":"no_need"}"#;
    let (status, record) = send(&office, "PATCH", "", all).await;
    assert_eq!((status, &record["handling"]["note"]), (StatusCode::OK, &"leak".into()));
    send(&office, "PATCH", "", r#"{"note":null,"job":null}"#).await;
    let now = handling(&office);
    assert_eq!((now.note, now.job, now.tags.len()), (None, None, 1));
    assert_eq!(now.customer.unwrap().matched, "chosen");
    for (json, status, code) in [
        (r#"{"customer_id":"cus_9"}"#, 422, "no_such_customer"),
        (r#"{"job":"9"}"#, 422, "no_such_job"),
        (r#"{"lead_status":"gold"}"#, 422, "not_possible"),
        (r#"{"color":"red"}"#, 400, "not_a_request"),
    ] {
        let (was, problem) = send(&office, "PATCH", "", json).await;
        assert_eq!((was.as_u16(), &problem["code"]), (status, &code.into()), "{json}");
    }
    assert_eq!(drawer.log.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn who_was_slower_is_told_and_sees_what_is_there_now() {
    let (office, _) = office();
    send(&office, "PATCH", "", r#"{"note":"first"}"#).await;
    let (status, problem) = send(&office, "PATCH", "", r#"{"note":"mine","note_was":""}"#).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"note_changed".into()));
    assert_eq!(problem["call"]["handling"]["note"], "first");
    let (status, page) = submit(&office, "do=save&note=mine&note_was=&tags=a", "text/html").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("<blockquote>first</blockquote>") && page.contains(">mine</textarea>"), "{page}");
    let (status, _) =
        submit(&office, "do=save&note=mine&note_was=first&tags=a,b&then=call", "text/html").await;
    assert_eq!((status, handling(&office).tags.len()), (StatusCode::SEE_OTHER, 2));
}

#[tokio::test]
async fn a_call_that_somebody_has_is_taken_over_after_a_confirmation() {
    let (office, _) = office();
    let claim = Claim { user_id: None, name: "Ana".to_owned(), how: "port".to_owned() };
    office.shelf.0.lock().unwrap()[0].handling.claimed_by = Some(claim);
    let (status, problem) = send(&office, "POST", "/claim", "{}").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"claimed".into()));
    let (status, page) = submit(&office, "do=claim", "text/html").await;
    assert!(status == StatusCode::CONFLICT && page.contains("Take this call over"), "{page}");
    assert_eq!(send(&office, "POST", "/claim", r#"{"take_over":true}"#).await.0, StatusCode::OK);
    assert_eq!(handling(&office).claimed_by.unwrap().name, "this box");
}

#[tokio::test]
async fn a_call_is_closed_when_it_is_over_and_has_a_reason() {
    let (office, drawer) = office();
    office.state.live.publish(made_up::answered(1));
    assert_eq!(send(&office, "POST", "/pause", "{}").await.0, StatusCode::OK);
    assert_eq!(send(&office, "POST", "/resume", "{}").await.1["code"], "not_recorded");
    assert_eq!(send(&office, "POST", "/close", r#"{"reason":"Booked"}"#).await.1["code"], "still_up");
    office.state.live.publish(made_up::ended(1));
    assert_eq!(send(&office, "POST", "/close", "{}").await.1["code"], "no_reason");
    let (status, _) = submit(&office, "do=close&reason=Booked&note=&note_was=", "application/json").await;
    assert_eq!((status, office.state.live.snapshot().len()), (StatusCode::NO_CONTENT, 0));
    let log = drawer.log.lock().unwrap();
    assert_eq!(log[..2], ["this box paused", "this box resumed"]);
}

#[tokio::test]
async fn the_live_page_has_what_is_to_be_done_and_the_wall_has_not() {
    let (office, _) = office();
    let missed = made_up::record(2, Ended::NoAnswer);
    office.shelf.0.lock().unwrap().push(missed);
    office.state.live.publish(made_up::answered(1));
    let note = Handling { note: Some("secret leak".to_owned()), ..Handling::default() };
    office.state.live.handled(made_up::call(1), note);
    let (_, page) = office.get("/").await;
    for there in ["secret leak", "Pause recording", "I’ll take it", "called_back", "<dialog id=\"keys\""] {
        assert!(page.contains(there), "{there}: {page}");
    }
    let (status, wall) = office.get("/wall").await;
    assert_eq!(status, StatusCode::OK);
    assert!(wall.contains("Spring mailer"));
    for absent in ["secret leak", "<form", "<button", "<audio", "/recording"] {
        assert!(!wall.contains(absent), "{absent}: {wall}");
    }
    let event = office.stream("/events?wall=true").await.next().await.unwrap();
    assert!(event.contains("Spring mailer") && !event.contains("secret leak") && !event.contains("#calls"));
    let (_, list) = office.get("/api/v1/missed").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["missed"][0]["call"], made_up::call(2).to_string());
}
