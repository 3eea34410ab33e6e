//! Which calls are meant: what a page's form, an address or a command line says, checked once, and as a quick test.

use super::{
    Brief, Names,
    brief::{Lead, digits},
    calendar::{self, EVER, Preset},
    label::{AnswerStatus, Booking, GOOD_LEAD, NOT_A_LEAD},
    names::{self, Kind},
};
use crate::{
    number::{Dialplan, E164},
    time::WallTime,
};
use jiff::{civil::Date, tz::TimeZone};
use std::ops::Range;

/// Longest value of a parameter, in bytes: nothing that is asked for is longer.
pub const MAX_VALUE_BYTES: usize = 200;
/// Names of the parameters.
pub const PARAMETERS: [&str; 15] = [
    "date_range",
    "start_date",
    "end_date",
    "campaign",
    "tracking_phone_number",
    "answered",
    "answer_status",
    "first_call",
    "tag",
    "lead_status",
    "booking",
    "agent",
    "recorded",
    "search",
    "company_id",
];

/// Parameters that are none of a filter, and their values.
pub type Others<'a> = Vec<(&'a str, &'a str)>;

/// A parameter that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{parameter}`: {why}")]
pub struct Wrong {
    /// Name of the parameter.
    pub parameter: String,
    /// What is the matter, and what would be right.
    pub why: String,
}

impl Wrong {
    /// A parameter and what is the matter with it.
    pub fn new(parameter: &str, why: impl Into<String>) -> Self {
        Self { parameter: parameter.to_owned(), why: why.into() }
    }
}

/// Where and when the question is asked.
#[derive(Clone, Debug)]
pub struct Site {
    /// The office's time zone.
    pub zone: TimeZone,
    /// How numbers are dialled there.
    pub plan: Dialplan,
    /// The time it is.
    pub now: WallTime,
}

/// Which calls are meant. What is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The span by its name.
    pub preset: Option<&'static str>,
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub to: Option<Date>,
    /// Id or name of a campaign; empty for calls without one.
    pub campaign: Option<String>,
    /// A tracking number.
    pub tracking: Option<E164>,
    /// Whether they were answered.
    pub answered: Option<bool>,
    /// How they were answered or not.
    pub status: Option<AnswerStatus>,
    /// Whether the caller was new.
    pub first: Option<bool>,
    /// A tag.
    pub tag: Option<String>,
    /// What they are worth.
    pub lead: Option<&'static str>,
    /// What became of them.
    pub booking: Option<Booking>,
    /// Id or name of who had them.
    pub agent: Option<String>,
    /// Whether there is a recording.
    pub recorded: Option<bool>,
    /// A number in any spelling, its last digits, or a name.
    pub search: Option<String>,
}

/// [`Filter::lead`] of calls of which nobody has said what they are worth.
const UNMARKED: &str = "unmarked";

impl Filter {
    /// Takes one parameter; false if it is none of a filter.
    ///
    /// # Errors
    /// If its value is not one of this parameter.
    pub fn take(&mut self, parameter: &str, value: &str, site: &Site) -> Result<bool, Wrong> {
        let value = value.trim();
        if !PARAMETERS.contains(&parameter) {
            return Ok(false);
        }
        if value.len() > MAX_VALUE_BYTES || value.contains(|letter: char| letter.is_control()) {
            return Err(Wrong::new(parameter, format!("at most {MAX_VALUE_BYTES} bytes of plain text")));
        }
        if value.is_empty() {
            return Ok(true);
        }
        let text = || Some(value.to_owned());
        match parameter {
            "date_range" => {
                self.preset =
                    Some(one_of(parameter, value, Preset::ALL.map(Preset::word), Preset::named)?.word());
            }
            "start_date" => self.from = Some(day(parameter, value, &site.zone)?),
            "end_date" => self.to = Some(day(parameter, value, &site.zone)?),
            "campaign" => self.campaign = text(),
            "tracking_phone_number" => {
                let number = E164::from_dialled(value, &site.plan);
                let why = "not a telephone number; write it with its area code";
                self.tracking = Some(number.ok_or_else(|| Wrong::new(parameter, why))?);
            }
            "answered" => self.answered = Some(yes_or_no(parameter, value)?),
            "answer_status" => {
                let all = AnswerStatus::ALL.map(AnswerStatus::word);
                self.status = Some(one_of(parameter, value, all, AnswerStatus::named)?);
            }
            "first_call" => self.first = Some(yes_or_no(parameter, value)?),
            "tag" => self.tag = text(),
            "lead_status" => {
                let all = [GOOD_LEAD, NOT_A_LEAD, UNMARKED];
                let found = |word: &str| all.into_iter().find(|known| *known == word);
                self.lead = Some(one_of(parameter, value, all, found)?);
            }
            "booking" => {
                self.booking =
                    Some(one_of(parameter, value, Booking::ALL.map(Booking::word), Booking::named)?);
            }
            "agent" => self.agent = text(),
            "recorded" => self.recorded = Some(yes_or_no(parameter, value)?),
            "search" => self.search = text(),
            // One box is one company.
            _ => {}
        }
        Ok(true)
    }

