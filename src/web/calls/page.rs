//! `/calls`: the list of all calls with filters, search and players.

use super::{
    super::{
        Site, State,
        access::Asking,
        bar::{Bar, Page},
        pages::{self, drawn},
        view::{CallView, Player},
    },
    Pairs, Question, place, query,
};
use crate::{
    access::Task,
    ledger::{
        Filter, Names,
        calendar::{self, Preset},
        filter::Site as Place,
        label::{self, AnswerStatus, Facts, GOOD_LEAD, NOT_A_LEAD},
        names::Kind,
        search,
    },
    record::CallRecord,
    web::wording,
};
use askama::Template;
use axum::{
    extract::{self, Query},
    http::StatusCode,
    response::Response,
};
use std::sync::Arc;

/// Rows of the page.
const ROWS: usize = 50;

/// One choice of a list of choices.
pub(in crate::web) struct Choice {
    pub(in crate::web) value: String,
    pub(in crate::web) words: String,
    pub(in crate::web) is_chosen: bool,
}

/// One field of the form with its choices.
pub(in crate::web) struct Field {
    pub(in crate::web) name: &'static str,
    pub(in crate::web) label: &'static str,
    pub(in crate::web) choices: Vec<Choice>,
}

/// A filter to switch on or off by one click.
pub(in crate::web) struct Chip {
    pub(in crate::web) to: String,
    pub(in crate::web) words: String,
    pub(in crate::web) is_on: bool,
}

struct Row {
    call: CallView,
    when: String,
    answer: &'static str,
    booking: &'static str,
    agent: String,
    is_first: bool,
    lead: Option<&'static str>,
    tags: Vec<String>,
}

#[derive(Template)]
#[template(path = "calls.html")]
struct CallsPage {
    bar: Bar,
    search: String,
    from: String,
    to: String,
    fields: Vec<Field>,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    total: usize,
    is_filtered: bool,
    zone: String,
    next: Option<String>,
    is_later_page: bool,
    first: String,
    exports: Option<[String; 2]>,
    wrong: Option<String>,
}

