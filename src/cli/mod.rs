//! The command line: one file per subcommand.
//!
//! Exit codes: 0 done, 1 failed, 2 not understood, 3 the configuration is wrong. Every failure ends with the next
//! command to try. Colours appear on a terminal only, and never under `NO_COLOR`.

mod ask;
mod asked;
mod audit;
mod calls;
mod check_config;
#[cfg(feature = "sim")]
mod demo;
mod desk;
mod doctor;
mod erase;
mod evidence;
pub mod export;
pub mod fsck;
mod hatch;
mod hold;
mod lines;
mod load;
mod manual;
mod office;
mod proof;
mod rebuild_index;
mod recordings;
mod release;
mod report;
mod run;
mod said;
mod show;
mod status;
mod sync;
mod token;
mod top;
#[cfg(feature = "upstream")]
mod upstream;
mod users;
pub mod verify;
mod webhook;

use crate::{config::Colours, id::CallId};
use clap::{Args, Parser, Subcommand};
use std::{
    fmt,
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where a box keeps its data.
const DATA: &str = "/var/lib/ringside";
/// Where a box keeps its configuration.
const CONFIG: &str = "/etc/ringside/ringside.toml";

/// Answers the tracking numbers of an office: rings its phones, says who calls and for which campaign, and records.
#[derive(Parser)]
#[command(name = "ringside", version, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the box until a signal stops it.
    Run(run::Arguments),
    /// Show a simulated office taking calls; needs no configuration and no hardware.
    #[cfg(feature = "sim")]
    Demo(demo::Arguments),
    /// Show the running box: trunks, lines, calls, alarms.
    Status(status::Arguments),
    /// Show or test every jack of the running box.
    Lines(lines::Arguments),
    /// Show how syncing with the upstream does, or sync now.
    #[command(subcommand)]
    Sync(sync::Command),
    /// Show, test or replay what others are told of calls.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Watch the running box: lines, calls with their levels, alarms.
    Top(top::Arguments),
    /// Find what is wrong with this box, whether it runs or not.
    Doctor(doctor::Arguments),
    /// Say everything that is wrong with a configuration.
    CheckConfig(check_config::Arguments),
    /// Show the calls the box has taken.
    Calls(Box<calls::Arguments>),
    /// Show what the calls add up to, or write it as a page.
    Report(Box<report::Arguments>),
    /// Show and change the numbers of the office: tracking, advertised, forwarding.
    Numbers(office::Numbers),
    /// Show and change the campaigns.
    Campaigns(office::Campaigns),
    /// Show and change the customers, or bring a list of them in.
    Customers(office::Customers),
    /// Erase recordings or records, show what is to be erased, or call it off.
    Erase(erase::Arguments),
    /// Put a call under a legal hold.
    Hold(hold::Arguments),
    /// Lift the legal hold of a call.
    Release(release::Arguments),
    /// Users: who signs in, as what, with which handset.
    #[command(subcommand)]
    Users(users::Command),
    /// Tokens for programs and wall displays.
    #[command(subcommand)]
    Token(token::Command),
    /// Show who held, released, erased, played or exported what, newest first.
    Audit(audit::Arguments),
    /// Prove that nothing was changed since the box wrote it: journal, recordings, sidecars, proofs.
    Verify(verify::Arguments),
    /// Check a proof that an advertised number forwards to its tracking number.
    #[command(subcommand)]
    Proof(proof::Command),
    /// Look for what does not fit together in the data directory; changes nothing.
    Fsck(fsck::Arguments),
    /// Make the index anew from the journal; the box must not run.
    RebuildIndex(rebuild_index::Arguments),
    /// Write every call, and on request every recording, in open formats.
    Export(export::Arguments),
    /// Open recordings, also encrypted ones.
    #[command(subcommand)]
    Recordings(Recordings),
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Print completions for a shell.
    Completions(manual::Completions),
    /// Print the manual page.
    Man,
    /// Receive the records and recordings of boxes.
    #[cfg(feature = "upstream")]
    #[command(subcommand)]
    Upstream(upstream::Upstream),
}

