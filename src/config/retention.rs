//! How long things are kept, checked: a recording never outlives the record that says whose it is.

use super::{Retention, checker::Checker, error::Problem, raw};
use toml::Spanned;

/// A hundred years, in days.
const MAX_DAYS: u32 = 36_500;
/// A quarter of a year, in days: what was asked for must not be forgotten before it is done.
const MAX_GRACE_DAYS: u32 = 90;

pub(super) fn retention(checker: &mut Checker<'_>, raw: &raw::Retention) -> Retention {
    let mut days = |key, value, usual| checker.within(key, value, 0..=MAX_DAYS, usual);
    let recordings_days = days("recordings_days", &raw.recordings_days, 365);
    let records_days = days("records_days", &raw.records_days, 1_825);
    let missed_days = days("missed_days", &raw.missed_days, records_days);
    let grace_days = checker.within("grace_days", &raw.grace_days, 0..=MAX_GRACE_DAYS, 7);
    let outlives = records_days > 0 && (recordings_days == 0 || recordings_days > records_days);
    let place = raw.recordings_days.as_ref().or(raw.records_days.as_ref()).map(Spanned::span);
    if let (true, Some(place)) = (outlives, place) {
        let kept =
            if recordings_days == 0 { "for ever".to_owned() } else { format!("{recordings_days} days") };
        let message = format!("recordings are kept {kept}, and their records {records_days} days");
        let remedy =
            format!("write at most `recordings_days = {records_days}`, or `records_days = 0` for ever");
        checker.report(Problem::new("range", message, place).help(remedy));
    }
    Retention { recordings_days, records_days, missed_days, grace_days }
}
