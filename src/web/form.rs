//! What a form sends.

use axum::{
    Form,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// Fields in the order of the form; a box that is not ticked is not there.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A field, unless nothing is in it.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.trim().is_empty())
    }

    /// Every field of this name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
        form.map(|Form(fields)| Self(fields)).map_err(|_| {
            (StatusCode::BAD_REQUEST, "this is not what the form sends: open its page again\n")
                .into_response()
        })
    }
}
