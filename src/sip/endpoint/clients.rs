//! Requests of our own and the registrations: what is sent, who waits for its answer.

use super::{Command, Counters, DialogId, Endpoint, Instant, Message, Method, Settings, Tokens, TrunkId};
use crate::sip::{
    client_request::{self, ClientRequest, Outcome},
    event::Ended,
    registration::{self, Registration},
    settings::Mode,
};
use std::{collections::BTreeMap, net::SocketAddr};

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The BYE of a dialog.
    Bye(DialogId),
    /// The session refresh of a dialog.
    Refresh(DialogId),
    /// The registration with this index.
    Register(usize),
}

impl Owner {
    const fn method(self) -> Method {
        match self {
            Self::Bye(_) => Method::Bye,
            Self::Refresh(_) => Method::Update,
            Self::Register(_) => Method::Register,
        }
    }
}

/// Client transactions by their branch, and the registrations that start some of them. Each dialog and each
/// registration has at most one or two at a time, which bounds the table.
#[derive(Debug)]
pub(super) struct Clients {
    transactions: BTreeMap<String, (ClientRequest, Owner)>,
    registrations: Vec<Registration>,
}

impl Clients {
    pub(super) fn new(settings: &Settings, contact_user: &str, tokens: &mut Tokens) -> Self {
        let accounts = settings.trunks.iter().enumerate().filter_map(|(i, trunk)| match &trunk.mode {
            Mode::Ip => None,
            Mode::Register(account) => Some((TrunkId(i), account.clone())),
        });
        let registrations = accounts.map(|(trunk, account)| {
            Registration::new(trunk, account, settings.local, &settings.user_agent, contact_user, tokens)
        });
        Self { registrations: registrations.collect(), transactions: BTreeMap::new() }
    }

    /// Our address as the registrar of `trunk` sees it.
    pub(super) fn learned_address(&self, trunk: TrunkId) -> Option<SocketAddr> {
        self.registrations.iter().find(|r| r.trunk() == trunk).map(Registration::address)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let transactions = self.transactions.values().filter_map(|(transaction, _)| transaction.deadline());
        transactions.chain(self.registrations.iter().filter_map(Registration::deadline)).min()
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }
}
