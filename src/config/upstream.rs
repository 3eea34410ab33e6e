//! The upstream, and what it may say about the site.

use super::{
    Config, ConfigErrors, Password, Ports, Upstream,
    checker::{Checker, optional},
    error::{Problem, did_you_mean},
    raw,
};
use std::{ops::Range, path::PathBuf};
use toml::{Spanned, Table, Value};

/// DSCP by name: LE (RFC 8622), CS1 (RFC 3662).
const MARKINGS: [(&str, u8); 2] = [("le", 1), ("cs1", 8)];
/// The tables that a site from the upstream may have, each with the key that tells one entry from another.
const SITE_TABLES: [(&str, &str); 3] =
    [("campaign", "id"), ("tracking_number", "number"), ("ring_group", "name")];

pub(super) fn upstream(checker: &mut Checker<'_>, raw: Option<&Spanned<raw::Upstream>>) -> Option<Upstream> {
    let table = raw?;
    let (raw, place) = (table.get_ref(), table.span());
    let url = url(checker, raw, &place);
    let client = client(checker, raw, &place);
    if let (Some(token), Some(_)) = (&raw.token, &raw.token_file) {
        let message = "`token` and `token_file` are both given".to_owned();
        checker
            .report(Problem::new("unused_key", message, token.span()).help("keep one of the two".to_owned()));
    }
    if raw.token.is_none() && raw.token_file.is_none() && client.is_none() {
        let message = "the upstream could not tell who this box is".to_owned();
        let remedy = "add `token_file`, or `client_certificate` and `client_key`".to_owned();
        checker.report(Problem::new("missing_key", message, place).help(remedy));
    }
    Some(Upstream {
        url: url.unwrap_or_default(),
        token: raw.token.as_ref().map(|token| Password(token.get_ref().clone())),
        token_file: optional(raw.token_file.as_ref()).map(PathBuf::from),
        client,
        ca: optional(raw.ca.as_ref()).map(PathBuf::from),
        uplink_kbps: raw
            .uplink_kbps
            .as_ref()
            .map(|_| checker.within("uplink_kbps", &raw.uplink_kbps, 64..=10_000_000, 1_000)),
        uplink_percent: checker.within("uplink_percent", &raw.uplink_percent, 1..=100, 25),
        calls_kbps: checker.within("calls_kbps", &raw.calls_kbps, 0..=10_000, 64),
        dscp: marking(checker, raw),
        site_key: site_key(checker, raw),
    })
}

fn url(checker: &mut Checker<'_>, raw: &raw::Upstream, place: &Range<usize>) -> Option<String> {
    let value = checker.required("url", &raw.url, place)?;
    let text = value.get_ref().trim_end_matches('/');
    let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    let is_here = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    };
    let is_good = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => !host(rest).is_empty() && !rest.contains(['?', '#', '@', ' ']),
        // In the clear only to this machine.
        (None, Some(rest)) => is_here(&host(rest)),
        (None, None) => false,
    };
    if !is_good {
        let message = format!("`{}` is not the address of an upstream", value.get_ref());
        let remedy = "write it like \"https://sync.example.net\"".to_owned();
        checker.report(Problem::new("address", message, value.span()).help(remedy));
        return None;
    }
    Some(text.to_owned())
}

fn client(
    checker: &mut Checker<'_>,
    raw: &raw::Upstream,
    place: &Range<usize>,
) -> Option<(PathBuf, PathBuf)> {
    if raw.client_certificate.is_none() && raw.client_key.is_none() {
        return None;
    }
    let certificate = checker.required("client_certificate", &raw.client_certificate, place);
    let key = checker.required("client_key", &raw.client_key, place);
    Some((certificate?.get_ref().into(), key?.get_ref().into()))
}

fn marking(checker: &mut Checker<'_>, raw: &raw::Upstream) -> u8 {
    let Some(value) = &raw.marking else { return MARKINGS[0].1 };
    match MARKINGS.iter().find(|(name, _)| name == value.get_ref()) {
        Some((_, dscp)) => *dscp,
        None => {
            let message = format!("there is no marking `{}`", value.get_ref());
            let remedy = did_you_mean(value.get_ref(), MARKINGS.iter().map(|(name, _)| *name));
            checker.report(Problem::new("choice", message, value.span()).help(remedy));
            MARKINGS[0].1
        }
    }
}

