//! Starts the daemon, in the order of the module's diagram.

use super::{
    Options, Running, StartError, Threads, accounts,
    directory::OfficeDirectory,
    edges::Edges,
    hardware::{self, Front, LineLoop, Opened},
    line_book::LineBook,
    notice::Notice,
    office::OfficeDesk,
    office_book::Books,
    panel::Panel,
    proofs::{self, ProofFeed},
    reset::FactoryReset,
    signalling::{Message, Signalling},
    site,
    sounds::Sounds,
    starting::Starting,
    status::BoxState,
    stored::StoredCalls,
    upstream,
    webhooks::{self, Tell},
};
use crate::{
    board::Profile,
    call::incoming::Numbering,
    config::{Config, RecordingPolicy},
    directory::Directory,
    id::BoxId,
    io::{
        box_key::BoxKey,
        clock::Clock,
        front_panel::FrontPanel,
        line_io::LineCommand,
        media_loop::{MediaControl, MediaLoop},
        pcm::{PREFILL_PERIODS, Pcm, PcmSettings},
        realtime,
        rtp_socket::RtpSockets,
        sip_socket::SipSocket,
        storage,
    },
    media::PatchBay,
    recording::vault::{Kek, PublicKey, Vault},
    sip::endpoint::Endpoint,
    switchboard::{self, Switchboard},
    web,
};
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, JoinHandle},
};
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for the signalling thread: a burst of 240 refused calls and their storage reports.
const INBOX: usize = 4096;
/// A thread that has not shown life for so long is stuck.
const SIGNALLING_STALE_MS: u64 = 3_000;
const MEDIA_STALE_MS: u64 = 3_000;
const LINES_STALE_MS: u64 = 3_000;
/// An SD card may take seconds for one fdatasync.
const STORAGE_STALE_MS: u64 = 15_000;
/// RTP ports beside one per phone: for calls whose patch is still being taken down.
const SPARE_RTP_PORTS: usize = 8;

/// Starts every thread; returns when calls can come in.
///
/// # Errors
/// [`StartError`] names what is wrong and the remedy. Nothing is left running.
pub fn start(options: Options) -> Result<Running, StartError> {
    let Options { config, config_dir, data, .. } = &options;
    let clock = Clock::start();
    let (profile, path) = hardware::profile(config, config_dir)?;
    let notice = notice(config, config_dir)?;
    // Before any thread starts: a simulated sound card sets the environment for libasound.
    let Opened { hardware, front, lines, pcm } = hardware::open(&profile, &path, &config.site.country)?;
    let (outbox, inbox) = mpsc::channel(INBOX);
    let stored = storage_options(config, data);
    let kek = stored.vault.as_ref().map(|vault| vault.kek.clone());
    let (recovered, storage) = open_storage(data, &stored, clock, outbox.clone())?;
    let Sockets { runtime, sip: socket, web: listener, rtp } =
        sockets(&options, profile.fxs_ports().count())?;
    let (sip, web) = (socket.local_addr()?, listener.local_addr()?);

    let boot = random()?;
    let directory = OfficeDirectory::open(data, (config, &profile), &storage, clock, &outbox)?;
    let book = LineBook::open(data, config, &profile, clock)?;
    let settings = book.taught(site::switchboard(config, &profile, rtp.addresses().to_vec())?);
    let switchboard = at_rest(config, settings, directory.newest(), (&recovered, boot), sip)?;
    let stop_media = Arc::new(AtomicBool::new(false));
    let (media, media_control) = media(config, &profile, pcm, rtp, Arc::clone(&stop_media))?;
    let (order, orders) = channel();
    let health = web::Health::new();
    let pulse = health.watch("line-io", LINES_STALE_MS);
    let lines = line_thread(lines, orders, outbox.clone(), clock, pulse)?;
    let (mut state, line_tests) = page_state((config, data), &storage, (clock, kek), health);
    state.certificate = accounts::certificate(config, web, data)?;
    let proofs_thread =
        open_office(&options, recovered.box_id, storage.desk(), (&directory, &outbox), &mut state)?;
    let box_state = BoxState::new(config, &profile, clock, state.status.clone(), state.health.clone());
    let apply = upstream::directory_swap(&options, &profile, directory);
    let (upstream, orders) =
        upstream::start(&options, apply, (&recovered, boot), &storage, (clock, &box_state))?;
    state.sync = upstream::now(orders.clone());
    let since = (recovered.next_seq.saturating_sub(1), boot);
    let (webhooks, tell) = webhooks::begin(&options, storage.index(), since, clock, &mut state)?;
    let (ready, begun) = channel();
    let starting = Starting::new(profile.fxs_ports().map(|(id, _)| id), clock.now(), ready);
    let (ports, sounds) = (book.ports().to_vec(), site::sounds(config));
    let mut edges =
        Edges::new((order, media_control, storage), &state, (notice, sounds), ports, (box_state, book, tell));
    edges.upstream = orders;
    let pulse = state.health.watch("signalling", SIGNALLING_STALE_MS);
    let (panel, panel_thread) = front_panel(&profile, front, site::registrar(config), outbox.clone(), clock)?;
    let (reset, reset_asked) = FactoryReset::new(options.config_file.clone());
    let signalling =
        Signalling { switchboard, socket, inbox, line_tests, edges, clock, pulse, starting, panel, reset };
    let signalling =
        Builder::new().name("signalling".to_owned()).spawn(move || runtime.block_on(signalling.run()))?;
    // If the thread is gone, its handle tells.
    let _ = begun.recv();
    let (stop_web, stopped) = oneshot::channel();
    let web_thread = web_thread(listener, accounts::hatch(data), state, stopped)?;
    let threads = Threads {
        signalling,
        stop_media,
        media,
        lines,
        panel: panel_thread,
        stop_web,
        web: web_thread,
        proofs: proofs_thread,
        upstream,
        webhooks,
    };
    Ok(Running { sip, web, inbox: outbox, threads, hardware, reset: reset_asked })
}

