//! One line from the exchange to the jack: its cable, the phones beside the box, its circuit in the exchange.

use super::loop_watch::LoopWatch;
use super::plan::{CallerIn, Country, LinePlan};
use super::switch::{Moment, State, Switch};
use super::wire::Line;
use crate::audio::dtmf::{Heard, Receiver};
use crate::id::PortId;
use crate::sim::hybrid::{Balance, EchoPath, Hybrid};
use crate::sim::observe::{Audio, AudioLog};
use crate::sim::si3050::{EchoWords, Model};
use crate::sim::si3215::{LoopFeed, Ringing};

/// Most numbers that are remembered.
const DIALLED_MAX: usize = 256;
/// What an exchange rings with, as a phone right at its jack feels it.
const RING_VOLTS_RMS: f32 = 75.0;
const RING_HZ: f32 = 20.0;
/// Samples of a millisecond.
const MS_SAMPLES: usize = 8;
/// Samples that the digit receiver takes at a time.
const PERIOD: usize = 80;

/// What happened on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The loop was closed, by the box or by a phone beside it.
    Seized,
    /// The loop was open long enough: the line is idle.
    Released,
    /// It was open for too short a time for that, and too long for a dial pulse.
    Flashed,
    /// The box has dialled: a number that is complete, or what there was of one when it hung up.
    Dialled(String),
    /// Somebody calls the line.
    CallerCame,
    /// The box seized the line before it could ring: whoever called is connected.
    Glare,
    /// The caller is connected.
    CallerAnswered,
    /// The caller hung up while it rang.
    CallerGaveUp,
    /// The caller found the line busy.
    CallerFoundBusy,
    /// Who was called from the box has answered.
    FarAnswered,
    /// The far end of a conversation has hung up.
    FarHungUp,
}

/// One line.
pub struct OfficeLine {
    pub(in crate::sim) port: PortId,
    name: String,
    plan: LinePlan,
    wire: Line,
    plugged: bool,
    parallel: bool,
    /// What the chip felt in the last millisecond.
    felt: Line,
    /// The chip's hook switch as it was then.
    box_is_off_hook: bool,
    watch: LoopWatch,
    switch: Switch,
    caller: Option<CallerIn>,
    far_end_hangs_up: bool,
    digits: Digits,
    hybrid: Hybrid,
    words: Option<EchoWords>,
    dialled: Vec<String>,
    flashes: u32,
    heard: AudioLog,
    said: AudioLog,
    /// World clock up to which both logs reach.
    logged_to: u64,
    computed: u64,
}

/// The digit receiver, which is there while the exchange waits for digits.
#[derive(Clone, Debug, Default)]
struct Digits {
    receiver: Option<Box<(Receiver, [i16; PERIOD])>>,
    filled: usize,
}

impl OfficeLine {
    pub(in crate::sim) fn new(port: PortId, name: &str, plan: LinePlan, keep_audio_s: u32) -> Self {
        Self {
            port,
            name: name.to_owned(),
            plan,
            wire: Line::default(),
            plugged: true,
            parallel: false,
            felt: Line::default(),
            box_is_off_hook: false,
            watch: LoopWatch::default(),
            switch: Switch::default(),
            caller: None,
            far_end_hangs_up: false,
            digits: Digits::default(),
            hybrid: Hybrid::new(EchoPath::ideal()),
            words: None,
            dialled: Vec::new(),
            flashes: 0,
            heard: AudioLog::new(keep_audio_s),
            said: AudioLog::new(keep_audio_s),
            logged_to: 0,
            computed: 0,
        }
    }

    /// Somebody calls; the line rings from the next millisecond on. A box that has seized the line by then, and has not
    /// dialled, is connected to the caller: glare. Otherwise a line in use is busy.
    pub fn call_in(&mut self, caller: CallerIn) {
        self.caller = Some(caller);
    }

    /// The caller hangs up, or gives up while it rings; a call from the box is left alone.
    pub fn caller_hangs_up(&mut self) {
        self.caller = None;
        self.far_end_hangs_up |= self.switch.is_incoming();
    }

    /// Whoever is at the far end hangs up.
    pub fn far_end_hangs_up(&mut self) {
        self.far_end_hangs_up = true;
    }

