//! `/api/v1/calls` and what belongs to it, for programs.

use super::{
    super::{Site, access::Asking, api::problem},
    NotAnswered, Pairs, Question, place, query,
    resource::{Format, resource},
    unreadable,
};
use crate::{
    access::{Task, Who},
    id::CallId,
    ledger::{
        calendar,
        filter::{Wrong, one_of},
        names::Kind,
        report::{self, Group, Interval, Report, Sums},
        search,
    },
    record::CallRecord,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most steps of a time series.
const MOST_STEPS: usize = 4_000;

fn failed() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "the call records could not be read")
}

/// `GET /api/v1/calls`
pub(in crate::web) async fn list(
    State(site): State<Arc<Site>>,
    Asking(who): Asking,
    Query(pairs): Query<Pairs>,
) -> Response {
    let answer = site.read(move |state| {
        let place = place(state);
        let question = Question::of(&pairs, &place).and_then(|question| {
            question.nothing_else()?;
            Ok(question)
        });
        let question = question.map_err(NotAnswered::Wrong)?;
        let book = state.calls.book();
        let found = search::page(&*book, &question.filter, &question.paging, &place);
        found.map(|found| listed(&question, &found, &place.zone)).map_err(NotAnswered::Unreadable)
    });
    match answer.await {
        Some(Ok(mut answer)) => {
            for call in answer["calls"].as_array_mut().into_iter().flatten() {
                hide_from(&who, call);
            }
            Json(answer).into_response()
        }
        Some(Err(refused)) => refused.response(),
        None => failed(),
    }
}

/// A forwarding number stays unadvertised: who does not run the office is not told it.
fn hide_from(who: &Who, call: &mut Value) {
    if let Some(number) = call.get_mut("business_phone_number").filter(|_| !who.role.may(Task::Manage)) {
        *number = Value::Null;
    }
}

fn listed(question: &Question, found: &search::Found, zone: &TimeZone) -> Value {
    let paging = &question.paging;
    let calls: Vec<Value> = found.calls.iter().map(|record| one(record, question, zone)).collect();
    let next = found.next.map(|next| next.to_string());
    let next_page = next.as_deref().map(|next| {
        let per_page = paging.per_page.to_string();
        let mut pairs = question.filter.pairs();
        pairs.push(("sort", paging.sort.word().to_owned()));
        pairs.push(("order", paging.order.word().to_owned()));
        pairs.push(("per_page", per_page));
        if !question.fields.is_empty() {
            pairs.push(("fields", question.fields.join(",")));
        }
        if question.format == Format::Record {
            pairs.push(("format", "record".to_owned()));
        }
        pairs.push(("after", next.to_owned()));
        format!("/api/v1/calls?{}", query(pairs.iter().map(|(name, value)| (*name, value.as_str()))))
    });
    json!({
        "calls": calls,
        "per_page": paging.per_page,
        "total_records": found.total,
        "total_pages": found.total.div_ceil(paging.per_page.max(1)),
        "next": next,
        "next_page": next_page,
    })
}

fn one(record: &CallRecord, question: &Question, zone: &TimeZone) -> Value {
    match question.format {
        Format::Resource => Value::Object(resource(record, &question.fields, zone)),
        Format::Record => json!(record),
    }
}

/// `GET /api/v1/calls/{id}`
pub(in crate::web) async fn call(
    State(site): State<Arc<Site>>,
    Asking(who): Asking,
    Path(id): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let Ok(id) = id.parse::<CallId>() else {
        return problem(StatusCode::NOT_FOUND, "no_such_call", "not the id of a call");
    };
    let answer = site.read(move |state| {
        let place = place(state);
        let question = Question::of(&pairs, &place).and_then(|question| {
            question.nothing_else()?;
            Ok(question)
        });
        let question = question.map_err(NotAnswered::Wrong)?;
        Ok::<_, NotAnswered>(
            state
                .desk
                .newest(id)
                .or_else(|| state.calls.get(id))
                .map(|record| one(&record, &question, &place.zone)),
        )
    });
    match answer.await {
        Some(Ok(Some(mut record))) => {
            hide_from(&who, &mut record);
            Json(record).into_response()
        }
        Some(Ok(None)) => problem(StatusCode::NOT_FOUND, "no_such_call", "this box knows no such call"),
        Some(Err(refused)) => refused.response(),
        None => failed(),
    }
}

/// A report and what else was asked of it, one parameter by name.
async fn summed<T: Send + 'static>(
    site: &Site,
    pairs: Pairs,
    parameter: &'static str,
    read: impl FnOnce(Option<String>) -> Result<T, Wrong> + Send + 'static,
    answer: impl FnOnce(&Report, T, &Question, &crate::ledger::filter::Site) -> Value + Send + 'static,
) -> Response {
    let answer = site.read(move |state| {
        let place = place(state);
        let asked = Question::of(&pairs, &place).and_then(|mut question| {
            let how = read(question.other(parameter))?;
            question.nothing_else()?;
            Ok((question, how))
        });
        let (question, how) = asked.map_err(NotAnswered::Wrong)?;
        let report = report::report(&*state.calls.book(), &question.filter, &place);
        let report = report.map_err(NotAnswered::Unreadable)?;
        Ok::<_, NotAnswered>(answer(&report, how, &question, &place))
    });
    match answer.await {
        Some(Ok(answer)) => Json(answer).into_response(),
        Some(Err(refused)) => refused.response(),
        None => failed(),
    }
}

