//! The header section of a message: names in long form, values unfolded, limits enforced (RFC 3261 7.3, 25).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::super::scan;
use super::wire::Fault;
use std::{borrow::Cow, ops::Range};

/// Bytes of a header section: a trunk INVITE with a PASSporT has 3,000.
pub const MAX_HEAD: usize = 16_384;
/// Header lines of a message, folded ones counted once.
pub const MAX_HEADERS: usize = 128;
/// Bytes of one header value, continuations included: an `Identity` header has 1,200.
pub const MAX_LINE: usize = 4_096;

/// Compact forms of the IANA registry "SIP Parameters, Header Fields".
const COMPACT: [(u8, &str); 21] = [
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'n', "Identity-Info"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'w', "Warning"),
    (b'x', "Session-Expires"),
    (b'y', "Identity"),
];

/// Header lines in the order received.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    text: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    /// [`key`] of the name: a search compares it before the text.
    key: u32,
    name: Name,
    value: Range<usize>,
}

#[derive(Clone, Debug)]
enum Name {
    /// Came in compact form.
    Known(&'static str),
    /// Position in the text.
    Written(Range<usize>),
}

impl Fields {
    /// Reads header lines from `bytes` up to the empty line or the end, and returns what follows it.
    ///
    /// A line that is no header is passed over together with its continuations: no call is lost for it. Lines read
    /// before a limit stay, so that an answer can be built from them.
    pub(super) fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let (end, within_limits) = match plain_text(bytes) {
            Some(text) => self.read_lines(text),
            None => {
                let (text, end) = unfolded(bytes);
                (end, self.read_lines(&text).1)
            }
        };
        within_limits?;
        if end > MAX_HEAD {
            return Err(Fault::too_large("Header section longer than 16384 bytes"));
        }
        Ok(bytes.get(end..).unwrap_or_default())
    }

    /// Reads clean lines and returns where they end.
    fn read_lines(&mut self, text: &str) -> (usize, Result<(), Fault>) {
        self.lines.reserve(32);
        let (mut at, mut limit) = (0, Ok(()));
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            limit = self.add(line, start);
            if line.is_empty() || limit.is_err() || at > MAX_HEAD {
                break;
            }
        }
        text.get(..at).unwrap_or_default().clone_into(&mut self.text);
        (at, limit)
    }

    /// Adds the line at position `at` of the text, if it is a header.
    fn add(&mut self, line: &str, at: usize) -> Result<(), Fault> {
        let colon = line.bytes().position(|b| b == b':');
        let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else { return Ok(()) };
        let written = name.trim_ascii_end();
        if !scan::is_token(written) {
            return Ok(());
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii_start();
        let start = at + line.len() - value.len();
        let value = start..start + value.trim_ascii_end().len();
        if value.len() > MAX_LINE {
            return Err(Fault::too_large("Header value longer than 4096 bytes"));
        }
        if self.lines.len() == MAX_HEADERS {
            return Err(Fault::too_large("More than 128 header lines"));
        }
        let name = long_form(written).map_or(Name::Written(at..at + written.len()), Name::Known);
        let key = match &name {
            Name::Known(long) => key(long),
            Name::Written(_) => key(written),
        };
        self.lines.push(Line { key, name, value });
        Ok(())
    }

    /// Values of the lines called `name` (long form, any case), in order.
    pub(super) fn lines<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let wanted = key(name);
        self.lines
            .iter()
            .filter(move |line| line.key == wanted && self.name(line).eq_ignore_ascii_case(name))
            .map(|line| self.value(line))
    }

    /// Every line: name and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// The value of a header that may stand only once; a repetition of the same value is forgiven.
    pub(super) fn single<'a>(&'a self, name: &str) -> Result<Option<&'a str>, Fault> {
        let wanted = key(name);
        let mut first = None;
        for line in self.lines.iter().filter(|line| line.key == wanted) {
            if !self.name(line).eq_ignore_ascii_case(name) {
                continue;
            }
            let value = self.value(line);
            if first.is_some_and(|first| first != value) {
                return Err(Fault::bad("A header that may occur once differs"));
            }
            first = Some(value);
        }
        Ok(first)
    }

    fn name(&self, line: &Line) -> &str {
        match &line.name {
            Name::Known(name) => name,
            Name::Written(range) => self.text.get(range.clone()).unwrap_or_default(),
        }
    }

    fn value(&self, line: &Line) -> &str {
        self.text.get(line.value.clone()).unwrap_or_default()
    }
}

