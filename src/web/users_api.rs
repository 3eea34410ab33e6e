//! Users, tokens and the claim code for programs.

use super::{
    CertificateFacts, Site,
    access::Asking,
    account,
    accounts::{Draft, Made, NewToken, Refusal, Token, User},
    api, said, sign_in, users,
};
use crate::{
    access::{Role, Who},
    id::{TokenId, UserId},
    time::WallTime,
};
use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize)]
struct UserList {
    users: Vec<User>,
}

#[derive(Serialize)]
struct TokenList {
    tokens: Vec<Token>,
}

/// What somebody on the box has to know who wants in.
#[derive(Serialize)]
struct DoorFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
    /// None if the page is for this machine only.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateFacts>,
}

#[derive(Serialize)]
struct ClaimCode {
    /// None once the box has an administrator.
    claim_code: Option<String>,
}

/// A user to be made.
#[derive(Deserialize)]
pub(super) struct NewUser {
    #[serde(flatten)]
    draft: Draft,
    #[serde(default)]
    password: Option<String>,
}

/// What is to be changed of a user; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    name: Option<String>,
    login: Option<String>,
    role: Option<Role>,
    ports: Option<Vec<String>>,
    until: Option<WallTime>,
    disabled: Option<bool>,
}

/// A password; without one it is made up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: Option<String>,
}

type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) async fn list(State(site): State<Arc<Site>>) -> Response {
    match site.state.accounts.users() {
        Ok(users) => Json(UserList { users }).into_response(),
        Err(why) => refused(&why),
    }
}

pub(super) async fn add(State(site): State<Arc<Site>>, asking: Asking, new: Body<NewUser>) -> Response {
    let Ok(Json(NewUser { draft, password })) = new else { return unreadable("a user: name, login, role") };
    let made =
        site.read(move |state| state.accounts.add(draft, password.as_deref(), super::wall_now())).await;
    answer(StatusCode::CREATED, made, |made| {
        let did = format!("added a user with the role {}", made.made.role);
        account(&site, &asking.0.name, &did, &made.made.id.to_string());
    })
}

pub(super) async fn change(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    changes: Body<Changes>,
) -> Response {
    let Ok(user) = id.parse::<UserId>() else { return refused(&Refusal::NoSuchUser) };
    let Ok(Json(changes)) = changes else {
        return unreadable("changes: name, login, role, ports, until, disabled");
    };
    let changed = site.read(move |state| {
        let (accounts, now) = (&state.accounts, super::wall_now());
        let before = accounts.user(user)?;
        let (until, disabled) = (changes.until.or(before.until), changes.disabled);
        let draft = Draft {
            name: changes.name.unwrap_or_else(|| before.name.clone()),
            login: changes.login.unwrap_or_else(|| before.login.clone()),
            role: changes.role.unwrap_or(before.role),
            ports: changes.ports.unwrap_or_else(|| before.ports.clone()),
            until,
        };
        let as_it_was = Draft {
            name: before.name.clone(),
            login: before.login.clone(),
            role: before.role,
            ports: before.ports.clone(),
            until: before.until,
        };
        let after = if draft == as_it_was { Ok(before) } else { accounts.edit(user, draft, now) }?;
        match disabled {
            Some(disabled) if disabled != after.disabled => accounts.set_disabled(user, disabled, now),
            Some(_) | None => Ok(after),
        }
    });
    answer(StatusCode::OK, changed.await, |after| {
        let closed = if after.disabled { ", closed" } else { "" };
        account(&site, &asking.0.name, &format!("changed a user: {}{closed}", users::facts(after)), &id);
    })
}

pub(super) async fn password(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    new: Body<Password>,
) -> Response {
    let Ok(user) = id.parse::<UserId>() else { return refused(&Refusal::NoSuchUser) };
    let Ok(Json(Password { password })) = new else {
        return unreadable("a password, or none for a made-up one");
    };
    let made = site
        .read(move |state| state.accounts.set_password(user, password.as_deref(), None, super::wall_now()));
    answer(StatusCode::OK, made.await, |_| account(&site, &asking.0.name, "reset the password", &id))
}

pub(super) async fn door(State(site): State<Arc<Site>>) -> Response {
    let (claim_code, certificate) = (site.state.accounts.claim_code(), site.state.certificate.facts());
    Json(DoorFacts { claim_code, certificate }).into_response()
}

/// Puts all accounts aside. Only for programs on the box: whoever has the box has its files.
pub(super) async fn start_over(State(site): State<Arc<Site>>, asking: Asking) -> Response {
    if *asking.0 != Who::this_box() {
        let title = "only on the box itself: `ringside users start-over`";
        return api::problem(StatusCode::FORBIDDEN, "not_allowed", title);
    }
    let done = site.read(|state| state.accounts.start_over());
    let done = done.await.map(|done| done.map(|code| ClaimCode { claim_code: Some(code) }));
    answer(StatusCode::OK, done, |_| account(&site, &asking.0.name, "started the accounts over", "all users"))
}

pub(super) async fn tokens(State(site): State<Arc<Site>>) -> Response {
    match site.state.accounts.tokens() {
        Ok(tokens) => Json(TokenList { tokens }).into_response(),
        Err(why) => refused(&why),
    }
}

pub(super) async fn add_token(
    State(site): State<Arc<Site>>,
    asking: Asking,
    new: Body<NewToken>,
) -> Response {
    let Ok(Json(new)) = new else { return unreadable("a token: name, role, until") };
    let by = asking.0.name.clone();
    let made = site.read(move |state| state.accounts.add_token(new, &by, super::wall_now())).await;
    answer(StatusCode::CREATED, made, |made: &Made<Token>| {
        let until = made.made.until.map_or_else(String::new, |until| format!(" until {}", said::day(until)));
        let did = format!("made a token with the role {}{until}", made.made.role);
        account(&site, &asking.0.name, &did, &made.made.id.to_string());
    })
}

pub(super) async fn revoke(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let Ok(token) = id.parse::<TokenId>() else { return refused(&Refusal::NoSuchToken) };
    let revoked = site.read(move |state| state.accounts.revoke(token, super::wall_now())).await;
    answer(StatusCode::OK, revoked, |_| account(&site, &asking.0.name, "revoked a token", &id))
}

fn answer<T: Serialize>(
    status: StatusCode,
    done: Option<Result<T, Refusal>>,
    account: impl FnOnce(&T),
) -> Response {
    match done {
        Some(Ok(done)) => {
            account(&done);
            (status, Json(done)).into_response()
        }
        Some(Err(why)) => refused(&why),
        None => api::problem(StatusCode::INTERNAL_SERVER_ERROR, "failed", "it failed; the log says why"),
    }
}

fn refused(why: &Refusal) -> Response {
    let (status, code) = why.code();
    sign_in::with_patience(why, api::problem(status, code, &why.to_string()))
}

fn unreadable(wanted: &str) -> Response {
    let title = format!("the body is to be JSON with {wanted}");
    api::problem(StatusCode::BAD_REQUEST, "not_understood", &title)
}
