//! `ringside completions` and `ringside man`: made from the command line itself.

use super::{CommandLine, Failure};
use clap::{Args, CommandFactory as _};
use std::io::Write as _;

#[derive(Args)]
pub(super) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(super) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "ringside", &mut text);
    write(&text)
}

pub(super) fn man() -> Result<(), Failure> {
    let text = page().map_err(|error| Failure::failed(error, "ringside help"))?;
    write(&text)
}

/// The page of the whole program, and behind it what each command takes.
fn page() -> std::io::Result<Vec<u8>> {
    fn commands(command: &clap::Command, name: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
        for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
            let name = format!("{name} {}", part.get_name());
            let about = part.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(out, ".SS {}\n{}", name.replace('-', "\\-"), about.replace('-', "\\-"))?;
            clap_mangen::Man::new(part.clone()).render_options_section(out)?;
            commands(part, &name, out)?;
        }
        Ok(())
    }
    let mut command = CommandLine::command();
    command.build();
    let mut out = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    commands(&command, "ringside", &mut out)?;
    Ok(out)
}

/// A reader that went away, as `head` does, is no failure.
fn write(text: &[u8]) -> Result<(), Failure> {
    let _ = std::io::stdout().lock().write_all(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_command() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        assert!(page.contains(".TH ringside 1"), "{page}");
        for part in CommandLine::command().get_subcommands() {
            let name = part.get_name().replace('-', "\\-");
            assert!(page.contains(&format!(".SS ringside {name}\n")), "{name}");
        }
    }

    #[test]
    fn every_shell_completes_every_command() {
        use clap::ValueEnum as _;
        for shell in clap_complete::Shell::value_variants() {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut CommandLine::command(), "ringside", &mut text);
            let text = String::from_utf8(text).unwrap();
            for name in ["webhook", "check-config", "completions"] {
                assert!(text.contains(name), "{shell}: {name}");
            }
        }
    }
}
