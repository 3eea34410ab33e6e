//! The caller ID display of a simulated phone: Bell 202 demodulator and SDMF/MDMF parser (Telcordia GR-30, GR-31).
//!
//! Written from the standards and apart from the encoder of the box, so that one can prove the other.

use std::f32::consts::PI;

const RATE: f32 = 8000.0;
const MARK_HZ: f32 = 1200.0;
const SPACE_HZ: f32 = 2200.0;
/// A bit at 1200 baud, in thirds of a sample.
const BIT_THIRDS: u32 = 20;
/// Samples of the correlators: one bit, rounded up.
const WINDOW: usize = 7;
/// Power of the correlators below which there is no carrier: about −40 dBm0.
const CARRIER_POWER: f32 = 90_000.0;
/// Samples without carrier after which the transmission is over.
const CARRIER_GAP_SAMPLES: u16 = 40;
/// Alternating bits that must come first; GR-30 sends 300.
const SEIZURE_BITS_MIN: u16 = 120;
/// Marks that must follow; GR-30 sends 180.
const MARK_BITS_MIN: u16 = 40;
/// Type, length, 255 bytes and checksum.
const MESSAGE_MAX: usize = 258;

/// What a phone displays of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerId {
    /// World clock at the first sample of the carrier, in samples.
    pub started_at: u64,
    /// World clock at its end.
    pub ended_at: u64,
    /// Month, day, hour, minute: `MMDDHHMM`.
    pub date: Option<String>,
    /// Number as sent.
    pub number: Option<String>,
    /// Why there is no number: `P` private, `O` out of area.
    pub number_absent: Option<char>,
    /// Name as sent.
    pub name: Option<String>,
    /// Why there is no name: `P` or `O`.
    pub name_absent: Option<char>,
}

/// What the display made of a transmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message with a right checksum.
    CallerId(CallerId),
    /// A carrier with a message that cannot be shown.
    Garbled {
        /// World clock at the first sample of the carrier.
        started_at: u64,
    },
}

/// The demodulator and display.
#[derive(Clone, Debug)]
pub struct Display {
    window: [[f32; 4]; WINDOW],
    place: usize,
    phase: [f32; 2],
    /// Samples of silence so far; once the window is full of it, nothing needs to be computed.
    silence: usize,
    carrier: Option<Carrier>,
}

#[derive(Clone, Debug)]
struct Carrier {
    started_at: u64,
    last_at: u64,
    silent_samples: u16,
    mark: bool,
    /// Thirds of a sample since the last change of the line.
    run_thirds: u32,
    stage: Stage,
    message: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Seizure { bits: u16 },
    Marks,
    Between,
    Bits { wait_thirds: u32, count: u8, value: u8 },
    Ended { good: bool },
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

impl Display {
    /// A display that has shown nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { window: [[0.0; 4]; WINDOW], place: 0, phase: [0.0; 2], silence: WINDOW, carrier: None }
    }

    /// Whether silence would change anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.carrier.is_none()
    }

    /// Hears the sample at `at` of the world's clock.
    pub fn hear(&mut self, sample: i16, at: u64) -> Option<Heard> {
        self.silence = if sample == 0 { self.silence + 1 } else { 0 };
        if self.is_idle() && self.silence > WINDOW {
            return None;
        }
        let (mark, space) = self.correlate(f32::from(sample));
        let present = mark + space > CARRIER_POWER;
        let Some(carrier) = &mut self.carrier else {
            if present {
                self.carrier = Some(Carrier::new(at));
            }
            return None;
        };
        if present {
            carrier.silent_samples = 0;
            carrier.last_at = at;
        } else {
            carrier.silent_samples += 1;
        }
        if carrier.silent_samples < CARRIER_GAP_SAMPLES {
            carrier.step(mark > space);
            return None;
        }
        let ended = self.carrier.take()?;
        ended.heard()
    }

    /// Power of mark and of space over the last bit.
    fn correlate(&mut self, sample: f32) -> (f32, f32) {
        for (phase, hz) in self.phase.iter_mut().zip([MARK_HZ, SPACE_HZ]) {
            *phase += 2.0 * PI * hz / RATE;
            *phase -= if *phase > 2.0 * PI { 2.0 * PI } else { 0.0 };
        }
        let [mark, space] = self.phase;
        self.window[self.place] =
            [sample * mark.cos(), sample * mark.sin(), sample * space.cos(), sample * space.sin()];
        self.place = (self.place + 1) % WINDOW;
        let mut sums = [0.0; 4];
        for products in &self.window {
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        (sums[0] * sums[0] + sums[1] * sums[1], sums[2] * sums[2] + sums[3] * sums[3])
    }
}

