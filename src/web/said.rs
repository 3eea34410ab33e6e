//! What a page of users or tokens says after something was done, and days as forms have them.

use crate::time::WallTime;
use serde::Deserialize;

/// What was done, in the address of the page that says so.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// In words; nothing for what is not known.
    pub(super) fn words(&self) -> &'static str {
        match self.done.as_str() {
            "password" => "The password is changed. Other browsers are signed out.",
            "changed" => "The changes are saved and hold at once.",
            "closed" => "The account is closed and signed out everywhere.",
            "opened" => "The account is open again.",
            "out" => "The account is signed out everywhere.",
            "revoked" => "The token opens nothing any more.",
            _ => "",
        }
    }
}

/// The day of a time, UTC: `2026-11-26`.
pub(super) fn day(at: WallTime) -> String {
    at.to_string().chars().take(10).collect()
}

/// The end of a day in a form; `None` if nothing is there, or no day.
pub(super) fn end_of_day(text: &str) -> Option<WallTime> {
    WallTime::parse(&format!("{}T23:59:59Z", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_back() {
        let end = end_of_day("2026-11-26").unwrap();
        assert_eq!(day(end), "2026-11-26");
        assert_eq!(end_of_day(""), None);
        assert_eq!(end_of_day("tomorrow"), None);
    }
}
