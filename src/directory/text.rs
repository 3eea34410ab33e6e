//! Texts that people write into the directory: trimmed, there, and not too long.

use super::edit::{Refused, Rule};

/// Characters of a name.
const NAME_MAX: usize = 200;
/// Characters of a note.
const NOTE_MAX: usize = 4_000;

/// A name, which must be there.
pub(super) fn name(what: &str, text: &str) -> Result<String, Refused> {
    match cut(what, text, NAME_MAX)? {
        Some(name) => Ok(name),
        None => Err(Refused::new(Rule::Text, format!("{what} is missing"), "write one")),
    }
}

/// A text that need not be there.
pub(super) fn optional(what: &str, text: Option<&str>) -> Result<Option<String>, Refused> {
    cut(what, text.unwrap_or_default(), NAME_MAX)
}

/// A note.
pub(super) fn note(text: Option<&str>) -> Result<Option<String>, Refused> {
    cut("the note", text.unwrap_or_default(), NOTE_MAX)
}

fn cut(what: &str, text: &str, most: usize) -> Result<Option<String>, Refused> {
    let text = text.trim();
    if text.chars().count() > most {
        return Err(Refused::new(
            Rule::Text,
            format!("{what} is too long"),
            format!("use at most {most} characters"),
        ));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\r' && c != '\t') {
        return Err(Refused::new(
            Rule::Text,
            format!("{what} has signs in it that cannot be shown"),
            "write it anew",
        ));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// What is different, in words: `name Flyer, was Poster`.
pub(super) fn differences(of: &[(&str, String, String)]) -> String {
    let changed = of.iter().filter(|(_, before, after)| before != after);
    let said: Vec<String> =
        changed.map(|(what, before, after)| format!("{what} {after}, was {before}")).collect();
    if said.is_empty() { "changed nothing".to_owned() } else { said.join("; ") }
}

/// `a` or `an`.
pub(super) fn article(words: &str) -> &'static str {
    if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
