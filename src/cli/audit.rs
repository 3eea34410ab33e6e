//! `ringside audit`: who held, released, erased, played or exported what, newest first.

use super::{Failure, desk::Place, print};
use crate::note::Account;
use clap::Args;

#[derive(Args)]
pub(super) struct Arguments {
    /// Lines at most, 1..=1000.
    #[arg(long, value_name = "LINES", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

const COMMAND: &str = "ringside audit";

pub(super) fn audit(arguments: &Arguments) -> Result<(), Failure> {
    let audit = arguments.place.audit(arguments.limit.into(), COMMAND)?;
    if audit.is_empty() && !arguments.json {
        print(format_args!("nobody did anything that has to be accounted for"));
    }
    for account in &audit {
        let line = if arguments.json {
            serde_json::to_string(account).map_err(|error| Failure::failed(error, COMMAND))?
        } else {
            super::status::printable(&text(account))
        };
        print(format_args!("{line}"));
    }
    Ok(())
}

fn text(account: &Account) -> String {
    let Account { at, by, did, on, why } = account;
    let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("{at}  {by} {did} {on}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::CallId,
        note::{Note, What},
        time::WallTime,
    };

    #[test]
    fn a_line_says_who_did_what_to_what_and_why() {
        let call = CallId::from_parts(WallTime(1), 1);
        let what = What::ReceiptWaived { call, by: "dana".to_owned(), why: "a judge".to_owned() };
        let account = Note { at: WallTime(0), what }.account().unwrap();
        let expected =
            format!("{}  dana let it be erased without the upstream's receipt {call}: a judge", WallTime(0));
        assert_eq!(text(&account), expected);
    }
}
