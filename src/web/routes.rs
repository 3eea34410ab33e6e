//! Every route of the server with whom it is for.

use super::{
    access::{Routes, needs},
    api, assets, audit, calls, directory, handling, happenings, missed, openapi, pages, proofs, recording,
    reports, retention, setup, sign_in, status, stream, sync, tokens, users, users_api, webhooks, you,
};
use crate::access::Task;
use axum::routing::{delete, get, patch, post};

/// Every route with its task; whatever is served is in this list.
pub(super) fn routes() -> Routes {
    Routes::new()
        .merge(live_routes())
        .merge(call_routes())
        .merge(handling::routes())
        .merge(box_routes())
        .merge(account_routes())
        .merge(directory::api_routes())
        .merge(directory::page_routes())
        .merge(setup::routes())
        .merge(proofs::page_routes())
        .merge(proofs::api_routes())
        .merge(open_routes())
}

/// What is on the screens now.
fn live_routes() -> Routes {
    Routes::new()
        .route("/", needs(Task::Watch, get(pages::live)))
        .route("/wall", needs(Task::Watch, get(pages::wall)))
        .route("/events", needs(Task::Watch, get(stream::events)))
        .route("/api/v1/bubbles", needs(Task::Watch, get(api::bubbles)))
        .route("/api/v1/events", needs(Task::Watch, get(happenings::events)))
}

/// The calls of before.
fn call_routes() -> Routes {
    Routes::new()
        .route("/calls", needs(Task::Handle, get(calls::page::calls)))
        .route("/calls/export.csv", needs(Task::Manage, get(calls::export::csv)))
        .route("/calls/export.json", needs(Task::Manage, get(calls::export::json)))
        .route("/calls/{id}", needs(Task::Handle, get(pages::call)))
        .route("/calls/{id}/recording", needs(Task::Listen, get(recording::audio)))
        .route("/calls/{id}/keep", needs(Task::Administer, get(calls::keep::show).post(calls::keep::ask)))
        .route("/reports", needs(Task::Manage, get(reports::page)))
        .route("/api/v1/calls", needs(Task::Handle, get(calls::api::list)))
        .route("/api/v1/calls/summary", needs(Task::Manage, get(calls::api::summary)))
        .route("/api/v1/calls/timeseries", needs(Task::Manage, get(calls::api::timeseries)))
        .route("/api/v1/calls/{id}", needs(Task::Handle, get(calls::api::call).patch(handling::patch)))
        .route("/api/v1/calls/{id}/recording", needs(Task::Listen, get(recording::audio)))
        .route("/api/v1/tags", needs(Task::Handle, get(calls::api::tags)))
        .route("/api/v1/missed", needs(Task::Handle, get(missed::list)))
        .route("/api/v1/retention", needs(Task::Administer, get(retention::list).post(retention::ask)))
        .route("/api/v1/audit", needs(Task::Administer, get(audit::list).post(audit::account)))
}

/// The box itself.
fn box_routes() -> Routes {
    Routes::new()
        .route("/api/v1/status", needs(Task::Watch, get(status::status)))
        .route("/api/v1/status/events", needs(Task::Watch, get(status::events)))
        .route("/api/v1/lines/{port}/test", needs(Task::Install, post(status::test_line)))
        .route("/api/v1/sync", needs(Task::Watch, get(sync::status)))
        .route("/api/v1/sync/now", needs(Task::Install, post(sync::now)))
        .route("/api/v1/webhooks", needs(Task::Administer, get(webhooks::list)))
        .route("/api/v1/webhooks/{n}/test", needs(Task::Administer, post(webhooks::test)))
        .route("/api/v1/webhooks/{n}/replay", needs(Task::Administer, post(webhooks::replay)))
        .route("/api/v1/openapi.json", needs(Task::Watch, get(openapi::document)))
        .route("/metrics", needs(Task::Watch, get(api::metrics)))
}

/// Whoever may come in.
fn account_routes() -> Routes {
    Routes::new()
        .route("/sign-out", needs(Task::Watch, post(sign_in::sign_out)))
        .route("/you", needs(Task::Watch, get(you::page)))
        .route("/you/password", needs(Task::Watch, post(you::password)))
        .route("/you/sign-out-everywhere", needs(Task::Watch, post(you::sign_out_everywhere)))
        .route("/users", needs(Task::Administer, get(users::list).post(users::add)))
        .route("/users/{id}", needs(Task::Administer, get(users::one).post(users::edit)))
        .route("/users/{id}/{act}", needs(Task::Administer, post(users::act)))
        .route("/tokens", needs(Task::Administer, get(tokens::list).post(tokens::add)))
        .route("/tokens/{id}/revoke", needs(Task::Administer, post(tokens::revoke)))
        .route("/api/v1/users", needs(Task::Administer, get(users_api::list).post(users_api::add)))
        .route("/api/v1/users/{id}", needs(Task::Administer, patch(users_api::change)))
        .route("/api/v1/users/{id}/password", needs(Task::Administer, post(users_api::password)))
        .route("/api/v1/start-over", needs(Task::Administer, post(users_api::start_over)))
        .route("/api/v1/door", needs(Task::Administer, get(users_api::door)))
        .route("/api/v1/tokens", needs(Task::Administer, get(users_api::tokens).post(users_api::add_token)))
        .route("/api/v1/tokens/{id}", needs(Task::Administer, delete(users_api::revoke)))
}

/// What anyone may have who reaches the box.
fn open_routes() -> Routes {
    Routes::new()
        .open("/healthz", get(api::health))
        .open("/ui.js", get(assets::js))
        .open("/ui.css", get(assets::css))
        .open("/favicon.svg", get(assets::favicon))
        .open("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .open("/claim", get(sign_in::claim_page).post(sign_in::claim))
        .open("/wall/in", get(sign_in::wall))
}
