//! What a line is told to be: the country it is in, how it disconnects, who can be called from it, who calls it.

use crate::audio::caller_id::{CallerId, Delivery, LocalTime};
use crate::audio::tone_plan::TonePlan;
use crate::record::Presentation;
use crate::sim::hybrid::Balance;
use crate::sim::office::Speech;

/// How the lines of a country ring, sound, and tell who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Country {
    /// Tones and ring cadence.
    pub tones: TonePlan,
    /// How and when the caller's number is sent.
    pub caller_id: Delivery,
    /// Frequency of ringing.
    pub ring_hz: u64,
}

impl Country {
    /// The United States.
    #[must_use]
    pub fn north_america() -> Self {
        Self { tones: *TonePlan::north_america(), caller_id: Delivery::NORTH_AMERICA, ring_hz: 20 }
    }

    /// A country by its ISO 3166-1 alpha-2 code; `None` if its tones are not known. North America rings with 20 Hz, all
    /// others with 25 Hz.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        let north_american = ["US", "CA"].iter().any(|known| known.eq_ignore_ascii_case(code));
        Some(Self {
            tones: *TonePlan::for_country(code)?,
            caller_id: Delivery::for_country(code),
            ring_hz: if north_american { 20 } else { 25 },
        })
    }
}

/// What the far end's hanging up does to a line that is still off hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Calling party control: the battery goes away for a moment. Silence follows, then reorder tone and howler.
    Cpc {
        /// Length of the opening.
        open_ms: u64,
    },
    /// TIP and RING change places: back, where the call had turned them. Silence, reorder tone and howler follow.
    Polarity,
    /// Busy tone, later the howler.
    Busy,
    /// Reorder tone, later the howler.
    Reorder,
    /// A second of silence, then dial tone: another number can be dialled.
    DialTone,
    /// Silence for ever.
    None,
}

/// How the exchange treats one line.
#[derive(Clone, Debug, PartialEq)]
pub struct LinePlan {
    /// How the far end's hanging up is told.
    pub profile: Profile,
    /// From seizing the line to dial tone.
    pub dial_tone_after_ms: u64,
    /// A loop that is open for this long ends the call; a shorter opening is a flash, or a dial pulse.
    pub release_ms: u64,
    /// Pause after the last digit that completes a number which is in no table.
    pub complete_after_ms: u64,
    /// Whether the line is subscribed to caller ID.
    pub caller_id: bool,
    /// Impedance and echo; `None` for a line that returns nothing whatever the port does.
    pub balance: Option<Balance>,
    /// Numbers and what becomes of calls to them; the first of equal ones counts.
    pub destinations: Vec<(String, Destination)>,
    /// What becomes of a call to any other number; `None`: it is answered, in silence, after one ring.
    pub otherwise: Option<Destination>,
}

/// The numbers of emergency operators.
const EMERGENCY: [&str; 3] = ["911", "933", "112"];
/// An emergency operator answers after this long; a number of ours.
const EMERGENCY_RINGBACK_MS: u64 = 2_000;

/// A line that disconnects by calling party control for 500 ms, from which emergency operators can be called.
impl Default for LinePlan {
    fn default() -> Self {
        let operator = Destination::answering(EMERGENCY_RINGBACK_MS, Speech::Silence);
        Self {
            profile: Profile::Cpc { open_ms: 500 },
            dial_tone_after_ms: 300,
            release_ms: 400,
            complete_after_ms: 3_000,
            caller_id: true,
            balance: None,
            destinations: EMERGENCY.map(|number| (number.to_owned(), operator.clone())).to_vec(),
            otherwise: None,
        }
    }
}

impl LinePlan {
    /// With one more number, before the ones that are there.
    #[must_use]
    pub fn with(mut self, number: &str, destination: Destination) -> Self {
        self.destinations.insert(0, (number.to_owned(), destination));
        self
    }

    /// Whether `digits` are a number of the table, and no longer number begins with them.
    pub(super) fn is_whole_number(&self, digits: &str) -> bool {
        let numbers = || self.destinations.iter().map(|(number, _)| number.as_str());
        numbers().any(|number| number == digits)
            && !numbers().any(|number| number.len() > digits.len() && number.starts_with(digits))
    }

    /// Where a call to `digits` goes.
    pub(super) fn destination(&self, digits: &str, country: &Country) -> Destination {
        let listed = self.destinations.iter().find(|(number, _)| number == digits).map(|(_, to)| to);
        listed.or(self.otherwise.as_ref()).cloned().unwrap_or_else(|| {
            let (on, off) = country.tones.ringback.cadence.burst_ms(0).unwrap_or_default();
            Destination::answering(u64::from(on) + u64::from(off), Speech::Silence)
        })
    }
}

/// What becomes of a call from the box.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Ringback heard before anything else happens; 0 for none.
    pub ringback_ms: u64,
    /// What happens then.
    pub then: Then,
    /// Whether TIP and RING change places when it answers.
    pub reverses_polarity_on_answer: bool,
}

impl Destination {
    /// Answers, and talks until the box hangs up.
    #[must_use]
    pub fn answering(ringback_ms: u64, speech: Speech) -> Self {
        let then = Then::Answers { speech, hang_up_after_ms: None };
        Self { ringback_ms, then, reverses_polarity_on_answer: false }
    }

    /// Does not answer.
    #[must_use]
    pub fn refusing(then: Then) -> Self {
        Self { ringback_ms: 0, then, reverses_polarity_on_answer: false }
    }
}

/// What a destination does.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// It answers.
    Answers {
        /// What is said.
        speech: Speech,
        /// From answering to hanging up; `None`: not before the box does.
        hang_up_after_ms: Option<u64>,
    },
    /// It is busy.
    Busy,
    /// The network has no way there.
    Reorder,
    /// It rings for three minutes, then there is reorder tone.
    NoAnswer,
    /// The special information tone, without the announcement.
    SpecialInformation,
}

/// Somebody calls the line.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerIn {
    /// Number as the display is to show it; empty for none.
    pub number: String,
    /// Name; empty for none.
    pub name: String,
    /// Whether the number may be shown.
    pub presentation: Presentation,
    /// The date that is sent with the number.
    pub at: LocalTime,
    /// What the caller says once the box has answered.
    pub speech: Speech,
    /// From the first sign of the call to giving up; `None`: rings for ever.
    pub gives_up_after_ms: Option<u64>,
    /// From the answer to hanging up; `None`: not before the box does.
    pub hang_up_after_ms: Option<u64>,
    /// Whether TIP and RING change places when the box answers.
    pub reverses_polarity_on_answer: bool,
}

impl CallerIn {
    /// A patient caller with this number, who says nothing.
    #[must_use]
    pub fn new(number: &str) -> Self {
        Self {
            number: number.to_owned(),
            name: String::new(),
            presentation: Presentation::Allowed,
            at: LocalTime { month: 1, day: 1, hour: 12, minute: 0 },
            speech: Speech::Silence,
            gives_up_after_ms: None,
            hang_up_after_ms: None,
            reverses_polarity_on_answer: false,
        }
    }

    pub(super) fn caller_id(&self) -> CallerId {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        CallerId {
            number: some(&self.number),
            name: some(&self.name),
            presentation: self.presentation,
            at: self.at,
        }
    }
}
