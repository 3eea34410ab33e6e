//! How much of a processor one of our threads uses, as the kernel counts it.

use crate::time::Instant;
use std::{fs, path::PathBuf};

/// The share of one thread, measured from look to look.
#[derive(Debug)]
pub struct ThreadCpu {
    name: &'static str,
    /// `/proc/self/task/<id>/schedstat`, once the thread was found.
    counter: Option<PathBuf>,
    last: Option<(u64, Instant)>,
}

impl ThreadCpu {
    /// Looks after the thread of this name, at most 15 bytes as the kernel keeps it.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, counter: None, last: None }
    }

    /// Share of one processor since the look before, in percent; `None` at the first look, or if the kernel does not
    /// tell. Reads a file of the kernel, which waits for no disk.
    pub fn percent(&mut self, now: Instant) -> Option<f32> {
        if self.counter.is_none() {
            self.counter = find(self.name);
        }
        let used_ns = fs::read_to_string(self.counter.as_ref()?).ok().and_then(|text| used_ns(&text))?;
        let (before_ns, before) = self.last.replace((used_ns, now))?;
        let passed_ns = u64::try_from((now - before).as_nanos()).ok().filter(|ns| *ns > 0)?;
        Some(used_ns.saturating_sub(before_ns) as f32 * 100.0 / passed_ns as f32)
    }
}

/// Time on a processor: the first number of `schedstat` (Linux, Documentation/scheduler/sched-stats.rst).
fn used_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

fn find(name: &str) -> Option<PathBuf> {
    let mut threads = fs::read_dir("/proc/self/task").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let thread = threads
        .find(|path| fs::read_to_string(path.join("comm")).is_ok_and(|found| found.trim_end() == name))?;
    Some(thread.join("schedstat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_the_time_used() {
        assert_eq!(used_ns("1500000 20 3\n"), Some(1_500_000));
        assert_eq!(used_ns(""), None);
    }

    #[test]
    fn a_thread_that_is_not_there_uses_nothing() {
        assert_eq!(ThreadCpu::new("no such thread").percent(Instant(1)), None);
    }
}
