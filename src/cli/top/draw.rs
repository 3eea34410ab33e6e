//! One frame of `ringside top`.
//!
//! ```text
//! site, version, up time        \
//! trunk, audio, disk, counters   } what the box is
//! lamps                         /
//! ALARMS  what to do
//! CALLS   who, campaign, where, how long; level of both legs, playout depth, loss
//! LINES   PHONES                 one row each
//! q quits
//! ```
//! A frame that is too low loses its last rows and says how many; in one that is too narrow a row goes on below, indented.

use super::View;
use crate::{
    status::{
        Alarm, BoxStatus, CallSound, CallStatus, LedColour, LedPattern, LedStatus, LineState, PhoneState,
        Severity, TrackedCall, TrackedState,
    },
    time::WallTime,
    web::status_wording as words,
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Widget as _,
};

/// Between the facts of a row.
const DOT: &str = " · ";
/// Cells of a level meter.
const METER_CELLS: usize = 10;
/// The quietest level that a meter shows, dBm0.
const METER_FLOOR_DBM0: f32 = -60.0;
/// Above this a leg is too loud, dBm0 (speech is at -15 and below; the overload point is +3).
const LOUD_DBM0: f32 = -6.0;
/// Cells of a port's name.
const NAME_CELLS: usize = 9;
/// Cells of a port's state.
const STATE_CELLS: usize = 12;

/// Draws the view into `area`.
pub(super) fn draw(view: &View, area: Rect, out: &mut Buffer) {
    let lines = rows(view, area.width);
    // The last row tells how to leave.
    let room = usize::from(area.height.saturating_sub(1));
    let hidden = lines.len().saturating_sub(room);
    let footer = if hidden > 0 { format!("q quits · {hidden} rows more") } else { "q quits".to_owned() };
    for (y, line) in (area.y..).zip(lines.into_iter().take(room)) {
        line.render(Rect { y, height: 1, ..area }, out);
    }
    if area.height > 0 {
        let last = Rect { y: area.y + area.height - 1, height: 1, ..area };
        Line::styled(footer, dim()).render(last, out);
    }
}

/// Every row of the view, in a frame of `width` cells.
pub(super) fn rows(view: &View, width: u16) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    if let Some(trouble) = &view.trouble {
        rows.extend(no_answer(view, trouble, width));
    }
    match &view.status {
        Some(status) => rows.extend(whole(status, width)),
        None if view.trouble.is_none() => rows.push(Line::from(format!("Asking {} …", view.address))),
        None => {}
    }
    rows
}

/// A box that does not answer any more: how old is what is shown.
fn no_answer(view: &View, trouble: &str, width: u16) -> Vec<Line<'static>> {
    let below = view
        .status
        .as_ref()
        .map(|status| format!("Below is how it was {} ago.", words::for_how_long(status.at, view.now)));
    let next = format!("Asking again. {} What is wrong: ringside doctor", below.unwrap_or_default());
    let mut rows = worded(trouble, Style::new().fg(Color::White).bg(Color::Red), width);
    rows.extend(worded(&next, Style::new(), width));
    rows.push(Line::default());
    rows
}

fn whole(status: &BoxStatus, width: u16) -> Vec<Line<'static>> {
    let mut rows = head(status, width);
    section("ALARMS", status.alarms.iter().flat_map(|one| alarm(one, status.at, width)), &mut rows);
    section("CALLS", status.calls.iter().flat_map(|one| call(one, status.at, width)), &mut rows);
    let lines = status.lines.iter().flat_map(|line| {
        let state = Span::styled(fit(words::line_state(line.state), STATE_CELLS), line_style(line.state));
        port(&line.port, state, words::line_facts(line), width)
    });
    section("LINES", lines, &mut rows);
    let phones = status.phones.iter().flat_map(|phone| {
        let state = Span::styled(fit(words::phone_state(phone.state), STATE_CELLS), phone_style(phone.state));
        port(&phone.port, state, words::phone_facts(phone), width)
    });
    section("PHONES", phones, &mut rows);
    rows
}

