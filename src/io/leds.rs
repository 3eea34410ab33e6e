//! The LEDs of the panel through the kernel's LED class (`/sys/class/leds`).
//!
//! What only blinks is left to the kernel (trigger `timer`), which goes on while the daemon is stuck; what is more than
//! that is blinked by [`LedClass::turn`]. A LED without that trigger, or whose delays may not be written, is blinked by
//! software altogether. When the daemon ends, the LEDs stay as they are: show what is to be seen then, and turn once.

use crate::{
    board::{LampNames, Profile},
    panel::{
        DeviceError, Leds,
        led::{Colour, Led, Light, Pattern},
    },
    time::Instant,
};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where the kernel has its LEDs.
pub const LED_CLASS: &str = "/sys/class/leds";
/// LEDs whose folder does not say how bright they can be: any driver takes it.
const FULL: &str = "255";

/// The LEDs of a board.
pub struct LedClass {
    lamps: Vec<Lamp>,
}

struct Lamp {
    led: Led,
    /// Which lamp of a two-coloured LED; `None` is lit for every colour.
    colour: Option<Colour>,
    folder: PathBuf,
    /// What `brightness` takes for fully lit.
    full: String,
    has_trigger: bool,
    /// The kernel can blink it.
    has_timer: bool,
    wanted: Pattern,
    written: Written,
    /// Its failure has been told.
    is_reported: bool,
}

/// What the kernel was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// Nothing by us: the device tree may have given it a trigger for the time until we are there.
    Unknown,
    Lit(bool),
    Timer(u64, u64),
}

impl LedClass {
    /// Opens the LEDs that the profile names below `class` ([`LED_CLASS`]). One that is not there is left out and
    /// complained about: a box with a broken LED still carries calls.
    #[must_use]
    pub fn open(class: &Path, profile: &Profile) -> (Self, Vec<DeviceError>) {
        let (mut lamps, mut complaints) = (Vec::new(), Vec::new());
        for (led, names) in profile.leds() {
            for (name, colour) in names.iter().zip(colours(names)) {
                match Lamp::open(led, colour, class.join(name)) {
                    Ok(lamp) => lamps.push(lamp),
                    Err(complaint) => complaints.push(complaint),
                }
            }
        }
        (Self { lamps }, complaints)
    }
}

/// The colours of the lamps of a LED, in the order of their names.
fn colours(names: &LampNames) -> impl Iterator<Item = Option<Colour>> {
    match names {
        LampNames::One(_) => [None, None],
        LampNames::Two { .. } => [Some(Colour::Green), Some(Colour::Red)],
    }
    .into_iter()
}

impl Leds for LedClass {
    fn show(&mut self, led: Led, light: Light) {
        for lamp in self.lamps.iter_mut().filter(|lamp| lamp.led == led) {
            // Green and red together are amber.
            let is_lit = lamp.colour.is_none_or(|own| own == light.colour || light.colour == Colour::Amber);
            lamp.wanted = if is_lit { light.pattern } else { Pattern::Off };
        }
    }

    fn turn(&mut self, now: Instant) -> Result<(), DeviceError> {
        let mut first = Ok(());
        for lamp in &mut self.lamps {
            match lamp.turn(now) {
                Ok(()) => lamp.is_reported = false,
                // It is told in the next turn, which tries this one again.
                Err(_) if lamp.is_reported || first.is_err() => {}
                Err(error) => {
                    lamp.is_reported = true;
                    first = Err(complaint(&lamp.folder, &error));
                }
            }
        }
        first
    }
}

impl Lamp {
    fn open(led: Led, colour: Option<Colour>, folder: PathBuf) -> Result<Self, DeviceError> {
        std::fs::metadata(folder.join("brightness")).map_err(|error| complaint(&folder, &error))?;
        let read = |file| std::fs::read_to_string(folder.join(file));
        let full = read("max_brightness").map_or(FULL.to_owned(), |text| text.trim().to_owned());
        let triggers = read("trigger");
        let has_trigger = triggers.is_ok();
        // The one that is chosen stands in brackets.
        let has_timer = triggers
            .is_ok_and(|all| all.split_whitespace().any(|one| one.trim_matches(['[', ']']) == "timer"));
        let (wanted, written) = (Pattern::Off, Written::Unknown);
        Ok(Self { led, colour, folder, full, has_trigger, has_timer, wanted, written, is_reported: false })
    }

