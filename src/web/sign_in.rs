//! The pages of whoever is not signed in: sign-in, the claim of a new box, a wall display's way in; and the way out.

use super::{
    Site,
    access::Asking,
    account,
    accounts::{Begun, Draft, NotIn, Refusal},
    cookie,
    form::Fields,
    guard::Came,
    pages,
};
use crate::access::Role;
use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;

/// Where somebody wanted to go.
#[derive(Deserialize)]
pub(super) struct To {
    #[serde(default)]
    to: String,
    #[serde(default)]
    out: Option<String>,
}

#[derive(Template)]
#[template(path = "box_sign_in.html")]
struct SignInPage {
    said: &'static str,
    wrong: String,
    login: String,
    to: String,
}

#[derive(Template)]
#[template(path = "box_claim.html")]
struct ClaimPage {
    wrong: String,
    code: String,
    name: String,
    login: String,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    came: Came,
    Query(To { to, out }): Query<To>,
) -> Response {
    let accounts = &site.state.accounts;
    if came.cookie.is_some() {
        return Redirect::to(own(&to)).into_response();
    }
    if accounts.is_nobodys() {
        return Redirect::to("/claim").into_response();
    }
    let said = if out.is_some() { "You are signed out." } else { "" };
    match accounts.users() {
        Ok(_) => {
            let page = SignInPage { said, wrong: String::new(), login: String::new(), to };
            pages::drawn(StatusCode::OK, Some(page))
        }
        Err(why) => wrong(&why, String::new(), to),
    }
}

pub(super) async fn sign_in(State(site): State<Arc<Site>>, came: Came, fields: Fields) -> Response {
    let (login, password) = (fields.text("login").to_owned(), fields.text("password").to_owned());
    let (typed, address) = (login.clone(), came.address);
    let begun = site.read(move |state| {
        let now = super::wall_now();
        let begun = state.accounts.sign_in(address, &typed, &password, now);
        state.accounts.tend(now);
        begun
    });
    match begun.await {
        Some(Ok(begun)) => {
            account(&site, &begun.user.name, "signed in", &begun.user.id.to_string());
            enter(&site, &came, begun, own(fields.text("to"))).await
        }
        Some(Err(not_in)) => {
            note_burst(&site, &came, &not_in);
            wrong(&not_in.why, login, fields.text("to").to_owned())
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn claim_page(State(site): State<Arc<Site>>) -> Response {
    if !site.state.accounts.is_nobodys() {
        return Redirect::to("/sign-in").into_response();
    }
    let page =
        ClaimPage { wrong: String::new(), code: String::new(), name: String::new(), login: String::new() };
    pages::drawn(StatusCode::OK, Some(page))
}

pub(super) async fn claim(State(site): State<Arc<Site>>, came: Came, fields: Fields) -> Response {
    let code = fields.text("code").to_owned();
    let draft = Draft {
        name: fields.text("name").to_owned(),
        login: fields.text("login").to_owned(),
        role: Role::Administrator,
        ports: Vec::new(),
        until: None,
    };
    let password = fields.text("password").to_owned();
    if password != fields.text("again") {
        return claim_refused(
            &Refusal::Password("the two passwords differ: type the same one twice"),
            fields,
        );
    }
    let address = came.address;
    let begun = site.read(move |state| {
        let now = super::wall_now();
        let begun = state.accounts.sign_in_with_claim(address, &code, draft, &password, now);
        state.accounts.tend(now);
        begun
    });
    match begun.await {
        Some(Ok(begun)) => {
            account(&site, &begun.user.name, "claimed this box", &begun.user.id.to_string());
            enter(&site, &came, begun, "/").await
        }
        Some(Err(not_in)) => {
            note_burst(&site, &came, &not_in);
            claim_refused(&not_in.why, fields)
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn sign_out(State(site): State<Arc<Site>>, asking: Asking, came: Came) -> Response {
    if let Some(cookie) = came.cookie {
        site.read(move |state| state.accounts.sign_out(&cookie, super::wall_now())).await;
        account(&site, &asking.0.name, "signed out", "page");
    }
    let forget = [(header::SET_COOKIE, cookie::forget(came.encrypted))];
    (forget, Redirect::to("/sign-in?out=1")).into_response()
}

/// The token of a wall display, in its address.
#[derive(Deserialize)]
pub(super) struct Hung {
    #[serde(default)]
    token: String,
}

/// Lets a wall display in. Whoever is signed in stays who they are.
pub(super) async fn wall(
    State(site): State<Arc<Site>>,
    came: Came,
    Query(Hung { token }): Query<Hung>,
) -> Response {
    if came.cookie.is_some() {
        return Redirect::to("/wall").into_response();
    }
    let cookie = site.read(move |state| {
        let now = super::wall_now();
        let cookie = state.accounts.hang_up(&token, now);
        state.accounts.tend(now);
        cookie
    });
    match cookie.await.flatten() {
        Some(secret) => {
            account(&site, "wall display", "signed in", "page");
            let keep = [(header::SET_COOKIE, cookie::keep(&secret, came.encrypted))];
            (keep, Redirect::to("/wall")).into_response()
        }
        None => {
            let why = "this wall display’s token is not, or no longer, one of this box: ask an administrator for another\n";
            (StatusCode::UNAUTHORIZED, why).into_response()
        }
    }
}

/// Goes on under a fresh session; the one before, if there was one, is over.
async fn enter(site: &Arc<Site>, came: &Came, begun: Begun, to: &str) -> Response {
    if let Some(before) = came.cookie.clone() {
        site.read(move |state| state.accounts.sign_out(&before, super::wall_now())).await;
    }
    let keep = [(header::SET_COOKIE, cookie::keep(&begun.cookie, came.encrypted))];
    (keep, Redirect::to(to)).into_response()
}

/// Has it in the audit when somebody tries too often: where from, and on whose account, never what was typed.
fn note_burst(site: &Site, came: &Came, not_in: &NotIn) {
    let Some(user) = not_in.burst else { return };
    let from = came.address.map_or_else(|| "this box".to_owned(), |address| address.to_string());
    let on = user.map_or_else(|| "no known user".to_owned(), |id| id.to_string());
    tracing::warn!(from, on, "too many failed sign-ins");
    account(site, &from, "failed to sign in too often", &on);
}

fn wrong(why: &Refusal, login: String, to: String) -> Response {
    let page = SignInPage { said: "", wrong: why.to_string(), login, to };
    with_patience(why, pages::drawn(why.code().0, Some(page)))
}

fn claim_refused(why: &Refusal, fields: Fields) -> Response {
    let text = |name| fields.text(name).to_owned();
    // What was typed right need not be typed again; the code only if it was right.
    let code = if *why == Refusal::ClaimCode { String::new() } else { text("code") };
    let page = ClaimPage { wrong: why.to_string(), code, name: text("name"), login: text("login") };
    with_patience(why, pages::drawn(why.code().0, Some(page)))
}

/// RFC 9110 10.2.3: when to try again.
pub(super) fn with_patience(why: &Refusal, mut response: Response) -> Response {
    if let Refusal::TooOften(after) = why {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

/// An address on this box: what a link from elsewhere put there leads nowhere.
fn own(to: &str) -> &str {
    let is_own = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains('\\')
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn the_way_on_stays_on_the_box() {
        for to in ["/", "/calls/cal_1?x=1", "/numbers"] {
            assert_eq!(own(to), to);
        }
        for to in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:1",
            "/a\r\nb",
            "/\t/x",
        ] {
            assert_eq!(own(to), "/", "{to}");
        }
    }
}
