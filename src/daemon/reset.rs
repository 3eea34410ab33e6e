//! A factory reset: configuration and accounts are set aside, and on request all calls and recordings go.

use super::site::SET_UP_FILE;
use crate::{
    io::{files, private_files::PrivateDir},
    panel::button::Recordings,
    web,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tokio::sync::oneshot;

/// Whoever may be asked for a factory reset by the button.
pub(super) struct FactoryReset {
    /// The file that the box was started with; without one there is nothing to reset.
    config_file: Option<PathBuf>,
    /// Told once, when the daemon has to end.
    asked: Option<oneshot::Sender<Recordings>>,
}

impl FactoryReset {
    /// Both ends: one for the thread that hears the button, one for the thread that ends the daemon.
    pub(super) fn new(config_file: Option<PathBuf>) -> (Self, oneshot::Receiver<Recordings>) {
        let (asked, wait) = oneshot::channel();
        (Self { config_file, asked: Some(asked) }, wait)
    }

    /// Sets the configuration aside and lets the daemon end. If that fails everything goes on as it was.
    pub(super) fn begin(&mut self, recordings: Recordings) {
        let Some(config_file) = &self.config_file else {
            return tracing::warn!("factory reset: this box has no configuration file to forget");
        };
        let Some(asked) = self.asked.take() else { return };
        match set_aside(config_file) {
            Ok(aside) => {
                tracing::warn!(
                    ?recordings,
                    "factory reset: the configuration is now {}; the box ends and is to be started again",
                    aside.display()
                );
                // If nobody waits, the daemon ends already.
                let _ = asked.send(recordings);
            }
            Err(error) => {
                tracing::error!("factory reset failed: {}: {error}", config_file.display());
                self.asked = Some(asked);
            }
        }
    }
}

/// Renames the configuration to `<name>.before-reset`, in place of an older one.
fn set_aside(config_file: &Path) -> io::Result<PathBuf> {
    let mut name = config_file.as_os_str().to_owned();
    name.push(".before-reset");
    let aside = PathBuf::from(name);
    fs::rename(config_file, &aside)?;
    Ok(aside)
}

/// What is left to be done once every file is closed.
pub(super) fn finish(recordings: Recordings, data: &Path) {
    // The next installer begins at the first step. None is as good.
    let _ = fs::remove_file(data.join(SET_UP_FILE));
    // Whoever holds the box and has lost the password gets in again, with a new claim code.
    match PrivateDir::new(data).put_aside(web::ACCOUNTS, Some("accounts.json.before-reset")) {
        Ok(()) => tracing::warn!("factory reset: the box is nobody's, and has a new claim code"),
        Err(error) => tracing::error!("factory reset: the accounts are as they were: {error}"),
    }
    match recordings {
        Recordings::Keep => tracing::warn!("factory reset: calls and recordings are kept"),
        Recordings::Erase => match files::erase(data) {
            Ok(()) => tracing::warn!("factory reset: all calls and recordings are erased"),
            Err(error) => tracing::error!("factory reset: not everything is erased: {error}"),
        },
    }
}
