//! Plots as SVG: columns, a line, a heat map, bars. Only places and sizes are reckoned here; colours come from the
//! style, and a table beside each plot says the same in words.

use crate::ledger::report::{DAY, WEEK};

/// Width of a plot in its own units.
const WIDTH: u32 = 720;
/// Height of the drawing, without the words below it.
const HEIGHT: u32 = 180;
/// Room for the numbers at the left.
const LEFT: u32 = 44;
/// Words below a plot at most.
const MOST_LABELS: usize = 12;
/// Side of a field of the heat map, and what is between two.
const FIELD: u32 = 27;
/// Shades of the heat map beside that of no calls.
const SHADES: u64 = 5;

/// A rectangle of a kind.
pub(in crate::web) struct Rect {
    pub(in crate::web) x: String,
    pub(in crate::web) y: String,
    pub(in crate::web) width: String,
    pub(in crate::web) height: String,
    /// CSS class.
    pub(in crate::web) class: &'static str,
    /// What it says when it is pointed at.
    pub(in crate::web) title: String,
}

/// A word at a place.
pub(in crate::web) struct Label {
    pub(in crate::web) x: String,
    pub(in crate::web) y: String,
    pub(in crate::web) text: String,
}

/// A drawn plot.
pub(in crate::web) struct Plot {
    pub(in crate::web) width: u32,
    pub(in crate::web) height: u32,
    pub(in crate::web) rects: Vec<Rect>,
    /// Path of a line, if there is one.
    pub(in crate::web) line: Option<String>,
    /// Numbers at the left.
    pub(in crate::web) scale: Vec<Label>,
    /// Words below.
    pub(in crate::web) labels: Vec<Label>,
    /// Heights of the lines across.
    pub(in crate::web) grid: Vec<String>,
}

/// One column: its word, what it is made of from below, and what it says.
pub(in crate::web) struct Column {
    pub(in crate::web) label: String,
    pub(in crate::web) parts: Vec<(u64, &'static str)>,
    pub(in crate::web) title: String,
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

/// A round number at or above `most`: 1, 2 or 5 and zeros.
fn round_above(most: u64) -> u64 {
    let mut step: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let round = step.saturating_mul(factor);
            if round >= most.max(1) {
                return round;
            }
        }
        step = step.saturating_mul(10);
    }
}

/// Columns of what they are made of.
pub(in crate::web) fn columns(columns: &[Column]) -> Plot {
    let sum = |column: &Column| column.parts.iter().map(|(count, _)| count).sum::<u64>();
    let most = round_above(columns.iter().map(sum).max().unwrap_or(0));
    let pitch = f64::from(WIDTH - LEFT) / columns.len().max(1) as f64;
    let mut rects = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let x = f64::from(LEFT) + pitch * at as f64 + pitch * 0.1;
        let mut below = f64::from(HEIGHT);
        for &(count, class) in column.parts.iter().filter(|(count, _)| *count > 0) {
            let height = count as f64 * f64::from(HEIGHT) / most as f64;
            below -= height;
            rects.push(Rect {
                x: place(x),
                y: place(below),
                width: place((pitch * 0.8).min(60.0)),
                height: place(height),
                class,
                title: column.title.clone(),
            });
        }
    }
    let words: Vec<&str> = columns.iter().map(|column| column.label.as_str()).collect();
    framed(rects, None, most, "", &words, pitch)
}

/// A line of shares of a hundred; a step without one is skipped.
pub(in crate::web) fn line(steps: &[(String, Option<f64>)]) -> Plot {
    let pitch = f64::from(WIDTH - LEFT) / steps.len().max(1) as f64;
    let mut path = String::new();
    let mut rects = Vec::new();
    for (at, (label, share)) in steps.iter().enumerate() {
        let Some(share) = share else { continue };
        let x = f64::from(LEFT) + pitch * (at as f64 + 0.5);
        let y = f64::from(HEIGHT) * (1.0 - share / 100.0);
        path.push_str(if path.is_empty() { "M" } else { "L" });
        path.push_str(&format!("{x:.1} {y:.1}"));
        let (x, y) = (place(x - 2.5), place(y - 2.5));
        let title = format!("{label}: {share:.0} %");
        rects.push(Rect { x, y, width: "5".to_owned(), height: "5".to_owned(), class: "point", title });
    }
    let words: Vec<&str> = steps.iter().map(|(label, _)| label.as_str()).collect();
    framed(rects, Some(path), 100, " %", &words, pitch)
}

