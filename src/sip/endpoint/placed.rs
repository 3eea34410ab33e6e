//! Calls that the box places: INVITE out, its answers, CANCEL, and the callees that answer when one has already.
//!
//! Only a handset places calls, never a peer: nothing in this file is reached by a request. A call out does not count
//! against [`MAX_CALLS`](super::MAX_CALLS): callers must not be able to keep an emergency call from going out.

use super::{
    ALLOW, Command, Dialog, DialogId, Endpoint, Instant, Message, SUPPORTED, TrunkId, clients::Owner,
};
use crate::sip::{
    auth,
    calling::{Calling, Way},
    client_invite::{ClientInvite, Event, Invite, Outcome},
    dialog::{MAX_ROUTES, State},
    event::{Priority, Refusal},
    message::NameAddr,
    offered,
    params::Params,
    session_timer::SessionTimer,
    settings::Mode,
};
use std::net::SocketAddr;

/// Calls out at one time.
pub const MAX_PLACED: usize = 4;
/// Placed calls that the office has left and whose end the trunk has yet to confirm; the oldest is forgotten.
const MAX_LEFT: usize = 4;
/// INVITE client transactions; each call has at most four.
const MAX_INVITES: usize = 64;
/// Callees that may answer one INVITE; the 2xx of further ones are dropped.
const MAX_CALLEES: usize = 4;

/// One INVITE of ours and what became of it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) transaction: ClientInvite,
    dialog: DialogId,
    trunk: TrunkId,
    credentials: Option<(&'static str, String)>,
    callees: Vec<Callee>,
}

/// One 2xx, by its To tag, and the ACK that is sent again each time it comes.
#[derive(Debug)]
struct Callee {
    tag: String,
    to: SocketAddr,
    ack: Vec<u8>,
}

/// What the office orders.
pub(super) struct Order<'a> {
    pub(super) trunk: TrunkId,
    pub(super) to: &'a str,
    pub(super) rtp: SocketAddr,
    pub(super) priority: Priority,
}

impl Endpoint {
    /// The identity for a call that is to be placed.
    #[must_use]
    pub const fn reserve(&mut self) -> DialogId {
        self.dialogs_made += 1;
        DialogId(self.dialogs_made)
    }

    pub(super) fn place(&mut self, id: DialogId, order: &Order<'_>, now: Instant, out: &mut Vec<Command>) {
        if self.dialogs.contains_key(&id) {
            // It is being placed already.
            return;
        }
        match self.way(order) {
            Ok(way) => {
                let dialog = self.placed_dialog(id, order, way);
                self.dialogs.insert(id, dialog);
                self.counters.placed += 1;
                self.send_invite(id, now, out);
            }
            Err(why) => out.push(Command::Refused { dialog: id, why }),
        }
    }

    fn way(&mut self, order: &Order<'_>) -> Result<Way, Refusal> {
        let trunk = self.settings.trunks.get(order.trunk.0).ok_or(Refusal::NoTrunk)?;
        let way = Way::find(order.to, trunk, self.settings.local)?;
        let wanted = self.dialogs.values().filter(|dialog| dialog.is_placed() && !dialog.is_left()).count();
        if wanted >= MAX_PLACED {
            return Err(Refusal::TooMany);
        }
        Ok(way)
    }

    fn placed_dialog(&mut self, id: DialogId, order: &Order<'_>, way: Way) -> Dialog {
        let session_id = self.tokens.draw();
        let mut headers = Vec::new();
        if order.priority == Priority::Emergency {
            headers.push(("Priority", "emergency".to_owned()));
        }
        headers.extend(way.identity.map(|identity| ("P-Asserted-Identity", identity)));
        let first = Invite {
            branch: String::new(),
            via: String::new(),
            to: NameAddr::new(way.uri.clone(), Params::default()),
            uri: way.uri,
            from: way.from.with_tag(&self.tokens.word()),
            call_id: self.tokens.word(),
            cseq: 0,
        };
        let calling = |offer| State::Calling(Box::new(Calling::new(offer, headers)));
        let mut dialog = Dialog::placed(id, order.trunk, way.peer, first, State::Leaving);
        dialog.state = calling(dialog.negotiation.offer_call(order.rtp, session_id));
        dialog
    }

    /// Sends the INVITE of a call, the first or one that is to please the trunk better.
    fn send_invite(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        let branch = self.tokens.branch();
        let via = self.via(&branch);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let (trunk, peer) = (dialog.trunk, dialog.source);
        let (invite, request) = dialog.invite(branch.clone(), via);
        let State::Calling(calling) = &mut dialog.state else { return };
        calling.branch = branch;
        let credentials = calling.credentials(&invite.uri);
        let headers: Vec<_> =
            calling.session_headers().into_iter().chain(calling.headers.iter().cloned()).collect();
        let offer = calling.offer.clone();
        let request = request
            .with_header("Contact", &self.contact(trunk))
            .with_header("User-Agent", &self.settings.user_agent)
            .with_header("Allow", ALLOW)
            .with_header("Supported", SUPPORTED);
        let headers = headers.iter().chain(&credentials);
        let request = headers.fold(request, |out, (name, value)| out.with_header(name, value));
        let bytes = request.with_body("application/sdp", &offer).to_bytes();
        let transaction = ClientInvite::new(peer, invite, bytes, now, out);
        self.keep(Placed { transaction, dialog: id, trunk, credentials, callees: Vec::new() });
    }