/// The switchboard before the first call.
///
/// # Errors
/// A registrar has no address, or there is no randomness.
fn at_rest(
    config: &Config,
    settings: switchboard::Settings,
    directory: Arc<Directory>,
    (recovered, boot): (&storage::Recovered, u64),
    sip: SocketAddr,
) -> io::Result<Switchboard> {
    let endpoint = Endpoint::new(site::sip(config, sip)?, random()?);
    let numbering = Numbering::new(recovered.box_id, recovered.next_seq, random()?).in_run(boot);
    Ok(Switchboard::new(settings, directory, endpoint, numbering))
}

/// The office's own things on the page: its directory and books, the calls it writes into, proofs, the installer's steps.
/// The thread keeps proofs.
///
/// # Errors
/// There is no thread to be had.
fn open_office(
    options: &Options,
    box_id: BoxId,
    desk: storage::Desk,
    (directory, outbox): (&OfficeDirectory, &mpsc::Sender<Message>),
    state: &mut web::State,
) -> io::Result<Option<JoinHandle<()>>> {
    let (proofs, thread) =
        proofs::open(&options.config, &options.data, box_id, directory.newest(), desk.clone())?;
    state.proofs = proofs;
    state.set_up = site::set_up(options);
    state.office = Arc::new(Books { directory: directory.clone(), accounts: state.accounts.clone() });
    state.directory = web::DirectoryWay::new(directory.clone());
    state.desk = web::Desk::new(OfficeDesk { desk, signalling: outbox.clone() });
    Ok(thread)
}

/// How recordings are kept. Without the box's key calls go on, and recordings that are to be encrypted are refused.
fn storage_options(config: &Config, data: &Path) -> storage::Options {
    let options = storage::Options::of(config);
    let key = BoxKey::open(data);
    if let Err(error) = &key {
        tracing::error!(%error, "encrypted recordings are not opened{}", if options.encrypt { ", and no call is recorded" } else { "" });
    }
    let owner = config.recording.owner_key.map(PublicKey::new);
    let vault = key.ok().map(|key| Vault { kek: key.kek(), owner });
    storage::Options { vault, ..options }
}

