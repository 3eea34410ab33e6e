//! The alarm for recordings that lack more than a word: it names the last one, for a day.

use crate::{
    id::CallId,
    record::Recording,
    recording::completeness,
    status::{Alarm, Severity},
    time::WallTime,
};

/// How long it stands after the last such recording.
const STANDS_MS: u64 = 86_400_000;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Incomplete {
    last: Option<(CallId, u64, WallTime)>,
    calls: u64,
    since: WallTime,
}

impl Incomplete {
    /// A recording was closed.
    pub(super) fn closed(&mut self, call: CallId, recording: &Recording, at: WallTime) {
        if !completeness::is_incomplete(recording) {
            return;
        }
        if self.last.is_none() {
            (self.since, self.calls) = (at, 0);
        }
        self.calls += 1;
        self.last = Some((call, completeness::missing_ms(recording), at));
    }

    /// Adds the alarm while it stands.
    pub(super) fn add_to(&mut self, alarms: &mut Vec<Alarm>, now: WallTime) {
        self.last = self.last.filter(|(_, _, at)| now.0.saturating_sub(at.0) < STANDS_MS);
        let Some((call, missing_ms, _)) = self.last else { return };
        let others = match self.calls {
            0 | 1 => String::new(),
            calls => format!(", and {} before it", calls - 1),
        };
        alarms.push(Alarm {
            code: completeness::WARNING.to_owned(),
            severity: Severity::Warning,
            text: format!("the recording of {call} lacks {missing_ms} ms{others}"),
            since: self.since,
            remedy: format!("ringside calls show {call} says why; look at disk and load: ringside doctor"),
        });
        alarms.sort_by_key(|alarm| alarm.since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(captured_ms: u64) -> Recording {
        let (expected_ms, completeness) = (60_000, Some(0.0));
        Recording { expected_ms, completeness, captured_ms: [captured_ms; 2], ..Recording::default() }
    }

    #[test]
    fn the_last_incomplete_recording_is_named_for_a_day() {
        let call = |n| CallId::from_parts(WallTime(n), 1);
        let mut incomplete = Incomplete::default();
        let shown = |incomplete: &mut Incomplete, now| {
            let mut alarms = Vec::new();
            incomplete.add_to(&mut alarms, WallTime(now));
            alarms.pop().map(|alarm| (alarm.text, alarm.since.0))
        };
        incomplete.closed(call(1), &recording(59_500), WallTime(5));
        assert_eq!(shown(&mut incomplete, 6), None, "600 ms may be missing");
        incomplete.closed(call(2), &recording(50_000), WallTime(7));
        assert_eq!(
            shown(&mut incomplete, 8),
            Some((format!("the recording of {} lacks 10000 ms", call(2)), 7))
        );
        incomplete.closed(call(3), &recording(0), WallTime(9));
        let (text, since) = shown(&mut incomplete, 10).unwrap();
        assert_eq!(
            (text, since),
            (format!("the recording of {} lacks 60000 ms, and 1 before it", call(3)), 7)
        );
        assert_eq!(shown(&mut incomplete, 9 + STANDS_MS), None);
    }
}
