//! The SIP endpoint of the box: every transaction, dialog and registration, without I/O, clock or randomness.
//!
//! ```text
//!   Datagram ─► guard ─► message::parse ─┬─ request ──► transactions (answers repeats)
//!               (who)    (what)          │                ├─ INVITE, ACK, CANCEL ──► calls
//!                                        │                ├─ in a dialog ──────────► in_dialog
//!                                        │                └─ anything else ────────► outside
//!                                        └─ response ─┬─ to an INVITE ────────────► placed ─► dialog
//!                                                      └─ to anything else ────────► clients ─► dialog, registration
//!   Place ──────────────────────────────────────────────────────────────────────────► placed
//! ```
//! Every table is bounded. A call that finds [`MAX_CALLS`] others gets 503 and is not offered; an answer that finds
//! no room for its transaction goes out without one (see [`remembered`](super::remembered)).

mod calls;
mod clients;
mod in_dialog;
mod outside;
mod placed;
mod transactions;

pub use placed::MAX_PLACED;
pub use transactions::{CROWDED_INVITES, MAX_ANSWERED_INVITES, MAX_SERVER_REQUESTS};

use super::{
    dialog::Dialog,
    event::{Command, DialogId, Event, TrunkId},
    guard::{self, Guard, Source},
    message::{self, Dropped, Message, Method, Outgoing, Rejected},
    remembered::Key,
    settings::Settings,
    status,
    tokens::Tokens,
};
use crate::time::Instant;
use clients::Clients;
use placed::Order;
use std::{collections::BTreeMap, net::SocketAddr};
use transactions::ServerTransactions;

/// Calls of callers at one time, offered ones included. The largest box has 24 lines.
pub const MAX_CALLS: usize = 64;
/// Methods that the box takes.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO";
/// Extensions that the box supports.
pub const SUPPORTED: &str = "timer";

/// The SIP side of the box.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    tokens: Tokens,
    guard: Guard,
    server: ServerTransactions,
    clients: Clients,
    dialogs: BTreeMap<DialogId, Dialog>,
    /// User of our Contact addresses by trunk, random per start: only who was told it can call us by a registrar's
    /// address.
    contact_users: Vec<String>,
    dialogs_made: u64,
    counters: Counters,
}

/// What happened since the start, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams from addresses that no trunk names.
    pub strangers: u64,
    /// Datagrams that are no SIP message, or a broken one that must not be answered.
    pub unreadable: u64,
    /// Broken requests.
    pub refused_messages: u64,
    /// Requests of well-known scanners.
    pub scanners: u64,
    /// Keep-alives.
    pub keep_alives: u64,
    /// Requests left without an answer because their kind came too often.
    pub unwanted: u64,
    /// INVITEs that were offered as calls.
    pub offered: u64,
    /// INVITEs not offered because [`MAX_CALLS`] were up.
    pub shed: u64,
    /// INVITEs that came again after their transaction had to be dropped.
    pub repeated_without_transaction: u64,
    /// INVITEs from a registrar's address without our Contact user.
    pub not_for_us: u64,
    /// Responses that answer nothing we asked.
    pub stray_responses: u64,
    /// Calls that the box placed.
    pub placed: u64,
    /// Callees that answered a placed call when another had, or nobody waited any more.
    pub late_callees: u64,
}

