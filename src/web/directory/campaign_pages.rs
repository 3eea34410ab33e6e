//! The pages of campaigns.

use super::{
    api, fields,
    form::Campaign,
    pages::{DetailPage, Done, EditPage, Step, fact, from},
    perform, said, see_other,
};
use crate::{
    access::Task,
    directory::{Directory, Edit, Refused, Rule, Source},
    web::{
        Site,
        access::Asking,
        bar::{Bar, Page},
        pages::{drawn, problem},
    },
};
use askama::Template;
use axum::{
    extract::{Form as Sent, Path, Query, State},
    http::StatusCode,
    response::Response,
};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "directory/campaigns.html")]
struct CampaignsPage {
    bar: Bar,
    may_change: bool,
    said: Option<&'static str>,
    problem: Option<String>,
    rows: Vec<CampaignRow>,
}

struct CampaignRow {
    id: String,
    name: String,
    source: String,
    medium: String,
    numbers: Vec<String>,
    class: &'static str,
    state: &'static str,
    from: &'static str,
}

pub(super) async fn campaigns(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<Done>,
) -> Response {
    let directory = site.state.directory.newest();
    let rows = directory.campaigns().into_iter().map(|(campaign, source)| CampaignRow {
        id: campaign.id.clone(),
        name: campaign.name.clone(),
        source: campaign.source_name.clone().unwrap_or_default(),
        medium: campaign.medium.clone().unwrap_or_default(),
        numbers: numbers_of(&directory, &campaign.id),
        class: if campaign.ended { "" } else { "good" },
        state: if campaign.ended { "Over" } else { "Running" },
        from: from(source),
    });
    let (rows, may_change) = (rows.collect(), asking.0.role.may(Task::Manage));
    let bar = Bar::new(Page::Campaigns, &asking.0);
    drawn(StatusCode::OK, Some(CampaignsPage { bar, may_change, said: done.words(), problem: None, rows }))
}

fn numbers_of(directory: &Directory, campaign: &str) -> Vec<String> {
    let numbers = directory.trackers().filter(|tracker| tracker.campaign.id == campaign);
    numbers.map(|tracker| said(&tracker.number)).collect()
}

pub(super) async fn new_campaign(asking: Asking) -> Response {
    new_campaign_page(&asking, &Campaign::default(), None)
}

fn new_campaign_page(asking: &Asking, sent: &Campaign, refused: Option<&Refused>) -> Response {
    let page = EditPage {
        bar: Bar::new(Page::Campaigns, &asking.0),
        title: "Add campaign",
        lead: "The marketing effort that numbers belong to. One tracking number for each campaign tells them apart.",
        said: None,
        problem: refused.map(ToString::to_string),
        form: fields::campaign(sent, "/campaigns".to_owned()),
    };
    drawn(refused.map_or(StatusCode::OK, |why| api::status(why.rule)), Some(page))
}

pub(super) async fn add_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Sent(sent): Sent<Campaign>,
) -> Response {
    match perform(&site, &asking, sent.edit(None)).await {
        Ok(_) => see_other("/campaigns?done=1"),
        Err(why) => new_campaign_page(&asking, &sent, Some(&why)),
    }
}

pub(super) async fn campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Response {
    campaign_page(&site.state.directory.newest(), &asking, &id, (done.words(), None))
}

fn campaign_page(
    directory: &Directory,
    asking: &Asking,
    id: &str,
    (told, refused): (Option<&'static str>, Option<(&Refused, Option<Campaign>)>),
) -> Response {
    let Some((entry, source)) = directory.campaign(id) else {
        let remedy = "Look for it on the page Campaigns.";
        return problem(StatusCode::NOT_FOUND, asking, "There is no such campaign", remedy);
    };
    let may_change = asking.0.role.may(Task::Manage);
    let is_ours = may_change && source == Source::Book;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "None".to_owned());
    let numbers = numbers_of(directory, id);
    let facts = vec![
        fact("State", if entry.ended { "Over" } else { "Running" }),
        fact("Tracking numbers", if numbers.is_empty() { "None yet".to_owned() } else { numbers.join(", ") }),
        fact("On the phone’s display", entry.tag.clone()),
        fact("Source", text(&entry.source_name)),
        fact("Medium", text(&entry.medium)),
        fact("From", from(source)),
    ];
    let status = refused.as_ref().map_or(StatusCode::OK, |(why, _)| api::status(why.rule));
    let problem = refused.as_ref().map(|(why, _)| why.to_string());
    let sent = refused.and_then(|(_, sent)| sent).unwrap_or_else(|| fields::of_campaign(entry));
    let action = format!("/campaigns/{id}");
    let end = Step {
        action: format!("{action}/end"),
        value: "",
        button: "End the campaign",
        class: "secondary outline",
    };
    let page = DetailPage {
        bar: Bar::new(Page::Campaigns, &asking.0),
        kind: "campaign",
        number: entry.name.clone(),
        name: None,
        warnings: Vec::new(),
        said: told,
        problem,
        facts,
        steps: if is_ours && !entry.ended { vec![end] } else { Vec::new() },
        form: is_ours.then(|| fields::campaign(&sent, action)),
        history: entry.history.iter().rev().cloned().collect(),
    };
    drawn(status, Some(page))
}

pub(super) async fn change_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Sent(sent): Sent<Campaign>,
) -> Response {
    let directory = site.state.directory.newest();
    let unknown = || Refused {
        rule: Rule::NotThere,
        what: format!("there is no campaign {id}"),
        remedy: "look at the list".to_owned(),
    };
    let done = match directory.campaign(&id) {
        Some((before, _)) => perform(&site, &asking, sent.edit(Some(before))).await,
        None => Err(unknown()),
    };
    match done {
        Ok(_) => see_other(&format!("/campaigns/{id}?done=1")),
        Err(why) => campaign_page(&directory, &asking, &id, (None, Some((&why, Some(sent))))),
    }
}

pub(super) async fn end_campaign(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    match perform(&site, &asking, Edit::CampaignEnded { id: id.clone() }).await {
        Ok(_) => see_other(&format!("/campaigns/{id}?done=1")),
        Err(why) => campaign_page(&site.state.directory.newest(), &asking, &id, (None, Some((&why, None)))),
    }
}
