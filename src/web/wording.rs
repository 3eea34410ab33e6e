//! How numbers, durations and the ends of calls are said to the office.

use crate::{
    line::fxo::Alarm,
    note::Part,
    number::E164,
    record::{CallRecord, Ended, FarEnd, Leg, LegKind, Presentation, RecordingState},
    time::WallTime,
};

/// A telephone number as people write it: `(312) 555-0100` in the North American plan, else country code and groups.
#[must_use]
pub fn number(number: &E164) -> String {
    let digits = number.digits();
    match digits.as_bytes() {
        // NANP numbers are 1 + 10 digits (ATIS-0300115).
        [b'1', rest @ ..] if rest.len() == 10 => {
            let (area, local) = digits[1..].split_at(3);
            let (exchange, line) = local.split_at(3);
            format!("({area}) {exchange}-{line}")
        }
        _ => international(digits),
    }
}

/// Country code, then groups of three with a last group of two to four digits.
fn international(digits: &str) -> String {
    let (country, mut rest) = digits.split_at(country_code_digits(digits).min(digits.len()));
    let mut out = format!("+{country}");
    while !rest.is_empty() {
        let (group, tail) = rest.split_at(if rest.len() > 4 { 3 } else { rest.len() });
        out.push(' ');
        out.push_str(group);
        rest = tail;
    }
    out
}

/// Length of the country code that `digits` begin with (ITU-T E.164, annex D: list of assigned codes).
fn country_code_digits(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..] | [b'3', b'0'..=b'4' | b'6' | b'9', ..] => 2,
        [b'4', b'0' | b'1' | b'3'..=b'9', ..] | [b'5', b'1'..=b'8', ..] => 2,
        [b'6', b'0'..=b'6', ..] | [b'8', b'1' | b'2' | b'4' | b'6', ..] => 2,
        [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

/// What is wrong with an office line, and what to do about it.
#[must_use]
pub const fn line_alarm(alarm: Alarm) -> (&'static str, &'static str) {
    match alarm {
        Alarm::BatteryNotBack => (
            "the telephone company took the battery away after a call and did not give it back",
            "unplug the cable for a minute, then report the line",
        ),
        Alarm::Unplugged => ("no battery", "check the cable from the telephone jack"),
        Alarm::Overload => ("too much loop current", "check the cable for a short, then the line"),
        Alarm::LineHeld => {
            ("another phone on this line has been off hook for long", "look for it and hang it up")
        }
    }
}

/// Who calls, without a guess: a withheld number stays withheld even if a trunk leaks it.
#[must_use]
pub fn caller(caller_number: Option<&E164>, presentation: Presentation) -> String {
    match (presentation, caller_number) {
        (Presentation::Restricted, _) => "Anonymous caller".to_owned(),
        (Presentation::Allowed, Some(known)) => number(known),
        (Presentation::Allowed, None) | (Presentation::Unavailable, _) => "Number not available".to_owned(),
    }
}

/// The caller's name, if it may be shown and says something.
#[must_use]
pub fn caller_name(name: Option<&str>, presentation: Presentation) -> Option<String> {
    let name = name.map(str::trim).filter(|name| !name.is_empty())?;
    (presentation != Presentation::Restricted).then(|| name.to_owned())
}

/// Minutes and seconds, hours where needed: `0:42`, `1:02:05`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Hour and minute in UTC, `13:05 UTC`: what a page shows until the browser has put in its own time zone.
#[must_use]
pub fn utc_clock(at: WallTime) -> String {
    let minutes = at.0 / 60_000 % 1440;
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// The kind of a result, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody talked.
    Answered,
    /// A customer was not served.
    Missed,
    /// Neither: still going on.
    Open,
}

impl Tone {
    /// Name of the CSS class.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Missed => "missed",
            Self::Open => "open",
        }
    }
}

/// What became of a call: `Answered on PHONE1`, `Missed`, `Caller gave up`.
#[must_use]
pub fn result(record: &CallRecord) -> (Tone, String) {
    let port = record.answered_by.as_ref().map(|by| by.port.as_str());
    end(record.outcome.ended, record.answered, port, record.outcome.why.as_deref())
}

