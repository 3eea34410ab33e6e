//! Who calls, which number was called, and who forwarded the call: the trunk's headers as typed facts
//! (RFC 3261 20, RFC 3323, RFC 3325, RFC 7315, RFC 8224, 3GPP TS 24.229 7.2A.20 `verstat`).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

mod diversion;

pub use crate::config::DidSource;
pub use diversion::{Diversion, Diversions, diversions};

use super::{
    message::{Message, NameAddr},
    uri::Uri,
};
use crate::{
    number::{Dialplan, E164},
    record::Presentation,
};

/// The calling party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Number; `None` if withheld, absent or no telephone number.
    pub number: Option<E164>,
    /// The user part that the number was read from, as received; empty if withheld.
    pub raw: String,
    /// Name (CNAM) from the same header, else from From; `None` if withheld or only the number again.
    pub name: Option<String>,
    /// Whether number and name may be shown.
    pub presentation: Presentation,
    /// The trunk's verdict on the number, as received: `TN-Validation-Passed`.
    pub verstat: Option<String>,
    /// STIR attestation level, if the trunk tells: `A`, `B`, `C`.
    pub attest: Option<String>,
    /// The header that named the caller.
    pub source: CallerSource,
}

/// The header that named the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerSource {
    /// `P-Asserted-Identity` (RFC 3325).
    AssertedIdentity,
    /// `Remote-Party-ID` (its draft never became an RFC; gateways send it).
    RemotePartyId,
    /// `From`.
    From,
}

/// Reads the calling party: P-Asserted-Identity, else Remote-Party-ID, else From. The peer is trusted to assert
/// identities (RFC 3325 5): requests of strangers never get this far.
///
/// A caller who wants to stay anonymous does: then neither number nor name leaves this function, whatever other
/// headers say.
#[must_use]
pub fn caller(invite: &Message, plan: &Dialplan) -> Caller {
    let asserted: Vec<NameAddr> = invite.values("P-Asserted-Identity").filter_map(NameAddr::parse).collect();
    let remote = invite.values("Remote-Party-ID").filter_map(NameAddr::parse).find(is_calling_party);
    let (address, number, source) = match (asserted.as_slice(), &remote) {
        ([first, ..], _) => {
            // RFC 3325 9.1: there may be a SIP and a TEL value; the one with a number counts.
            let numbered = asserted.iter().find_map(|address| Some((address, number(address, plan)?)));
            let (address, number) =
                numbered.map_or((first, None), |(address, number)| (address, Some(number)));
            (address, number, CallerSource::AssertedIdentity)
        }
        ([], Some(address)) => (address, number(address, plan), CallerSource::RemotePartyId),
        ([], None) => (invite.from(), number(invite.from(), plan), CallerSource::From),
    };
    let verdict = asserted.iter().chain([invite.from()]).find_map(verstat).map(str::to_owned);
    let attest = ["P-Attestation-Indicator", "Attestation-Info"].iter().find_map(|name| invite.header(name));
    let caller = Caller {
        number: None,
        raw: String::new(),
        name: None,
        presentation: Presentation::Restricted,
        verstat: verdict,
        attest: attest.map(str::to_owned),
        source,
    };
    if is_withheld(invite, remote.as_ref()) {
        return caller;
    }
    let name = address.display().or(invite.from().display());
    Caller {
        presentation: if number.is_some() { Presentation::Allowed } else { Presentation::Unavailable },
        number,
        raw: address.uri().number().unwrap_or_default().into_owned(),
        name: name.filter(|name| E164::from_dialled(name, plan).is_none()).map(str::to_owned),
        ..caller
    }
}

fn number(address: &NameAddr, plan: &Dialplan) -> Option<E164> {
    E164::from_dialled(&address.uri().number()?, plan)
}

fn is_calling_party(address: &NameAddr) -> bool {
    address.params().value("party").is_none_or(|party| party.eq_ignore_ascii_case("calling"))
}

