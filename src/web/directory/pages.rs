//! The pages of numbers.

use super::{
    api,
    fields::{Form, Kind, NumberFields},
    form::{Advertised, Forwarding, Tracker},
    perform, said, see_other,
};
use crate::{
    access::Task,
    directory::{Change, Directory, Edit, NumberEntry, Refused, Source, Use},
    web::{
        Site,
        access::Asking,
        bar::{Bar, Page},
        pages::{drawn, problem},
        view::Fact,
    },
};
use askama::Template;
use axum::{
    extract::{Form as Sent, Path, Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;

/// What a page says of what was done.
#[derive(Deserialize)]
pub(super) struct Done {
    done: Option<String>,
}

impl Done {
    /// Only our own words: an address must not make the page say something.
    pub(super) fn words(&self) -> Option<&'static str> {
        self.done.as_ref().map(|_| "Saved. It is in force for the next call.")
    }
}

#[derive(Template)]
#[template(path = "directory/edit.html")]
pub(super) struct EditPage {
    pub(super) bar: Bar,
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) said: Option<&'static str>,
    pub(super) problem: Option<String>,
    pub(super) form: Form,
}

#[derive(Template)]
#[template(path = "directory/numbers.html")]
struct NumbersPage {
    bar: Bar,
    may_change: bool,
    said: Option<&'static str>,
    problem: Option<String>,
    groups: Vec<Group>,
}

/// Numbers of one kind.
struct Group {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    second: &'static str,
    third: &'static str,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    number: String,
    name: Option<String>,
    second: String,
    third: String,
    class: &'static str,
    state: String,
    from: &'static str,
}

pub(super) async fn numbers(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<Done>,
) -> Response {
    let directory = site.state.directory.newest();
    let may_change = asking.0.role.may(Task::Manage);
    let rows = |is: fn(&Use) -> bool| {
        let all = directory.numbers().into_iter().filter(|(entry, _)| is(&entry.used));
        all.map(|(entry, source)| row(&directory, entry, source, may_change)).collect::<Vec<_>>()
    };
    let mut groups = vec![
        Group {
            id: "tracking",
            title: "Tracking numbers",
            lead: "Calls to these reach the box, ring the office and are tracked.",
            second: "Campaign",
            third: "Rings",
            rows: rows(|used| matches!(used, Use::Tracking { .. })),
        },
        Group {
            id: "advertised",
            title: "Advertised numbers",
            lead: "Printed where customers see them; the carrier forwards them to a tracking number.",
            second: "Campaign",
            third: "Forwards to",
            rows: rows(|used| matches!(used, Use::Advertised { .. })),
        },
    ];
    if may_change {
        groups.push(Group {
            id: "forwarding",
            title: "Forwarding numbers",
            lead: "The office’s own lines. A call straight to one is not tracked; do not advertise them.",
            second: "Use",
            third: "Behind",
            rows: rows(|used| matches!(used, Use::Forwarding)),
        });
    }
    let unassigned = rows(|used| matches!(used, Use::Unassigned));
    if !unassigned.is_empty() {
        let lead = "Used for nothing any more. Their history stays.";
        groups.push(Group {
            id: "unassigned",
            title: "Unassigned numbers",
            lead,
            second: "Use",
            third: "Last",
            rows: unassigned,
        });
    }
    let bar = Bar::new(Page::Numbers, &asking.0);
    drawn(StatusCode::OK, Some(NumbersPage { bar, may_change, said: done.words(), problem: None, groups }))
}