    /// Keeps an INVITE, oldest first. In a crowd the oldest goes that nobody waits for.
    fn keep(&mut self, placed: Placed) {
        let invites = &mut self.clients.invites;
        if invites.len() >= MAX_INVITES {
            let left = |id| self.dialogs.get(&id).is_none_or(Dialog::is_left);
            let idle = |placed: &Placed| placed.transaction.is_answered() || left(placed.dialog);
            let oldest = invites.iter().position(idle);
            let gone = oldest.map(|oldest| invites.remove(oldest));
            // Its CANCEL is of the same branch.
            gone.and_then(|gone| self.clients.transactions.remove(&gone.transaction.invite().branch));
        }
        self.clients.invites.push(placed);
    }

    /// A response to an INVITE of ours.
    pub(super) fn invite_response(&mut self, message: &Message, now: Instant, out: &mut Vec<Command>) {
        let usable = message.record_routes().len() <= MAX_ROUTES;
        let found = self.clients.invites.iter_mut().find(|placed| placed.answered_by(message));
        let Some(placed) = found.filter(|_| usable) else {
            self.counters.stray_responses += 1;
            return;
        };
        let (id, branch) = (placed.dialog, placed.transaction.invite().branch.clone());
        match placed.transaction.handle(Event::Response(message), now, out) {
            Some(Outcome::Progress) => self.progress(id, message, out),
            Some(Outcome::Accepted) => self.accepted(id, &branch, message, now, out),
            Some(Outcome::Refused) => self.refused(id, message, now, out),
            Some(Outcome::MayCancel) => self.send_cancel(id, &branch, now, out),
            Some(Outcome::TimedOut) | None => {}
        }
    }

    /// Time has passed for the INVITEs.
    pub(super) fn invites_deadline(&mut self, now: Instant, out: &mut Vec<Command>) {
        let mut unanswered = Vec::new();
        for placed in &mut self.clients.invites {
            let outcome = placed.transaction.handle(Event::Deadline, now, out);
            unanswered.extend((outcome == Some(Outcome::TimedOut)).then_some(placed.dialog));
        }
        self.clients.invites.retain(|placed| !placed.transaction.is_over());
        for id in unanswered {
            self.not_taken(id, Refusal::Unanswered, out);
        }
    }