    /// Lifts the handset of another phone on the same pair.
    pub fn lift_parallel(&mut self) {
        self.parallel = true;
    }

    /// Puts it down.
    pub fn hang_up_parallel(&mut self) {
        self.parallel = false;
    }

    /// Pulls the cable out of the box; a phone beside it stays on the line.
    pub fn unplug(&mut self) {
        self.plugged = false;
    }

    /// Plugs it in again.
    pub fn plug(&mut self) {
        self.plugged = true;
    }

    /// TIP and RING change places for good.
    pub fn reverse(&mut self) {
        self.wire.battery_volts = -self.wire.battery_volts;
    }

    /// Battery, loop and ringing of the wires themselves; what the exchange does comes on top.
    pub fn wire(&mut self) -> &mut Line {
        &mut self.wire
    }

    /// How the exchange treats the line, from the next millisecond on.
    pub fn plan(&mut self) -> &mut LinePlan {
        self.words = None;
        &mut self.plan
    }

    /// What the line does.
    #[must_use]
    pub fn state(&self) -> State {
        self.switch.state()
    }

    /// What was dialled, oldest first: the first 256 numbers. A `#` that ends a number is not part of it.
    #[must_use]
    pub fn dialled(&self) -> &[String] {
        &self.dialled
    }

    /// Flashes so far.
    #[must_use]
    pub fn flashes(&self) -> u32 {
        self.flashes
    }

    /// Samples for which the exchange had to sound, listen, or compute an echo; an idle line adds none.
    #[must_use]
    pub fn samples_computed(&self) -> u64 {
        self.computed
    }

    /// The line as it is now.
    #[must_use]
    pub fn snapshot(&self) -> LineSnapshot {
        LineSnapshot {
            port: self.port,
            name: self.name.clone(),
            state: self.state(),
            ringing: self.felt.ring_sign != 0,
            volts: self.felt.volts(self.box_is_off_hook),
            off_hook: self.box_is_off_hook,
            parallel: self.parallel,
            plugged: self.plugged,
            dialled: self.dialled.clone(),
            heard: self.heard.audio(self.logged_to),
            said: self.said.audio(self.logged_to),
        }
    }

    /// A millisecond of everything but audio; what the chip feels of the line.
    pub(in crate::sim) fn tick(
        &mut self,
        box_is_off_hook: bool,
        now_ms: u64,
        country: &Country,
        out: &mut Vec<Happening>,
    ) -> Line {
        self.box_is_off_hook = box_is_off_hook;
        let at = Moment { now_ms, country, plan: &self.plan };
        let holds = self.parallel || self.plugged && box_is_off_hook;
        if let Some(signal) = self.watch.see(holds && self.wire.battery_volts != 0.0, self.plan.release_ms) {
            self.switch.signalled(signal, &at, out);
        }
        if let Some(caller) = self.caller.take() {
            self.caller = self.switch.called(caller, self.watch.is_closed(), &at, out);
        }
        if std::mem::take(&mut self.far_end_hangs_up) {
            self.switch.far_end_hung_up(&at, out);
        }
        self.switch.advance(&at, out);
        for happening in out.iter() {
            match happening {
                Happening::Dialled(digits) if self.dialled.len() < DIALLED_MAX => {
                    self.dialled.push(digits.clone());
                }
                Happening::Flashed => self.flashes += 1,
                _ => {}
            }
        }
        self.felt = self.at_the_jack();
        self.felt
    }

    /// What the line puts on a phone that hangs on it, after [`Self::tick`].
    pub(in crate::sim) fn feed(&self) -> LoopFeed {
        LoopFeed {
            volts: self.felt.battery_volts,
            milliamps: self.felt.loop_milliamps(),
            ringing: (self.felt.ring_sign != 0).then_some(Ringing { volts_rms: RING_VOLTS_RMS, hz: RING_HZ }),
        }
    }

    fn at_the_jack(&self) -> Line {
        if !self.plugged {
            return Line { battery_volts: 0.0, ring_sign: 0, parallel: false, ..self.wire };
        }
        let battery_volts = match (self.switch.open, self.switch.reversed) {
            (true, _) => 0.0,
            (false, true) => -self.wire.battery_volts,
            (false, false) => self.wire.battery_volts,
        };
        let ring_sign = if self.switch.ring_sign == 0 { self.wire.ring_sign } else { self.switch.ring_sign };
        Line { battery_volts, ring_sign, parallel: self.parallel || self.wire.parallel, ..self.wire }
    }

