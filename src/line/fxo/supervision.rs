//! Disconnect supervision: how a call on an office line is known to be over. All detectors watch at once.
//!
//! The exchange says it in one of five ways, or not at all:
//!
//! | signal | what it has to show | when it is told at the earliest |
//! |---|---|---|
//! | CPC | loop open for [`Settings::cpc_ms`], while the exchange switches for [`SWITCHING_MS`] | 80 ms (chip) + 200 ms |
//! | polarity | turned at the answer, turned back, and stays so for [`TURNED_MS`] | 80 ms (chip) + 400 ms |
//! | busy, reorder | three cycles, nobody talks in them | 3 cycles: 3 s and 1.5 s in North America |
//! | dial tone | as long as the detector asks, and [`Settings::dial_tone_ms`] more | 1 s + 1.2 s |
//! | key D | held for [`KEY_D_MS`] | 60 ms |
//! | none | silence, once the other leg has ended; else the cap | [`Settings::far_silence_ms`] |
//!
//! CPC and a pulled cable look the same while they happen, so both end the call, at once and as [`HangUp::Cpc`]; which
//! one it was shows later. Battery that returns was CPC ([`super::Command::Learned`]); battery that does not for a
//! second was not ([`super::Alarm::Unplugged`]). Only a line that is known to end calls otherwise
//! ([`super::learned`]) loses them as [`Loss::Unplugged`].
//!
//! A tone is refuted by anybody who talks before it is due. Behind a flash the exchange gives dial tone and tones of its
//! features: no tone counts until somebody has talked again.

use super::{Learned, Loss};
use crate::{
    audio::{
        dtmf::Key,
        line_ear::Heard,
        progress::{self, Progress},
        tone::Tone,
        tone_plan::TonePlan,
    },
    time::Instant,
};

/// The exchange may open the loop for 350 ms when it switches (Telcordia GR-506: open switching interval).
const SWITCHING_MS: u64 = 360;
const _: () =
    assert!(SWITCHING_MS > 350 && SWITCHING_MS + 64 + 16 <= 500, "a pulled cable is told within 500 ms");
/// It switches until so long after the answer.
const SWITCHED_MS: u64 = 1_000;
/// A reversal must last this long beyond the chip's 64 ms: metering by reversal takes 300 ms.
const TURNED_MS: u64 = 400;
/// Two reversals within this time are a wink, and neither an answer nor a hang-up.
const WINK_MS: u64 = 1_000;
/// A reversal that announced the call turns back within this time after it was answered.
const ANNOUNCED_MS: u64 = 2_000;
/// A reversal that nobody trusts yet and this time before the end of its call is a lesson.
const HINT_MS: u64 = 30_000;
/// The ear may tell of speech when a tone has begun since less than this.
const SPEECH_LASTS_MS: u64 = 500;
/// How long a tone waits on a line that does not end calls with tones: longer than an exchange that has given reorder
/// takes to open the loop behind it.
pub(super) const DOUBT_MS: u64 = 5_000;
/// Cycles after which the detector believes a cadence.
const CYCLES: u64 = 3;
/// What key D has to last.
const KEY_D_MS: u64 = 60;
/// What the ear does not see of a key's length.
const KEY_BLUR_MS: u64 = 10;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HangUp {
    /// The loop went dead: calling party control, or somebody pulled the cable.
    Cpc,
    /// The polarity turned back.
    Polarity,
    /// Busy tone.
    Busy,
    /// Reorder (congestion) tone.
    Reorder,
    /// Dial tone.
    DialTone,
    /// The special information tone, before the call was answered: the number cannot be reached.
    SpecialInformation,
    /// Key D, as private exchanges send it.
    KeyD,
    /// Silence.
    Silence,
    /// The longest time that a call may take.
    Cap,
}

impl HangUp {
    /// The shortest time, in ms, in which this signal can be known from the moment it begins, by its own cadence and
    /// these settings; `None` of those that are no signals.
    #[must_use]
    pub fn least_ms(self, tones: &TonePlan, settings: &Settings) -> Option<u64> {
        match self {
            Self::Cpc => Some(settings.cpc_ms),
            Self::Polarity => Some(TURNED_MS),
            Self::Busy => Some(cycles_ms(&tones.busy)),
            Self::Reorder => Some(cycles_ms(&tones.reorder)),
            Self::DialTone => Some(dial_tone_known_ms(tones) + settings.dial_tone_ms),
            Self::KeyD => Some(KEY_D_MS),
            Self::SpecialInformation => Some(3 * u64::from(tones.special_information.burst_ms)),
            Self::Silence | Self::Cap => None,
        }
    }
}

