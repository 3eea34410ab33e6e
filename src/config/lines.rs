//! Office lines and emergency calls: what the file says of them.

use super::{
    Dialling, Emergency, Line, Ports, RingGroup, TrackingNumber,
    checker::{Checker, optional},
    error::{Problem, did_you_mean},
    numbers::{GAIN_MAX_DB, number_at, refers},
    raw,
};
use toml::Spanned;

/// Builds the office lines that the file sets; their ports must be among those of the board, if those are known.
pub(super) fn lines(
    checker: &mut Checker<'_>,
    raw: &[Spanned<raw::Line>],
    ports: Option<&Ports>,
) -> Vec<Line> {
    checker.unique("port", raw.iter().filter_map(|line| line.get_ref().port.as_ref()));
    let known: Option<Vec<&str>> = ports.map(|ports| ports.lines.iter().map(String::as_str).collect());
    raw.iter()
        .filter_map(|table| {
            let raw = table.get_ref();
            let port = checker.required("port", &raw.port, &table.span())?;
            if let Some(known) = &known {
                refers(checker, "port", "office line of the board has this name", port, known);
            }
            let gains = -GAIN_MAX_DB..=GAIN_MAX_DB;
            Some(Line {
                port: port.get_ref().clone(),
                number: raw
                    .number
                    .as_ref()
                    .and_then(|text| number_at(checker, text))
                    .map(|(number, _)| number),
                dialling: raw.dialling.as_ref().map_or(Dialling::Tone, |value| dialling(checker, value)),
                to_line_db: checker.within("to_line_db", &raw.to_line_db, gains.clone(), 0),
                from_line_db: checker.within("from_line_db", &raw.from_line_db, gains, 0),
                echo_canceller: raw.echo_canceller.as_ref().is_none_or(|on| *on.get_ref()),
            })
        })
        .collect()
}

fn dialling(checker: &mut Checker<'_>, value: &Spanned<String>) -> Dialling {
    match value.get_ref().as_str() {
        "tone" => Dialling::Tone,
        "pulse" => Dialling::Pulse,
        other => {
            let message = format!("a line cannot be dialled with `{other}`");
            let remedy = did_you_mean(other, ["tone", "pulse"].into_iter());
            checker.report(Problem::new("choice", message, value.span()).help(remedy));
            Dialling::Tone
        }
    }
}

pub(super) fn emergency(checker: &mut Checker<'_>, raw: &raw::Emergency) -> Emergency {
    let callback = raw.callback.as_ref().and_then(|text| number_at(checker, text)).map(|(number, _)| number);
    Emergency { callback, address: optional(raw.address.as_ref()) }
}

/// A tracking number whose group has an office line needs a number to dial on it.
pub(super) fn something_to_dial(
    checker: &mut Checker<'_>,
    raw: &[Spanned<raw::TrackingNumber>],
    (numbers, groups): (&[TrackingNumber], &[RingGroup]),
    ports: Option<&Ports>,
) {
    let Some(ports) = ports else { return };
    let dials = |group: &&RingGroup| group.ports.iter().any(|port| ports.lines.contains(port));
    let dialling: Vec<&str> = groups.iter().filter(dials).map(|group| group.name.as_str()).collect();
    for number in
        numbers.iter().filter(|n| n.forwarding_number.is_none() && dialling.contains(&n.ring_group.as_str()))
    {
        let text = number.number.as_str();
        let table =
            raw.iter().find(|table| table.get_ref().number.as_ref().is_some_and(|n| n.get_ref() == text));
        let place = table.map_or(0..0, Spanned::span);
        let message = format!("{text} is dialled out on an office line, and there is no number to dial");
        let remedy = "add `forwarding_number = \"+1…\"`, or leave the line out of the ring group".to_owned();
        checker.report(Problem::new("missing_key", message, place).help(remedy));
    }
}
