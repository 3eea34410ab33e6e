//! Requests of our own and the registrations: what is sent, who waits for its answer.

use super::{
    Command, DialogId, Endpoint, Instant, Message, Method, Settings, Tokens, TrunkId, placed::Placed,
};
use crate::sip::{
    auth,
    client_request::{self, ClientRequest, Outcome},
    dialog::State,
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
    /// The same, after the peer asked for a password.
    AuthorizedBye(DialogId),
    /// The session refresh of a dialog.
    Refresh(DialogId),
    /// Nobody: what a CANCEL did, the INVITE's own answer tells.
    Cancel,
    /// The registration with this index.
    Register(usize),
}

impl Owner {
    pub(super) const fn dialog(self) -> Option<DialogId> {
        match self {
            Self::Bye(id) | Self::AuthorizedBye(id) | Self::Refresh(id) => Some(id),
            Self::Cancel | Self::Register(_) => None,
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Bye(_) | Self::AuthorizedBye(_) => Method::Bye,
            Self::Refresh(_) => Method::Update,
            Self::Cancel => Method::Cancel,
            Self::Register(_) => Method::Register,
        }
    }
}

/// Client transactions by their branch, and the registrations that start some of them. Each dialog and each
/// registration has at most one or two at a time, which bounds the table.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) transactions: BTreeMap<String, (ClientRequest, Owner)>,
    /// INVITEs, oldest first.
    pub(super) invites: Vec<Placed>,
    registrations: Vec<Registration>,
}

impl Clients {
    pub(super) fn new(settings: &Settings, contact_users: &[String], tokens: &mut Tokens) -> Self {
        let accounts = settings.trunks.iter().enumerate().filter_map(|(i, trunk)| match &trunk.mode {
            Mode::Ip => None,
            Mode::Register(account) => Some((TrunkId(i), account.clone(), contact_users.get(i)?)),
        });
        let registrations = accounts.map(|(trunk, account, contact_user)| {
            Registration::new(trunk, account, settings.local, &settings.user_agent, contact_user, tokens)
        });
        Self { registrations: registrations.collect(), transactions: BTreeMap::new(), invites: Vec::new() }
    }

    /// Our address as the registrar of `trunk` sees it.
    pub(super) fn learned_address(&self, trunk: TrunkId) -> Option<SocketAddr> {
        self.registrations.iter().find(|r| r.trunk() == trunk).map(Registration::address)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let transactions = self.transactions.values().filter_map(|(transaction, _)| transaction.deadline());
        let invites = self.invites.iter().filter_map(|placed| placed.transaction.deadline());
        transactions.chain(invites).chain(self.registrations.iter().filter_map(Registration::deadline)).min()
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len() + self.invites.len()
    }
}

impl Endpoint {
    /// A response: to its transaction, and from there to who waits for it.
    pub(super) fn response(&mut self, message: &Message, now: Instant, out: &mut Vec<Command>) {
        if message.vias().nth(1).is_some() {
            // RFC 3261 8.1.3.3: it went astray, its last hop was not to be us.
            self.counters.stray_responses += 1;
            return;
        }
        if *message.method() == Method::Invite {
            return self.invite_response(message, now, out);
        }
        let branch = message.via().branch().unwrap_or_default();
        let found = self.clients.transactions.get_mut(branch);
        // RFC 3261 17.1.3: the same branch and the same method.
        let Some((transaction, owner)) = found.filter(|(_, owner)| owner.method() == *message.method())
        else {
            self.counters.stray_responses += 1;
            return;
        };
        let owner = *owner;
        let event = client_request::Event::Response(message.status().unwrap_or_default());
        if transaction.handle(event, now, out) == Some(Outcome::Answered) {
            self.answered(owner, Some(message), now, out);
        }
    }

    pub(super) fn clients_deadline(&mut self, now: Instant, out: &mut Vec<Command>) {
        let mut unanswered = Vec::new();
        for (transaction, owner) in self.clients.transactions.values_mut() {
            let outcome = transaction.handle(client_request::Event::Deadline, now, out);
            unanswered.extend((outcome == Some(Outcome::TimedOut)).then_some(*owner));
        }
        self.clients.transactions.retain(|_, (transaction, _)| !transaction.is_over());
        for owner in unanswered {
            self.answered(owner, None, now, out);
        }
        self.invites_deadline(now, out);
        for index in 0..self.clients.registrations.len() {
            self.registration_event(index, registration::Event::Deadline, now, out);
        }
    }