fn row(directory: &Directory, entry: &NumberEntry, source: Source, may_change: bool) -> Row {
    let campaign =
        |id: &str| directory.campaign(id).map_or_else(String::new, |(campaign, _)| campaign.name.clone());
    let live = directory.lookup(&entry.number);
    let (second, third, class, state) = match &entry.used {
        Use::Tracking { campaign: of, .. } => {
            let rings = live.map_or_else(String::new, |live| live.ports.join(", "));
            (campaign(of), rings, "good", verified(entry, "In service"))
        }
        Use::Advertised { forwards_to, campaign: of, porting_since } => {
            let target = directory.lookup(forwards_to).map(|target| target.campaign.name.clone());
            let of = of.as_deref().map(campaign).or(target).unwrap_or_default();
            match porting_since {
                Some(_) => {
                    (of, said(forwards_to), "amber", "Being ported: accepted on both paths".to_owned())
                }
                None => (of, said(forwards_to), "", verified(entry, "Not tested")),
            }
        }
        Use::Forwarding => {
            let before = directory.trackers().filter(|t| t.forwarding_number.as_ref() == Some(&entry.number));
            let before = before.map(|tracker| said(&tracker.number)).collect::<Vec<_>>().join(", ");
            ("Not tracked".to_owned(), before, "", "Unadvertised".to_owned())
        }
        Use::Unassigned => {
            let last = entry.history.last().map_or_else(String::new, |change| change.what.to_string());
            let last = if may_change { last } else { String::new() };
            ("Nothing".to_owned(), last, "", "Unassigned".to_owned())
        }
    };
    let (id, number) = (entry.id.clone(), said(&entry.number));
    Row { id, number, name: entry.name.clone(), second, third, class, state, from: from(source) }
}

fn verified(entry: &NumberEntry, otherwise: &str) -> String {
    entry
        .verified
        .as_ref()
        .map_or_else(|| otherwise.to_owned(), |verified| verified.verdict.replace('_', " "))
}

pub(super) const fn from(source: Source) -> &'static str {
    match source {
        Source::File => "configuration file",
        Source::Book => "this directory",
    }
}

#[derive(Template)]
#[template(path = "directory/number.html")]
pub(super) struct DetailPage {
    pub(super) bar: Bar,
    pub(super) kind: &'static str,
    pub(super) number: String,
    pub(super) name: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) said: Option<&'static str>,
    pub(super) problem: Option<String>,
    pub(super) facts: Vec<Fact>,
    pub(super) steps: Vec<Step>,
    pub(super) form: Option<Form>,
    pub(super) history: Vec<Change>,
}

/// Something that a button does.
pub(super) struct Step {
    pub(super) action: String,
    pub(super) value: &'static str,
    pub(super) button: &'static str,
    pub(super) class: &'static str,
}

pub(super) fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name, value: value.into() }
}

/// R21: a forwarding number is not for everybody.
fn may_see(entry: &NumberEntry, asking: &Asking) -> bool {
    entry.used != Use::Forwarding || asking.0.role.may(Task::Manage)
}

fn no_such_number(asking: &Asking) -> Response {
    problem(StatusCode::NOT_FOUND, asking, "There is no such number", "Look for it on the page Numbers.")
}

