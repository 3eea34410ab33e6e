//! The site's configuration: one TOML file, read whole and checked whole.
//!
//! ```text
//! text ── read ──► raw tables ── check ──► Config
//!          │                       │
//!          └── every problem, with its place and its remedy ──► ConfigErrors
//! ```
//! `read` finds syntax errors, unknown keys and wrong types; `check` builds the typed values below, so that nothing
//! behind this module looks at a string again. Both keep going after a problem: an installer gets all of them at
//! once. The file holds site facts; a key that is left out has the default its field names.

mod check;
mod checker;
mod error;
mod lines;
mod net;
mod numbers;
mod raw;
mod read;
mod retention;
mod upstream;
mod webhooks;

pub use error::{Colours, ConfigErrors, JsonProblem, Problem};
pub use net::{Cidr, HostPort};
pub use upstream::unhex;
pub use webhooks::{Lookup, MAX_WEBHOOKS, Webhook, WebhookEvent, WebhookSigning};

use crate::number::E164;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// A whole, checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[site]`
    pub site: Site,
    /// `[board]`
    pub board: Board,
    /// `[sip]`
    pub sip: Sip,
    /// `[[trunk]]`, in the order of the file; names are unique.
    pub trunks: Vec<Trunk>,
    /// `[rtp]`
    pub rtp: Rtp,
    /// `[web]`
    pub web: Web,
    /// `[calls]`
    pub calls: Calls,
    /// `[recording]`
    pub recording: Recording,
    /// `[retention]`
    pub retention: Retention,
    /// `[upstream]`; without it the box works alone.
    pub upstream: Option<Upstream>,
    /// `[[webhook]]`, in the order of the file; addresses are unique.
    pub webhooks: Vec<Webhook>,
    /// `[lookup]`; without it nobody is asked who calls.
    pub lookup: Option<Lookup>,
    /// `[[phone]]`; a phone that is not set is as it comes.
    pub phones: Vec<Phone>,
    /// `[[line]]`; an office line that is not set is as it comes.
    pub lines: Vec<Line>,
    /// `[emergency]`
    pub emergency: Emergency,
    /// `[[ring_group]]`; never empty: without one in the file there is `office`, with every phone port.
    pub ring_groups: Vec<RingGroup>,
    /// `[[campaign]]`; ids are unique.
    pub campaigns: Vec<Campaign>,
    /// `[[tracking_number]]`; ids and numbers are unique, every reference leads somewhere.
    pub tracking_numbers: Vec<TrackingNumber>,
}

impl Config {
    /// Reads and checks a configuration without looking at the board.
    ///
    /// `file_name` is only used to name the file in errors.
    ///
    /// # Errors
    /// Everything that is wrong with the text, in the order of the lines.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let reading = read::read(text, &mut problems);
        let config = check::check(&reading, None, &mut problems);
        ConfigErrors::unless_empty(text, file_name, problems).map_or(Ok(config), Err)
    }

    /// Reads and checks a configuration together with the board that it names.
    ///
    /// `ports` is asked once, with [`Board::profile`], for the names of the board's ports, or for why there are none.
    ///
    /// # Errors
    /// Everything that is wrong with the text, in the order of the lines.
    pub fn parse_on_board(
        text: &str,
        file_name: &str,
        ports: impl FnOnce(&Path) -> Result<Ports, String>,
    ) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let reading = read::read(text, &mut problems);
        let ports = ports(&check::profile(&reading.file.board));
        // What could not be read names no board; the wrong one would only add to the list.
        let ports = problems.iter().all(|problem| problem.code != "syntax").then_some(&ports);
        let config = check::check(&reading, ports, &mut problems);
        ConfigErrors::unless_empty(text, file_name, problems).map_or(Ok(config), Err)
    }
}

/// Names of a board's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// FXS.
    pub phones: Vec<String>,
    /// FXO.
    pub lines: Vec<String>,
}

/// The site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name of the office. Default: `office`.
    pub name: String,
    /// ISO 3166-1 alpha-2 code of the country, whose dial plan says how numbers are written. Default: `US`.
    pub country: String,
    /// IANA name of the time zone in which days are counted and times shown. Default: `UTC`.
    pub time_zone: String,
}

/// The board under the software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// Board profile, relative to the configuration file. Default: `profile.toml`.
    pub profile: PathBuf,
}

/// The SIP side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Address and UDP port to listen on. Default: `0.0.0.0:5060`.
    pub listen: SocketAddr,
    /// What the box calls itself (RFC 3261 20.41). Default: `ringside/` and the version.
    pub user_agent: String,
}

