//! `/reports`: what the calls add up to, by campaign, number, agent, port, day and hour. The same body is a page of the
//! box and a file of its own (`ringside report --html`).

pub(super) mod plot;

use super::{
    Site,
    access::Asking,
    assets,
    bar::{Bar, Page},
    calls::{
        self, Pairs, Question,
        page::{Field, address, presets},
    },
    pages::drawn,
    wording,
};
use crate::ledger::{
    Book, Filter, Unreadable,
    calendar::{self, Preset},
    filter::Site as Place,
    label::{AnswerStatus, Booking},
    report::{self, Group, Interval, Report, Sums, WEEK, percent},
};
use askama::Template;
use axum::{
    extract::{self, Query},
    http::StatusCode,
    response::Response,
};
use jiff::civil::Date;
use plot::{Column, Plot, Rect};
use serde_json::{Value, json};
use std::sync::Arc;

/// Rows of a table at most: the rest is summed up in one.
const MOST_ROWS: usize = 30;
/// Span of a report if nobody says which.
const USUAL: Preset = Preset::Last30Days;
const DAYS: [&str; WEEK] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A figure with its name.
struct Figure {
    name: &'static str,
    value: String,
}

/// A row of a table of groups.
struct Row {
    name: String,
    /// Where its calls are listed.
    to: Option<String>,
    calls: u64,
    answered: String,
    missed: u64,
    first_time: u64,
    talk: String,
    talk_share: String,
    time_to_answer: String,
    booked: u64,
    bar: Vec<Rect>,
}

/// A table of groups.
struct Table {
    id: &'static str,
    title: &'static str,
    of: &'static str,
    rows: Vec<Row>,
}

/// A row of the table beside the plots of days.
struct Step {
    label: String,
    calls: u64,
    answered: u64,
    missed: u64,
    voicemail: u64,
    share: String,
}

/// A row of the table beside the heat map.
struct Weekday {
    name: &'static str,
    hours: Vec<u64>,
}

/// Everything in a report.
#[derive(Template)]
#[template(path = "report_body.html")]
struct Body {
    span: String,
    zone: String,
    figures: Vec<Figure>,
    step: &'static str,
    steps: Vec<Step>,
    columns: Plot,
    line: Plot,
    heat: Plot,
    week: Vec<Weekday>,
    bookings: Vec<(Figure, String)>,
    tables: Vec<Table>,
    is_empty: bool,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    bar: Bar,
    presets: Field,
    from: String,
    to: String,
    list: String,
    body: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "report_file.html")]
struct ReportFile<'a> {
    css: &'a str,
    title: &'a str,
    body: String,
}

pub(super) async fn page(
    extract::State(site): extract::State<Arc<Site>>,
    asking: Asking,
    Query(pairs): Query<Pairs>,
) -> Response {
    let page = site.read(move |state| {
        let place = calls::place(state);
        let asked = Question::of(&pairs, &place).and_then(|question| {
            question.nothing_else()?;
            Ok(question.filter)
        });
        let (mut filter, mut wrong) = match asked {
            Ok(filter) => (filter, None),
            Err(why) => (Filter::default(), Some(why.to_string())),
        };
        usual_span(&mut filter);
        let list = filter.clone();
        let body = body(&*state.calls.book(), &filter, &place, Links::On);
        let body = body.unwrap_or_else(|why| {
            wrong = Some(why.to_string());
            String::new()
        });
        let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        ReportsPage {
            bar: Bar::new(Page::Reports, &asking.0),
            presets: presets(&filter),
            from: day(filter.from),
            to: day(filter.to),
            list: address("/calls", &list, &[]),
            body,
            wrong,
        }
    });
    let page = page.await;
    let is_wrong = page.as_ref().is_some_and(|page| page.wrong.is_some());
    drawn(if is_wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK }, page)
}

/// The last 30 days, unless a span is asked for.
fn usual_span(filter: &mut Filter) {
    if filter.preset.is_none() && filter.from.is_none() && filter.to.is_none() {
        filter.preset = Some(USUAL.word());
    }
}

/// Whether the names in a report lead to lists of calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    On,
    Off,
}

/// A report as one file that needs nothing else.
///
/// # Errors
/// If the calls cannot be read.
pub fn html(book: &dyn Book, filter: &Filter, place: &Place) -> Result<String, Unreadable> {
    let body = body(book, filter, place, Links::Off)?;
    let page = ReportFile { css: assets::UI_CSS, title: "Report of calls", body };
    page.render().map_err(|error| Unreadable(error.to_string()))
}