/// What became of a call, from its parts. `why` is the record's reason for a call that was not put through.
#[must_use]
pub fn end(ended: Ended, answered: bool, port: Option<&str>, why: Option<&str>) -> (Tone, String) {
    let on_port = port.map_or_else(|| "Answered".to_owned(), |port| format!("Answered on {port}"));
    match ended {
        Ended::InProgress if answered => (Tone::Open, "On the phone".to_owned()),
        Ended::InProgress => (Tone::Open, "Ringing".to_owned()),
        Ended::Cancelled => (Tone::Missed, "Caller gave up".to_owned()),
        Ended::NoAnswer => (Tone::Missed, "Missed".to_owned()),
        Ended::Busy => (Tone::Missed, format!("Busy: {}", busy(why))),
        Ended::Failed if answered => (Tone::Answered, format!("{on_port}, then the line was lost")),
        Ended::Failed => (Tone::Missed, failed(why)),
        Ended::CallerHungUp | Ended::OfficeHungUp => (Tone::Answered, on_port),
        Ended::TrunkLost => (Tone::Answered, format!("{on_port}, then the trunk was lost")),
        Ended::Interrupted if why == Some("taken_for_emergency") => {
            (Tone::Answered, format!("{on_port}, then an emergency call needed the line"))
        }
        Ended::Interrupted if answered => (Tone::Answered, format!("{on_port}, cut off by a restart")),
        Ended::Interrupted => (Tone::Missed, "Cut off by a restart while ringing".to_owned()),
    }
}

fn busy(why: Option<&str>) -> &'static str {
    match why {
        Some("line_in_use") => "another phone was on the office line",
        Some("glare") => "somebody called on the office line in the same moment",
        Some("forwarding_number_busy") => "the forwarding number was in use",
        _ => "every phone was in use",
    }
}

fn failed(why: Option<&str>) -> String {
    match why {
        Some("line_dead") => "Not put through: no battery on the office line, check its cable".to_owned(),
        Some("no_dial_tone") => "Not put through: no dial tone on the office line".to_owned(),
        Some("taken_for_emergency") => "Not put through: an emergency call needed the line".to_owned(),
        Some("loop") => {
            "Refused: our own call came back, the forwarding number forwards to this number".to_owned()
        }
        Some("no_common_codec") => "Not put through: no codec in common with the trunk".to_owned(),
        Some(other) => format!("Not put through: {}", plain(other)),
        None => "Not put through".to_owned(),
    }
}

/// How a call sounded, from its estimated mean opinion score: `good (4.1 of 4.5)`.
///
/// The words are those of ITU-T G.107 Annex B, Table B.1, said shorter.
#[must_use]
pub fn quality(mos_cq: f32) -> String {
    let word = match mos_cq {
        high if high >= 4.34 => "very good",
        high if high >= 4.03 => "good",
        middle if middle >= 3.6 => "fair",
        low if low >= 3.1 => "poor",
        _ => "bad",
    };
    format!("{word} ({mos_cq:.1} of 4.5)")
}

/// Packets of the caller that were not heard: `3 of 2102 packets, 1 of them too late`; `None` if nothing was to be heard.
#[must_use]
pub fn loss(leg: &Leg) -> Option<String> {
    let expected = leg.packets + leg.lost.saturating_sub(leg.late);
    let late = if leg.late > 0 { format!(", {} of them too late", leg.late) } else { String::new() };
    (expected > 0).then(|| format!("{} of {expected} packets{late}", leg.lost))
}

/// An alarm for the side that is not heard.
#[must_use]
pub const fn not_heard(silent: LegKind) -> &'static str {
    match silent {
        LegKind::Trunk => "The caller is not heard",
        LegKind::Line => "The office is not heard",
    }
}

/// The level of a leg: `-18 dBm0`, and whether it was too loud.
#[must_use]
pub fn level(leg: &Leg) -> Option<String> {
    let clipped = if leg.clipped > 0 { format!(", {} samples too loud", leg.clipped) } else { String::new() };
    leg.level_dbm0.map(|dbm0| format!("{dbm0:.0} dBm0{clipped}"))
}

/// The echo of a line: `12 dB weaker, 30 dB more by the canceller`.
#[must_use]
pub fn echo(leg: &Leg) -> Option<String> {
    let more = leg.erle_db.map_or_else(String::new, |db| format!(", {db:.0} dB more by the canceller"));
    leg.erl_db.map(|db| format!("{db:.0} dB weaker{more}"))
}

/// A fax or modem tone in words.
#[must_use]
pub fn fax(tone: &str) -> String {
    match tone {
        "cng" => "the caller's side is a fax (calling tone)".to_owned(),
        "ced" => "a fax answered (answer tone)".to_owned(),
        "ansam" => "a modem or fast fax answered (modified answer tone)".to_owned(),
        "v21_preamble" => "a fax sent its preamble".to_owned(),
        other => plain(other),
    }
}

/// What the far end got of us: `7 packets lost, jitter 5 ms`.
#[must_use]
pub fn far_end(far: &FarEnd) -> String {
    format!("{} packets lost, jitter {} ms", far.lost, far.jitter_ms)
}