/// What calls are grouped by.
#[derive(Clone, Copy)]
enum GroupBy {
    Campaign,
    Source,
    Number,
    Agent,
    Tag,
    Company,
}

impl GroupBy {
    const WORDS: [&'static str; 6] =
        ["campaign", "source", "tracking_phone_number", "agent", "tag", "company"];

    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "campaign" => Self::Campaign,
            "source" => Self::Source,
            "tracking_phone_number" => Self::Number,
            "agent" => Self::Agent,
            "tag" => Self::Tag,
            "company" => Self::Company,
            _ => return None,
        })
    }
}

/// `GET /api/v1/calls/summary?group_by=`
pub(in crate::web) async fn summary(State(site): State<Arc<Site>>, Query(pairs): Query<Pairs>) -> Response {
    let read = |value: Option<String>| {
        value.map(|value| one_of("group_by", &value, GroupBy::WORDS, GroupBy::named)).transpose()
    };
    summed(&site, pairs, "group_by", read, |report, by, _, _| {
        let groups: &[Group] = match by {
            Some(GroupBy::Campaign) => &report.campaigns,
            Some(GroupBy::Source) => &report.sources,
            Some(GroupBy::Number) => &report.numbers,
            Some(GroupBy::Agent) => &report.agents,
            Some(GroupBy::Tag) => &report.tags,
            Some(GroupBy::Company) | None => &[],
        };
        let rows = groups.iter().map(|group| {
            let mut row = json!({ "key": group.id, "name": group.name });
            merge(&mut row, sums(&group.sums));
            row
        });
        json!({
            "total_results": sums(&report.all),
            "grouped_results": rows.collect::<Vec<Value>>(),
        })
    })
    .await
}

/// `GET /api/v1/calls/timeseries?interval=`
pub(in crate::web) async fn timeseries(
    State(site): State<Arc<Site>>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let read = |value: Option<String>| {
        let all = Interval::ALL.map(Interval::word);
        let named = |value: String| one_of("interval", &value, all, Interval::named);
        value.map(named).transpose().map(|interval| interval.unwrap_or(Interval::Day))
    };
    summed(&site, pairs, "interval", read, |report, interval, question, place| {
        let (first, last) = question.filter.days(calendar::day_of(place.now, &place.zone));
        let ends = report.days.first().zip(report.days.last());
        let (first, last) = (first.or(ends.map(|ends| ends.0.0)), last.or(ends.map(|ends| ends.1.0)));
        let steps = first.zip(last).map(|(first, last)| report.series(interval, first, last));
        let steps = steps.unwrap_or_default();
        let rows = steps.iter().take(MOST_STEPS).map(|(day, step)| {
            let mut row = json!({ "key": day.to_string(), "date": day.to_string() });
            merge(&mut row, sums(step));
            row
        });
        json!({
            "interval": interval,
            "total_results": sums(&report.all),
            "data": rows.collect::<Vec<Value>>(),
        })
    })
    .await
}

/// `GET /api/v1/tags`
pub(in crate::web) async fn tags(State(site): State<Arc<Site>>) -> Response {
    let names = site.read(|state| state.calls.book().names());
    match names.await {
        Some(Ok(names)) => {
            let tags: Vec<Value> =
                names.sorted(Kind::Tag).iter().map(|tag| json!({ "id": tag.id, "name": tag.name })).collect();
            Json(json!({ "total_records": tags.len(), "tags": tags })).into_response()
        }
        Some(Err(why)) => unreadable(&why),
        None => failed(),
    }
}

/// Sums under the names of the API.
pub(in crate::web) fn sums(sums: &Sums) -> Value {
    use crate::ledger::label::{AnswerStatus, Booking};
    json!({
        "total_calls": sums.calls,
        "answered_calls": sums.answered(),
        "missed_calls": sums.of(AnswerStatus::Missed),
        "abandoned_calls": sums.of(AnswerStatus::Abandoned),
        "voicemails": sums.of(AnswerStatus::Voicemail),
        "answered_percent": sums.answered_percent(),
        "first_time_callers": sums.first_time,
        "talk_ms": sums.talk_ms,
        "average_time_to_answer_ms": sums.time_to_answer_ms(),
        "booked": sums.labelled(Booking::Booked),
        "unbooked": sums.labelled(Booking::Unbooked),
        "excused": sums.labelled(Booking::Excused),
        "abandoned": sums.labelled(Booking::Abandoned),
        "not_lead": sums.labelled(Booking::NotLead),
    })
}

fn merge(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
