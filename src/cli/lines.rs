//! `ringside lines`: every jack of the box; `ringside lines test` measures them.

use super::{
    Failure,
    ask::{NoAnswer, RunningBox, Where},
    print,
    status::printable,
};
use crate::{
    status::{BoxStatus, Fault, LineHealth},
    web::status_wording as words,
};
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<LinesCommand>,
    #[command(flatten)]
    asked: Where,
    /// Print JSON: one object a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum LinesCommand {
    /// Measure ports and say what they are worth; a port in use is left alone.
    Test {
        /// Names of ports: `LINE1`. All of them unless given.
        #[arg(value_name = "PORT")]
        ports: Vec<String>,
    },
}

const COMMAND: &str = "ringside lines";
const TEST: &str = "ringside lines test";

pub(super) fn lines(arguments: &Arguments) -> Result<(), Failure> {
    let running = arguments.asked.running();
    let status = running.status().map_err(|error| error.failure(COMMAND))?;
    match &arguments.command {
        Some(LinesCommand::Test { ports }) => test(&running, &status, ports, arguments.json),
        None if arguments.json => {
            let phones = status.phones.iter().map(|phone| json!({"kind": "phone", "status": phone}));
            let lines = status.lines.iter().map(|line| json!({"kind": "line", "status": line}));
            phones.chain(lines).for_each(|port| print(format_args!("{port}")));
            Ok(())
        }
        None => {
            print(format_args!("{}", printable(&table(&status).to_string())));
            Ok(())
        }
    }
}

/// The jacks as a table.
pub(super) fn table(status: &BoxStatus) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["port", "state", "volts", "mA", "health", "calls", "hang-up", "last fault"]);
    let volts = |volts: Option<f32>| volts.map_or_else(String::new, words::volts);
    let milliamps = |milliamps: Option<f32>| milliamps.map_or_else(String::new, |ma| format!("{ma:.0}"));
    let health = |tested: &Option<LineHealth>| tested.as_ref().map_or_else(String::new, words::health);
    let fault = |fault: &Option<Fault>| {
        let said =
            |fault: &Fault| format!("{}, {} ago", fault.text, words::for_how_long(fault.at, status.at));
        fault.as_ref().map_or_else(String::new, said)
    };
    for phone in &status.phones {
        table.add_row([
            phone.user.as_ref().map_or_else(|| phone.port.clone(), |user| format!("{} ({user})", phone.port)),
            words::phone_state(phone.state).to_owned(),
            volts(phone.volts),
            milliamps(phone.milliamps),
            health(&phone.health),
            String::new(),
            String::new(),
            fault(&phone.last_fault),
        ]);
    }
    for line in &status.lines {
        let calls = &line.calls;
        table.add_row([
            line.port.clone(),
            words::line_state(line.state).to_owned(),
            volts(line.volts),
            milliamps(line.milliamps),
            health(&line.health),
            (calls.tracked + calls.direct + calls.dialled_out + calls.emergency).to_string(),
            line.hang_up_signal.map_or_else(String::new, |signal| words::hang_up_signal(signal).to_owned()),
            fault(&line.last_fault),
        ]);
    }
    table
}

fn test(running: &RunningBox, status: &BoxStatus, wanted: &[String], as_json: bool) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for port in chosen(status, wanted)? {
        let result = running.test(&port);
        if as_json {
            print(format_args!("{}", as_object(&port, &result)));
        } else if let Ok(health) = &result {
            print(format_args!("{}\n", printable(&report(&port, health))));
        }
        if let Err(error) = result {
            failed.push((port, error));
        }
    }
    let Some((_, first)) = failed.first() else { return Ok(()) };
    let said = failed.iter().map(|(port, error)| format!("{port} was not tested: {error}"));
    let said = said.collect::<Vec<_>>().join("\n");
    Err(Failure { message: said, ..first.failure(TEST) })
}

/// The ports to test: as named, in any case, or all.
fn chosen(status: &BoxStatus, wanted: &[String]) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(status.ports().map(str::to_owned).collect());
    }
    let known = |name: &String| {
        let port = status.ports().find(|port| port.eq_ignore_ascii_case(name)).map(str::to_owned);
        port.ok_or_else(|| {
            let all = status.ports().collect::<Vec<_>>().join(", ");
            Failure::failed(format!("there is no port {name}; there are {all}"), COMMAND)
        })
    };
    wanted.iter().map(known).collect()
}

fn as_object(port: &str, result: &Result<LineHealth, NoAnswer>) -> serde_json::Value {
    match result {
        Ok(health) => json!({"port": port, "health": health}),
        Err(error) => json!({"port": port, "problem": error.to_string()}),
    }
}

/// What a test found, with the score and what to do about each deduction.
fn report(port: &str, health: &LineHealth) -> String {
    let mut out = format!(
        "{port}: {} of 100{}\n",
        health.score,
        words::trend(health).map_or_else(String::new, |trend| format!(", {trend}"))
    );
    // Writing to a String does not fail.
    for (name, value) in words::measured(&health.measured) {
        let _ = writeln!(out, "  {name:<13} {value}");
    }
    for one in &health.deductions {
        let _ = writeln!(out, "  {:>4} {}\n       fix: {}", format!("-{}", one.points), one.text, one.remedy);
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::made_up;

    #[test]
    fn the_table_shows_every_jack() {
        let table = table(&made_up::busy()).to_string();
        for said in ["PHONE1 (Dana)", "PHONE2", "LINE1", "in a call", "down", "open loop"] {
            assert!(table.contains(said), "{said} is missing in\n{table}");
        }
    }

    #[test]
    fn a_report_says_what_was_measured_and_what_to_do() {
        let report = report("LINE2", &made_up::worse_health());
        for said in [
            "LINE2: 85 of 100, getting worse",
            "  battery       48.2 V",
            "  balance       impedance 2, hybrid [1, -3, 7, 0, 0, 2, 0, -1]: 8.0 dB weaker",
            "   -15 echo comes back only 8 dB weaker\n       fix: check that country is right",
        ] {
            assert!(report.contains(said), "{said} is missing in\n{report}");
        }
    }

    #[test]
    fn ports_are_chosen_by_name_in_any_case() {
        let status = made_up::idle();
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(&status, &names)
        };
        assert_eq!(named(&["line2"]).unwrap(), ["LINE2"]);
        assert_eq!(named(&[]).unwrap().len(), 4);
        let failure = named(&["LINE9"]).unwrap_err();
        assert!(failure.message.contains("there are PHONE1, PHONE2, LINE1, LINE2"), "{}", failure.message);
    }
}
