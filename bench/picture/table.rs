//! A table as the benches and tests write it: CSV behind two lines of comment, the title and the command that made it.
//!
//! Rows of one label are one: their median, and the least and the most.
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
    pub(crate) values: Vec<Option<Value>>,
}

/// The figures of one label: one row's, or the median of several and what it lies between.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Value {
    fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            0.5 * (figures[middle - 1] + figures[middle])
        } else {
            figures[middle]
        };
        Some(Self { least, median, most })
    }

    /// Whether there is more than one figure behind it.
    pub(crate) fn is_spread(&self) -> bool {
        self.least < self.most
    }
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
        let mut labels: Vec<String> = Vec::new();
        let mut same: Vec<Vec<&[String]>> = Vec::new();
        for row in &rows {
            let place = labels.iter().position(|label| *label == row[0]).unwrap_or(labels.len());
            if place == labels.len() {
                labels.push(row[0].clone());
                same.push(Vec::new());
            }
            same[place].push(&row[1..]);
        }
        let (label_name, label_unit) = name_and_unit(&head[0]);
        let label_name =
            if label_unit.is_empty() { label_name } else { format!("{label_name} ({label_unit})") };
        let mut table = Self { title, command, label_name, labels, panels: Vec::new(), remarks: Vec::new() };
        let mut places = BTreeMap::new();
        for (column, head) in head[1..].iter().enumerate() {
            let cells = |rows: &Vec<&[String]>| rows.iter().map(|row| row[column].clone()).collect();
            table.add(head, same.iter().map(cells).collect(), &mut places);
        }
        if table.panels.is_empty() {
            return Err("no column is all figures".to_owned());
        }
        Ok(table)
    }

    /// A column: the cells of each label.
    fn add(&mut self, head: &str, cells: Vec<Vec<String>>, places: &mut BTreeMap<String, usize>) {
        let is_figure = |cell: &String| is_absent(cell) || read(cell).is_some();
        if !cells.iter().flatten().all(is_figure) {
            // Rows that are one say only what they all say.
            let one = |cells: Vec<String>| {
                let agree = cells.windows(2).all(|two| two[0] == two[1]);
                cells.into_iter().next().filter(|_| agree).unwrap_or_default()
            };
            let remarks: Vec<String> = cells.into_iter().map(one).collect();
            self.remarks.extend(remarks.iter().any(|remark| !remark.is_empty()).then_some(remarks));
            return;
        }
        let (name, unit) = name_and_unit(head);
        let value = |cells: &Vec<String>| Value::of(cells.iter().filter_map(|cell| read(cell)).collect());
        let values = cells.iter().map(value).collect();
        let place = *places.entry(unit.clone()).or_insert_with(|| {
            self.panels.push(Panel { unit, series: Vec::new() });
            self.panels.len() - 1
        });
        self.panels[place].series.push(Series { name, values });
    }

    /// What to say below the picture: the command, and what bars and lines are if rows are one.
    pub(crate) fn foot(&self) -> String {
        let mut values = self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.values);
        let is_spread = values.any(|value| value.is_some_and(|value| value.is_spread()));
        format!("{}{}", self.command, if is_spread { "   (median; line: least to most)" } else { "" })
    }

    /// The labels as steps of an axis, if they are numbers that rise and make a line.
    pub(crate) fn steps(&self) -> Option<Vec<f64>> {
        let steps: Vec<f64> = self.labels.iter().map(|label| label.parse().ok()).collect::<Option<_>>()?;
        (steps.len() >= 3 && steps.is_sorted_by(|a, b| a < b)).then_some(steps)
    }
}

impl Series {
    /// The ends of what was measured.
    pub(crate) fn measured(&self) -> impl Iterator<Item = f64> {
        self.values.iter().flatten().flat_map(|value| [value.least, value.most])
    }
}

/// Whether a row or a column is the product's own.
pub(crate) fn is_ours(name: &str) -> bool {
    ["ringside", "ours"].iter().any(|own| name.to_lowercase().starts_with(own))
}

fn is_absent(cell: &str) -> bool {
    matches!(cell, "" | "-" | "–")
}

fn read(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|figure: &f64| figure.is_finite())
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