fn site_key(checker: &mut Checker<'_>, raw: &raw::Upstream) -> Option<[u8; 32]> {
    let value = raw.site_key.as_ref()?;
    let key = unhex(value.get_ref());
    if key.is_none() {
        let message = "site_key is not an ed25519 public key".to_owned();
        let remedy = "write its 32 bytes as 64 hex digits, as the upstream shows them".to_owned();
        checker.report(Problem::new("key", message, value.span()).help(remedy));
    }
    key
}

/// Bytes written in hex; `None` if they are not `N`.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl Config {
    /// The configuration of `text` with the campaigns, tracking numbers and ring groups of `site` over it: an entry of
    /// the same id, number or name is replaced, others are added.
    ///
    /// # Errors
    /// What is wrong with the site, or with both together.
    pub fn with_site(text: &str, site: &str, ports: Result<Ports, String>) -> Result<Self, String> {
        let mut file: Table = text.parse().map_err(|error| format!("the configuration: {error}"))?;
        let site: Table = site.parse().map_err(|error| format!("the site: {error}"))?;
        for (name, value) in site {
            let Some((_, key)) = SITE_TABLES.iter().find(|(table, _)| *table == name) else {
                return Err(format!("the site has `{name}`, which is not the upstream's to say"));
            };
            let Value::Array(entries) = value else {
                return Err(format!("`{name}` is not a list of tables"));
            };
            let there = file.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(there) = there else { return Err("the configuration is not one".to_owned()) };
            for entry in entries {
                there.retain(|old| old.get(key).is_none() || old.get(key) != entry.get(key));
                there.push(entry);
            }
        }
        let merged = toml::to_string(&file).map_err(|error| error.to_string())?;
        let config = Self::parse_on_board(&merged, "site", |_| ports);
        config.map_err(|errors: ConfigErrors| {
            let said = errors.problems().iter().map(|problem| problem.message.clone());
            said.collect::<Vec<_>>().join("; ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = r#"
        [[trunk]]
        name = "carrier"
        mode = "ip"
        allow = ["192.0.2.0/24"]
        [[campaign]]
        id = "flyer"
        [[tracking_number]]
        number = "+13125550100"
        campaign = "flyer"
    "#;

    fn ports() -> Result<Ports, String> {
        Ok(Ports { phones: vec!["PHONE1".to_owned()], lines: vec![] })
    }

    fn problems(upstream: &str) -> Vec<String> {
        let errors = Config::parse(&format!("[upstream]\n{upstream}"), "x.toml").unwrap_err();
        errors.problems().iter().map(|problem| problem.message.clone()).collect()
    }

    #[test]
    fn without_the_section_there_is_no_upstream() {
        assert_eq!(Config::parse(SITE, "x.toml").unwrap().upstream, None);
    }

    #[test]
    fn an_upstream_has_an_address_and_a_way_to_say_who_we_are() {
        let text = "[upstream]\nurl = \"https://sync.example.net/\"\ntoken_file = \"token\"";
        let upstream = Config::parse(text, "x.toml").unwrap().upstream.unwrap();
        assert_eq!(upstream.url, "https://sync.example.net");
        assert_eq!((upstream.calls_kbps, upstream.uplink_percent, upstream.dscp), (64, 25, 1));
        assert!(problems("token = \"x\"")[0].contains("`url` is missing"));
        assert!(problems("url = \"https://a\"")[0].contains("who this box is"));
        assert!(problems("url = \"http://a.example\"\ntoken = \"x\"")[0].contains("not the address"));
        assert!(problems("url = \"https://a\"\nclient_key = \"k\"")[0].contains("`client_certificate`"));
        let key = problems("url = \"https://a\"\ntoken = \"x\"\nsite_key = \"abc\"");
        assert!(key[0].contains("ed25519"), "{key:?}");
    }

    #[test]
    fn a_site_is_laid_over_the_file_by_the_same_checks() {
        let site =
            "[[campaign]]\nid = \"ads\"\n[[tracking_number]]\nnumber = \"+13125550100\"\ncampaign = \"ads\"";
        let config = Config::with_site(SITE, site, ports()).unwrap();
        assert_eq!(config.campaigns.len(), 2);
        let [number] = &config.tracking_numbers[..] else { panic!("one number") };
        assert_eq!(number.campaign, "ads");
        let dangling = "[[tracking_number]]\nnumber = \"+13125550101\"\ncampaign = \"none\"";
        assert!(Config::with_site(SITE, dangling, ports()).is_err());
        let greedy = "[web]\nlisten = \"127.0.0.1:1\"";
        assert!(Config::with_site(SITE, greedy, ports()).unwrap_err().contains("`web`"));
    }
}
