//! Cuts header text at separators, but never inside a quoted string or between angle brackets (RFC 3261 25.1:
//! `quoted-string`, `name-addr`). Every SIP parser of this crate cuts text with these functions and nothing else.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

/// Byte position of the first `wanted` (ASCII) outside of quotes and angle brackets.
#[must_use]
pub fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut angled) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' if !angled => {
                if !quoted && wanted == b'"' {
                    return Some(at);
                }
                quoted = !quoted;
            }
            _ if quoted => {}
            _ if byte == wanted && !angled => return Some(at),
            b'<' => angled = true,
            b'>' => angled = false,
            _ => {}
        }
    }
    None
}

/// `text` before and after the first `separator` outside of quotes and angle brackets.
#[must_use]
pub fn cut(text: &str, separator: u8) -> Option<(&str, &str)> {
    let (before, after) = text.split_at_checked(find_outside(text, separator)?)?;
    Some((before, after.get(1..)?))
}

/// The trimmed parts of `text` between `separator`s outside of quotes and angle brackets; empty parts are kept.
pub fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match cut(text, separator) {
            Some((part, after)) => (part, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(trim(part))
    })
}

/// `text` without the spaces and tabs around it.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether `text` is a `token`: what methods, header names and parameter names are made of (RFC 3261 25.1).
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// The inside of a quoted string, escapes left as they are; `None` if `text` is not exactly one quoted string.
#[must_use]
pub fn inside_quotes(text: &str) -> Option<&str> {
    let body = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return if at + 1 == body.len() { body.get(..at) } else { None },
            _ => {}
        }
    }
    None
}

/// The text of a quoted string with its escapes resolved (RFC 3261 25.1 `quoted-pair`).
#[must_use]
pub fn unescape(inside: &str) -> String {
    let mut plain = String::with_capacity(inside.len());
    let mut escaped = false;
    for letter in inside.chars() {
        escaped = letter == '\\' && !escaped;
        if !escaped {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_quotes_or_brackets_does_not_split() {
        let values: Vec<_> = split(r#""Doe, \"J\"" <sip:a,b@h>;x="1,2" , <sip:c@h>"#, b',').collect();
        assert_eq!(values, [r#""Doe, \"J\"" <sip:a,b@h>;x="1,2""#, "<sip:c@h>"]);
    }

    #[test]
    fn a_quoted_string_ends_at_its_own_quote() {
        assert_eq!(inside_quotes(r#""a\"b""#), Some(r#"a\"b"#));
        assert_eq!(inside_quotes(r#""a"b""#), None);
        assert_eq!(inside_quotes(r#""open"#), None);
        assert_eq!(unescape(r#"J Rosenberg \\\""#), r#"J Rosenberg \""#);
    }
}
