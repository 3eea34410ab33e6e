//! The calls of before: the list with its filters (`page`), the API under CallRail's names (`api`, `resource`), what
//! leaves as a file (`export`), the course of one call (`timeline`), and how long it stays (`keep`).

pub(super) mod api;
pub(super) mod export;
pub(super) mod keep;
pub(super) mod page;
pub mod resource;
pub(super) mod timeline;

pub use export::{Kind as FileKind, write as write_file};

use super::{State, api::problem, wall_now};
use crate::{
    ledger::{
        Filter, Unreadable,
        filter::{Site as Place, Wrong, one_of, shown},
        search::{Cursor, MAX_PER_PAGE, Order, Paging, Sort},
    },
    web::calls::resource::{FIELDS, Format},
};
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// Parameters as they stand in an address.
pub(super) type Pairs = Vec<(String, String)>;

/// Rows of a page if nobody says how many.
const USUAL_PER_PAGE: usize = 100;

/// What an address asks for.
pub(super) struct Question {
    pub(super) filter: Filter,
    pub(super) paging: Paging,
    pub(super) fields: Vec<&'static str>,
    pub(super) format: Format,
    /// What is left, for whoever knows it.
    pub(super) others: Vec<(String, String)>,
}

impl Question {
    /// Reads the parameters.
    pub(super) fn of(pairs: &[(String, String)], place: &Place) -> Result<Self, Wrong> {
        let (filter, others) = Filter::of(pairs, place)?;
        let paging = Paging { per_page: USUAL_PER_PAGE, ..Paging::default() };
        let mut question =
            Self { filter, paging, fields: Vec::new(), format: Format::Resource, others: Vec::new() };
        for (name, value) in others {
            question.take(name, value.trim())?;
        }
        Ok(question)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        match name {
            _ if value.is_empty() => {}
            "per_page" => {
                let fits = |count: &usize| (1..=MAX_PER_PAGE).contains(count);
                let why = format!("a number from 1 to {MAX_PER_PAGE} is expected");
                self.paging.per_page =
                    value.parse().ok().filter(fits).ok_or_else(|| Wrong::new(name, why))?;
            }
            "sort" => self.paging.sort = one_of(name, value, Sort::ALL.map(Sort::word), Sort::named)?,
            "order" => self.paging.order = one_of(name, value, ["desc", "asc"], Order::named)?,
            "after" => self.paging.after = Some(value.parse::<Cursor>()?),
            "fields" => self.fields = fields(value)?,
            "format" => {
                self.format = one_of(name, value, ["resource", "record"], Format::named)?;
            }
            _ => self.others.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// Takes one of the others.
    pub(super) fn other(&mut self, name: &str) -> Option<String> {
        let at = self.others.iter().position(|(other, _)| other == name)?;
        Some(self.others.swap_remove(at).1)
    }

    /// Whether every parameter was known.
    pub(super) fn nothing_else(&self) -> Result<(), Wrong> {
        match self.others.first() {
            Some((name, _)) => Err(Wrong::new(&shown(name), "there is no such parameter; leave it out")),
            None => Ok(()),
        }
    }
}

fn fields(value: &str) -> Result<Vec<&'static str>, Wrong> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    let found = names.map(|name| {
        let known = FIELDS.iter().find(|known| **known == name).copied();
        known.ok_or_else(|| Wrong::new("fields", format!("there is no field `{}`", shown(name))))
    });
    found.collect()
}

/// Where the office is and what time it is there.
pub(super) fn place(state: &State) -> Place {
    let (zone, plan) = state.calls.place();
    Place { zone, plan, now: wall_now() }
}

/// Why a program gets no calls.
pub(super) enum NotAnswered {
    Wrong(Wrong),
    Unreadable(Unreadable),
}

impl NotAnswered {
    pub(super) fn response(&self) -> Response {
        match self {
            Self::Wrong(why) => wrong(why),
            Self::Unreadable(why) => unreadable(why),
        }
    }
}

/// A parameter that is wrong, as an answer to a program.
fn wrong(why: &Wrong) -> Response {
    problem(StatusCode::BAD_REQUEST, "wrong_parameter", &why.to_string())
}

/// Calls that cannot be read, as an answer to a program.
pub(super) fn unreadable(why: &Unreadable) -> Response {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "unreadable", &why.to_string());
    response.headers_mut().insert(axum::http::header::RETRY_AFTER, axum::http::HeaderValue::from_static("5"));
    response.into_response()
}

/// Parameters as they stand in an address (WHATWG URL 5.2).
pub(super) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let coded = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
    pairs.join("&")
}
