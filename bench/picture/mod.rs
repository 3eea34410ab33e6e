//! Pictures of measured tables: SVG written by hand, for light and dark pages alike.
//!
//! A table whose first column is numbers, three rows or more, becomes lines; any other becomes bars. Columns of one
//! unit share a panel.

mod bars;
mod lines;
mod scale;
mod svg;
mod table;

pub(crate) use table::Table;

/// The picture of a table.
pub(crate) fn draw(table: &Table) -> String {
    match table.steps() {
        Some(steps) => lines::draw(table, &steps),
        None => bars::draw(table),
    }
}
