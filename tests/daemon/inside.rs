//! A box in this process, so that a test can look into its analog world.

use super::{
    process::{PATIENCE, eventually},
    site::Site,
};
use ringside::{
    config::Config,
    daemon::{self, Options, Running},
    id::PortId,
    sim::{
        exchange::{Happening as OnLine, LineSnapshot, OfficeLine},
        observe::{Event, PhoneSnapshot, What},
        panel::SimPanel,
        phone::Happening,
        world::SharedWorld,
    },
};
use std::time::Duration;

/// Volts between the wires of a phone that is fed and on hook, at least.
const IDLE_VOLTS: f32 = 30.0;
/// From the handset in its cradle to a port that takes the next call.
const SETTLE: Duration = Duration::from_millis(1500);

/// A running box. Dropped, it stops as on SIGTERM.
pub struct Inside {
    running: Option<Running>,
    /// Its files.
    pub site: Site,
}

impl Inside {
    /// Starts the box and waits until every phone is idle.
    pub fn start(site: Site) -> Self {
        let text = std::fs::read_to_string(site.config_file()).unwrap();
        let config = Config::parse(&text, "ringside.toml").unwrap();
        let options = Options {
            config,
            config_dir: site.folder().to_owned(),
            config_file: None,
            data: site.data(),
            sip: None,
            web: None,
        };
        let inside = Self { running: Some(daemon::start(options).unwrap()), site };
        inside.wait_idle();
        inside
    }

    /// The analog world.
    pub fn world(&self) -> &SharedWorld {
        self.running.as_ref().and_then(Running::world).unwrap()
    }

    /// The front panel.
    pub fn panel(&self) -> &SimPanel {
        self.running.as_ref().and_then(Running::panel).unwrap()
    }

    /// Every phone as it is now.
    pub fn phones(&self) -> Vec<PhoneSnapshot> {
        self.world().lock().snapshot()
    }

    /// An office line as it is now.
    pub fn line(&self, index: usize) -> LineSnapshot {
        self.world().lock().line_snapshots().swap_remove(index)
    }

    /// Does something to an office line; the world's clock when it was done.
    pub fn on_line(&self, index: usize, act: impl FnOnce(&mut OfficeLine)) -> u64 {
        let mut world = self.world().lock();
        act(world.office_line(index).unwrap());
        world.samples()
    }

    /// The port of a phone.
    pub fn phone_port(&self, index: usize) -> PortId {
        PortId(u8::try_from(index).unwrap())
    }

    /// When something last happened on an office line, in samples of the world's clock.
    pub fn line_time(&self, index: usize, what: &OnLine) -> Option<u64> {
        let (port, what) = (self.line(index).port, What::Line(what.clone()));
        self.events()
            .iter()
            .rev()
            .find(|event| event.port == port && event.what == what)
            .map(|event| event.at)
    }

    /// When something last happened at a phone.
    pub fn phone_time(&self, index: usize, is_it: impl Fn(&What) -> bool) -> Option<u64> {
        let port = self.phone_port(index);
        self.events()
            .iter()
            .rev()
            .find(|event| event.port == port && is_it(&event.what))
            .map(|event| event.at)
    }

    /// Waits until every phone is on hook and its port takes calls.
    pub fn wait_idle(&self) {
        let idle = |phone: &PhoneSnapshot| !phone.off_hook && phone.volts.abs() >= IDLE_VOLTS;
        self.wait("the phones are idle", || self.phones().iter().all(idle));
        std::thread::sleep(SETTLE);
    }

    /// Waits for something that must come true.
    pub fn wait(&self, what: &str, done: impl Fn() -> bool) {
        assert!(eventually(PATIENCE, done).is_some(), "{what}: did not come true; {:?}", self.events());
    }

    /// Waits until the world's clock has passed `at`, in samples.
    pub fn wait_until(&self, at: u64) {
        self.wait("the world goes on", || self.world().lock().samples() > at);
    }

    /// What happened at the phones so far.
    pub fn events(&self) -> Vec<Event> {
        self.world().lock().events_since(0).0
    }

    /// When something happened at the phones, in samples of the world's clock, each time.
    pub fn times_of(&self, what: &Happening) -> Vec<u64> {
        let wanted = What::Phone(what.clone());
        self.events().into_iter().filter(|event| event.what == wanted).map(|event| event.at).collect()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}
