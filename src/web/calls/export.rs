//! Calls as a file: CSV (RFC 4180) or JSON, of whatever the list shows. It is written while it is read, 200 calls at a
//! time, and noted in the audit log before the first of them leaves.

use super::{
    super::{Site, access::Asking, api::problem},
    NotAnswered, Pairs, Question, place, query,
    resource::{FIELDS, resource},
};
use crate::{
    ledger::{Book, filter::Site as Place, search},
    record::CallRecord,
};
use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

/// Calls read at once.
const BATCH: usize = 200;

/// How a file of calls is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Comma-separated values, one line a call, a line of names first.
    Csv,
    /// An array of call resources.
    Json,
}

pub(in crate::web) async fn csv(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(pairs): Query<Pairs>,
) -> Response {
    export(&site, &asking, pairs, Kind::Csv).await
}

pub(in crate::web) async fn json(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Query(pairs): Query<Pairs>,
) -> Response {
    export(&site, &asking, pairs, Kind::Json).await
}

async fn export(site: &Site, asking: &Asking, pairs: Pairs, kind: Kind) -> Response {
    let found = site.read(move |state| {
        let place = place(state);
        let question = Question::of(&pairs, &place).and_then(|question| {
            question.nothing_else()?;
            Ok(question)
        });
        let filter = question.map_err(NotAnswered::Wrong)?.filter;
        let book = state.calls.book();
        let seqs = search::all(&*book, &filter, &place).map_err(NotAnswered::Unreadable)?;
        Ok::<_, NotAnswered>((book, seqs, place, filter))
    });
    let (book, seqs, place, filter) = match found.await {
        Some(Ok(found)) => found,
        Some(Err(refused)) => return refused.response(),
        None => {
            let title = "the call records could not be read";
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", title);
        }
    };
    let pairs = filter.pairs();
    let asked = query(pairs.iter().map(|(name, value)| (*name, value.as_str())));
    let on = format!("{} calls ({})", seqs.len(), if asked.is_empty() { "all" } else { &asked });
    if let Some(Err(why)) =
        site.state.retention.desk().map(|desk| desk.account(&asking.0.name, "exported", &on))
    {
        return super::super::retention::refused(&why);
    }
    let (send, receive) = mpsc::channel::<Bytes>(2);
    tokio::task::spawn_blocking(move || {
        let mut send = |bytes: Vec<u8>| send.blocking_send(bytes.into()).is_ok();
        write(&*book, &seqs, &place, kind, &mut send);
    });
    let (content_type, name) = match kind {
        Kind::Csv => ("text/csv; charset=utf-8; header=present", "calls.csv"),
        Kind::Json => ("application/json", "calls.json"),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    let body = ReceiverStream::new(receive).map(Ok::<Bytes, Infallible>);
    (headers, Body::from_stream(body)).into_response()
}

/// Writes the calls of these numbers piece by piece, until `send` takes no more.
pub fn write(
    book: &dyn Book,
    seqs: &[u64],
    place: &Place,
    kind: Kind,
    send: &mut dyn FnMut(Vec<u8>) -> bool,
) {
    let begin = match kind {
        Kind::Csv => format!("{}\r\n", FIELDS.join(",")),
        Kind::Json => "[".to_owned(),
    };
    let mut is_first = true;
    if !send(begin.into_bytes()) {
        return;
    }
    for batch in seqs.chunks(BATCH) {
        let records = match book.records(batch) {
            Ok(records) => records,
            Err(error) => {
                // The answer is under way: a file that breaks off is all that can be said.
                tracing::warn!(%error, "an export broke off");
                return;
            }
        };
        let mut out = String::new();
        for record in &records {
            match kind {
                Kind::Csv => out.push_str(&line(record, place)),
                Kind::Json => {
                    out.push_str(if is_first { "\n" } else { ",\n" });
                    out.push_str(&Value::Object(resource(record, &[], &place.zone)).to_string());
                }
            }
            is_first = false;
        }
        if !send(out.into_bytes()) {
            return;
        }
    }
    if kind == Kind::Json {
        send(b"\n]\n".to_vec());
    }
}

fn line(record: &CallRecord, place: &Place) -> String {
    let fields = resource(record, &[], &place.zone);
    let cells: Vec<String> = FIELDS.iter().map(|name| cell(fields.get(*name))).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect::<Vec<&str>>().join(", "),
        Some(other) => other.to_string(),
    };
    // A spreadsheet takes text that begins like this for a formula; a telephone number is none.
    let is_number = text.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_keeps_its_commas() {
        let of = |text: &str| cell(Some(&Value::String(text.to_owned())));
        assert_eq!(of("=1+1"), "'=1+1");
        assert_eq!(of("+13125550100"), "+13125550100");
        assert_eq!(of("Ortiz, \"Dana\""), "\"Ortiz, \"\"Dana\"\"\"");
        assert_eq!(cell(None), "");
        assert_eq!(cell(Some(&serde_json::json!(["a", "b"]))), "\"a, b\"");
    }
}
