//! Lists of customers as other programs write them (RFC 4180): which column is what is found by its heading and by
//! what in it can be read as a number.

use super::{Book, edit::CustomerForm};
use crate::number::E164;
use std::collections::{BTreeMap, BTreeSet};

/// A file of 50,000 customers has about 5 MB.
const MOST_BYTES: usize = 16 << 20;

/// A list as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv {
    /// Headings of the columns.
    headings: Vec<String>,
    /// What each column is taken for.
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Name,
    FirstName,
    LastName,
    ExternalId,
    Number,
    Note,
    Other,
}

/// What bringing a list in would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Preview {
    /// Rows below the headings.
    pub rows: usize,
    /// Rows that cannot be brought in: without a name and a number, or with a number that cannot be read.
    pub unreadable: usize,
    /// Numbers that another customer or another row has already; they stay there.
    pub shared_numbers: usize,
    /// Customers who would be new.
    pub new: usize,
    /// Customers who are known and would be changed.
    pub known: usize,
    /// Each column's heading and what it is taken for.
    pub columns: Vec<(String, &'static str)>,
    /// The first unreadable rows: the line of the file, and what is the matter.
    pub problems: Vec<(usize, String)>,
}

/// Unreadable rows that are named.
const MOST_PROBLEMS: usize = 20;
/// Rows that tell what a column is.
const SAMPLE: usize = 200;

impl Preview {
    /// In a line: `412 rows, 9 unreadable, 3 shared numbers`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { rows, unreadable, shared_numbers, .. } = self;
        format!("{rows} rows, {unreadable} unreadable, {shared_numbers} shared numbers")
    }
}

impl Csv {
    /// Reads a list; `number` reads what people write as a telephone number.
    ///
    /// # Errors
    /// What is the matter with the file as a whole.
    pub fn read(text: &str, number: impl Fn(&str) -> Option<E164>) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("the file has more than {} MB", MOST_BYTES >> 20));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rows = records(text, separator(text));
        if rows.is_empty() {
            return Err("the file is empty".to_owned());
        }
        let headings = rows.remove(0);
        let columns: Vec<Column> = headings
            .iter()
            .enumerate()
            .map(|(index, heading)| column(heading, rows.iter().filter_map(|row| row.get(index)), &number))
            .collect();
        let names = [Column::Name, Column::FirstName, Column::LastName];
        if !columns.iter().any(|column| names.contains(column)) {
            let seen = headings.join(", ");
            return Err(format!("no column is headed `name`; the first line is: {seen}"));
        }
        Ok(Self { headings, columns, rows })
    }

    /// The customers in it, and what bringing them into `book` would do.
    #[must_use]
    pub fn customers(
        &self,
        book: &Book,
        number: impl Fn(&str) -> Option<E164>,
    ) -> (Vec<CustomerForm>, Preview) {
        let named =
            self.headings.iter().zip(&self.columns).map(|(name, column)| (name.clone(), column.words()));
        let mut preview = Preview { rows: self.rows.len(), columns: named.collect(), ..Preview::default() };
        let external = book.external_ids();
        let mut seen: BTreeMap<E164, usize> = BTreeMap::new();
        let mut claimed = BTreeSet::new();
        let mut forms = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let form = match self.form(row, &number) {
                Ok(form) => form,
                Err(why) => {
                    preview.unreadable += 1;
                    if preview.problems.len() < MOST_PROBLEMS {
                        // The headings are line 1.
                        preview.problems.push((index + 2, why));
                    }
                    continue;
                }
            };
            let by_id = form.external_id.as_ref().map(|id| external.get(id).copied());
            let by_number = || form.numbers.iter().find_map(|number| book.owner(number));
            let known = by_id.unwrap_or_else(|| by_number().filter(|id| !claimed.contains(id)));
            claimed.extend(known);
            let is_shared = |number: &&E164| {
                seen.contains_key(number) || book.owner(number).is_some_and(|owner| Some(owner) != known)
            };
            preview.shared_numbers += form.numbers.iter().filter(is_shared).count();
            for number in &form.numbers {
                seen.entry(number.clone()).or_insert(index);
            }
            *if known.is_some() { &mut preview.known } else { &mut preview.new } += 1;
            forms.push(form);
        }
        (forms, preview)
    }

    fn form(&self, row: &[String], number: impl Fn(&str) -> Option<E164>) -> Result<CustomerForm, String> {
        let mut form = CustomerForm::default();
        let (mut first, mut last) = ("", "");
        for (column, cell) in self.columns.iter().zip(row) {
            let cell = cell.trim();
            let text = (!cell.is_empty()).then(|| cell.to_owned());
            match column {
                Column::Name => form.name = cell.to_owned(),
                Column::FirstName => first = cell,
                Column::LastName => last = cell,
                Column::ExternalId => form.external_id = text,
                Column::Note => form.note = text,
                Column::Number => {
                    for part in
                        cell.split([';', ',', '\n', '|']).map(str::trim).filter(|part| !part.is_empty())
                    {
                        let read =
                            number(part).ok_or_else(|| format!("`{part}` is not a telephone number"))?;
                        if !form.numbers.contains(&read) {
                            form.numbers.push(read);
                        }
                    }
                }
                Column::Other => {}
            }
        }
        if form.name.is_empty() {
            form.name = format!("{first} {last}").trim().to_owned();
        }
        if form.name.is_empty() {
            return Err("there is no name".to_owned());
        }
        if form.name.chars().count() > 200 {
            return Err("the name is too long".to_owned());
        }
        Ok(form)
    }

    /// A list as this box writes it, for [`Csv::read`] and for spreadsheets.
    #[must_use]
    pub fn write(book: &Book) -> String {
        let mut out = String::from("id,external_id,name,numbers,note\r\n");
        for customer in book.customers() {
            let numbers = customer.numbers.iter().map(E164::as_str).collect::<Vec<_>>().join("; ");
            let cells = [
                customer.id.to_string(),
                customer.external_id.unwrap_or_default(),
                customer.name,
                numbers,
                customer.note.unwrap_or_default(),
            ];
            out.push_str(&cells.map(|cell| quoted(&cell)).join(","));
            out.push_str("\r\n");
        }
        out
    }
}

