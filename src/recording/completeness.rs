//! How much of a call is really in its recording, leg by leg.
//!
//! Both legs come in one frame, so what is lost between the line and the file is missing on both. A leg of which not
//! one packet came is missing whole: its frames were there, and nothing was in them. Packets that were lost on the
//! network are not counted here: the recording has what was heard in their place, and the leg says how many they were.

use crate::record::{CallRecord, LegKind, Recording, RecordingState};

/// The warning on a record whose recording lacks too much.
pub const WARNING: &str = "recording_incomplete";
/// What may be missing of any recording: a word, at most.
pub const MISSING_MS: u64 = 500;
/// What may be missing of a long one, as a share: one hundredth.
const MISSING_SHARE: u64 = 100;

/// Fills in how complete the recording of a closed record is, and warns if it is not.
pub fn judge(record: &mut CallRecord) {
    let captured_ms = captured(record);
    let recording = &mut record.recording;
    recording.captured_ms = captured_ms;
    recording.completeness = was_wanted(recording).then(|| share(captured_ms, recording.expected_ms));
    let warnings = &mut record.attribution.warnings;
    warnings.retain(|warning| warning != WARNING);
    if is_incomplete(&record.recording) {
        warnings.push(WARNING.to_owned());
    }
}

/// Whether somebody should be told: more than half a second is missing, and more than one hundredth.
#[must_use]
pub fn is_incomplete(recording: &Recording) -> bool {
    missing_ms(recording) > MISSING_MS.max(recording.expected_ms / MISSING_SHARE)
}

/// Milliseconds that are missing of the leg that has less; 0 if nothing was to be recorded.
#[must_use]
pub fn missing_ms(recording: &Recording) -> u64 {
    let there = recording.captured_ms.into_iter().min().unwrap_or(0);
    if recording.completeness.is_some() { recording.expected_ms.saturating_sub(there) } else { 0 }
}

fn was_wanted(recording: &Recording) -> bool {
    let closed = !matches!(recording.state, RecordingState::Writing | RecordingState::Erased);
    closed && recording.id.is_some() && recording.expected_ms > 0
}

fn captured(record: &CallRecord) -> [u64; 2] {
    let recording = &record.recording;
    let both_ms = match recording.state {
        RecordingState::Closed | RecordingState::Recovered => {
            recording.duration_ms.saturating_sub(recording.gap_ms)
        }
        RecordingState::None | RecordingState::Writing | RecordingState::Failed | RecordingState::Erased => 0,
    };
    let mut trunk = record.legs.iter().filter(|leg| leg.kind == LegKind::Trunk).peekable();
    let never_came = trunk.peek().is_some() && trunk.all(|leg| leg.packets == 0);
    [if never_came { 0 } else { both_ms }, both_ms]
}

/// Five digits say it: a recording of a day lacks less than a second then.
fn share(captured_ms: [u64; 2], expected_ms: u64) -> f32 {
    let there = captured_ms.into_iter().min().unwrap_or(0).min(expected_ms);
    let share = there as f64 / expected_ms.max(1) as f64;
    ((share * 100_000.0).floor() / 100_000.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::RecordingId, record::Leg, recording::made_up, time::WallTime};

    fn judged(expected_ms: u64, duration_ms: u64, gap_ms: u64, packets: Option<u64>) -> CallRecord {
        let mut record = made_up::record(1);
        record.recording = Recording {
            id: Some(RecordingId::from_parts(WallTime(1), 1)),
            state: RecordingState::Closed,
            duration_ms,
            expected_ms,
            gap_ms,
            ..Recording::default()
        };
        record.legs = packets.map(leg).into_iter().collect();
        judge(&mut record);
        record
    }

    fn leg(packets: u64) -> Leg {
        let text = r#"{"kind":"trunk","codec":"PCMU","port":null,"packets":0,"lost":0,"cid_sent":false}"#;
        Leg { packets, ..serde_json::from_str(text).unwrap() }
    }

    #[test]
    fn what_is_missing_is_measured_and_told() {
        for (expected, duration, gap, packets, captured, completeness, told) in [
            (60_000, 60_000, 0, Some(3_000), [60_000; 2], 1.0, false),
            (60_000, 60_020, 0, None, [60_020; 2], 1.0, false),
            (60_000, 60_000, 600, Some(3_000), [59_400; 2], 0.99, false),
            (60_000, 60_000, 601, Some(3_000), [59_399; 2], 0.98998, true),
            (10_000, 10_000, 500, Some(500), [9_500; 2], 0.95, false),
            (10_000, 9_499, 0, Some(500), [9_499; 2], 0.9499, true),
            (60_000, 0, 0, Some(3_000), [0; 2], 0.0, true),
            (60_000, 60_000, 0, Some(0), [0, 60_000], 0.0, true),
        ] {
            let record = judged(expected, duration, gap, packets);
            let case = format!("{expected} {duration} {gap} {packets:?}");
            assert_eq!(record.recording.captured_ms, captured, "{case}");
            assert_eq!(record.recording.completeness, Some(completeness), "{case}");
            assert_eq!(record.attribution.warnings == [WARNING], told, "{case}");
        }
    }

    #[test]
    fn a_call_that_was_not_to_be_recorded_lacks_nothing() {
        let mut record = made_up::record(1);
        record.recording.expected_ms = 60_000;
        judge(&mut record);
        assert_eq!((record.recording.completeness, missing_ms(&record.recording)), (None, 0));
        assert!(record.attribution.warnings.is_empty());
    }

    #[test]
    fn a_refused_recording_is_missing_whole() {
        let mut record = judged(60_000, 60_000, 0, None);
        record.recording.state = RecordingState::None;
        judge(&mut record);
        assert_eq!(record.recording.completeness, Some(0.0));
        record.recording.state = RecordingState::Closed;
        judge(&mut record);
        assert!(record.attribution.warnings.is_empty(), "the warning goes when it is whole after all");
    }
}
