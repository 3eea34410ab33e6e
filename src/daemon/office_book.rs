//! The office's books as calls and pages ask them: its directory, and whose phone is whose.

use super::directory::OfficeDirectory;
use crate::{
    handling::CustomerLink,
    number::E164,
    web::{Accounts, OfficeBook},
};

/// Directory and accounts together.
pub(super) struct Books {
    pub(super) directory: OfficeDirectory,
    pub(super) accounts: Accounts,
}

impl OfficeBook for Books {
    fn customer_of(&self, number: &E164) -> Option<CustomerLink> {
        self.directory.newest().customer_of(number)
    }

    fn customer(&self, id: &str) -> Option<CustomerLink> {
        self.directory.newest().customer(id)
    }

    fn job(&self, id_or_number: &str) -> Option<(String, String)> {
        self.directory.newest().job(id_or_number)
    }

    fn reasons(&self) -> Vec<String> {
        self.directory.newest().reasons()
    }

    fn user_of_port(&self, port: &str) -> Option<(String, String)> {
        self.accounts.user_of_port(port)
    }
}
