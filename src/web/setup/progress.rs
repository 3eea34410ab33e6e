//! What is known of the site, and what the installer has seen to: `setup.json` in the data directory.

use crate::{
    id::CallId,
    number::E164,
    status::{BoxStatus, PhoneState},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Longest name of a phone's user, in characters.
const MAX_NAME: usize = 60;

/// What the configuration says; it is changed there.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Name of the office.
    pub office: String,
    /// ISO 3166-1 alpha-2 code of the country.
    pub country: String,
    /// IANA name of the time zone.
    pub time_zone: String,
    /// Name of the recording policy.
    pub consent: String,
    /// The number that is called back after an emergency call by the trunk.
    pub callback: Option<E164>,
    /// The address that the provider has for it.
    pub address: Option<String>,
    /// Where this is written.
    pub file: String,
}

/// What was seen to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    /// Phones that were lifted, by the name of their jack.
    pub(super) phones: BTreeMap<String, Lifted>,
    /// Since when the first call is waited for.
    pub(super) call_since: Option<WallTime>,
    /// The first call.
    pub(super) call: Option<Called>,
    /// What a person has ticked: a word of [`SEEN_TO`].
    pub(super) seen: BTreeMap<String, Seen>,
}

/// What a person ticks, and how the audit log says it.
pub(super) const SEEN_TO: [(&str, &str); 4] = [
    ("office", "confirmed the office and its region"),
    ("consent", "confirmed the recording notice"),
    ("emergency", "confirmed the emergency address"),
    ("fail_safe", "made the fail-safe drill"),
];

/// A phone that was lifted once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lifted {
    pub(super) at: WallTime,
    /// Whose it is.
    #[serde(default)]
    pub(super) user: String,
}

/// A call that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Called {
    pub(super) call: CallId,
    pub(super) at: WallTime,
    pub(super) tracking: E164,
    pub(super) campaign: String,
}

/// Who ticked, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) by: String,
    pub(super) at: WallTime,
}

impl Progress {
    /// None is as good as one that says nothing.
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// The old one or the new one is there after a power cut, never a part.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let temporary = file.with_extension("json.tmp");
        let mut written = File::create(&temporary)?;
        written.write_all(&serde_json::to_vec(self)?)?;
        written.sync_all()?;
        fs::rename(&temporary, file)
    }

    /// Notes every phone that is off hook now and does not ring: somebody lifted it.
    pub(super) fn note_lifted(&mut self, status: &BoxStatus, now: WallTime) {
        for phone in &status.phones {
            if matches!(phone.state, PhoneState::OffHook | PhoneState::Talking) {
                let user = || phone.user.clone().unwrap_or_default();
                self.phones.entry(phone.port.clone()).or_insert_with(|| Lifted { at: now, user: user() });
            }
        }
    }

    /// Says whose a phone is.
    pub(super) fn name(&mut self, port: &str, user: &str) {
        if let Some(phone) = self.phones.get_mut(port) {
            phone.user = user.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::made_up;

    #[test]
    fn a_phone_is_noted_once_when_it_is_lifted_and_keeps_its_user() {
        let mut status = made_up::idle();
        let mut progress = Progress::default();
        progress.note_lifted(&status, WallTime(1));
        assert!(progress.phones.is_empty());
        status.phones[0].state = PhoneState::OffHook;
        progress.note_lifted(&status, WallTime(2));
        let port = status.phones[0].port.clone();
        progress.name(&port, " Dana\u{7} ");
        progress.note_lifted(&status, WallTime(3));
        assert_eq!(progress.phones[&port], Lifted { at: WallTime(2), user: "Dana".to_owned() });
        progress.name("PHONE9", "nobody");
        assert_eq!(progress.phones.len(), 1);
    }

    #[test]
    fn progress_reads_back_and_a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("setup.json");
        assert_eq!(Progress::read(&file).unwrap(), Progress::default());
        let progress = Progress { call_since: Some(WallTime(5)), ..Progress::default() };
        progress.write(&file).unwrap();
        assert_eq!(Progress::read(&file).unwrap(), progress);
        fs::write(&file, "{").unwrap();
        assert!(Progress::read(&file).is_err());
    }
}
