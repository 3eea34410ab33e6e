//! Who may do what: the roles of an office, and the tasks that the page, the API and the tools are made of.
//!
//! ```text
//!                 watch  handle  listen  manage  install  administer
//! wall display      x
//! CSR               x      x       x
//! office            x      x       x       x
//! installer         x                               x
//! administrator     x      x       x       x        x         x
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a person or a program is to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A screen on the wall: sees the live calls and touches nothing.
    WallDisplay,
    /// Answers calls.
    Csr,
    /// Runs the office: numbers, campaigns, customers, reports, exports.
    Office,
    /// Sets the box up; for a limited time.
    Installer,
    /// May do everything.
    Administrator,
}

/// A kind of thing to do. Every page and every route belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Look at the live calls and the state of the box.
    Watch,
    /// Claim a call, note, tag and close it; see the calls of before; pause and redact a recording.
    Handle,
    /// Play a recording.
    Listen,
    /// Change the directory; export; read reports.
    Manage,
    /// Test lines, run the set-up.
    Install,
    /// Users, tokens, holds, erasures, the audit.
    Administer,
}

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Self; 5] =
        [Self::WallDisplay, Self::Csr, Self::Office, Self::Installer, Self::Administrator];

    /// Whether the role covers the task.
    #[must_use]
    pub const fn may(self, task: Task) -> bool {
        match self {
            Self::WallDisplay => matches!(task, Task::Watch),
            Self::Csr => matches!(task, Task::Watch | Task::Handle | Task::Listen),
            Self::Office => matches!(task, Task::Watch | Task::Handle | Task::Listen | Task::Manage),
            Self::Installer => matches!(task, Task::Watch | Task::Install),
            Self::Administrator => true,
        }
    }

    /// The role in the office's words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::WallDisplay => "wall display",
            Self::Csr => "CSR",
            Self::Office => "office employee",
            Self::Installer => "installer",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Id of the user (`usr_…`); a program on the box and a token have none.
    pub user_id: Option<String>,
    /// Name in the audit log: a user's name, a token's, or `this box`.
    pub name: String,
    /// What they are.
    pub role: Role,
}

impl Who {
    /// A program on the box itself, started by its owner.
    #[must_use]
    pub fn this_box() -> Self {
        Self { user_id: None, name: "this box".to_owned(), role: Role::Administrator }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_table_says() {
        use Task::{Administer, Handle, Install, Listen, Manage, Watch};
        let table: [(Role, &[Task]); 5] = [
            (Role::WallDisplay, &[Watch]),
            (Role::Csr, &[Watch, Handle, Listen]),
            (Role::Office, &[Watch, Handle, Listen, Manage]),
            (Role::Installer, &[Watch, Install]),
            (Role::Administrator, &[Watch, Handle, Listen, Manage, Install, Administer]),
        ];
        for (role, tasks) in table {
            for task in [Watch, Handle, Listen, Manage, Install, Administer] {
                assert_eq!(role.may(task), tasks.contains(&task), "{role}: {task:?}");
            }
        }
    }
}