impl Carrier {
    fn new(at: u64) -> Self {
        Self {
            started_at: at,
            last_at: at,
            silent_samples: 0,
            mark: true,
            run_thirds: 0,
            stage: Stage::Seizure { bits: 0 },
            message: Vec::with_capacity(MESSAGE_MAX),
        }
    }

    /// Takes the line one sample further.
    fn step(&mut self, mark: bool) {
        let changed = mark != self.mark;
        let run_bits = (self.run_thirds + BIT_THIRDS / 2) / BIT_THIRDS;
        self.run_thirds = if changed { 3 } else { self.run_thirds + 3 };
        self.mark = mark;
        self.stage = match self.stage {
            Stage::Seizure { bits } if changed => {
                Stage::Seizure { bits: if run_bits == 1 { bits + 1 } else { 0 } }
            }
            Stage::Seizure { bits }
                if mark && bits >= SEIZURE_BITS_MIN && self.run_thirds > 3 * BIT_THIRDS =>
            {
                Stage::Marks
            }
            Stage::Marks if changed && run_bits < u32::from(MARK_BITS_MIN) => Stage::Ended { good: false },
            Stage::Marks | Stage::Between if changed && !mark => {
                // The start bit is looked at in its middle.
                Stage::Bits { wait_thirds: BIT_THIRDS / 2, count: 0, value: 0 }
            }
            Stage::Bits { wait_thirds, count, value } if wait_thirds <= 3 => {
                self.bit(mark, count, value, BIT_THIRDS + wait_thirds - 3)
            }
            Stage::Bits { wait_thirds, count, value } => {
                Stage::Bits { wait_thirds: wait_thirds - 3, count, value }
            }
            stage => stage,
        };
    }

    /// Takes the middle of a bit: start, eight data bits (lowest first), stop.
    fn bit(&mut self, mark: bool, count: u8, value: u8, wait_thirds: u32) -> Stage {
        match count {
            0 if mark => Stage::Between,
            0 => Stage::Bits { wait_thirds, count: 1, value },
            1..=8 => Stage::Bits { wait_thirds, count: count + 1, value: value >> 1 | u8::from(mark) << 7 },
            _ if !mark => Stage::Ended { good: false },
            _ => {
                self.message.push(value);
                let wanted = self.message.get(1).map(|&len| usize::from(len) + 3);
                if wanted == Some(self.message.len()) {
                    let sum = self.message.iter().fold(0, |sum: u8, &byte| sum.wrapping_add(byte));
                    return Stage::Ended { good: sum == 0 };
                }
                Stage::Between
            }
        }
    }

    fn heard(self) -> Option<Heard> {
        let (started_at, ended_at) = (self.started_at, self.last_at);
        let caller = match self.stage {
            Stage::Ended { good: true } => parse(&self.message),
            // Never a modem: speech, a tone, a click.
            Stage::Seizure { .. } => return None,
            _ => None,
        };
        Some(match caller {
            Some(caller) => Heard::CallerId(CallerId { started_at, ended_at, ..caller }),
            None => Heard::Garbled { started_at },
        })
    }
}

/// Type, length, body, checksum.
fn parse(message: &[u8]) -> Option<CallerId> {
    let (&kind, rest) = message.split_first()?;
    let body = rest.get(1..rest.len().checked_sub(1)?)?;
    match kind {
        0x04 => parse_single(body),
        0x80 => parse_multiple(body),
        _ => None,
    }
}

