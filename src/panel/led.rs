//! What the LEDs of the front panel show.
//!
//! | LED | off | solid | slow 1 Hz | fast 4 Hz | double pulse | wink |
//! |---|---|---|---|---|---|---|
//! | power | no power | running | booting, update staged | writing an update: do not unplug | set-up mode | – |
//! | net | no link | registered | link, not registered | no address | – | – |
//! | sync | nothing waits | – | backlog older than 15 min | uploading | refused | – |
//! | line | no battery | in use | – | ringing | in use by others (red) | idle |
//! | phone | idle | off hook | – | ringing | fault | – |
//! | alarm | well | fatal, or lifeline joined | degraded | too hot | factory reset armed | – |
//!
//! A held button shows what releasing it will do: from 3 s power shows set-up mode; from 10 s every LED is fast and
//! alarm pulses (factory reset); from 20 s every LED is solid and alarm still pulses (recordings go as well).

use super::button::Stage;
use crate::{id::PortId, time::Instant};

pub use crate::board::Led;

/// Longest time in ms between two turns of LEDs that blink by software: half the shortest flash.
pub const STEP_MS: u64 = 50;

/// How a LED is lit over time. All LEDs of a pattern blink together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    Solid,
    /// 500 ms lit, 500 ms dark.
    Slow,
    /// 125 ms lit, 125 ms dark.
    Fast,
    /// Two flashes of 100 ms, 150 ms apart, every 1.5 s.
    DoublePulse,
    /// One flash of 100 ms every 4 s.
    Wink,
}

impl Pattern {
    /// Whether the LED is lit at `now`.
    #[must_use]
    pub const fn is_lit(self, now: Instant) -> bool {
        let ms = now.0 / 1000;
        match self {
            Self::Off => false,
            Self::Solid => true,
            Self::Slow => ms % 1000 < 500,
            Self::Fast => ms % 250 < 125,
            Self::DoublePulse => matches!(ms % 1500, 0..100 | 250..350),
            Self::Wink => ms % 4000 < 100,
        }
    }

    /// Milliseconds lit and dark, of patterns that are no more than that: hardware may do them alone.
    #[must_use]
    pub const fn blink_ms(self) -> Option<(u64, u64)> {
        match self {
            Self::Slow => Some((500, 500)),
            Self::Fast => Some((125, 125)),
            Self::Off | Self::Solid | Self::DoublePulse | Self::Wink => None,
        }
    }

    /// The name on pages and in `ringside status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Solid => "solid",
            Self::Slow => "slow",
            Self::Fast => "fast",
            Self::DoublePulse => "double pulse",
            Self::Wink => "wink",
        }
    }
}

/// Colour of a light. A LED with one lamp shows its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// As it should be.
    #[default]
    Green,
    /// Somebody waits, or something is refused.
    Amber,
    /// Look here.
    Red,
}

impl Colour {
    /// The name on pages and in `ringside status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// What one LED shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Light {
    /// When it is lit.
    pub pattern: Pattern,
    /// In which colour.
    pub colour: Colour,
}

/// What the box itself is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Power {
    /// Not ready for calls yet.
    #[default]
    Booting,
    /// Ready for calls.
    Running,
    /// An update waits for the next start.
    UpdateStaged,
    /// An update is being written; power must stay on.
    WritingUpdate,
    /// The set-up page is open.
    SetUp,
}

/// How far the network goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Net {
    /// No cable, or nothing at its other end.
    #[default]
    NoLink,
    /// No address from DHCP, or no name server.
    NoAddress,
    /// The network is there, but a trunk is not registered.
    LinkNoRegistration,
    /// Every trunk is registered.
    Registered,
}

/// What waits for the upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// There is no upstream.
    #[default]
    Idle,
    /// Nothing.
    UpToDate,
    /// Something for more than 15 minutes.
    Backlog,
    /// Something is on its way now.
    Uploading,
    /// Something for more than a day, or the upstream refuses it, or does not accept our key.
    Refused,
}

/// The line at an FXO port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// No voltage for a second: unplugged, or the telco's fault.
    #[default]
    NoBattery,
    /// Ready.
    Idle,
    /// It rings us.
    Ringing,
    /// The box holds it.
    InUse,
    /// Another set on the same line holds it.
    Shared,
}

/// The phone at an FXS port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phone {
    /// On hook.
    #[default]
    Idle,
    /// The handset is lifted.
    OffHook,
    /// We ring it.
    Ringing,
    /// The chip keeps the port open: shorted, overloaded, or gone.
    Fault,
}

/// What somebody should look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alarm {
    /// Nothing.
    #[default]
    Ok,
    /// Calls work, but storage is nearly full or the time is not trusted.
    Degraded,
    /// Too hot.
    OverTemperature,
    /// Calls do not work, or the lifeline is joined.
    Fatal,
}

