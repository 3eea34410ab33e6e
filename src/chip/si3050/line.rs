//! A port that is up: the hook switch as ordered, and what the line makes of it, sampled every 16 ms.

use super::bus::Registers;
use super::detect::{Battery, Draw, HOLD_MS, Held, Ring};
use super::pulse::Pulsing;
use super::reg::{self, Reg};
use super::{Error, Event, POLL_MS, Polarity, Readings, SPI_FAULTS_MAX, Settings, startup};
use crate::time::Instant;
use embedded_hal::spi::SpiDevice;

/// What the off-hook counter of R31 is set to: until then the chip's DC loop settles and its readings mean nothing. One
/// debounce is added.
const OFF_HOOK_SETTLE_MS: u64 = 128 + HOLD_MS;
/// Time for the battery to come back behind a hook switch that opened; our choice.
const ON_HOOK_SETTLE_MS: u64 = 200;
/// Time without battery until the line counts as dead.
const DEAD_MS: u64 = 1000;
/// Time between two checks that chip and link are as they were.
const CHECK_MS: u64 = 64;
/// Upset samples in a row until the link counts as lost; our choice.
const UPSETS_MAX: u8 = 4;
/// Samples of overload in a row until it is one; our choice.
const OVERLOADS_MAX: u8 = 2;

/// Hook switch as ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    On,
    Monitor,
    Off,
    /// Open for a flash.
    Flash {
        until: Instant,
    },
    /// Open and closed for digits.
    Pulse(Pulsing),
}

impl Hook {
    /// R5. The line stays monitored while off hook, in a flash and in pulses.
    fn code(self) -> u8 {
        match self {
            Self::On => 0,
            Self::Monitor | Self::Flash { .. } => reg::daa1::MONITOR,
            Self::Pulse(pulsing) if pulsing.is_open() => reg::daa1::MONITOR,
            Self::Pulse(_) | Self::Off => reg::daa1::MONITOR | reg::daa1::OFF_HOOK,
        }
    }

