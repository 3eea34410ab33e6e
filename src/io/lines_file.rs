//! `lines.json` in the data directory: what the box has found out about each port, by its name.
//!
//! The file is small and written whole by a thread of its own, because a disk may take seconds for it. A file that is
//! damaged, or of a schema that is not known, is no reason not to take calls: the box begins anew with its lines.

use super::files;
use crate::{
    line::fxo::Learned,
    status::{Balance, LineHealth},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Sender, channel},
    thread::{Builder, JoinHandle},
};

/// Version of the file.
pub const SCHEMA: &str = "ringside.lines/1";
/// Scores of line tests that are kept of a port.
pub const MOST_SCORES: usize = 8;

const NAME: &str = "lines.json";

/// All that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// [`SCHEMA`].
    schema: String,
    /// By the name of the port.
    pub ports: BTreeMap<String, KeptPort>,
}

/// What is kept of a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptPort {
    /// How the chip of an FXO port is balanced, if a line test has found out.
    pub balance: Option<Balance>,
    /// How the exchange ends calls on it.
    pub learned: Option<Learned>,
    /// Scores of the last [`MOST_SCORES`] line tests, oldest first.
    pub scores: Vec<u8>,
    /// The last line test.
    pub health: Option<LineHealth>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), ports: BTreeMap::new() }
    }
}

impl Lines {
    /// Reads the file of a data directory; nothing if there is none, or none that can be read.
    #[must_use]
    pub fn load(data_dir: &Path) -> Self {
        let path = data_dir.join(NAME);
        let lost = |why: &str| {
            tracing::warn!(
                file = %path.display(),
                why,
                "what was known of the lines is lost and will be written anew; test the lines again"
            );
            Self::default()
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => return lost(&error.to_string()),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(lines) if lines.schema == SCHEMA => lines,
            Ok(other) => lost(&format!("schema {}", other.schema)),
            Err(error) => lost(&error.to_string()),
        }
    }

    /// What is kept of a port, to be changed.
    pub fn port(&mut self, name: &str) -> &mut KeptPort {
        self.ports.entry(name.to_owned()).or_default()
    }
}

impl KeptPort {
    /// Keeps the result of a line test.
    pub fn tested(&mut self, health: &LineHealth) {
        self.scores.push(health.score);
        let too_many = self.scores.len().saturating_sub(MOST_SCORES);
        self.scores.drain(..too_many);
        self.health = Some(health.clone());
    }
}

/// Writes the file. Dropped, it has written the last one.
#[derive(Debug)]
pub struct LinesWriter {
    states: Option<Sender<Lines>>,
    thread: Option<JoinHandle<()>>,
}

impl LinesWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is none to be had.
    pub fn start(data_dir: &Path) -> io::Result<Self> {
        let path: PathBuf = data_dir.join(NAME);
        let (states, changes) = channel::<Lines>();
        let thread = Builder::new().name("lines-file".to_owned()).spawn(move || {
            while let Ok(first) = changes.recv() {
                let newest = changes.try_iter().last().unwrap_or(first);
                if let Err(error) = write(&path, &newest) {
                    tracing::warn!(file = %path.display(), %error, "what is known of the lines is not kept");
                }
            }
        })?;
        Ok(Self { states: Some(states), thread: Some(thread) })
    }

    /// Writes this state; one that was not written yet is left out. Does not wait.
    pub fn write(&self, lines: &Lines) {
        if let Some(states) = &self.states {
            // The thread ends with the other end.
            let _ = states.send(lines.clone());
        }
    }
}

impl Drop for LinesWriter {
    fn drop(&mut self) {
        self.states = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(path: &Path, lines: &Lines) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(lines)?;
    json.push(b'\n');
    files::write_whole(path, &json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{line::fxo::HangUp, status::made_up};

    fn kept() -> Lines {
        let mut lines = Lines::default();
        let port = lines.port("LINE1");
        port.balance = Some(Balance { acim: 2, hybrid: [0, 16, 32, -16, 8, 0, -4, 2], erl_db: 38.5 });
        let mut learned = Learned::default();
        learned.ended(HangUp::Cpc, 512);
        port.learned = Some(learned);
        (90..100).for_each(|score| port.tested(&LineHealth { score, ..made_up::good_health() }));
        lines
    }

    #[test]
    fn what_was_written_is_read_and_eight_scores_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Lines::load(dir.path()), Lines::default());
        let writer = LinesWriter::start(dir.path()).unwrap();
        writer.write(&Lines::default());
        writer.write(&kept());
        drop(writer);
        let read = Lines::load(dir.path());
        assert_eq!(read, kept());
        assert_eq!(read.ports["LINE1"].scores, [92, 93, 94, 95, 96, 97, 98, 99]);
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_schema_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let good = serde_json::to_string(&kept()).unwrap();
        for text in ["{", "[]", &good[..good.len() / 2], &good.replace(SCHEMA, "ringside.lines/9")] {
            std::fs::write(dir.path().join(NAME), text).unwrap();
            assert_eq!(Lines::load(dir.path()), Lines::default(), "{text}");
        }
    }
}
