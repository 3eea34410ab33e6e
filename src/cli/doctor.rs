//! `ringside doctor`: what is wrong with this box, and what to do about it, whether it runs or not.

use super::{DATA, Failure, ask::Where, colours, evidence, print, status::printable};
use crate::{
    config::Colours,
    doctor::{self, Check, Verdict},
};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    asked: Where,
    /// Directory for calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Print one check a line, as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn doctor(arguments: &Arguments) -> Result<(), Failure> {
    let checks = doctor::checks(&evidence::gather(&arguments.asked, &arguments.data));
    if arguments.json {
        for check in &checks {
            let json =
                serde_json::to_string(check).map_err(|error| Failure::failed(error, "ringside doctor"))?;
            print(format_args!("{json}"));
        }
    } else {
        let colours = colours(&std::io::stdout());
        checks.iter().for_each(|check| print(format_args!("{}", row(check, colours))));
        print(format_args!("\n{}", sum(&checks)));
    }
    let Some(first) = checks.iter().find(|check| check.verdict == Verdict::Fail) else { return Ok(()) };
    let message = format!("check {} failed: {}", first.number, first.found);
    Err(Failure::failed(printable(&message), first.fix.clone().unwrap_or_default()))
}

/// A check as a person reads it.
fn row(check: &Check, colours: Colours) -> String {
    let (word, colour) = match check.verdict {
        Verdict::Pass => ("PASS", 32),
        Verdict::Skip => ("SKIP", 90),
        Verdict::Warn => ("WARN", 33),
        Verdict::Fail => ("FAIL", 31),
    };
    let word = match colours {
        Colours::On => format!("\x1b[{colour}m{word}\x1b[0m"),
        Colours::Off => word.to_owned(),
    };
    let found = printable(&format!("{:<24} {}", check.title, check.found));
    let fix =
        check.fix.as_ref().map_or_else(String::new, |fix| format!("\n         fix: {}", printable(fix)));
    format!("{:>2} {word}  {found}{fix}", check.number)
}

fn sum(checks: &[Check]) -> String {
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (pass, warn, fail, skip) =
        (of(Verdict::Pass), of(Verdict::Warn), of(Verdict::Fail), of(Verdict::Skip));
    format!("{} checks: {pass} passed, {warn} to look at, {fail} failed, {skip} skipped", checks.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_row_with_its_fix_below() {
        let check = Check {
            number: 8,
            id: "trunk".to_owned(),
            title: "Trunks".to_owned(),
            verdict: Verdict::Fail,
            found: "carrier: no answer".to_owned(),
            fix: Some("check the cable".to_owned()),
        };
        let plain = row(&check, Colours::Off);
        assert_eq!(
            plain,
            " 8 FAIL  Trunks                   carrier: no answer\n         fix: check the cable"
        );
        assert!(row(&check, Colours::On).contains("\x1b[31mFAIL\x1b[0m"));
        assert_eq!(sum(&[check]), "1 checks: 0 passed, 0 to look at, 1 failed, 0 skipped");
    }
}