    /// Whether the line is seized, and its loop opened for a moment now and then: nothing that is measured is news.
    fn is_interrupted(self) -> bool {
        matches!(self, Self::Flash { .. } | Self::Pulse(_))
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    hook: Hook,
    /// The off-hook event is still to come.
    settling: bool,
    settled_at: Instant,
    sample_at: Instant,
    check_at: Instant,
    ring: Ring,
    battery: Held<Battery>,
    /// The battery has not been watched for long enough to be known until then.
    known_at: Option<Instant>,
    polarity: Option<Held<Polarity>>,
    draw: Draw,
    /// When a lost battery becomes a dead line.
    dead_at: Option<Instant>,
    readings: Option<Readings>,
    upsets: u8,
    overloads: u8,
    spi_faults: u8,
}

/// Why a port is not up any more (a single failed transfer excepted).
#[derive(Debug)]
pub(super) enum Fault<E> {
    /// A transfer failed; `lost` after several in a row.
    Transfer { error: Error<E>, lost: bool },
    /// The chip shows reset values.
    LostRegisters,
    /// The line side does not answer.
    LinkLost,
    /// Too much current; the line is on hook and stays up.
    Overload,
}

impl Line {
    /// A line on hook and monitored, taken as fed until the samples say otherwise.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            hook: Hook::Monitor,
            settling: false,
            settled_at: now,
            sample_at: now,
            check_at: now.after_ms(CHECK_MS),
            ring: Ring::default(),
            battery: Held::new(Battery::Whole),
            known_at: Some(now.after_ms(HOLD_MS)),
            polarity: None,
            draw: Draw::new(Battery::Whole),
            dead_at: None,
            readings: None,
            upsets: 0,
            overloads: 0,
            spi_faults: 0,
        }
    }

    pub(super) fn is_off_hook(&self) -> bool {
        matches!(self.hook, Hook::Off)
    }

    pub(super) fn battery(&self) -> Option<Battery> {
        self.known_at.is_none().then(|| self.battery.value())
    }

    pub(super) fn readings(&self) -> Option<Readings> {
        self.readings
    }

    pub(super) fn due(&self) -> Instant {
        match self.hook {
            Hook::Flash { until } => until.min(self.sample_at),
            Hook::Pulse(pulsing) => pulsing.until().min(self.sample_at),
            Hook::On | Hook::Monitor | Hook::Off => self.sample_at,
        }
    }

    /// Moves the hook switch.
    pub(super) fn set<S: SpiDevice>(
        &mut self,
        hook: Hook,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<(), Error<S::Error>> {
        let was = std::mem::replace(&mut self.hook, hook);
        if was.code() != hook.code() {
            // A line that is seized has stopped ringing; what was measured belongs to the other state.
            if hook == Hook::Off && std::mem::take(&mut self.ring).rings() {
                out.push(Event::RingEnded);
            }
            let loop_changes = (was.code() ^ hook.code()) & reg::daa1::OFF_HOOK != 0;
            if loop_changes {
                self.settle(hook, now);
            }
        }
        // An order that gets lost is repeated by the next sample, which finds R5 different.
        regs.write(Reg::Daa1, hook.code())
    }

    fn settle(&mut self, hook: Hook, now: Instant) {
        let off = hook == Hook::Off;
        self.settling = off;
        self.settled_at = now.after_ms(if off { OFF_HOOK_SETTLE_MS } else { ON_HOOK_SETTLE_MS });
        self.readings = None;
        self.overloads = 0;
        self.battery.hold();
        if off {
            self.draw = Draw::new(self.battery.value());
        }
    }

    /// Ends a flash and takes a sample, each when it is due.
    pub(super) fn poll<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        settings: &Settings,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<(), Fault<S::Error>> {
        match self.look(regs, settings, now, out) {
            Ok(None) => {
                self.spi_faults = 0;
                Ok(())
            }
            Ok(Some(fault)) => Err(fault),
            Err(error) => {
                self.spi_faults += 1;
                self.readings = None;
                Err(Fault::Transfer { error, lost: self.spi_faults >= SPI_FAULTS_MAX })
            }
        }
    }

    /// Opens and closes the loop for digits when it is due.
    fn pulse<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<(), Error<S::Error>> {
        let Hook::Pulse(pulsing) = self.hook else { return Ok(()) };
        if now < pulsing.until() {
            return Ok(());
        }
        if let Some(next) = pulsing.next() {
            self.hook = Hook::Pulse(next);
            return regs.write(Reg::Daa1, self.hook.code());
        }
        out.push(Event::Pulsed);
        self.hook = Hook::Off;
        self.settle(Hook::Off, now);
        Ok(())
    }

    fn look<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        settings: &Settings,
        now: Instant,
        out: &mut Vec<Event>,
    ) -> Result<Option<Fault<S::Error>>, Error<S::Error>> {
        if let Hook::Flash { until } = self.hook
            && now >= until
        {
            out.push(Event::Flashed);
            self.set(Hook::Off, regs, now, out)?;
        }
        self.pulse(regs, now, out)?;
        if now < self.sample_at {
            return Ok(None);
        }
        self.sample_at = now.after_ms(POLL_MS);
        let control = regs.read(Reg::Daa1)?;
        match self.judge_link(control, regs, settings, now)? {
            Link::Well => {}
            Link::Upset => return Ok(None),
            Link::Lost => return Ok(Some(Fault::LinkLost)),
            Link::Reset => return Ok(Some(Fault::LostRegisters)),
        }
        let volts = i8::from_le_bytes([regs.read(Reg::LineVoltage)?]);
        let milliamps = if self.is_off_hook() {
            self.count_overload(regs, now)?;
            match self.overloads {
                0 => Some(f32::from(regs.read(Reg::LoopCurrent)?) * 1.1),
                // Neither settled nor measured as long as it may turn out to be one.
                1..OVERLOADS_MAX => return Ok(None),
                OVERLOADS_MAX.. => {
                    out.push(Event::Overload);
                    self.set(Hook::Monitor, regs, now, out)?;
                    return Ok(Some(Fault::Overload));
                }
            }
        } else {
            None
        };
        self.judge_ring(control, now, out);
        let has_settled = now >= self.settled_at && !matches!(self.hook, Hook::Pulse(_));
        if has_settled {
            self.readings = Some(Readings { volts, milliamps });
            self.judge_supply(volts, milliamps, now, out);
            self.judge_polarity(volts, now, out);
            if std::mem::take(&mut self.settling) {
                out.push(Event::OffHook);
            }
        }
        Ok(None)
    }

    /// Whether the sample can be believed.
    fn judge_link<S: SpiDevice>(
        &mut self,
        control: u8,
        regs: &mut Registers<'_, S>,
        settings: &Settings,
        now: Instant,
    ) -> Result<Link, Error<S::Error>> {
        let latched = regs.read(Reg::Interrupt)?;
        if latched != 0 {
            regs.write(Reg::Interrupt, !latched)?;
        }
        let differs = (control ^ self.hook.code()) & reg::daa1::COMPARED != 0;
        let mut upset = differs || latched & reg::interrupt::FRAME_LOST != 0;
        if upset || now >= self.check_at {
            self.check_at = now.after_ms(CHECK_MS);
            if !holds_our_values(regs, settings)? {
                return Ok(Link::Reset);
            }
            upset |= !startup::linked(regs)?;
        }
        if !upset {
            self.upsets = 0;
            return Ok(Link::Well);
        }
        self.upsets += 1;
        self.readings = None;
        self.battery.hold();
        if let Some(polarity) = &mut self.polarity {
            polarity.hold();
        }
        if self.upsets >= UPSETS_MAX {
            return Ok(Link::Lost);
        }
        if differs && control & reg::daa1::UPSET == 0 {
            regs.write(Reg::Daa1, self.hook.code())?;
        }
        Ok(Link::Upset)
    }

    fn count_overload<S: SpiDevice>(
        &mut self,
        regs: &mut Registers<'_, S>,
        now: Instant,
    ) -> Result<(), Error<S::Error>> {
        if now < self.settled_at {
            return Ok(());
        }
        let coarse = regs.read(Reg::LineStatus)? & reg::line_status::CURRENT;
        let over =
            coarse == reg::line_status::CURRENT || regs.read(Reg::International4)? & reg::overload::ANY != 0;
        self.overloads = if over { self.overloads + 1 } else { 0 };
        Ok(())
    }

    fn judge_ring(&mut self, control: u8, now: Instant, out: &mut Vec<Event>) {
        // The comparators see the loop's own steps while it is off hook, flashed or just released; and a line without
        // battery does not ring.
        let judged = matches!(self.hook, Hook::On | Hook::Monitor) && now >= self.settled_at;
        let half_wave =
            judged && control & reg::daa1::RINGING != 0 && self.battery.value() != Battery::Absent;
        if self.ring.see(half_wave) {
            out.push(if self.ring.rings() { Event::RingBegan } else { Event::RingEnded });
        }
    }

    fn judge_supply(&mut self, volts: i8, milliamps: Option<f32>, now: Instant, out: &mut Vec<Event>) {
        if self.hook.is_interrupted() {
            return;
        }
        let seen = match milliamps {
            Some(milliamps) => self.draw.see(volts, milliamps),
            None => Battery::on_hook(volts),
        };
        self.known_at = self.known_at.filter(|at| now < *at);
        if let Some(before) = self.battery.see(seen, now) {
            supply_events(before, seen, out);
            self.dead_at = (seen == Battery::Absent).then(|| now.after_ms(DEAD_MS - HOLD_MS));
        }
        if self.dead_at.is_some_and(|at| now >= at) {
            self.dead_at = None;
            out.push(Event::LineDead);
        }
    }

    fn judge_polarity(&mut self, volts: i8, now: Instant, out: &mut Vec<Event>) {
        // The sign of no voltage, and of ringing, says nothing.
        if Battery::on_hook(volts) == Battery::Absent || self.ring.rings() {
            return;
        }
        let seen = if volts < 0 { Polarity::Negative } else { Polarity::Positive };
        let held = self.polarity.get_or_insert(Held::new(seen));
        if held.see(seen, now).is_some() {
            out.push(Event::PolarityReversed { to: seen });
        }
    }

    pub(super) fn polarity(&self) -> Option<Polarity> {
        self.polarity.map(|held| held.value())
    }
}

