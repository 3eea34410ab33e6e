//! Parameters behind a semicolon, as in `;tag=88sja8x;+sip.instance="<urn:uuid:…>"` (RFC 3261 25.1 `generic-param`).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::scan;
use std::fmt;

/// A list of parameters in the order received, kept as text: most are only ever copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(String);

impl Params {
    /// Reads `;name=value;flag …`, the first semicolon included; empty text is the empty list.
    ///
    /// One trailing semicolon is forgiven. `None` for an empty parameter, a name that is no token, or a value with
    /// an unbalanced quote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = scan::trim(text);
        let Some(body) = text.strip_prefix(';') else { return text.is_empty().then(Self::default) };
        let body = scan::trim(body).strip_suffix(';').unwrap_or(body);
        let mut list = Self(String::with_capacity(text.len()));
        for part in scan::split(body, b';') {
            let (name, value) = match scan::cut(part, b'=') {
                Some((name, value)) => (scan::trim(name), Some(scan::trim(value))),
                None => (part, None),
            };
            if !scan::is_token(name) || !value.is_none_or(is_value) {
                return None;
            }
            list.push(name, value);
        }
        Some(list)
    }

    /// The value of the first parameter `name` (any case) without its quotes; `None` if absent or without a value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let value = self.find(name)??;
        Some(scan::inside_quotes(value).unwrap_or(value))
    }

    /// Whether a parameter `name` (any case) is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Every parameter with its value as written, quotes included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let body = self.0.strip_prefix(';');
        body.into_iter().flat_map(|body| scan::split(body, b';')).map(|part| match scan::cut(part, b'=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        })
    }

    /// The list with `name` set to `value`, in its old place if it was there.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut list = Self(String::with_capacity(self.0.len() + name.len() + value.len() + 2));
        let mut done = false;
        for (old_name, old_value) in self.iter() {
            let same = old_name.eq_ignore_ascii_case(name);
            list.push(old_name, if same { Some(value) } else { old_value });
            done |= same;
        }
        if !done {
            list.push(name, Some(value));
        }
        list
    }

    fn push(&mut self, name: &str, value: Option<&str>) {
        self.0.push(';');
        self.0.push_str(name);
        if let Some(value) = value {
            self.0.push('=');
            self.0.push_str(value);
        }
    }

    fn find(&self, name: &str) -> Option<Option<&str>> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Whether `text` can be a value: one quoted string, or text without blanks and quotes.
fn is_value(text: &str) -> bool {
    if text.starts_with('"') {
        return scan::inside_quotes(text).is_some();
    }
    text.bytes().all(|b| b > b' ' && b != b'"' && b != 0x7f)
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> FromIterator<(&'a str, Option<&'a str>)> for Params {
    fn from_iter<T: IntoIterator<Item = (&'a str, Option<&'a str>)>>(pairs: T) -> Self {
        let mut list = Self::default();
        for (name, value) in pairs {
            list.push(name, value);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_names_and_values_are_forgiven() {
        let list = Params::parse("; tag = 98asjd8 ;lr;x=\"a;b\" ").unwrap();
        assert_eq!(list.to_string(), ";tag=98asjd8;lr;x=\"a;b\"");
        assert_eq!(list.value("TAG"), Some("98asjd8"));
        assert_eq!(list.value("x"), Some("a;b"));
        assert!(list.has("lr") && list.value("lr").is_none() && !list.has("ttl"));
    }

    #[test]
    fn empty_parameters_and_open_quotes_are_refused() {
        for text in [";;a", ";a;;", ";=b", ";a=\"b", ";a=b c", "a"] {
            assert_eq!(Params::parse(text), None, "{text}");
        }
        assert_eq!(Params::parse(";lr;").unwrap().to_string(), ";lr");
    }

    #[test]
    fn a_parameter_is_replaced_where_it_stood() {
        let list = Params::parse(";rport;branch=z9hG4bK1").unwrap();
        let list = list.with("rport", "5060").with("received", "192.0.2.1");
        assert_eq!(list.to_string(), ";rport=5060;branch=z9hG4bK1;received=192.0.2.1");
    }
}
