//! A site in a temporary directory: configuration, board and office, on a loopback address of its own.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
};

/// What a person does who answers at once and talks until hung up on.
pub const ANSWERS: &str = "answer_after_rings = 1\nanswer_delay_ms = 300\nsay_after_ms = 0\ntone_hz = 1000.0";
/// A phone that nobody answers.
pub const NOBODY: &str = "";

static SITES: AtomicU8 = AtomicU8::new(1);

/// The files of one box. Dropped, they are deleted.
pub struct Site {
    dir: tempfile::TempDir,
    ip: Ipv4Addr,
    phones: usize,
    lines: usize,
}

/// Phones that ring together for one tracking number; each with the lines of its office entry.
pub type Group<'a> = &'a [&'a str];

impl Site {
    /// A site with a tracking number for each group: the first has number 100, the next 101. Ports are numbered through
    /// the groups. `extra` goes to the head of the configuration.
    pub fn new(groups: &[Group<'_>], extra: &str) -> Self {
        Self::on_lines(groups, &[], extra)
    }

    /// The same with office lines, each with its office entry; `hello.wav` is there to be said. If there are any, the
    /// tracking number [`MOBILE`] forwards to [`FORWARDING`] on LINE1.
    pub fn on_lines(groups: &[Group<'_>], lines: &[&str], extra: &str) -> Self {
        let site = Self::with_office(groups, lines.len(), extra, &office(groups, lines));
        site.write("board/profile.toml", &profile(site.phones, site.lines, &site.device()));
        let hello = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim/hello.wav");
        fs::copy(hello, site.dir.path().join("board/hello.wav")).unwrap();
        site
    }

    /// The board `sim24` as it is in the repository, with a tracking number for each of its phones.
    pub fn sim24() -> Self {
        let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("board");
        let office = fs::read_to_string(board.join("sim24/office.toml")).unwrap();
        let site = Self::with_office(&[&[NOBODY] as Group<'_>; 24], 0, "", &office);
        let profile = fs::read_to_string(board.join("sim24/profile.toml")).unwrap();
        site.write("board/profile.toml", &profile.replace("\"ringside\"", &format!("\"{}\"", site.device())));
        fs::create_dir(site.dir.path().join("sim")).unwrap();
        fs::copy(board.join("sim/hello.wav"), site.dir.path().join("sim/hello.wav")).unwrap();
        site
    }

    fn with_office(groups: &[Group<'_>], lines: usize, extra: &str, office: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, 1 + high % 250, low, SITES.fetch_add(1, Ordering::Relaxed));
        let phones = groups.iter().map(|group| group.len()).sum();
        let site = Self { dir, ip, phones, lines };
        fs::create_dir(site.dir.path().join("board")).unwrap();
        site.write("board/office.toml", office);
        site.write("ringside.toml", &site.config(groups, extra));
        site
    }

    fn config(&self, groups: &[Group<'_>], extra: &str) -> String {
        let (ip, mut text, mut port) = (self.ip, String::new(), 0);
        write!(
            text,
            "{extra}\n[site]\nname = \"Miller Plumbing\"\n[board]\nprofile = \"board/profile.toml\"\n\
             [sip]\nlisten = \"{ip}:5060\"\n[web]\nlisten = \"{ip}:8480\"\ntrust_loopback = true\n\
             [[trunk]]\nname = \"loopback\"\nmode = \"ip\"\nallow = [\"{}/32\", \"127.0.0.0/8\"]\n\
             [[campaign]]\nid = \"spring-mailer\"\nname = \"Spring mailer\"\n",
            self.provider().ip()
        )
        .unwrap();
        for (index, group) in groups.iter().enumerate() {
            let ports: Vec<String> = group.iter().map(|_| port_name(&mut port)).collect();
            write!(
                text,
                "[[ring_group]]\nname = \"group{index}\"\nports = {ports:?}\n[[tracking_number]]\n\
                 number = \"{}\"\ncampaign = \"spring-mailer\"\nring_group = \"group{index}\"\n",
                number(index)
            )
            .unwrap();
        }
        if self.lines > 0 {
            write!(
                text,
                "[[line]]\nport = \"LINE1\"\nnumber = \"{LINE_NUMBER}\"\n[[ring_group]]\nname = \"mobile\"\n\
                 ports = [\"LINE1\"]\n[[tracking_number]]\nnumber = \"{MOBILE}\"\ncampaign = \"spring-mailer\"\n\
                 ring_group = \"mobile\"\nforwarding_number = \"{FORWARDING}\"\n"
            )
            .unwrap();
        }
        text
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// ALSA device of the simulated card; boxes in one process need different ones.
    fn device(&self) -> String {
        let [_, a, b, c] = self.ip.octets();
        format!("ringside:t{a}-{b}-{c}")
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("ringside.toml")
    }

    /// Folder of the configuration file.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where the box listens for SIP.
    pub fn sip(&self) -> SocketAddr {
        (self.ip, 5060).into()
    }

    /// Where the box serves its page.
    pub fn web(&self) -> SocketAddr {
        (self.ip, 8480).into()
    }

    /// An address for a peer of the box, with a free port.
    pub fn peer(&self) -> SocketAddr {
        (self.ip, 0).into()
    }

    /// Where a provider is that takes the calls which the box places.
    pub fn provider(&self) -> SocketAddr {
        let [a, b, c, d] = self.ip.octets();
        (Ipv4Addr::new(a, b, c, d | 0x80), 5060).into()
    }

    /// How many phones there are.
    pub fn phones(&self) -> usize {
        self.phones
    }
}

/// The tracking number of a group.
pub fn number(group: usize) -> String {
    format!("+13125550{}", 100 + group)
}

/// The tracking number whose last hop is LINE1.
pub const MOBILE: &str = "+13125550200";
/// The forwarding number behind it.
pub const FORWARDING: &str = "+13125550160";
/// The number of LINE1 itself.
pub const LINE_NUMBER: &str = "+13125550199";
/// A number of the trunk that is nobody's.
pub const UNKNOWN_NUMBER: &str = "+13125550999";

fn port_name(port: &mut usize) -> String {
    *port += 1;
    format!("PHONE{port}")
}

fn office(groups: &[Group<'_>], lines: &[&str]) -> String {
    let mut text = String::from("keep_audio_s = 30\n");
    for (index, entry) in groups.iter().copied().flatten().enumerate() {
        write!(text, "[[phone]]\nport = \"PHONE{}\"\n{entry}\n", index + 1).unwrap();
    }
    for (index, entry) in lines.iter().enumerate() {
        write!(text, "[[line]]\nport = \"LINE{}\"\n{entry}\n", index + 1).unwrap();
    }
    text
}

/// A board of `phones` FXS ports on chains of up to eight chips, and of up to eight `lines` on one chain.
fn profile(phones: usize, lines: usize, device: &str) -> String {
    let slots = (phones + lines).max(2);
    let mut text = format!(
        "[board]\nid = \"sim\"\n[pcm]\ndevice = \"{device}\"\nrate = 8000\nslots = {slots}\nperiod = 80\nperiods = 4\n\
         [sim]\noffice = \"office.toml\"\n"
    );
    for chain in 0..phones.div_ceil(8) {
        let chips = (phones - chain * 8).min(8);
        write!(text, "[[spi]]\nname = \"slic-{chain}\"\nchain = {chips}\n").unwrap();
    }
    for phone in 0..phones {
        write!(
            text,
            "[[port]]\nkind = \"fxs\"\nname = \"PHONE{}\"\nchip = \"si3215\"\nspi = \"slic-{}\"\nindex = {}\nslot = {phone}\n",
            phone + 1,
            phone / 8,
            phone % 8
        )
        .unwrap();
    }
    if lines > 0 {
        write!(text, "[[spi]]\nname = \"daa\"\nchain = {lines}\n").unwrap();
    }
    for line in 0..lines {
        write!(
            text,
            "[[port]]\nkind = \"fxo\"\nname = \"LINE{}\"\nchip = \"si3050\"\nspi = \"daa\"\nindex = {line}\nslot = {}\n",
            line + 1,
            phones + line
        )
        .unwrap();
    }
    text
}
