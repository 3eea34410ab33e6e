//! The pages of users, for administrators.

use super::{
    Site,
    access::Asking,
    account,
    accounts::{Draft, Made, Refusal, User},
    bar::{Bar, Page},
    form::Fields,
    pages, said,
};
use crate::{access::Role, id::UserId};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use std::sync::Arc;

/// Roles that people have, as forms name them.
const ROLES: [(Role, &str); 4] = [
    (Role::Csr, "csr"),
    (Role::Office, "office"),
    (Role::Installer, "installer"),
    (Role::Administrator, "administrator"),
];

/// A user as a row.
struct Row {
    user: User,
    role: &'static str,
    ports: String,
    standing: String,
    /// CSS class.
    class: &'static str,
}

/// A role in a form.
struct Choice {
    value: &'static str,
    words: &'static str,
    chosen: bool,
}

/// A port in a form.
struct Handset {
    name: String,
    chosen: bool,
    /// Whose it is, if it is another's.
    whose: Option<String>,
}

/// The fields of a user in a form.
struct Filled {
    name: String,
    login: String,
    until: String,
    roles: Vec<Choice>,
    handsets: Vec<Handset>,
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    bar: Bar,
    rows: Vec<Row>,
    form: Filled,
    said: &'static str,
    wrong: String,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    bar: Bar,
    row: Row,
    sessions: usize,
    form: Filled,
    said: &'static str,
    wrong: String,
}

#[derive(Template)]
#[template(path = "secret.html")]
pub(super) struct SecretPage {
    pub(super) bar: Bar,
    pub(super) title: String,
    pub(super) what: &'static str,
    pub(super) secret: String,
    pub(super) hint: String,
    pub(super) back: &'static str,
}

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(done): Query<said::Done>,
) -> Response {
    draw_list(&site, &asking, done.words(), None)
}

