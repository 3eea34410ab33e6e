//! The office's days and hours: every report and every filter by date is in its time zone.

use crate::time::WallTime;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use std::ops::Range;

/// Every time.
pub const EVER: Range<WallTime> = WallTime(0)..WallTime(u64::MAX);
const HOUR_MS: u64 = 3_600_000;
const DAY_HOURS: u64 = 24;

/// A span of days that is asked for by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The day it is.
    Today,
    /// The day before.
    Yesterday,
    /// The day it is and the six before.
    Last7Days,
    /// The day it is and the 29 before.
    Last30Days,
    /// From the first of the month on.
    ThisMonth,
    /// The whole month before.
    LastMonth,
    /// From the first of January on.
    ThisYear,
    /// Everything.
    AllTime,
}

impl Preset {
    /// Every one, the shortest first.
    pub const ALL: [Self; 8] = [
        Self::Today,
        Self::Yesterday,
        Self::Last7Days,
        Self::Last30Days,
        Self::ThisMonth,
        Self::LastMonth,
        Self::ThisYear,
        Self::AllTime,
    ];

    /// The name in the API and in addresses, CallRail's where it has one.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Yesterday => "yesterday",
            Self::Last7Days => "last_7_days",
            Self::Last30Days => "last_30_days",
            Self::ThisMonth => "this_month",
            Self::LastMonth => "last_month",
            Self::ThisYear => "this_year",
            Self::AllTime => "all_time",
        }
    }

    /// The name on a page.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Today => "Today",
            Self::Yesterday => "Yesterday",
            Self::Last7Days => "Last 7 days",
            Self::Last30Days => "Last 30 days",
            Self::ThisMonth => "This month",
            Self::LastMonth => "Last month",
            Self::ThisYear => "This year",
            Self::AllTime => "All time",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.word() == word)
    }

    /// First and last day, seen from `today`; `None` for all time.
    #[must_use]
    pub fn days(self, today: Date) -> Option<(Date, Date)> {
        let back = |days: i32| today.saturating_sub(days.days());
        let before = today.first_of_month().yesterday().unwrap_or(today);
        Some(match self {
            Self::Today => (today, today),
            Self::Yesterday => (back(1), back(1)),
            Self::Last7Days => (back(6), today),
            Self::Last30Days => (back(29), today),
            Self::ThisMonth => (today.first_of_month(), today),
            Self::LastMonth => (before.first_of_month(), before),
            Self::ThisYear => (today.first_of_year(), today),
            Self::AllTime => return None,
        })
    }
}

/// A place in the office's week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The day.
    pub day: Date,
    /// 0 for Monday to 6 for Sunday.
    pub weekday: usize,
    /// 0..=23 on the office's clock.
    pub hour: usize,
}

/// Tells the day and the hour of calls; quick for calls of the same day one after the other.
pub struct Calendar {
    zone: TimeZone,
    /// Begin and end of the last day asked for, if it has 24 hours, and its date.
    last: Option<(Range<u64>, Date)>,
}

impl Calendar {
    /// The calendar of a time zone.
    #[must_use]
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// Day and hour of a time.
    pub fn place(&mut self, at: WallTime) -> Place {
        if let Some((hours, day)) = self.last.as_ref().filter(|(hours, _)| hours.contains(&at.0)) {
            let hour = usize::try_from((at.0 - hours.start) / HOUR_MS).unwrap_or(0);
            return placed(*day, hour);
        }
        let local = timestamp(at).to_zoned(self.zone.clone());
        let day = local.date();
        let (begin, end) = (start_of(day, &self.zone), start_of(next(day), &self.zone));
        // The hours of a day on which the clocks change cannot be counted off.
        self.last = (end.0.saturating_sub(begin.0) == DAY_HOURS * HOUR_MS).then_some((begin.0..end.0, day));
        placed(day, usize::try_from(local.hour()).unwrap_or(0))
    }
}

fn placed(day: Date, hour: usize) -> Place {
    let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
    Place { day, weekday, hour }
}

