//! The page of whoever is signed in: what they are, their password, signing out everywhere.

use super::{
    Site,
    access::Asking,
    account,
    accounts::{Pass, Refusal, User},
    bar::{Bar, Page},
    cookie,
    form::Fields,
    guard::Came,
    pages, said, sign_in,
};
use crate::{access::Who, id::UserId};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "you.html")]
struct YouPage {
    bar: Bar,
    role: &'static str,
    user: Option<User>,
    until: Option<String>,
    sessions: usize,
    said: &'static str,
    wrong: String,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<said::Done>,
) -> Response {
    draw(&site, &asking, done.words(), None)
}

pub(super) async fn password(
    State(site): State<Arc<Site>>,
    asking: Asking,
    came: Came,
    fields: Fields,
) -> Response {
    let Some(id) = user_id(&asking.0) else { return draw(&site, &asking, "", Some(&Refusal::NoSuchUser)) };
    let (present, new) = (fields.text("present").to_owned(), fields.text("password").to_owned());
    if new != fields.text("again") {
        let why = Refusal::Password("the two new passwords differ: type the same one twice");
        return draw(&site, &asking, "", Some(&why));
    }
    let changed = site.read(move |state| {
        let but = match &came.pass {
            Some(Pass::Session(digest)) => Some(digest),
            Some(Pass::Token(_)) | None => None,
        };
        state.accounts.is_password(id, &present)?;
        state.accounts.set_password(id, Some(&new), but, super::wall_now())
    });
    match changed.await {
        Some(Ok(_)) => {
            account(&site, &asking.0.name, "changed their password", &id.to_string());
            Redirect::to("/you?done=password").into_response()
        }
        Some(Err(why)) => draw(&site, &asking, "", Some(&why)),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn sign_out_everywhere(
    State(site): State<Arc<Site>>,
    asking: Asking,
    came: Came,
) -> Response {
    if let Some(id) = user_id(&asking.0) {
        site.read(move |state| state.accounts.sign_out_everywhere(id, super::wall_now())).await;
        account(&site, &asking.0.name, "signed out everywhere", &id.to_string());
    }
    let forget = [(header::SET_COOKIE, cookie::forget(came.encrypted))];
    (forget, Redirect::to("/sign-in?out=1")).into_response()
}

fn user_id(who: &Who) -> Option<UserId> {
    who.user_id.as_ref()?.parse().ok()
}

fn draw(site: &Site, asking: &Asking, said: &'static str, wrong: Option<&Refusal>) -> Response {
    let user = user_id(&asking.0).and_then(|id| site.state.accounts.user(id).ok());
    let page = YouPage {
        bar: Bar::new(Page::Other, &asking.0),
        role: asking.0.role.words(),
        until: user.as_ref().and_then(|user| user.until).map(said::day),
        sessions: user.as_ref().map_or(0, |user| site.state.accounts.signed_in(user.id, super::wall_now())),
        user,
        said,
        wrong: wrong.map_or_else(String::new, ToString::to_string),
    };
    let status = wrong.map_or(StatusCode::OK, |why| why.code().0);
    let response = pages::drawn(status, Some(page));
    match wrong {
        Some(why) => sign_in::with_patience(why, response),
        None => response,
    }
}
