//! The demo's upstream: a receiver in this process, which keeps what it gets in a directory beside the calls.

use super::{
    Failure, RunningBox, calls, failed, localhost,
    play::{PATIENCE, eventually},
    print,
};
use crate::{
    id::{BoxId, RecordingId},
    io::{
        clock::Clock,
        storage::{self, Options},
    },
    record::CallRecord,
    status::{BoxStatus, LedColour, LedPattern, SyncState},
    sync::wire::Gaps,
    upstream::{Bounds, Metrics, Objects, Operator, Receiver, Records, access, serve},
    web::status_wording as words,
};
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, oneshot},
};

/// Where the receiver keeps its data, below the demo's.
const FOLDER: &str = "upstream";
/// The usual port of a receiver.
const USUAL_PORT: u16 = 8490;
/// Batches, and pieces, in work at once: there is one box.
const AT_ONCE: usize = 4;
/// A batch or a piece arrives at once on loopback, but slowly beside a call.
const ARRIVES_WITHIN: Duration = Duration::from_secs(180);
/// No recording of the demo is longer.
const MAX_RECORDING_BYTES: u64 = 16 << 20;

/// The running receiver. Dropped, it ends.
pub(super) struct Upstream {
    address: SocketAddr,
    token: String,
    box_id: BoxId,
    agent: ureq::Agent,
    _ends_when_dropped: oneshot::Sender<()>,
}

impl Upstream {
    /// Starts a receiver that knows the box of `data`.
    pub(super) fn start(data: &Path) -> Result<Self, Failure> {
        let folder = data.join(FOLDER);
        let listener = TcpListener::bind(localhost(USUAL_PORT)).or_else(|_| TcpListener::bind(localhost(0)));
        let listener = listener.map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // The first start makes the box's identity; the receiver wants to know it before.
        let recovered = storage::recover(data, &Options::default(), Clock::start()).map_err(failed)?;
        let token = access::new_token().map_err(failed)?;
        let receiver = Receiver {
            records: Records::in_directory(&folder).map_err(failed)?,
            objects: Objects::directory(&folder.join("objects")).map_err(failed)?,
            operator: Operator::new(None),
            metrics: Metrics::new(),
            batches: Semaphore::new(AT_ONCE),
            pieces: Semaphore::new(AT_ONCE),
            signing_in: Semaphore::new(1),
            patience: ARRIVES_WITHIN,
            bounds: Bounds { connections: 2 * AT_ONCE, headers: ARRIVES_WITHIN },
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
        let digest = Some(access::digest(&token));
        let admitted = receiver.records.admit(recovered.box_id, "Miller Plumbing", digest);
        runtime.block_on(admitted).map_err(failed)?;
        let (ends, ended) = oneshot::channel();
        thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || receive(&runtime, listener, receiver, ended))
            .map_err(failed)?;
        let agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).build().into();
        Ok(Self { address, token, box_id: recovered.box_id, agent, _ends_when_dropped: ends })
    }

    /// The section of the box's configuration that names this receiver.
    pub(super) fn section(&self) -> String {
        format!(
            "\n[upstream]\nurl = \"http://{}\"\ntoken = \"{}\"\nuplink_percent = 100\n",
            self.address, self.token
        )
    }

    /// What the demo says of it at its start.
    pub(super) fn greeting(&self) -> String {
        format!("Its upstream is on http://{}/.\n", self.address)
    }

    /// Waits until the box has sent everything, then looks whether all of it is here.
    pub(super) fn check(&self, data: &Path, web: SocketAddr) -> Result<(), Failure> {
        let status = || RunningBox::at(web).status().ok();
        if eventually(PATIENCE, || status().filter(is_up_to_date)).is_none() {
            let said = status().map_or_else(|| "nothing".to_owned(), |status| words::sync(&status.sync));
            return Err(failed(format!("the box is not level with its upstream; it says: {said}")));
        }
        let records = calls::load(data)?;
        self.has_all(&records)?;
        let recordings = records.iter().filter(|record| record.recording.path.is_some());
        let recorded = recordings.clone().count();
        recordings.into_iter().try_for_each(|record| self.has_recording(record))?;
        print(format_args!(
            "The upstream has all {} records, and all {recorded} recordings as they were written.\n",
            records.len()
        ));
        Ok(())
    }

    fn has_all(&self, records: &[CallRecord]) -> Result<(), Failure> {
        let last = records.iter().map(|record| record.seq).max().unwrap_or(0);
        let url = format!("http://{}/v1/boxes/{}/gaps?calls={last}", self.address, self.box_id);
        let asked = self.agent.get(url).header("authorization", format!("Bearer {}", self.token)).call();
        let text = asked.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(failed)?;
        let gaps: Gaps = serde_json::from_str(&text).map_err(failed)?;
        if gaps.calls.is_empty() && gaps.recordings.is_empty() {
            return Ok(());
        }
        Err(failed(format!("not upstream: calls {:?}, recordings {:?}", gaps.calls, gaps.recordings)))
    }

    fn has_recording(&self, record: &CallRecord) -> Result<(), Failure> {
        let Some(id) = record.recording.id else { return Ok(()) };
        let digest = self.digest(id).map_err(|error| failed(format!("recording {id}: {error}")))?;
        if record.recording.hash.as_ref() == Some(&digest) {
            return Ok(());
        }
        Err(failed(format!("recording {id} has the digest {digest} upstream, not that of its record")))
    }

    fn digest(&self, recording: RecordingId) -> Result<String, ureq::Error> {
        let url = format!("http://{}/boxes/{}/recordings/{recording}", self.address, self.box_id);
        let mut answer = self.agent.get(url).call()?;
        let bytes = answer.body_mut().with_config().limit(MAX_RECORDING_BYTES).read_to_vec()?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }
}

fn receive(runtime: &Runtime, listener: TcpListener, receiver: Receiver, ended: oneshot::Receiver<()>) {
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        serve(listener, None, receiver, async { drop(ended.await) }).await
    });
    if let Err(error) = served {
        tracing::error!(%error, "the demo's receiver ended");
    }
}

/// Nothing waits, and the lamp says so.
fn is_up_to_date(status: &BoxStatus) -> bool {
    let lamp = status.panel.iter().find(|lamp| lamp.name == "sync");
    let is_lit = lamp.is_some_and(|lamp| (lamp.colour, lamp.pattern) == (LedColour::Green, LedPattern::On));
    status.sync.state == SyncState::UpToDate && is_lit
}
