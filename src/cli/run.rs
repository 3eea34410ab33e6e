//! `ringside run`: the box itself.

use super::{
    CONFIG, DATA, Failure, Listen, colours,
    load::{Loaded, load},
};
use crate::{config::Colours, daemon, io::realtime};
use clap::Args;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Directory for calls and recordings.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    #[command(flatten)]
    listen: Listen,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let check = format!("ringside check-config {}", arguments.config.display());
    let (config, config_dir) = match load(&arguments.config)? {
        Loaded::Good(config, folder) => (*config, folder),
        Loaded::Wrong(errors) => {
            return Err(Failure::config(errors.render(colours(&std::io::stderr())), check));
        }
    };
    let Listen { sip, web } = arguments.listen;
    if let Some(web) = web.filter(|web| !web.ip().is_loopback()) {
        let message = format!("the page is only served to this machine, and {web} is not it");
        return Err(Failure::failed(message, format!("ringside run --web 127.0.0.1:{}", web.port())));
    }
    tracing_to_stderr();
    realtime::share_heap();
    daemon::run(daemon::Options {
        config,
        config_dir,
        config_file: Some(arguments.config),
        data: arguments.data,
        sip,
        web,
    })
    .map_err(|error| Failure::failed(error, format!("{check}, then ringside run again")))
}

/// Logs go to standard error, from where systemd takes them; `RINGSIDE_LOG` chooses what (default: `info`).
pub(super) fn tracing_to_stderr() {
    let wanted = EnvFilter::try_from_env("RINGSIDE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let coloured = colours(&std::io::stderr()) == Colours::On;
    tracing_subscriber::fmt().with_env_filter(wanted).with_writer(std::io::stderr).with_ansi(coloured).init();
}