pub(super) async fn number(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Response {
    let directory = site.state.directory.newest();
    match api::number(&directory, &id).filter(|(entry, _)| may_see(entry, &asking)) {
        Some((entry, source)) => number_page(&directory, &asking, (entry, source), (done.words(), None)),
        None => no_such_number(&asking),
    }
}

fn number_page(
    directory: &Directory,
    asking: &Asking,
    (entry, source): (&NumberEntry, Source),
    (told, refused): (Option<&'static str>, Option<(&Refused, NumberFields)>),
) -> Response {
    let may_change = asking.0.role.may(Task::Manage);
    let is_ours = may_change && source == Source::Book;
    let shown = row(directory, entry, source, may_change);
    let mut facts = vec![fact("State", shown.state), fact("From", shown.from)];
    let (second, third) = match &entry.used {
        Use::Tracking { .. } => ("Campaign", "Rings"),
        Use::Advertised { .. } => ("Campaign", "Forwards to"),
        Use::Forwarding => ("Use", "Behind"),
        Use::Unassigned => ("Use", "Last"),
    };
    facts.extend([(second, shown.second), (third, shown.third)].map(|(name, value)| fact(name, value)));
    let live = directory.lookup(&entry.number);
    if let Some(forwarding) = live.and_then(|live| live.forwarding_number.as_ref()).filter(|_| may_change) {
        facts.push(fact("Forwarding number", format!("{}, never advertised", said(forwarding))));
    }
    let mut warnings = Vec::new();
    let advertised =
        live.map(|live| live.advertised.iter().map(said).collect::<Vec<_>>()).unwrap_or_default();
    if !advertised.is_empty() {
        facts.push(fact("Advertised as", advertised.join(", ")));
    }
    if advertised.len() > 1 {
        warnings
            .push("two advertised numbers forward to this one: their calls cannot be told apart".to_owned());
    }
    if let Some(reason) = &entry.override_reason {
        warnings.push(format!("it is a forwarding number too, by an administrator’s word: {reason}"));
    }
    let problem = refused.as_ref().map(|(why, _)| why.to_string());
    let fields = refused.map(|(_, sent)| sent).or_else(|| NumberFields::of(entry));
    let action = format!("/numbers/{}", entry.id);
    let form = fields.filter(|_| is_ours).map(|fields| fields.form(directory, action.clone(), false));
    let page = DetailPage {
        bar: Bar::new(Page::Numbers, &asking.0),
        kind: entry.used.words(),
        number: said(&entry.number),
        name: entry.name.clone(),
        warnings,
        said: told,
        facts,
        steps: if is_ours { steps(entry, &action) } else { Vec::new() },
        form,
        history: if may_change { entry.history.iter().rev().cloned().collect() } else { Vec::new() },
        problem,
    };
    drawn(page.problem.as_ref().map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY), Some(page))
}

fn steps(entry: &NumberEntry, action: &str) -> Vec<Step> {
    let porting = |value, button, class| Step { action: format!("{action}/porting"), value, button, class };
    let mut steps = match &entry.used {
        Use::Advertised { porting_since: None, .. } => vec![porting("start", "Port it in", "")],
        Use::Advertised { porting_since: Some(_), .. } => {
            vec![porting("finish", "It has arrived", ""), porting("cancel", "Call porting off", "outline")]
        }
        Use::Tracking { .. } | Use::Forwarding | Use::Unassigned => Vec::new(),
    };
    if entry.used != Use::Unassigned {
        steps.push(Step {
            action: format!("{action}/unassign"),
            value: "",
            button: "Unassign",
            class: "secondary outline",
        });
    }
    steps
}

/// What a new number is for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "use", default)]
    used: String,
}

pub(super) async fn new_number(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(Wanted { used }): Query<Wanted>,
) -> Response {
    let fields = match used.as_str() {
        "advertised" => NumberFields::Advertised(Advertised::default()),
        "forwarding" => NumberFields::Forwarding(Forwarding::default()),
        _ => NumberFields::Tracking(Tracker::default()),
    };
    new_page(&site.state.directory.newest(), &asking, &fields, None)
}

fn new_page(
    directory: &Directory,
    asking: &Asking,
    fields: &NumberFields,
    refused: Option<&Refused>,
) -> Response {
    let (title, lead, action) = match fields {
        NumberFields::Tracking(_) => (
            "Add tracking number",
            "A number of your trunk. Calls to it ring the office and count for its campaign.",
            "/numbers/tracking",
        ),
        NumberFields::Advertised(_) => (
            "Add advertised number",
            "A number that customers know. Its carrier forwards it to a tracking number, always.",
            "/numbers/advertised",
        ),
        NumberFields::Forwarding(_) => (
            "Add forwarding number",
            "The number of the office’s own line. It stays unadvertised.",
            "/numbers/forwarding",
        ),
    };
    let bar = Bar::new(Page::Numbers, &asking.0);
    let form = fields.form(directory, action.to_owned(), true);
    let problem = refused.map(ToString::to_string);
    let status = refused.map_or(StatusCode::OK, |why| api::status(why.rule));
    drawn(status, Some(EditPage { bar, title, lead, said: None, problem, form }))
}

