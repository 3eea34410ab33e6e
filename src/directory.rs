//! The directory: which number is tracked, for which campaign, and which phones ring for it.
//!
//! Routing is [`Directory::lookup`] and nothing else: a number is in the directory, and then everything about the
//! call follows from its [`Tracker`], or it is not, and the call is refused with 404.

use crate::{config::Config, number::E164, record::Campaign};
use std::collections::BTreeMap;

/// A tracking number with all that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// Id in records: `trk_13125550100`.
    pub id: String,
    /// The tracking number.
    pub number: E164,
    /// Its campaign, as records show it.
    pub campaign: Campaign,
    /// The campaign on a phone's display: 1 to 15 printable ASCII characters.
    pub tag: String,
    /// Names of the ports that ring.
    pub ports: Vec<String>,
    /// The unadvertised number of the office behind it.
    pub forwarding_number: Option<E164>,
    /// Numbers printed where customers see them that forward to it.
    pub advertised: Vec<E164>,
}

/// What a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A tracking number.
    Tracking(&'a Tracker),
    /// An advertised number, and the tracking number it forwards to.
    Advertised(&'a E164, &'a Tracker),
    /// A forwarding number: calls placed straight to it are not tracked.
    NotTracked(&'a E164),
}

/// Every tracking number of the box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    trackers: BTreeMap<E164, Tracker>,
}

impl Directory {
    /// Builds the directory; `phone_ports` are the names of the board's phone ports, which ring for a group that
    /// names none.
    #[must_use]
    pub fn from_config(config: &Config, phone_ports: &[String]) -> Self {
        let trackers = config.tracking_numbers.iter().filter_map(|tracking| {
            let campaign = config.campaigns.iter().find(|campaign| campaign.id == tracking.campaign)?;
            let group = config.ring_groups.iter().find(|group| group.name == tracking.ring_group)?;
            let ports = if group.ports.is_empty() { phone_ports.to_vec() } else { group.ports.clone() };
            let tracker = Tracker {
                id: tracking.id.clone(),
                number: tracking.number.clone(),
                campaign: Campaign {
                    id: campaign.id.clone(),
                    name: campaign.name.clone(),
                    source_name: campaign.source_name.clone(),
                    medium: campaign.medium.clone(),
                },
                tag: campaign.tag.clone(),
                ports,
                forwarding_number: tracking.forwarding_number.clone(),
                advertised: tracking.advertised.clone(),
            };
            Some((tracking.number.clone(), tracker))
        });
        Self { trackers: trackers.collect() }
    }

    /// The tracker of a called number; `None` means that the number is not ours to answer.
    #[must_use]
    pub fn lookup(&self, called: &E164) -> Option<&Tracker> {
        self.trackers.get(called)
    }

    /// Every tracker, in the order of the numbers.
    pub fn trackers(&self) -> impl Iterator<Item = &Tracker> {
        self.trackers.values()
    }

    /// Numbers that are written like `spelling` or end in its digits, of which there must be at least 4. Tracking
    /// numbers come first.
    #[must_use]
    pub fn search(&self, spelling: &str) -> Vec<Found<'_>> {
        /// Fewer digits than this match too many numbers to mean one.
        const FEWEST_DIGITS: usize = 4;
        let wanted: String = spelling.chars().filter(char::is_ascii_digit).collect();
        if wanted.len() < FEWEST_DIGITS {
            return Vec::new();
        }
        let matches = |number: &&E164| number.digits().ends_with(&wanted);
        let tracking = self.trackers().filter(|t| matches(&&t.number)).map(Found::Tracking);
        let advertised = self.trackers().flat_map(|tracker| {
            tracker.advertised.iter().filter(matches).map(|number| Found::Advertised(number, tracker))
        });
        let mut forwarding: Vec<&E164> =
            self.trackers().filter_map(|t| t.forwarding_number.as_ref()).filter(matches).collect();
        forwarding.sort_unstable();
        forwarding.dedup();
        tracking.chain(advertised).chain(forwarding.into_iter().map(Found::NotTracked)).collect()
    }
}

#[cfg(test)]
mod tests {
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
}
