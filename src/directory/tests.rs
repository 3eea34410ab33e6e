//! The directory as it routes, and as it is edited.

mod customers;
mod edited;

use super::*;

const SITE: &str = r#"
    [[trunk]]
    name = "carrier"
    mode = "ip"
    allow = ["192.0.2.0/24"]
    [[ring_group]]
    name = "front"
    ports = ["PHONE1"]
    [[ring_group]]
    name = "everyone"
    [[campaign]]
    id = "flyer"
    name = "Spring flyer, all of Illinois"
    medium = "print"
    [[campaign]]
    id = "ads"
    tag = "Ads"
    [[tracking_number]]
    number = "+13125550100"
    campaign = "flyer"
    forwarding_number = "+13125550199"
    advertised = ["+13125550150"]
    [[tracking_number]]
    id = "trk_web"
    number = "+13125550101"
    campaign = "ads"
    ring_group = "everyone"
    forwarding_number = "+13125550199"
"#;

fn directory() -> Directory {
    let config = Config::parse(SITE, "site.toml").unwrap();
    Directory::from_config(&config, &["PHONE1".into(), "PHONE2".into()])
}

#[test]
fn a_tracking_number_decides_campaign_phones_and_last_hop() {
    // called number, campaign, tag on the display, ports, forwarding number
    type Wanted<'a> = Option<(&'a str, &'a str, &'a [&'a str], &'a str)>;
    let table: [(&str, Wanted<'_>); 6] = [
        ("+13125550100", Some(("flyer", "Spring flyer, a", &["PHONE1"], "+13125550199"))),
        ("+13125550101", Some(("ads", "Ads", &["PHONE1", "PHONE2"], "+13125550199"))),
        ("+13125550102", None), // another DID on the trunk
        ("+13125550150", None), // an advertised number reaches us as its tracking number only
        ("+13125550199", None), // a direct call to the forwarding number
        ("+3125550100", None),  // the same digits without the country code
    ];
    let directory = directory();
    for (called, expected) in table {
        let found = directory.lookup(&called.parse().unwrap()).map(|tracker| {
            let ports: Vec<&str> = tracker.ports.iter().map(String::as_str).collect();
            let forwarding = tracker.forwarding_number.as_ref().map_or("", E164::as_str);
            (tracker.campaign.id.as_str(), tracker.tag.as_str(), ports, forwarding)
        });
        let expected = expected.map(|(campaign, tag, ports, f)| (campaign, tag, ports.to_vec(), f));
        assert_eq!(found, expected, "{called}");
    }
}

#[test]
fn only_the_last_hop_changes_with_the_forwarding_number() {
    let moved = SITE.replace("+13125550199", "+13125550198");
    let after = Directory::from_config(
        &Config::parse(&moved, "site.toml").unwrap(),
        &["PHONE1".into(), "PHONE2".into()],
    );
    for (before, after) in directory().trackers().zip(after.trackers()) {
        let last_hop = before.forwarding_number.clone();
        assert_ne!(last_hop, after.forwarding_number);
        assert_eq!(*before, Tracker { forwarding_number: last_hop, ..after.clone() });
    }
}

#[test]
fn any_spelling_finds_a_number_and_a_forwarding_number_is_not_tracked() {
    let directory = directory();
    for spelling in ["+13125550100", "13125550100", "(312) 555-0100", "555-0100", "0100"] {
        let found = directory.search(spelling);
        assert!(
            matches!(found.as_slice(), [Found::Tracking(t)] if t.campaign.id == "flyer"),
            "{spelling}: {found:?}"
        );
    }
    assert!(
        matches!(directory.search("0150").as_slice(), [Found::Advertised(_, t)] if t.tag == "Spring flyer, a")
    );
    let office = "+13125550199".parse().unwrap();
    assert_eq!(directory.search("312-555-0199"), [Found::NotTracked(&office)]);
    assert!(directory.search("100").is_empty() && directory.search("").is_empty());
}
