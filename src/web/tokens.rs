//! The page of tokens, for administrators.

use super::{
    Site,
    access::Asking,
    account,
    accounts::{NewToken, Refusal, Token},
    bar::{Bar, Page},
    form::Fields,
    guard::Came,
    pages, said,
    users::SecretPage,
};
use crate::{access::Role, id::TokenId};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use std::sync::Arc;

/// Roles that a token may have, as the form names them.
const ROLES: [(Role, &str); 5] = [
    (Role::WallDisplay, "wall_display"),
    (Role::Csr, "csr"),
    (Role::Office, "office"),
    (Role::Installer, "installer"),
    (Role::Administrator, "administrator"),
];

/// A token as a row.
struct Row {
    token: Token,
    role: &'static str,
    since: String,
    until: String,
    /// CSS class.
    class: &'static str,
    used: String,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    bar: Bar,
    rows: Vec<Row>,
    roles: [(Role, &'static str); 5],
    name: String,
    said: &'static str,
    wrong: String,
}

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<said::Done>,
) -> Response {
    draw(&site, &asking, done.words(), None, String::new())
}

pub(super) async fn add(
    State(site): State<Arc<Site>>,
    asking: Asking,
    came: Came,
    fields: Fields,
) -> Response {
    let name = fields.text("name").to_owned();
    let role = ROLES.iter().find(|(_, value)| *value == fields.text("role")).map(|(role, _)| *role);
    let Some(role) = role else { return draw(&site, &asking, "", Some(&Refusal::Role), name) };
    let new = NewToken { name: name.clone(), role, until: said::end_of_day(fields.text("until")) };
    let by = asking.0.name.clone();
    let made = site.read(move |state| state.accounts.add_token(new, &by, super::wall_now()));
    match made.await {
        Some(Ok(made)) => {
            let did = format!("made a token with the role {role}");
            account(&site, &asking.0.name, &did, &made.made.id.to_string());
            let secret = made.secret.unwrap_or_default();
            let hint = match role {
                Role::WallDisplay => {
                    format!("Open {}/wall/in?token={secret} on the display once.", origin(&came))
                }
                _ => format!("A program shows it as: Authorization: Bearer {secret}"),
            };
            let title = format!("The token {}", made.made.name);
            let bar = Bar::new(Page::Tokens, &asking.0);
            let page = SecretPage { bar, title, what: "Token", secret, hint, back: "/tokens" };
            pages::drawn(StatusCode::OK, Some(page))
        }
        Some(Err(why)) => draw(&site, &asking, "", Some(&why), name),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn revoke(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
) -> Response {
    let Ok(token) = id.parse::<TokenId>() else {
        return draw(&site, &asking, "", Some(&Refusal::NoSuchToken), String::new());
    };
    match site.read(move |state| state.accounts.revoke(token, super::wall_now())).await {
        Some(Ok(_)) => {
            account(&site, &asking.0.name, "revoked a token", &id);
            Redirect::to("/tokens?done=revoked").into_response()
        }
        Some(Err(why)) => draw(&site, &asking, "", Some(&why), String::new()),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// How the box is called in the address that the browser shows.
fn origin(came: &Came) -> String {
    let scheme = if came.encrypted { "https" } else { "http" };
    format!("{scheme}://{}", came.host)
}

fn draw(site: &Site, asking: &Asking, said: &'static str, wrong: Option<&Refusal>, name: String) -> Response {
    let tokens = site.state.accounts.tokens();
    let why = wrong.cloned().or_else(|| tokens.as_ref().err().cloned());
    let page = TokensPage {
        bar: Bar::new(Page::Tokens, &asking.0),
        rows: tokens.unwrap_or_default().into_iter().map(Row::new).collect(),
        roles: ROLES,
        name,
        said,
        wrong: why.as_ref().map_or_else(String::new, ToString::to_string),
    };
    pages::drawn(why.map_or(StatusCode::OK, |why| why.code().0), Some(page))
}

impl Row {
    fn new(token: Token) -> Self {
        let open = token.is_open(super::wall_now());
        let until = token.until.map(said::day);
        Self {
            role: token.role.words(),
            since: said::day(token.since),
            until: match (open, until) {
                (true, None) => "Open".to_owned(),
                (true, Some(until)) => format!("Open until {until}"),
                (false, until) => format!("Ended {}", until.unwrap_or_default()),
            },
            class: if open { "answered" } else { "" },
            used: token.last_used.map_or_else(|| "Never".to_owned(), said::day),
            token,
        }
    }
}