fn head(status: &BoxStatus, width: u16) -> Vec<Line<'static>> {
    let version = format!("ringside {}", status.version);
    let up = format!("up {}", words::uptime(status.uptime_s));
    let site = Span::styled(status.site.clone(), Style::new().add_modifier(Modifier::BOLD));
    let mut rows = flow([vec![site], raw(version), raw(up)], DOT, width);
    let trunks = status.trunks.iter().map(|one| raw(format!("{} {}", one.name, words::trunk(&one.state))));
    rows.extend(flow(trunks, DOT, width));
    let counters = &status.counters;
    let facts = [
        format!("audio {}", words::audio(&status.media)),
        format!("disk {}", words::storage(&status.storage)),
        format!("{} tracked calls", counters.tracked),
        words::untracked(counters.untracked),
    ];
    rows.extend(flow(facts.map(raw), DOT, width));
    rows.extend(flow(status.panel.iter().map(lamp), "  ", width));
    rows
}

fn lamp(led: &LedStatus) -> Vec<Span<'static>> {
    let colour = match led.colour {
        LedColour::Green => Color::Green,
        LedColour::Amber => Color::Yellow,
        LedColour::Red => Color::Red,
    };
    let (lamp, style) = match led.pattern {
        LedPattern::Off => ("○", dim()),
        LedPattern::On => ("●", Style::new().fg(colour)),
        LedPattern::Slow | LedPattern::Fast | LedPattern::Double | LedPattern::Wink => {
            ("◐", Style::new().fg(colour))
        }
    };
    vec![Span::styled(lamp, style), Span::raw(format!(" {}", led.name))]
}

/// A heading and its rows, if there are any.
fn section(title: &'static str, below: impl Iterator<Item = Line<'static>>, rows: &mut Vec<Line<'static>>) {
    let mut below = below.peekable();
    if below.peek().is_some() {
        rows.push(Line::default());
        rows.push(Line::styled(title, Style::new().add_modifier(Modifier::BOLD)));
        rows.extend(below);
    }
}

fn port(name: &str, state: Span<'static>, facts: Vec<String>, width: u16) -> Vec<Line<'static>> {
    let mut facts = facts.into_iter();
    let first = vec![Span::raw(fit(name, NAME_CELLS)), state, Span::raw(facts.next().unwrap_or_default())];
    flow(std::iter::once(first).chain(facts.map(raw)), DOT, width)
}

fn alarm(alarm: &Alarm, now: WallTime, width: u16) -> Vec<Line<'static>> {
    let colour = match alarm.severity {
        Severity::Warning => Color::Yellow,
        Severity::Failure => Color::Red,
    };
    let text = format!("! {} (for {})", alarm.text, words::for_how_long(alarm.since, now));
    let mut rows = worded(&text, Style::new().fg(colour), width);
    rows.extend(worded(&format!("  {}", alarm.remedy), Style::new(), width));
    rows
}

fn call(call: &CallStatus, now: WallTime, width: u16) -> Vec<Line<'static>> {
    match call {
        CallStatus::Tracked(tracked) => tracked_call(tracked, now, width),
        CallStatus::Direct(one) | CallStatus::DialOut(one) | CallStatus::Emergency(one) => {
            let since = words::for_how_long(one.since, now);
            flow([words::kind(call).to_owned(), words::ports(one), since].map(raw), DOT, width)
        }
    }
}

fn tracked_call(call: &TrackedCall, now: WallTime, width: u16) -> Vec<Line<'static>> {
    let since = words::for_how_long(call.answered_at.unwrap_or(call.since), now);
    let style = match call.state {
        TrackedState::Ringing => Style::new().fg(Color::Green).add_modifier(Modifier::BOLD),
        TrackedState::Talking => Style::new().fg(Color::Green),
    };
    let mut head = vec![vec![Span::styled(words::where_is(call), style)], raw(since)];
    head.extend(call.recording.then(|| raw("REC")));
    head.extend([raw(words::who(call)), raw(call.campaign.clone())]);
    let mut rows = flow(head, DOT, width);
    if let Some(sound) = &call.sound {
        let meters = [meter("  caller", sound.caller_dbm0), meter("office", sound.office_dbm0)];
        rows.extend(flow(meters, " ", width));
        rows.extend(
            flow(network(sound).map(raw), DOT, width.saturating_sub(2))
                .into_iter()
                .map(|row| indented(row.spans)),
        );
    }
    rows
}

