//! The names that calls refer to: campaigns, agents, ports, tags, tracking numbers. A [`super::brief::Brief`] has only
//! their keys.

use crate::record::CallRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A campaign, by its id.
    Campaign,
    /// Who answered or took a call: a user's id or name, else the port.
    Agent,
    /// A jack, by its name.
    Port,
    /// A tag.
    Tag,
    /// A tracking number, E.164.
    Number,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Campaign, Self::Agent, Self::Port, Self::Tag, Self::Number];

    /// A byte of its own.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of this byte.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// A name and what it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Id in the directory, or the name itself where there is none.
    pub id: String,
    /// As shown.
    pub name: String,
    /// Of a campaign: where its numbers are advertised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Every name that calls refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<(Kind, u64), Named>);

impl Names {
    /// Takes one; a later name of the same key counts.
    pub fn put(&mut self, kind: Kind, named: Named) {
        self.0.insert((kind, key(kind, &named.id)), named);
    }

    /// The name of a key.
    #[must_use]
    pub fn get(&self, kind: Kind, key: u64) -> Option<&Named> {
        self.0.get(&(kind, key))
    }

    /// Every name of a kind with its key.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (u64, &Named)> {
        self.0.range((kind, 0)..=(kind, u64::MAX)).map(|(&(_, key), named)| (key, named))
    }

    /// Every name of a kind in the order of the alphabet.
    #[must_use]
    pub fn sorted(&self, kind: Kind) -> Vec<&Named> {
        let mut all: Vec<&Named> = self.all(kind).map(|(_, named)| named).collect();
        all.sort_by_key(|named| named.name.to_lowercase());
        all
    }
}

/// The key of an id, never 0 (FNV-1a, 64 bits).
#[must_use]
pub fn key(kind: Kind, id: &str) -> u64 {
    let bytes = std::iter::once(kind.code()).chain(id.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.max(1)
}

/// A shorter key of an id, never 0.
#[must_use]
pub fn short(kind: Kind, id: &str) -> u32 {
    shortened(key(kind, id))
}

/// The shorter form of a key.
#[must_use]
pub const fn shortened(key: u64) -> u32 {
    let folded = (key ^ (key >> 32)) as u32;
    if folded == 0 { 1 } else { folded }
}

/// Who has a call: whoever took it, else the port that answered.
#[must_use]
pub fn agent(record: &CallRecord) -> Option<Named> {
    let plain = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned(), source: None };
    if let Some(claim) = &record.handling.claimed_by {
        return Some(plain(claim.user_id.as_deref().unwrap_or(&claim.name), &claim.name));
    }
    record.answered_by.as_ref().map(|by| plain(&by.port, &by.port))
}

/// Every name in a record.
#[must_use]
pub fn of(record: &CallRecord) -> Vec<(Kind, Named)> {
    let plain = |id: &str| Named { id: id.to_owned(), name: id.to_owned(), source: None };
    let campaign = record.campaign.as_ref().map(|campaign| Named {
        id: campaign.id.clone(),
        name: campaign.name.clone(),
        source: campaign.source_name.clone(),
    });
    let mut names = vec![(Kind::Number, plain(record.tracking_phone_number.as_str()))];
    names.extend(campaign.map(|campaign| (Kind::Campaign, campaign)));
    names.extend(agent(record).map(|agent| (Kind::Agent, agent)));
    names.extend(record.answered_by.as_ref().map(|by| (Kind::Port, plain(&by.port))));
    names.extend(record.handling.tags.iter().map(|tag| (Kind::Tag, plain(tag))));
    names
}
