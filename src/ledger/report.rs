//! Adds calls up: by campaign, tracking number, agent, port, day, and hour of the week.

use super::{
    Book, Brief, Filter, Unreadable,
    calendar::{Calendar, monday},
    filter::Site,
    label::{AnswerStatus, Booking},
    names::{Kind, Names},
};
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// Days of a week and hours of a day.
pub const WEEK: usize = 7;
/// Hours of a day.
pub const DAY: usize = 24;

/// What some calls add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls.
    pub calls: u64,
    /// By answer status, in the order of [`AnswerStatus::ALL`].
    pub status: [u64; 4],
    /// By booking label, in the order of [`Booking::ALL`].
    pub booking: [u64; 5],
    /// Calls of callers who had not called before.
    pub first_time: u64,
    /// Milliseconds on the phone.
    pub talk_ms: u64,
    /// Milliseconds from the first ring to the answer, of all that were answered.
    pub answer_ms: u64,
}

impl Sums {
    /// Adds a call.
    pub fn take(&mut self, call: &Brief<'_>) {
        self.calls += 1;
        if let Some(count) = self.status.get_mut(usize::from(call.answer.code())) {
            *count += 1;
        }
        if let Some(count) = self.booking.get_mut(usize::from(call.booking.code())) {
            *count += 1;
        }
        self.first_time += u64::from(call.first == Some(true));
        self.talk_ms += u64::from(call.talk_ms.unwrap_or(0));
        if call.answered() {
            self.answer_ms += u64::from(call.ring_ms.unwrap_or(0));
        }
    }

    /// Adds what other calls add up to.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        for (count, more) in self.status.iter_mut().zip(other.status) {
            *count += more;
        }
        for (count, more) in self.booking.iter_mut().zip(other.booking) {
            *count += more;
        }
        self.first_time += other.first_time;
        self.talk_ms += other.talk_ms;
        self.answer_ms += other.answer_ms;
    }

    /// Calls of this status.
    #[must_use]
    pub fn of(&self, status: AnswerStatus) -> u64 {
        self.status.get(usize::from(status.code())).copied().unwrap_or(0)
    }

    /// Calls of this label.
    #[must_use]
    pub fn labelled(&self, label: Booking) -> u64 {
        self.booking.get(usize::from(label.code())).copied().unwrap_or(0)
    }

    /// Calls that a person answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.of(AnswerStatus::Answered)
    }

    /// Calls that nobody answered, whoever gave up first.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.of(AnswerStatus::Missed) + self.of(AnswerStatus::Abandoned)
    }

    /// Answered calls of a hundred; `None` without calls.
    #[must_use]
    pub fn answered_percent(&self) -> Option<f64> {
        percent(self.answered(), self.calls)
    }

    /// Mean milliseconds of ringing before an answer.
    #[must_use]
    pub fn time_to_answer_ms(&self) -> Option<u64> {
        self.answer_ms.checked_div(self.answered())
    }
}

/// A part of a hundred.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// A named group of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Id in the directory, or the name; empty for calls that have none.
    pub id: String,
    /// As shown; empty for calls that have none.
    pub name: String,
    /// What they add up to.
    pub sums: Sums,
}

/// What all the calls of a filter add up to.
#[derive(Clone, Debug)]
pub struct Report {
    /// All of them.
    pub all: Sums,
    /// By campaign, the most calls first.
    pub campaigns: Vec<Group>,
    /// By where the numbers are advertised.
    pub sources: Vec<Group>,
    /// By tracking number.
    pub numbers: Vec<Group>,
    /// By who had them.
    pub agents: Vec<Group>,
    /// By the port that answered.
    pub ports: Vec<Group>,
    /// By tag; a call may have several.
    pub tags: Vec<Group>,
    /// By day, the first first; days without calls are left out.
    pub days: Vec<(Date, Sums)>,
    /// Calls and missed calls by weekday, Monday first, and hour.
    pub week: [[(u64, u64); DAY]; WEEK],
}

/// Adds up the calls that are meant.
///
/// # Errors
/// If they cannot be read.
pub fn report(book: &dyn Book, filter: &Filter, site: &Site) -> Result<Report, Unreadable> {
    let names = book.names()?;
    let sieve = filter.sieve(&names, site);
    let mut adding = Adding::new(site);
    book.scan(&sieve.range, &mut |call| {
        if sieve.passes(call) {
            adding.take(call);
        }
    })?;
    Ok(adding.report(&names))
}

struct Adding {
    calendar: Calendar,
    all: Sums,
    campaigns: BTreeMap<u64, Sums>,
    numbers: BTreeMap<u64, Sums>,
    agents: BTreeMap<u64, Sums>,
    ports: BTreeMap<u64, Sums>,
    tags: BTreeMap<u64, Sums>,
    days: BTreeMap<Date, Sums>,
    week: [[(u64, u64); DAY]; WEEK],
}