/// Supervision of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the loop has to be open to be CPC, in ms, 100 to 350. Between a contact's bounce (60 ms) and the shortest
    /// CPC (250 ms); the chip's debounce of 64 ms on both edges cancels out.
    pub cpc_ms: u64,
    /// What dial tone has to last beyond [`crate::audio::progress::Settings::dial_tone_ms`], in ms, at least 1,100: a
    /// second of silence refutes it.
    pub dial_tone_ms: u64,
    /// Silence that ends a call whose other leg has ended, in ms.
    pub far_silence_ms: u64,
    /// Silence that ends a call in any case, in ms, for lines whose exchange says nothing. A caller who is muted, or
    /// who waits, is silent for minutes.
    pub silence_ms: Option<u64>,
    /// Whether key D ends a call.
    pub key_d: bool,
    /// The longest time that a line is off hook for one call, in ms.
    pub cap_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cpc_ms: 200,
            dial_tone_ms: 1_200,
            far_silence_ms: 3_000,
            silence_ms: None,
            key_d: true,
            cap_ms: 4 * 3_600_000,
        }
    }
}

/// Why a use of the line is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Gone(HangUp),
    Lost(Loss),
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not everything is dialled: the exchange's tones are no hang-up.
    Dialling,
    /// Dialled and not answered.
    Proceeding,
    Talking {
        since: Instant,
    },
}

/// A tone that has been heard.
#[derive(Clone, Copy, Debug)]
struct Claim {
    how: HangUp,
    due: Instant,
}

/// The watch over one use of a line.
#[derive(Clone, Debug)]
pub(super) struct Supervision {
    settings: Settings,
    tones: &'static TonePlan,
    learned: Learned,
    direction: Direction,
    phase: Phase,
    since: Instant,
    /// When the open loop is CPC.
    open_due: Option<Instant>,
    tone: Option<Claim>,
    /// The first reversal of a call that goes out: its answer.
    turned_at: Option<Instant>,
    /// When the reversal back is the end.
    turned_due: Option<Instant>,
    /// A reversal that nobody trusts yet.
    hint_at: Option<Instant>,
    spoke_at: Option<Instant>,
    silent_since: Option<Instant>,
    far_leg_ended_at: Option<Instant>,
    key_d_at: Option<Instant>,
    is_flashed: bool,
}

impl Supervision {
    /// From the moment that the line is off hook and settled.
    pub(super) fn new(
        settings: &super::Settings,
        learned: Learned,
        direction: Direction,
        now: Instant,
    ) -> Self {
        let phase = match direction {
            Direction::In => Phase::Talking { since: now },
            Direction::Out => Phase::Dialling,
        };
        Self {
            settings: settings.supervision,
            tones: settings.tones,
            learned,
            direction,
            phase,
            since: now,
            open_due: None,
            tone: None,
            turned_at: None,
            turned_due: None,
            hint_at: None,
            spoke_at: None,
            silent_since: None,
            far_leg_ended_at: None,
            key_d_at: None,
            is_flashed: false,
        }
    }

    /// Everything is dialled.
    pub(super) fn dialled(&mut self) {
        self.phase = Phase::Proceeding;
    }

    /// The called party is there.
    pub(super) fn answered(&mut self, now: Instant) {
        self.phase = Phase::Talking { since: now };
    }

    pub(super) fn battery_lost(&mut self, now: Instant) {
        let ms = match self.phase {
            Phase::Talking { since } if now.ms_since(since) >= SWITCHED_MS => self.settings.cpc_ms,
            Phase::Talking { .. } | Phase::Dialling | Phase::Proceeding => SWITCHING_MS,
        };
        self.open_due = Some(now.after_ms(ms));
    }

    pub(super) fn battery_returned(&mut self) {
        self.open_due = None;
    }

    /// How the loss of the battery ends this use.
    pub(super) const fn battery_end(&self) -> End {
        match self.phase {
            Phase::Dialling => End::Lost(Loss::Unplugged),
            Phase::Proceeding | Phase::Talking { .. } if self.learned.doubts_cpc() => {
                End::Lost(Loss::Unplugged)
            }
            Phase::Proceeding | Phase::Talking { .. } => End::Gone(HangUp::Cpc),
        }
    }

    /// Whether battery that returns after `end` shows that it was CPC.
    pub(super) fn may_be_cpc(&self, end: End) -> bool {
        self.phase != Phase::Dialling && matches!(end, End::Gone(HangUp::Cpc) | End::Lost(Loss::Unplugged))
    }

