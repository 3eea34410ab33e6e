//! The bar above every page: the pages that are for whoever looks.

use crate::access::{Role, Task, Who};

/// A page that the bar leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Live,
    Calls,
    Reports,
    Users,
    Tokens,
    SetUp,
    Customers,
    Numbers,
    Campaigns,
    /// A page that the bar does not name.
    Other,
}

/// Pages, their addresses, names and tasks, in the order of the bar.
const PAGES: &[(Page, &str, &str, Task)] = &[
    (Page::Live, "/", "Live calls", Task::Watch),
    (Page::Calls, "/calls", "Calls", Task::Handle),
    (Page::Customers, "/customers", "Customers", Task::Handle),
    (Page::Numbers, "/numbers", "Numbers", Task::Handle),
    (Page::Campaigns, "/campaigns", "Campaigns", Task::Handle),
    (Page::Reports, "/reports", "Reports", Task::Manage),
    (Page::SetUp, "/setup", "Set-up", Task::Install),
    (Page::Users, "/users", "Users", Task::Administer),
    (Page::Tokens, "/tokens", "Tokens", Task::Administer),
];

/// The bar for one person on one page.
pub(super) struct Bar {
    here: Page,
    role: Role,
    pub(super) name: String,
}

/// One way out of the page.
pub(super) struct Link {
    pub(super) to: &'static str,
    pub(super) name: &'static str,
    pub(super) is_here: bool,
}

impl Bar {
    pub(super) fn new(here: Page, who: &Who) -> Self {
        Self { here, role: who.role, name: who.name.clone() }
    }

    /// Whether whoever looks may search.
    pub(super) fn may_search(&self) -> bool {
        self.role.may(Task::Handle)
    }

    /// What whoever looks may open.
    pub(super) fn links(&self) -> impl Iterator<Item = Link> {
        let mine = PAGES.iter().filter(|(_, _, _, task)| self.role.may(*task));
        mine.map(|&(page, to, name, _)| Link { to, name, is_here: page == self.here })
    }
}