/// Closes what the last stop left open, and starts the threads of storage.
fn open_storage(
    data: &Path,
    options: &storage::Options,
    clock: Clock,
    outbox: mpsc::Sender<Message>,
) -> Result<(storage::Recovered, storage::Storage), StartError> {
    let recovered = storage::recover(data, options, clock)?;
    for call in &recovered.interrupted {
        tracing::warn!(%call, "the call was cut off by the last stop; its record is closed as interrupted");
    }
    let storage = storage::start(data, options, clock, move |event| {
        if outbox.try_send(Message::Storage(event)).is_err() {
            tracing::debug!("a report of storage had no room");
        }
    })?;
    Ok((recovered, storage))
}

/// What the outside comes in at.
struct Sockets {
    /// The signalling thread's; the SIP socket is bound to it.
    runtime: tokio::runtime::Runtime,
    sip: SipSocket,
    web: std::net::TcpListener,
    rtp: RtpSockets,
}

fn sockets(options: &Options, phones: usize) -> Result<Sockets, StartError> {
    let config = &options.config;
    let sip_address = options.sip.unwrap_or(config.sip.listen);
    let web_address = options.web.unwrap_or(config.web.listen);
    let rtp = bind_rtp(config, sip_address.ip(), phones)?;
    let web = std::net::TcpListener::bind(web_address).map_err(socket("web", web_address))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let sip = SipSocket::bind(sip_address).map_err(socket("SIP", sip_address))?;
    drop(guard);
    Ok(Sockets { runtime, sip, web, rtp })
}

/// As many RTP ports as the phones can use at once.
fn bind_rtp(config: &Config, sip_address: IpAddr, phones: usize) -> Result<RtpSockets, StartError> {
    let address = config.rtp.address.unwrap_or(sip_address);
    let wanted = config.rtp.pairs().min(phones + SPARE_RTP_PORTS);
    Ok(RtpSockets::bind(address, config.rtp.first_port..=config.rtp.last_port, wanted)?)
}

fn socket(what: &'static str, address: SocketAddr) -> impl Fn(io::Error) -> StartError {
    move |error| StartError::Socket { what, address, error }
}

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}

/// Everything that the page shows, still empty, and the line tests that it asks for.
fn page_state(
    (config, data): (&Config, &Path),
    storage: &storage::Storage,
    (clock, kek): (Clock, Option<Kek>),
    health: web::Health,
) -> (web::State, mpsc::Receiver<web::LineTestOrder>) {
    let (line_tests, orders) = web::LineTests::channel();
    let state = web::State {
        live: web::LiveBubbles::new(),
        calls: Arc::new(StoredCalls::of(config, storage.index(), clock, kek)),
        recordings: data.to_owned(),
        metrics: web::Metrics::new(),
        health,
        status: web::StatusBoard::new(),
        line_tests,
        retention: web::Retention::new(storage.desk()),
        sync: web::SyncNow::default(),
        directory: web::DirectoryWay::unavailable(),
        accounts: accounts::open(config, data),
        names: accounts::names(config),
        office: Arc::new(web::EmptyBook),
        desk: web::Desk::unavailable(),
        proofs: web::Proofs::unavailable(),
        set_up: web::SetUp::unavailable(),
        certificate: web::Certificate::none(),
        happenings: web::Happenings::new(),
        webhooks: web::Webhooks::default(),
    };
    (state, orders)
}

/// The notice of the site's policy.
fn notice(config: &Config, config_dir: &Path) -> Result<Option<Notice>, StartError> {
    let own = config.recording.notice.as_ref().map(|path| config_dir.join(path));
    let notice = match (config.recording.policy, own) {
        (RecordingPolicy::Announce, Some(path)) => Notice::load(&path).map(Some),
        (RecordingPolicy::Announce, None) => Notice::built_in().map(Some),
        (RecordingPolicy::Beep, _) => Ok(Some(Notice::beep())),
        (RecordingPolicy::Gate, _) => {
            Err(io::Error::other("policy `gate` is not available yet; use `announce`"))
        }
        (RecordingPolicy::OneParty | RecordingPolicy::Off, _) => Ok(None),
    };
    notice.map_err(|error| StartError::Configuration(error.to_string()))
}