    pub(super) fn reversed(&mut self, now: Instant) {
        let within = |at: Option<Instant>, ms| at.is_some_and(|at| now.ms_since(at) < ms);
        match (self.phase, self.direction) {
            // Some exchanges reverse when the line is seized or the last digit is in.
            (Phase::Dialling, _) => {}
            (Phase::Proceeding, _) => {
                self.turned_at = if self.turned_at.is_some() { None } else { Some(now) };
            }
            (Phase::Talking { .. }, _) if self.turned_due.take().is_some() => {}
            (Phase::Talking { .. }, Direction::Out) => match self.turned_at {
                // An answer that was assumed comes now.
                None => self.turned_at = Some(now),
                Some(_) if within(self.turned_at, WINK_MS) => self.turned_at = None,
                Some(_) => self.turned_due = Some(now.after_ms(TURNED_MS)),
            },
            (Phase::Talking { since }, Direction::In) if within(Some(since), ANNOUNCED_MS) => {}
            (Phase::Talking { .. }, Direction::In) if self.learned.trusts_polarity() => {
                self.turned_due = Some(now.after_ms(TURNED_MS));
            }
            (Phase::Talking { .. }, Direction::In) => self.hint_at = Some(now),
        }
    }

    pub(super) fn far_leg_ended(&mut self, now: Instant) {
        self.far_leg_ended_at.get_or_insert(now);
    }

    pub(super) fn flashed(&mut self) {
        self.is_flashed = true;
        self.tone = None;
    }

    /// Takes what the ear heard; tones that are not over yet end the call at a deadline.
    pub(super) fn heard(&mut self, heard: &Heard, now: Instant) {
        if self.phase == Phase::Dialling {
            return;
        }
        match *heard {
            Heard::Speech => {
                self.spoke_at = Some(now);
                (self.tone, self.silent_since, self.is_flashed) = (None, None, false);
            }
            Heard::Silent { ms } => {
                self.silent_since.get_or_insert(Instant(now.0.saturating_sub(u64::from(ms) * 1_000)));
                if self.tone.is_some_and(|claim| claim.how == HangUp::DialTone)
                    && u64::from(ms) > longest_pause_ms(&self.tones.dial)
                {
                    self.tone = None;
                }
            }
            Heard::Progress(progress) => {
                self.silent_since = None;
                self.progress(progress, now);
            }
            Heard::Key(key) => {
                self.silent_since = None;
                self.key_d_at = (key.sign() == 'D').then_some(now);
            }
            Heard::KeyEnded(key) => self.key_ended(key, now),
            Heard::CallerId(_) => {}
        }
    }

    fn progress(&mut self, progress: Progress, now: Instant) {
        let (how, tone) = match progress {
            Progress::Busy => (HangUp::Busy, &self.tones.busy),
            Progress::Reorder => (HangUp::Reorder, &self.tones.reorder),
            Progress::DialTone => {
                let ms = self.settings.dial_tone_ms + self.doubt_ms();
                return self.claim(HangUp::DialTone, now.after_ms(ms));
            }
            Progress::SpecialInformation => {
                // In a conversation it is part of a recording that somebody plays.
                if self.phase == Phase::Proceeding {
                    self.claim(HangUp::SpecialInformation, now);
                }
                return;
            }
            Progress::Ringback { .. } => {
                // What turned before was no answer.
                if self.phase == Phase::Proceeding {
                    self.turned_at = None;
                }
                return;
            }
        };
        let cycles_ms = cycles_ms(tone);
        // The pauses of a tone are silent: who talked in them makes the tone one of a recording, or of another line.
        let alone_ms = cycles_ms.saturating_sub(SPEECH_LASTS_MS);
        let is_mixed = self.spoke_at.is_some_and(|at| now.ms_since(at) < alone_ms);
        let again_ms = if is_mixed { cycles_ms } else { 0 };
        self.claim(how, now.after_ms(again_ms.max(self.doubt_ms())));
    }

    fn claim(&mut self, how: HangUp, due: Instant) {
        if !self.is_flashed {
            self.tone = Some(Claim { how, due });
        }
    }

    fn doubt_ms(&self) -> u64 {
        let is_doubted = matches!(self.phase, Phase::Talking { .. }) && self.learned.doubts_tones();
        if is_doubted { DOUBT_MS } else { 0 }
    }

    fn key_ended(&mut self, key: Key, now: Instant) {
        let held = self.key_d_at.take().filter(|_| key.sign() == 'D' && self.settings.key_d);
        if held.is_some_and(|began| now.ms_since(began) + KEY_BLUR_MS >= KEY_D_MS) {
            self.claim(HangUp::KeyD, now);
        }
    }

    fn silence_due(&self) -> Option<Instant> {
        let Phase::Talking { since } = self.phase else { return None };
        let silent = self.silent_since?.max(since);
        let far = self.far_leg_ended_at.map(|at| at.max(silent).after_ms(self.settings.far_silence_ms));
        let any = self.settings.silence_ms.map(|ms| silent.after_ms(ms));
        far.into_iter().chain(any).min()
    }

