//! How a country sends caller ID, and when: before the first ring or after it.
//!
//! ```text
//! after the first ring    ring ── ≥ 500 ms ── data ── ≥ 200 ms ── ring ──
//! line reversal           reversal ── ≥ 200 ms ── DTMF ── 200–500 ms ── ring ──
//! reversal and tone       reversal ── ≥ 100 ms ── DT-AS ── 45–500 ms ── data ── 200–500 ms ── ring ──
//! ring pulse              200–300 ms of ringing ── 500–800 ms ── data ── 200–500 ms ── ring ──
//! ```
//! Telcordia GR-30-CORE 2.3; EN 300 659-1 clauses 6.1 to 6.4 and annex B; BT SIN 227.

use super::{CallType, CallerId, Message, Preamble, dtmf::Form};
use crate::audio::{fsk::Variant, sine::Oscillator, sine::SAMPLE_HZ};

/// Frequencies of the dual tone alerting signal (EN 300 659-1 6.1.1, GR-30 3.2.1: there called CAS).
pub(super) const ALERT_HZ: [f32; 2] = [2_130.0, 2_750.0];
/// Its level on hook, each frequency, in dBm0 (EN 300 659-1: -40 to -9.78 dBV).
const ALERT_DBM0: f32 = -13.5;
/// Its length on hook (100 ± 10 ms), and the silence behind it (45 to 500 ms; BT phones load the line meanwhile).
const ALERT_MS: u32 = 100;
const AFTER_ALERT_MS: u32 = 100;
const SAMPLES_PER_MS: u32 = SAMPLE_HZ / 1_000;

/// In which signals the data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// MDMF in Bell 202 (GR-30).
    Bell202,
    /// Call set-up messages in V.23 (EN 300 659-3).
    EtsiFsk,
    /// Number only, in DTMF.
    Dtmf {
        /// The country's way to write it.
        form: Form,
    },
}

impl Standard {
    /// The standard of a country (ISO 3166-1 alpha-2); North America's where the country is not listed.
    #[must_use]
    pub fn for_country(country: &str) -> Self {
        Delivery::for_country(country).standard
    }
}

/// When the data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// In the first pause that is long enough.
    AfterFirstRing,
    /// Before the phone rings, once it is awake.
    BeforeFirstRing(Alert),
}

impl Timing {
    /// Silence between the data and the next ring: 200 to 500 ms in EN 300 659-1, at least 200 ms in GR-30.
    pub const BEFORE_RING_MS: u64 = 250;

    /// The timing of a country (ISO 3166-1 alpha-2); North America's where the country is not listed.
    #[must_use]
    pub fn for_country(country: &str) -> Self {
        Delivery::for_country(country).timing
    }

    /// Silence between what wakes the phone (ring, pulse, reversal) and the data or its alerting tone, in ms.
    #[must_use]
    pub const fn silence_ms(self) -> u64 {
        match self {
            // GR-30: at least 500 ms; EN 300 659-1: 500 to 2,000 ms.
            Self::AfterFirstRing => 600,
            Self::BeforeFirstRing(Alert::LineReversal) => 300,
            Self::BeforeFirstRing(Alert::LineReversalAndTone) => 150,
            Self::BeforeFirstRing(Alert::RingPulse) => 650,
        }
    }
}

/// What wakes a phone before its first ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    /// Tip and ring change places.
    LineReversal,
    /// The same, then the dual tone alerting signal (DT-AS).
    LineReversalAndTone,
    /// A short burst of ringing (RP-AS), [`Alert::RING_PULSE_MS`] long.
    RingPulse,
}

impl Alert {
    /// Length of the ring pulse alerting signal (EN 300 659-1 6.1.3: 200 to 300 ms).
    pub const RING_PULSE_MS: u64 = 250;
}

/// How and when a country sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How.
    pub standard: Standard,
    /// When.
    pub timing: Timing,
}

impl Delivery {
    /// Bell 202 after the first ring.
    pub const NORTH_AMERICA: Self = Self { standard: Standard::Bell202, timing: Timing::AfterFirstRing };

