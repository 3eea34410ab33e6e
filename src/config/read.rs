//! Text to raw tables, with every syntax error, unknown key and wrong type on the way.
//!
//! A deserialiser stops at the first value it cannot take. So the value is reported, taken out of the document, and
//! the document is read again, until what is left can be read.

use super::{
    error::{Problem, did_you_mean},
    raw,
};
use serde_path_to_error::Segment;
use std::{collections::BTreeSet, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

/// The raw tables, and what had to be taken out to read them.
#[derive(Default)]
pub(super) struct Reading {
    /// What could be read.
    pub(super) file: raw::File,
    taken_out: BTreeSet<(usize, String)>,
}

impl Reading {
    /// Whether `key` stood in the table that starts at byte `table` but was unreadable, and reported as such.
    pub(super) fn took_out(&self, table: usize, key: &str) -> bool {
        self.taken_out.contains(&(table, key.to_owned()))
    }
}

/// Reads `text`; what is wrong with it goes to `problems`.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Reading {
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    // After a syntax error the rest of the document is a guess: reading on would report what nobody wrote.
    if !syntax_errors.is_empty() {
        problems.extend(syntax_errors.iter().map(|error| syntax_problem(text, error)));
        return Reading::default();
    }
    let span = document.span();
    let mut root = document.into_inner();
    let mut taken_out = BTreeSet::new();
    loop {
        let whole = Deserializer::from(Spanned::new(span.clone(), root.clone()));
        let error = match serde_path_to_error::deserialize(whole) {
            Ok(file) => return Reading { file, taken_out },
            Err(error) => error,
        };
        let place = error.inner().span().unwrap_or(0..0);
        problems.push(value_problem(error.path(), error.inner().message(), place.clone()));
        match take_out(&mut root, span.start, &place) {
            Some(key) => taken_out.insert(key),
            None => return Reading { file: raw::File::default(), taken_out },
        };
    }
}

/// Removes the smallest entry whose key or value holds `place`; tells its table's start and its key.
fn take_out(table: &mut DeTable<'_>, start: usize, place: &Range<usize>) -> Option<(usize, String)> {
    for (_, value) in table.iter_mut() {
        let inner_start = value.span().start;
        let found = match value.get_mut() {
            DeValue::Table(inner) => take_out(inner, inner_start, place),
            DeValue::Array(items) => items.iter_mut().find_map(|item| {
                let item_start = item.span().start;
                match item.get_mut() {
                    DeValue::Table(inner) => take_out(inner, item_start, place),
                    _ => None,
                }
            }),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    let key =
        table.iter().find(|(key, value)| holds(key.span()) || holds(value.span()))?.0.get_ref().to_string();
    table.remove(key.as_str());
    Some((start, key))
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let mut place = error.span().unwrap_or(0..0);
    if place.is_empty() {
        // Something is missing here: the caret goes under what it is missing behind.
        let before = text.get(..place.start).and_then(|before| before.chars().next_back());
        place.start -= before.map_or(0, char::len_utf8);
    }
    Problem::new("syntax", error.message().to_owned(), place)
        .help("a line is `key = value` or `[section]`; texts stand in \"quotes\"".to_owned())
}

/// Words the deserialiser's message for an installer. serde puts every name it expected in backquotes.
fn value_problem(path: &serde_path_to_error::Path, message: &str, place: Range<usize>) -> Problem {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        let message = format!("{}: {}", key_path(path), message.replace("i64", "a whole number"));
        let remedy = match message.rsplit_once(", expected ") {
            Some((_, "a string")) => "write one text in \"quotes\"",
            Some((_, "a whole number")) => "write a whole number without quotes",
            Some((_, "a sequence")) => "write a list in brackets, or [[name]] before each of several tables",
            _ => "write [name] on a line of its own, and the keys below it",
        };
        return Problem::new("type", message, place).help(remedy.to_owned());
    };
    let unknown = rest.split('`').next().unwrap_or_default();
    let known = rest.split('`').skip(2).step_by(2);
    Problem::new("unknown_key", format!("unknown key `{unknown}`"), place).help(did_you_mean(unknown, known))
}

/// The path of a key as the file shows it: `trunk[0].name`.
fn key_path(path: &serde_path_to_error::Path) -> String {
    let mut shown = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => shown.push_str(&format!("[{index}]")),
            // `Spanned` travels through serde as a table whose only key is private.
            Segment::Map { key } if key.starts_with('$') => {}
            Segment::Map { key } if shown.is_empty() => shown.push_str(key),
            Segment::Map { key } => shown.push_str(&format!(".{key}")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    shown
}
