//! One request to a receiver, and what its answer means.

use crate::{
    sync::backoff::retry_after_ms,
    time::WallTime,
    webhook::{event::Outcome, signing::Signer},
};
use std::time::Duration;
use ureq::Agent;

/// Time for a receiver, from the name to the answer: Standard Webhooks wants an answer within 15 s.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Sends requests.
pub struct Poster {
    agent: Agent,
}

/// What is sent.
pub struct Sending<'a> {
    /// Where to.
    pub url: &'a str,
    /// What signs.
    pub signer: &'a Signer,
    /// `webhook-id`.
    pub id: &'a str,
    /// JSON.
    pub body: &'a str,
    /// When.
    pub at: WallTime,
}

impl Poster {
    /// Gives each receiver so much time.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            // A receiver that has moved is to be configured anew: who answers there has not been named by anybody here.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(4)
            .user_agent(concat!("ringside/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(patience))
            .build();
        Self { agent: config.new_agent() }
    }

    /// Sends it and waits for the answer.
    #[must_use]
    pub fn post(&self, sending: &Sending<'_>) -> Outcome {
        match self.answer(sending) {
            Ok(answer) => outcome(&answer, sending.at),
            Err(error) => Outcome::Failed { status: None, why: words(&error), retry_after_ms: None },
        }
    }

    /// Sends it; the answer as it comes.
    ///
    /// # Errors
    /// There is none.
    pub fn answer(&self, sending: &Sending<'_>) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let timestamp_s = sending.at.0 / 1000;
        self.agent
            .post(sending.url)
            .header("content-type", "application/json")
            .header("webhook-id", sending.id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", sending.signer.sign(sending.id, timestamp_s, sending.body))
            .send(sending.body)
    }
}

fn outcome(answer: &ureq::http::Response<ureq::Body>, now: WallTime) -> Outcome {
    let status = answer.status().as_u16();
    let failed = |why: &str| {
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after_ms = retry_after.and_then(|value| retry_after_ms(value, now.0));
        Outcome::Failed { status: Some(status), why: why.to_owned(), retry_after_ms }
    };
    match status {
        200..300 => Outcome::Accepted(status),
        300..400 => failed("the receiver sends us elsewhere; check its url"),
        410 => Outcome::Gone,
        408 | 425 | 429 => failed("not now"),
        400..500 => Outcome::Refused(status),
        _ => failed("the receiver has failed"),
    }
}

/// What is the matter, without the address: its query may be a secret.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        _ => "the connection broke".to_owned(),
    }
}
