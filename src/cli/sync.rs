//! `ringside sync`: how bringing records and recordings upstream does.

use super::{Failure, ask::Where, print, status::printable};
use crate::{
    status::{BoxStatus, SyncStatus},
    web::status_wording as words,
};
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show what waits, and when the upstream last answered.
    Status(Arguments),
    /// Send everything now, also what was refused.
    Now(Arguments),
}

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    asked: Where,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

const COMMAND: &str = "ringside sync status";

pub(super) fn sync(command: &Command) -> Result<(), Failure> {
    let (Command::Status(arguments) | Command::Now(arguments)) = command;
    let running = arguments.asked.running();
    if matches!(command, Command::Now(_)) {
        running.sync_now().map_err(|error| error.failure(COMMAND))?;
    }
    let status = running.status().map_err(|error| error.failure(COMMAND))?;
    if arguments.json {
        let json = serde_json::to_string(&status.sync).map_err(|error| Failure::failed(error, COMMAND))?;
        print(format_args!("{json}"));
    } else {
        print(format_args!("{}", printable(&text(&status.sync, &status))));
    }
    Ok(())
}

fn text(sync: &SyncStatus, status: &BoxStatus) -> String {
    let ago = |at| format!("{} ago", words::for_how_long(at, status.at));
    let rows = [
        ("sync", Some(words::sync(sync))),
        ("oldest", sync.oldest.map(ago)),
        ("answered", sync.last_contact.map(ago)),
        ("error", sync.last_error.clone()),
        ("site", sync.site_version.map(|version| format!("version {version}"))),
        ("refused", sync.site_error.as_ref().map(|error| format!("site {error}"))),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some(format!("{name:<10} {}", value?)));
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{SyncState, made_up};

    #[test]
    fn syncing_is_said_in_words() {
        let status = made_up::idle();
        assert_eq!(text(&status.sync, &status), "sync       off: no upstream is configured");
        let behind = SyncStatus {
            state: SyncState::Unreachable,
            records_waiting: 3,
            recordings_waiting: 2,
            last_error: Some("connection refused".to_owned()),
            ..SyncStatus::default()
        };
        assert_eq!(
            text(&behind, &status),
            "sync       the upstream does not answer: 3 records and 2 recordings wait\nerror      connection refused"
        );
    }
}
