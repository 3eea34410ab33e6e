//! What a placed call says in its INVITE, kept until it is answered, so that it can be said again with a password or
//! with a longer session interval; and how what was dialled becomes an address.

use super::{
    auth::{Challenge, Login, Tries},
    event::Refusal,
    message::{Message, NameAddr},
    session_timer::MAX_SE_S,
    settings::{Account, Mode, Trunk},
    uri::Uri,
};
use std::net::SocketAddr;

/// Session interval asked for, in seconds (the value RFC 4028 section 4 recommends).
const SESSION_S: u32 = 1_800;
/// Longest string of digits that is dialled; longer than any number with all its prefixes.
const MOST_DIGITS: usize = 32;
/// The emergency service by its name (RFC 5031).
const SOS: &str = "urn:service:sos";

/// A placed call that has no final answer yet.
#[derive(Debug)]
pub struct Calling {
    /// Branch of the INVITE that waits for its answer.
    pub branch: String,
    /// The session description in it.
    pub offer: Vec<u8>,
    /// Headers that are the same each time.
    pub headers: Vec<(&'static str, String)>,
    /// The last provisional status that was told.
    pub told: u16,
    session_s: u32,
    login: Option<(Login, &'static str)>,
    tries: Tries,
}

impl Calling {
    /// A call that offers `offer` and says `headers`.
    #[must_use]
    pub fn new(offer: Vec<u8>, headers: Vec<(&'static str, String)>) -> Self {
        let (login, tries) = (None, Tries::default());
        Self { branch: String::new(), offer, headers, told: 100, session_s: SESSION_S, login, tries }
    }

    /// The session timer headers (RFC 4028 7.1, 7.3). The callee is asked to refresh: it can with a re-INVITE if it
    /// has no UPDATE, we cannot.
    #[must_use]
    pub fn session_headers(&self) -> Vec<(&'static str, String)> {
        let expires = ("Session-Expires", format!("{};refresher=uas", self.session_s));
        let raised = self.session_s != SESSION_S;
        let least = raised.then(|| ("Min-SE", self.session_s.to_string()));
        std::iter::once(expires).chain(least).collect()
    }

    /// The header that authorises the next INVITE to `uri`, if a password was asked for.
    pub fn credentials(&mut self, uri: &Uri) -> Option<(&'static str, String)> {
        let (login, header) = self.login.as_mut()?;
        Some((*header, login.authorize("INVITE", uri.as_str(), &self.offer)))
    }

    /// Takes a challenge up; false if that is no use.
    pub fn meet(
        &mut self,
        challenge: Challenge,
        header: &'static str,
        account: &Account,
        cnonce: &str,
    ) -> bool {
        let allowed = self.tries.allow(&challenge);
        if allowed {
            self.login = Some((Login::new(challenge, &account.auth_user, &account.password, cnonce), header));
        }
        allowed
    }

    /// Takes the interval of a 422 (RFC 4028 7.3), once; false if it does not help.
    pub fn lengthen(&mut self, answer: &Message) -> bool {
        let least = answer.header("Min-SE").and_then(|text| text.split(';').next()?.trim().parse().ok());
        let least = least.filter(|least| (SESSION_S + 1..=MAX_SE_S).contains(least));
        let helps = answer.status() == Some(422) && self.session_s == SESSION_S && least.is_some();
        self.session_s = least.filter(|_| helps).unwrap_or(self.session_s);
        helps
    }
}

/// Where a placed call goes and who it says it is from.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where the INVITE is sent.
    pub peer: SocketAddr,
    /// Its Request-URI.
    pub uri: Uri,
    /// Its From, without a tag.
    pub from: NameAddr,
    /// Its P-Asserted-Identity (RFC 3325): the number to call back.
    pub identity: Option<String>,
}

impl Way {
    /// The way of what was dialled over `trunk`; `local` is our SIP address.
    ///
    /// A short code like `911` goes out as dialled: ordinary trunks route emergency calls by these digits, and answer
    /// 404 or 416 to the service's name, which needs a provider with the routing of RFC 5031 and 6881. That name is
    /// used only if it was dialled.
    ///
    /// # Errors
    /// [`Refusal`] if the trunk has no address or the dialled string is none.
    pub fn find(dialled: &str, trunk: &Trunk, local: SocketAddr) -> Result<Self, Refusal> {
        let peer = trunk.way_out().ok_or(Refusal::NoAddress)?;
        let callback = trunk.emergency.as_ref().map(|emergency| &emergency.callback);
        let (domain, from) = match &trunk.mode {
            Mode::Register(account) => {
                let domain = account.domain.as_str().trim_start_matches("sip:").to_owned();
                let from = format!("<sip:{}@{domain}>", account.user);
                (domain, from)
            }
            // A trunk that knows our address knows us by our number.
            Mode::Ip => match callback {
                Some(callback) => (peer.to_string(), format!("<sip:{callback}@{local}>")),
                // RFC 3323 4.1.1.3: the placeholder for a caller without an address.
                None => (peer.to_string(), "<sip:anonymous@anonymous.invalid>".to_owned()),
            },
        };
        Ok(Self {
            peer,
            uri: request_uri(dialled, &domain).ok_or(Refusal::NotDialable)?,
            from: NameAddr::parse(&from).ok_or(Refusal::NoAddress)?,
            identity: callback.map(|callback| format!("<sip:{callback}@{domain}>")),
        })
    }
}

/// The Request-URI for what was dialled; `None` if it is nothing that can be.
fn request_uri(dialled: &str, domain: &str) -> Option<Uri> {
    let is_service = dialled.strip_prefix(SOS).is_some_and(|rest| {
        rest.is_empty()
            || (rest.starts_with('.') && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'.'))
    });
    if is_service {
        return dialled.parse().ok();
    }
    let digits = dialled.strip_prefix('+').unwrap_or(dialled);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
    if !plain || !(1..=MOST_DIGITS).contains(&digits.len()) {
        return None;
    }
    // RFC 3261 25.1: `#` is none of the letters that a user part may have.
    format!("sip:{}@{domain}", dialled.replace('#', "%23")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DidSource;

    fn trunk(allow: &str) -> Trunk {
        let allow = vec![allow.parse().unwrap()];
        Trunk { name: "t".to_owned(), mode: Mode::Ip, did_source: DidSource::Auto, allow, emergency: None }
    }

    fn way(dialled: &str, trunk: &Trunk) -> Result<Way, Refusal> {
        Way::find(dialled, trunk, "192.0.2.9:5060".parse().unwrap())
    }

    #[test]
    fn what_was_dialled_is_the_user_of_the_address() {
        let trunk = trunk("198.51.100.7");
        let uri = |dialled| way(dialled, &trunk).map(|way| way.uri.to_string());
        assert_eq!(uri("911").unwrap(), "sip:911@198.51.100.7:5060");
        assert_eq!(uri("+13125550100").unwrap(), "sip:+13125550100@198.51.100.7:5060");
        assert_eq!(uri("*67#").unwrap(), "sip:*67%23@198.51.100.7:5060");
        assert_eq!(uri("urn:service:sos").unwrap(), "urn:service:sos");
        assert_eq!(uri("urn:service:sos.fire").unwrap(), "urn:service:sos.fire");
        for dialled in
            ["", "+", "911@evil", "9 1 1", "sip:911@evil", "urn:service:sosx", "9\r\n1", &"1".repeat(33)]
        {
            assert_eq!(uri(dialled), Err(Refusal::NotDialable), "{dialled}");
        }
    }

    #[test]
    fn a_block_of_several_addresses_is_no_way_out() {
        assert_eq!(way("911", &trunk("198.51.100.0/24")).map(|way| way.peer), Err(Refusal::NoAddress));
        let only = way("911", &trunk("198.51.100.7/32")).unwrap();
        assert_eq!((only.peer, only.identity), ("198.51.100.7:5060".parse().unwrap(), None));
        assert_eq!(only.from.uri().host(), "anonymous.invalid");
    }
}
