//! An address with a display name and parameters: From, To, Contact, Route, P-Asserted-Identity, Diversion
//! (RFC 3261 20.10, 25.1 `name-addr` and `addr-spec`).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::super::{params::Params, scan, uri::Uri};
use std::fmt;

/// `"Display name" <uri>;param=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    display: Option<String>,
    uri: Uri,
    params: Params,
}

impl NameAddr {
    /// An address to send, without a display name.
    #[must_use]
    pub const fn new(uri: Uri, params: Params) -> Self {
        Self { display: None, uri, params }
    }

    /// Reads one value. Without angle brackets, parameters belong to the header and not to the address, and the
    /// address may not have headers (RFC 3261 20).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = scan::trim(text);
        // `<` is looked for outside of quotes only: it may stand in a display name.
        let Some((display, rest)) = scan::cut(text, b'<') else {
            let (uri, params) = scan::up_to(text, b';');
            let uri: Uri = scan::trim(uri).parse().ok()?;
            let plain = !uri.has_headers() && !uri.as_str().contains(',');
            return plain.then_some(Self { display: None, uri, params: Params::parse(params)? });
        };
        let (uri, params) = scan::cut_plain(rest, b'>')?;
        let display = read_display(scan::trim(display))?;
        let uri = scan::trim(uri).parse().ok()?;
        Some(Self { display, uri, params: Params::parse(params)? })
    }

    /// Display name with its quotes and escapes resolved; `None` if there is none or it is empty.
    #[must_use]
    pub fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }

    /// The address.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Parameters of the header: `tag`, `expires`, `+sip.instance`, `privacy` …
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The dialog tag; an empty one is none.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// The same address with `tag` set.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params = self.params.with("tag", tag);
        self
    }
}

/// A quoted string, or words; anything is tolerated in words except a stray quote, because trunks put
/// names there that callers chose.
fn read_display(text: &str) -> Option<Option<String>> {
    let name = match scan::inside_quotes(text) {
        Some(inside) => scan::unescape(inside),
        None if text.contains('"') => return None,
        None => text.to_owned(),
    };
    let name = name.trim();
    Some((!name.is_empty()).then(|| name.to_owned()))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display {
            f.write_str("\"")?;
            for letter in name.chars() {
                if matches!(letter, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{letter}")?;
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_without_brackets_belong_to_the_header() {
        let plain = NameAddr::parse("sip:+13125550100@h;tag=1").unwrap();
        assert_eq!((plain.tag(), plain.uri().as_str()), (Some("1"), "sip:+13125550100@h"));
        let angled = NameAddr::parse("<sip:a@h;tag=2>;tag=1").unwrap();
        assert_eq!((angled.tag(), angled.uri().params().value("tag")), (Some("1"), Some("2")));
    }

    #[test]
    fn a_display_name_may_hold_brackets_quotes_and_commas() {
        let name = NameAddr::parse(r#""J <x>, \"Jo\" \\" <sip:j@h>;tag = 98 "#).unwrap();
        assert_eq!(name.display(), Some(r#"J <x>, "Jo" \"#));
        assert_eq!(name.to_string(), r#""J <x>, \"Jo\" \\" <sip:j@h>;tag=98"#);
        assert_eq!(NameAddr::parse("Bell Alexander <tel:+1312>").unwrap().display(), Some("Bell Alexander"));
        assert_eq!(NameAddr::parse("\"\" <sip:a@h>").unwrap().display(), None);
    }

    #[test]
    fn broken_values_are_refused() {
        for text in
            ["", "\"open <sip:a@h>", "<sip:a@h", "<>", "sip:a@h?x=y", "\"a\" b <sip:a@h>", "<sip:a@h>;;"]
        {
            assert_eq!(NameAddr::parse(text), None, "{text}");
        }
    }
}
