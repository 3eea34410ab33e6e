//! Every route for every role, and secrets that must never come out again.

use super::{
    accounts::{PASSWORD, cookie_of, draft, get_as, id_of, post, sign_in, signed},
    text, to,
};
use crate::{
    access::{Role, Task},
    web::{Accounts, Loopback, NewToken, access::Place, routes::routes, wall_now},
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

/// Looking is for whoever handles calls, changing for whoever manages the office.
const SPLIT: Place = Place::Split { look: Task::Handle, change: Task::Manage };

/// The place of every route. A route that is not here, or is here with another task, fails the test.
const PLACES: &[(&str, Place)] = &[
    ("/", Place::For(Task::Watch)),
    ("/api/v1/advertised-numbers", SPLIT),
    ("/api/v1/advertised-numbers/{id}", Place::For(Task::Manage)),
    ("/api/v1/advertised-numbers/{id}/porting", Place::For(Task::Manage)),
    ("/api/v1/audit", Place::For(Task::Administer)),
    ("/api/v1/bubbles", Place::For(Task::Watch)),
    ("/api/v1/calls", Place::For(Task::Handle)),
    ("/api/v1/calls/summary", Place::For(Task::Manage)),
    ("/api/v1/calls/timeseries", Place::For(Task::Manage)),
    ("/api/v1/calls/{id}", Place::For(Task::Handle)),
    ("/api/v1/calls/{id}/claim", Place::For(Task::Handle)),
    ("/api/v1/calls/{id}/close", Place::For(Task::Handle)),
    ("/api/v1/calls/{id}/pause", Place::For(Task::Handle)),
    ("/api/v1/calls/{id}/recording", Place::For(Task::Listen)),
    ("/api/v1/calls/{id}/resume", Place::For(Task::Handle)),
    ("/api/v1/campaigns", SPLIT),
    ("/api/v1/campaigns/{id}", SPLIT),
    ("/api/v1/customers", SPLIT),
    ("/api/v1/customers/import", Place::For(Task::Manage)),
    ("/api/v1/customers/{id}", SPLIT),
    ("/api/v1/customers/{id}/merge", Place::For(Task::Manage)),
    ("/api/v1/door", Place::For(Task::Administer)),
    ("/api/v1/events", Place::For(Task::Watch)),
    ("/api/v1/forwarding-numbers", Place::For(Task::Manage)),
    ("/api/v1/forwarding-numbers/{id}", Place::For(Task::Manage)),
    ("/api/v1/jobs", SPLIT),
    ("/api/v1/jobs/{id}", SPLIT),
    ("/api/v1/lines/{port}/test", Place::For(Task::Install)),
    ("/api/v1/missed", Place::For(Task::Handle)),
    ("/api/v1/openapi.json", Place::For(Task::Watch)),
    ("/api/v1/proofs", Place::For(Task::Handle)),
    ("/api/v1/proofs/events", Place::For(Task::Handle)),
    ("/api/v1/proofs/{id}", Place::For(Task::Handle)),
    ("/api/v1/reasons", SPLIT),
    ("/api/v1/retention", Place::For(Task::Administer)),
    ("/api/v1/search", Place::For(Task::Handle)),
    ("/api/v1/start-over", Place::For(Task::Administer)),
    ("/api/v1/status", Place::For(Task::Watch)),
    ("/api/v1/status/events", Place::For(Task::Watch)),
    ("/api/v1/sync", Place::For(Task::Watch)),
    ("/api/v1/sync/now", Place::For(Task::Install)),
    ("/api/v1/tags", Place::For(Task::Handle)),
    ("/api/v1/tokens", Place::For(Task::Administer)),
    ("/api/v1/tokens/{id}", Place::For(Task::Administer)),
    ("/api/v1/trackers", SPLIT),
    ("/api/v1/trackers/{id}", SPLIT),
    ("/api/v1/users", Place::For(Task::Administer)),
    ("/api/v1/users/{id}", Place::For(Task::Administer)),
    ("/api/v1/users/{id}/password", Place::For(Task::Administer)),
    ("/api/v1/webhooks", Place::For(Task::Administer)),
    ("/api/v1/webhooks/{n}/replay", Place::For(Task::Administer)),
    ("/api/v1/webhooks/{n}/test", Place::For(Task::Administer)),
    ("/calls", Place::For(Task::Handle)),
    ("/calls/export.csv", Place::For(Task::Manage)),
    ("/calls/export.json", Place::For(Task::Manage)),
    ("/calls/{id}", Place::For(Task::Handle)),
    ("/calls/{id}/handling", Place::For(Task::Handle)),
    ("/calls/{id}/keep", Place::For(Task::Administer)),
    ("/calls/{id}/recording", Place::For(Task::Listen)),
    ("/campaigns", SPLIT),
    ("/campaigns/new", Place::For(Task::Manage)),
    ("/campaigns/{id}", SPLIT),
    ("/campaigns/{id}/end", Place::For(Task::Manage)),
    ("/claim", Place::Open),
    ("/customers", SPLIT),
    ("/customers/export.csv", Place::For(Task::Manage)),
    ("/customers/import", Place::For(Task::Manage)),
    ("/customers/import/confirm", Place::For(Task::Manage)),
    ("/customers/new", Place::For(Task::Manage)),
    ("/customers/{id}", SPLIT),
    ("/customers/{id}/jobs", Place::For(Task::Manage)),
    ("/customers/{id}/merge", Place::For(Task::Manage)),
    ("/customers/{id}/remove", Place::For(Task::Manage)),
    ("/events", Place::For(Task::Watch)),
    ("/favicon.svg", Place::Open),
    ("/healthz", Place::Open),
    ("/jobs/{id}", Place::For(Task::Manage)),
    ("/jobs/{id}/remove", Place::For(Task::Manage)),
    ("/metrics", Place::For(Task::Watch)),
    ("/numbers", Place::For(Task::Handle)),
    ("/numbers/advertised", Place::For(Task::Manage)),
    ("/numbers/forwarding", Place::For(Task::Manage)),
    ("/numbers/new", Place::For(Task::Manage)),
    ("/numbers/tracking", Place::For(Task::Manage)),
    ("/numbers/{id}", SPLIT),
    ("/numbers/{id}/porting", Place::For(Task::Manage)),
    ("/numbers/{id}/unassign", Place::For(Task::Manage)),
    ("/proofs/{id}", Place::For(Task::Handle)),
    ("/reasons", Place::For(Task::Manage)),
    ("/reports", Place::For(Task::Manage)),
    ("/search", Place::For(Task::Handle)),
    ("/setup", Place::For(Task::Install)),
    ("/setup/call", Place::For(Task::Install)),
    ("/setup/events", Place::For(Task::Install)),
    ("/setup/forwarding", Place::For(Task::Install)),
    ("/setup/forwarding/{id}", Place::For(Task::Install)),
    ("/setup/forwarding/{id}/checklist", Place::For(Task::Install)),
    ("/setup/forwarding/{id}/events", Place::For(Task::Install)),
    ("/setup/forwarding/{id}/test", Place::For(Task::Install)),
    ("/setup/lines/{port}/test", Place::For(Task::Install)),
    ("/setup/phones/{port}", Place::For(Task::Install)),
    ("/setup/tick/{word}", Place::For(Task::Install)),
    ("/sign-in", Place::Open),
    ("/sign-out", Place::For(Task::Watch)),
    ("/tokens", Place::For(Task::Administer)),
    ("/tokens/{id}/revoke", Place::For(Task::Administer)),
    ("/ui.css", Place::Open),
    ("/ui.js", Place::Open),
    ("/users", Place::For(Task::Administer)),
    ("/users/{id}", Place::For(Task::Administer)),
    ("/users/{id}/{act}", Place::For(Task::Administer)),
    ("/wall", Place::For(Task::Watch)),
    ("/wall/in", Place::Open),
    ("/you", Place::For(Task::Watch)),
    ("/you/password", Place::For(Task::Watch)),
    ("/you/sign-out-everywhere", Place::For(Task::Watch)),
];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The path with something in its gaps.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_has_its_place() {
    let mut routes = routes().list().to_vec();
    routes.sort_unstable();
    assert_eq!(routes, PLACES);
}

#[tokio::test]
async fn every_role_gets_what_its_tasks_are_and_nothing_else() {
    let (office, ..) = signed();
    let token = |role: Role| {
        let new = NewToken { name: role.to_string(), role, until: None };
        office.state.accounts.add_token(new, "dana", wall_now()).unwrap().secret.unwrap()
    };
    let mut askers = vec![(None, None)];
    askers.extend(Role::ALL.map(|role| (Some(role), Some(token(role)))));
    for &(path, place) in routes().list() {
        for (role, token) in &askers {
            let mut answered = 0;
            for method in METHODS {
                let mut request = Request::builder().method(method).uri(filled(path));
                request = request.header(header::HOST, "127.0.0.1:8480");
                if let Some(token) = token {
                    request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                }
                let response = office.send(request.body(Body::empty()).unwrap()).await;
                let status = response.status();
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    continue;
                }
                answered += 1;
                let task = match place {
                    Place::Open => None,
                    Place::For(task) => Some(task),
                    Place::Split { look, change } => Some(if method == "GET" { look } else { change }),
                };
                let said = format!("{method} {path} for {role:?}: {status}");
                match (task, role) {
                    (Some(_), None) => assert_eq!(status, StatusCode::UNAUTHORIZED, "{said}"),
                    (Some(task), Some(role)) if !role.may(task) => {
                        assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
                    }
                    // Only the box itself may; the handler says so.
                    (Some(_), Some(_)) if path == "/api/v1/start-over" => {}
                    (Some(_), Some(_)) => {
                        let is_let_in = ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
                        assert!(is_let_in, "{said}");
                    }
                    (None, _) => assert_ne!(status, StatusCode::FORBIDDEN, "{said}"),
                }
            }
            assert!(answered > 0, "{path} answers to nothing");
        }
    }
}

