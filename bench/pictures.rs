//! Pictures of the measured tables for the README: every `bench/tables/*.csv` becomes the `.svg` beside it.
//!
//! `cargo bench --bench pictures`. Nothing is measured here; the tables are committed, and so are their pictures.

#![allow(clippy::disallowed_methods, reason = "a bench reads and writes files")]

mod picture;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/tables");

fn main() -> ExitCode {
    let entries = fs::read_dir(TABLES).unwrap_or_else(|error| panic!("{TABLES}: {error}"));
    let mut tables: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    tables.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    tables.sort();
    let mut wrong = false;
    for path in tables {
        if let Err(error) = draw(&path) {
            eprintln!("{}: {error}", path.display());
            wrong = true;
        }
    }
    ExitCode::from(u8::from(wrong))
}

fn draw(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let svg = picture::draw(&picture::Table::parse(&text)?);
    let to = path.with_extension("svg");
    // An unchanged picture keeps its time, so that nothing is built again because of it.
    if fs::read_to_string(&to).is_ok_and(|before| before == svg) {
        return Ok(());
    }
    eprintln!("writes {}", to.display());
    fs::write(&to, svg).map_err(|error| error.to_string())
}
