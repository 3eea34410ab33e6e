//! The life of a call up to its answer: INVITE, 180, 200, refusal, CANCEL, ACK.

use super::{
    ALLOW, Command, Dialog, DialogId, Endpoint, Instant, Key, MAX_CALLS, Message, SUPPORTED, Source, TrunkId,
    outside::with_abilities,
    transactions::{Seen, key_of},
};
use crate::sip::{
    dialog::State,
    event::{Ended, Rejection},
    identity::DidSource,
    offered,
    remembered::Answer,
    session_timer::{MIN_SE_S, SessionTimer},
    success::Success,
};
use std::net::SocketAddr;

/// Retry-After of a call refused because too many are up, in seconds.
const SHED_RETRY_AFTER_S: u16 = 5;
/// The caller gave up.
const TERMINATED: Rejection = Rejection { status: 487, retry_after_s: None };
/// The office hung up, or the daemon stops, while the phones ring.
const UNAVAILABLE: Rejection = Rejection { status: 480, retry_after_s: None };

impl Endpoint {
    pub(super) fn invite(
        &mut self,
        admitted: Source,
        message: Message,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let key = key_of(&self.tokens, &message, "INVITE");
        match self.server.see_invite(key, now, out) {
            Seen::Dealt => {}
            Seen::Refused(rejection) => {
                self.counters.repeated_without_transaction += 1;
                let bytes = self.refusal(&message, key, rejection);
                out.push(Command::Send { to: message.reply_address(), bytes });
            }
            Seen::Merged => self.refuse(&message, key, 482, &[], now, out),
            Seen::Never => match self.dialog_of(&message) {
                Some(dialog) => self.reinvite(dialog, &message, key, now, out),
                None => self.new_call(admitted, message, key, now, out),
            },
        }
    }

    /// A call the box has not seen: refused for what its headers ask, or offered.
    fn new_call(
        &mut self,
        admitted: Source,
        message: Message,
        key: Key,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        if message.to_tag().is_some() {
            return self.refuse(&message, key, 481, &[], now, out);
        }
        let user = message.request_uri().and_then(|uri| uri.user());
        let registered = self.contact_users.iter().position(|own| user == Some(own));
        let trunk = match (registered, admitted) {
            (Some(trunk), _) | (None, Source::Allowed(trunk)) => TrunkId(trunk),
            (None, Source::Registrar(_)) => {
                self.counters.not_for_us += 1;
                return self.refuse(&message, key, 404, &[], now, out);
            }
        };
        if let Some((status, headers)) = unmet_demand(&message) {
            return self.refuse(&message, key, status, &headers, now, out);
        }
        if self.dialogs.values().filter(|dialog| !dialog.is_placed()).count() >= MAX_CALLS {
            self.counters.shed += 1;
            let retry_after = ("Retry-After", SHED_RETRY_AFTER_S.to_string());
            return self.refuse(&message, key, 503, &[retry_after], now, out);
        }
        let id = self.reserve();
        let peer = message.reply_address();
        let trying = self.response_to(&message, 100, key).to_bytes();
        let site = &self.settings;
        let did_source = site.trunks.get(trunk.0).map_or(&DidSource::Auto, |trunk| &trunk.did_source);
        let call = Box::new(offered::read(&message, trunk, did_source, &site.dialplan));
        match Dialog::new(id, trunk, message, key, self.tag(key), now) {
            Ok(dialog) => self.dialogs.insert(id, dialog),
            Err(message) => return self.refuse(&message, key, 400, &[], now, out),
        };
        self.counters.offered += 1;
        self.server.open(key, peer, now);
        if !self.server.is_crowded() {
            self.server.provisional(key, trying, now, out);
        }
        out.push(Command::Offered { dialog: id, call });
    }

    pub(super) fn ring(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        let Some(Dialog { state: State::Early { invite, key, .. }, trunk, .. }) = self.dialogs.get(&id)
        else {
            return;
        };
        let ringing = self
            .response_to(invite, 180, *key)
            .with_header("Contact", &self.contact(*trunk))
            .with_header("Allow", ALLOW);
        self.server.provisional(*key, ringing.to_bytes(), now, out);
    }

    pub(super) fn answer(&mut self, id: DialogId, rtp: SocketAddr, now: Instant, out: &mut Vec<Command>) {
        let Some(mut dialog) = self.take_early(id) else { return };
        let State::Early { invite, key, .. } = std::mem::replace(&mut dialog.state, State::Up) else {
            return;
        };
        let session_id = self.tokens.draw();
        let reply = match dialog.negotiation.answer_call(&invite, rtp, session_id) {
            Ok(reply) => reply,
            Err(unusable) => {
                let rejection = Rejection { status: unusable.status(), retry_after_s: None };
                self.finish_refused(&invite, key, rejection, now, out);
                out.push(Command::Ended { dialog: id, why: Ended::NoMedia });
                return;
            }
        };
        dialog.timer = SessionTimer::negotiate(offered::session_timer(&invite), now).unwrap_or(None);
        let answer =
            self.dialog_answer(&invite, key, &dialog).with_body("application/sdp", &reply.body).to_bytes();
        dialog.success = Some(Success::new(invite.reply_address(), answer.clone(), invite.cseq(), now));
        self.server.finish(key, Answer::Accepted, answer, now, out);
        self.dialogs.insert(id, dialog);
        out.extend(reply.media.map(|media| Command::Media { dialog: id, media }));
    }

