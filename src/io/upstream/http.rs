//! One request after the other, and what its answer means.

use super::{
    body::{Ended, Pace, Paced},
    socket::Sockets,
};
use crate::{
    id::BoxId,
    sync::{backoff::retry_after_ms, budget::Kind, event::Failure, wire},
};
use serde::de::DeserializeOwned;
use std::{io, path::PathBuf, time::Duration};
use ureq::{
    Agent, Body, SendBody,
    http::{Response, request},
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem},
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector, RustlsConnector},
    },
};

/// More than this is not an answer of ours.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// Time for a name, and for one write.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(10);
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Time for an answer.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// How the upstream is reached and how the box shows who it is.
#[derive(Clone, Debug)]
pub struct Access {
    /// `https://sync.example.net`, without a slash at the end.
    pub url: String,
    /// A bearer token.
    pub token: Option<String>,
    /// PEM files of the box's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// PEM file of the authority of the upstream's certificate, instead of the public ones.
    pub ca: Option<PathBuf>,
    /// DSCP of the sockets, 0..=63.
    pub dscp: u8,
    /// Time for an answer after the last byte of a request. Usually [`ANSWER_PATIENCE`].
    pub patience: Duration,
}

/// A file of the access cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct AccessError {
    path: PathBuf,
    why: String,
}

/// The way to the upstream.
pub(super) struct Http {
    agent: Agent,
    base: String,
    token: Option<String>,
    patience: Duration,
}

impl Http {
    pub(super) fn new(access: &Access, box_id: BoxId, sockets: Sockets) -> Result<Self, AccessError> {
        let mut tls = TlsConfig::builder();
        if let Some(ca) = &access.ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(ca)?));
        }
        if let Some((chain, key)) = &access.client {
            let client = ClientCert::new_with_certs(&certificates(chain)?, private_key(key)?);
            tls = tls.client_cert(Some(client));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("ringside/", env!("CARGO_PKG_VERSION")))
            .output_buffer_size(16 << 10)
            .timeout_resolve(Some(RESOLVE_PATIENCE))
            .timeout_per_write(Some(WRITE_PATIENCE))
            .timeout_recv_response(Some(access.patience))
            .timeout_recv_body(Some(access.patience))
            .tls_config(tls.build())
            .build();
        let connector = ().chain(sockets).chain(RustlsConnector::default());
        Ok(Self {
            agent: Agent::with_parts(config, connector, DefaultResolver::default()),
            base: format!("{}/v1/boxes/{box_id}", access.url),
            token: access.token.clone(),
            patience: access.patience,
        })
    }

    pub(super) fn request(&self, method: &str, path: &str) -> request::Builder {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}/{path}", self.base));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(super) fn ask(&self, request: request::Builder) -> Result<Response<Body>, Failure> {
        let request = request.body(()).map_err(|error| Failure::Unreachable(error.to_string()))?;
        checked(self.agent.run(request))
    }

    /// Sends a body; the upstream may take so much longer than usual to answer.
    pub(super) fn send(
        &self,
        request: request::Builder,
        body: &[u8],
        (kind, more): (Kind, Duration),
        pace: Pace<'_>,
    ) -> Result<Response<Body>, Failure> {
        pace.budget.begin(kind, pace.clock.now());
        let mut body = Paced { inner: body, left: body.len() as u64, kind, pace };
        let request = request
            .header("content-length", body.left)
            .body(SendBody::from_reader(&mut body))
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        let patience = self.patience.saturating_add(more);
        let request = self.agent.configure_request(request).timeout_recv_response(Some(patience)).build();
        checked(self.agent.run(request))
    }
}

/// The body of an answer as JSON.
pub(super) fn json<T: DeserializeOwned>(mut answer: Response<Body>) -> Result<T, Failure> {
    let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
    let body = body.map_err(|error| failed(&error))?;
    serde_json::from_slice(&body).map_err(|error| Failure::Network(format!("not an answer of ours: {error}")))
}

/// A number in a header of the answer.
pub(super) fn number(answer: &Response<Body>, header: &str) -> Option<u64> {
    answer.headers().get(header)?.to_str().ok()?.trim().parse().ok()
}

fn checked(answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Failure> {
    let answer = answer.map_err(|error| failed(&error))?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    let retry_after_ms = retry_after.and_then(|value| retry_after_ms(value, now_ms));
    let offset = number(&answer, wire::UPLOAD_OFFSET);
    let why = json::<wire::ProblemDetails>(answer)
        .map(|problem| format!("{} {}", problem.title, problem.detail).trim_end().to_owned())
        .unwrap_or_default();
    if (300..400).contains(&status) {
        return Err(Failure::Network(format!("{status}: the upstream sends us elsewhere; check `url`")));
    }
    Err(Failure::Status { status, retry_after_ms, offset, why })
}

fn failed(error: &ureq::Error) -> Failure {
    use ureq::{Error, Timeout};
    match error {
        Error::Io(inner) => {
            let ended = inner.get_ref().and_then(|inner| inner.downcast_ref::<Ended>());
            match ended {
                Some(Ended::Call) => return Failure::Paused,
                Some(Ended::Stop) | None => {}
            }
            match inner.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::TimedOut => Failure::Unreachable(error.to_string()),
                _ => Failure::Network(error.to_string()),
            }
        }
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::Tls(_)
        | Error::Rustls(_)
        | Error::BadUri(_)
        | Error::Timeout(Timeout::Connect | Timeout::Resolve) => Failure::Unreachable(error.to_string()),
        _ => Failure::Network(error.to_string()),
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, AccessError> {
    std::fs::read(path).map_err(|error| AccessError { path: path.clone(), why: error.to_string() })
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate<'static>>, AccessError> {
    let pem = read(path)?;
    let found = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(AccessError { path: path.clone(), why: "no certificate in it (PEM)".to_owned() });
    }
    Ok(found)
}

fn private_key(path: &PathBuf) -> Result<PrivateKey<'static>, AccessError> {
    PrivateKey::from_pem(&read(path)?)
        .map_err(|error| AccessError { path: path.clone(), why: format!("no private key in it: {error}") })
}