    /// Audio up to the next millisecond, at most 8 frames of `slots` samples.
    pub(in crate::sim) fn pass_audio(
        &mut self,
        chip: &Model,
        now: u64,
        down: &[i16],
        up: &mut [i16],
        slots: usize,
    ) {
        let speaks = self.plugged && chip.speaks();
        if self.switch.sound.is_silence() && !speaks {
            return;
        }
        let frames = (down.len() / slots).min(MS_SAMPLES);
        self.computed += frames as u64;
        let (send, receive) = chip.slots().unzip();
        let send = send.filter(|&slot| slot < slots && self.plugged && chip.hears());
        let receive = receive.filter(|&slot| slot < slots && speaks);
        let (mut heard, mut said) = ([0; MS_SAMPLES], [0; MS_SAMPLES]);
        if let Some(slot) = receive {
            let gain = chip.tx_gain();
            let sent = down.chunks_exact(slots).map(|frame| scaled(frame[slot], gain));
            heard.iter_mut().zip(sent).for_each(|(place, sample)| *place = sample);
        }
        self.switch.sound.fill(&mut said[..frames]);
        if let Some(slot) = send {
            self.balance(chip);
            let gain = chip.rx_gain();
            for ((frame, &far), &near) in up.chunks_exact_mut(slots).zip(&said).zip(&heard) {
                let back = if self.hybrid.is_ideal() { 0.0 } else { self.hybrid.echo(near) };
                frame[slot] = ((f32::from(far) + back) * gain) as i16;
            }
        }
        self.listen(&heard[..frames], now / MS_SAMPLES as u64);
        self.log(&heard[..frames], &said[..frames], now);
    }

    /// Follows what the chip's registers make of the echo.
    fn balance(&mut self, chip: &Model) {
        let words = chip.echo_words();
        if self.words != Some(words) {
            self.words = Some(words);
            self.hybrid.retune(Balance::residual(self.plan.balance.as_ref(), words));
        }
    }

    fn listen(&mut self, heard: &[i16], now_ms: u64) {
        if !self.switch.listens() {
            self.digits = Digits::default();
            return;
        }
        for &sample in heard {
            if let Some(digit) = self.digits.hear(sample) {
                self.switch.keyed(digit, now_ms);
            }
        }
    }

    fn log(&mut self, heard: &[i16], said: &[i16], now: u64) {
        if !self.heard.keeps() {
            return;
        }
        for (log, samples) in [(&mut self.heard, heard), (&mut self.said, said)] {
            log.push_silence(now - self.logged_to);
            samples.iter().for_each(|&sample| log.push(sample));
        }
        self.logged_to = now + heard.len() as u64;
    }
}

fn scaled(sample: i16, gain: f32) -> i16 {
    (f32::from(sample) * gain) as i16
}

impl Digits {
    fn hear(&mut self, sample: i16) -> Option<char> {
        let (receiver, period) =
            &mut **self.receiver.get_or_insert_with(|| Box::new((Receiver::new(), [0; PERIOD])));
        period[self.filled] = sample;
        self.filled = (self.filled + 1) % PERIOD;
        if self.filled > 0 {
            return None;
        }
        match receiver.hear(period) {
            Heard::Began { key, .. } => Some(key.sign()),
            Heard::Nothing | Heard::Suspected { .. } | Heard::Held(_) | Heard::Ended { .. } => None,
        }
    }
}

/// One line at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LineSnapshot {
    /// Its port.
    pub port: PortId,
    /// What is printed beside the jack.
    pub name: String,
    /// What it does.
    pub state: State,
    /// Ringing voltage, at this moment of the cadence.
    pub ringing: bool,
    /// Voltage at the jack, V, TIP to RING.
    pub volts: f32,
    /// The box holds the line.
    pub off_hook: bool,
    /// Another phone on the pair is off hook.
    pub parallel: bool,
    /// The cable is in the jack.
    pub plugged: bool,
    /// What was dialled, oldest first.
    pub dialled: Vec<String>,
    /// What the exchange heard from the box; as much as the office keeps.
    pub heard: Audio,
    /// What it put on the line.
    pub said: Audio,
}