    pub(super) fn unregister(&mut self, now: Instant, out: &mut Vec<Command>) {
        for index in 0..self.clients.registrations.len() {
            self.registration_event(index, registration::Event::Shutdown, now, out);
        }
    }

    /// Sends a request in a dialog, with one more header if there is one.
    pub(super) fn dialog_request(
        &mut self,
        owner: Owner,
        header: Option<(&str, String)>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(id) = owner.dialog() else { return };
        let branch = self.tokens.branch();
        let via = self.via(&branch);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let trunk = dialog.trunk;
        let to = self.guard.hop(dialog);
        let request =
            dialog.request(&owner.method(), &via).with_header("User-Agent", &self.settings.user_agent);
        let request = match owner {
            Owner::Refresh(_) => request
                .with_header("Contact", &self.contact(trunk))
                .with_header("Supported", super::SUPPORTED),
            Owner::Bye(_) | Owner::AuthorizedBye(_) | Owner::Cancel | Owner::Register(_) => request,
        };
        let request = header.into_iter().fold(request, |out, (name, value)| out.with_header(name, &value));
        self.start(branch, to, request.to_bytes(), owner, now, out);
    }

    pub(super) fn start(
        &mut self,
        branch: String,
        to: SocketAddr,
        bytes: Vec<u8>,
        owner: Owner,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let transaction = ClientRequest::new(to, bytes, now, out);
        self.clients.transactions.insert(branch, (transaction, owner));
    }

    /// The final answer came, or none did.
    fn answered(&mut self, owner: Owner, answer: Option<&Message>, now: Instant, out: &mut Vec<Command>) {
        match owner {
            Owner::Bye(id) => match answer.and_then(|answer| self.authorization(id, answer)) {
                Some(header) => self.dialog_request(Owner::AuthorizedBye(id), Some(header), now, out),
                None => drop(self.dialogs.remove(&id)),
            },
            Owner::AuthorizedBye(id) => drop(self.dialogs.remove(&id)),
            Owner::Cancel => {}
            Owner::Refresh(id) => self.refresh_answered(id, answer, now, out),
            Owner::Register(index) => {
                let event = answer.map_or(registration::Event::TimedOut, registration::Event::Answer);
                self.registration_event(index, event, now, out);
            }
        }
    }

    /// The header that meets the challenge of a BYE, if the trunk has an account.
    fn authorization(&mut self, id: DialogId, answer: &Message) -> Option<(&'static str, String)> {
        let (challenge, header) = auth::challenge(answer)?;
        let dialog = self.dialogs.get(&id)?;
        let Mode::Register(account) = &self.settings.trunks.get(dialog.trunk.0)?.mode else { return None };
        let cnonce = self.tokens.word();
        let mut login = auth::Login::new(challenge, &account.auth_user, &account.password, &cnonce);
        Some((header, login.authorize("BYE", dialog.request_uri().as_str(), b"")))
    }

    fn refresh_answered(
        &mut self,
        id: DialogId,
        answer: Option<&Message>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| matches!(dialog.state, State::Up))
        else {
            return;
        };
        match answer.and_then(Message::status) {
            Some(200..=299) => {
                answer.into_iter().for_each(|answer| dialog.refresh_target(answer));
                dialog.timer.iter_mut().for_each(|timer| timer.refreshed(now));
            }
            // RFC 5057 5.1: the peer has no such dialog any more, or is gone.
            None | Some(404 | 408 | 410 | 416 | 480..=482 | 484 | 485 | 502 | 604) => {
                self.end(id, Ended::SessionExpired, now, out);
            }
            // Any other refusal leaves the call as it is; the timer ends it if nothing refreshes it.
            Some(_) => {}
        }
    }

    fn registration_event(
        &mut self,
        index: usize,
        event: registration::Event<'_>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(registration) = self.clients.registrations.get_mut(index) else { return };
        let (trunk, to) = (registration.trunk(), registration.registrar());
        let mut commands = Vec::new();
        registration.handle(event, now, &mut self.tokens, &mut commands);
        for command in commands {
            match command {
                registration::Command::Request { branch, bytes } => {
                    self.start(branch, to, bytes, Owner::Register(index), now, out);
                }
                registration::Command::KeepAlive(bytes) => {
                    out.push(Command::Send { to, bytes: bytes.to_vec() });
                }
                registration::Command::Changed(state) => out.push(Command::Registration { trunk, state }),
            }
        }
    }
}
