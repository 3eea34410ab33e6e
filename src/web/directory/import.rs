//! Lists of customers coming in: first it is said what would happen, then it happens.

use super::{api, form, perform, see_other};
use crate::{
    directory::{Csv, Edit, Preview},
    web::{
        Site,
        access::Asking,
        bar::{Bar, Page},
        pages::drawn,
    },
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Form, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;

/// Reads a list and says what bringing it in would do; the edit does it.
pub(super) async fn look(site: &Site, text: String) -> Result<(Edit, Preview), String> {
    let looked = site.read(move |state| {
        let directory = state.directory.newest();
        let number = |text: &str| directory.read_number(text);
        let (forms, preview) = Csv::read(&text, number)?.customers(directory.book(), number);
        let customers = forms.into_iter().map(|form| (form::customer_id(), form)).collect();
        Ok((Edit::CustomersImported { customers }, preview))
    });
    looked.await.unwrap_or_else(|| Err("the list could not be read; see the log".to_owned()))
}

#[derive(Template)]
#[template(path = "directory/import.html")]
struct ImportPage {
    bar: Bar,
    said: Option<&'static str>,
    problem: Option<String>,
    preview: Option<Preview>,
    list: String,
}

fn page(
    asking: &Asking,
    status: StatusCode,
    (problem, preview): (Option<String>, Option<Preview>),
    list: String,
) -> Response {
    let bar = Bar::new(Page::Customers, &asking.0);
    drawn(status, Some(ImportPage { bar, said: None, problem, preview, list }))
}

pub(super) async fn start(asking: Asking) -> Response {
    page(&asking, StatusCode::OK, (None, None), String::new())
}

pub(super) async fn preview(
    State(site): State<Arc<Site>>,
    asking: Asking,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let list = list_in(content_type.unwrap_or_default(), &body);
    shown(&site, &asking, list).await
}

async fn shown(site: &Site, asking: &Asking, list: String) -> Response {
    match look(site, list.clone()).await {
        Ok((_, preview)) => page(asking, StatusCode::OK, (None, Some(preview)), list),
        Err(why) => page(asking, StatusCode::UNPROCESSABLE_ENTITY, (Some(why), None), String::new()),
    }
}

/// What was shown and is confirmed.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    list: String,
}

pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    asking: Asking,
    Form(Confirmed { list }): Form<Confirmed>,
) -> Response {
    let edit = match look(&site, list).await {
        Ok((edit, _)) => edit,
        Err(why) => return page(&asking, StatusCode::UNPROCESSABLE_ENTITY, (Some(why), None), String::new()),
    };
    match perform(&site, &asking, edit).await {
        Ok(_) => see_other("/customers?done=1"),
        Err(why) => page(&asking, api::status(why.rule), (Some(why.to_string()), None), String::new()),
    }
}

/// The list in a form with a file and a text field (RFC 7578): the first part that has something in it. Latin-1 of old
/// programs is read as well as it can be.
fn list_in(content_type: &str, body: &[u8]) -> String {
    let boundary = content_type.split("boundary=").nth(1).map(|text| text.trim_matches('"'));
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => body.iter().map(|byte| char::from(*byte)).collect(),
    };
    let line = format!("--{boundary}");
    let parts = text.split(&line).filter_map(|part| {
        let (head, content) = part.split_once("\r\n\r\n")?;
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        (head.contains("form-data") && !content.trim().is_empty()).then(|| content.to_owned())
    });
    parts.take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_first_field_with_something_in_it() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"list\"\r\n\r\nname,phone\r\nAnn,1\r\n--b--\r\n";
        assert_eq!(list_in("multipart/form-data; boundary=b", body.as_bytes()), "name,phone\r\nAnn,1");
        assert_eq!(list_in("text/csv", b"name\nAnn"), "name\nAnn");
    }
}
