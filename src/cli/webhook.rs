//! `ringside webhook`: how the receivers of webhooks do, a test, a replay.

use super::{Failure, ask::Where, print, status::printable};
use crate::{
    time::WallTime,
    webhook::desk::{Report, Tested},
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show every receiver: what it is told, how it does, what waits for it.
    List(List),
    /// Send a receiver an event of type `test` now.
    Test(Test),
    /// Send a receiver the calls of a time again, under the ids they had.
    Replay(Replay),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    asked: Where,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Test {
    #[command(flatten)]
    asked: Where,
    /// Number of the receiver, as `ringside webhook list` shows it.
    n: usize,
}

#[derive(Args)]
pub(super) struct Replay {
    #[command(flatten)]
    asked: Where,
    /// Number of the receiver, as `ringside webhook list` shows it.
    n: usize,
    /// Calls that came in at this time or later: 2026-11-22T13:05:09Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: WallTime,
    /// Calls that came in at this time or earlier; now if it is left out.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<WallTime>,
}

const COMMAND: &str = "ringside webhook list";

fn time(text: &str) -> Result<WallTime, String> {
    WallTime::parse(text).ok_or_else(|| "write it like 2026-11-22T13:05:09Z".to_owned())
}

pub(super) fn webhook(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(List { asked, json }) => {
            let reports = asked.running().webhooks().map_err(|error| error.failure(COMMAND))?;
            if *json {
                let json =
                    serde_json::to_string(&reports).map_err(|error| Failure::failed(error, COMMAND))?;
                print(format_args!("{json}"));
            } else {
                print(format_args!("{}", printable(&text(&reports))));
            }
            Ok(())
        }
        Command::Test(Test { asked, n }) => {
            let Tested { accepted, said } =
                asked.running().test_webhook(*n).map_err(|error| error.failure(COMMAND))?;
            if accepted {
                print(format_args!("accepted: {}", printable(&said)));
                return Ok(());
            }
            Err(Failure::failed(format!("the receiver did not accept it: {said}"), COMMAND))
        }
        Command::Replay(Replay { asked, n, from, to }) => {
            let calls =
                asked.running().replay_webhook(*n, *from, *to).map_err(|error| error.failure(COMMAND))?;
            print(format_args!("{calls} calls are sent again"));
            Ok(())
        }
    }
}

fn text(reports: &[Report]) -> String {
    if reports.is_empty() {
        return "no webhooks: add [[webhook]] to the configuration".to_owned();
    }
    let one = |report: &Report| {
        let events: Vec<&str> = report.events.iter().map(|event| event.name()).collect();
        let mut lines = vec![
            format!("{}  {}", report.n, report.url),
            format!(
                "   {}: {} waiting, {} accepted",
                report.state.replace('_', " "),
                report.waiting,
                report.accepted
            ),
            format!("   events   {}", events.join(", ")),
        ];
        lines.extend(report.last.as_ref().map(|last| format!("   last     {last}")));
        lines.extend(report.public_key.as_ref().map(|key| format!("   key      {key}")));
        if report.dropped + report.expired > 0 {
            lines.push(format!(
                "   not told {} for want of room, {} given up",
                report.dropped, report.expired
            ));
        }
        lines.join("\n")
    };
    reports.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Kind;

    #[test]
    fn a_receiver_is_shown_with_what_is_the_matter() {
        let report = Report {
            n: 1,
            url: "https://crm.example.net/hook".to_owned(),
            events: vec![Kind::PostCall],
            signing: "v1".to_owned(),
            public_key: None,
            state: "given_up".to_owned(),
            last: Some("no answer in time".to_owned()),
            failures: 9,
            waiting: 3,
            accepted: 40,
            dropped: 2,
            expired: 0,
        };
        assert_eq!(
            text(&[report]),
            "1  https://crm.example.net/hook\n   given up: 3 waiting, 40 accepted\n   events   post_call\n   \
             last     no answer in time\n   not told 2 for want of room, 0 given up"
        );
        assert!(text(&[]).contains("[[webhook]]"));
    }
}
