//! Raw tables to typed values, with everything that is wrong with them on the way.
//!
//! A value that is wrong is reported and replaced by its default, so that the checks behind it go on.

use super::{
    Account, Board, Calls, Cidr, Config, DidSource, Password, Ports, Recording, RecordingPolicy, Rtp, Sip,
    Site, Trunk, TrunkMode, Web,
    checker::{Checker, optional},
    error::{Problem, did_you_mean},
    lines, numbers, raw,
    read::Reading,
    retention, upstream, webhooks,
};
use crate::{hex, number::Dialplan};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    path::PathBuf,
};
use toml::Spanned;

/// Checks what was read. With new problems in `problems` the answer is only good for finding more of them.
///
/// `ports` are the names of the board's ports, or why the board profile cannot be used; `None` leaves the board out of
/// the check.
pub(super) fn check(
    reading: &Reading,
    ports: Option<&Result<Ports, String>>,
    problems: &mut Vec<Problem>,
) -> Config {
    let file = &reading.file;
    let country = text(file.site.country.as_ref(), HOME_COUNTRY);
    let mut checker = Checker { reading, problems, plan: Dialplan::for_country(&country) };
    let ports = ports.and_then(|ports| board(&mut checker, &file.board, ports));
    let phones = numbers::phones(&mut checker, &file.phone, ports);
    let lines = lines::lines(&mut checker, &file.line, ports);
    let ring_groups = numbers::ring_groups(&mut checker, &file.ring_group, ports);
    let campaigns = numbers::campaigns(&mut checker, &file.campaign);
    let tracking_numbers =
        numbers::tracking_numbers(&mut checker, &file.tracking_number, &campaigns, &ring_groups);
    lines::something_to_dial(&mut checker, &file.tracking_number, (&tracking_numbers, &ring_groups), ports);
    if let (Some(first), []) = (file.tracking_number.first(), file.trunk.as_slice()) {
        let message = "there are tracking numbers, but no trunk that could bring their calls".to_owned();
        let remedy = "add a [[trunk]] with the data of your SIP provider".to_owned();
        checker.report(Problem::new("missing_key", message, first.span()).help(remedy));
    }
    Config {
        site: site(&mut checker, &file.site),
        board: Board { profile: profile(&file.board) },
        sip: sip(&mut checker, &file.sip),
        trunks: trunks(&mut checker, &file.trunk),
        rtp: rtp(&mut checker, &file.rtp),
        web: web(&mut checker, &file.web),
        calls: calls(&mut checker, &file.calls),
        recording: recording(&mut checker, &file.recording),
        retention: retention::retention(&mut checker, &file.retention),
        upstream: upstream::upstream(&mut checker, file.upstream.as_ref()),
        webhooks: webhooks::webhooks(&mut checker, &file.webhook),
        lookup: webhooks::lookup(&mut checker, file.lookup.as_ref()),
        phones,
        lines,
        emergency: lines::emergency(&mut checker, &file.emergency),
        ring_groups,
        campaigns,
        tracking_numbers,
    }
}

/// Where the board profile lies, relative to the file.
pub(super) fn profile(raw: &raw::Board) -> PathBuf {
    text(raw.profile.as_ref(), "profile.toml").into()
}

/// The board's ports; a board that cannot be used is reported.
fn board<'p>(
    checker: &mut Checker<'_>,
    raw: &raw::Board,
    ports: &'p Result<Ports, String>,
) -> Option<&'p Ports> {
    match ports {
        Ok(ports) => Some(ports),
        Err(why) => {
            let place = raw.profile.as_ref().map_or(0..0, Spanned::span);
            let remedy = "name the profile of your board: `profile = \"profile.toml\"` in [board]".to_owned();
            checker.report(Problem::new("board", format!("board profile: {why}"), place).help(remedy));
            None
        }
    }
}

/// The value of an optional text, or `default`.
fn text(value: Option<&Spanned<String>>, default: &str) -> String {
    value.map_or(default, |text| text.get_ref()).to_owned()
}

fn site(checker: &mut Checker<'_>, raw: &raw::Site) -> Site {
    if let (Some(country), None) = (&raw.country, checker.plan) {
        let message = format!("no dial plan is known for country `{}`", country.get_ref());
        let known: Vec<&str> = Dialplan::countries().collect();
        let remedy = format!("use the two letters of ISO 3166: {}", known.join(", "));
        checker.report(Problem::new("choice", message, country.span()).help(remedy));
    }
    if let Some(zone) = &raw.time_zone
        && jiff::tz::TimeZone::get(zone.get_ref()).is_err()
    {
        let message = format!("`{}` is not a time zone", zone.get_ref());
        let remedy = did_you_mean(zone.get_ref(), ZONES.into_iter());
        checker.report(Problem::new("choice", message, zone.span()).help(remedy));
    }
    Site {
        name: text(raw.name.as_ref(), "office"),
        country: text(raw.country.as_ref(), HOME_COUNTRY),
        time_zone: text(raw.time_zone.as_ref(), "UTC"),
    }
}