/// All that the LEDs tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The box.
    pub power: Power,
    /// The network.
    pub net: Net,
    /// The upstream.
    pub sync: Sync,
    /// FXO ports.
    pub lines: Vec<(PortId, Line)>,
    /// FXS ports.
    pub phones: Vec<(PortId, Phone)>,
    /// What is wrong.
    pub alarm: Alarm,
    /// What the held button will do.
    pub stage: Stage,
}

/// What every LED shows.
pub fn lights(facts: &Facts) -> impl Iterator<Item = (Led, Light)> + '_ {
    let lines = facts.lines.iter().map(|&(port, line)| (Led::Line(port), line.light()));
    let phones = facts.phones.iter().map(|&(port, phone)| (Led::Phone(port), phone.light()));
    [
        (Led::Power, facts.power.light()),
        (Led::Net, facts.net.light()),
        (Led::Sync, facts.sync.light()),
        (Led::Alarm, facts.alarm.light()),
    ]
    .into_iter()
    .chain(lines)
    .chain(phones)
    .map(|(led, light)| (led, announce(facts.stage, led, light)))
}

/// The light of a LED while the button is held.
const fn announce(stage: Stage, led: Led, light: Light) -> Light {
    match (stage, led) {
        (Stage::Rest, _) => light,
        (Stage::SetUp, Led::Power) => Power::SetUp.light(),
        (Stage::SetUp, _) => light,
        (Stage::FactoryReset | Stage::EraseRecordings, Led::Alarm) => red(Pattern::DoublePulse),
        (Stage::FactoryReset, _) => Light { pattern: Pattern::Fast, ..light },
        (Stage::EraseRecordings, _) => Light { pattern: Pattern::Solid, ..light },
    }
}

impl Power {
    const fn light(self) -> Light {
        green(match self {
            Self::Booting | Self::UpdateStaged => Pattern::Slow,
            Self::Running => Pattern::Solid,
            Self::WritingUpdate => Pattern::Fast,
            Self::SetUp => Pattern::DoublePulse,
        })
    }
}

impl Net {
    const fn light(self) -> Light {
        green(match self {
            Self::NoLink => Pattern::Off,
            Self::NoAddress => Pattern::Fast,
            Self::LinkNoRegistration => Pattern::Slow,
            Self::Registered => Pattern::Solid,
        })
    }
}

impl Sync {
    const fn light(self) -> Light {
        match self {
            Self::Idle => amber(Pattern::Off),
            Self::UpToDate => green(Pattern::Solid),
            Self::Backlog => amber(Pattern::Slow),
            Self::Uploading => amber(Pattern::Fast),
            Self::Refused => red(Pattern::DoublePulse),
        }
    }
}

impl Line {
    const fn light(self) -> Light {
        match self {
            Self::NoBattery => green(Pattern::Off),
            Self::Idle => green(Pattern::Wink),
            Self::Ringing => green(Pattern::Fast),
            Self::InUse => green(Pattern::Solid),
            Self::Shared => red(Pattern::DoublePulse),
        }
    }
}

impl Phone {
    const fn light(self) -> Light {
        green(match self {
            Self::Idle => Pattern::Off,
            Self::OffHook => Pattern::Solid,
            Self::Ringing => Pattern::Fast,
            Self::Fault => Pattern::DoublePulse,
        })
    }
}

impl Alarm {
    const fn light(self) -> Light {
        red(match self {
            Self::Ok => Pattern::Off,
            Self::Degraded => Pattern::Slow,
            Self::OverTemperature => Pattern::Fast,
            Self::Fatal => Pattern::Solid,
        })
    }
}

const fn green(pattern: Pattern) -> Light {
    Light { pattern, colour: Colour::Green }
}

const fn amber(pattern: Pattern) -> Light {
    Light { pattern, colour: Colour::Amber }
}