/// Gateways put `verstat` into the user part, behind a TEL number, behind the host or behind the address.
fn verstat(address: &NameAddr) -> Option<&str> {
    let uri = address.uri();
    uri.user_param("verstat")
        .or_else(|| uri.params().value("verstat"))
        .or_else(|| address.params().value("verstat"))
}

/// RFC 3323 4.1, 4.2; RFC 3325 9.3; `privacy` of Remote-Party-ID.
fn is_withheld(invite: &Message, remote: Option<&NameAddr>) -> bool {
    let mut levels = invite.lines("Privacy").flat_map(|line| line.split([';', ','])).map(str::trim);
    let asked =
        levels.any(|level| ["id", "user", "header", "full"].iter().any(|l| level.eq_ignore_ascii_case(l)));
    let remote = remote.and_then(|address| address.params().value("privacy"));
    let remote = remote.is_some_and(|level| ["full", "uri"].iter().any(|l| level.eq_ignore_ascii_case(l)));
    asked || remote || is_anonymous(invite.from())
}

fn is_anonymous(from: &NameAddr) -> bool {
    let uri: &Uri = from.uri();
    let user = uri.number().unwrap_or_default();
    let named = |text: &str| {
        ["anonymous", "restricted", "private"].iter().any(|word| text.eq_ignore_ascii_case(word))
    };
    uri.host().eq_ignore_ascii_case("anonymous.invalid")
        || named(&user)
        || from.display().is_some_and(|name| name.eq_ignore_ascii_case("anonymous"))
}

/// A number that may be the tracking number, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The number.
    pub number: E164,
    /// Where it was found.
    pub method: AttributionMethod,
}

/// Where a called number was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributionMethod {
    /// User of the Request-URI.
    RequestUri,
    /// User of To.
    To,
    /// `P-Called-Party-ID` (RFC 7315 4.2).
    CalledPartyId,
    /// The last History-Info entry, the present target (RFC 7044).
    HistoryInfo,
    /// The header that the configuration names.
    Header,
}

impl AttributionMethod {
    /// The word for `attribution.method` of the call record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestUri => "request_uri",
            Self::To => "to",
            Self::CalledPartyId => "p_called_party_id",
            Self::HistoryInfo => "history_info",
            Self::Header => "header",
        }
    }
}

/// The numbers that the call may have been placed to, in the order of attribution; the first one that the directory
/// knows is the tracking number. A trunk with registration puts its account into the Request-URI and the number into
/// To, which is why one place is not enough.
#[must_use]
pub fn called(invite: &Message, source: &DidSource, plan: &Dialplan) -> Vec<Called> {
    let dialled = |uri: &Uri| E164::from_dialled(&uri.number()?, plan);
    let request_uri =
        || invite.request_uri().and_then(dialled).map(|number| (number, AttributionMethod::RequestUri));
    let to = || dialled(invite.to().uri()).map(|number| (number, AttributionMethod::To));
    let address = |text: &str| NameAddr::parse(text).and_then(|address| dialled(address.uri()));
    let party = || {
        invite.values("P-Called-Party-ID").find_map(address).map(|n| (n, AttributionMethod::CalledPartyId))
    };
    let history = || {
        invite.values("History-Info").last().and_then(address).map(|n| (n, AttributionMethod::HistoryInfo))
    };
    let found = match source {
        DidSource::Auto => [request_uri(), to(), party(), history()],
        DidSource::RequestUri => [request_uri(), None, None, None],
        DidSource::To => [to(), None, None, None],
        DidSource::Header(name) => {
            let value = invite.values(name).next();
            let number = value.and_then(|text| address(text).or_else(|| E164::from_dialled(text, plan)));
            [number.map(|number| (number, AttributionMethod::Header)), None, None, None]
        }
    };
    let mut candidates: Vec<Called> = Vec::new();
    for (number, method) in found.into_iter().flatten() {
        if candidates.iter().all(|called| called.number != number) {
            candidates.push(Called { number, method });
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
