//! Asks the running box: over its own socket, or at the address of its page.

use super::{CONFIG, DATA, Failure, hatch::Hatch, office::Method};
use crate::{
    config::Config,
    note::Account,
    recording::request::{Answer, Listing, Request},
    status::{BoxStatus, LineHealth},
    time::WallTime,
    web,
    webhook::desk::{Report, Tested},
};
use clap::Args;
use serde::Deserialize;
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::unversioned::resolver::DefaultResolver;

/// Where the page is if no configuration says otherwise.
pub(super) const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8480);
/// A box that is up answers at once.
const PATIENCE: Duration = Duration::from_secs(3);
/// The box gives a line test up after 30 s and says so.
const TEST_PATIENCE: Duration = Duration::from_secs(40);
/// More than this is not an answer of ours: a snapshot of 32 ports has about 30 kB.
const MAX_ANSWER: u64 = 4 << 20;

/// Which box is asked.
#[derive(Args, Clone, Debug)]
pub(super) struct Where {
    /// Address of the box's page, to ask there and not at its own socket.
    #[arg(long, value_name = "ADDR", global = true)]
    web: Option<SocketAddr>,
    /// The box's own socket, `ctl.sock` in its data directory.
    #[arg(long, value_name = "FILE", global = true)]
    socket: Option<PathBuf>,
    /// The configuration file that names the address.
    #[arg(long, value_name = "FILE", default_value = CONFIG, global = true)]
    pub(super) config: PathBuf,
}

impl Where {
    /// The box of this configuration file.
    pub(super) fn configured(config: &std::path::Path) -> Self {
        Self { web: None, socket: None, config: config.to_owned() }
    }

    /// The address as given, else the one in the configuration, else the usual one.
    pub(super) fn address(&self) -> SocketAddr {
        let configured = || {
            let text = std::fs::read_to_string(&self.config).ok()?;
            Config::parse(&text, "").ok().map(|config| config.web.listen)
        };
        self.web.or_else(configured).unwrap_or(USUAL)
    }

    /// The box there: behind its own socket in the usual data directory if there is one, else behind its page.
    pub(super) fn running(&self) -> RunningBox {
        self.running_on(Path::new(DATA))
    }

    /// The same for a box on `data`.
    pub(super) fn running_on(&self, data: &Path) -> RunningBox {
        match (self.web, &self.socket) {
            (Some(page), _) => RunningBox::at(page),
            (None, Some(socket)) => RunningBox::inside(socket),
            (None, None) => RunningBox::on(data).unwrap_or_else(|| RunningBox::at(self.address())),
        }
    }
}

/// Where a box is asked.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// Its page.
    Page(SocketAddr),
    /// Its own socket.
    Socket(PathBuf),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// A box that may answer.
pub(super) struct RunningBox {
    at: At,
    /// As a URL has it: of its own socket, any.
    address: SocketAddr,
    agent: ureq::Agent,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nobody listens, or the answer breaks off.
    #[error("the box does not answer on {0}: {1}")]
    Unreachable(At, String),
    /// Somebody answers, but not as a box does.
    #[error("what answers on {0} is not a box of this version")]
    Stranger(At),
    /// The box says why not.
    #[error("{title}")]
    Problem {
        /// HTTP status.
        status: u16,
        /// What is the matter.
        title: String,
    },
}

