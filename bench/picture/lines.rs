//! Lines over steps, a panel for each unit, one below the other.

use super::{
    bars::series_colour,
    scale::{Scale, figure},
    svg::{EDGE, Picture, TOP, WIDTH, colour, width},
    table::{Panel, Table, Value},
};

const PLOT: f64 = 220.0;
/// Room for the figures of the upright axis.
const LEFT: f64 = EDGE + 44.0;
/// The unit above a panel, and ticks and the axis' name below.
const HEAD: f64 = 18.0;
const FOOT: f64 = 44.0;
const LEGEND_LINE: f64 = 18.0;

pub(crate) fn draw(table: &Table, steps: &[f64]) -> String {
    let mut picture = Picture::default();
    let mut top = TOP;
    for panel in &table.panels {
        draw_panel(&mut picture, table, panel, steps, top);
        top += HEAD + PLOT + FOOT;
    }
    picture.finish(&table.title, &table.foot(), top)
}

fn draw_panel(picture: &mut Picture, table: &Table, panel: &Panel, steps: &[f64], top: f64) {
    let names = panel.series.iter().map(|series| width(&series.name));
    let right = WIDTH - EDGE - names.fold(60.0, f64::max).min(320.0) - 36.0;
    let (head, foot) = (top + HEAD, top + HEAD + PLOT);
    let values = panel.series.iter().flat_map(|series| series.measured());
    let upright = Scale::around(values, 4.0, foot, head);
    let along = Scale::along(steps, LEFT + 12.0, right - 12.0);
    picture.text(EDGE, top + 8.0, "head", &panel.unit);
    for tick in upright.ticks() {
        let y = upright.place(tick);
        picture.line((LEFT, y), (right, y), "grid");
        picture.text(LEFT - 6.0, y + 4.0, "small end", &figure(tick));
    }
    picture.line((LEFT, foot), (right, foot), "axis");
    for (step, label) in steps.iter().zip(&table.labels) {
        picture.text(along.place(*step), foot + 15.0, "small middle", label);
    }
    picture.text(0.5 * (LEFT + right), foot + 31.0, "small middle", &table.label_name);
    for (s, series) in panel.series.iter().enumerate() {
        let own = series_colour(panel, s);
        let measured =
            || steps.iter().zip(&series.values).filter_map(|(step, value)| Some((*step, (*value)?)));
        let point = |step, value: Value| (along.place(step), upright.place(value.median));
        let points: Vec<(f64, f64)> = measured().map(|(step, value)| point(step, value)).collect();
        picture.path(&points, &colour('l', own));
        for (step, value) in measured() {
            let x = along.place(step);
            if value.is_spread() {
                picture.line((x, upright.place(value.least)), (x, upright.place(value.most)), "spread");
            }
            let says = format!("{}: {}", series.name, figure(value.median));
            picture.dot(point(step, value), &colour('c', own), &says);
        }
        let y = head + 10.0 + s as f64 * LEGEND_LINE;
        picture.bar((right + 16.0, y - 6.0), (14.0, 4.0), &colour('c', own), &series.name);
        picture.text(right + 36.0, y, "", &series.name);
    }
}