fn framed(rects: Vec<Rect>, line: Option<String>, most: u64, unit: &str, words: &[&str], pitch: f64) -> Plot {
    let height_of = |share: f64| f64::from(HEIGHT) * (1.0 - share);
    let marks: &[f64] = if most == 1 { &[0.0, 1.0] } else { &[0.0, 0.5, 1.0] };
    let scale = marks.iter().map(|&share| {
        let value = most as f64 * share;
        let text =
            if value.fract() == 0.0 { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") };
        Label { x: place(f64::from(LEFT) - 6.0), y: place(height_of(share) + 4.0), text }
    });
    let every = words.len().div_ceil(MOST_LABELS).max(1);
    let labels = words.iter().enumerate().step_by(every).map(|(at, word)| Label {
        x: place(f64::from(LEFT) + pitch * (at as f64 + 0.5)),
        y: (HEIGHT + 18).to_string(),
        text: (*word).to_owned(),
    });
    Plot {
        width: WIDTH,
        height: HEIGHT + 32,
        rects,
        line,
        scale: scale.collect(),
        labels: labels.collect(),
        grid: marks.iter().map(|&share| place(height_of(share))).collect(),
    }
}

/// Calls by weekday and hour: the more, the stronger.
pub(in crate::web) fn heat(week: &[[(u64, u64); DAY]; WEEK], days: [&str; WEEK]) -> Plot {
    const CLASSES: [&str; 6] = ["heat-0", "heat-1", "heat-2", "heat-3", "heat-4", "heat-5"];
    let most = week.iter().flatten().map(|(calls, _)| *calls).max().unwrap_or(0).max(1);
    let mut rects = Vec::new();
    let mut scale = Vec::new();
    for (row, (hours, day)) in week.iter().zip(days).enumerate() {
        let y = FIELD * u32::try_from(row).unwrap_or(0);
        let middle = f64::from(y) + f64::from(FIELD) / 2.0 + 4.0;
        scale.push(Label { x: place(f64::from(LEFT) - 6.0), y: place(middle), text: day.to_owned() });
        for (hour, &(calls, missed)) in hours.iter().enumerate() {
            let shade = (calls * SHADES).div_ceil(most).min(SHADES);
            let x = LEFT + FIELD * u32::try_from(hour).unwrap_or(0);
            rects.push(Rect {
                x: x.to_string(),
                y: y.to_string(),
                width: (FIELD - 2).to_string(),
                height: (FIELD - 2).to_string(),
                class: usize::try_from(shade).ok().and_then(|at| CLASSES.get(at)).unwrap_or(&"heat-0"),
                title: format!("{day} {hour}:00: {calls} calls, {missed} not answered"),
            });
        }
    }
    let bottom = FIELD * 7 + 14;
    let labels = (0..DAY).step_by(3).map(|hour| Label {
        x: (LEFT + FIELD * u32::try_from(hour).unwrap_or(0) + FIELD / 2).to_string(),
        y: bottom.to_string(),
        text: format!("{hour}:00"),
    });
    let width = LEFT + FIELD * 24;
    let labels = labels.collect();
    Plot { width, height: bottom + 10, rects, line: None, scale, labels, grid: Vec::new() }
}

/// A bar in a row of a table: its parts as shares of the longest row's sum.
pub(in crate::web) fn bar(parts: &[(u64, &'static str)], most: u64) -> Vec<Rect> {
    let mut x = 0.0;
    let mut rects = Vec::new();
    for &(count, class) in parts.iter().filter(|(count, _)| *count > 0) {
        let width = count as f64 * 100.0 / most.max(1) as f64;
        let (at, title) = (place(x), String::new());
        let (y, height) = ("0".to_owned(), "10".to_owned());
        rects.push(Rect { x: at, y, width: place(width), height, class, title });
        x += width;
    }
    rects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number() {
        let ends = [0, 1, 2, 3, 6, 10, 11, 42, 501].map(round_above);
        assert_eq!(ends, [1, 1, 2, 5, 10, 10, 20, 50, 1_000]);
    }

    #[test]
    fn parts_of_a_column_stand_on_each_other_and_reach_their_share() {
        let parts = vec![(6, "answered"), (4, "missed")];
        let plot = columns(&[Column { label: "Mon".to_owned(), parts, title: String::new() }]);
        let places: Vec<(&str, &str)> =
            plot.rects.iter().map(|rect| (rect.y.as_str(), rect.height.as_str())).collect();
        assert_eq!(places, [("72.0", "108.0"), ("0.0", "72.0")]);
    }

    #[test]
    fn one_call_is_never_drawn_as_none() {
        let mut week = [[(0, 0); DAY]; WEEK];
        week[0][8] = (1_000, 0);
        week[6][23] = (1, 1);
        let plot = heat(&week, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
        let classes: Vec<&str> = [8, 6 * 24 + 23, 0].map(|at| plot.rects[at].class).into();
        assert_eq!(classes, ["heat-5", "heat-1", "heat-0"]);
    }

    #[test]
    fn a_step_without_calls_leaves_the_line_out() {
        let steps = [("a".to_owned(), Some(100.0)), ("b".to_owned(), None), ("c".to_owned(), Some(0.0))];
        let plot = line(&steps);
        assert_eq!((plot.rects.len(), plot.line.as_deref()), (2, Some("M156.7 0.0L607.3 180.0")));
    }
}
