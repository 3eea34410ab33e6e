//! Numbers, campaigns, customers by page and API, and who may do what.

use super::*;
use crate::{
    access::{Role, Who},
    directory::{Base, Book, By, Directory, Edit, Edited, Refused},
    web::{DirectoryDesk, access::Asking},
};

/// A desk without a disk.
#[derive(Default)]
struct Desk(Mutex<Book>);

impl DirectoryDesk for Desk {
    fn newest(&self) -> Arc<Directory> {
        Arc::new(Directory::new(Arc::new(base()), self.0.lock().unwrap().clone()))
    }

    fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused> {
        let by = By { who: by.name.clone(), role: by.role, at: WallTime(1_763_816_709_007) };
        self.0.lock().unwrap().edit(&base(), edit, &by)
    }
}

const SITE: &str = "[[trunk]]\nname = \"carrier\"\nmode = \"ip\"\nallow = [\"192.0.2.0/24\"]\n\
    [[campaign]]\nid = \"ads\"\nname = \"Google Ads\"\n\
    [[tracking_number]]\nnumber = \"+13125550101\"\ncampaign = \"ads\"\nforwarding_number = \"+13125550199\"\n";

fn base() -> Base {
    let config = crate::config::Config::parse(SITE, "site.toml").unwrap();
    Base::new(&config, &crate::config::Ports { phones: vec!["PHONE1".into()], lines: Vec::new() })
}

fn office() -> Office {
    let mut office = Office::empty();
    office.state.directory = DirectoryWay::new(Desk::default());
    office
}

/// Status, `Location` and body of what is posted.
async fn post(office: &Office, path: &str, kind: &str, body: &str) -> (StatusCode, String, String) {
    let request =
        Request::post(path).header(header::HOST, "127.0.0.1:8480").header(header::CONTENT_TYPE, kind);
    let response = office.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (response.status(), to.unwrap_or_default(), text(response).await)
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[tokio::test]
async fn a_campaign_and_its_number_are_made_by_forms_and_shown() {
    let office = office();
    let (status, to, _) =
        post(&office, "/campaigns", FORM, "name=Radio+spot&tag=&source_name=WXYZ&medium=radio").await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/campaigns?done=1"));
    let id = office.state.directory.newest().campaigns()[1].0.id.clone();
    let body = format!(
        "tracking_phone_number=%28312%29+555-0110&campaign_id={id}&ring=&destination_number=&name=&override_reason="
    );
    let (status, to, page) = post(&office, "/numbers/tracking", FORM, &body).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let (status, page) = office.get(&to).await;
    assert_eq!(status, StatusCode::OK);
    for said in
        ["(312) 555-0110", "Radio spot", "tracking number of Radio spot", "It is in force for the next call"]
    {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    let (_, page) = office.get("/numbers").await;
    assert!(page.contains("configuration file") && page.contains("(312) 555-0110"));
}

#[tokio::test]
async fn what_is_refused_comes_back_with_the_reason_and_what_was_written() {
    let office = office();
    let body = "tracking_phone_number=312-555-0199&campaign_id=ads&ring=&destination_number=&name=Van+sign&override_reason=";
    let (status, _, page) = post(&office, "/numbers/tracking", FORM, body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in ["is a forwarding number", "role=\"alert\"", "value=\"Van sign\"", "value=\"312-555-0199\""] {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    let json = r#"{"tracking_phone_number":"3125550199","campaign_id":"ads"}"#;
    let (status, _, body) = post(&office, "/api/v1/trackers", JSON, json).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body.contains("forwarding_number_advertised") && body.contains("advertise a tracking number"),
        "{body}"
    );
}

#[tokio::test]
async fn customers_are_added_found_and_merged_by_the_api() {
    let office = office();
    for json in [
        r#"{"name":"Dana Ortiz","numbers":["(312) 555-0142"]}"#,
        r#"{"name":"D. Ortiz","numbers":["+44 20 7946 0123"],"note":"gate code"}"#,
    ] {
        let (status, _, body) = post(&office, "/api/v1/customers", JSON, json).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    let (status, _, body) =
        post(&office, "/api/v1/customers/3125550142/merge", JSON, r#"{"gone":"+442079460123"}"#).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let merged: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(merged["numbers"], serde_json::json!(["+13125550142", "+442079460123"]));
    let (_, body) = office.get("/api/v1/search?q=0142").await;
    assert!(body.contains("Dana Ortiz"), "{body}");
    let (_, page) = office.get("/search?q=555-0199").await;
    assert!(page.contains("not tracked"), "{page}");
    let job = format!(
        r#"{{"job_number":"4471","customer_id":"{}","title":"Boiler"}}"#,
        merged["id"].as_str().unwrap()
    );
    assert_eq!(post(&office, "/api/v1/jobs", JSON, &job).await.0, StatusCode::CREATED);
    let (_, page) = office.get(&format!("/customers/{}", merged["id"].as_str().unwrap())).await;
    assert!(page.contains("#4471") && page.contains("merged with D. Ortiz"), "{page}");
}

#[tokio::test]
async fn a_list_is_shown_before_it_is_brought_in() {
    let office = office();
    let list = "name,phone\nAnn,312-555-0150\nBob,555\nCy,(312) 555-0150\n";
    let body = format!("--x\r\nContent-Disposition: form-data; name=\"list\"\r\n\r\n{list}\r\n--x--\r\n");
    let (status, _, page) =
        post(&office, "/customers/import", "multipart/form-data; boundary=x", &body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("3 rows, 1 unreadable, 1 shared numbers"), "{page}");
    assert_eq!(office.state.directory.newest().book().customer_count(), 0, "nothing has happened");
    let confirmed = format!("list={}", list.replace('\n', "%0A").replace(' ', "+"));
    let (status, to, _) = post(&office, "/customers/import/confirm", FORM, &confirmed).await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/customers?done=1"));
    let (_, _, body) = post(&office, "/api/v1/customers/import?dry_run=true", "text/csv", list).await;
    assert!(body.contains("\"known\":1") && body.contains("\"new\":1"), "{body}");
    let (_, exported) = office.get("/customers/export.csv").await;
    assert!(exported.contains("Ann,+13125550150"), "{exported}");
}

#[tokio::test]
async fn a_csr_finds_no_forwarding_number_that_could_be_copied() {
    let office = office();
    let directory = office.state.directory.newest();
    let csr = Asking(Arc::new(Who { user_id: None, name: "Kim".to_owned(), role: Role::Csr }));
    let hits =
        serde_json::to_string(&crate::web::directory::api::hits(&directory, "0199", csr.0.role)).unwrap();
    assert!(hits.contains("not tracked") && hits.contains("\"ends_in\":\"0199\""), "{hits}");
    assert!(!hits.contains("13125550199"), "{hits}");
    let whole =
        serde_json::to_string(&crate::web::directory::api::hits(&directory, "0199", Role::Office)).unwrap();
    assert!(whole.contains("+13125550199"));
    let trackers =
        serde_json::to_string(&crate::web::directory::api::trackers_for(&directory, Role::Csr)).unwrap();
    assert!(trackers.contains("+13125550101") && !trackers.contains("13125550199"), "{trackers}");
}