/// A SIP provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Name in logs and on the page; unique.
    pub name: String,
    /// How the trunk and the box know each other.
    pub mode: TrunkMode,
    /// Where an INVITE says which number was called. Default: `auto`.
    pub did_source: DidSource,
    /// Sources that are this trunk besides its registrar; never empty in mode `ip`.
    pub allow: Vec<Cidr>,
}

/// How a trunk and the box know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkMode {
    /// The trunk knows the box's address, and the box the trunk's.
    Ip,
    /// The box registers (RFC 3261 10).
    Register(Account),
}

/// An account at a registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where REGISTER is sent; port 5060 unless given.
    pub registrar: HostPort,
    /// Domain of the address of record. Default: the registrar's host.
    pub domain: String,
    /// User of the address of record.
    pub user: String,
    /// User name of the digest credentials. Default: `user`.
    pub auth_user: String,
    /// Password of the digest credentials.
    pub password: Password,
    /// Life of a registration that is asked for, in seconds, 60..=86400. Default: 600.
    pub expires_s: u32,
}

/// A secret that does not show in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where an INVITE says which number was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DidSource {
    /// The Request-URI, then To, P-Called-Party-ID and History-Info: the first that is a tracking number.
    Auto,
    /// Only the Request-URI.
    RequestUri,
    /// Only the To header.
    To,
    /// Only the header of this name.
    Header(String),
}

/// The audio side of the trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtp {
    /// First UDP port, even. Default: 16384.
    pub first_port: u16,
    /// Last UDP port, odd. Default: 16447.
    pub last_port: u16,
    /// Address offered to the trunk. Default: the address of `[sip] listen`.
    pub address: Option<IpAddr>,
}

impl Rtp {
    /// Pairs of an RTP and an RTCP port, 1..=256: as many calls can be up at once.
    #[must_use]
    pub const fn pairs(&self) -> usize {
        (self.last_port as usize + 1 - self.first_port as usize) / 2
    }
}

/// The page and the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Address and TCP port. On other addresses than loopback's the page takes https, under a certificate that the box
    /// makes. Default: `127.0.0.1:8480`.
    pub listen: SocketAddr,
    /// Whether whoever reaches the page over loopback, under a loopback name, is administrator without signing in: for
    /// demos and tests. Default: false.
    pub trust_loopback: bool,
    /// Names under which browsers reach the box, beside its addresses and `ringside.local`. Default: none.
    pub names: Vec<String>,
}

/// How calls are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How long the phones ring before the caller hears that nobody answers, in seconds, 5..=180. Default: 60.
    pub ring_timeout_s: u16,
    /// Loop-open toward the phone when the caller has hung up, in milliseconds, 300..=900. Default: 500.
    pub cpc_ms: u16,
    /// Reorder tone after it while the phone stays off hook, in seconds, 0..=120. Default: 30.
    pub reorder_s: u16,
    /// Whether a call is announced to a phone on which somebody talks, when no other rings. Default: true.
    pub call_waiting: bool,
}

/// How calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What the parties are told. Default: `announce`.
    pub policy: RecordingPolicy,
    /// Why the administrator chose another policy than `announce`; required then.
    pub administrator_reason: Option<String>,
    /// WAV file of the notice, 8 kHz mono 16 bit, ≤ 3 s, relative to the configuration file. Default: built in.
    pub notice: Option<PathBuf>,
    /// Bit rate of both legs together, in bit/s, 12000..=128000. Default: 30000.
    pub bitrate_bps: u32,
    /// Effort of the encoder, 0..=10. Default: 5.
    pub complexity: u8,
    /// Whether recordings are encrypted on the disk. Default: false.
    ///
    /// What that protects depends on where the box's key is. Beside the data (`box.key`, as it comes): a copied
    /// recording and nothing else. In a sealed systemd credential: a disk that is taken out. The waveform and the
    /// call's record are never encrypted.
    pub encrypt: bool,
    /// The owner's public key, 64 hex digits, as `ringside recordings new-owner-key` prints it: whoever has the secret
    /// one opens the recordings without the box, also when the box and its key are gone. Only with `encrypt`.
    pub owner_key: Option<[u8; 32]>,
}

/// How long things are kept, in days, 0..=36500; 0 is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Recordings; never longer than the records. Default: 365.
    pub recordings_days: u32,
    /// Records of answered calls. Default: 1825.
    pub records_days: u32,
    /// Records of calls that nobody answered. Default: as `records_days`.
    pub missed_days: u32,
    /// From asking for an erasure until it is done, 0..=90; 0 is at once. Default: 7.
    pub grace_days: u32,
}

