//! `ringside calls`: what the box has taken, from its journal, whether it runs or not.

use super::{
    CONFIG, DATA, Failure,
    ask::Where,
    asked::Asked,
    call_id, desk, print,
    said::{recording, start},
    show::show,
};
use crate::{
    config::Config,
    id::CallId,
    io::{
        files::JOURNAL_DIR,
        journal::reader::fold,
        storage::{Options, kept_until as kept_until_by},
    },
    ledger::{Book as _, Filter, Listed, search},
    note::Part,
    record::{CallRecord, Ended},
    time::WallTime,
    web::{
        calls::{FileKind, write_file},
        wording,
    },
};
use clap::{Args, Subcommand};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<CallsCommand>,
    /// Print one call record a line, as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA, global = true)]
    data: PathBuf,
    /// The configuration file, which says how long calls are kept.
    #[arg(long, value_name = "FILE", default_value = CONFIG, global = true)]
    config: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Clone, Subcommand)]
enum CallsCommand {
    /// List calls, oldest first (the same as no subcommand).
    List(Asked),
    /// Show everything about one call.
    Show {
        /// Id of the call: `cal_…`.
        #[arg(value_name = "ID", value_parser = call_id)]
        id: CallId,
    },
    /// Write calls under the names of the API, newest first; with --json as an array.
    Export {
        #[command(flatten)]
        asked: Asked,
        /// Where to write them, instead of to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn calls(arguments: &Arguments) -> Result<(), Failure> {
    let mut records = load(&arguments.data)?;
    let asked = arguments.asked.clone();
    match arguments.command.clone().unwrap_or(CallsCommand::List(asked)) {
        CallsCommand::List(asked) => list(arguments, &asked, records),
        CallsCommand::Export { asked, out } => {
            records.retain(|record| record.outcome.ended != Ended::InProgress);
            export(arguments, &asked, out.as_deref(), records)
        }
        CallsCommand::Show { id } => {
            let record = records.iter().find(|record| record.id == id).ok_or_else(|| {
                let next = format!("ringside calls --data {}", arguments.data.display());
                Failure::failed(format!("there is no call {id} in {}", arguments.data.display()), next)
            })?;
            if arguments.json {
                return print_json(record);
            }
            print(format_args!("{}", show(record, kept_until(arguments, record), &TimeZone::UTC)));
            Ok(())
        }
    }
}

fn list(arguments: &Arguments, asked: &Asked, records: Vec<CallRecord>) -> Result<(), Failure> {
    let (filter, site) = asked.filter(&arguments.config, "calls")?;
    let is_filtered = filter != Filter::default();
    let records = if is_filtered {
        let book = Listed::new(records);
        let failed = |error| Failure::failed(error, "ringside doctor");
        let mut seqs = search::all(&book, &filter, &site).map_err(failed)?;
        seqs.reverse();
        book.records(&seqs).map_err(failed)?
    } else {
        records
    };
    if arguments.json {
        return records.iter().try_for_each(print_json);
    }
    match (records.is_empty(), is_filtered) {
        (true, true) => print(format_args!("no call fits in {}", arguments.data.display())),
        (true, false) => print(format_args!("no calls yet in {}", arguments.data.display())),
        (false, _) => print(format_args!("{}", table(&records, &TimeZone::UTC))),
    }
    Ok(())
}

fn export(
    arguments: &Arguments,
    asked: &Asked,
    out: Option<&Path>,
    records: Vec<CallRecord>,
) -> Result<(), Failure> {
    let (filter, site) = asked.filter(&arguments.config, "calls export")?;
    let book = Listed::new(records);
    let failed = |error| Failure::failed(error, "ringside doctor");
    let seqs = search::all(&book, &filter, &site).map_err(failed)?;
    let mut written: Box<dyn Write> = match out {
        Some(path) => Box::new(File::create(path).map_err(|error| {
            let next = "name a file that can be written: --out FILE";
            Failure::failed(format!("{}: {error}", path.display()), next)
        })?),
        None => Box::new(std::io::stdout().lock()),
    };
    let kind = if arguments.json { FileKind::Json } else { FileKind::Csv };
    let mut result = Ok(());
    write_file(&book, &seqs, &site, kind, &mut |bytes| {
        result = written.write_all(&bytes);
        result.is_ok()
    });
    result.and_then(|()| written.flush()).map_err(|error| Failure::failed(error, "ringside doctor"))?;
    let of = Where::configured(&arguments.config);
    desk::account(&of, &arguments.data, "exported", &format!("{} calls", seqs.len()));
    Ok(())
}

/// Every call in the journal below `data`, oldest first, each as it now stands.
pub(super) fn load(data: &Path) -> Result<Vec<CallRecord>, Failure> {
    let shown = data.display();
    let next = "name the directory the box writes to: ringside calls --data DIR";
    if !data.is_dir() {
        return Err(Failure::failed(format!("there is no directory {shown}"), next));
    }
    let read = fold(&data.join(JOURNAL_DIR));
    let (records, report) =
        read.map_err(|error| Failure::failed(format!("journal in {shown}: {error}"), next))?;
    if !report.is_clean() {
        eprintln!("warning: the journal in {shown} is damaged; shown is what can be read");
    }
    Ok(records)
}

/// When the next part of a call goes, by the site's configuration and what was asked for.
fn kept_until(arguments: &Arguments, record: &CallRecord) -> Option<(Part, WallTime)> {
    let text = std::fs::read_to_string(&arguments.config).ok()?;
    let options = Options::of(&Config::parse(&text, "").ok()?);
    kept_until_by(&arguments.data, record, &options.policy).ok()?
}

fn print_json(record: &CallRecord) -> Result<(), Failure> {
    let json = serde_json::to_string(record).map_err(|error| Failure::failed(error, "ringside calls"))?;
    print(format_args!("{json}"));
    Ok(())
}

/// The calls as a table, with times in `zone`.
pub(super) fn table(records: &[CallRecord], zone: &TimeZone) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["start", "caller", "tracking number", "campaign", "result", "talk", "recording"]);
    table.add_rows(records.iter().map(|record| {
        let talk = record.timing_ms.talk.map_or(String::new(), wording::duration);
        [
            Cell::new(start(record, zone)),
            Cell::new(wording::caller(
                record.customer_phone_number.as_ref(),
                record.customer_number_presentation,
            )),
            Cell::new(wording::number(&record.tracking_phone_number)),
            Cell::new(record.campaign.as_ref().map_or("", |campaign| campaign.name.as_str())),
            Cell::new(wording::result(record).1),
            Cell::new(talk).set_alignment(CellAlignment::Right),
            Cell::new(recording(record)),
        ]
    }));
    table
}