    /// The delivery of a country (ISO 3166-1 alpha-2, any case); North America's where the country is not listed.
    ///
    /// What the incumbent's exchanges are known to send. Where only the modulation is known, the data comes after the
    /// first ring, which every phone of EN 300 778-1 takes.
    #[must_use]
    pub fn for_country(country: &str) -> Self {
        let reversal = Timing::BeforeFirstRing(Alert::LineReversal);
        let dtmf = |form| Self { standard: Standard::Dtmf { form }, timing: reversal };
        match country.to_ascii_uppercase().as_str() {
            "GB" => Self {
                standard: Standard::EtsiFsk,
                timing: Timing::BeforeFirstRing(Alert::LineReversalAndTone),
            },
            "DE" | "AT" | "CH" | "FR" | "BE" | "ES" | "IT" | "IE" | "NO" | "PL" | "PT" | "ZA" => {
                Self { standard: Standard::EtsiFsk, timing: Timing::AfterFirstRing }
            }
            "SE" | "FI" | "NL" | "BR" | "IN" => dtmf(Form::FromAToC),
            "DK" => dtmf(Form::FromAToHash),
            "TW" | "KW" => dtmf(Form::FromDToC),
            _ => Self::NORTH_AMERICA,
        }
    }

    /// All that is sent, at 8 kHz: the alerting tone if there is one, and the data.
    #[must_use]
    pub fn render(&self, id: &CallerId) -> Vec<i16> {
        let data = match self.standard {
            Standard::Bell202 => Message::multiple(id).modulate(Variant::Bell202, Preamble::OnHook),
            Standard::EtsiFsk => {
                Message::call_setup(id, CallType::Voice).modulate(Variant::V23, Preamble::OnHook)
            }
            Standard::Dtmf { form } => form.render(id),
        };
        if !self.has_tone() {
            return data;
        }
        let mut tones = ALERT_HZ.map(|hz| Oscillator::new(hz, ALERT_DBM0));
        let mut tone = || tones.iter_mut().map(Oscillator::advance).sum::<f32>().round() as i16;
        let alert = (0..ALERT_MS * SAMPLES_PER_MS).map(|_| tone());
        let silence = std::iter::repeat_n(0, (AFTER_ALERT_MS * SAMPLES_PER_MS) as usize);
        alert.chain(silence).chain(data).collect()
    }

    /// Length of [`Self::render`] in milliseconds, rounded up.
    #[must_use]
    pub fn duration_ms(&self, id: &CallerId) -> u64 {
        let data = match self.standard {
            Standard::Bell202 => fsk_samples(&Message::multiple(id)),
            Standard::EtsiFsk => fsk_samples(&Message::call_setup(id, CallType::Voice)),
            Standard::Dtmf { form } => form.samples(id) as u32,
        };
        let alert_ms = if self.has_tone() { ALERT_MS + AFTER_ALERT_MS } else { 0 };
        u64::from(alert_ms + data.div_ceil(SAMPLES_PER_MS))
    }

    const fn has_tone(&self) -> bool {
        matches!(self.timing, Timing::BeforeFirstRing(Alert::LineReversalAndTone))
    }
}

fn fsk_samples(message: &Message) -> u32 {
    message.bits(Preamble::OnHook) * SAMPLE_HZ / crate::audio::fsk::BIT_RATE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::caller_id::tests::caller, number::Dialplan, record::Presentation};

    #[test]
    fn a_country_sends_what_its_phones_expect() {
        for (country, standard, timing) in [
            ("US", Standard::Bell202, Timing::AfterFirstRing),
            ("AU", Standard::Bell202, Timing::AfterFirstRing),
            ("xx", Standard::Bell202, Timing::AfterFirstRing),
            ("gb", Standard::EtsiFsk, Timing::BeforeFirstRing(Alert::LineReversalAndTone)),
            ("DE", Standard::EtsiFsk, Timing::AfterFirstRing),
            ("DK", Standard::Dtmf { form: Form::FromAToHash }, Timing::BeforeFirstRing(Alert::LineReversal)),
        ] {
            assert_eq!((Standard::for_country(country), Timing::for_country(country)), (standard, timing));
        }
    }

    #[test]
    fn every_delivery_takes_as_long_as_it_says() {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        for country in Dialplan::countries() {
            let delivery = Delivery::for_country(country);
            let samples = delivery.render(&id).len() as u64;
            assert_eq!(delivery.duration_ms(&id), samples.div_ceil(8), "{country}");
        }
    }

    #[test]
    fn a_number_in_dtmf_is_sent_within_three_seconds() {
        let id = caller(Some("491701234567890"), None, Presentation::Allowed);
        assert!(Delivery::for_country("SE").duration_ms(&id) < 3_000);
    }
}
