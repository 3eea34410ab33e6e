//! The fleet on one page, one box on its own, and the way in.

use super::{
    Receiver,
    access::Visitor,
    answer,
    stored::{FleetBox, StoreError, StoredCall, recording_of},
    tls::Peer,
    wall_now,
};
use crate::{
    id::BoxId,
    record::CallRecord,
    sync::wire::Gaps,
    time::WallTime,
    web::{guard, wording},
};
use askama::Template;
use axum::{
    Form,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use std::{sync::Arc, time::Duration};

/// Calls on one page of a box.
const PAGE_CALLS: usize = 100;
/// A box reports once a minute; after so long it is silent.
const SILENT_MS: u64 = 10 * 60_000;
/// What a wrong token costs at least.
const WRONG_TOKEN: Duration = Duration::from_secs(1);

pub(super) async fn fleet(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Some(away) = sent_away(&receiver, &headers, &peer) {
        return away;
    }
    match receiver.records.fleet().await {
        Ok(fleet) => drawn(FleetPage::new(fleet, wall_now())),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Below {
    before: Option<u64>,
}

pub(super) async fn one_box(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<String>,
    Query(below): Query<Below>,
    headers: HeaderMap,
) -> Response {
    if let Some(away) = sent_away(&receiver, &headers, &peer) {
        return away;
    }
    let Ok(id) = id.parse::<BoxId>() else { return not_here() };
    match box_page(&receiver, id, below.before.unwrap_or(i64::MAX as u64)).await {
        Ok(Some(page)) => drawn(page),
        Ok(None) => not_here(),
        Err(error) => answer::unavailable(&receiver, &error),
    }
}

async fn box_page(receiver: &Receiver, id: BoxId, below: u64) -> Result<Option<BoxPage>, StoreError> {
    let Some(known) = receiver.records.fleet_box(id).await? else { return Ok(None) };
    let newest = receiver.records.calls(id, i64::MAX as u64, 1).await?.first().map_or(0, |call| call.seq);
    let calls = receiver.records.calls(id, below, PAGE_CALLS).await?;
    let gaps = receiver.records.gaps(id, newest).await?;
    Ok(Some(BoxPage::new(known, &calls, &gaps, wall_now())))
}

pub(super) async fn sign_in(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    match receiver.operator.visitor(&headers, &peer, wall_now()) {
        Visitor::Operator => Redirect::to("/").into_response(),
        Visitor::Stranger => drawn(SignInPage { wrong: false }),
        Visitor::Outsider => not_here(),
    }
}

#[derive(serde::Deserialize)]
pub(super) struct SignIn {
    token: String,
}

pub(super) async fn signed_in(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Form(SignIn { token }): Form<SignIn>,
) -> Response {
    if receiver.operator.visitor(&headers, &peer, wall_now()) == Visitor::Outsider {
        return not_here();
    }
    let Ok(_turn) = receiver.signing_in.try_acquire() else { return answer::busy(&receiver) };
    if receiver.operator.is_token(token.trim()) {
        tracing::info!(peer = %peer.address, "an operator signed in");
        let cookie = receiver.operator.cookie(wall_now(), peer.encrypted);
        return ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response();
    }
    tracing::warn!(peer = %peer.address, "a wrong operator's token was tried");
    tokio::time::sleep(WRONG_TOKEN).await;
    (StatusCode::FORBIDDEN, drawn(SignInPage { wrong: true })).into_response()
}

pub(super) async fn metrics(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    if receiver.operator.visitor(&headers, &peer, wall_now()) != Visitor::Operator {
        return not_here();
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], receiver.metrics.text()).into_response()
}

/// What every page carries.
pub(super) async fn with_headers(mut response: Response) -> Response {
    guard::dress(response.headers_mut());
    response
}

/// The answer to those who may not see a page.
fn sent_away(receiver: &Receiver, headers: &HeaderMap, peer: &Peer) -> Option<Response> {
    match receiver.operator.visitor(headers, peer, wall_now()) {
        Visitor::Operator => None,
        Visitor::Stranger => Some(Redirect::to("/sign-in").into_response()),
        Visitor::Outsider => Some(not_here()),
    }
}

fn not_here() -> Response {
    answer::problem(StatusCode::NOT_FOUND, "not here", "")
}

/// Something of ours is not as it should be.
pub(super) fn broken() -> Response {
    answer::problem(StatusCode::INTERNAL_SERVER_ERROR, "this cannot be shown", "")
}

fn drawn(page: impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            broken()
        }
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    wrong: bool,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    boxes: Vec<BoxView>,
    silent: usize,
}

#[derive(Template)]
#[template(path = "fleet_box.html")]
struct BoxPage {
    this: BoxView,
    calls: Vec<CallView>,
    /// Numbers of the calls that are missing, in ranges.
    missing: Vec<String>,
    missing_recordings: usize,
    /// The number below which the next page begins.
    older: Option<u64>,
}

/// A box in a table's row.
struct BoxView {
    id: String,
    name: String,
    site: String,
    software: String,
    /// How long ago, in words.
    heard: String,
    heard_at: Option<String>,
    /// `answered` or `missed`: the CSS class.
    class: &'static str,
    state: &'static str,
    records_waiting: u64,
    recordings_waiting: u64,
    oldest: String,
    refused: u64,
    alarms: Vec<String>,
    /// What is wrong with its journal.
    journal: Option<String>,
}

/// A call in a table's row.
struct CallView {
    seq: u64,
    start: String,
    caller: String,
    campaign: String,
    tracking: String,
    result: String,
    result_class: &'static str,
    talk: Option<String>,
    recording: Option<String>,
}

impl FleetPage {
    fn new(mut fleet: Vec<FleetBox>, now: WallTime) -> Self {
        // Those that were not heard for longest come first, the retired ones last.
        let order =
            |one: &FleetBox| (one.token.is_none(), one.heard.as_ref().map_or(0, |heard| heard.at.0), one.id);
        fleet.sort_by_key(order);
        let boxes: Vec<_> = fleet.into_iter().map(|one| BoxView::new(one, now)).collect();
        Self { silent: boxes.iter().filter(|one| one.state == "Silent").count(), boxes }
    }
}

impl BoxView {
    fn new(one: FleetBox, now: WallTime) -> Self {
        let ago = |at: WallTime| ago(now.0.saturating_sub(at.0));
        let silent = one.heard.as_ref().is_none_or(|heard| now.0.saturating_sub(heard.at.0) > SILENT_MS);
        let (class, state) = match (one.token.is_some(), silent) {
            (false, _) => ("open", "Removed"),
            (true, true) => ("missed", "Silent"),
            (true, false) => ("answered", "Reports"),
        };
        let warning = one.heard.as_ref().and_then(|heard| heard.chain.warning.as_ref());
        let journal = warning.map(|(at, why)| format!("Look at this box: {why} ({at})"));
        let health = one.heard.as_ref().map(|heard| heard.health.clone()).unwrap_or_default();
        Self {
            id: one.id.to_string(),
            name: one.name,
            site: health.site,
            software: one.heard.as_ref().map(|heard| heard.software.clone()).unwrap_or_default(),
            heard: one.heard.as_ref().map_or_else(|| "never".to_owned(), |heard| ago(heard.at)),
            heard_at: one.heard.as_ref().map(|heard| heard.at.to_string()),
            class,
            state,
            records_waiting: health.records_waiting,
            recordings_waiting: health.recordings_waiting,
            oldest: health.oldest_waiting.map(ago).unwrap_or_default(),
            refused: health.refused,
            alarms: health.alarms.iter().map(|alarm| wording::plain(alarm)).collect(),
            journal,
        }
    }
}

impl BoxPage {
    fn new(this: FleetBox, calls: &[StoredCall], gaps: &Gaps, now: WallTime) -> Self {
        let range =
            |[from, to]: &[u64; 2]| if from == to { from.to_string() } else { format!("{from} to {to}") };
        let older = calls.last().map(|call| call.seq).filter(|seq| *seq > 1 && calls.len() == PAGE_CALLS);
        Self {
            this: BoxView::new(this, now),
            calls: calls.iter().map(CallView::new).collect(),
            missing: gaps.calls.iter().map(range).collect(),
            missing_recordings: gaps.recordings.len(),
            older,
        }
    }
}

impl CallView {
    fn new(call: &StoredCall) -> Self {
        let doc = serde_json::from_str(&call.text).unwrap_or_default();
        let recording = recording_of(&doc).map(|(id, _)| id.to_string());
        let Ok(record) = serde_json::from_value::<CallRecord>(doc) else {
            return Self::of_a_newer_box(call.seq);
        };
        let (tone, result) = wording::result(&record);
        Self {
            seq: call.seq,
            start: record.start_time.to_string(),
            caller: wording::caller(
                record.customer_phone_number.as_ref(),
                record.customer_number_presentation,
            ),
            campaign: record.campaign.map_or_else(|| "No campaign".to_owned(), |campaign| campaign.name),
            tracking: wording::number(&record.tracking_phone_number),
            result,
            result_class: tone.class(),
            talk: record.timing_ms.talk.map(wording::duration),
            recording,
        }
    }

    /// A record that says things this receiver does not know yet is stored, and shown as far as it goes.
    fn of_a_newer_box(seq: u64) -> Self {
        Self {
            seq,
            start: String::new(),
            caller: "This receiver is older than the box".to_owned(),
            campaign: String::new(),
            tracking: String::new(),
            result: "Stored".to_owned(),
            result_class: "open",
            talk: None,
            recording: None,
        }
    }
}

/// A span in words: `just now`, `7 min ago`, `3 h ago`, `12 days ago`.
fn ago(ms: u64) -> String {
    match ms / 60_000 {
        0 => "just now".to_owned(),
        minutes @ 1..120 => format!("{minutes} min ago"),
        minutes @ 120..2_880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::ClockState,
        sync::wire::Health,
        upstream::stored::{Chain, Heard},
    };

    fn heard(minutes_ago: u64, now: WallTime) -> Heard {
        let health =
            Health { site: "Bel Air".to_owned(), alarms: vec!["line_dead".to_owned()], ..Health::default() };
        let at = WallTime(now.0 - minutes_ago * 60_000);
        let (software, boot_id) = ("ringside/0.1.0".to_owned(), "0".repeat(16));
        Heard {
            at,
            software,
            boot_id,
            sent_at: at,
            clock: ClockState::Synced,
            health,
            chain: Chain::default(),
        }
    }

    #[test]
    fn silent_boxes_come_first_and_removed_ones_last() {
        let now = WallTime(1_763_816_709_007);
        let one = |id: u128, heard, token| FleetBox {
            id: BoxId::from_parts(WallTime(1), id),
            name: format!("<box {id}>"),
            token,
            heard,
        };
        let fleet = vec![
            one(1, Some(heard(1, now)), Some([1; 32])),
            one(2, None, None),
            one(3, Some(heard(600, now)), Some([1; 32])),
            one(4, None, Some([1; 32])),
        ];
        let page = FleetPage::new(fleet, now);
        let states: Vec<_> = page.boxes.iter().map(|one| one.state).collect();
        assert_eq!(states, ["Silent", "Silent", "Reports", "Removed"]);
        assert_eq!(page.boxes[0].heard, "never");
        assert_eq!(page.boxes[1].heard, "10 h ago");
        let html = page.render().unwrap();
        assert!(
            html.contains("&#60;box 4&#62;") && html.contains("Bel Air") && html.contains("line dead"),
            "{html}"
        );
    }
}
