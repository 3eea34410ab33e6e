//! The pages of double forwarding: choose two numbers, see to the carrier, test twice, keep and print the proof.

use super::{
    super::{
        Site,
        access::{Asking, Routes, needs},
        bar::{Bar, Page},
        pages::{drawn, problem},
    },
    view::{Choice, ProofPage, Row, choices, objection},
};
use crate::{
    access::Task,
    id::ProofId,
    number::{Dialplan, E164},
    proving::{Objection, Office, Refused, check},
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest number that a person types, with all its signs.
const MAX_TYPED: usize = 40;

pub(in super::super) fn routes() -> Routes {
    Routes::new()
        .route("/setup/forwarding", needs(Task::Install, get(list).post(begin)))
        .route("/setup/forwarding/{id}", needs(Task::Install, get(show)))
        .route("/setup/forwarding/{id}/checklist", needs(Task::Install, post(checklist)))
        .route("/setup/forwarding/{id}/test", needs(Task::Install, post(test)))
        .route("/setup/forwarding/{id}/events", needs(Task::Install, get(events)))
        .route("/proofs/{id}", needs(Task::Handle, get(certificate)))
}

/// Two numbers as somebody typed and chose them.
#[derive(Default, Deserialize)]
struct Numbers {
    #[serde(default)]
    advertised: String,
    #[serde(default)]
    tracking: String,
    /// The warnings were read.
    #[serde(default)]
    anyway: Option<String>,
}

async fn list(State(site): State<Arc<Site>>, asking: Asking) -> Response {
    form(&site, &asking, StatusCode::OK, &Numbers::default(), Vec::new(), false)
}

fn form(
    site: &Site,
    asking: &Asking,
    status: StatusCode,
    typed: &Numbers,
    objections: Vec<String>,
    may_go_on: bool,
) -> Response {
    let proofs = &site.state.proofs;
    let (advertised, tracking) = choices(&proofs.directory(), &typed.tracking);
    let page = ListPage {
        bar: Bar::new(Page::SetUp, &asking.0),
        typed: typed.advertised.chars().take(MAX_TYPED).collect(),
        advertised,
        tracking,
        objections,
        may_go_on,
        rows: proofs.all().iter().map(Row::new).collect(),
    };
    drawn(status, Some(page))
}

async fn begin(State(site): State<Arc<Site>>, asking: Asking, Form(typed): Form<Numbers>) -> Response {
    let refuse = |words: Vec<String>, may_go_on| {
        form(&site, &asking, StatusCode::UNPROCESSABLE_ENTITY, &typed, words, may_go_on)
    };
    let proofs = &site.state.proofs;
    let Some(advertised) = read_number(&typed.advertised, proofs.0.plan.as_ref()) else {
        let words = "The advertised number is not a telephone number: write it with its area code.";
        return refuse(vec![words.to_owned()], false);
    };
    let Ok(tracking) = typed.tracking.parse::<E164>() else {
        return refuse(vec!["Choose the tracking number that it forwards to.".to_owned()], false);
    };
    let directory = proofs.directory();
    let found = check(&advertised, Some(&tracking), &directory);
    let may_go_on = found.iter().all(Objection::is_warning);
    let is_agreed = found.is_empty() || may_go_on && typed.anyway.is_some();
    if !is_agreed {
        return refuse(found.iter().map(objection).collect(), may_go_on);
    }
    let campaign = directory.lookup(&tracking).map(|tracker| tracker.campaign.name.clone());
    match proofs.begin((advertised, tracking), campaign.unwrap_or_default(), asking.0.name.clone()) {
        Some(id) => see_other(&format!("/setup/forwarding/{id}")),
        None => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            &asking,
            "This box cannot keep proofs",
            "Its key is missing: see the log, and put a copy of box.key back into the data directory.",
        ),
    }
}

/// A number in any spelling that people of this country use.
fn read_number(text: &str, plan: Option<&Dialplan>) -> Option<E164> {
    let text = text.trim();
    let text = Some(text).filter(|text| text.len() <= MAX_TYPED)?;
    plan.and_then(|plan| E164::from_dialled(text, plan)).or_else(|| text.parse().ok())
}

async fn show(State(site): State<Arc<Site>>, asking: Asking, Path(id): Path<String>) -> Response {
    let Some(proof) = page_of(&site, &id) else { return no_such_proof(&asking) };
    drawn(StatusCode::OK, Some(ShowPage { bar: Bar::new(Page::SetUp, &asking.0), proof, refused: None }))
}