impl Column {
    const fn words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::ExternalId => "your id",
            Self::Number => "numbers",
            Self::Note => "note",
            Self::Other => "left out",
        }
    }
}

/// What a column is, by its heading; where that says nothing, by what can be read in it.
fn column<'a>(
    heading: &str,
    cells: impl Iterator<Item = &'a String>,
    number: impl Fn(&str) -> Option<E164>,
) -> Column {
    let heading: String = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let has = |words: &[&str]| words.iter().any(|word| heading.contains(word));
    let is = |words: &[&str]| words.contains(&heading.as_str());
    if is(&["id"]) {
        // Our own; what it names is found again by the id of the office's system or by a number.
        return Column::Other;
    }
    if is(&["externalid", "customerid", "customernumber", "customerno", "accountnumber", "account", "ref"]) {
        return Column::ExternalId;
    }
    if has(&["phone", "mobile", "telephone", "cell"]) || is(&["numbers", "number", "tel", "home", "work"]) {
        return Column::Number;
    }
    if has(&["firstname", "givenname"]) {
        return Column::FirstName;
    }
    if has(&["lastname", "surname", "familyname"]) {
        return Column::LastName;
    }
    if is(&["name", "fullname", "customer", "customername", "displayname", "client", "clientname", "contact"])
    {
        return Column::Name;
    }
    if has(&["note", "comment", "remark"]) {
        return Column::Note;
    }
    let filled: Vec<&str> =
        cells.map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).take(SAMPLE).collect();
    let read = filled.iter().filter(|cell| number(cell).is_some()).count();
    // Nine of ten: a column of dates or amounts has a few that could be numbers.
    if !filled.is_empty() && read * 10 >= filled.len() * 9 { Column::Number } else { Column::Other }
}

/// What stands most often between the cells of the first line.
fn separator(text: &str) -> char {
    let line = text.lines().next().unwrap_or_default();
    [',', ';', '\t'].into_iter().rev().max_by_key(|separator| line.matches(*separator).count()).unwrap_or(',')
}

/// Rows of cells; empty rows are left out. A quote that is never closed ends with the text.
fn records(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' if is_quoted || cell.trim().is_empty() => {
                if !is_quoted {
                    cell.clear();
                }
                is_quoted = !is_quoted;
            }
            _ if is_quoted => cell.push(letter),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' | '\r' => end_row(&mut rows, &mut row, &mut cell),
            letter if letter == separator => row.push(std::mem::take(&mut cell)),
            letter => cell.push(letter),
        }
    }
    end_row(&mut rows, &mut row, &mut cell);
    rows
}

fn end_row(rows: &mut Vec<Vec<String>>, row: &mut Vec<String>, cell: &mut String) {
    row.push(std::mem::take(cell));
    let row = std::mem::take(row);
    if row.iter().any(|cell| !cell.trim().is_empty()) {
        rows.push(row);
    }
}

/// A cell that every reader takes for text: a spreadsheet runs what begins like a formula.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '@', '-', '\t', '\r']);
    let safe = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if safe.contains([',', '"', '\n', '\r', ';']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Dialplan;

    fn number(text: &str) -> Option<E164> {
        E164::from_dialled(text, &Dialplan::for_country("US")?)
    }

    #[test]
    fn columns_are_found_by_heading_and_by_what_can_be_read() {
        let text = "\u{feff}Customer No;Full Name;Where to ring;Paid;Mobile phone;Notes\r\n\
                    7;\"Ortiz; Dana\";(312) 555-0142;12.50;+1 312 555 0143;\"says \"\"hi\"\"\nand more\"\r\n\
                    \r\n8;Lee Park;312.555.0144;3;;\r\n9;;312-555-0145;1;;\r\n10;Kim;;1;555;\r\n11;Lee;3125550144;;;\r\n";
        let csv = Csv::read(text, number).unwrap();
        let (forms, preview) = csv.customers(&Book::default(), number);
        assert_eq!(preview.words(), "5 rows, 2 unreadable, 1 shared numbers");
        let columns: Vec<&str> = preview.columns.iter().map(|(_, what)| *what).collect();
        assert_eq!(columns, ["your id", "name", "numbers", "left out", "numbers", "note"]);
        assert_eq!(preview.problems[1], (5, "`555` is not a telephone number".to_owned()));
        assert_eq!(forms[0].name, "Ortiz; Dana");
        assert_eq!(forms[0].note.as_deref(), Some("says \"hi\"\nand more"));
    }

    #[test]
    fn what_the_box_writes_it_reads_and_no_spreadsheet_runs_it() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("+13125550100"), "+13125550100", "a number is no formula worth fearing");
        assert!(Csv::read("", number).is_err() && Csv::read("a,b\n1,2\n", number).is_err());
        let headings_only = Csv::read(&Csv::write(&Book::default()), number).unwrap();
        assert_eq!(headings_only.customers(&Book::default(), number).1.rows, 0);
    }
}
