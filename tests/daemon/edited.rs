//! The office edits its directory while calls are up, and the power goes.

use crate::shared::{
    inside::Inside,
    peer::Peer,
    process::{self, Process},
    site::{ANSWERS, NOBODY, Site, UNKNOWN_NUMBER, number},
    web,
};
use ringside::record::Ended;
use serde_json::json;
use std::time::Duration;

const CALLER_HZ: f64 = 440.0;

fn add_number(site: &Site, ring: &str) -> String {
    let campaign = json!({"name": "Radio spot", "medium": "radio"});
    let (status, body) = web::send(site.web(), "POST", "/api/v1/campaigns", &campaign.to_string()).unwrap();
    assert_eq!(status, 201, "{body}");
    let campaign: serde_json::Value = serde_json::from_str(&body).unwrap();
    let tracker = json!({
        "tracking_phone_number": UNKNOWN_NUMBER, "campaign_id": campaign["id"], "ring": ring,
    });
    let (status, body) = web::send(site.web(), "POST", "/api/v1/trackers", &tracker.to_string()).unwrap();
    assert_eq!(status, 201, "{body}");
    campaign["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_number_that_is_added_rings_and_the_call_in_progress_goes_on() {
    let inside = Inside::start(Site::new(&[&[ANSWERS], &[ANSWERS]], ""));
    let site = &inside.site;
    let mut first = Peer::new(site.peer(), site.sip(), &number(0));
    let offer = first.sdp("sendrecv");
    assert_eq!(first.invite(&offer).status(), Some(200));
    first.ack("");
    let mut stranger = Peer::new(site.peer(), site.sip(), UNKNOWN_NUMBER);
    let offer = stranger.sdp("sendrecv");
    assert_eq!(stranger.invite(&offer).status(), Some(404), "it is nobody's yet");
    stranger.ack("");

    let campaign = add_number(site, "group1");
    let audit =
        || web::get(site.web(), "/api/v1/audit").is_ok_and(|(_, body)| body.contains("added the campaign"));
    assert!(process::eventually(process::PATIENCE, audit).is_some(), "every change is in the audit");
    first.talk(Duration::from_secs(1), Some(CALLER_HZ));
    let mut second = Peer::new(site.peer(), site.sip(), UNKNOWN_NUMBER);
    let offer = second.sdp("sendrecv");
    assert_eq!(second.invite(&offer).status(), Some(200), "the next call to the new number rings");
    second.ack("");
    first.talk(Duration::from_secs(1), Some(CALLER_HZ));
    assert_eq!(second.bye().status(), Some(200));
    assert_eq!(first.bye().status(), Some(200), "the call from before is still up");

    let records = process::closed_calls(site, 2);
    let of = |number: &str| records.iter().find(|r| r.tracking_phone_number.as_str() == number).unwrap();
    let (old, new) = (of(&number(0)), of(UNKNOWN_NUMBER));
    assert_eq!((old.outcome.ended, old.answered), (Ended::CallerHungUp, true));
    assert!(old.recording.completeness.is_some_and(|share| share > 0.99), "{:?}", old.recording);
    assert_eq!(
        new.campaign.as_ref().map(|c| (c.id.as_str(), c.name.as_str())),
        Some((campaign.as_str(), "Radio spot"))
    );
}

#[test]
fn what_was_answered_survives_a_power_cut_and_a_lost_file() {
    let site = Site::new(&[&[NOBODY]], "");
    let process = Process::start(&site);
    let campaign = add_number(&site, "");
    process.kill();
    for lost in [None, Some("directory.log"), Some("directory.book")] {
        if let Some(name) = lost {
            std::fs::remove_file(site.data().join(name)).unwrap();
        }
        let process = Process::start(&site);
        let (status, body) = web::get(site.web(), "/api/v1/search?q=0999").unwrap();
        assert_eq!(status, 200);
        assert!(body.contains(&campaign), "{lost:?}: {body}");
        process.kill();
    }
    assert_eq!(process::verify(&site), None);
}
