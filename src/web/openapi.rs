//! The OpenAPI 3.1 document of `/api/v1`: one entry of `table`'s [`ROUTES`] for each method of each route.
//!
//! A route that is added to the router is added here as well; a test reads the sources of this folder and names what is
//! missing.

mod table;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use table::{
    Answer::{Accepted, AcceptedJson, Audio, Json, Nothing, Stream},
    ROUTES, Route,
};

/// The document.
#[must_use]
pub fn openapi() -> String {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ringside",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The calls of an office: bubbles, records, lines, webhooks.",
        },
        "paths": paths,
        "components": { "schemas": { "Problem": {
            "description": "What went wrong (RFC 9457)",
            "type": "object",
            "required": ["title", "status", "code"],
            "properties": {
                "title": { "type": "string", "description": "What is the matter and what to do" },
                "status": { "type": "integer" },
                "code": { "type": "string", "description": "Stable name of the error" },
            },
        } } },
    })
    .to_string()
}

fn operation(route: &Route) -> Value {
    let mut answers = Map::new();
    let content = |kind: &str, schema: Value| json!({ kind: { "schema": schema } });
    let (status, answer) = match route.answer {
        Json(what) => (
            "200",
            json!({ "description": what, "content": content("application/json", json!({ "type": "object" })) }),
        ),
        AcceptedJson(what) => (
            "202",
            json!({ "description": what, "content": content("application/json", json!({ "type": "object" })) }),
        ),
        Stream(what) => (
            "200",
            json!({ "description": what, "content": content("text/event-stream", json!({ "type": "string" })) }),
        ),
        Audio(what) => {
            let bytes = json!({ "type": "string", "format": "binary" });
            let audio = content("audio/ogg", bytes);
            answers.insert("202".to_owned(), json!({ "description": "It is still being made" }));
            answers.insert("206".to_owned(), json!({ "description": "A range of it", "content": audio }));
            ("200", json!({ "description": what, "content": audio }))
        }
        Accepted(what) => ("202", json!({ "description": what })),
        Nothing(what) => ("204", json!({ "description": what })),
    };
    answers.insert(status.to_owned(), answer);
    let problem = content("application/problem+json", json!({ "$ref": "#/components/schemas/Problem" }));
    for status in [401, 403].iter().chain(route.problems) {
        let why = axum::http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        answers.insert(
            status.to_string(),
            json!({ "description": why.unwrap_or("refused"), "content": problem }),
        );
    }
    // What is said in plain words: a query that is none, and a page from elsewhere.
    let plain = content("text/plain", json!({ "type": "string" }));
    if route.method == "get" && !route.query.is_empty() {
        answers.insert(
            "400".to_owned(),
            json!({ "description": "The query is not understood", "content": plain }),
        );
    }
    answers
        .insert("421".to_owned(), json!({ "description": "Asked under a foreign name", "content": plain }));
    let mut operation = json!({
        "operationId": format!("{}{}", route.method, route.path.trim_start_matches("/api/v1").replace(['/', '{', '}', '.'], "_")),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": answers,
    });
    if route.takes
        && let Some(operation) = operation.as_object_mut()
    {
        let body =
            json!({ "required": true, "content": content("application/json", json!({ "type": "object" })) });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = route.query.iter().map(|(name, what)| {
        let schema = if matches!(*name, "per_page" | "limit") { json!({ "type": "integer", "minimum": 0 }) } else { json!({ "type": "string" }) };
        json!({ "name": name, "in": "query", "required": *name == "from", "description": what, "schema": schema })
    });
    in_path.chain(query).collect()
}

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    /// Paths below `/api/v1` in the `.route(…)`s of the sources in `dir`.
    #[allow(clippy::disallowed_methods)]
    fn routes(dir: &Path, out: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                routes(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let routes = text.split(".route(").skip(1).filter_map(|rest| {
                    let path = rest.trim_start().strip_prefix('"')?.split('"').next()?;
                    path.starts_with("/api/v1").then(|| path.to_owned())
                });
                out.extend(routes);
            }
        }
    }

    #[test]
    fn every_route_of_the_router_is_in_the_document_and_no_other() {
        let mut routed = BTreeSet::new();
        routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut routed);
        assert!(routed.len() > 10, "{routed:?}");
        let written: BTreeSet<String> = ROUTES.iter().map(|route| route.path.to_owned()).collect();
        assert_eq!(routed, written);
    }

    #[test]
    fn the_document_is_ours_and_each_operation_says_what_it_does() {
        let document: Value = serde_json::from_str(&openapi()).unwrap();
        assert_eq!((&document["openapi"], &document["info"]["title"]), (&"3.1.0".into(), &"ringside".into()));
        let mut ids = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(
                    operation["summary"].as_str().is_some_and(|text| text.ends_with('.')),
                    "{method} {path}"
                );
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
                assert!(operation["responses"]["403"]["content"]["application/problem+json"].is_object());
            }
        }
        assert_eq!(ids.len(), ROUTES.len());
    }
}
