//! What a call's own page says beside its facts: its course as a small picture (INVITE, ring, answer, end), and what the
//! office made of it.

use super::super::{
    reports::plot::{Label, Rect},
    view::Fact,
    wording,
};
use crate::{
    ledger::label::{self, Facts},
    record::CallRecord,
};

/// What the office made of a call.
pub(in crate::web) fn office(record: &CallRecord) -> Vec<Fact> {
    let CallRecord { handling, .. } = record;
    let facts = Facts::of(record);
    let lead = match handling.lead_status.as_deref() {
        Some(label::GOOD_LEAD) => Some("good lead".to_owned()),
        Some(label::NOT_A_LEAD) => Some("not a lead".to_owned()),
        other => other.map(str::to_owned),
    };
    let calls_before = handling.prior_calls.map(|prior| match prior {
        0 => "none: a first-time caller".to_owned(),
        prior => prior.to_string(),
    });
    let all = [
        ("Answer", Some(label::answer_status(&facts).words().to_owned())),
        ("Booking", Some(label::booking(&facts).words().to_owned())),
        ("Lead", lead),
        ("Taken by", handling.claimed_by.as_ref().map(|claim| claim.name.clone())),
        ("Customer", handling.customer.as_ref().map(|customer| customer.name.clone())),
        ("Job", handling.job.as_ref().map(|job| job.job_number.clone())),
        ("Reason", handling.reason.as_deref().map(wording::plain)),
        ("Earlier calls", calls_before),
        ("Call-back", handling.call_back.as_deref().map(wording::plain)),
        ("Tags", Some(handling.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("Note", handling.note.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| Fact { name, value })).collect()
}

/// Width of the picture in its own units; the bar is a little shorter, for the words at its ends.
const WIDTH: f64 = 720.0;
const MARGIN: f64 = 40.0;
/// Words nearer than this to the one before stand a line lower.
const NEAR: f64 = 90.0;

/// The drawn course of a call.
pub(in crate::web) struct Timeline {
    pub(in crate::web) rects: Vec<Rect>,
    pub(in crate::web) labels: Vec<Label>,
    /// The same in a sentence.
    pub(in crate::web) spoken: String,
}

impl Timeline {
    /// `None` for a call that took no time.
    pub(in crate::web) fn new(record: &CallRecord) -> Option<Self> {
        let timing = &record.timing_ms;
        let ring = timing.invite_to_ring;
        let rung = timing.ring.map(|length| ring.unwrap_or(0) + length);
        let answer = rung.filter(|_| record.answered);
        let end = timing.total.max(rung.unwrap_or(0)).max(1);
        if timing.total == 0 && rung.is_none() {
            return None;
        }
        let at = |ms: u64| MARGIN + (WIDTH - 2.0 * MARGIN) * ms as f64 / end as f64;
        let mut rects = vec![rect(at(0), at(end), "way-wait", "before the first ring")];
        rects.extend(ring.zip(rung).map(|(from, to)| rect(at(from), at(to), "way-ring", "ringing")));
        rects.extend(answer.map(|from| rect(at(from), at(end), "way-talk", "on the phone")));
        let marks = [("INVITE", Some(0)), ("ring", ring), ("answer", answer), ("end", Some(end))];
        let mut labels: Vec<Label> = Vec::new();
        let (mut last, mut low) = (f64::MIN, false);
        let mut said = Vec::new();
        for (name, ms) in marks.into_iter().filter_map(|(name, ms)| ms.map(|ms| (name, ms))) {
            let x = at(ms);
            low = x - last < NEAR && !low;
            last = x;
            let text = format!("{name} {:.1} s", ms as f64 / 1_000.0);
            said.push(text.clone());
            labels.push(Label { x: format!("{x:.1}"), y: if low { "56" } else { "40" }.to_owned(), text });
        }
        Some(Self { rects, labels, spoken: format!("Course of the call: {}", said.join(", ")) })
    }
}

fn rect(from: f64, to: f64, class: &'static str, title: &str) -> Rect {
    Rect {
        x: format!("{from:.1}"),
        y: "8".to_owned(),
        width: format!("{:.1}", (to - from).max(1.0)),
        height: "14".to_owned(),
        class,
        title: title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Ended, web::made_up};

    #[test]
    fn an_answered_call_rings_and_talks_in_their_shares() {
        let mut record = made_up::record(1, Ended::CallerHungUp);
        record.timing_ms.invite_to_ring = Some(1_000);
        record.timing_ms.ring = Some(9_000);
        record.timing_ms.total = 50_000;
        let timeline = Timeline::new(&record).unwrap();
        let widths: Vec<(&str, &str)> =
            timeline.rects.iter().map(|rect| (rect.class, rect.width.as_str())).collect();
        assert_eq!(widths, [("way-wait", "640.0"), ("way-ring", "115.2"), ("way-talk", "512.0")]);
        assert_eq!(
            timeline.spoken,
            "Course of the call: INVITE 0.0 s, ring 1.0 s, answer 10.0 s, end 50.0 s"
        );
    }

    #[test]
    fn a_missed_call_has_no_answer_and_a_call_without_times_no_picture() {
        let mut record = made_up::record(1, Ended::NoAnswer);
        record.timing_ms.ring = Some(20_000);
        let timeline = Timeline::new(&record).unwrap();
        assert!(!timeline.spoken.contains("answer"));
        record.timing_ms.ring = None;
        record.timing_ms.total = 0;
        assert!(Timeline::new(&record).is_none());
    }
}