/// A report for programs: the sums of all and of every group, under the names of the API.
///
/// # Errors
/// If the calls cannot be read.
pub fn json(book: &dyn Book, filter: &Filter, place: &Place) -> Result<Value, Unreadable> {
    let report = report::report(book, filter, place)?;
    let groups = |groups: &[Group]| -> Vec<Value> {
        let row = |group: &Group| json!({ "key": group.id, "name": group.name, "sums": sums(&group.sums) });
        groups.iter().map(row).collect()
    };
    let days: Vec<Value> = report
        .days
        .iter()
        .map(|(day, of_day)| json!({ "date": day.to_string(), "sums": sums(of_day) }))
        .collect();
    let week: Vec<Vec<u64>> =
        report.week.iter().map(|hours| hours.iter().map(|(calls, _)| *calls).collect()).collect();
    Ok(json!({
        "time_zone": place.zone.iana_name(),
        "filter": filter.pairs().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "total": sums(&report.all),
        "campaigns": groups(&report.campaigns),
        "sources": groups(&report.sources),
        "tracking_phone_numbers": groups(&report.numbers),
        "agents": groups(&report.agents),
        "ports": groups(&report.ports),
        "tags": groups(&report.tags),
        "days": days,
        "calls_by_weekday_and_hour": week,
    }))
}

fn sums(of: &Sums) -> Value {
    calls::api::sums(of)
}

fn body(book: &dyn Book, filter: &Filter, place: &Place, links: Links) -> Result<String, Unreadable> {
    let report = report::report(book, filter, place)?;
    let (first, last) = filter.days(calendar::day_of(place.now, &place.zone));
    let ends = report.days.first().zip(report.days.last());
    let first = first.or(ends.map(|ends| ends.0.0));
    let last = last.or(ends.map(|ends| ends.1.0));
    let (span, interval, series) = match first.zip(last) {
        Some((first, last)) => {
            let days = last.since(first).map_or(0, |span| usize::try_from(span.get_days()).unwrap_or(0)) + 1;
            let interval = Interval::for_days(days);
            (format!("{first} to {last}"), interval, report.series(interval, first, last))
        }
        None => ("no calls yet".to_owned(), Interval::Day, Vec::new()),
    };
    let shares: Vec<(String, Option<f64>)> =
        series.iter().map(|(day, of)| (label(*day, interval), of.answered_percent())).collect();
    let body = Body {
        span,
        zone: place.zone.iana_name().unwrap_or("UTC").to_owned(),
        figures: figures(&report),
        step: interval.word(),
        steps: series.iter().map(|(day, of)| step(*day, interval, of)).collect(),
        columns: plot::columns(
            &series.iter().map(|(day, of)| column(*day, interval, of)).collect::<Vec<_>>(),
        ),
        line: plot::line(&shares),
        heat: plot::heat(&report.week, DAYS),
        week: week(&report),
        bookings: bookings(&report.all),
        tables: tables(&report, filter, links),
        is_empty: report.all.calls == 0,
    };
    body.render().map_err(|error| Unreadable(error.to_string()))
}

fn label(day: Date, interval: Interval) -> String {
    match interval {
        Interval::Day => day.strftime("%b %-d").to_string(),
        Interval::Week => day.strftime("%b %-d").to_string(),
        Interval::Month => day.strftime("%b %Y").to_string(),
    }
}

fn parts(of: &Sums) -> Vec<(u64, &'static str)> {
    vec![(of.answered(), "answered"), (of.of(AnswerStatus::Voicemail), "voicemail"), (of.missed(), "missed")]
}

fn column(day: Date, interval: Interval, of: &Sums) -> Column {
    let label = label(day, interval);
    let title = format!("{label}: {} calls, {} answered, {} missed", of.calls, of.answered(), of.missed());
    Column { label, parts: parts(of), title }
}

fn step(day: Date, interval: Interval, of: &Sums) -> Step {
    Step {
        label: label(day, interval),
        calls: of.calls,
        answered: of.answered(),
        missed: of.missed(),
        voicemail: of.of(AnswerStatus::Voicemail),
        share: share(of.answered_percent()),
    }
}