/// What a box is to do, with the path of its API.
pub(super) enum Order<'a> {
    Get(&'a str),
    Post(&'a str, serde_json::Value),
    Patch(&'a str, serde_json::Value),
    Delete(&'a str),
}

/// The box's own words for an error (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    title: String,
}

impl NoAnswer {
    /// The failure, with what to try: `command` if the box only needs a moment.
    pub(super) fn failure(&self, command: &str) -> Failure {
        let next = match self {
            Self::Unreachable(..) => "ringside doctor".to_owned(),
            Self::Stranger(_) => format!("name the address of the box's page: {command} --web ADDR"),
            Self::Problem { status: 401, .. } => {
                format!("as the box’s user: {command} --socket {DATA}/{}", web::HATCH)
            }
            Self::Problem { status: 409 | 503 | 504, .. } => format!("in a moment, {command}"),
            Self::Problem { .. } => "ringside status".to_owned(),
        };
        Failure::failed(self, next)
    }
}

impl RunningBox {
    /// The box whose page is at `address`.
    pub(super) fn at(address: SocketAddr) -> Self {
        // What a proxy can reach is not this machine's loopback.
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        Self { at: At::Page(address), address, agent: agent.into() }
    }

    /// The box whose own socket is `socket`.
    pub(super) fn inside(socket: &Path) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let agent = ureq::Agent::with_parts(config, Hatch(socket.to_owned()), DefaultResolver::default());
        Self { at: At::Socket(socket.to_owned()), address: USUAL, agent }
    }

    /// The box that runs, or ran, on a data directory.
    pub(super) fn on(data: &Path) -> Option<Self> {
        let socket = data.join(web::HATCH);
        socket.exists().then(|| Self::inside(&socket))
    }

    /// Gives it something to do and waits for the answer: users, tokens.
    pub(super) fn order<T: for<'a> Deserialize<'a>>(&self, order: &Order<'_>) -> Result<T, NoAnswer> {
        let url = |path: &str| format!("http://{}{path}", self.address);
        let answer = match order {
            Order::Get(path) => {
                self.agent.get(url(path)).config().timeout_global(Some(PATIENCE)).build().call()
            }
            Order::Delete(path) => {
                self.agent.delete(url(path)).config().timeout_global(Some(TEST_PATIENCE)).build().call()
            }
            Order::Post(path, body) | Order::Patch(path, body) => {
                let request = match order {
                    Order::Patch(..) => self.agent.patch(url(path)),
                    Order::Get(_) | Order::Delete(_) | Order::Post(..) => self.agent.post(url(path)),
                };
                let request = request.header("Content-Type", "application/json").config();
                request.timeout_global(Some(TEST_PATIENCE)).build().send(body.to_string())
            }
        };
        self.read(answer)
    }

    /// The newest snapshot.
    pub(super) fn status(&self) -> Result<BoxStatus, NoAnswer> {
        let request = self.agent.get(format!("http://{}/api/v1/status", self.address));
        self.read(request.config().timeout_global(Some(PATIENCE)).build().call())
    }

    /// Labels and values of every series of a counter; none before anything was counted.
    #[cfg(feature = "sim")]
    pub(super) fn counters(&self, name: &str) -> Result<Vec<(String, u64)>, NoAnswer> {
        let request = self.agent.get(format!("http://{}/metrics", self.address));
        let answer = request.config().timeout_global(Some(PATIENCE)).build().call();
        let unreachable = |error: ureq::Error| NoAnswer::Unreachable(self.at.clone(), error.to_string());
        let mut answer = answer.map_err(unreachable)?;
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(unreachable)?;
        let series = |line: &str| {
            let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("} ")?;
            Some((labels.to_owned(), value.parse().ok()?))
        };
        Ok(text.lines().filter_map(series).collect())
    }

    /// Has everything sent upstream now.
    pub(super) fn sync_now(&self) -> Result<(), NoAnswer> {
        let request = self.agent.post(format!("http://{}/api/v1/sync/now", self.address));
        let answer = request.config().timeout_global(Some(PATIENCE)).build().send_empty();
        if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        self.read(answer)
    }

    /// Tests a port and waits for the result.
    pub(super) fn test(&self, port: &str) -> Result<LineHealth, NoAnswer> {
        let request = self.agent.post(format!("http://{}/api/v1/lines/{}/test", self.address, in_path(port)));
        self.read(request.config().timeout_global(Some(TEST_PATIENCE)).build().send_empty())
    }

    /// What is to be erased and what is held.
    pub(super) fn listing(&self) -> Result<Listing, NoAnswer> {
        let request = self.agent.get(format!("http://{}/api/v1/retention", self.address));
        self.read(request.config().timeout_global(Some(PATIENCE)).build().call())
    }

    /// Asks for an erasure or a hold and waits until it is on the disk.
    pub(super) fn ask(&self, request: &Request) -> Result<Answer, NoAnswer> {
        let json = serde_json::to_string(request).unwrap_or_default();
        let post = self.agent.post(format!("http://{}/api/v1/retention", self.address));
        let post = post.header("Content-Type", "application/json").config();
        self.read(post.timeout_global(Some(TEST_PATIENCE)).build().send(json))
    }

    /// Has it noted that somebody did something that has to be accounted for: `opened`, `exported`.
    pub(super) fn account(&self, by: &str, did: &str, on: &str) -> Result<(), NoAnswer> {
        let json = serde_json::json!({ "by": by, "did": did, "on": on }).to_string();
        let post = self.agent.post(format!("http://{}/api/v1/audit", self.address));
        let post = post.header("Content-Type", "application/json").config();
        let answer = post.timeout_global(Some(PATIENCE)).build().send(json);
        if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        self.read(answer)
    }

    /// Who did what, at most `limit`, newest first.
    pub(super) fn audit(&self, limit: usize) -> Result<Vec<Account>, NoAnswer> {
        #[derive(Deserialize)]
        struct Audit {
            audit: Vec<Account>,
        }
        let request = self.agent.get(format!("http://{}/api/v1/audit?limit={limit}", self.address));
        let answer: Audit = self.read(request.config().timeout_global(Some(PATIENCE)).build().call())?;
        Ok(answer.audit)
    }

    /// What stands at a path of the API.
    pub(super) fn look(&self, path: &str) -> Result<serde_json::Value, NoAnswer> {
        let request = self.agent.get(format!("http://{}{path}", self.address));
        self.read(request.config().timeout_global(Some(PATIENCE)).build().call())
    }

    /// Changes what stands at a path of the API; the answer is the entry as it is now, if there is one.
    pub(super) fn change(
        &self,
        method: Method,
        path: &str,
        body: &str,
        content_type: &str,
    ) -> Result<serde_json::Value, NoAnswer> {
        let address = format!("http://{}{path}", self.address);
        let with_body = |request: ureq::RequestBuilder<ureq::typestate::WithBody>| {
            let request = request.header("Content-Type", content_type).config();
            request.timeout_global(Some(TEST_PATIENCE)).build().send(body)
        };
        let answer = match method {
            Method::Post => with_body(self.agent.post(address)),
            Method::Put => with_body(self.agent.put(address)),
            Method::Delete => {
                self.agent.delete(address).config().timeout_global(Some(TEST_PATIENCE)).build().call()
            }
        };
        if answer.as_ref().is_ok_and(|answer| answer.status().as_u16() == 204) {
            return Ok(serde_json::Value::Null);
        }
        self.read(answer)
    }

    /// How the receivers of webhooks do.
    pub(super) fn webhooks(&self) -> Result<Vec<Report>, NoAnswer> {
        #[derive(Deserialize)]
        struct List {
            webhooks: Vec<Report>,
        }
        let request = self.agent.get(format!("http://{}/api/v1/webhooks", self.address));
        let answer: List = self.read(request.config().timeout_global(Some(PATIENCE)).build().call())?;
        Ok(answer.webhooks)
    }

    /// Has a receiver sent a test.
    pub(super) fn test_webhook(&self, n: usize) -> Result<Tested, NoAnswer> {
        let request = self.agent.post(format!("http://{}/api/v1/webhooks/{n}/test", self.address));
        self.read(request.config().timeout_global(Some(TEST_PATIENCE)).build().send_empty())
    }

    /// Has a receiver sent calls again; how many.
    pub(super) fn replay_webhook(
        &self,
        n: usize,
        from: WallTime,
        to: Option<WallTime>,
    ) -> Result<u64, NoAnswer> {
        #[derive(Deserialize)]
        struct Replayed {
            calls: u64,
        }
        let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
        let url = format!("http://{}/api/v1/webhooks/{n}/replay?from={from}{to}", self.address);
        let request = self.agent.post(url).config().timeout_global(Some(TEST_PATIENCE)).build();
        let answer: Replayed = self.read(request.send_empty())?;
        Ok(answer.calls)
    }

    fn read<T: for<'a> Deserialize<'a>>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, NoAnswer> {
        let unreachable = |error: ureq::Error| NoAnswer::Unreachable(self.at.clone(), error.to_string());
        let mut answer = answer.map_err(unreachable)?;
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(unreachable)?;
        let stranger = |_| NoAnswer::Stranger(self.at.clone());
        if answer.status().is_success() {
            return serde_json::from_str(&text).map_err(stranger);
        }
        let Problem { title } = serde_json::from_str(&text).map_err(stranger)?;
        Err(NoAnswer::Problem { status: answer.status().as_u16(), title })
    }
}

/// A name as a segment of a path (RFC 3986 2.1).
pub(super) fn in_path(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    /// Answers one request with `answer`; gives the request's first line back.
    fn answering(answer: &'static str) -> (RunningBox, thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned()
        });
        (RunningBox::at(address), served)
    }

    #[test]
    fn a_problem_is_said_in_the_words_of_the_box() {
        let (running, served) = answering(
            "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: 66\r\n\
             Connection: close\r\n\r\n{\"title\":\"the line is in use\",\"status\":409,\"code\":\"line_in_use\"}    ",
        );
        let error = running.test("LINE 1").unwrap_err();
        assert_eq!(error.to_string(), "the line is in use");
        assert_eq!(error.failure("ringside lines test").next, "in a moment, ringside lines test");
        assert_eq!(served.join().unwrap(), "POST /api/v1/lines/LINE%201/test HTTP/1.1");
    }

    #[test]
    fn another_program_is_not_taken_for_the_box() {
        let (running, _served) =
            answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        assert!(matches!(running.status(), Err(NoAnswer::Stranger(_))));
    }

    #[test]
    fn a_box_that_is_down_leads_to_the_doctor() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let failure = RunningBox::at(free).status().unwrap_err().failure("ringside status");
        assert_eq!((failure.code, failure.next.as_str()), (1, "ringside doctor"));
        assert!(failure.message.contains("does not answer on 127.0.0.1:"), "{}", failure.message);
    }
}