/// The country of a site that names none.
const HOME_COUNTRY: &str = "US";

/// Zones to suggest; every IANA name is accepted.
const ZONES: [&str; 12] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Toronto",
    "Europe/London",
    "Europe/Berlin",
    "Australia/Sydney",
    "UTC",
];

fn sip(checker: &mut Checker<'_>, raw: &raw::Sip) -> Sip {
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, super::HostPort::SIP_PORT));
    Sip {
        listen: checker.address("listen", &raw.listen, anywhere),
        user_agent: text(raw.user_agent.as_ref(), concat!("ringside/", env!("CARGO_PKG_VERSION"))),
    }
}

fn web(checker: &mut Checker<'_>, raw: &raw::Web) -> Web {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 8480));
    let listen = checker.address("listen", &raw.listen, usual);
    let mut names = Vec::new();
    for name in raw.names.iter().flat_map(|names| names.get_ref()) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if name.get_ref().is_empty() || !name.get_ref().chars().all(is_name) {
            let message = format!("`{}` is not a host name", name.get_ref());
            let remedy = "write it without scheme and port, like \"box.example.net\"".to_owned();
            checker.report(Problem::new("address", message, name.span()).help(remedy));
        }
        names.push(name.get_ref().to_ascii_lowercase());
    }
    let trust_loopback = raw.trust_loopback.as_ref().is_some_and(|on| *on.get_ref());
    Web { listen, trust_loopback, names }
}

fn rtp(checker: &mut Checker<'_>, raw: &raw::Rtp) -> Rtp {
    let usual = Rtp { first_port: 16_384, last_port: 16_447, address: None };
    let address =
        raw.address.as_ref().and_then(|value| checker.network::<IpAddr>("address", value, "192.0.2.1"));
    let Some(ports) = &raw.ports else { return Rtp { address, ..usual } };
    let bounds: Option<Vec<u16>> =
        ports.get_ref().iter().map(|port| u16::try_from(*port.get_ref()).ok()).collect();
    match bounds.as_deref() {
        // RFC 3550 11: RTP on an even port, RTCP on the odd one behind it. 256 pairs are what `RtpPort` can name.
        Some(&[first, last])
            if first >= 1024 && first % 2 == 0 && last % 2 == 1 && first < last && last - first < 512 =>
        {
            Rtp { first_port: first, last_port: last, address }
        }
        _ => {
            let message =
                "ports must be an even port of 1024 or more and an odd one at most 511 above it".to_owned();
            let remedy = "two ports per call: [16384, 16447] is room for 32 calls".to_owned();
            checker.report(Problem::new("range", message, ports.span()).help(remedy));
            Rtp { address, ..usual }
        }
    }
}

fn calls(checker: &mut Checker<'_>, raw: &raw::Calls) -> Calls {
    Calls {
        ring_timeout_s: checker.within("ring_timeout_s", &raw.ring_timeout_s, 5..=180, 60),
        cpc_ms: checker.within("cpc_ms", &raw.cpc_ms, 300..=900, 500),
        reorder_s: checker.within("reorder_s", &raw.reorder_s, 0..=120, 30),
        call_waiting: raw.call_waiting.as_ref().is_none_or(|on| *on.get_ref()),
    }
}

fn recording(checker: &mut Checker<'_>, raw: &raw::Recording) -> Recording {
    let known = RecordingPolicy::ALL.map(RecordingPolicy::name);
    let mut policy = RecordingPolicy::Announce;
    if let Some(value) = &raw.policy {
        match RecordingPolicy::ALL.into_iter().find(|policy| policy.name() == value.get_ref()) {
            Some(named) => policy = named,
            None => {
                let message = format!("there is no recording policy `{}`", value.get_ref());
                let remedy = did_you_mean(value.get_ref(), known.into_iter());
                checker.report(Problem::new("choice", message, value.span()).help(remedy));
            }
        }
        let reasoned =
            raw.administrator_reason.as_ref().is_some_and(|reason| !reason.get_ref().trim().is_empty());
        if policy != RecordingPolicy::Announce && !reasoned {
            let message = format!("policy `{}` takes the notice away from the callers", policy.name());
            let remedy = "add `administrator_reason = \"…\"`, or use \"announce\"".to_owned();
            checker.report(Problem::new("consent", message, value.span()).help(remedy));
        }
    }
    Recording {
        policy,
        administrator_reason: optional(raw.administrator_reason.as_ref()),
        notice: optional(raw.notice.as_ref()).map(Into::into),
        bitrate_bps: checker.within("bitrate_bps", &raw.bitrate_bps, 12_000..=128_000, 30_000),
        complexity: checker.within("complexity", &raw.complexity, 0..=10, 5),
        encrypt: raw.encrypt.as_ref().is_some_and(|on| *on.get_ref()),
        owner_key: raw.owner_key.as_ref().and_then(|key| owner_key(checker, raw, key)),
    }
}

