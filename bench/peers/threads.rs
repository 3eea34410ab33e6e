//! CPU time of another program's threads, in nanoseconds, as the scheduler keeps it.

use std::{collections::BTreeMap, fs};

/// CPU time of each thread so far, by its number.
pub(crate) struct Threads(BTreeMap<u32, (String, u64)>);

impl Threads {
    /// The threads of a process; those that end meanwhile are left out.
    pub(crate) fn of(process: u32) -> Self {
        let folder = format!("/proc/{process}/task");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let thread = |entry: fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            // The first figure is the time on a core (Documentation/scheduler/sched-stats.rst).
            let account = fs::read_to_string(entry.path().join("schedstat")).ok()?;
            let ns = account.split_whitespace().next()?.parse().ok()?;
            Some((number, (name.trim_end().to_owned(), ns)))
        };
        Self(entries.filter_map(|entry| thread(entry.ok()?)).collect())
    }

    /// What was used since `before`, by the threads' names.
    pub(crate) fn since(&self, before: &Self) -> BTreeMap<String, u64> {
        let mut used = BTreeMap::new();
        for (number, (name, ns)) in &self.0 {
            let then = before.0.get(number).map_or(0, |(_, ns)| *ns);
            *used.entry(name.clone()).or_insert(0) += ns.saturating_sub(then);
        }
        used
    }
}