#[tokio::test]
async fn a_secret_that_went_in_never_comes_out() {
    const CANARY: &str = "canary-7f3a-sings-at-dawn";
    let (office, files, desk) = signed();
    let (accounts, now) = (&office.state.accounts, wall_now());
    accounts.add(draft("kim", Role::Csr), Some(CANARY), now).unwrap();
    let new = NewToken { name: "CRM".to_owned(), role: Role::Administrator, until: None };
    let token = accounts.add_token(new, "dana", now).unwrap().secret.unwrap();
    let made_up = accounts.add(draft("pat", Role::Csr), None, now).unwrap().secret.unwrap();
    let dana = sign_in(&office, "dana").await;
    let mut secrets = vec![CANARY.to_owned(), PASSWORD.to_owned(), token, made_up];
    secrets.push(dana.strip_prefix("ringside=").unwrap().to_owned());

    let mut said = Vec::new();
    let kim = format!("/users/{}", id_of(&office, "kim"));
    for path in routes().list().iter().map(|(path, _)| filled(path)).chain([kim]) {
        if !path.ends_with("events") {
            said.push((path.clone(), text(get_as(&office, &path, &dana).await).await));
        }
    }
    // Where a password was mistaken for a login, and where forms and bodies are refused.
    for (path, fields) in [
        ("/sign-in", format!("login=kim&password={CANARY}x")),
        ("/sign-in", format!("login={}&password=x", "kim")),
        ("/claim", format!("code=AAAA-AAAA&name=Kim&login=kim&password={CANARY}&again={CANARY}")),
        ("/users", format!("name=&login=kim&role=csr&password={CANARY}")),
        ("/you/password", format!("present={CANARY}&password={CANARY}1&again={CANARY}2")),
        ("/api/v1/users", format!("{{\"password\":\"{CANARY}\"}}")),
    ] {
        let response = post(&office, path, Some(&dana), &fields).await;
        said.push((format!("POST {path}"), format!("{:?}", response.headers())));
        said.push((format!("POST {path}"), text(response).await));
    }
    said.push(("the audit".to_owned(), desk.accounts.lock().unwrap().join("\n")));
    said.push(("the debug form".to_owned(), format!("{accounts:?} {:?}", accounts.users())));
    for (name, bytes) in &*files.files.lock().unwrap() {
        said.push((name.clone(), String::from_utf8(bytes.clone()).unwrap()));
    }
    for (place, text) in said {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {place}:\n{text}");
        }
    }
}

#[tokio::test]
async fn the_claim_code_is_for_the_box_and_its_administrator_alone() {
    let files = std::sync::Arc::new(super::accounts::Memory::default());
    let mut office = super::Office::empty();
    office.state.accounts = Accounts::open(files, Loopback::SignsIn);
    let code = office.state.accounts.claim_code().unwrap();
    for (path, _) in routes().list() {
        let request = to(&filled(path)).header(header::ACCEPT, "text/html").body(Body::empty()).unwrap();
        let response = office.send(request).await;
        assert!(cookie_of(&response).is_none());
        assert!(!text(response).await.contains(&code), "{path}");
    }
}
