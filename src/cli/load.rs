//! Reading a configuration file together with the board profile it names.

use super::Failure;
use crate::{
    board::Profile,
    config::{Config, ConfigErrors, Ports},
};
use std::path::{Path, PathBuf};

/// What came of reading a configuration.
pub(super) enum Loaded {
    /// The configuration and the folder its paths are relative to.
    Good(Box<Config>, PathBuf),
    /// What is wrong with it.
    Wrong(ConfigErrors),
}

/// Reads the file at `path`, and the board profile beside it.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::failed(message, "name a configuration file: ringside check-config FILE")
    })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let parsed = Config::parse_on_board(&text, &path.display().to_string(), |profile| {
        let profile = folder.join(profile);
        let text = std::fs::read_to_string(&profile)
            .map_err(|error| format!("cannot read {}: {error}", profile.display()))?;
        let profile = Profile::parse(&text).map_err(|error| format!("{}: {error}", profile.display()))?;
        let names = |(_, port): (_, &crate::board::Port)| port.name.clone();
        Ok(Ports {
            phones: profile.fxs_ports().map(names).collect(),
            lines: profile.fxo_ports().map(names).collect(),
        })
    });
    Ok(match parsed {
        Ok(config) => Loaded::Good(Box::new(config), folder),
        Err(errors) => Loaded::Wrong(errors),
    })
}
