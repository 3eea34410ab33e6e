//! Requests in a dialog, from both sides: BYE, re-INVITE, UPDATE, session refresh.

use super::{
    Command, Dialog, DialogId, Endpoint, Instant, Key, Message, Method, calls::unmet_demand, clients::Owner,
    outside::with_abilities,
};
use crate::sip::{
    dialog::State,
    event::Ended,
    offered,
    remembered::Answer,
    session_timer::{Due, SessionTimer},
    success::Success,
};

impl Endpoint {
    /// A request of the peer other than INVITE, ACK and CANCEL.
    pub(super) fn in_dialog(
        &mut self,
        id: DialogId,
        message: &Message,
        key: Key,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let status = match message.method() {
            _ if !dialog.accepts_sequence(message) => 500,
            Method::Bye => return self.bye_received(id, message, key, now, out),
            Method::Update => return self.update(id, message, key, now, out),
            Method::Options => 200,
            // Digits come by RFC 4733; a body that is not read must not be confirmed (RFC 6086 section 5).
            Method::Info if message.header("Info-Package").is_some() => 469,
            Method::Info if message.body().is_empty() => 200,
            Method::Info => 415,
            Method::Prack => 481,
            Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Message => 405,
            Method::Other(_) => 501,
        };
        let answer = with_abilities(self.response_to(message, status, key), message.method(), status);
        self.reply(message, key, &answer, now, out);
    }

    fn bye_received(
        &mut self,
        id: DialogId,
        message: &Message,
        key: Key,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let answer = self.response_to(message, 200, key);
        self.reply(message, key, &answer, now, out);
        match self.dialogs.get(&id).map(|dialog| (&dialog.state, dialog.hang_up)) {
            Some((State::Early { .. }, _)) => self.terminate_early(id, now, out),
            Some((State::Calling(_), _)) => self.left_by_callee(id, now, out),
            Some((State::Up, None)) => {
                self.dialogs.remove(&id);
                out.push(Command::Ended { dialog: id, why: Ended::HungUp });
            }
            // The office had hung up before: it knows.
            Some((State::Up, Some(_))) => drop(self.dialogs.remove(&id)),
            Some((State::Leaving, _)) | None => {}
        }
    }

    /// INVITE in a dialog: hold, resume, another address, refresh, or an offer that we cannot take; then the call
    /// stays as it was (RFC 3261 14.2).
    pub(super) fn reinvite(
        &mut self,
        id: DialogId,
        message: &Message,
        key: Key,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(mut dialog) = self.dialogs.remove(&id) else { return };
        let in_order = dialog.accepts_sequence(message);
        let refusal = match &dialog.state {
            _ if dialog.is_left() => Some((481, vec![])),
            State::Early { .. } => Some(self.try_later()),
            // RFC 3261 14.2: our own INVITE is on its way.
            State::Calling(_) => Some((491, vec![])),
            State::Up if dialog.success.is_some() => Some((491, vec![])),
            State::Up if !in_order => Some(self.try_later()),
            State::Up | State::Leaving => unmet_demand(message),
        };
        let reply = match refusal {
            Some(refusal) => Err(refusal),
            None => dialog.negotiation.renegotiate(message).map_err(|unusable| (unusable.status(), vec![])),
        };
        match reply {
            Err((status, headers)) => self.refuse(message, key, status, &headers, now, out),
            Ok(reply) => {
                refreshed(&mut dialog, message, now);
                let answer =
                    self.dialog_answer(message, key, &dialog).with_body("application/sdp", &reply.body);
                let bytes = answer.to_bytes();
                dialog.success =
                    Some(Success::new(message.reply_address(), bytes.clone(), message.cseq(), now));
                self.server.open(key, message.reply_address(), now);
                self.server.finish(key, Answer::Accepted, bytes, now, out);
                out.extend(reply.media.map(|media| Command::Media { dialog: id, media }));
            }
        }
        self.dialogs.insert(id, dialog);
    }