impl Endpoint {
    /// An endpoint with `settings`; every tag, branch and token follows from `seed`.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut tokens = Tokens::new(seed);
        let trunks = || settings.trunks.iter().enumerate();
        let allowed =
            trunks().flat_map(|(i, trunk)| trunk.allow.iter().map(move |block| (*block, i))).collect();
        let registrars = trunks().filter_map(|(i, trunk)| Some((trunk.way_out()?, i)));
        let contact_users: Vec<String> = trunks().map(|_| format!("r{}", tokens.word())).collect();
        Self {
            guard: Guard::new(allowed, registrars.collect()),
            clients: Clients::new(&settings, &contact_users, &mut tokens),
            contact_users,
            server: ServerTransactions::default(),
            dialogs: BTreeMap::new(),
            dialogs_made: 0,
            counters: Counters::default(),
            settings,
            tokens,
        }
    }

    /// Takes one event and appends what is to be done about it, in order.
    pub fn handle(&mut self, event: Event<'_>, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Datagram { source, bytes } => self.receive(source, bytes, now, out),
            Event::Deadline => self.handle_deadline(now, out),
            Event::Ring { dialog } => self.ring(dialog, now, out),
            Event::Answer { dialog, rtp } => self.answer(dialog, rtp, now, out),
            Event::Reject { dialog, rejection } => self.reject(dialog, rejection, now, out),
            Event::Place { dialog, trunk, to, rtp, priority } => {
                self.place(dialog, &Order { trunk, to, rtp, priority }, now, out);
            }
            Event::HangUp { dialog, reason } => self.hang_up(dialog, reason, now, out),
            Event::Shutdown => self.shut_down(now, out),
        }
    }

    /// When to call with [`Event::Deadline`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let dialogs = self.dialogs.values().filter_map(Dialog::deadline);
        dialogs.chain(self.server.deadline()).chain(self.clients.deadline()).min()
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Transactions kept, server and client; for bounds and leaks.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.server.len() + self.clients.len()
    }

    /// Calls kept.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.dialogs.len()
    }

    fn receive(&mut self, source: SocketAddr, bytes: &[u8], now: Instant, out: &mut Vec<Command>) {
        let Some(admitted) = self.guard.admit(source, bytes.len()) else {
            self.counters.strangers += 1;
            return;
        };
        match message::parse(bytes, source) {
            Ok(message) if message.is_request() => self.request(admitted, message, now, out),
            Ok(message) => self.response(&message, now, out),
            Err(Rejected::Dropped(Dropped::KeepAlive)) => self.counters.keep_alives += 1,
            Err(Rejected::Dropped(_)) => self.counters.unreadable += 1,
            Err(Rejected::Refused(refusal)) => {
                self.counters.refused_messages += 1;
                if self.may_answer_unwanted(source, now) {
                    let tag = format!("{:016x}", self.tokens.hash("tag", &[bytes]));
                    let bytes = refusal.response(Some(&tag)).to_bytes();
                    out.push(Command::Send { to: refusal.reply_address(), bytes });
                }
            }
        }
    }

    fn request(&mut self, admitted: Source, message: Message, now: Instant, out: &mut Vec<Command>) {
        if message.header("User-Agent").is_some_and(guard::is_scanner) {
            self.counters.scanners += 1;
            return;
        }
        match message.method() {
            Method::Invite => return self.invite(admitted, message, now, out),
            Method::Ack => return self.ack(&message, now, out),
            _ => {}
        }
        let key = transactions::key_of(&self.tokens, &message, message.method().as_str());
        if self.server.repeat(key, out) {
            return;
        }
        match (message.method(), self.dialog_of(&message)) {
            (Method::Cancel, _) => self.cancel(&message, key, now, out),
            (_, Some(dialog)) => self.in_dialog(dialog, &message, key, now, out),
            (_, None) => self.outside(&message, key, now, out),
        }
    }

    fn handle_deadline(&mut self, now: Instant, out: &mut Vec<Command>) {
        self.server.handle_deadline(now, out);
        self.clients_deadline(now, out);
        let due = |dialog: &Dialog| dialog.deadline().is_some_and(|at| at <= now);
        let ids: Vec<DialogId> = self.dialogs.iter().filter(|(_, d)| due(d)).map(|(id, _)| *id).collect();
        for id in ids {
            self.dialog_deadline(id, now, out);
        }
    }

    fn shut_down(&mut self, now: Instant, out: &mut Vec<Command>) {
        let ids: Vec<DialogId> = self.dialogs.keys().copied().collect();
        for id in ids {
            self.hang_up(id, None, now, out);
        }
        self.unregister(now, out);
    }

    fn may_answer_unwanted(&mut self, source: SocketAddr, now: Instant) -> bool {
        let may = self.guard.may_answer_unwanted(source, now);
        self.counters.unwanted += u64::from(!may);
        may
    }

    fn dialog_of(&self, message: &Message) -> Option<DialogId> {
        message.to_tag()?;
        self.dialogs.values().find(|dialog| dialog.owns(message)).map(Dialog::id)
    }

    /// The tag of our answers to a request: always the same for the same request.
    fn tag(&self, key: Key) -> String {
        format!("{:016x}", self.tokens.hash("tag", &[&key.way.to_be_bytes()]))
    }

    /// A response with the headers that each of ours has.
    fn response_to(&self, message: &Message, status: u16, key: Key) -> Outgoing {
        let tag = self.tag(key);
        let tag = (status != 100).then_some(tag.as_str());
        message.response(status, status::phrase(status), tag).with_header("Server", &self.settings.user_agent)
    }

    /// Answers a request other than INVITE.
    fn reply(
        &mut self,
        message: &Message,
        key: Key,
        answer: &Outgoing,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        self.server.answer(key, message.reply_address(), answer.to_bytes(), now, out);
    }

    /// The Via of a request of ours.
    fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/UDP {};branch={branch};rport", self.settings.local)
    }

    /// Our address for requests of a trunk's peers.
    fn contact(&self, trunk: TrunkId) -> String {
        let address = self.clients.learned_address(trunk).unwrap_or(self.settings.local);
        let user = self.contact_users.get(trunk.0).map_or("", String::as_str);
        format!("<sip:{user}@{address}>")
    }
}