/// SDMF: eight digits of date, then the number or the reason for its absence.
fn parse_single(body: &[u8]) -> Option<CallerId> {
    let (date, number) = body.split_at_checked(8)?;
    let mut caller = CallerId { date: Some(text(date)), ..CallerId::default() };
    match number {
        [reason @ (b'P' | b'O')] => caller.number_absent = Some(char::from(*reason)),
        number => caller.number = Some(text(number)),
    }
    Some(caller)
}

/// MDMF: parameters of type, length, value.
fn parse_multiple(mut body: &[u8]) -> Option<CallerId> {
    let mut caller = CallerId::default();
    while let [kind, len, rest @ ..] = body {
        let (value, after) = rest.split_at_checked(usize::from(*len))?;
        let reason = value.first().map(|&c| char::from(c));
        match kind {
            0x01 => caller.date = Some(text(value)),
            0x02 => caller.number = Some(text(value)),
            0x04 => caller.number_absent = reason,
            0x07 => caller.name = Some(text(value)),
            0x08 => caller.name_absent = reason,
            _ => {}
        }
        body = after;
    }
    body.is_empty().then_some(caller)
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plain modulator for these tests: seizure, marks, the bytes with their checksum, at `level` peak.
    fn modulate(message: &[u8], level: f32) -> Vec<i16> {
        let mut bits: Vec<bool> = (0..300).map(|i| i % 2 == 1).chain([true; 180]).collect();
        let sum = message.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg();
        for byte in message.iter().chain([&sum]) {
            bits.push(false);
            bits.extend((0..8).map(|i| byte >> i & 1 == 1));
            bits.push(true);
        }
        let (mut phase, mut samples) = (0f32, Vec::new());
        for t in 0..bits.len() * 20 / 3 {
            let mark = bits[(t * 3 / 20).min(bits.len() - 1)];
            phase += 2.0 * PI * if mark { MARK_HZ } else { SPACE_HZ } / RATE;
            samples.push((phase.sin() * level) as i16);
        }
        samples
    }

    fn hear(samples: &[i16]) -> Vec<Heard> {
        let mut display = Display::new();
        let silence = std::iter::repeat_n(&0, 200);
        let all = silence.clone().chain(samples).chain(silence);
        (0..).zip(all).filter_map(|(at, &sample)| display.hear(sample, at)).collect()
    }

    #[test]
    fn an_mdmf_message_shows_number_and_name() {
        let heard = hear(&modulate(b"\x80\x1c\x01\x0811221305\x02\x0a3125550147\x07\x04ACME", 2000.0));
        let [Heard::CallerId(caller)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(caller.number.as_deref(), Some("3125550147"));
        assert_eq!(caller.name.as_deref(), Some("ACME"));
        assert_eq!(caller.date.as_deref(), Some("11221305"));
        assert!((200..206).contains(&caller.started_at), "{caller:?}");
    }

    #[test]
    fn an_sdmf_message_without_number_shows_why() {
        let heard = hear(&modulate(b"\x04\x0911221305P", 300.0));
        assert!(
            matches!(heard.as_slice(), [Heard::CallerId(c)] if c.number_absent == Some('P')),
            "{heard:?}"
        );
    }

    #[test]
    fn a_wrong_checksum_is_not_shown() {
        let mut samples = modulate(b"\x04\x0911221305P", 2000.0);
        let last_byte = samples.len() - 30;
        samples[last_byte..].fill(0);
        assert!(matches!(hear(&samples).as_slice(), [Heard::Garbled { .. }]));
    }

    #[test]
    fn a_tone_is_not_taken_for_a_message() {
        let tone: Vec<i16> = (0..8000).map(|t| ((t as f32 * 0.9425).sin() * 8000.0) as i16).collect();
        assert_eq!(hear(&tone), []);
    }
}