/// What the parties of a recorded call are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingPolicy {
    /// A notice to both ends.
    Announce,
    /// A beep.
    Beep,
    /// The caller presses 1, or there is no recording.
    Gate,
    /// One party knows.
    OneParty,
    /// Nothing is recorded.
    Off,
}

impl RecordingPolicy {
    /// Every policy.
    pub const ALL: [Self; 5] = [Self::Announce, Self::Beep, Self::Gate, Self::OneParty, Self::Off];

    /// The policy's name in the file and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Beep => "beep",
            Self::Gate => "gate",
            Self::OneParty => "one_party",
            Self::Off => "off",
        }
    }
}

/// Where records and recordings go; paths are relative to the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `https://sync.example.net`, without a slash at the end.
    pub url: String,
    /// Bearer token.
    pub token: Option<Password>,
    /// File of a bearer token.
    pub token_file: Option<PathBuf>,
    /// PEM files of the box's certificate and its key: `client_certificate`, `client_key`.
    pub client: Option<(PathBuf, PathBuf)>,
    /// PEM file of the authority of the upstream's certificate. Default: the public ones.
    pub ca: Option<PathBuf>,
    /// The office's uplink in kbit/s, 64..=10000000. Default: measured.
    pub uplink_kbps: Option<u32>,
    /// Share of it that recordings may use, in percent, 1..=100; 100 is without a limit. Default: 25.
    pub uplink_percent: u8,
    /// What may go while calls are up, in kbit/s, 0..=10000; 0 lets recordings rest. Default: 64.
    pub calls_kbps: u32,
    /// How packets are marked: `le` (1) or `cs1` (8), as DSCP. Default: `le`.
    pub dscp: u8,
    /// ed25519 public key, in hex, of who may set numbers and campaigns from afar. Default: nobody.
    pub site_key: Option<[u8; 32]>,
}

/// How one phone port is set: for a loop that is too long, or a phone that is too loud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Name of the port in the board profile; unique.
    pub port: String,
    /// Gain toward the phone in dB, -12 to 12. Default: 0.
    pub to_phone_db: i8,
    /// Gain of what comes from it in dB, -12 to 12. Default: 0.
    pub from_phone_db: i8,
    /// Whether the echo of the line is taken away. Default: true.
    pub echo_canceller: bool,
    /// Whether an office exchange (PBX) is behind it in place of a phone. Default: false.
    pub pbx: bool,
}

/// How one office line is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Name of the port in the board profile; unique.
    pub port: String,
    /// The line's own number, by which a call is known that was forwarded back to us.
    pub number: Option<E164>,
    /// With what its exchange is dialled. Default: `tone`.
    pub dialling: Dialling,
    /// Gain toward the line in dB, -12 to 12. Default: 0.
    pub to_line_db: i8,
    /// Gain of what comes from it in dB, -12 to 12. Default: 0.
    pub from_line_db: i8,
    /// Whether the echo of the line is taken away. Default: true.
    pub echo_canceller: bool,
}

/// With what an exchange is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialling {
    /// DTMF.
    Tone,
    /// Interruptions of the loop.
    Pulse,
}

/// Emergency calls of the phones when no office line works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emergency {
    /// The number that the provider has an address for, and that is called back; without it no emergency call goes
    /// over the trunk.
    pub callback: Option<E164>,
    /// That address, as it was registered at the provider.
    pub address: Option<String>,
}

/// Ports that ring together; on an office line among them the forwarding number is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingGroup {
    /// Name that tracking numbers refer to; unique.
    pub name: String,
    /// Its ports; empty means every phone port of the board. Default: empty.
    pub ports: Vec<String>,
}

/// A marketing effort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Id that tracking numbers refer to; unique.
    pub id: String,
    /// Name shown to the office. Default: the id.
    pub name: String,
    /// Name on the phone's display: 1 to 15 printable ASCII characters (Bellcore TR-NWT-001188). Default: the name,
    /// cut.
    pub tag: String,
    /// Where the numbers are advertised: `Google Ads`.
    pub source_name: Option<String>,
    /// Kind of advertising: `print`, `web`, `radio`.
    pub medium: Option<String>,
}

/// A virtual number whose calls reach the box by SIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingNumber {
    /// Id in records; unique. Default: `trk_` and the digits.
    pub id: String,
    /// The number; unique.
    pub number: E164,
    /// Id of its campaign.
    pub campaign: String,
    /// Name of the ring group. Default: the first group.
    pub ring_group: String,
    /// The unadvertised number of the office behind it; never a tracking number.
    pub forwarding_number: Option<E164>,
    /// Numbers printed where customers see them that forward to it. Default: none.
    pub advertised: Vec<E164>,
}
