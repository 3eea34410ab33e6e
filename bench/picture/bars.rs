//! Bars from the left, a row for each label, a panel for each unit.

use super::{
    scale::{Scale, figure},
    svg::{EDGE, Picture, TOP, WIDTH, colour, width},
    table::{Panel, Table, Value, is_ours},
};

/// Panels side by side.
const ABREAST: usize = 4;
const BETWEEN_PANELS: f64 = 22.0;
/// Room behind the longest bar for its figure.
const FIGURE: f64 = 46.0;
/// Between two ticks of the axis, about.
const STEP: f64 = 90.0;
const LEGEND_LINE: f64 = 16.0;
const HEAD: f64 = 20.0;
/// Ticks and the unit below a panel.
const AXIS: f64 = 36.0;

/// Where the rows of one band of panels are.
struct Rows {
    top: f64,
    height: f64,
    bar: f64,
}

pub(crate) fn draw(table: &Table) -> String {
    let mut picture = Picture::default();
    let mut top = TOP;
    for band in table.panels.chunks(ABREAST) {
        top = draw_band(&mut picture, table, band, top);
    }
    picture.finish(&table.title, &table.foot(), top)
}

/// Returns where the next band begins.
fn draw_band(picture: &mut Picture, table: &Table, band: &[Panel], top: f64) -> f64 {
    let words = table.labels.iter().map(|label| width(label));
    let remarks = table.remarks.iter().flatten().map(|remark| 0.88 * width(remark));
    let left = EDGE + words.chain(remarks).fold(60.0, f64::max).min(300.0) + 12.0;
    let count = band.len() as f64;
    let panel_width = (WIDTH - EDGE - left - (count - 1.0) * BETWEEN_PANELS) / count;
    let most = band.iter().map(|panel| panel.series.len()).max().unwrap_or(1);
    let bar = if most == 1 { 14.0 } else { 10.0 };
    let least = 24.0 + 13.0 * table.remarks.len() as f64;
    let legend = if most == 1 { 0.0 } else { most as f64 * LEGEND_LINE };
    let rows = Rows { top: top + HEAD + legend, height: (most as f64 * bar + 10.0).max(least), bar };
    for (n, label) in table.labels.iter().enumerate() {
        let middle = rows.top + (n as f64 + 0.5) * rows.height;
        let y = middle + 4.0 - 6.5 * table.remarks.len() as f64;
        picture.text(left - 12.0, y, if is_ours(label) { "head end" } else { "end" }, label);
        for (line, remarks) in table.remarks.iter().enumerate() {
            picture.text(left - 12.0, y + 13.0 * (line + 1) as f64, "small end", &remarks[n]);
        }
    }
    for (n, panel) in band.iter().enumerate() {
        let from = left + n as f64 * (panel_width + BETWEEN_PANELS);
        draw_panel(picture, table, panel, &rows, (from, from + panel_width), top);
    }
    rows.top + rows.height * table.labels.len() as f64 + AXIS + 8.0
}

fn draw_panel(
    picture: &mut Picture,
    table: &Table,
    panel: &Panel,
    rows: &Rows,
    (from, to): (f64, f64),
    top: f64,
) {
    let values = panel.series.iter().flat_map(|series| series.measured());
    let steps = ((to - from) / STEP).max(3.0);
    let scale = Scale::from_zero(values, steps, from, to - FIGURE);
    let foot = rows.top + rows.height * table.labels.len() as f64;
    let single = panel.series.len() == 1;
    let head = if single { &panel.series[0].name } else { &panel.unit };
    picture.text(from, top + 12.0, "head", head);
    for tick in scale.ticks() {
        let x = scale.place(tick);
        picture.line((x, rows.top), (x, foot), if tick == 0.0 { "axis" } else { "grid" });
        picture.text(x, foot + 14.0, "small middle", &figure(tick));
    }
    picture.text(from, foot + 30.0, "small", &panel.unit);
    let any_ours = table.labels.iter().any(|label| is_ours(label));
    for (s, series) in panel.series.iter().enumerate() {
        let own = series_colour(panel, s);
        if !single {
            let y = top + HEAD + s as f64 * LEGEND_LINE;
            picture.bar((from, y), (10.0, 10.0), &colour('c', own), &series.name);
            picture.text(from + 16.0, y + 9.0, "", &series.name);
        }
        for (n, value) in series.values.iter().enumerate() {
            let of_row = usize::from(any_ours && !is_ours(&table.labels[n]));
            let class = colour('c', if single { of_row } else { own });
            let middle = rows.top + (n as f64 + 0.5) * rows.height;
            let y = middle + (s as f64 - 0.5 * panel.series.len() as f64) * rows.bar;
            let Some(value) = *value else {
                picture.text(from + 4.0, y + 0.5 * rows.bar + 3.5, "small", "not measured");
                continue;
            };
            let says = format!("{}, {}", table.labels[n], series.name);
            draw_bar(picture, value, &scale, (y, rows.bar), &class, &says);
        }
    }
}

/// A bar from zero to the median, over it a line from the least to the most, behind it the figure.
fn draw_bar(
    picture: &mut Picture,
    value: Value,
    scale: &Scale,
    (y, thickness): (f64, f64),
    class: &str,
    says: &str,
) {
    let (zero, end, middle) = (scale.place(0.0), scale.place(value.median), y + 0.5 * (thickness - 1.0));
    let text = figure(value.median);
    let size = ((end - zero).abs().max(1.0), thickness - 1.0);
    picture.bar((zero.min(end), y), size, class, &format!("{says}: {text}"));
    if value.is_spread() {
        let (from, to) = (scale.place(value.least), scale.place(value.most));
        picture.line((from, middle), (to, middle), "spread");
    }
    let behind = zero.max(end).max(scale.place(value.most));
    picture.text(behind + 4.0, middle + 4.0, "small", &text);
}

/// Ours has the first colour; the others follow in their order.
pub(super) fn series_colour(panel: &Panel, at: usize) -> usize {
    let ours = panel.series.iter().position(|series| is_ours(&series.name));
    match ours {
        Some(ours) if at == ours => 0,
        Some(ours) if at < ours => at + 1,
        Some(_) | None => at,
    }
}
