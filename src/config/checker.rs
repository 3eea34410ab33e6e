//! Where mistakes go while values are built, and what the checks of many keys have in common.

use super::{error::Problem, raw, read::Reading};
use crate::number::{Dialplan, E164};
use std::{
    collections::BTreeMap,
    fmt::Display,
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    str::FromStr,
};
use toml::Spanned;

/// The value of an optional text.
pub(super) fn optional(value: Option<&Spanned<String>>) -> Option<String> {
    value.map(|text| text.get_ref().clone())
}

/// Where problems go while values are built.
pub(super) struct Checker<'a> {
    pub(super) reading: &'a Reading,
    pub(super) problems: &'a mut Vec<Problem>,
    /// How numbers are dialled at the site; `None` if the country is not known.
    pub(super) plan: Option<Dialplan>,
}

impl Checker<'_> {
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The text of a key that `table` must have.
    pub(super) fn required<'v>(
        &mut self,
        key: &str,
        value: &'v raw::Text,
        table: &Range<usize>,
    ) -> Option<&'v Spanned<String>> {
        // An unreadable value has been reported already; it is not missing as well.
        if value.is_none() && !self.reading.took_out(table.start, key) {
            let message = format!("`{key}` is missing here");
            let remedy = format!("add a line `{key} = \"…\"`");
            self.report(Problem::new("missing_key", message, table.clone()).help(remedy));
        }
        value.as_ref()
    }

    /// A network name as a typed value; a bad one is reported in the type's own words.
    pub(super) fn network<T>(&mut self, key: &str, value: &Spanned<String>, example: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        match value.get_ref().parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let remedy = format!("write it like \"{example}\"");
                self.report(Problem::new("address", format!("{key}: {error}"), value.span()).help(remedy));
                None
            }
        }
    }

    /// An address with a port.
    pub(super) fn address(&mut self, key: &str, value: &raw::Text, default: SocketAddr) -> SocketAddr {
        let Some(value) = value else { return default };
        match value.get_ref().parse() {
            Ok(address) => address,
            Err(_) => {
                let message = format!("{key} is not an address with a port");
                let remedy = format!("write it like \"{default}\"");
                self.report(Problem::new("address", message, value.span()).help(remedy));
                default
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn within<T>(
        &mut self,
        key: &str,
        value: &raw::Number,
        range: RangeInclusive<T>,
        default: T,
    ) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let Some(value) = value else { return default };
        match T::try_from(*value.get_ref()).ok().filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let (least, most) = (range.start(), range.end());
                let message = format!("{key} must be between {least} and {most}");
                let remedy = format!("leave it out for the usual {default}");
                self.report(Problem::new("range", message, value.span()).help(remedy));
                default
            }
        }
    }

    /// The number that somebody in the site's country means by `dialled`.
    pub(super) fn as_dialled(&self, dialled: &str) -> Option<E164> {
        E164::from_dialled(dialled, &self.plan?)
    }

    /// Reports every value of `key` that stands a second time.
    pub(super) fn unique<'v>(&mut self, key: &str, values: impl Iterator<Item = &'v Spanned<String>>) {
        let mut seen = BTreeMap::new();
        for value in values {
            if seen.insert(value.get_ref(), ()).is_some() {
                let message = format!("{key} {} is given twice", value.get_ref());
                let remedy = "give each its own, or remove one of the two".to_owned();
                self.report(Problem::new("duplicate", message, value.span()).help(remedy));
            }
        }
    }
}
