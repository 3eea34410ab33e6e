//! Searching: a number in any spelling, its last digits, the name of a customer or a campaign.

use super::{Directory, Found, entries::Use};
use crate::number::E164;
use serde::Serialize;

/// Fewer digits than this match too many numbers to mean one.
const FEWEST_DIGITS: usize = 4;

/// One thing that a search has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hit {
    /// A tracking number.
    TrackingNumber {
        /// The number.
        number: E164,
        /// Id.
        id: String,
        /// Id of its campaign.
        campaign_id: String,
        /// The campaign's name.
        campaign: String,
    },
    /// An advertised number.
    AdvertisedNumber {
        /// The number.
        number: E164,
        /// The tracking number that it forwards to.
        forwards_to: E164,
        /// Id of that one's campaign.
        campaign_id: String,
        /// The campaign's name.
        campaign: String,
    },
    /// A forwarding number.
    ForwardingNumber {
        /// The number.
        number: E164,
        /// `not tracked`.
        answer: &'static str,
    },
    /// A campaign.
    Campaign {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// How many tracking numbers it has.
        numbers: usize,
    },
    /// A customer.
    Customer {
        /// Their id.
        id: String,
        /// Their name.
        name: String,
        /// Their numbers.
        numbers: Vec<E164>,
    },
}

impl Directory {
    /// Numbers that are written like `spelling` or end in its digits, of which there must be at least 4. Tracking
    /// numbers come first.
    #[must_use]
    pub fn search(&self, spelling: &str) -> Vec<Found<'_>> {
        let wanted = self.ending(spelling);
        if wanted.len() < FEWEST_DIGITS {
            return Vec::new();
        }
        let matches = |number: &&E164| number.digits().ends_with(&wanted);
        let tracking = self.trackers().filter(|t| matches(&&t.number)).map(Found::Tracking);
        let advertised = self.trackers().flat_map(|tracker| {
            tracker.advertised.iter().filter(matches).map(|number| Found::Advertised(number, tracker))
        });
        let alone = self
            .in_force()
            .filter(|(entry, _)| entry.used == Use::Forwarding)
            .map(|(entry, _)| &entry.number);
        let behind = self.trackers().filter_map(|t| t.forwarding_number.as_ref());
        let mut forwarding: Vec<&E164> = alone.chain(behind).filter(matches).collect();
        forwarding.sort_unstable();
        forwarding.dedup();
        tracking.chain(advertised).chain(forwarding.into_iter().map(Found::NotTracked)).collect()
    }

    /// Whatever `text` finds: numbers, then campaigns, then customers, at most `limit` of each.
    #[must_use]
    pub fn find(&self, text: &str, limit: usize) -> Vec<Hit> {
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        let numbers = self.search(text).into_iter().take(limit).map(|found| match found {
            Found::Tracking(tracker) => Hit::TrackingNumber {
                number: tracker.number.clone(),
                id: tracker.id.clone(),
                campaign_id: tracker.campaign.id.clone(),
                campaign: tracker.campaign.name.clone(),
            },
            Found::Advertised(number, tracker) => Hit::AdvertisedNumber {
                number: number.clone(),
                forwards_to: tracker.number.clone(),
                campaign_id: tracker.campaign.id.clone(),
                campaign: tracker.campaign.name.clone(),
            },
            Found::NotTracked(number) => {
                Hit::ForwardingNumber { number: number.clone(), answer: "not tracked" }
            }
        });
        let wanted = text.to_lowercase();
        let campaigns = self.campaigns().into_iter().map(|(campaign, _)| campaign);
        let campaigns = campaigns.filter(|campaign| campaign.name.to_lowercase().contains(&wanted));
        let campaigns = campaigns.take(limit).map(|campaign| Hit::Campaign {
            id: campaign.id.clone(),
            name: campaign.name.clone(),
            numbers: self.trackers().filter(|tracker| tracker.campaign.id == campaign.id).count(),
        });
        let (customers, _) = self.find_customers(text, limit);
        let customers = customers.into_iter().map(|customer| Hit::Customer {
            id: customer.id.to_string(),
            name: customer.name,
            numbers: customer.numbers,
        });
        numbers.chain(campaigns).chain(customers).collect()
    }

    /// Customers whose name has `text` in it or whose number is written like it or ends in its digits; everybody if
    /// there is no text. At most `limit`, and how many there are.
    #[must_use]
    pub fn find_customers(&self, text: &str, limit: usize) -> (Vec<super::Customer>, usize) {
        self.book().find_customers(text.trim(), &self.ending(text), limit)
    }

    /// The digits that a number must end in: a number in full without the prefixes that it is dialled with.
    fn ending(&self, text: &str) -> String {
        if let Some(number) = self.read_number(text) {
            return number.digits().to_owned();
        }
        let is_number = text.chars().all(|c| c.is_ascii_digit() || " -.()/+\u{a0}".contains(c));
        if is_number { text.chars().filter(char::is_ascii_digit).collect() } else { String::new() }
    }
}