const fn red(pattern: Pattern) -> Light {
    Light { pattern, colour: Colour::Red }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Pattern::{DoublePulse, Fast, Off, Slow, Solid, Wink};

    const LINE: PortId = PortId(2);
    const PHONE: PortId = PortId(0);

    fn facts() -> Facts {
        Facts { lines: vec![(LINE, Line::Idle)], phones: vec![(PHONE, Phone::Idle)], ..Facts::default() }
    }

    fn light(facts: &Facts, led: Led) -> Light {
        lights(facts).find(|(found, _)| *found == led).unwrap().1
    }

    #[test]
    fn every_row_of_the_table_is_shown() {
        let power = |power| (Facts { power, ..facts() }, Led::Power);
        let net = |net| (Facts { net, ..facts() }, Led::Net);
        let sync = |sync| (Facts { sync, ..facts() }, Led::Sync);
        let line = |line| (Facts { lines: vec![(LINE, line)], ..facts() }, Led::Line(LINE));
        let phone = |phone| (Facts { phones: vec![(PHONE, phone)], ..facts() }, Led::Phone(PHONE));
        let alarm = |alarm| (Facts { alarm, ..facts() }, Led::Alarm);
        for ((facts, led), pattern, colour) in [
            (power(Power::Running), Solid, Colour::Green),
            (power(Power::Booting), Slow, Colour::Green),
            (power(Power::UpdateStaged), Slow, Colour::Green),
            (power(Power::WritingUpdate), Fast, Colour::Green),
            (power(Power::SetUp), DoublePulse, Colour::Green),
            (net(Net::NoLink), Off, Colour::Green),
            (net(Net::Registered), Solid, Colour::Green),
            (net(Net::LinkNoRegistration), Slow, Colour::Green),
            (net(Net::NoAddress), Fast, Colour::Green),
            (sync(Sync::Idle), Off, Colour::Amber),
            (sync(Sync::Backlog), Slow, Colour::Amber),
            (sync(Sync::Uploading), Fast, Colour::Amber),
            (sync(Sync::UpToDate), Solid, Colour::Green),
            (sync(Sync::Refused), DoublePulse, Colour::Red),
            (line(Line::NoBattery), Off, Colour::Green),
            (line(Line::InUse), Solid, Colour::Green),
            (line(Line::Idle), Wink, Colour::Green),
            (line(Line::Ringing), Fast, Colour::Green),
            (line(Line::Shared), DoublePulse, Colour::Red),
            (phone(Phone::Idle), Off, Colour::Green),
            (phone(Phone::OffHook), Solid, Colour::Green),
            (phone(Phone::Ringing), Fast, Colour::Green),
            (phone(Phone::Fault), DoublePulse, Colour::Green),
            (alarm(Alarm::Ok), Off, Colour::Red),
            (alarm(Alarm::Fatal), Solid, Colour::Red),
            (alarm(Alarm::Degraded), Slow, Colour::Red),
            (alarm(Alarm::OverTemperature), Fast, Colour::Red),
        ] {
            assert_eq!(light(&facts, led), Light { pattern, colour }, "{led:?} {facts:?}");
        }
    }

    #[test]
    fn a_held_button_says_what_it_will_do() {
        let calm: Vec<_> = lights(&facts()).collect();
        let held = |stage| Facts { stage, ..facts() };
        for (led, light) in lights(&held(Stage::SetUp)) {
            let before = calm.iter().find(|(found, _)| *found == led).unwrap().1.pattern;
            assert_eq!(light.pattern, if led == Led::Power { DoublePulse } else { before }, "{led:?}");
        }
        for (stage, others) in [(Stage::FactoryReset, Fast), (Stage::EraseRecordings, Solid)] {
            for (led, light) in lights(&held(stage)) {
                let expected = if led == Led::Alarm { DoublePulse } else { others };
                assert_eq!(light.pattern, expected, "{stage:?} {led:?}");
            }
        }
    }

    #[test]
    fn every_led_of_the_board_is_told_exactly_once() {
        let mut leds: Vec<Led> = lights(&facts()).map(|(led, _)| led).collect();
        leds.sort();
        let all = [Led::Power, Led::Net, Led::Sync, Led::Line(LINE), Led::Phone(PHONE), Led::Alarm];
        assert_eq!(leds, all);
    }

    /// Milliseconds at which a pattern changes within its first four seconds.
    fn changes(pattern: Pattern) -> Vec<u64> {
        let lit = |ms| pattern.is_lit(Instant::ZERO.after_ms(ms));
        (1..4000).filter(|&ms| lit(ms) != lit(ms - 1)).collect()
    }

    #[test]
    fn patterns_blink_at_their_rates() {
        assert_eq!((changes(Off), changes(Solid)), (vec![], vec![]));
        assert!(!Off.is_lit(Instant::ZERO) && Solid.is_lit(Instant::ZERO));
        assert_eq!(changes(Slow), [500, 1000, 1500, 2000, 2500, 3000, 3500]);
        assert_eq!(changes(Fast), (1..32).map(|n| n * 125).collect::<Vec<_>>());
        assert_eq!(changes(DoublePulse), [100, 250, 350, 1500, 1600, 1750, 1850, 3000, 3100, 3250, 3350]);
        assert_eq!(changes(Wink), [100]);
        for pattern in [Slow, Fast, DoublePulse, Wink] {
            assert!(pattern.is_lit(Instant::ZERO) && pattern.is_lit(Instant::ZERO.after_ms(12_000)));
        }
    }

    #[test]
    fn what_hardware_blinks_is_what_software_would() {
        for pattern in [Off, Solid, Slow, Fast, DoublePulse, Wink] {
            let Some((on, off)) = pattern.blink_ms() else { continue };
            let lit = (0..on + off).filter(|&ms| pattern.is_lit(Instant::ZERO.after_ms(ms))).count();
            assert_eq!(lit as u64, on, "{pattern:?}");
            assert!(pattern.is_lit(Instant::ZERO.after_ms(on + off)));
        }
    }
}