async fn add(site: &Site, asking: &Asking, fields: NumberFields) -> Response {
    let directory = site.state.directory.newest();
    let edit = match &fields {
        NumberFields::Tracking(sent) => sent.edit(&directory, None),
        NumberFields::Advertised(sent) => sent.edit(&directory, None),
        NumberFields::Forwarding(sent) => sent.edit(&directory, None),
    };
    let number =
        if let Ok(Edit::NumberAssigned { number, .. }) = &edit { Some(number.clone()) } else { None };
    let done = match edit {
        Ok(edit) => perform(site, asking, edit).await,
        Err(why) => Err(why),
    };
    match done {
        Ok(_) => {
            let id =
                number.and_then(|number| Some(site.state.directory.newest().number(&number)?.0.id.clone()));
            see_other(&id.map_or_else(|| "/numbers?done=1".to_owned(), |id| format!("/numbers/{id}?done=1")))
        }
        Err(why) => new_page(&directory, asking, &fields, Some(&why)),
    }
}

pub(super) async fn add_tracking(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Tracker>,
) -> Response {
    add(&site, &asking, NumberFields::Tracking(sent)).await
}

pub(super) async fn add_advertised(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Advertised>,
) -> Response {
    add(&site, &asking, NumberFields::Advertised(sent)).await
}

pub(super) async fn add_forwarding(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Forwarding>,
) -> Response {
    add(&site, &asking, NumberFields::Forwarding(sent)).await
}

/// The fields of every kind of number; which are there depends on its use.
#[derive(Deserialize)]
pub(super) struct Any {
    name: Option<String>,
    campaign_id: Option<String>,
    ring: Option<String>,
    destination_number: Option<String>,
    forwards_to: Option<String>,
    override_reason: Option<String>,
}

pub(super) async fn change_number(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<Any>,
) -> Response {
    let directory = site.state.directory.newest();
    let Some((entry, source)) = api::number(&directory, &id) else { return no_such_number(&asking) };
    let Any { name, campaign_id, ring, destination_number, forwards_to, override_reason } = sent;
    let (fields, edit) = match &entry.used {
        Use::Advertised { .. } => {
            let sent = Advertised { number: None, name, forwards_to, campaign_id, override_reason };
            let edit = sent.edit(&directory, Some(entry));
            (NumberFields::Advertised(sent), edit)
        }
        Use::Forwarding => {
            let sent = Forwarding { number: None, name };
            let edit = sent.edit(&directory, Some(entry));
            (NumberFields::Forwarding(sent), edit)
        }
        Use::Tracking { .. } | Use::Unassigned => {
            let tracking_phone_number = None;
            let sent = Tracker {
                tracking_phone_number,
                name,
                campaign_id,
                ring,
                destination_number,
                override_reason,
            };
            let edit = sent.edit(&directory, Some(entry));
            (NumberFields::Tracking(sent), edit)
        }
    };
    let done = match edit {
        Ok(edit) => perform(&site, &asking, edit).await,
        Err(why) => Err(why),
    };
    match done {
        Ok(_) => see_other(&format!("/numbers/{}?done=1", entry.id)),
        Err(why) => number_page(&directory, &asking, (entry, source), (None, Some((&why, fields)))),
    }
}

async fn step(site: &Site, asking: &Asking, id: &str, edit: impl FnOnce(&NumberEntry) -> Edit) -> Response {
    let directory = site.state.directory.newest();
    let Some((entry, source)) = api::number(&directory, id) else { return no_such_number(asking) };
    match perform(site, asking, edit(entry)).await {
        Ok(_) => see_other(&format!("/numbers/{}?done=1", entry.id)),
        Err(why) => {
            let fields = NumberFields::of(entry).unwrap_or(NumberFields::Forwarding(Forwarding::default()));
            number_page(&directory, asking, (entry, source), (None, Some((&why, fields))))
        }
    }
}

pub(super) async fn port_number(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(api::Porting { step: wanted }): Sent<api::Porting>,
) -> Response {
    step(&site, &asking, &id, |entry| wanted.edit(entry.number.clone())).await
}

pub(super) async fn unassign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    step(&site, &asking, &id, |entry| Edit::NumberUnassigned { number: entry.number.clone() }).await
}