pub(in crate::web) async fn calls(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Query(pairs): Query<Pairs>,
) -> Response {
    let page = site.read(move |state| page(state, &asking, &pairs));
    let page = page.await;
    let status = match &page {
        Some(page) if page.wrong.is_some() => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    drawn(status, page)
}

fn page(state: &State, asking: &Asking, pairs: &[(String, String)]) -> CallsPage {
    let place = place(state);
    let book = state.calls.book();
    let (question, mut wrong) = match Question::of(pairs, &place).and_then(|question| {
        question.nothing_else()?;
        Ok(question)
    }) {
        Ok(question) => (Some(question), None),
        Err(why) => (None, Some(why.to_string())),
    };
    let filter = question.as_ref().map(|question| question.filter.clone()).unwrap_or_default();
    let paging = question.as_ref().map(|question| question.paging).unwrap_or_default();
    let paging = search::Paging { per_page: ROWS, ..paging };
    let names = book.names().unwrap_or_default();
    let found = question.is_some().then(|| search::page(&*book, &filter, &paging, &place));
    let found = match found {
        Some(Ok(found)) => found,
        Some(Err(why)) => {
            wrong = Some(why.to_string());
            search::Found { calls: Vec::new(), next: None, total: 0 }
        }
        None => search::Found { calls: Vec::new(), next: None, total: 0 },
    };
    let typed = |name: &str| {
        let given = pairs.iter().find(|(given, _)| given == name);
        given.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let next = found.next.map(|next| {
        let next = next.to_string();
        let more = [("sort", paging.sort.word()), ("order", paging.order.word()), ("after", &*next)];
        address("/calls", &filter, &more)
    });
    let may_export = asking.0.role.may(Task::Manage);
    CallsPage {
        bar: Bar::new(Page::Calls, &asking.0),
        search: typed("search"),
        from: typed("start_date"),
        to: typed("end_date"),
        fields: fields(&filter, &names),
        chips: chips(&filter),
        rows: found.calls.iter().map(|record| row(record, state, &place)).collect(),
        total: found.total,
        is_filtered: filter != Filter::default(),
        zone: place.zone.iana_name().unwrap_or("UTC").to_owned(),
        next,
        is_later_page: paging.after.is_some(),
        first: address("/calls", &filter, &[]),
        exports: may_export
            .then(|| ["csv", "json"].map(|kind| address(&format!("/calls/export.{kind}"), &filter, &[]))),
        wrong,
    }
}

fn row(record: &CallRecord, state: &State, place: &Place) -> Row {
    let facts = Facts::of(record);
    let agent = record.handling.claimed_by.as_ref().map(|claim| claim.name.clone());
    Row {
        call: pages::row(record, state),
        when: calendar::local(record.start_time, &place.zone),
        answer: label::answer_status(&facts).words(),
        booking: label::booking(&facts).words(),
        agent: agent.unwrap_or_default(),
        is_first: record.handling.prior_calls == Some(0),
        lead: lead_words(record.handling.lead_status.as_deref()),
        tags: record.handling.tags.clone(),
    }
}

fn lead_words(lead: Option<&str>) -> Option<&'static str> {
    match lead {
        Some(GOOD_LEAD) => Some("Good lead"),
        Some(NOT_A_LEAD) => Some("Not a lead"),
        _ => None,
    }
}

/// The address of a page that shows what a filter means.
pub(in crate::web) fn address(path: &str, filter: &Filter, more: &[(&str, &str)]) -> String {
    let pairs = filter.pairs();
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied());
    let query = query(pairs);
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The one-click filters; each keeps the others.
fn chips(filter: &Filter) -> Vec<Chip> {
    type Switch = (&'static str, fn(&Filter) -> bool, fn(&mut Filter, bool));
    let all: [Switch; 8] = [
        ("Today", |f| f.preset == Some("today"), |f, on| span(f, on.then_some("today"))),
        ("Last 7 days", |f| f.preset == Some("last_7_days"), |f, on| span(f, on.then_some("last_7_days"))),
        ("Answered", |f| f.answered == Some(true), |f, on| f.answered = on.then_some(true)),
        ("Not answered", |f| f.answered == Some(false), |f, on| f.answered = on.then_some(false)),
        ("First-time callers", |f| f.first == Some(true), |f, on| f.first = on.then_some(true)),
        ("With recording", |f| f.recorded == Some(true), |f, on| f.recorded = on.then_some(true)),
        ("Good leads", |f| f.lead == Some(GOOD_LEAD), |f, on| f.lead = on.then_some(GOOD_LEAD)),
        ("Unmarked", |f| f.lead == Some("unmarked"), |f, on| f.lead = on.then_some("unmarked")),
    ];
    let chip = |(words, is_on, switch): Switch| {
        let is_on = is_on(filter);
        let mut other = filter.clone();
        switch(&mut other, !is_on);
        Chip { to: address("/calls", &other, &[]), words: words.to_owned(), is_on }
    };
    all.into_iter().map(chip).collect()
}

fn span(filter: &mut Filter, preset: Option<&'static str>) {
    (filter.preset, filter.from, filter.to) = (preset, None, None);
}

/// The fields of the form, each with what is chosen.
pub(in crate::web) fn fields(filter: &Filter, names: &Names) -> Vec<Field> {
    let named = |kind: Kind, label: &'static str, name: &'static str, chosen: &Option<String>| {
        let all = names.sorted(kind).into_iter().map(|named| (named.id.clone(), named.name.clone()));
        field(name, label, all, chosen.as_deref())
    };
    let tracking = filter.tracking.as_ref().map(ToString::to_string);
    let numbers = names.sorted(Kind::Number).into_iter().map(|named| {
        let shown = named.id.parse().map_or_else(|_| named.id.clone(), |number| wording::number(&number));
        (named.id.clone(), shown)
    });
    let words = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
    };
    let yes_no = |yes: Option<bool>| yes.map(|yes| yes.to_string());
    let leads = [(GOOD_LEAD, "Good lead"), (NOT_A_LEAD, "Not a lead"), ("unmarked", "Unmarked")];
    let statuses = AnswerStatus::ALL.map(|status| (status.word(), status.words()));
    let labels = label::Booking::ALL.map(|label| (label.word(), label.words()));
    let first = [("true", "First-time callers"), ("false", "Called before")];
    vec![
        presets(filter),
        named(Kind::Campaign, "Campaign", "campaign", &filter.campaign),
        field("tracking_phone_number", "Tracking number", numbers, tracking.as_deref()),
        field("answer_status", "Answer", words(&statuses), filter.status.map(AnswerStatus::word)),
        field("first_call", "Caller", words(&first), yes_no(filter.first).as_deref()),
        field("booking", "Booking", words(&labels), filter.booking.map(label::Booking::word)),
        field("lead_status", "Lead", words(&leads), filter.lead),
        named(Kind::Agent, "Who answered", "agent", &filter.agent),
        named(Kind::Tag, "Tag", "tag", &filter.tag),
    ]
}

/// The spans of days.
pub(in crate::web) fn presets(filter: &Filter) -> Field {
    let all = Preset::ALL.map(|preset| (preset.word().to_owned(), preset.words().to_owned()));
    field("date_range", "Days", all, filter.preset)
}

fn field(
    name: &'static str,
    label: &'static str,
    all: impl IntoIterator<Item = (String, String)>,
    chosen: Option<&str>,
) -> Field {
    let choice = |(value, words): (String, String)| {
        let is_chosen = chosen.is_some_and(|chosen| chosen == value || chosen == words);
        Choice { value, words, is_chosen }
    };
    Field { name, label, choices: all.into_iter().map(choice).collect() }
}
