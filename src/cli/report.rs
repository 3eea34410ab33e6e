//! `ringside report`: what the calls add up to, from the journal, whether the box runs or not.

use super::{DATA, Failure, ask::Where, asked::Asked, calls::load, desk, print};
use crate::{
    ledger::{
        Filter, Listed,
        calendar::Preset,
        filter::Site,
        report::{self, Group, Report, Sums},
    },
    web::{reports, wording},
};
use clap::Args;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Write it as one page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print it as one JSON object.
    #[arg(long)]
    json: bool,
    /// Directory of calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    #[command(flatten)]
    of: Where,
}

pub(super) fn report(arguments: &Arguments) -> Result<(), Failure> {
    let (mut filter, site) = arguments.asked.filter(&arguments.of.config, "report")?;
    if filter.preset.is_none() && filter.from.is_none() && filter.to.is_none() {
        filter.preset = Some(Preset::Last30Days.word());
    }
    let book = Listed::new(load(&arguments.data)?);
    let failed = |error| Failure::failed(error, "ringside doctor");
    if let Some(path) = &arguments.html {
        let html = reports::html(&book, &filter, &site).map_err(failed)?;
        std::fs::write(path, html).map_err(|error| {
            Failure::failed(
                format!("{}: {error}", path.display()),
                "name a file that can be written: --html FILE",
            )
        })?;
        desk::account(&arguments.of, &arguments.data, "exported", &format!("a report to {}", path.display()));
        print(format_args!("{}", path.display()));
        return Ok(());
    }
    if arguments.json {
        let json = reports::json(&book, &filter, &site).map_err(failed)?;
        print(format_args!("{json}"));
        return Ok(());
    }
    let report = report::report(&book, &filter, &site).map_err(failed)?;
    print(format_args!("{}", in_words(&report, &filter, &site)));
    Ok(())
}

fn in_words(report: &Report, filter: &Filter, site: &Site) -> String {
    let (from, to) = filter.days(crate::ledger::calendar::day_of(site.now, &site.zone));
    let day = |day: Option<jiff::civil::Date>, ever: &str| day.map_or(ever.to_owned(), |day| day.to_string());
    let zone = site.zone.iana_name().unwrap_or("UTC");
    let mut out = format!("{} to {}, times of {zone}\n", day(from, "the first call"), day(to, "the last"));
    let number = |group: &Group| {
        group.id.parse().map_or_else(|_| group.name.clone(), |number| wording::number(&number))
    };
    let name = |group: &Group| {
        if group.name.is_empty() { "none".to_owned() } else { group.name.clone() }
    };
    let all = Group { id: String::new(), name: "all calls".to_owned(), sums: report.all };
    out.push_str(&table("", &[all], name).to_string());
    for (title, table) in [
        ("campaign", table("campaign", &report.campaigns, name)),
        ("tracking number", table("tracking number", &report.numbers, number)),
        ("who answered", table("who answered", &report.agents, name)),
    ] {
        out.push_str(&format!("\n\nby {title}\n{table}"));
    }
    out
}

fn table(of: &str, groups: &[Group], name: impl Fn(&Group) -> String) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([of, "calls", "answered", "missed", "first-time", "talk", "time to answer", "booked"]);
    table.add_rows(groups.iter().map(|group| row(name(group), &group.sums)));
    table
}

fn row(name: String, sums: &Sums) -> [Cell; 8] {
    use crate::ledger::label::Booking;
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let percent = sums.answered_percent().map_or(String::new(), |percent| format!("{percent:.0} %"));
    let wait = sums.time_to_answer_ms().map_or(String::new(), |ms| format!("{:.1} s", ms as f64 / 1_000.0));
    [
        Cell::new(name),
        right(sums.calls.to_string()),
        right(percent),
        right(sums.missed().to_string()),
        right(sums.first_time.to_string()),
        right(wording::duration(sums.talk_ms)),
        right(wait),
        right(sums.labelled(Booking::Booked).to_string()),
    ]
}
