//! The header section of a message: names in long form, values unfolded, limits enforced (RFC 3261 7.3, 25).
#![deny(clippy::indexing_slicing, clippy::string_slice)]

use super::super::scan;
use super::wire::Fault;
use std::ops::Range;

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
        self.text.reserve(bytes.len().min(MAX_HEAD));
        let mut rest = bytes;
        let mut continues = false;
        while let Some((line, after)) = next_line(rest) {
            rest = after;
            if bytes.len() - rest.len() > MAX_HEAD {
                return Err(Fault::too_large("Header section longer than 16384 bytes"));
            }
            match line.first() {
                None => break,
                Some(b' ' | b'\t') if continues => self.fold(line),
                Some(b' ' | b'\t') => {}
                Some(_) => continues = self.add(line).is_some(),
            }
            if self.lines.len() > MAX_HEADERS {
                return Err(Fault::too_large("More than 128 header lines"));
            }
            if self.lines.last().is_some_and(|line| line.value.len() > MAX_LINE) {
                return Err(Fault::too_large("Header value longer than 4096 bytes"));
            }
        }
        Ok(rest)
    }

    /// `None` if the line is no header.
    fn add(&mut self, line: &[u8]) -> Option<()> {
        let start = self.text.len();
        push_clean(line, &mut self.text);
        let (name, value) = self.text.get(start..)?.split_once(':')?;
        let name = scan::trim(name);
        if !scan::is_token(name) {
            return None;
        }
        let blanks = value.len() - value.trim_start_matches([' ', '\t']).len();
        let value_start = self.text.len() - value.len() + blanks;
        let value = value_start..value_start + scan::trim(value).len();
        let name = match long_form(name) {
            Some(name) => Name::Known(name),
            None => Name::Written(start..start + name.len()),
        };
        self.lines.push(Line { name, value });
        Some(())
    }

    /// RFC 3261 7.3.1: a line that starts with a blank continues the value before it, joined by one space.
    fn fold(&mut self, line: &[u8]) {
        let Some(last) = self.lines.last_mut() else { return };
        let mut more = String::new();
        push_clean(line, &mut more);
        let more = scan::trim(&more);
        self.text.truncate(last.value.end);
        if !last.value.is_empty() && !more.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(more);
        last.value.end = self.text.len();
    }

    /// Values of the lines called `name` (long form, any case), in order.
    pub(super) fn lines<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.lines
            .iter()
            .filter(move |line| self.name(line).eq_ignore_ascii_case(name))
            .map(|l| self.value(l))
    }

    /// Every line: name and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// The value of a header that may stand only once; a repetition of the same value is forgiven.
    pub(super) fn single<'a>(&'a self, name: &str) -> Result<Option<&'a str>, Fault> {
        let mut values = self.lines(name);
        let first = values.next();
        if values.all(|value| Some(value) == first) {
            Ok(first)
        } else {
            Err(Fault::bad("A header that may occur once differs"))
        }
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

/// Appends a line as text: UTF-8, or else Latin-1 (old switches send names that way); control characters become
/// blanks, so that no value we copy can break a line.
pub(super) fn push_clean(line: &[u8], text: &mut String) {
    let control = |b: &u8| *b < b' ' || *b == 0x7f;
    match std::str::from_utf8(line) {
        Ok(line) if !line.as_bytes().iter().any(control) => text.push_str(line),
        Ok(line) => text.extend(line.chars().map(|c| if c.is_ascii_control() { ' ' } else { c })),
        Err(_) => {
            text.extend(line.iter().map(|&b| if control(&b) { ' ' } else { latin1(b) }));
        }
    }
}

/// A Latin-1 byte as a character; the C1 control codes have no picture.
fn latin1(byte: u8) -> char {
    if (0x80..0xa0).contains(&byte) { char::REPLACEMENT_CHARACTER } else { char::from(byte) }
}
