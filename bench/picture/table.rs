//! A table as the benches and tests write it: CSV behind two lines of comment, the title and the command that made it.
//!
//! A column's unit stands behind its name in parentheses, or is its name's last word: `late loss (%)`, `buffer_ms`.

use std::collections::BTreeMap;

/// Units that may end a name, and how they are written.
const SUFFIXES: [(&str, &str); 7] = [
    ("_percent", "%"),
    ("_pct", "%"),
    ("_db", "dB"),
    ("_ms", "ms"),
    ("_hz", "Hz"),
    ("_s", "s"),
    ("_mos", "MOS"),
];

/// A table of figures; the first column is the label of a row.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) command: String,
    /// What the labels are, with its unit if it has one.
    pub(crate) label_name: String,
    pub(crate) labels: Vec<String>,
    /// Columns of figures by unit, in their order.
    pub(crate) panels: Vec<Panel>,
    /// Columns of words: one remark for each row.
    pub(crate) remarks: Vec<Vec<String>>,
}

/// The columns of one unit.
pub(crate) struct Panel {
    pub(crate) unit: String,
    pub(crate) series: Vec<Series>,
}

/// One column of figures; `None` where none was measured.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) values: Vec<Option<f64>>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// Text that names the line and what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
        let mut remark = |what: &str| {
            let line = lines.next().and_then(|(_, line)| line.strip_prefix("# "));
            line.map(str::to_owned).ok_or_else(|| format!("the table does not begin with `# {what}`"))
        };
        let (title, command) = (remark("title")?, remark("command")?);
        let (_, head) = lines.next().ok_or("line 3: no names of columns")?;
        let head = cells(head);
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let row = cells(line);
            if row.len() != head.len() {
                return Err(format!("line {number}: {} cells, not {}", row.len(), head.len()));
            }
            rows.push(row);
        }
        if rows.is_empty() || head.len() < 2 {
            return Err("the table has no figures".to_owned());
        }
        let mut columns: Vec<Vec<String>> =
            (0..head.len()).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect();
        let labels = columns.remove(0);
        let (label_name, label_unit) = name_and_unit(&head[0]);
        let label_name =
            if label_unit.is_empty() { label_name } else { format!("{label_name} ({label_unit})") };
        let mut table = Self { title, command, label_name, labels, panels: Vec::new(), remarks: Vec::new() };
        let mut places = BTreeMap::new();
        for (head, cells) in head[1..].iter().zip(columns) {
            table.add(head, cells, &mut places);
        }
        if table.panels.is_empty() {
            return Err("no column is all figures".to_owned());
        }
        Ok(table)
    }

    fn add(&mut self, head: &str, cells: Vec<String>, places: &mut BTreeMap<String, usize>) {
        let is_figures = cells.iter().all(|cell| is_absent(cell) || cell.parse::<f64>().is_ok());
        if !is_figures {
            self.remarks.push(cells);
            return;
        }
        let (name, unit) = name_and_unit(head);
        let values = cells.iter().map(|cell| cell.parse().ok()).collect();
        let place = *places.entry(unit.clone()).or_insert_with(|| {
            self.panels.push(Panel { unit, series: Vec::new() });
            self.panels.len() - 1
        });
        self.panels[place].series.push(Series { name, values });
    }

    /// The labels as steps of an axis, if they are numbers that rise and make a line.
    pub(crate) fn steps(&self) -> Option<Vec<f64>> {
        let steps: Vec<f64> = self.labels.iter().map(|label| label.parse().ok()).collect::<Option<_>>()?;
        (steps.len() >= 3 && steps.is_sorted_by(|a, b| a < b)).then_some(steps)
    }
}

impl Series {
    /// The figures that were measured.
    pub(crate) fn measured(&self) -> impl Iterator<Item = f64> {
        self.values.iter().flatten().copied()
    }
}

/// Whether a row or a column is the product's own.
pub(crate) fn is_ours(name: &str) -> bool {
    ["ringside", "ours"].iter().any(|own| name.to_lowercase().starts_with(own))
}

fn is_absent(cell: &str) -> bool {
    matches!(cell, "" | "-" | "–")
}

fn name_and_unit(head: &str) -> (String, String) {
    if let Some((name, unit)) = head.trim_end_matches([')', ']']).rsplit_once(['(', '[']) {
        return (name.trim().replace('_', " "), unit.trim().to_owned());
    }
    let suffix = SUFFIXES.iter().find_map(|(end, unit)| Some((head.strip_suffix(end)?, *unit)));
    let (name, unit) = suffix.unwrap_or((head, ""));
    (name.replace('_', " "), unit.to_owned())
}

/// The cells of a line; a cell in quotes may hold commas, and a quote twice is one (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            _ => cell.push(character),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}