    fn turn(&mut self, now: Instant) -> io::Result<()> {
        let lit = Written::Lit(self.wanted.is_lit(now));
        let target = match self.wanted.blink_ms() {
            Some((on, off)) if self.has_timer => Written::Timer(on, off),
            Some(_) | None => lit,
        };
        if target == self.written {
            return Ok(());
        }
        match target {
            Written::Timer(on, off) => {
                if self.blink(on, off).is_err() {
                    // The files of the delays may belong to root alone: they appear after udev has been here.
                    self.has_timer = false;
                    self.written = Written::Unknown;
                    return self.turn(now);
                }
            }
            Written::Lit(_) | Written::Unknown => self.light(target == Written::Lit(true))?,
        }
        self.written = target;
        Ok(())
    }

    fn blink(&self, on: u64, off: u64) -> io::Result<()> {
        self.write("trigger", "timer")?;
        self.write("delay_on", &on.to_string())?;
        self.write("delay_off", &off.to_string())
    }

    fn light(&self, is_lit: bool) -> io::Result<()> {
        // A trigger would change it again.
        if self.has_trigger && !matches!(self.written, Written::Lit(_)) {
            self.write("trigger", "none")?;
        }
        self.write("brightness", if is_lit { &self.full } else { "0" })
    }

    /// One write, as the kernel wants it; a file that is not there is not made.
    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).truncate(true).open(self.folder.join(file))?;
        file.write_all(text.as_bytes())
    }
}