/// The audio of every port, and the thread that moves it.
fn media(
    config: &Config,
    profile: &Profile,
    pcm: PcmSettings,
    rtp: RtpSockets,
    stop: Arc<AtomicBool>,
) -> Result<(JoinHandle<()>, MediaControl), StartError> {
    let bay = PatchBay::new(pcm.slots, rtp.addresses().len()).with_lead(PREFILL_PERIODS);
    let bay = site::port_audio(config, profile).fold(bay, |bay, (slot, audio)| bay.with_port(slot, audio));
    let (media, control) = MediaLoop::new(Pcm::closed(pcm), bay, rtp)?;
    Ok((media_thread(media, stop)?, control))
}

fn media_thread(mut media: MediaLoop<RtpSockets>, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
    Builder::new().name("media".to_owned()).spawn(move || {
        // On a machine that does not permit it the calls still work, if it is not too busy.
        for denied in [realtime::prioritise(realtime::MEDIA_PRIORITY), realtime::lock_memory()]
            .into_iter()
            .filter_map(Result::err)
        {
            tracing::debug!("media thread: {denied}");
        }
        media.run(&stop);
    })
}

fn line_thread(
    lines: LineLoop,
    orders: Receiver<LineCommand>,
    outbox: mpsc::Sender<Message>,
    clock: Clock,
    pulse: web::Pulse,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name("line-io".to_owned()).spawn(move || {
        // The loop reads the clock in every turn, so that is its heartbeat too.
        let now = move || {
            pulse.beat();
            clock.now()
        };
        lines(&orders, &now, &mut |event| {
            // Signalling no longer listens when it stops.
            let _ = outbox.blocking_send(Message::Line(event));
        });
    })
}

/// The panel for the signalling thread, and the thread that shows it.
fn front_panel(
    profile: &Profile,
    front: Front,
    registrar: Option<SocketAddr>,
    outbox: mpsc::Sender<Message>,
    clock: Clock,
) -> io::Result<(Panel, JoinHandle<()>)> {
    let Front { leds, button, relay, celsius } = front;
    let (lights, shown) = channel();
    let thread = Builder::new().name("panel".to_owned()).spawn(move || {
        FrontPanel::new(leds, button).run(
            &shown,
            || clock.now(),
            |edge| {
                // Signalling no longer listens when it stops.
                let _ = outbox.blocking_send(Message::Button(edge));
            },
        );
    })?;
    Ok((Panel::new(profile, lights, (relay, celsius), registrar), thread))
}

fn web_thread(
    listener: std::net::TcpListener,
    hatch: Option<std::os::unix::net::UnixListener>,
    state: web::State,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    listener.set_nonblocking(true)?;
    Builder::new().name("web".to_owned()).spawn(move || {
        let served = runtime.block_on(async {
            let mut doors = web::Doors::from(tokio::net::TcpListener::from_std(listener)?);
            if let Some(hatch) = hatch {
                doors = doors.with_hatch(hatch)?;
            }
            web::serve(doors, state, async {
                let _ = stopped.await;
            })
            .await
        });
        if let Err(error) = served {
            tracing::error!(%error, "the live page is down; calls go on");
        }
    })
}

impl Edges {
    fn new(
        (lines, media, storage): (Sender<LineCommand>, MediaControl, storage::Storage),
        state: &web::State,
        (notice, sounds): (Option<Notice>, Sounds),
        ports: Vec<String>,
        (state_of_box, book, tell): (BoxState, LineBook, Tell),
    ) -> Self {
        Self {
            lines,
            media_pulse: state.health.watch("media", MEDIA_STALE_MS),
            media,
            storage_pulse: state.health.watch("storage", STORAGE_STALE_MS),
            storage,
            live: state.live.clone(),
            metrics: state.metrics.clone(),
            office: Arc::clone(&state.office),
            notice,
            sounds,
            ports,
            state: state_of_box,
            book,
            tell,
            patches: 0,
            ears: BTreeSet::new(),
            periods_seen: 0,
            turns_seen: 0,
            upstream: None,
            proofs: ProofFeed::new(state.proofs.clone()),
        }
    }
}