pub(super) async fn add(State(site): State<Arc<Site>>, asking: Asking, fields: Fields) -> Response {
    let draft = draft(&fields);
    let password = fields.said("password").map(str::to_owned);
    let asked = draft.clone();
    let made = site.read(move |state| state.accounts.add(asked, password.as_deref(), super::wall_now()));
    match made.await {
        Some(Ok(Made { made, secret })) => {
            let did = format!("added a user with the role {}", made.role);
            account(&site, &asking.0.name, &did, &made.id.to_string());
            match secret {
                Some(secret) => shown_once(&asking, &made, secret),
                None => Redirect::to(&format!("/users/{}?done=changed", made.id)).into_response(),
            }
        }
        Some(Err(why)) => draw_list(&site, &asking, "", Some((&why, draft))),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    Query(done): Query<said::Done>,
) -> Response {
    draw_one(&site, &asking, &id, done.words(), None)
}

pub(super) async fn edit(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path(id): Path<String>,
    fields: Fields,
) -> Response {
    let Ok(user) = id.parse::<UserId>() else { return no_such_user(&asking) };
    let draft = draft(&fields);
    let asked = draft.clone();
    let edited = site.read(move |state| state.accounts.edit(user, asked, super::wall_now()));
    match edited.await {
        Some(Ok(after)) => {
            account(&site, &asking.0.name, &format!("changed a user: {}", facts(&after)), &id);
            Redirect::to(&format!("/users/{id}?done=changed")).into_response()
        }
        Some(Err(why)) => draw_one(&site, &asking, &id, "", Some((&why, Some(draft)))),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What a button on a user's page does: `close`, `open`, `sign-out`, `reset-password`.
pub(super) async fn act(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Path((id, act)): Path<(String, String)>,
) -> Response {
    let Ok(user) = id.parse::<UserId>() else { return no_such_user(&asking) };
    let asked = act.clone();
    let done = site.read(move |state| {
        let (accounts, now) = (&state.accounts, super::wall_now());
        match asked.as_str() {
            "close" => accounts.set_disabled(user, true, now).map(|made| Made { made, secret: None }),
            "open" => accounts.set_disabled(user, false, now).map(|made| Made { made, secret: None }),
            "reset-password" => accounts.set_password(user, None, None, now),
            "sign-out" => {
                accounts.sign_out_everywhere(user, now);
                accounts.user(user).map(|made| Made { made, secret: None })
            }
            _ => Err(Refusal::NoSuchUser),
        }
    });
    let (did, said) = match act.as_str() {
        "close" => ("closed the account", "closed"),
        "open" => ("opened the account again", "opened"),
        "sign-out" => ("signed out everywhere", "out"),
        _ => ("reset the password", "password"),
    };
    match done.await {
        Some(Ok(Made { made, secret })) => {
            account(&site, &asking.0.name, did, &id);
            match secret {
                Some(secret) => shown_once(&asking, &made, secret),
                None => Redirect::to(&format!("/users/{id}?done={said}")).into_response(),
            }
        }
        Some(Err(why)) => draw_one(&site, &asking, &id, "", Some((&why, None))),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A user in the audit: nothing that is secret.
pub(super) fn facts(user: &User) -> String {
    let ports = if user.ports.is_empty() { "no handset".to_owned() } else { user.ports.join(" ") };
    let until = user.until.map_or_else(String::new, |until| format!(", until {}", said::day(until)));
    format!("{}, {ports}{until}", user.role)
}

fn shown_once(asking: &Asking, user: &User, secret: String) -> Response {
    let page = SecretPage {
        bar: Bar::new(Page::Users, &asking.0),
        title: format!("A password for {}", user.name),
        what: "Password",
        secret,
        hint: format!("{} signs in as {} and changes it under their name at the top.", user.name, user.login),
        back: "/users",
    };
    pages::drawn(StatusCode::OK, Some(page))
}

fn no_such_user(asking: &Asking) -> Response {
    pages::problem(
        StatusCode::NOT_FOUND,
        asking,
        "There is no such user",
        "The page of users shows everybody.",
    )
}

fn draft(fields: &Fields) -> Draft {
    let named = ROLES.iter().find(|(_, value)| *value == fields.text("role"));
    Draft {
        name: fields.text("name").to_owned(),
        login: fields.text("login").to_owned(),
        role: named.map_or(Role::WallDisplay, |(role, _)| *role),
        ports: fields.all("port"),
        until: said::end_of_day(fields.text("until")),
    }
}

fn draw_list(site: &Site, asking: &Asking, said: &'static str, wrong: Option<(&Refusal, Draft)>) -> Response {
    let users = site.state.accounts.users();
    let damaged = users.as_ref().err().cloned();
    let why = wrong.as_ref().map(|(why, _)| (*why).clone()).or(damaged);
    let users = users.unwrap_or_default();
    let empty =
        Draft { name: String::new(), login: String::new(), role: Role::Csr, ports: Vec::new(), until: None };
    let page = UsersPage {
        bar: Bar::new(Page::Users, &asking.0),
        form: filled(site, &users, None, &wrong.map_or(empty, |(_, draft)| draft)),
        rows: users.into_iter().map(Row::new).collect(),
        said,
        wrong: why.as_ref().map_or_else(String::new, ToString::to_string),
    };
    pages::drawn(why.map_or(StatusCode::OK, |why| why.code().0), Some(page))
}

fn draw_one(
    site: &Site,
    asking: &Asking,
    id: &str,
    said: &'static str,
    wrong: Option<(&Refusal, Option<Draft>)>,
) -> Response {
    let accounts = &site.state.accounts;
    let user = id.parse::<UserId>().ok().and_then(|id| accounts.user(id).ok());
    let Some(user) = user else { return no_such_user(asking) };
    let (why, draft) = wrong.map_or((None, None), |(why, draft)| (Some(why), draft));
    let as_is = || Draft {
        name: user.name.clone(),
        login: user.login.clone(),
        role: user.role,
        ports: user.ports.clone(),
        until: user.until,
    };
    let users = accounts.users().unwrap_or_default();
    let page = UserPage {
        bar: Bar::new(Page::Users, &asking.0),
        sessions: accounts.signed_in(user.id, super::wall_now()),
        form: filled(site, &users, Some(user.id), &draft.unwrap_or_else(as_is)),
        row: Row::new(user),
        said,
        wrong: why.map_or_else(String::new, ToString::to_string),
    };
    pages::drawn(why.map_or(StatusCode::OK, |why| why.code().0), Some(page))
}

/// A form with what a draft says; phones are those of the box, and those that the draft names.
fn filled(site: &Site, users: &[User], of: Option<UserId>, draft: &Draft) -> Filled {
    let status = site.state.status.newest();
    let phones = status.iter().flat_map(|status| &status.phones).map(|phone| phone.port.clone());
    let mut names: Vec<String> = phones.chain(draft.ports.iter().cloned()).collect();
    names.sort();
    names.dedup();
    let others = || users.iter().filter(|user| Some(user.id) != of && !user.disabled);
    let handset = |name: String| Handset {
        chosen: draft.ports.contains(&name),
        whose: others().find(|user| user.ports.contains(&name)).map(|user| user.name.clone()),
        name,
    };
    let choice = |&(role, value): &(Role, &'static str)| Choice {
        value,
        words: role.words(),
        chosen: role == draft.role,
    };
    Filled {
        name: draft.name.clone(),
        login: draft.login.clone(),
        until: draft.until.map_or_else(String::new, said::day),
        roles: ROLES.iter().map(choice).collect(),
        handsets: names.into_iter().map(handset).collect(),
    }
}

impl Row {
    fn new(user: User) -> Self {
        let open = user.is_open(super::wall_now());
        let standing = match (user.disabled, user.until) {
            (true, _) => "Closed".to_owned(),
            (false, Some(until)) if open => format!("Open until {}", said::day(until)),
            (false, Some(until)) => format!("Ended {}", said::day(until)),
            (false, None) => "Open".to_owned(),
        };
        Self {
            role: user.role.words(),
            ports: user.ports.join(", "),
            class: if open { "answered" } else { "" },
            standing,
            user,
        }
    }
}