    /// UPDATE (RFC 3311): a session refresh, or a re-INVITE without a handshake.
    fn update(&mut self, id: DialogId, message: &Message, key: Key, now: Instant, out: &mut Vec<Command>) {
        let Some(mut dialog) = self.dialogs.remove(&id) else { return };
        let offers = !message.body().is_empty();
        let refusal = match &dialog.state {
            _ if dialog.is_left() => Some((481, vec![])),
            State::Early { .. } if offers => Some(self.try_later()),
            State::Calling(_) | State::Up if offers && dialog.negotiation.is_open() => Some((491, vec![])),
            State::Early { .. } | State::Calling(_) | State::Up | State::Leaving => unmet_demand(message),
        };
        let reply = match (refusal, offers) {
            (Some((status, headers)), _) => {
                let answer = self.response_to(message, status, key);
                Err(headers.iter().fold(answer, |out, (name, value)| out.with_header(name, value)))
            }
            (None, false) => Ok(None),
            (None, true) => match dialog.negotiation.renegotiate(message) {
                Ok(reply) => Ok(Some(reply)),
                Err(unusable) => Err(self.response_to(message, unusable.status(), key)),
            },
        };
        let (answer, media) = match reply {
            Err(refused) => (refused, None),
            Ok(reply) => {
                refreshed(&mut dialog, message, now);
                let answer = self.dialog_answer(message, key, &dialog);
                match reply {
                    None => (answer, None),
                    Some(reply) => (answer.with_body("application/sdp", &reply.body), reply.media),
                }
            }
        };
        self.reply(message, key, &answer, now, out);
        out.extend(media.map(|media| Command::Media { dialog: id, media }));
        self.dialogs.insert(id, dialog);
    }

    pub(super) fn hang_up(
        &mut self,
        id: DialogId,
        reason: Option<&'static str>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        match dialog.state {
            State::Early { .. } => self.reject_ringing(id, now, out),
            State::Calling(_) => self.give_up(id, reason, now, out),
            State::Up if dialog.acked => self.bye(id, reason, now, out),
            State::Up => dialog.hang_up = Some(reason),
            State::Leaving => {}
        }
    }

    /// Ends the call from our side for a reason that the office does not know of.
    pub(super) fn end(&mut self, id: DialogId, why: Ended, now: Instant, out: &mut Vec<Command>) {
        let known = self.dialogs.get(&id).and_then(|dialog| dialog.hang_up);
        self.bye(id, known.flatten(), now, out);
        if known.is_none() {
            out.push(Command::Ended { dialog: id, why });
        }
    }

    pub(super) fn bye(
        &mut self,
        id: DialogId,
        reason: Option<&'static str>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.state = State::Leaving;
            dialog.success = None;
            self.dialog_request(Owner::Bye(id), reason.map(|reason| ("Reason", reason.to_owned())), now, out);
            self.forget_left();
        }
    }

    pub(super) fn dialog_deadline(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if matches!(dialog.state, State::Early { expires_at: Some(at), .. } if at <= now) {
            return self.terminate_early(id, now, out);
        }
        let success = dialog.success.as_mut().map(|success| success.handle_deadline(now, out));
        if success.is_some_and(|result| result.is_err()) {
            return self.end(id, Ended::NoAck, now, out);
        }
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let timer = dialog.timer.as_mut().filter(|_| matches!(dialog.state, State::Up));
        match timer.and_then(|timer| timer.due(now).map(|due| (due, timer.refresh_header()))) {
            Some((Due::Expired, _)) => self.end(id, Ended::SessionExpired, now, out),
            Some((Due::Refresh, header)) => {
                let header = Some(("Session-Expires", header));
                self.dialog_request(Owner::Refresh(id), header, now, out);
            }
            None => {}
        }
    }

    /// RFC 3261 14.2: too early, or out of order; the peer tries again in 0 to 10 s.
    fn try_later(&mut self) -> (u16, Vec<(&'static str, String)>) {
        (500, vec![("Retry-After", self.tokens.between(0, 10).to_string())])
    }
}

/// The peer's request was accepted: new target, new session interval.
fn refreshed(dialog: &mut Dialog, message: &Message, now: Instant) {
    dialog.refresh_target(message);
    let mut asked = offered::session_timer(message);
    asked.can_refresh = dialog.peer_allows_update();
    dialog.timer = SessionTimer::negotiate(asked, now).unwrap_or(None);
}
