//! `ringside customers`.

use super::{Asked, Method, failed, in_path, text};
use crate::cli::{Failure, print};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(in crate::cli) struct Customers {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Subcommand)]
enum Command {
    /// Show customers, all or those that a name or a number finds.
    List {
        /// A part of the name, or a number in any spelling.
        #[arg(value_name = "TEXT", default_value = "")]
        wanted: String,
    },
    /// Add a customer.
    Add {
        /// Name.
        #[arg(value_name = "NAME")]
        name: String,
        /// A telephone number; may be given more than once.
        #[arg(long = "number", value_name = "NUMBER")]
        numbers: Vec<String>,
        /// Id in the office's own system.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        /// A note.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Remove a customer.
    Remove {
        /// The customer's id, or one of their numbers.
        #[arg(value_name = "CUSTOMER")]
        customer: String,
    },
    /// Make two customers one.
    Merge {
        /// Who stays: an id, or a number.
        #[arg(value_name = "CUSTOMER")]
        keep: String,
        /// Who goes: an id, or a number.
        #[arg(value_name = "CUSTOMER")]
        gone: String,
    },
    /// Bring a list in: CSV with a line of headings.
    Import {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what was changed about a customer.
    History {
        /// The customer's id, or one of their numbers.
        #[arg(value_name = "CUSTOMER")]
        customer: String,
    },
}

const COMMAND: &str = "ringside customers";

pub(in crate::cli) fn customers(arguments: &Customers) -> Result<(), Failure> {
    let asked = &arguments.asked;
    let at = |customer: &str| format!("/api/v1/customers/{}", in_path(customer));
    match &arguments.command {
        Command::List { wanted } => {
            let path = format!("/api/v1/customers?per_page=250&q={}", in_path(wanted));
            let found = asked.get(&path, COMMAND)?;
            let fields = [("name", "name"), ("numbers", "numbers"), ("your id", "external_id"), ("id", "id")];
            asked.show(&found["customers"], &fields);
            let (shown, all) =
                (found["customers"].as_array().map_or(0, Vec::len), text(&found["total_records"]));
            if shown.to_string() != all {
                eprintln!("note: {shown} of {all} are shown; name a part of the name or a number");
            }
        }
        Command::Add { name, numbers, external_id, note } => {
            let body = json!({ "name": name, "numbers": numbers, "external_id": external_id, "note": note });
            let entry = asked.send(Method::Post, "/api/v1/customers", &body, COMMAND)?;
            asked.done(&entry, &format!("{name} is {}", text(&entry["id"])));
        }
        Command::Remove { customer } => {
            asked.send(Method::Delete, &at(customer), &Value::Null, COMMAND)?;
            asked.done(&Value::Null, "the customer is removed");
        }
        Command::Merge { keep, gone } => {
            let entry = asked.send(
                Method::Post,
                &format!("{}/merge", at(keep)),
                &json!({ "gone": gone }),
                COMMAND,
            )?;
            asked.done(&entry, &format!("{} has the numbers and jobs of both", text(&entry["name"])));
        }
        Command::Import { file, dry_run } => import(asked, file, *dry_run)?,
        Command::History { customer } => asked.history(&asked.get(&at(customer), COMMAND)?),
    }
    Ok(())
}

fn import(asked: &Asked, file: &Path, dry_run: bool) -> Result<(), Failure> {
    let list = std::fs::read(file).map_err(|error| {
        Failure::failed(format!("{}: {error}", file.display()), format!("{COMMAND} import FILE"))
    })?;
    let list = String::from_utf8_lossy(&list);
    let path = format!("/api/v1/customers/import?dry_run={dry_run}");
    let answer = asked.of.running().change(Method::Post, &path, &list, "text/plain; charset=utf-8");
    let answer = answer.map_err(|error| failed(&error, COMMAND))?;
    asked.warn(&answer);
    if asked.json {
        print(format_args!("{answer}"));
        return Ok(());
    }
    let count = |field: &str| text(&answer[field]);
    print(format_args!(
        "{} rows, {} unreadable, {} shared numbers: {} new, {} known",
        count("rows"),
        count("unreadable"),
        count("shared_numbers"),
        count("new"),
        count("known")
    ));
    for problem in answer["problems"].as_array().into_iter().flatten() {
        eprintln!("note: row {}: {}", text(&problem[0]), crate::cli::status::printable(&text(&problem[1])));
    }
    if dry_run {
        print(format_args!("nothing was changed; without --dry-run it is brought in"));
    }
    Ok(())
}
