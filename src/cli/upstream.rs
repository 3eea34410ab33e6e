//! `ringside upstream`: the receiver of a fleet's records and recordings, its boxes and their sites.

use super::{Failure, print, run::tracing_to_stderr};
use crate::{
    id::BoxId,
    upstream::{self, Bounds, Bucket, Metrics, Objects, Operator, Receiver, Records, access, site, tls},
};
use clap::{Args, Subcommand};
use std::{
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::Semaphore;

/// The operator's token comes from here: a command line can be read by everybody on the machine.
const OPERATOR_TOKEN: &str = "RINGSIDE_OPERATOR_TOKEN";
/// The database's address, which may hold a password.
const POSTGRES: &str = "RINGSIDE_POSTGRES";
/// Where a receiver keeps its data.
const DATA: &str = "/var/lib/ringside-upstream";
/// An operator's token shorter than this is guessed.
const MIN_TOKEN_CHARS: usize = 16;

#[derive(Subcommand)]
pub(super) enum Upstream {
    /// Receive until a signal stops it.
    Run(RunArguments),
    /// Add, list and remove boxes.
    #[command(subcommand)]
    Box(BoxCommand),
    /// Set what boxes are to know: their numbers and campaigns.
    #[command(subcommand)]
    Site(SiteCommand),
}

#[derive(Subcommand)]
pub(super) enum BoxCommand {
    /// Let a box send; prints its token, once. A box that is there already gets a new one.
    Add {
        /// The box's id, `box_…`.
        id: BoxId,
        /// Name on the fleet's page.
        #[arg(long, value_name = "SITE")]
        name: Option<String>,
        #[command(flatten)]
        store: Store,
    },
    /// List the boxes.
    List {
        #[command(flatten)]
        store: Store,
    },
    /// Let a box send no more; what it sent stays.
    Remove {
        /// The box's id.
        id: BoxId,
        #[command(flatten)]
        store: Store,
    },
}

#[derive(Subcommand)]
pub(super) enum SiteCommand {
    /// Sign a site for a box and let it fetch it.
    Set {
        /// The box's id.
        id: BoxId,
        /// TOML with `[[campaign]]`, `[[tracking_number]]` and `[[ring_group]]`.
        file: PathBuf,
        /// File with the upstream's key; made if it is not there.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        store: Store,
    },
    /// Print the public key that boxes check sites with.
    Key {
        /// File with the upstream's key; made if it is not there.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

/// Where records are.
#[derive(Args)]
pub(super) struct Store {
    /// Directory for records and recordings, for one receiver.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Database for records, for any number of receivers; also in RINGSIDE_POSTGRES.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Authority of the database's certificate, PEM; without it those that the machine trusts.
    #[arg(long, value_name = "FILE")]
    postgres_ca: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct RunArguments {
    /// Address and port for boxes and operators.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8490")]
    listen: SocketAddr,
    #[command(flatten)]
    store: Store,
    /// Bucket for recordings; credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "NAME")]
    s3_bucket: Option<String>,
    /// Address of the store behind the S3 API.
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// Region of the bucket.
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    s3_region: String,
    /// Certificate of this receiver, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authority of the boxes' certificates, PEM: a box may show one instead of its token.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Batches in work at once; the next is told to come back.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_batches: usize,
    /// Pieces of recordings in work at once.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_pieces: usize,
    /// Connections at once; the next ones wait until one is gone.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_connections: usize,
    /// How long the headers of a request may take, and how long an idle connection is kept.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    header_patience: u64,
    /// Seconds that a batch or a piece may take to arrive; the longest piece beside a call, at 64 kbit/s, takes 131.
    #[arg(long, value_name = "S", default_value_t = 180)]
    patience: u64,
}

pub(super) fn upstream(command: Upstream) -> Result<(), Failure> {
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(failed("ulimit -u, then again"))?;
    runtime.block_on(async {
        match command {
            Upstream::Run(arguments) => run(arguments).await,
            Upstream::Box(command) => boxes(command).await,
            Upstream::Site(command) => sites(command).await,
        }
    })
}

fn failed<E: Display>(next: &str) -> impl Fn(E) -> Failure + '_ {
    move |error| Failure::failed(error, next)
}

impl Store {
    fn database(&self) -> Option<String> {
        self.postgres.clone().or_else(|| std::env::var(POSTGRES).ok())
    }

    async fn open(
        &self,
        in_directory: fn(&Path) -> Result<Records, upstream::stored::StoreError>,
    ) -> Result<Records, Failure> {
        let opened = match self.database() {
            Some(url) => Records::in_database(&url, self.postgres_ca.as_deref()).await,
            None => in_directory(&self.data),
        };
        opened.map_err(failed("ringside upstream run --help"))
    }
}

async fn run(arguments: RunArguments) -> Result<(), Failure> {
    tracing_to_stderr();
    let next = "ringside upstream run --help";
    let token = std::env::var(OPERATOR_TOKEN).ok();
    if token.as_deref().is_some_and(|token| token.len() < MIN_TOKEN_CHARS) {
        let why =
            format!("the operator's token in {OPERATOR_TOKEN} has less than {MIN_TOKEN_CHARS} characters");
        return Err(Failure::failed(why, format!("{OPERATOR_TOKEN}=$(openssl rand -hex 32)")));
    }
    if arguments.tls_cert.is_none() && !arguments.listen.ip().is_loopback() {
        tracing::warn!(
            "without --tls-cert tokens and calls are readable on the wire: put a TLS proxy in front"
        );
    }
    let objects = match &arguments.s3_bucket {
        Some(name) => {
            let (endpoint, region) = (arguments.s3_endpoint.clone(), arguments.s3_region.clone());
            Objects::bucket(&Bucket { name: name.clone(), endpoint, region })
        }
        None if arguments.store.database().is_some() => {
            let why = "records in a database need their recordings in a bucket: receivers side by side share no directory";
            return Err(Failure::failed(why, "--s3-bucket NAME --s3-endpoint URL"));
        }
        None => Objects::directory(&arguments.store.data.join("objects")),
    };
    let receiver = Receiver {
        records: arguments.store.open(Records::in_directory).await?,
        objects: objects.map_err(failed(next))?,
        operator: Operator::new(token.as_deref()),
        metrics: Metrics::new(),
        batches: Semaphore::new(arguments.max_batches),
        pieces: Semaphore::new(arguments.max_pieces),
        signing_in: Semaphore::new(1),
        patience: Duration::from_secs(arguments.patience),
        bounds: Bounds {
            connections: arguments.max_connections,
            headers: Duration::from_secs(arguments.header_patience),
        },
    };
    let files = arguments.tls_cert.zip(arguments.tls_key).map(|(certificate, key)| {
        let client_ca = arguments.client_ca;
        tls::Files { certificate, key, client_ca }
    });
    let listener = tokio::net::TcpListener::bind(arguments.listen).await;
    let listener =
        listener.map_err(|error| Failure::failed(format!("{}: {error}", arguments.listen), next))?;
    // Port 0 takes any; whoever started us wants to know which.
    let address = listener.local_addr().map_err(failed(next))?;
    tracing::info!(%address, "receiving");
    print(format_args!("receiving on {address}"));
    upstream::serve(listener, files.as_ref(), receiver, stopped()).await.map_err(failed(next))
}

/// Ready when a signal asks for the end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn boxes(command: BoxCommand) -> Result<(), Failure> {
    let list = failed("ringside upstream box list");
    match command {
        BoxCommand::Add { id, name, store } => {
            let records = store.open(Records::beside).await?;
            let known = records.fleet_box(id).await.map_err(failed("ringside upstream box list"))?;
            let name = name.or(known.map(|known| known.name)).unwrap_or_else(|| id.to_string());
            let token = access::new_token().map_err(failed("ringside upstream box add again"))?;
            records.admit(id, &name, Some(access::digest(&token))).await.map_err(list)?;
            print(format_args!("{token}"));
            Ok(())
        }
        BoxCommand::List { store } => {
            let mut fleet = store.open(Records::beside).await?.fleet().await.map_err(list)?;
            fleet.sort_by_key(|one| one.id);
            for one in fleet {
                let state = if one.token.is_some() { "may send" } else { "removed" };
                let heard = one.heard.map_or_else(|| "never".to_owned(), |heard| heard.at.to_string());
                print(format_args!("{}  {state}  last heard {heard}  {}", one.id, one.name));
            }
            Ok(())
        }
        BoxCommand::Remove { id, store } => {
            let records = store.open(Records::beside).await?;
            let Some(known) = records.fleet_box(id).await.map_err(failed("ringside upstream box list"))?
            else {
                return Err(Failure::failed(format!("there is no box {id}"), "ringside upstream box list"));
            };
            records.admit(id, &known.name, None).await.map_err(list)
        }
    }
}

async fn sites(command: SiteCommand) -> Result<(), Failure> {
    let read = |key: &Path| {
        site::key(key).map_err(|error| Failure::failed(format!("{}: {error}", key.display()), "--key FILE"))
    };
    match command {
        SiteCommand::Set { id, file, key, store } => {
            let next = "ringside upstream box list";
            let text = std::fs::read_to_string(&file)
                .map_err(|error| Failure::failed(format!("{}: {error}", file.display()), "--help"))?;
            let records = store.open(Records::beside).await?;
            if records.fleet_box(id).await.map_err(failed(next))?.is_none() {
                return Err(Failure::failed(format!("there is no box {id}"), next));
            }
            let newest = records.site(id).await.map_err(failed(next))?.map_or(0, |site| site.version);
            let signed = site::sign(&read(&key)?, id, newest, &text, upstream::wall_now());
            let signed = signed.map_err(failed("see the file"))?;
            let version = signed.version;
            records.set_site(id, signed).await.map_err(failed("ringside upstream site set again"))?;
            print(format_args!("version {version}"));
            Ok(())
        }
        SiteCommand::Key { key } => {
            print(format_args!("{}", site::public_key(&read(&key)?)));
            Ok(())
        }
    }
}
