//! `ringside numbers`, `ringside campaigns`, `ringside customers`: the office's directory, through the running box.

mod customers;
mod numbers;

pub(super) use customers::{Customers, customers};
pub(super) use numbers::{Campaigns, Numbers, campaigns, numbers};

use super::{
    Failure,
    ask::{NoAnswer, Where},
    print,
    status::printable,
};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// Which box, and how it is shown.
#[derive(Args, Clone, Debug)]
pub(super) struct Asked {
    #[command(flatten)]
    of: Where,
    /// Print JSON: one object a line.
    #[arg(long, global = true)]
    json: bool,
}

impl Asked {
    fn get(&self, path: &str, command: &str) -> Result<Value, Failure> {
        self.of.running().look(path).map_err(|error| failed(&error, command))
    }

    fn send(&self, method: Method, path: &str, body: &Value, command: &str) -> Result<Value, Failure> {
        let answer = self.of.running().change(method, path, &body.to_string(), "application/json");
        let answer = answer.map_err(|error| failed(&error, command))?;
        self.warn(&answer);
        Ok(answer)
    }

    /// What somebody should look at goes where it does not disturb whoever reads the answer.
    fn warn(&self, answer: &Value) {
        for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("note: {}", printable(warning));
        }
    }

    /// Shows entries: as JSON a line each, else as a table of these fields.
    fn show(&self, entries: &Value, fields: &[(&str, &str)]) {
        let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
        if self.json {
            entries.iter().for_each(|entry| print(format_args!("{entry}")));
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(fields.iter().map(|(name, _)| *name));
        for entry in entries {
            table.add_row(fields.iter().map(|(_, field)| text(&entry[*field])));
        }
        print(format_args!("{}", printable(&table.to_string())));
    }

    /// Shows one entry, or says in words that it is done.
    fn done(&self, entry: &Value, words: &str) {
        if self.json && !entry.is_null() {
            print(format_args!("{entry}"));
        } else {
            print(format_args!("{}", printable(words)));
        }
    }

    /// Shows the history of an entry, oldest first.
    fn history(&self, entry: &Value) {
        for change in entry["history"].as_array().into_iter().flatten() {
            if self.json {
                print(format_args!("{change}"));
            } else {
                let line =
                    format!("{}  {}: {}", text(&change["at"]), text(&change["who"]), text(&change["what"]));
                print(format_args!("{}", printable(&line)));
            }
        }
    }
}

/// How something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Post,
    Put,
    Delete,
}

fn failed(error: &NoAnswer, command: &str) -> Failure {
    match error {
        // The box has said what to do.
        NoAnswer::Problem { .. } => Failure::failed(error, format!("{command} --help")),
        NoAnswer::Unreachable(..) | NoAnswer::Stranger(_) => error.failure(command),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A text as a segment of a path or the value of a query (RFC 3986 2.1).
fn in_path(text: &str) -> String {
    super::ask::in_path(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_said_without_quotes() {
        assert_eq!(text(&serde_json::json!(["+13125550100", "+13125550101"])), "+13125550100, +13125550101");
        assert_eq!((text(&Value::Null), text(&serde_json::json!(4))), (String::new(), "4".to_owned()));
    }
}