impl Adding {
    fn new(site: &Site) -> Self {
        Self {
            calendar: Calendar::new(site.zone.clone()),
            all: Sums::default(),
            campaigns: BTreeMap::new(),
            numbers: BTreeMap::new(),
            agents: BTreeMap::new(),
            ports: BTreeMap::new(),
            tags: BTreeMap::new(),
            days: BTreeMap::new(),
            week: [[(0, 0); DAY]; WEEK],
        }
    }

    fn take(&mut self, call: &Brief<'_>) {
        let place = self.calendar.place(call.start);
        self.all.take(call);
        self.campaigns.entry(call.campaign).or_default().take(call);
        self.numbers.entry(call.tracking).or_default().take(call);
        self.agents.entry(call.agent).or_default().take(call);
        self.ports.entry(u64::from(call.port)).or_default().take(call);
        for tag in call.tags() {
            self.tags.entry(u64::from(tag)).or_default().take(call);
        }
        self.days.entry(place.day).or_default().take(call);
        if let Some(hour) = self.week.get_mut(place.weekday).and_then(|day| day.get_mut(place.hour)) {
            hour.0 += 1;
            hour.1 += u64::from(matches!(call.answer, AnswerStatus::Missed | AnswerStatus::Abandoned));
        }
    }

    fn report(self, names: &Names) -> Report {
        let mut sources: BTreeMap<String, Sums> = BTreeMap::new();
        for (&key, sums) in &self.campaigns {
            let source = names.get(Kind::Campaign, key).and_then(|named| named.source.clone());
            sources.entry(source.unwrap_or_default()).or_default().add(sums);
        }
        let sources = sources.into_iter().map(|(name, sums)| Group { id: name.clone(), name, sums });
        let short = |kind: Kind| -> BTreeMap<u64, (String, String)> {
            let all = names.all(kind);
            all.map(|(key, named)| {
                let key = u64::from(super::names::shortened(key));
                (key, (named.id.clone(), named.name.clone()))
            })
            .collect()
        };
        let (ports, tags) = (short(Kind::Port), short(Kind::Tag));
        let named = |kind: Kind| {
            move |key: u64| names.get(kind, key).map(|named| (named.id.clone(), named.name.clone()))
        };
        let number = |digits: u64| Some((format!("+{digits}"), format!("+{digits}")));
        Report {
            all: self.all,
            campaigns: groups(self.campaigns, named(Kind::Campaign)),
            sources: sorted(sources.collect()),
            numbers: groups(self.numbers, number),
            agents: groups(self.agents, named(Kind::Agent)),
            ports: groups(self.ports, |key| ports.get(&key).cloned()),
            tags: groups(self.tags, |key| tags.get(&key).cloned()),
            days: self.days.into_iter().collect(),
            week: self.week,
        }
    }
}

fn groups(sums: BTreeMap<u64, Sums>, name: impl Fn(u64) -> Option<(String, String)>) -> Vec<Group> {
    let group = |(key, sums): (u64, Sums)| {
        let (id, name) = name(key).filter(|_| key != 0).unwrap_or_default();
        Group { id, name, sums }
    };
    sorted(sums.into_iter().map(group).collect())
}

/// The most calls first; groups of as many by their names.
fn sorted(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| b.sums.calls.cmp(&a.sums.calls).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// Length of the steps of a time series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Interval {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];
    /// More days than this are drawn by weeks, more weeks by months.
    const MOST_STEPS: usize = 62;

    /// The name in the API and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.word() == word)
    }

    /// The one that draws a span of days best.
    #[must_use]
    pub const fn for_days(days: usize) -> Self {
        match days {
            _ if days <= Self::MOST_STEPS => Self::Day,
            _ if days <= 7 * Self::MOST_STEPS => Self::Week,
            _ => Self::Month,
        }
    }

    /// The first day of the step that a day is in.
    #[must_use]
    pub fn begin(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => monday(day),
            Self::Month => day.first_of_month(),
        }
    }
}

impl Report {
    /// Calls step by step from `first` to `last`, also where there were none; at most 4,000 steps.
    #[must_use]
    pub fn series(&self, interval: Interval, first: Date, last: Date) -> Vec<(Date, Sums)> {
        const MOST: usize = 4_000;
        let mut steps: BTreeMap<Date, Sums> = BTreeMap::new();
        let mut day = first;
        while day <= last && steps.len() < MOST {
            steps.entry(interval.begin(day)).or_default();
            let next = super::calendar::next(day);
            if next == day {
                break;
            }
            day = next;
        }
        for (day, sums) in self.days.iter().filter(|(day, _)| (first..=last).contains(day)) {
            if let Some(step) = steps.get_mut(&interval.begin(*day)) {
                step.add(sums);
            }
        }
        steps.into_iter().collect()
    }
}