    /// The filter of these parameters, and the parameters that are none of a filter.
    ///
    /// # Errors
    /// Which one is not what it should be.
    pub fn of<'a>(pairs: &'a [(String, String)], site: &Site) -> Result<(Self, Others<'a>), Wrong> {
        let mut filter = Self::default();
        let mut others = Vec::new();
        for (at, (parameter, value)) in pairs.iter().enumerate() {
            if pairs.iter().take(at).any(|(earlier, _)| earlier == parameter) {
                return Err(Wrong::new(&shown(parameter), "given twice; give it once"));
            }
            if !filter.take(parameter, value, site)? {
                others.push((parameter.as_str(), value.as_str()));
            }
        }
        if filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) {
            return Err(Wrong::new("end_date", "before `start_date`; exchange the two"));
        }
        Ok((filter, others))
    }

    /// First and last day, as far as they are said.
    #[must_use]
    pub fn days(&self, today: Date) -> (Option<Date>, Option<Date>) {
        let preset = self.preset.and_then(Preset::named).and_then(|preset| preset.days(today));
        (self.from.or(preset.map(|days| days.0)), self.to.or(preset.map(|days| days.1)))
    }

    /// The span of time that is meant.
    #[must_use]
    pub fn range(&self, site: &Site) -> Range<WallTime> {
        let (from, to) = self.days(calendar::day_of(site.now, &site.zone));
        let start = from.map_or(EVER.start, |from| calendar::start_of(from, &site.zone));
        let end = to.map_or(EVER.end, |to| calendar::start_of(calendar::next(to), &site.zone));
        start..end.max(start)
    }

    /// The parameters that say the same.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let yes_no = |yes: Option<bool>| yes.map(|yes| yes.to_string());
        let all = [
            ("date_range", self.preset.map(str::to_owned)),
            ("start_date", self.from.map(|day| day.to_string())),
            ("end_date", self.to.map(|day| day.to_string())),
            ("campaign", self.campaign.clone()),
            ("tracking_phone_number", self.tracking.as_ref().map(ToString::to_string)),
            ("answered", yes_no(self.answered)),
            ("answer_status", self.status.map(|status| status.word().to_owned())),
            ("first_call", yes_no(self.first)),
            ("tag", self.tag.clone()),
            ("lead_status", self.lead.map(str::to_owned)),
            ("booking", self.booking.map(|booking| booking.word().to_owned())),
            ("agent", self.agent.clone()),
            ("recorded", yes_no(self.recorded)),
            ("search", self.search.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
    }

    /// The filter as a quick test; `names` are those of the calls.
    #[must_use]
    pub fn sieve(&self, names: &Names, site: &Site) -> Sieve {
        let keys = |kind: Kind, asked: &Option<String>| {
            asked.as_ref().map(|asked| {
                let is_meant = |id: &str, name: &str| id == asked || name.eq_ignore_ascii_case(asked);
                let found = names.all(kind).filter(|(_, named)| is_meant(&named.id, &named.name));
                found.map(|(key, _)| key).collect::<Vec<u64>>()
            })
        };
        Sieve {
            range: self.range(site),
            campaigns: keys(Kind::Campaign, &self.campaign),
            agents: keys(Kind::Agent, &self.agent),
            tracking: self.tracking.as_ref().map(digits),
            answered: self.answered,
            status: self.status,
            first: self.first,
            tag: self.tag.as_ref().map(|tag| names::short(Kind::Tag, tag)),
            lead: self.lead.map(|lead| match lead {
                GOOD_LEAD => Lead::Good,
                NOT_A_LEAD => Lead::None,
                _ => Lead::Unsaid,
            }),
            booking: self.booking,
            recorded: self.recorded,
            text: self.search.as_ref().map(|search| Text::of(search, names, site)),
        }
    }
}

