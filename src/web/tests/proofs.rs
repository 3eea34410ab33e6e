//! The wizard of double forwarding as an installer goes through it, and its proof as anybody reads it.

use super::*;
use crate::{
    config::Config,
    directory::Directory,
    id::BoxId,
    number::Dialplan,
    proving::{Arrival, Event, Office as Lines, Proof},
};
use std::sync::mpsc::{Receiver, channel};

const SITE: &str = r#"
[[trunk]]
name = "carrier"
mode = "ip"
allow = ["192.0.2.0/24"]
[[ring_group]]
name = "front"
[[campaign]]
id = "flyer"
name = "Spring flyer"
[[tracking_number]]
number = "+13125550100"
campaign = "flyer"
advertised = ["+13125550150"]
[[tracking_number]]
number = "+13125550101"
campaign = "flyer"
forwarding_number = "+13125550199"
"#;

fn office() -> (Office, Receiver<Proof>) {
    let config = Config::parse(SITE, "t.toml").unwrap();
    let (keep, kept) = channel();
    let opened = ProofShelf {
        box_id: BoxId::from_parts(WallTime(0), 1),
        kept: Vec::new(),
        directory: Arc::new(Directory::from_config(&config, &["PHONE1".to_owned()])),
        plan: Dialplan::for_country("US"),
    };
    let mut office = Office::empty();
    office.state.proofs = Proofs::new(opened, Some(keep));
    (office, kept)
}

async fn post(office: &Office, path: &str, form: &str) -> (StatusCode, String, String) {
    let request = Request::post(path)
        .header(header::HOST, "127.0.0.1:8480")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    let response = office.send(request.unwrap()).await;
    let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (response.status(), to.unwrap_or_default(), text(response).await)
}

fn arrival(lines: Lines) -> Event {
    Event::Arrived(Arrival {
        call: made_up::call(1),
        tracking: "+13125550100".parse().unwrap(),
        caller: Some("+14155550123".parse().unwrap()),
        forwarders: Vec::new(),
        is_conditional: false,
        office: lines,
        warnings: Vec::new(),
    })
}

#[tokio::test]
async fn two_test_calls_make_an_unconditional_proof_that_can_be_exported() {
    let (office, kept) = office();
    let numbers = "advertised=(312)+555-0150&tracking=%2B13125550100";
    let (status, page, _) = post(&office, "/setup/forwarding", numbers).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, shown) = office.get(&page).await;
    assert!(shown.contains("(312) 555-0100") && shown.contains("Test with the lines free"), "{shown}");
    post(&office, &format!("{page}/checklist"), "no_voicemail=yes").await;
    for (lines, word) in [(Lines::Free, "free"), (Lines::Busy, "busy")] {
        let order = format!("office={word}&caller=415-555-0123");
        assert_eq!(post(&office, &format!("{page}/test"), &order).await.0, StatusCode::SEE_OTHER);
        assert!(office.get(&page).await.1.contains("Waiting for the call"));
        let (status, _, again) = post(&office, &format!("{page}/test"), &order).await;
        assert!(status == StatusCode::CONFLICT && again.contains("Another test waits"));
        office.state.proofs.tell(arrival(lines));
    }
    let proof = kept.try_iter().last().unwrap();
    assert!(proof.unconditional && proof.seen_to == ["no_voicemail"]);
    office.state.proofs.downgrade().kept(proof.id, "{\"signed\":1}");
    let view = office.state.proofs.newest_for(&"+13125550150".parse().unwrap()).unwrap();
    assert_eq!((view.id, view.unconditional), (proof.id, true));
    let (_, shown) = office.get(&page).await;
    assert!(shown.contains("every call to the advertised number is forwarded") && shown.contains("Print"));
    assert!(office.get(&format!("/proofs/{}", proof.id)).await.1.contains("Proof of double forwarding"));
    assert_eq!(office.get(&format!("/api/v1/proofs/{}", proof.id)).await.1, "{\"signed\":1}");
    assert!(office.get("/setup/forwarding").await.1.contains("(312) 555-0150"));
}

#[tokio::test]
async fn the_wizard_refuses_circles_and_reuse_and_warns_of_sharing() {
    let (office, _kept) = office();
    for (numbers, words) in [
        ("advertised=nonsense&tracking=%2B13125550100", "not a telephone number"),
        ("advertised=3125550101&tracking=%2B13125550100", "a tracking number itself"),
        ("advertised=3125550199&tracking=%2B13125550101", "round in a circle"),
        ("advertised=3125550150&tracking=%2B13125550101", "forward to (312) 555-0100"),
        ("advertised=3125550150&tracking=", "Choose the tracking number"),
        ("advertised=3125550177&tracking=%2B13125550100", "calls of both will look alike"),
    ] {
        let (status, _, page) = post(&office, "/setup/forwarding", numbers).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{numbers}");
        assert!(page.contains(words), "{numbers}: {words}");
        let typed = numbers.split(['=', '&']).nth(1).unwrap();
        assert!(page.contains(&format!("value=\"{typed}\"")), "the input is kept: {numbers}");
    }
    let anyway = "advertised=3125550177&tracking=%2B13125550100&anyway=yes";
    assert_eq!(post(&office, "/setup/forwarding", anyway).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_page_of_a_test_hears_of_its_call_without_asking() {
    let (office, _kept) = office();
    let numbers = "advertised=3125550150&tracking=%2B13125550100";
    let (_, page, _) = post(&office, "/setup/forwarding", numbers).await;
    let mut events = office.stream(&format!("{page}/events")).await;
    assert!(events.next().await.unwrap().contains("Begin the test"));
    post(&office, &format!("{page}/test"), "office=free&caller=4155550123").await;
    assert!(events.next().await.unwrap().contains("Waiting for the call"));
    office.state.proofs.tell(arrival(Lines::Free));
    let told = events.next().await.unwrap();
    assert!(told.contains("(415) 555-0123") && told.contains("Now make the second test"), "{told}");
}

#[tokio::test]
async fn a_box_without_a_key_says_why_nothing_can_be_tested() {
    let office = Office::empty();
    let (status, _, page) =
        post(&office, "/setup/forwarding", "advertised=%2B13125550150&tracking=%2B1").await;
    assert!(status.is_client_error(), "{page}");
    assert_eq!(office.get("/setup/forwarding/fwp_nonsense").await.0, StatusCode::NOT_FOUND);
    assert_eq!(office.get("/proofs/fwp_nonsense").await.0, StatusCode::NOT_FOUND);
    assert_eq!(office.get("/api/v1/proofs/fwp_nonsense").await.0, StatusCode::NOT_FOUND);
}
