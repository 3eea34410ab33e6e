//! The office's directory: numbers, campaigns, customers, jobs, call reasons; its pages, its API, its search.
//!
//! Everything goes through the [`DirectoryDesk`] of the daemon; `form` reads what people send, `api` and `people` answer
//! programs, `wire` is what they get; the `…pages` answer people with the `fields` of forms; `import` takes lists. Where there is no desk everything is empty and nothing can be changed.

pub(in crate::web) mod api;
mod campaign_pages;
mod customer_pages;
mod fields;
mod form;
mod import;
mod pages;
mod people;
mod wire;

use super::{
    Site,
    access::{Asking, Routes, look_and_change, needs},
};
use crate::{
    access::{Task, Who},
    directory::{Directory, Edit, Edited, Refused, Rule},
    number::E164,
};
use axum::{
    extract::DefaultBodyLimit,
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use std::{fmt, sync::Arc};

/// A list of 50,000 customers as a form sends it.
const MOST_LIST_BYTES: usize = 48 << 20;

type Methods = MethodRouter<Arc<Site>>;

/// The API of the directory.
pub(super) fn api_routes() -> Routes {
    Routes::new()
        .route("/api/v1/search", needs(Task::Handle, get(api::search)))
        .route("/api/v1/trackers", look_and_change(get(api::trackers), post(api::add_tracker)))
        .route(
            "/api/v1/trackers/{id}",
            look_and_change(get(api::tracker), put(api::change_tracker).delete(api::remove_tracker)),
        )
        .route(
            "/api/v1/advertised-numbers",
            look_and_change(get(api::advertised_numbers), post(api::add_advertised)),
        )
        .route(
            "/api/v1/advertised-numbers/{id}",
            needs(Task::Manage, put(api::change_advertised).delete(api::remove_advertised)),
        )
        .route("/api/v1/advertised-numbers/{id}/porting", needs(Task::Manage, post(api::port)))
        .route(
            "/api/v1/forwarding-numbers",
            needs(Task::Manage, get(api::forwarding_numbers).post(api::add_forwarding)),
        )
        .route("/api/v1/forwarding-numbers/{id}", needs(Task::Manage, delete(api::remove_forwarding)))
        .route("/api/v1/campaigns", look_and_change(get(api::campaigns), post(api::add_campaign)))
        .route(
            "/api/v1/campaigns/{id}",
            look_and_change(get(api::campaign), put(api::change_campaign).delete(api::end_campaign)),
        )
        .route("/api/v1/reasons", look_and_change(get(api::reasons), put(api::set_reasons)))
        .merge(people_routes())
}

/// The API of customers and jobs.
fn people_routes() -> Routes {
    let import = post(people::import).layer(DefaultBodyLimit::max(MOST_LIST_BYTES));
    Routes::new()
        .route("/api/v1/customers", look_and_change(get(people::customers), post(people::add_customer)))
        .route("/api/v1/customers/import", needs(Task::Manage, import))
        .route(
            "/api/v1/customers/{id}",
            look_and_change(
                get(people::customer),
                put(people::change_customer).delete(people::remove_customer),
            ),
        )
        .route("/api/v1/customers/{id}/merge", needs(Task::Manage, post(people::merge_customers)))
        .route("/api/v1/jobs", look_and_change(get(people::jobs), post(people::add_job)))
        .route(
            "/api/v1/jobs/{id}",
            look_and_change(get(people::job), put(people::change_job).delete(people::remove_job)),
        )
}

/// The pages of the directory.
pub(super) fn page_routes() -> Routes {
    let change = |methods: Methods| needs(Task::Manage, methods);
    let look = |methods: Methods| needs(Task::Handle, methods);
    let list = |methods: Methods| needs(Task::Manage, methods.layer(DefaultBodyLimit::max(MOST_LIST_BYTES)));
    Routes::new()
        .route("/search", look(get(customer_pages::search)))
        .route("/numbers", look(get(pages::numbers)))
        .route("/numbers/new", change(get(pages::new_number)))
        .route("/numbers/tracking", change(post(pages::add_tracking)))
        .route("/numbers/advertised", change(post(pages::add_advertised)))
        .route("/numbers/forwarding", change(post(pages::add_forwarding)))
        .route("/numbers/{id}", look_and_change(get(pages::number), post(pages::change_number)))
        .route("/numbers/{id}/porting", change(post(pages::port_number)))
        .route("/numbers/{id}/unassign", change(post(pages::unassign)))
        .route(
            "/campaigns",
            look_and_change(get(campaign_pages::campaigns), post(campaign_pages::add_campaign)),
        )
        .route("/campaigns/new", change(get(campaign_pages::new_campaign)))
        .route(
            "/campaigns/{id}",
            look_and_change(get(campaign_pages::campaign), post(campaign_pages::change_campaign)),
        )
        .route("/campaigns/{id}/end", change(post(campaign_pages::end_campaign)))
        .route(
            "/customers",
            look_and_change(get(customer_pages::customers), post(customer_pages::add_customer)),
        )
        .route("/customers/new", change(get(customer_pages::new_customer)))
        .route("/customers/export.csv", change(get(customer_pages::export)))
        .route("/customers/import", list(get(import::start).post(import::preview)))
        .route("/customers/import/confirm", list(post(import::confirm)))
        .route(
            "/customers/{id}",
            look_and_change(get(customer_pages::customer), post(customer_pages::change_customer)),
        )
        .route("/customers/{id}/merge", change(post(customer_pages::merge)))
        .route("/customers/{id}/remove", change(post(customer_pages::remove_customer)))
        .route("/customers/{id}/jobs", change(post(customer_pages::add_job)))
        .route("/jobs/{id}", change(post(customer_pages::change_job)))
        .route("/jobs/{id}/remove", change(post(customer_pages::remove_job)))
        .route("/reasons", change(get(customer_pages::reasons).post(customer_pages::set_reasons)))
}

/// A number as people write it.
fn said(number: &E164) -> String {
    super::wording::number(number)
}

/// After a change: the page that shows it (RFC 9110 15.4.4).
fn see_other(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// Makes a change on a thread that may wait for a disk.
async fn perform(site: &Site, asking: &Asking, edit: Edit) -> Result<Edited, Refused> {
    let who = Arc::clone(&asking.0);
    let broken = || Refused {
        rule: Rule::NotWritten,
        what: "the change could not be made".to_owned(),
        remedy: "see the log, then try again".to_owned(),
    };
    site.read(move |state| state.directory.edit(&edit, &who)).await.unwrap_or_else(|| Err(broken()))
}

/// Keeps the directory. An edit may wait for a disk and is called on a thread that may.
pub trait DirectoryDesk: Send + Sync {
    /// The directory in force; never waits.
    fn newest(&self) -> Arc<Directory>;

    /// Makes a change; it is on the disk and in force when this returns.
    ///
    /// # Errors
    /// [`Refused`] names the rule, the thing and the remedy.
    fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused>;
}

/// The way to the directory; a clone is the same way.
#[derive(Clone)]
pub struct DirectoryWay(Option<Arc<dyn DirectoryDesk>>);

impl DirectoryWay {
    /// A way to `desk`.
    #[must_use]
    pub fn new(desk: impl DirectoryDesk + 'static) -> Self {
        Self(Some(Arc::new(desk)))
    }

    /// No way: the directory is empty, and nothing can be changed.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self(None)
    }

    /// The directory in force; never waits.
    #[must_use]
    pub fn newest(&self) -> Arc<Directory> {
        self.0.as_ref().map_or_else(Arc::default, |desk| desk.newest())
    }

    /// Makes a change; it may wait for a disk.
    ///
    /// # Errors
    /// As [`DirectoryDesk::edit`].
    pub fn edit(&self, edit: &Edit, by: &Who) -> Result<Edited, Refused> {
        let nowhere = || Refused {
            rule: Rule::NotWritten,
            what: "this box keeps no directory".to_owned(),
            remedy: "change the configuration file".to_owned(),
        };
        self.0.as_ref().ok_or_else(nowhere)?.edit(edit, by)
    }
}

impl fmt::Debug for DirectoryWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "DirectoryWay" } else { "DirectoryWay (unavailable)" })
    }
}