    fn progress(&mut self, id: DialogId, message: &Message, out: &mut Vec<Command>) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| !dialog.is_left()) else { return };
        let State::Calling(calling) = &mut dialog.state else { return };
        let status = message.status().unwrap_or_default();
        // 100 comes from the next hop and says nothing of the callee.
        if status > 100 && std::mem::replace(&mut calling.told, status) != status {
            out.push(Command::Progress { dialog: id, status });
        }
        let media = dialog.negotiation.announced(message);
        out.extend(media.map(|media| Command::Media { dialog: id, media }));
    }

    /// A 2xx: of the callee, of the same one once more, or of another one.
    fn accepted(
        &mut self,
        id: DialogId,
        branch: &str,
        message: &Message,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(placed) = self.clients.invite(branch) else { return };
        let tag = message.to_tag().unwrap_or_default();
        if let Some(callee) = placed.callees.iter().find(|callee| callee.tag == tag) {
            return out.push(Command::Send { to: callee.to, bytes: callee.ack.clone() });
        }
        if placed.callees.len() == MAX_CALLEES {
            self.counters.stray_responses += 1;
            return;
        }
        let first = self.dialogs.get(&id).is_some_and(Dialog::is_calling);
        let id = if first { id } else { self.another_dialog(branch) };
        self.acknowledge(id, branch, message, out);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        match dialog.hang_up {
            Some(reason) => self.bye(id, reason, now, out),
            None => self.joined(id, message, now, out),
        }
    }

    /// A dialog with a callee that nobody waits for any more (RFC 3261 13.2.2.4: BYE).
    fn another_dialog(&mut self, branch: &str) -> DialogId {
        let id = self.reserve();
        if let Some(placed) = self.clients.invite(branch) {
            let (invite, peer) = (placed.transaction.invite().clone(), placed.transaction.peer());
            let mut dialog = Dialog::placed(id, placed.trunk, peer, invite, State::Leaving);
            dialog.hang_up = Some(None);
            self.dialogs.insert(id, dialog);
            self.counters.late_callees += 1;
        }
        id
    }

    /// Joins a callee's dialog and sends its ACK (RFC 3261 13.2.2.4).
    fn acknowledge(&mut self, id: DialogId, branch: &str, success: &Message, out: &mut Vec<Command>) {
        let own_branch = self.tokens.branch();
        let via = self.via(&own_branch);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.join(success);
        let to = self.guard.hop(dialog);
        let Some(placed) = self.clients.invite(branch) else { return };
        let ack = dialog.ack(placed.transaction.invite().cseq, &via);
        // RFC 3261 13.2.2.4: the credentials of the INVITE.
        let ack = placed.credentials.iter().fold(ack, |ack, (name, value)| ack.with_header(name, value));
        let ack = ack.to_bytes();
        out.push(Command::Send { to, bytes: ack.clone() });
        let tag = success.to_tag().unwrap_or_default().to_owned();
        placed.callees.push(Callee { tag, to, ack });
    }

    /// The callee is there: audio, session timer.
    fn joined(&mut self, id: DialogId, success: &Message, now: Instant, out: &mut Vec<Command>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        match dialog.negotiation.answered(success) {
            Ok(media) => {
                dialog.timer = SessionTimer::accept(offered::answered_session_timer(success), now);
                out.push(Command::Answered { dialog: id });
                out.extend(media.map(|media| Command::Media { dialog: id, media }));
            }
            Err(_) => {
                self.bye(id, None, now, out);
                out.push(Command::Refused { dialog: id, why: Refusal::NoMedia });
            }
        }
    }

    /// A final answer other than 2xx.
    fn refused(&mut self, id: DialogId, answer: &Message, now: Instant, out: &mut Vec<Command>) {
        if self.can_please(id, answer) {
            return self.send_invite(id, now, out);
        }
        self.not_taken(id, Refusal::Status(answer.status().unwrap_or_default()), out);
    }

    /// The call came to nothing; the office is told unless it has given up before.
    fn not_taken(&mut self, id: DialogId, why: Refusal, out: &mut Vec<Command>) {
        let dialog = self.dialogs.remove(&id);
        let wanted = dialog.is_some_and(|dialog| dialog.hang_up.is_none());
        out.extend(wanted.then_some(Command::Refused { dialog: id, why }));
    }

    /// Whether the INVITE is worth another try, with the password or the session interval that was asked for.
    fn can_please(&mut self, id: DialogId, answer: &Message) -> bool {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| !dialog.is_left()) else { return false };
        let trunk = self.settings.trunks.get(dialog.trunk.0);
        let State::Calling(calling) = &mut dialog.state else { return false };
        match (auth::challenge(answer), trunk.map(|trunk| &trunk.mode)) {
            (Some((challenge, header)), Some(Mode::Register(account))) => {
                calling.meet(challenge, header, account, &self.tokens.word())
            }
            (Some(_), _) => false,
            (None, _) => calling.lengthen(answer),
        }
    }

    /// The office gives up a call that has no answer yet.
    pub(super) fn give_up(
        &mut self,
        id: DialogId,
        reason: Option<&'static str>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| !dialog.is_left()) else { return };
        dialog.hang_up = Some(reason);
        let State::Calling(calling) = &dialog.state else { return };
        let branch = calling.branch.clone();
        let placed = self.clients.invite(&branch);
        let outcome = placed.and_then(|placed| placed.transaction.handle(Event::GivenUp, now, out));
        if outcome == Some(Outcome::MayCancel) {
            self.send_cancel(id, &branch, now, out);
        }
        self.forget_left();
    }

    fn send_cancel(&mut self, id: DialogId, branch: &str, now: Instant, out: &mut Vec<Command>) {
        let reason = self.dialogs.get(&id).and_then(|dialog| dialog.hang_up).flatten();
        let Some(placed) = self.clients.invite(branch) else { return };
        let peer = placed.transaction.peer();
        let cancel = placed.transaction.invite().cancel();
        let cancel = reason.into_iter().fold(cancel, |cancel, reason| cancel.with_header("Reason", reason));
        let bytes = cancel.with_header("User-Agent", &self.settings.user_agent).to_bytes();
        // RFC 3261 9.1: of the same branch, and a transaction of its own.
        self.start(branch.to_owned(), peer, bytes, Owner::Cancel, now, out);
    }

    /// A callee said BYE before it answered, which it must not (RFC 3261 15): the call is over for both sides.
    pub(super) fn left_by_callee(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        let wanted = self.dialogs.get(&id).is_some_and(|dialog| !dialog.is_left());
        self.give_up(id, None, now, out);
        out.extend(wanted.then_some(Command::Refused { dialog: id, why: Refusal::HungUp }));
    }

    /// Of the placed calls that were left only the last [`MAX_LEFT`] are kept.
    pub(super) fn forget_left(&mut self) {
        let left = self.dialogs.values().filter(|dialog| dialog.is_placed() && dialog.is_left());
        let ids: Vec<DialogId> = left.map(Dialog::id).collect();
        let too_many = ids.len().saturating_sub(MAX_LEFT);
        for id in ids.into_iter().take(too_many) {
            self.dialogs.remove(&id);
            self.clients.transactions.retain(|_, (_, owner)| owner.dialog() != Some(id));
        }
    }
}

impl Placed {
    fn answered_by(&self, response: &Message) -> bool {
        self.transaction.invite().is_answered_by(response)
    }
}

impl super::clients::Clients {
    /// The INVITE with this branch.
    fn invite(&mut self, branch: &str) -> Option<&mut Placed> {
        self.invites.iter_mut().find(|placed| placed.transaction.invite().branch == branch)
    }
}
