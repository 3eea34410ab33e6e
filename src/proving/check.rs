//! Whether an advertised number may be forwarded to a tracking number at all, by the directory alone.

use crate::{directory::Directory, number::E164};

/// What speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The advertised number is a tracking number itself: its calls reach the box without a forward.
    IsTrackingNumber,
    /// It is the unadvertised number behind this tracking number: the call would come back in a circle.
    Circle {
        /// The tracking number that leads back to it.
        tracking: E164,
    },
    /// It forwards to another tracking number already, and a number forwards to one place only.
    ForwardsElsewhere {
        /// Where to.
        tracking: E164,
    },
    /// No such tracking number is in the directory.
    NoTrackingNumber,
    /// Only a warning: calls of both numbers will look alike.
    SharedWith {
        /// The other advertised number.
        advertised: E164,
    },
}

impl Objection {
    /// Whether it can be set up all the same.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::SharedWith { .. })
    }
}

/// Everything that speaks against forwarding `advertised` to `tracking`; without `tracking`, what speaks against it
/// wherever it forwards to.
#[must_use]
pub fn check(advertised: &E164, tracking: Option<&E164>, directory: &Directory) -> Vec<Objection> {
    let mut found = Vec::new();
    if directory.lookup(advertised).is_some() {
        found.push(Objection::IsTrackingNumber);
    }
    for tracker in directory.trackers() {
        // The forwarding number is where the box itself may send the call, by whichever tracking number it came.
        if tracker.forwarding_number.as_ref() == Some(advertised) {
            found.push(Objection::Circle { tracking: tracker.number.clone() });
        }
        let is_other = tracking.is_some_and(|chosen| *chosen != tracker.number);
        if is_other && tracker.advertised.contains(advertised) {
            found.push(Objection::ForwardsElsewhere { tracking: tracker.number.clone() });
        }
    }
    let Some(tracking) = tracking else { return found };
    match directory.lookup(tracking) {
        None => found.push(Objection::NoTrackingNumber),
        Some(tracker) => {
            let others = tracker.advertised.iter().filter(|other| *other != advertised).cloned();
            found.extend(others.map(|advertised| Objection::SharedWith { advertised }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn directory() -> Directory {
        let text = r#"
            [[trunk]]
            name = "carrier"
            mode = "ip"
            allow = ["192.0.2.0/24"]
            [[ring_group]]
            name = "front"
            [[campaign]]
            id = "flyer"
            name = "Flyer"
            [[tracking_number]]
            number = "+13125550100"
            campaign = "flyer"
            advertised = ["+13125550150"]
            [[tracking_number]]
            number = "+13125550101"
            campaign = "flyer"
            forwarding_number = "+13125550199"
        "#;
        let config = crate::config::Config::parse(text, "t.toml").unwrap();
        Directory::from_config(&config, &["PHONE1".to_owned()])
    }

    #[test]
    fn a_number_forwards_to_one_tracking_number_and_never_in_a_circle() {
        let directory = directory();
        for (advertised, tracking, objections) in [
            ("+13125550150", "+13125550100", vec![]),
            ("+13125550101", "+13125550100", vec![Objection::IsTrackingNumber, shared()]),
            ("+13125550199", "+13125550101", vec![Objection::Circle { tracking: number("+13125550101") }]),
            (
                "+13125550150",
                "+13125550101",
                vec![Objection::ForwardsElsewhere { tracking: number("+13125550100") }],
            ),
            ("+13125550177", "+13125550177", vec![Objection::NoTrackingNumber]),
            ("+13125550177", "+13125550100", vec![shared()]),
        ] {
            let found = check(&number(advertised), Some(&number(tracking)), &directory);
            assert_eq!(found, objections, "{advertised} to {tracking}");
        }
        assert!(shared().is_warning() && !Objection::IsTrackingNumber.is_warning());
    }

    fn shared() -> Objection {
        Objection::SharedWith { advertised: number("+13125550150") }
    }

    #[test]
    fn without_a_tracking_number_only_the_advertised_one_is_looked_at() {
        let directory = directory();
        assert_eq!(check(&number("+13125550150"), None, &directory), []);
        assert_eq!(check(&number("+13125550100"), None, &directory), [Objection::IsTrackingNumber]);
    }
}