/// Length, first and last letter of a header name, any case: tells nearly all names apart.
fn key(name: &str) -> u32 {
    let letter = |byte: Option<&u8>| u32::from(byte.map_or(0, u8::to_ascii_lowercase));
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    (length << 16) | (letter(name.as_bytes().first()) << 8) | letter(name.as_bytes().last())
}

fn long_form(name: &str) -> Option<&'static str> {
    let [letter] = name.as_bytes() else { return None };
    let letter = letter.to_ascii_lowercase();
    COMPACT.iter().find(|(compact, _)| *compact == letter).map(|(_, long)| *long)
}

/// The first line of `bytes` without its line end, and what follows. A bare LF ends a line too.
pub(super) fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let Some(end) = bytes.iter().position(|&b| b == b'\n') else { return Some((bytes, &[])) };
    let (line, after) = bytes.split_at_checked(end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), after.get(1..)?))
}

/// `bytes` as text, if nothing in them has to be cleaned: UTF-8, no control characters but line ends, no continued
/// line. Nearly every message passes; the body is included because the end of the head is not known yet.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    // Without an early exit, so that the compiler takes 16 bytes at a time.
    let plain = pairs.fold(true, |plain, (&byte, &next)| {
        let control = (byte < b' ') & (byte != b'\r') & (byte != b'\n');
        let lone = (byte == b'\r') & (next != b'\n');
        let continued = (byte == b'\n') & ((next == b' ') | (next == b'\t'));
        plain & !(control | lone | continued)
    });
    let ends_plain = bytes.last().is_none_or(|&last| last >= b' ' || last == b'\n');
    if plain && ends_plain { std::str::from_utf8(bytes).ok() } else { None }
}

/// The head in `bytes` as clean lines, continuations joined by one space (RFC 3261 7.3.1), and where it ends.
fn unfolded(bytes: &[u8]) -> (String, usize) {
    let mut text = String::with_capacity(bytes.len().min(MAX_HEAD));
    let mut rest = bytes;
    while let Some((line, after)) = next_line(rest).filter(|_| bytes.len() - rest.len() <= MAX_HEAD) {
        rest = after;
        if line.is_empty() {
            break;
        }
        let continued = matches!(line.first(), Some(b' ' | b'\t'));
        let line = clean(line);
        let line = line.trim_ascii();
        match (continued, text.is_empty()) {
            // A continuation of nothing.
            (true, true) => {}
            (true, false) if line.is_empty() => {}
            (true, false) => {
                text.push(' ');
                text.push_str(line);
            }
            (false, first) => {
                text.push_str(if first { "" } else { "\n" });
                // A line of blanks only would end the head.
                text.push_str(if line.is_empty() { "-" } else { line });
            }
        }
    }
    (text, bytes.len() - rest.len())
}

/// A line as text: UTF-8, or else Latin-1 (old switches send names that way); control characters become blanks, so
/// that no value we copy can break a line.
pub(super) fn clean(line: &[u8]) -> Cow<'_, str> {
    let letter = |c: char| if c.is_ascii_control() { ' ' } else { c };
    match std::str::from_utf8(line) {
        Ok(line) if !line.contains(|c: char| c.is_ascii_control()) => Cow::Borrowed(line),
        Ok(line) => line.chars().map(letter).collect(),
        Err(_) => line.iter().map(|&b| letter(latin1(b))).collect(),
    }
}

/// A Latin-1 byte as a character; the C1 control codes have no picture.
fn latin1(byte: u8) -> char {
    if (0x80..0xa0).contains(&byte) { char::REPLACEMENT_CHARACTER } else { char::from(byte) }
}