    /// Everything that may end the use, with its time.
    fn dues(&self) -> impl Iterator<Item = (End, Instant)> {
        let gone = |how, due: Option<Instant>| due.map(|due| (End::Gone(how), due));
        [
            self.open_due.map(|due| (self.battery_end(), due)),
            gone(HangUp::Polarity, self.turned_due),
            self.tone.map(|claim| (End::Gone(claim.how), claim.due)),
            gone(HangUp::Silence, self.silence_due()),
            gone(HangUp::Cap, Some(self.since.after_ms(self.settings.cap_ms))),
        ]
        .into_iter()
        .flatten()
    }

    /// When [`Self::due`] is to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.dues().map(|(_, due)| due).min()
    }

    /// What has ended the use by now.
    pub(super) fn due(&self, now: Instant) -> Option<End> {
        self.dues().filter(|(_, due)| now >= *due).min_by_key(|(_, due)| *due).map(|(end, _)| end)
    }

    /// Whether the polarity has turned since everything was dialled, and stayed so.
    pub(super) const fn has_turned(&self) -> bool {
        self.turned_at.is_some()
    }

    /// What a call that has ended in `how` teaches, each with its time in ms. Of CPC that comes later, when the battery
    /// is back; before the answer, tones tell of the called party and not of the exchange.
    pub(super) fn lessons(&self, how: HangUp, now: Instant) -> impl Iterator<Item = (HangUp, u64)> + use<> {
        let talked = match self.phase {
            Phase::Talking { since } => Some(self.spoke_at.unwrap_or(since).max(since)),
            Phase::Dialling | Phase::Proceeding => None,
        };
        let own = talked
            .filter(|_| how != HangUp::Cpc && Learned::is_lesson(how))
            .map(|at| (how, now.ms_since(at)));
        let hint = self.hint_at.filter(|at| now.ms_since(*at) <= HINT_MS && Learned::is_lesson(how));
        own.into_iter().chain(hint.map(|at| (HangUp::Polarity, now.ms_since(at))))
    }
}

fn cycle_ms(tone: &Tone) -> u64 {
    tone.cadence.bursts_ms().iter().map(|&(on, off)| u64::from(on) + u64::from(off)).sum()
}

fn cycles_ms(tone: &Tone) -> u64 {
    CYCLES * cycle_ms(tone)
}

/// How long the detector hears dial tone before it says so: two cycles of one with pauses; of a continuous one the time
/// of its settings, or what the bursts of tones with the same sound may last.
fn dial_tone_known_ms(tones: &TonePlan) -> u64 {
    if !tones.dial.cadence.is_continuous() {
        return 2 * cycle_ms(&tones.dial);
    }
    let alike = [&tones.busy, &tones.reorder, &tones.ringback]
        .into_iter()
        .filter(|tone| (tone.hz, tone.modulated_hz) == (tones.dial.hz, tones.dial.modulated_hz));
    let bursts = alike.flat_map(|tone| tone.cadence.bursts_ms()).map(|&(on, _)| u64::from(on));
    let outlasted_ms = bursts.max().map_or(0, |on| on * 23 / 20 + 100);
    outlasted_ms.max(progress::Settings::default().dial_tone_ms.into())
}

/// What a tone with pauses is silent for, with a margin; of a continuous tone a pause that the ear is sure of.
fn longest_pause_ms(tone: &Tone) -> u64 {
    let longest = tone.cadence.bursts_ms().iter().map(|&(_, off)| u64::from(off)).max();
    longest.map_or(100, |longest| longest * 5 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_times_are_those_of_the_countrys_own_cadences() {
        let least = |country, how: HangUp| {
            how.least_ms(TonePlan::for_country(country).unwrap(), &Settings::default()).unwrap()
        };
        assert_eq!(least("US", HangUp::Busy), 3_000);
        assert_eq!(least("US", HangUp::Reorder), 1_500);
        assert_eq!(least("US", HangUp::DialTone), 1_000 + 1_200);
        assert_eq!(least("GB", HangUp::Busy), 2_250);
        // Ringback of 1.5 s sounds the same, and 15 % longer is still ringback.
        assert_eq!(least("FR", HangUp::DialTone), 1_825 + 1_200);
        // Two cycles of 200, 200, 600, 1,000 ms.
        assert_eq!(least("IT", HangUp::DialTone), 4_000 + 1_200);
        assert_eq!(HangUp::Cap.least_ms(TonePlan::north_america(), &Settings::default()), None);
    }

    #[test]
    fn the_chip_and_the_ear_have_their_part_in_the_thresholds() {
        let settings = Settings::default();
        // The shortest CPC, as the chip sees it at worst; the longest interruption that is none.
        assert!(settings.cpc_ms + 16 < 250 && settings.cpc_ms > 60 + 16);
        // The first second of silence is told a second after a tone has ended.
        assert!(settings.dial_tone_ms > 1_000 + 50);
    }
}