#[derive(Subcommand)]
enum Recordings {
    /// Write the playable Opus file of a recording, also of an encrypted one.
    Open(recordings::Open),
    /// Make the pair of keys with which an owner opens encrypted recordings without the box.
    NewOwnerKey {
        /// Where to write the secret key; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Why a command did not do what it was asked, and what to try next.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
    next: String,
}

impl Failure {
    /// Something went wrong: exit code 1.
    fn failed(message: impl fmt::Display, next: impl Into<String>) -> Self {
        Self { code: 1, message: format!("error: {message}"), next: next.into() }
    }

    /// The configuration is wrong: exit code 3.
    fn config(shown: String, next: impl Into<String>) -> Self {
        Self { code: 3, message: shown.trim_end().to_owned(), next: next.into() }
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    // Arguments that are not understood end here, with exit code 2 and the usage.
    let outcome = match CommandLine::parse().command {
        Command::Run(arguments) => run::run(arguments),
        #[cfg(feature = "sim")]
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Lines(arguments) => lines::lines(&arguments),
        Command::Sync(command) => sync::sync(&command),
        Command::Webhook(command) => webhook::webhook(&command),
        Command::Top(arguments) => top::top(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::CheckConfig(arguments) => check_config::check_config(&arguments),
        Command::Calls(arguments) => calls::calls(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Numbers(arguments) => office::numbers(&arguments),
        Command::Campaigns(arguments) => office::campaigns(&arguments),
        Command::Customers(arguments) => office::customers(&arguments),
        Command::Erase(arguments) => erase::erase(&arguments),
        Command::Hold(arguments) => hold::hold(&arguments),
        Command::Release(arguments) => release::release(&arguments),
        Command::Users(command) => users::users(&command),
        Command::Token(command) => token::token(&command),
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Proof(command) => proof::proof(&command),
        Command::Fsck(arguments) => fsck::run(&arguments),
        Command::RebuildIndex(arguments) => rebuild_index::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Recordings(Recordings::Open(arguments)) => recordings::open(&arguments),
        Command::Recordings(Recordings::NewOwnerKey { out }) => recordings::new_owner_key(&out),
        Command::Openapi => {
            print(format_args!("{}", crate::web::openapi()));
            Ok(())
        }
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man => manual::man(),
        #[cfg(feature = "upstream")]
        Command::Upstream(command) => upstream::upstream(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, next }) => {
            eprintln!("{message}\n  next: {next}");
            ExitCode::from(code)
        }
    }
}

/// A data directory that is there.
fn existing(data: &Path, command: &str) -> Result<(), Failure> {
    if data.is_dir() {
        return Ok(());
    }
    let next = format!("name the directory the box writes to: ringside {command} --data DIR");
    Err(Failure::failed(format!("there is no directory {}", data.display()), next))
}

/// Whether text on `stream` is coloured.
fn colours(stream: &impl IsTerminal) -> Colours {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && stream.is_terminal() { Colours::On } else { Colours::Off }
}

/// Prints a line for whoever reads our output; a reader that went away, as `head` does, is no failure.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Addresses given on the command line instead of the file's.
#[derive(Args, Clone, Copy, Debug, Default)]
struct Listen {
    /// Address and port for SIP, instead of the configuration's.
    #[arg(long, value_name = "ADDR")]
    sip: Option<SocketAddr>,
    /// Address and port for the page, instead of the configuration's.
    #[arg(long, value_name = "ADDR")]
    web: Option<SocketAddr>,
}

/// Reads a call's id as typed.
fn call_id(text: &str) -> Result<CallId, crate::id::InvalidId> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_says_what_each_part_does() {
        fn described(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
                assert!(part.get_about().is_some(), "{}", part.get_name());
                described(part);
            }
        }
        CommandLine::command().debug_assert();
        described(&CommandLine::command());
    }
}
