//! The customers of an office, up to 50,000, as small as they can be looked up: a card each, and the way from a
//! calling number to the card.

use super::{
    entries::{Change, Customer},
    shards::{Shards, Spread},
};
use crate::{handling::CustomerLink, id::CustomerId, number::E164};
use std::{collections::BTreeMap, sync::Arc};

/// Lines of a customer's history that are kept; the journal has every one.
pub(super) const MOST_CHANGES: usize = 20;

/// Every customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Customers {
    cards: Shards<CustomerId, Card>,
    by_number: Shards<Digits, CustomerId>,
    /// Who was found to be somebody else.
    merged: Arc<BTreeMap<CustomerId, CustomerId>>,
    /// Lines of history that come in a row say the same of many.
    last: Option<(Arc<str>, Arc<str>)>,
}

/// A customer in about 150 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Card {
    name: Box<str>,
    external_id: Option<Box<str>>,
    note: Option<Box<str>>,
    numbers: Box<[Digits]>,
    history: Box<[Change]>,
}

/// An E.164 number without its `+`: at most 15 digits, and never a leading zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Digits(u64);

impl Digits {
    fn of(number: &E164) -> Self {
        Self(number.digits().parse().unwrap_or(0))
    }

    fn number(self) -> Option<E164> {
        format!("+{}", self.0).parse().ok()
    }
}

impl Spread for Digits {
    fn spread(&self) -> usize {
        // The last digits differ most.
        (self.0 % 65_521) as usize
    }
}

impl Customers {
    pub(super) fn get(&self, id: CustomerId) -> Option<Customer> {
        self.cards.get(&id).map(|card| card.customer(id))
    }

    /// The id under which a customer is known now.
    pub(super) fn present(&self, id: CustomerId) -> Option<CustomerId> {
        let id = self.merged.get(&id).copied().unwrap_or(id);
        self.cards.get(&id).map(|_| id)
    }

    pub(super) fn of(&self, number: &E164) -> Option<CustomerId> {
        self.by_number.get(&Digits::of(number)).copied()
    }

    /// The customer as a call names them; `matched` tells why.
    pub(super) fn link(&self, id: CustomerId, matched: &str) -> Option<CustomerLink> {
        let card = self.cards.get(&id)?;
        Some(CustomerLink {
            id: id.to_string(),
            external_id: card.external_id.as_deref().map(str::to_owned),
            name: card.name.to_string(),
            matched: matched.to_owned(),
        })
    }

    pub(super) fn name(&self, id: CustomerId) -> Option<&str> {
        self.cards.get(&id).map(|card| &*card.name)
    }

    pub(super) fn len(&self) -> usize {
        self.cards.len()
    }

    /// Everybody, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Customer> {
        let mut ids: Vec<CustomerId> = self.cards.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.get(id))
    }

    /// Ids of external ids.
    pub(super) fn external_ids(&self) -> BTreeMap<String, CustomerId> {
        let known = |(id, card): (&CustomerId, &Card)| Some((card.external_id.as_ref()?.to_string(), *id));
        self.cards.iter().filter_map(known).collect()
    }

    pub(super) fn merged(&self) -> impl Iterator<Item = (CustomerId, CustomerId)> {
        self.merged.iter().map(|(gone, into)| (*gone, *into))
    }

    /// Customers whose number ends in `digits` or whose name, id or note has `text` in it, by name, at most `limit`,
    /// and how many there are.
    pub(super) fn find(&self, text: &str, digits: &str, limit: usize) -> (Vec<Customer>, usize) {
        let wanted = text.to_lowercase();
        let ending: Option<u64> = if digits.len() >= 4 { digits.parse().ok() } else { None };
        let modulus = u32::try_from(digits.len()).ok().and_then(|length| 10_u64.checked_pow(length));
        let ends =
            |number: &Digits| ending.zip(modulus).is_some_and(|(end, modulus)| number.0 % modulus == end);
        let has = |part: Option<&str>| part.is_some_and(|part| part.to_lowercase().contains(&wanted));
        let is_meant = |card: &Card| {
            card.numbers.iter().any(ends)
                || (!wanted.is_empty()
                    && (has(Some(&card.name))
                        || has(card.external_id.as_deref())
                        || has(card.note.as_deref())))
        };
        let mut found: Vec<(&str, CustomerId)> = self
            .cards
            .iter()
            .filter(|(_, card)| wanted.is_empty() || is_meant(card))
            .map(|(id, card)| (&*card.name, *id))
            .collect();
        let all = found.len();
        found.sort_unstable();
        (found.into_iter().take(limit).filter_map(|(_, id)| self.get(id)).collect(), all)
    }

    /// Puts a customer in their place; a history in it is the whole history.
    pub(super) fn put(&mut self, customer: Customer, change: Option<&Change>) {
        let id = customer.id;
        let before = self.cards.get(&id);
        let mut history = match before {
            Some(card) if customer.history.is_empty() => card.history.to_vec(),
            Some(_) | None => customer.history,
        };
        if let Some(change) = change.filter(|change| history.last() != Some(change)) {
            history.push(change.clone());
        }
        let surplus = history.len().saturating_sub(MOST_CHANGES);
        history.drain(..surplus);
        let old: Vec<Digits> = before.map(|card| card.numbers.to_vec()).unwrap_or_default();
        old.iter()
            .filter(|number| self.by_number.get(number) == Some(&id))
            .copied()
            .collect::<Vec<_>>()
            .iter()
            .for_each(|number| {
                self.by_number.remove(number);
            });
        history.iter_mut().for_each(|change| self.share(change));
        let numbers: Box<[Digits]> = customer.numbers.iter().map(Digits::of).collect();
        numbers.iter().for_each(|number| self.by_number.insert(*number, id));
        let small = |text: Option<String>| text.map(String::into_boxed_str);
        let card = Card {
            name: customer.name.into_boxed_str(),
            external_id: small(customer.external_id),
            note: small(customer.note),
            numbers,
            history: history.into_boxed_slice(),
        };
        self.cards.insert(id, card);
    }

    /// Takes a customer away; `into` is who they were found to be.
    pub(super) fn remove(&mut self, id: CustomerId, into: Option<CustomerId>) {
        if let Some(card) = self.cards.remove(&id) {
            for number in card
                .numbers
                .iter()
                .filter(|number| self.by_number.get(number) == Some(&id))
                .copied()
                .collect::<Vec<_>>()
            {
                self.by_number.remove(&number);
            }
        }
        let merged = Arc::make_mut(&mut self.merged);
        if let Some(into) = into {
            // Whoever was merged into the one that goes is now who that one is.
            merged.values_mut().filter(|was| **was == id).for_each(|was| *was = into);
            merged.insert(id, into);
        }
    }

    fn share(&mut self, change: &mut Change) {
        match &self.last {
            Some((who, what)) if *who == change.who && *what == change.what => {
                (change.who, change.what) = (Arc::clone(who), Arc::clone(what));
            }
            _ => self.last = Some((Arc::clone(&change.who), Arc::clone(&change.what))),
        }
    }
}

impl Card {
    fn customer(&self, id: CustomerId) -> Customer {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Customer {
            id,
            external_id: text(&self.external_id),
            name: self.name.to_string(),
            numbers: self.numbers.iter().filter_map(|number| number.number()).collect(),
            note: text(&self.note),
            history: self.history.to_vec(),
        }
    }
}

impl Spread for CustomerId {
    fn spread(&self) -> usize {
        self.lowest_bits()
    }
}