/// How a recording stands: `whole, sealed, uploaded`.
#[must_use]
pub fn recording_state(record: &CallRecord) -> String {
    let recording = &record.recording;
    let why = recording.why_none.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
    let written = match recording.state {
        RecordingState::None => return format!("none{why}"),
        RecordingState::Writing => return "being written".to_owned(),
        RecordingState::Failed => return format!("failed{why}"),
        RecordingState::Erased => return format!("erased{why}"),
        RecordingState::Closed => "whole",
        RecordingState::Recovered => "recovered after a restart",
    };
    let sealed = recording.seal.as_ref().map(|_| "sealed");
    let uploaded = record.sync.recording_acked.then_some("uploaded");
    [Some(written), sealed, uploaded].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How much of a recording is there: `99.12 %`.
#[must_use]
pub fn completeness(share: f32) -> String {
    if share >= 1.0 { "all of it".to_owned() } else { format!("{:.2} %", (share * 10_000.0).floor() / 100.0) }
}

/// How long something stays: `recording until 2027-11-29`.
#[must_use]
pub fn kept_until(part: Part, at: WallTime) -> String {
    let what = match part {
        Part::Recording => "recording",
        Part::Record => "record",
    };
    let at = at.to_string();
    format!("{what} until {}", at.get(..10).unwrap_or(&at))
}

/// A field value of the record as plain words: `caller_is_diverter` becomes `caller is diverter`.
#[must_use]
pub fn plain(value: &str) -> String {
    value.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        number(&text.parse().unwrap())
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(said("+13125550100"), "(312) 555-0100");
        assert_eq!(said("+442079460123"), "+44 207 946 0123");
        assert_eq!(said("+35312345678"), "+353 123 456 78");
        assert_eq!(said("+4930123456"), "+49 301 234 56");
        assert_eq!(said("+1312555"), "+1 312 555", "too short for the North American plan");
        assert_eq!(said("+491"), "+49 1");
    }

    #[test]
    fn a_withheld_number_is_never_shown_even_if_it_is_known() {
        let leaked: E164 = "+13125550100".parse().unwrap();
        assert_eq!(caller(Some(&leaked), Presentation::Restricted), "Anonymous caller");
        assert_eq!(caller_name(Some("Dana Ortiz"), Presentation::Restricted), None);
        assert_eq!(caller(None, Presentation::Unavailable), "Number not available");
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!((duration(0), duration(42_999), duration(3_725_000)).0, "0:00");
        assert_eq!(duration(42_999), "0:42");
        assert_eq!(duration(3_725_000), "1:02:05");
        assert_eq!(utc_clock(WallTime(1_763_816_709_007)), "13:05 UTC");
    }

    #[test]
    fn quality_is_said_in_words_and_figures() {
        let words = [4.41, 4.1, 3.7, 3.2, 1.0].map(quality);
        assert_eq!(words[0], "very good (4.4 of 4.5)");
        assert_eq!(
            words[1..].iter().map(|text| text.split(' ').next().unwrap()).collect::<Vec<_>>(),
            ["good", "fair", "poor", "bad"]
        );
        let leg = crate::web::made_up::record(1, Ended::CallerHungUp).legs.remove(0);
        assert_eq!(loss(&leg).as_deref(), Some("3 of 2102 packets, 1 of them too late"));
        assert_eq!(loss(&Leg { packets: 0, lost: 0, late: 0, ..leg }), None);
    }

    #[test]
    fn every_end_has_its_words() {
        assert_eq!(end(Ended::CallerHungUp, true, Some("PHONE1"), None).1, "Answered on PHONE1");
        assert_eq!(end(Ended::NoAnswer, false, None, None), (Tone::Missed, "Missed".to_owned()));
        assert_eq!(end(Ended::Cancelled, false, None, None).1, "Caller gave up");
        assert_eq!(end(Ended::Busy, false, None, Some("all_ports_busy")).1, "Busy: every phone was in use");
        assert_eq!(end(Ended::Failed, false, None, Some("line_fault")).1, "Not put through: line fault");
        let glare = end(Ended::Busy, false, None, Some("glare")).1;
        assert_eq!(glare, "Busy: somebody called on the office line in the same moment");
        let lost = end(Ended::Failed, true, Some("LINE1"), Some("line_lost"));
        assert_eq!(lost, (Tone::Answered, "Answered on LINE1, then the line was lost".to_owned()));
        let taken = end(Ended::Interrupted, true, Some("LINE1"), Some("taken_for_emergency")).1;
        assert_eq!(taken, "Answered on LINE1, then an emergency call needed the line");
        assert_eq!(
            end(Ended::Interrupted, true, Some("PHONE2"), None).1,
            "Answered on PHONE2, cut off by a restart"
        );
    }
}