/// The moment at which a day begins in a time zone.
#[must_use]
pub fn start_of(day: Date, zone: &TimeZone) -> WallTime {
    let begin = day.to_zoned(zone.clone()).and_then(|midnight| midnight.start_of_day());
    let ms = begin.map_or(0, |begin| begin.timestamp().as_millisecond());
    WallTime(u64::try_from(ms).unwrap_or(0))
}

/// From the first moment of one day to the last of another.
#[must_use]
pub fn days(first: Date, last: Date, zone: &TimeZone) -> Range<WallTime> {
    start_of(first, zone)..start_of(next(last), zone)
}

/// The day of a moment.
#[must_use]
pub fn day_of(at: WallTime, zone: &TimeZone) -> Date {
    timestamp(at).to_zoned(zone.clone()).date()
}

/// The day after.
#[must_use]
pub fn next(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

/// The Monday on or before a day.
#[must_use]
pub fn monday(day: Date) -> Date {
    day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days())
}

/// A moment as the office writes it: `2026-11-22 07:05`.
#[must_use]
pub fn local(at: WallTime, zone: &TimeZone) -> String {
    timestamp(at).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A moment with the office's offset, RFC 3339: `2026-11-22T07:05:09.120-06:00`.
#[must_use]
pub fn rfc3339(at: WallTime, zone: &TimeZone) -> String {
    let zoned = timestamp(at).to_zoned(zone.clone());
    zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

fn timestamp(at: WallTime) -> Timestamp {
    Timestamp::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn chicago() -> TimeZone {
        TimeZone::get("America/Chicago").unwrap()
    }

    fn at(text: &str) -> WallTime {
        WallTime::parse(text).unwrap()
    }

    #[test]
    fn a_call_after_midnight_in_london_is_of_the_evening_before_in_chicago() {
        let mut calendar = Calendar::new(chicago());
        let place = calendar.place(at("2026-11-23T02:30:00Z"));
        assert_eq!(place, Place { day: date(2026, 11, 22), weekday: 6, hour: 20 });
        // The same day again, from the remembered one.
        let place = calendar.place(at("2026-11-22T06:00:00Z"));
        assert_eq!(place, Place { day: date(2026, 11, 22), weekday: 6, hour: 0 });
    }

    #[test]
    fn the_clock_of_a_day_on_which_it_changes_is_the_one_on_the_wall() {
        let mut calendar = Calendar::new(chicago());
        // 2026-11-01: 2 o'clock is 1 o'clock once more.
        for (utc, hour) in [("06:30", 1), ("07:30", 1), ("08:30", 2), ("23:30", 17)] {
            let place = calendar.place(at(&format!("2026-11-01T{utc}:00Z")));
            assert_eq!((place.day, place.hour), (date(2026, 11, 1), hour), "{utc}");
        }
        let day = days(date(2026, 11, 1), date(2026, 11, 1), &chicago());
        assert_eq!(day.end.0 - day.start.0, 25 * HOUR_MS);
    }

    #[test]
    fn the_spans_are_the_offices_days() {
        let today = date(2026, 3, 5);
        let days = |preset: Preset| preset.days(today);
        assert_eq!(days(Preset::Yesterday), Some((date(2026, 3, 4), date(2026, 3, 4))));
        assert_eq!(days(Preset::Last7Days), Some((date(2026, 2, 27), today)));
        assert_eq!(days(Preset::LastMonth), Some((date(2026, 2, 1), date(2026, 2, 28))));
        assert_eq!(days(Preset::ThisYear), Some((date(2026, 1, 1), today)));
        assert_eq!(days(Preset::AllTime), None);
        for preset in Preset::ALL {
            assert_eq!(Preset::named(preset.word()), Some(preset));
        }
    }

    #[test]
    fn a_week_begins_on_monday() {
        assert_eq!(monday(date(2026, 11, 26)), date(2026, 11, 23));
        assert_eq!(monday(date(2026, 11, 23)), date(2026, 11, 23));
    }

    #[test]
    fn a_time_is_said_with_the_offices_offset() {
        assert_eq!(rfc3339(at("2026-11-22T13:05:09.120Z"), &chicago()), "2026-11-22T07:05:09.120-06:00");
        assert_eq!(local(at("2026-11-22T13:05:09.120Z"), &chicago()), "2026-11-22 07:05");
    }
}
