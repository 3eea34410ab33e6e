//! Missed calls: who called and was not answered, and what became of it.
//!
//! The calls of one number are one line, as one call back serves them all. A line is done when somebody says so, or when
//! a later call from the number was answered.

use super::{
    Site, State as PageState, api,
    view::Moment,
    wording::{self, Tone},
};
use crate::{number::E164, record::CallRecord};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Calls that are looked through: some days of a busy office.
const MAX_LOOKED: usize = 400;
/// Lines on the page.
const MAX_LINES: usize = 50;

/// The missed calls of one number, or one call without a number.
#[derive(Serialize)]
pub(super) struct Missed {
    /// The newest of them.
    #[serde(skip)]
    record: CallRecord,
    call: String,
    start_time: String,
    customer_phone_number: Option<E164>,
    /// How often it was missed since it was last answered.
    calls: usize,
    /// `to_call`, `called_back`, `no_need`, or absent: nobody has said.
    call_back: Option<String>,
    /// Who said that they will call back, or did.
    taken_by: Option<String>,
    /// The later call from the number that was answered.
    answered_by_call: Option<String>,
}

impl Missed {
    fn is_open(&self) -> bool {
        self.answered_by_call.is_none() && matches!(self.call_back.as_deref(), None | Some("to_call"))
    }
}

/// What was missed, newest first, of calls that come newest first.
fn missed(newest_first: Vec<CallRecord>) -> Vec<Missed> {
    let mut answered: BTreeMap<E164, String> = BTreeMap::new();
    let mut of_number: BTreeMap<E164, usize> = BTreeMap::new();
    let mut lines: Vec<Missed> = Vec::new();
    for record in newest_first {
        let number = record.customer_phone_number.clone();
        if record.answered {
            if let Some(number) = number {
                answered.entry(number).or_insert_with(|| record.id.to_string());
            }
            continue;
        }
        if wording::result(&record).0 != Tone::Missed {
            continue;
        }
        if let Some(&at) = number.as_ref().and_then(|number| of_number.get(number))
            && let Some(line) = lines.get_mut(at)
        {
            line.calls += 1;
            continue;
        }
        if let Some(number) = &number {
            of_number.insert(number.clone(), lines.len());
        }
        let handling = &record.handling;
        lines.push(Missed {
            call: record.id.to_string(),
            start_time: record.start_time.to_string(),
            calls: 1,
            call_back: handling.call_back.clone(),
            taken_by: handling.claimed_by.as_ref().map(|claim| claim.name.clone()),
            answered_by_call: number.as_ref().and_then(|number| answered.get(number).cloned()),
            customer_phone_number: number,
            record,
        });
    }
    lines
}

/// Answer of `/api/v1/missed`.
#[derive(Serialize)]
struct MissedList {
    missed: Vec<Missed>,
}

pub(super) async fn list(State(site): State<Arc<Site>>) -> Response {
    match site.read(|state| missed(state.calls.recent(MAX_LOOKED))).await {
        Some(missed) => Json(MissedList { missed }).into_response(),
        None => api::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unreadable",
            "the call records could not be read",
        ),
    }
}

/// A line of the list on the live page.
pub(super) struct MissedView {
    pub(super) id: String,
    pub(super) start: Moment,
    pub(super) caller: String,
    pub(super) name: Option<String>,
    pub(super) campaign: String,
    /// `3 calls`, if there were more than one.
    pub(super) times: Option<String>,
    /// Who has it.
    pub(super) taken_by: Option<String>,
    /// Whether somebody can call at all.
    pub(super) has_number: bool,
}

/// The lines that are still open, for the page.
pub(super) fn open(state: &PageState) -> Vec<MissedView> {
    let lines = missed(state.calls.recent(MAX_LOOKED)).into_iter().filter(Missed::is_open);
    lines.take(MAX_LINES).map(view).collect()
}

fn view(line: Missed) -> MissedView {
    let record = &line.record;
    let presentation = record.customer_number_presentation;
    let customer = record.handling.customer.as_ref().map(|customer| customer.name.clone());
    let name = || wording::caller_name(record.customer_name.as_deref(), presentation);
    MissedView {
        id: line.call,
        start: record.start_time.into(),
        caller: wording::caller(record.customer_phone_number.as_ref(), presentation),
        name: customer.or_else(name),
        campaign: record.campaign.as_ref().map_or_else(String::new, |campaign| campaign.name.clone()),
        times: (line.calls > 1).then(|| format!("{} calls", line.calls)),
        taken_by: line.taken_by.filter(|_| line.call_back.as_deref() == Some("to_call")),
        has_number: record.customer_phone_number.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Ended, web::made_up};

    fn call(n: u64, ended: Ended, number: &str) -> CallRecord {
        CallRecord { customer_phone_number: number.parse().ok(), ..made_up::record(n, ended) }
    }

    fn lines(oldest_first: Vec<CallRecord>) -> Vec<(String, usize, bool)> {
        let lines = missed(oldest_first.into_iter().rev().collect());
        lines.iter().map(|line| (line.call.clone(), line.calls, line.is_open())).collect()
    }

    #[test]
    fn calls_of_one_number_are_one_line_and_an_answer_closes_it() {
        const ANN: &str = "+12065550101";
        const BOB: &str = "+12065550102";
        let all = vec![
            call(1, Ended::NoAnswer, ANN),
            call(2, Ended::Cancelled, BOB),
            call(3, Ended::Busy, ANN),
            call(4, Ended::CallerHungUp, BOB),
            call(5, Ended::Cancelled, ""),
            call(6, Ended::Cancelled, ""),
        ];
        let id = |n| made_up::call(n).to_string();
        assert_eq!(lines(all), [(id(6), 1, true), (id(5), 1, true), (id(3), 2, true), (id(2), 1, false)]);
    }

    #[test]
    fn an_answer_before_a_missed_call_does_not_close_it_and_a_person_does() {
        let mut again = call(2, Ended::NoAnswer, "+12065550101");
        let first = call(1, Ended::CallerHungUp, "+12065550101");
        assert!(lines(vec![first.clone(), again.clone()])[0].2);
        again.handling.call_back = Some("to_call".to_owned());
        assert!(lines(vec![first.clone(), again.clone()])[0].2, "not done yet");
        again.handling.call_back = Some("called_back".to_owned());
        assert!(!lines(vec![first, again])[0].2);
    }
}