fn page_of(site: &Site, id: &str) -> Option<ProofPage> {
    let proofs = &site.state.proofs;
    Some(ProofPage::new(&proofs.get(id.parse().ok()?)?, proofs))
}

fn no_such_proof(asking: &Asking) -> Response {
    let remedy = "It may be of another box, or was never tested. Begin a new one under Set-up.";
    problem(StatusCode::NOT_FOUND, asking, "There is no such proof", remedy)
}

/// What was ticked: each name with any value.
type Ticked = Vec<(String, String)>;

async fn checklist(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Form(ticked): Form<Ticked>,
) -> Response {
    let Some(proof) = id.parse::<ProofId>().ok().filter(|id| site.state.proofs.get(*id).is_some()) else {
        return no_such_proof(&asking);
    };
    let words: Vec<String> = ticked.into_iter().map(|(word, _)| word).collect();
    site.state.proofs.see_to(proof, &words);
    see_other(&format!("/setup/forwarding/{proof}#tests"))
}

/// A test as it is ordered.
#[derive(Deserialize)]
struct Ordered {
    office: Office,
    #[serde(default)]
    caller: String,
}

async fn test(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Form(ordered): Form<Ordered>,
) -> Response {
    let Ok(proof) = id.parse::<ProofId>() else { return no_such_proof(&asking) };
    let proofs = &site.state.proofs;
    let caller = read_number(&ordered.caller, proofs.0.plan.as_ref());
    let refused = if caller.is_none() && !ordered.caller.trim().is_empty() {
        "The number you call from is not a telephone number: write it with its area code, or leave it empty."
    } else {
        match proofs.test(proof, ordered.office, caller) {
            Ok(()) => return see_other(&format!("/setup/forwarding/{proof}#tests")),
            Err(Refused::Unknown) => return no_such_proof(&asking),
            Err(Refused::Busy) => "Another test waits for its call: it ends within a minute.",
        }
    };
    let Some(mut page) = page_of(&site, &id) else { return no_such_proof(&asking) };
    page.caller = ordered.caller.chars().take(MAX_TYPED).collect();
    let bar = Bar::new(Page::SetUp, &asking.0);
    drawn(StatusCode::CONFLICT, Some(ShowPage { bar, proof: page, refused: Some(refused) }))
}

/// The part of the page that changes while a test waits, each time that it does.
async fn events(State(site): State<Arc<Site>>, asking: Asking, Path(id): Path<String>) -> Response {
    if page_of(&site, &id).is_none() {
        return no_such_proof(&asking);
    }
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many open pages: close some\n").into_response();
    };
    let (out, events) = mpsc::channel::<Result<Event, Infallible>>(2);
    tokio::spawn(async move {
        let (mut news, mut stop) = (site.state.proofs.follow(), site.stop.clone());
        // A change between the drawing of the page and this moment is sent at once.
        news.mark_changed();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => break,
                () = out.closed() => break,
                changed = news.changed() => if changed.is_err() { break },
            }
            let Some(proof) = page_of(&site, &id) else { break };
            let Ok(html) = (StepsFragment { proof }).render() else { break };
            if out.send(Ok(Event::default().data(html))).await.is_err() {
                break;
            }
        }
        drop(permit);
    });
    Sse::new(ReceiverStream::new(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// The proof to be printed.
async fn certificate(State(site): State<Arc<Site>>, asking: Asking, Path(id): Path<String>) -> Response {
    let Some(proof) = page_of(&site, &id).filter(|proof| proof.has_finding) else {
        return no_such_proof(&asking);
    };
    drawn(StatusCode::OK, Some(CertificatePage { bar: Bar::new(Page::Other, &asking.0), proof }))
}

pub(in super::super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response()
}

#[derive(Template)]
#[template(path = "forwarding.html")]
struct ListPage {
    bar: Bar,
    typed: String,
    advertised: Vec<Choice>,
    tracking: Vec<Choice>,
    objections: Vec<String>,
    may_go_on: bool,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "forwarding_proof.html")]
struct ShowPage {
    bar: Bar,
    proof: ProofPage,
    refused: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "stream_forwarding.html")]
struct StepsFragment {
    proof: ProofPage,
}

#[derive(Template)]
#[template(path = "proof.html")]
struct CertificatePage {
    bar: Bar,
    proof: ProofPage,
}