fn owner_key(checker: &mut Checker<'_>, raw: &raw::Recording, key: &Spanned<String>) -> Option<[u8; 32]> {
    if raw.encrypt.as_ref().is_none_or(|on| !*on.get_ref()) {
        let message = "owner_key does nothing while recordings are not encrypted".to_owned();
        let remedy = "add `encrypt = true`, or leave the key out".to_owned();
        checker.report(Problem::new("unused_key", message, key.span()).help(remedy));
    }
    // With the key of all zeros a sealed box is open to everybody.
    let read = hex::decode(key.get_ref().trim()).filter(|bytes| *bytes != [0; 32]);
    if read.is_none() {
        let message = "owner_key is not a public key of 64 hex digits".to_owned();
        let remedy =
            "make one with `ringside recordings new-owner-key --out FILE` and copy the line it prints";
        checker.report(Problem::new("text", message, key.span()).help(remedy.to_owned()));
    }
    read
}

fn trunks(checker: &mut Checker<'_>, raw: &[Spanned<raw::Trunk>]) -> Vec<Trunk> {
    checker.unique("trunk", raw.iter().filter_map(|trunk| trunk.get_ref().name.as_ref()));
    raw.iter().filter_map(|table| trunk(checker, table.get_ref(), &table.span())).collect()
}

fn trunk(checker: &mut Checker<'_>, raw: &raw::Trunk, table: &Range<usize>) -> Option<Trunk> {
    let name = checker.required("name", &raw.name, table);
    let did_source =
        raw.did_source.as_ref().map_or(Some(DidSource::Auto), |value| did_source(checker, value));
    let ranges = raw.allow.as_deref().unwrap_or_default();
    let allow: Vec<Cidr> =
        ranges.iter().filter_map(|range| checker.network("allow", range, "192.0.2.0/24")).collect();
    let mode = checker.required("mode", &raw.mode, table)?;
    let mode = match mode.get_ref().as_str() {
        "register" => TrunkMode::Register(account(checker, raw, table)?),
        "ip" => {
            ip_only(checker, raw, table);
            TrunkMode::Ip
        }
        other => {
            let message = format!("there is no trunk mode `{other}`");
            let remedy = did_you_mean(other, ["register", "ip"].into_iter());
            checker.report(Problem::new("choice", message, mode.span()).help(remedy));
            return None;
        }
    };
    Some(Trunk { name: name?.get_ref().clone(), mode, did_source: did_source?, allow })
}

fn account(checker: &mut Checker<'_>, raw: &raw::Trunk, table: &Range<usize>) -> Option<Account> {
    let registrar = checker.required("registrar", &raw.registrar, table);
    let user = checker.required("user", &raw.user, table);
    let password = checker.required("password", &raw.password, table);
    let expires_s = checker.within("expires_s", &raw.expires_s, 60..=86_400, 600);
    let registrar: super::HostPort = checker.network("registrar", registrar?, "sip.example.net:5060")?;
    let user = user?.get_ref().clone();
    Some(Account {
        domain: text(raw.domain.as_ref(), &registrar.host),
        auth_user: text(raw.auth_user.as_ref(), &user),
        password: Password(password?.get_ref().clone()),
        registrar,
        user,
        expires_s,
    })
}

/// A trunk in mode `ip` is known by its addresses alone.
fn ip_only(checker: &mut Checker<'_>, raw: &raw::Trunk, table: &Range<usize>) {
    if raw.allow.as_ref().is_none_or(Vec::is_empty) && !checker.reading.took_out(table.start, "allow") {
        let message = "a trunk in mode `ip` is known by its addresses, and none is given".to_owned();
        let remedy =
            "add `allow = [\"192.0.2.0/24\"]` with the addresses your provider sends from".to_owned();
        checker.report(Problem::new("missing_key", message, table.clone()).help(remedy));
    }
    let account = [
        ("registrar", &raw.registrar),
        ("domain", &raw.domain),
        ("user", &raw.user),
        ("auth_user", &raw.auth_user),
        ("password", &raw.password),
    ];
    for (key, value) in account {
        if let Some(value) = value {
            let message = format!("`{key}` does nothing in mode `ip`");
            let remedy = "remove it, or use mode = \"register\"".to_owned();
            checker.report(Problem::new("unused_key", message, value.span()).help(remedy));
        }
    }
}

fn did_source(checker: &mut Checker<'_>, value: &Spanned<String>) -> Option<DidSource> {
    // RFC 3261 25.1: a header name is a token.
    let is_token = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
    };
    match value.get_ref().as_str() {
        "auto" => Some(DidSource::Auto),
        "request_uri" => Some(DidSource::RequestUri),
        "to" => Some(DidSource::To),
        other => match other.strip_prefix("header:") {
            Some(name) if is_token(name) => Some(DidSource::Header(name.to_owned())),
            _ => {
                let message = format!("did_source cannot be `{other}`");
                let remedy =
                    did_you_mean(other, ["auto", "request_uri", "to", "header:X-Called"].into_iter());
                checker.report(Problem::new("choice", message, value.span()).help(remedy));
                None
            }
        },
    }
}