    /// A 200 to INVITE or UPDATE in `dialog`, without a body.
    pub(super) fn dialog_answer(
        &self,
        message: &Message,
        key: Key,
        dialog: &Dialog,
    ) -> crate::sip::message::Outgoing {
        let answer = self
            .response_to(message, 200, key)
            .with_header("Contact", &self.contact(dialog.trunk))
            .with_header("Allow", ALLOW)
            .with_header("Supported", SUPPORTED);
        let Some(timer) = dialog.timer else { return answer };
        let answer = answer.with_header("Session-Expires", &timer.header());
        // RFC 4028 section 9: a caller that is to refresh must know that it is.
        if timer.peer_refreshes() { answer.with_header("Require", "timer") } else { answer }
    }

    pub(super) fn reject(
        &mut self,
        id: DialogId,
        rejection: Rejection,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        if let Some(Dialog { state: State::Early { invite, key, .. }, .. }) = self.take_early(id) {
            self.finish_refused(&invite, key, rejection, now, out);
        }
    }

    /// Takes a dialog out of the table if it still waits for its answer.
    fn take_early(&mut self, id: DialogId) -> Option<Dialog> {
        let early = |dialog: &Dialog| matches!(dialog.state, State::Early { .. });
        self.dialogs.get(&id).is_some_and(early).then(|| self.dialogs.remove(&id)).flatten()
    }

    pub(super) fn reject_ringing(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        self.reject(id, UNAVAILABLE, now, out);
    }

    /// The caller gave up, by CANCEL or by a BYE before the answer (RFC 3261 15.1.2).
    pub(super) fn terminate_early(&mut self, id: DialogId, now: Instant, out: &mut Vec<Command>) {
        self.reject(id, TERMINATED, now, out);
        out.push(Command::Cancelled { dialog: id });
    }

    pub(super) fn cancel(&mut self, message: &Message, own: Key, now: Instant, out: &mut Vec<Command>) {
        let key = key_of(&self.tokens, message, "INVITE");
        if !self.server.knows_invite(key) {
            return self.outside(message, own, now, out);
        }
        // RFC 3261 9.2: the To tag is the one of the INVITE's own answers.
        let answer = self.response_to(message, 200, key);
        self.reply(message, own, &answer, now, out);
        let waiting = self.dialogs.values().find(|dialog| dialog.waits_for(key)).map(Dialog::id);
        if let Some(id) = waiting {
            self.terminate_early(id, now, out);
        }
    }

    pub(super) fn ack(&mut self, message: &Message, now: Instant, out: &mut Vec<Command>) {
        let key = key_of(&self.tokens, message, "INVITE");
        if self.server.acknowledge(key, now, out) {
            return;
        }
        let Some(id) = self.dialog_of(message) else { return };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if dialog.success.take_if(|success| success.cseq == message.cseq()).is_none() {
            return;
        }
        let first = !std::mem::replace(&mut dialog.acked, true);
        if let Some(reason) = dialog.hang_up {
            return self.bye(id, reason, now, out);
        }
        match dialog.negotiation.acknowledged(message) {
            Ok(media) => out.extend(media.map(|media| Command::Media { dialog: id, media })),
            Err(_) => return self.end(id, Ended::NoMedia, now, out),
        }
        out.extend(first.then_some(Command::Acked { dialog: id }));
    }

    /// Answers a new INVITE that is not offered as a call.
    pub(super) fn refuse(
        &mut self,
        message: &Message,
        key: Key,
        status: u16,
        headers: &[(&str, String)],
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let answer = self.response_to(message, status, key);
        let answer = headers.iter().fold(answer, |out, (name, value)| out.with_header(name, value));
        let bytes = with_abilities(answer, message.method(), status).to_bytes();
        if self.server.is_crowded() {
            // The same INVITE will be refused again for the same reason, in the same words.
            out.push(Command::Send { to: message.reply_address(), bytes });
            return;
        }
        let answer = Answer::Refused(Rejection { status, retry_after_s: None });
        self.server.open(key, message.reply_address(), now);
        self.server.finish(key, answer, bytes, now, out);
    }

    /// Answers an INVITE that was offered and is refused.
    fn finish_refused(
        &mut self,
        invite: &Message,
        key: Key,
        rejection: Rejection,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let bytes = self.refusal(invite, key, rejection);
        self.server.finish(key, Answer::Refused(rejection), bytes, now, out);
    }

    fn refusal(&self, invite: &Message, key: Key, rejection: Rejection) -> Vec<u8> {
        let answer = self.response_to(invite, rejection.status, key);
        match rejection.retry_after_s {
            Some(seconds) => answer.with_header("Retry-After", &seconds.to_string()).to_bytes(),
            None => answer.to_bytes(),
        }
    }
}

/// What an INVITE or UPDATE demands and the box cannot give: the status, and the headers that say more.
pub(super) fn unmet_demand(message: &Message) -> Option<(u16, Vec<(&'static str, String)>)> {
    let unknown: Vec<&str> =
        message.values("Require").filter(|option| !option.eq_ignore_ascii_case(SUPPORTED)).collect();
    if !unknown.is_empty() {
        return Some((420, vec![("Unsupported", unknown.join(", "))]));
    }
    let timer = SessionTimer::negotiate(offered::session_timer(message), Instant::ZERO);
    timer.is_err().then(|| (422, vec![("Min-SE", MIN_SE_S.to_string())]))
}