/// A filter made ready for many calls.
pub struct Sieve {
    /// The span of time that is meant.
    pub range: Range<WallTime>,
    campaigns: Option<Vec<u64>>,
    agents: Option<Vec<u64>>,
    tracking: Option<u64>,
    answered: Option<bool>,
    status: Option<AnswerStatus>,
    first: Option<bool>,
    tag: Option<u32>,
    lead: Option<Lead>,
    booking: Option<Booking>,
    recorded: Option<bool>,
    text: Option<Text>,
}

impl Sieve {
    /// Whether a call is meant.
    #[must_use]
    pub fn passes(&self, call: &Brief<'_>) -> bool {
        let among = |keys: &Option<Vec<u64>>, key: u64| keys.as_ref().is_none_or(|keys| keys.contains(&key));
        self.range.contains(&call.start)
            && self.answered.is_none_or(|answered| answered == call.answered())
            && self.status.is_none_or(|status| status == call.answer)
            && self.tracking.is_none_or(|tracking| tracking == call.tracking)
            && among(&self.campaigns, call.campaign)
            && among(&self.agents, call.agent)
            && self.first.is_none_or(|first| call.first == Some(first))
            && self.lead.is_none_or(|lead| lead == call.lead)
            && self.booking.is_none_or(|booking| booking == call.booking)
            && self.recorded.is_none_or(|recorded| recorded == call.recorded)
            && self.tag.is_none_or(|tag| call.has_tag(tag))
            && self.text.as_ref().is_none_or(|text| text.is_in(call))
    }
}

/// What is searched for.
struct Text {
    /// A whole number.
    number: Option<u64>,
    /// The last digits of a number, and 10 to the power of how many they are.
    ending: Option<(u64, u64)>,
    /// In lower case.
    words: String,
    /// Campaigns whose name has it.
    campaigns: Vec<u64>,
}

/// Fewer digits than this are no number.
const FEWEST_DIGITS: usize = 3;
/// Digits of the longest number (ITU-T E.164 6.2).
const MOST_DIGITS: usize = 15;

impl Text {
    fn of(search: &str, names: &Names, site: &Site) -> Self {
        let words = search.trim().to_lowercase();
        let plain: String = words.chars().filter(char::is_ascii_digit).collect();
        // Only digits and what people put between them: "Route 66 Plumbing" is a name.
        let is_number = !words.contains(|letter: char| letter.is_alphabetic());
        let fits = is_number && (FEWEST_DIGITS..=MOST_DIGITS).contains(&plain.len());
        let ending = plain.parse().ok().filter(|_| fits);
        let power = u32::try_from(plain.len()).ok().and_then(|digits| 10_u64.checked_pow(digits));
        let has_it = |name: &str| name.to_lowercase().contains(&words);
        Self {
            number: E164::from_dialled(search, &site.plan).as_ref().map(digits),
            ending: ending.zip(power),
            campaigns: names
                .all(Kind::Campaign)
                .filter(|(_, named)| has_it(&named.name))
                .map(|(key, _)| key)
                .collect(),
            words,
        }
    }

    fn is_in(&self, call: &Brief<'_>) -> bool {
        let is_meant = |number: u64| {
            number != 0
                && (self.number == Some(number)
                    || self.ending.is_some_and(|(ending, power)| number % power == ending))
        };
        is_meant(call.caller)
            || is_meant(call.tracking)
            || call.name.contains(&self.words)
            || self.campaigns.contains(&call.campaign)
    }
}

fn day(parameter: &str, value: &str, zone: &TimeZone) -> Result<Date, Wrong> {
    let day: Option<Date> = value.parse().ok().filter(|_| value.len() == 10);
    day.or_else(|| WallTime::parse(value).map(|at| calendar::day_of(at, zone)))
        .ok_or_else(|| Wrong::new(parameter, "not a day; write it as 2026-11-22"))
}

fn yes_or_no(parameter: &str, value: &str) -> Result<bool, Wrong> {
    one_of(parameter, value, ["true", "false"], |word| word.parse().ok())
}

/// The value that `value` names, or what it could have been.
pub fn one_of<T, const N: usize>(
    parameter: &str,
    value: &str,
    all: [&'static str; N],
    named: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Wrong> {
    named(value).ok_or_else(|| Wrong::new(parameter, format!("one of {} is expected", all.join(", "))))
}

/// A name from outside, short enough to be said back.
#[must_use]
pub fn shown(parameter: &str) -> String {
    parameter.chars().filter(|letter| !letter.is_control()).take(40).collect()
}
