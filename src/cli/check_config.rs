//! `ringside check-config`: everything that is wrong with a configuration, at once.

use super::{
    Failure, colours,
    load::{Loaded, load},
    print,
};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print each error as a JSON object on a line of its own.
    #[arg(long)]
    json: bool,
}

pub(super) fn check_config(arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.file.display();
    let errors = match load(&arguments.file)? {
        Loaded::Good(config, _) => {
            if !arguments.json {
                print(format_args!(
                    "{file} is good: {}, {}, {}",
                    counted(config.trunks.len(), "trunk"),
                    counted(config.campaigns.len(), "campaign"),
                    counted(config.tracking_numbers.len(), "tracking number"),
                ));
            }
            return Ok(());
        }
        Loaded::Wrong(errors) => errors,
    };
    let next = format!("correct the file, then: ringside check-config {file}");
    if !arguments.json {
        return Err(Failure::config(errors.render(colours(&std::io::stderr())), next));
    }
    for problem in errors.json() {
        let line = serde_json::to_string(&problem).map_err(|error| Failure::failed(error, next.clone()))?;
        print(format_args!("{line}"));
    }
    Err(Failure::config(format!("error: {} in {file}", counted(errors.problems().len(), "error")), next))
}

/// `1 trunk`, `2 trunks`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