fn share(percent: Option<f64>) -> String {
    percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:.0} %"))
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1_000.0))
}

fn figures(report: &Report) -> Vec<Figure> {
    let all = &report.all;
    vec![
        Figure { name: "Calls", value: all.calls.to_string() },
        Figure { name: "Answered", value: share(all.answered_percent()) },
        Figure { name: "Missed", value: all.missed().to_string() },
        Figure { name: "First-time callers", value: all.first_time.to_string() },
        Figure { name: "On the phone", value: wording::duration(all.talk_ms) },
        Figure { name: "Time to answer", value: seconds(all.time_to_answer_ms()) },
    ]
}

fn bookings(all: &Sums) -> Vec<(Figure, String)> {
    let row = |label: Booking| {
        let count = all.labelled(label);
        (Figure { name: label.words(), value: count.to_string() }, share(percent(count, all.calls)))
    };
    Booking::ALL.into_iter().map(row).collect()
}

fn week(report: &Report) -> Vec<Weekday> {
    let row = |(hours, name): (&[(u64, u64); 24], &'static str)| Weekday {
        name,
        hours: hours.iter().map(|(calls, _)| *calls).collect(),
    };
    report.week.iter().zip(DAYS).map(row).collect()
}

fn tables(report: &Report, filter: &Filter, links: Links) -> Vec<Table> {
    type Meant = fn(&mut Filter, &Group);
    let no_link: Option<Meant> = None;
    let campaign: Meant = |filter, group| filter.campaign = Some(group.id.clone());
    let number: Meant = |filter, group| filter.tracking = group.id.parse().ok();
    let agent: Meant = |filter, group| filter.agent = Some(group.id.clone());
    let tag: Meant = |filter, group| filter.tag = Some(group.id.clone());
    type Groups<'a> = (&'static str, &'static str, &'static str, &'a [Group], Option<Meant>);
    let all: [Groups<'_>; 6] = [
        ("campaigns", "Campaigns", "Campaign", &report.campaigns, Some(campaign)),
        ("sources", "Sources", "Source", &report.sources, no_link),
        ("numbers", "Tracking numbers", "Tracking number", &report.numbers, Some(number)),
        ("agents", "Who answered", "Person or port", &report.agents, Some(agent)),
        ("ports", "Ports", "Port", &report.ports, no_link),
        ("tags", "Tags", "Tag", &report.tags, Some(tag)),
    ];
    let mut tables = Vec::new();
    for (id, title, of, groups, meant) in all.into_iter().filter(|table| !table.3.is_empty()) {
        let most = groups.iter().map(|group| group.sums.calls).max().unwrap_or(0);
        let row = |group: &Group| {
            let to = meant.filter(|_| links == Links::On && !group.id.is_empty()).map(|meant| {
                let mut of_group = filter.clone();
                meant(&mut of_group, group);
                address("/calls", &of_group, &[])
            });
            row(shown(id, group), to, &group.sums, &report.all, most)
        };
        let mut rows: Vec<Row> = groups.iter().take(MOST_ROWS).map(row).collect();
        let mut rest = Sums::default();
        groups.iter().skip(MOST_ROWS).for_each(|group| rest.add(&group.sums));
        if rest.calls > 0 {
            rows.push(self::row("All others".to_owned(), None, &rest, &report.all, most));
        }
        tables.push(Table { id, title, of, rows });
    }
    tables
}

fn shown(table: &str, group: &Group) -> String {
    match table {
        "numbers" => group.id.parse().map_or_else(|_| group.name.clone(), |number| wording::number(&number)),
        "campaigns" if group.name.is_empty() => "No campaign".to_owned(),
        "agents" | "ports" if group.name.is_empty() => "Nobody answered".to_owned(),
        _ if group.name.is_empty() => "Not said".to_owned(),
        _ => group.name.clone(),
    }
}

fn row(name: String, to: Option<String>, of: &Sums, all: &Sums, most: u64) -> Row {
    Row {
        name,
        to,
        calls: of.calls,
        answered: share(of.answered_percent()),
        missed: of.missed(),
        first_time: of.first_time,
        talk: wording::duration(of.talk_ms),
        talk_share: share(percent(of.talk_ms, all.talk_ms)),
        time_to_answer: seconds(of.time_to_answer_ms()),
        booked: of.labelled(Booking::Booked),
        bar: plot::bar(&parts(of), most),
    }
}