/// `caller ███████░░░  -18 dBm0  `.
fn meter(leg: &str, dbm0: Option<f32>) -> Vec<Span<'static>> {
    let share = dbm0.map_or(0.0, |dbm0| 1.0 - dbm0.clamp(METER_FLOOR_DBM0, 0.0) / METER_FLOOR_DBM0);
    // Between 0 and METER_CELLS by the clamp.
    let lit = (share * METER_CELLS as f32).round() as usize;
    let colour = if dbm0.is_some_and(|dbm0| dbm0 > LOUD_DBM0) { Color::Red } else { Color::Green };
    let level = dbm0.map_or_else(|| "silent".to_owned(), |dbm0| format!("{dbm0:.0} dBm0"));
    vec![
        Span::raw(format!("{leg} ")),
        Span::styled("█".repeat(lit), Style::new().fg(colour)),
        Span::styled("░".repeat(METER_CELLS - lit), dim()),
        Span::raw(fit(&format!(" {level}"), 12)),
    ]
}

/// `playout 40 ms`, `0.4 % lost`, `jitter 6 ms`, `MOS 4.2`.
fn network(sound: &CallSound) -> [String; 4] {
    let mos = sound.mos.map_or_else(|| "no MOS yet".to_owned(), |mos| format!("MOS {mos:.1}"));
    let CallSound { playout_ms, loss_percent, jitter_ms, .. } = sound;
    [
        format!("playout {playout_ms} ms"),
        format!("{loss_percent:.1} % lost"),
        format!("jitter {jitter_ms} ms"),
        mos,
    ]
}

const fn line_style(state: LineState) -> Style {
    match state {
        LineState::Unknown | LineState::Idle => dim(),
        LineState::Ringing | LineState::Seized | LineState::Talking | LineState::Releasing => {
            Style::new().fg(Color::Green)
        }
        LineState::Down => Style::new().fg(Color::Red),
    }
}

const fn phone_style(state: PhoneState) -> Style {
    match state {
        PhoneState::Unknown | PhoneState::Idle => dim(),
        PhoneState::Ringing | PhoneState::Talking | PhoneState::OffHook => Style::new().fg(Color::Green),
        PhoneState::Down => Style::new().fg(Color::Red),
    }
}

const fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// Puts parts behind each other with `between`, on as many rows as they need; all but the first are indented.
fn flow(
    parts: impl IntoIterator<Item = Vec<Span<'static>>>,
    between: &'static str,
    width: u16,
) -> Vec<Line<'static>> {
    let mut rows: Vec<Line<'static>> = Vec::new();
    let gap = Span::raw(between);
    for part in parts {
        let cells: usize = part.iter().map(Span::width).sum();
        match rows.last_mut() {
            Some(row) if row.width() + gap.width() + cells <= usize::from(width) => {
                row.push_span(gap.clone());
                row.extend(part);
            }
            Some(_) => rows.push(indented(part)),
            None => rows.push(Line::from(part)),
        }
    }
    rows
}

/// A sentence on as many rows as it needs.
fn worded(text: &str, style: Style, width: u16) -> Vec<Line<'static>> {
    let indent = &text[..text.len() - text.trim_start().len()];
    let words = text.split_whitespace().enumerate();
    let words = words.map(|(at, word)| if at == 0 { format!("{indent}{word}") } else { word.to_owned() });
    flow(words.map(|word| vec![Span::raw(word)]), " ", width)
        .into_iter()
        .map(|row| row.patch_style(style))
        .collect()
}

fn indented(spans: Vec<Span<'static>>) -> Line<'static> {
    Line::from([vec![Span::raw("  ")], spans].concat())
}

fn raw(text: impl Into<String>) -> Vec<Span<'static>> {
    vec![Span::raw(text.into())]
}

/// `text` in exactly `cells` cells: cut, or filled up with blanks, the last of which parts it from what follows.
fn fit(text: &str, cells: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = Span::raw(character.to_string()).width();
        if used + wide > cells.saturating_sub(1) {
            break;
        }
        out.push(character);
        used += wide;
    }
    out.push_str(&" ".repeat(cells - used));
    out
}
