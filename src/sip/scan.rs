//! Cuts header text at separators, but never inside a quoted string or between angle brackets (RFC 3261 25.1:
//! `quoted-string`, `name-addr`). Every SIP parser of this crate cuts text with these functions and nothing else.
#![deny(clippy::indexing_slicing, clippy::string_slice)]

/// Byte position of the first `wanted` (ASCII) outside of quotes and angle brackets; `None` also if one of these is
/// opened before it and never closed.
#[must_use]
pub fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    // Most header values have no comma at all.
    if !bytes.contains(&wanted) {
        return None;
    }
    let mut at = 0;
    loop {
        let byte = *bytes.get(at)?;
        at = match byte {
            _ if byte == wanted => return Some(at),
            b'"' => closing_quote(bytes, at + 1)? + 1,
            b'<' => at + bytes.get(at..)?.iter().position(|&b| b == b'>')? + 1,
            _ => at + 1,
        };
    }
}

/// Position of the quote that closes the string whose inside starts at `at`.
fn closing_quote(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// `text` before and after the first `separator` outside of quotes and angle brackets.
#[must_use]
pub fn cut(text: &str, separator: u8) -> Option<(&str, &str)> {
    let (before, after) = text.split_at_checked(find_outside(text, separator)?)?;
    Some((before, after.get(1..)?))
}

/// `text` before and after the first `separator` wherever it stands: for text without quotes and brackets. The pieces
/// are short, so this loop beats `str::split_once` and its search for long ones.
#[must_use]
pub fn cut_plain(text: &str, separator: u8) -> Option<(&str, &str)> {
    let (before, after) = text.split_at_checked(text.bytes().position(|byte| byte == separator)?)?;
    Some((before, after.get(1..)?))
}

/// `text` before the first `mark`, and the rest from `mark` on; the rest is empty if there is no `mark`.
#[must_use]
pub fn up_to(text: &str, mark: u8) -> (&str, &str) {
    let at = text.bytes().position(|byte| byte == mark).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
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

/// `text` without the blanks around it.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_ascii()
}

/// Whether `text` is a `token`: what methods, header names and parameter names are made of (RFC 3261 25.1).
#[must_use]
pub fn is_token(text: &str) -> bool {
    const LETTERS: [bool; 256] = letters(b"-.!%*_+`'~");
    !text.is_empty() && text.bytes().all(|byte| LETTERS.get(usize::from(byte)) == Some(&true))
}

/// Whether `text` is made of what host names and IPv4 addresses are made of, underscores included.
#[must_use]
pub fn is_host(text: &str) -> bool {
    const LETTERS: [bool; 256] = letters(b"-._");
    !text.is_empty() && text.bytes().all(|byte| LETTERS.get(usize::from(byte)) == Some(&true))
}

/// Which bytes are letters, digits or among `others`.
#[allow(clippy::indexing_slicing)] // evaluated by the compiler: a bad index does not compile
const fn letters(mut others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    while let [first, rest @ ..] = others {
        table[*first as usize] = true;
        others = rest;
    }
    table
}

/// The inside of a quoted string, escapes left as they are; `None` if `text` is not exactly one quoted string.
#[must_use]
pub fn inside_quotes(text: &str) -> Option<&str> {
    let body = text.strip_prefix('"')?.strip_suffix('"')?;
    (closing_quote(text.as_bytes(), 1) == Some(body.len() + 1)).then_some(body)
}

/// The text of a quoted string with its escapes resolved (RFC 3261 25.1 `quoted-pair`).
#[must_use]
pub fn unescape(inside: &str) -> String {
    if !inside.bytes().any(|byte| byte == b'\\') {
        return inside.to_owned();
    }
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