/// What a sample says about the chip and its link.
enum Link {
    Well,
    /// This sample is not to be believed.
    Upset,
    Lost,
    /// The chip shows reset values.
    Reset,
}

fn supply_events(before: Battery, after: Battery, out: &mut Vec<Event>) {
    match (before, after) {
        (_, Battery::Absent) => out.push(Event::BatteryLost),
        (Battery::Absent, Battery::Whole) => out.push(Event::BatteryReturned),
        (Battery::Absent, Battery::Shared) => out.extend([Event::BatteryReturned, Event::ParallelLifted]),
        (_, Battery::Shared) => out.push(Event::ParallelLifted),
        (_, Battery::Whole) => out.push(Event::ParallelHungUp),
    }
}

/// A reset powers the line side down and stops the PCM; the slot tells whose registers are being read.
fn holds_our_values<S: SpiDevice>(
    regs: &mut Registers<'_, S>,
    settings: &Settings,
) -> Result<bool, Error<S::Error>> {
    let expected = [
        (Reg::Control2, reg::CONTROL2_AT_RESET),
        (Reg::Daa2, reg::daa2::ALL_ON),
        (Reg::PcmMode, reg::pcm_mode::LINEAR_ON),
        (Reg::TxStartLow, settings.tx_start()[0]),
    ];
    for (register, value) in expected {
        if regs.read(register)? != value {
            return Ok(false);
        }
    }
    Ok(true)
}