fn complaint(folder: &Path, error: &io::Error) -> DeviceError {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "name it in [leds] of the board profile as the device tree does",
        io::ErrorKind::PermissionDenied => {
            "let this user write there (udev rule), and the unit too (ReadWritePaths=)"
        }
        _ => "see the kernel's log",
    };
    DeviceError { device: format!("LED {}", folder.display()), problem: error.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const RB1: &str = include_str!("../../board/rb1/profile.toml");
    const POWER: &str = "ringside:green:power";

    /// Folders as the kernel makes them.
    struct Class {
        dir: tempfile::TempDir,
        profile: Profile,
    }

    impl Class {
        fn new() -> Self {
            let class = Self { dir: tempfile::tempdir().unwrap(), profile: Profile::parse(RB1).unwrap() };
            for (_, names) in class.profile.leds() {
                for name in names.iter() {
                    let folder = class.dir.path().join(name);
                    fs::create_dir(&folder).unwrap();
                    for (file, text) in [
                        ("brightness", "0\n"),
                        ("max_brightness", "1\n"),
                        ("trigger", "none [heartbeat] timer default-on\n"),
                        ("delay_on", "0"),
                        ("delay_off", "0"),
                    ] {
                        fs::write(folder.join(file), text).unwrap();
                    }
                }
            }
            class
        }

        fn open(&self) -> LedClass {
            let (leds, complaints) = LedClass::open(self.dir.path(), &self.profile);
            assert_eq!(complaints, []);
            leds
        }

        fn read(&self, name: &str, file: &str) -> String {
            fs::read_to_string(self.dir.path().join(name).join(file)).unwrap()
        }

        /// Trigger, brightness and the two delays.
        fn state(&self, name: &str) -> [String; 4] {
            ["trigger", "brightness", "delay_on", "delay_off"].map(|file| self.read(name, file))
        }
    }

    fn green(pattern: Pattern) -> Light {
        Light { pattern, colour: Colour::Green }
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO.after_ms(ms)
    }

    #[test]
    fn a_steady_light_takes_the_led_from_the_boot_trigger() {
        let class = Class::new();
        let mut leds = class.open();
        leds.show(Led::Power, green(Pattern::Solid));
        leds.turn(at(0)).unwrap();
        assert_eq!(class.state(POWER), ["none", "1", "0", "0"]);
        // One that nothing was said of is dark.
        assert_eq!(class.state("ringside:green:net")[..2], ["none", "0"]);
    }

    #[test]
    fn the_kernel_blinks_what_only_blinks() {
        let class = Class::new();
        let mut leds = class.open();
        for (pattern, delay) in [(Pattern::Slow, "500"), (Pattern::Fast, "125")] {
            leds.show(Led::Power, green(pattern));
            leds.turn(at(0)).unwrap();
            assert_eq!(class.state(POWER)[2..], [delay, delay]);
            assert_eq!(class.read(POWER, "trigger"), "timer");
        }
        // It is left alone then.
        fs::write(class.dir.path().join(POWER).join("brightness"), "7").unwrap();
        (0..40).for_each(|n| leds.turn(at(n * 50)).unwrap());
        assert_eq!(class.read(POWER, "brightness"), "7");
        leds.show(Led::Power, green(Pattern::Off));
        leds.turn(at(2_000)).unwrap();
        assert_eq!(class.state(POWER)[..2], ["none", "0"]);
    }

    #[test]
    fn software_blinks_the_rest() {
        let class = Class::new();
        let mut leds = class.open();
        for pattern in [Pattern::DoublePulse, Pattern::Wink] {
            leds.show(Led::Power, green(pattern));
            for ms in (0..5_000).step_by(50) {
                leds.turn(at(ms)).unwrap();
                let lit = if pattern.is_lit(at(ms)) { "1" } else { "0" };
                assert_eq!(class.state(POWER)[..2], ["none", lit], "{pattern:?} at {ms} ms");
            }
        }
    }

    #[test]
    fn a_led_whose_delays_are_not_ours_is_blinked_by_software() {
        let class = Class::new();
        fs::remove_file(class.dir.path().join(POWER).join("delay_on")).unwrap();
        let mut leds = class.open();
        leds.show(Led::Power, green(Pattern::Slow));
        for (ms, lit) in [(0, "1"), (499, "1"), (500, "0"), (1_000, "1")] {
            leds.turn(at(ms)).unwrap();
            assert_eq!(class.read(POWER, "brightness"), lit, "{ms} ms");
            assert_eq!(class.read(POWER, "trigger"), "none");
        }
    }

    #[test]
    fn a_led_without_triggers_works_as_well() {
        let class = Class::new();
        fs::remove_file(class.dir.path().join(POWER).join("trigger")).unwrap();
        fs::remove_file(class.dir.path().join(POWER).join("max_brightness")).unwrap();
        let mut leds = class.open();
        leds.show(Led::Power, green(Pattern::Fast));
        leds.turn(at(0)).unwrap();
        assert_eq!(class.read(POWER, "brightness"), "255");
        leds.turn(at(125)).unwrap();
        assert_eq!(class.read(POWER, "brightness"), "0");
        assert!(!class.dir.path().join(POWER).join("trigger").exists());
    }

    #[test]
    fn a_led_of_two_lamps_shows_the_colour() {
        let class = Class::new();
        let mut leds = class.open();
        let line = Led::Line(crate::id::PortId(2));
        let lamps = ["ringside:green:line1", "ringside:red:line1"];
        for (colour, lit) in
            [(Colour::Green, ["1", "0"]), (Colour::Red, ["0", "1"]), (Colour::Amber, ["1", "1"])]
        {
            leds.show(line, Light { pattern: Pattern::Solid, colour });
            leds.turn(at(0)).unwrap();
            assert_eq!(lamps.map(|lamp| class.read(lamp, "brightness")), lit, "{colour:?}");
        }
        // The alarm LED has one lamp and shows everything with it.
        leds.show(Led::Alarm, green(Pattern::Solid));
        leds.turn(at(0)).unwrap();
        assert_eq!(class.read("ringside:red:alarm", "brightness"), "1");
    }

    #[test]
    fn a_led_that_is_not_there_is_named_and_the_others_work() {
        let class = Class::new();
        fs::remove_dir_all(class.dir.path().join(POWER)).unwrap();
        let (mut leds, complaints) = LedClass::open(class.dir.path(), &class.profile);
        let text = complaints.iter().map(ToString::to_string).collect::<String>();
        assert!(complaints.len() == 1 && text.contains(POWER) && text.contains("[leds]"), "{text}");
        leds.show(Led::Power, green(Pattern::Solid));
        leds.show(Led::Net, green(Pattern::Solid));
        leds.turn(at(0)).unwrap();
        assert_eq!(class.read("ringside:green:net", "brightness"), "1");
    }

    #[test]
    fn leds_that_fail_are_told_once_each_until_they_work_again() {
        let class = Class::new();
        let mut leds = class.open();
        leds.turn(at(0)).unwrap();
        let file = |name: &str| class.dir.path().join(name).join("brightness");
        for name in [POWER, "ringside:green:net"] {
            fs::remove_file(file(name)).unwrap();
        }
        for led in [Led::Power, Led::Net, Led::Alarm] {
            leds.show(led, green(Pattern::Solid));
        }
        let told: Vec<_> = (0..4).filter_map(|n| leds.turn(at(n)).err()).map(|e| e.device).collect();
        assert!(told.len() == 2 && told[0] != told[1], "{told:?}");
        assert_eq!(class.read("ringside:red:alarm", "brightness"), "1");
        fs::write(file(POWER), "0").unwrap();
        leds.turn(at(10)).unwrap();
        assert_eq!(class.read(POWER, "brightness"), "1");
        fs::remove_file(file(POWER)).unwrap();
        leds.show(Led::Power, green(Pattern::Off));
        assert!(leds.turn(at(20)).unwrap_err().to_string().contains(POWER));
    }
}
