//! What the office lines need somebody for, beside what the doctor finds in a snapshot.

use crate::{
    id::PortId,
    line::fxo,
    status::{Alarm, LineStatus, Severity},
    time::WallTime,
    web::wording,
};
use std::collections::BTreeMap;

/// The alarms that are on.
#[derive(Debug, Default)]
pub(super) struct LineAlarms(Vec<Standing>);

#[derive(Debug)]
struct Standing {
    line: PortId,
    alarm: fxo::Alarm,
    since: WallTime,
}

impl LineAlarms {
    /// An alarm has come or gone.
    pub(super) fn told(&mut self, line: PortId, alarm: fxo::Alarm, on: bool, at: WallTime) {
        self.0.retain(|one| (one.line, one.alarm) != (line, alarm));
        if on {
            self.0.push(Standing { line, alarm, since: at });
        }
    }

    /// Adds them to what the doctor has found, in the order of their age. What a row of the doctor says of the same
    /// line already is not said twice.
    pub(super) fn add_to(&self, alarms: &mut Vec<Alarm>, lines: &BTreeMap<PortId, LineStatus>) {
        for Standing { line, alarm, since } in &self.0 {
            let Some(port) = lines.get(line).map(|line| line.port.as_str()) else { continue };
            let code = code(*alarm);
            if alarms.iter().any(|found| found.code == code && found.text.contains(port)) {
                continue;
            }
            let (text, remedy) = wording::line_alarm(*alarm);
            alarms.push(Alarm {
                code: code.to_owned(),
                severity: Severity::Warning,
                text: format!("{port}: {text}"),
                since: *since,
                remedy: remedy.to_owned(),
            });
        }
        alarms.sort_by_key(|alarm| alarm.since);
    }
}

/// The doctor's row about the same thing.
const fn code(alarm: fxo::Alarm) -> &'static str {
    match alarm {
        fxo::Alarm::BatteryNotBack | fxo::Alarm::Unplugged | fxo::Alarm::LineHeld => "battery",
        fxo::Alarm::Overload => "overload",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: PortId = PortId(2);

    fn shown(alarms: &LineAlarms, mut found: Vec<Alarm>) -> Vec<(String, String)> {
        let lines = BTreeMap::from([(LINE, LineStatus::unknown("LINE1".to_owned()))]);
        alarms.add_to(&mut found, &lines);
        found.into_iter().map(|alarm| (alarm.code, alarm.text)).collect()
    }

    fn doctor(text: &str) -> Vec<Alarm> {
        let (code, remedy) = ("battery".to_owned(), String::new());
        let since = WallTime(5);
        vec![Alarm { code, severity: Severity::Failure, text: text.to_owned(), since, remedy }]
    }

    #[test]
    fn what_the_doctor_says_of_the_line_is_not_said_twice() {
        let mut alarms = LineAlarms::default();
        alarms.told(LINE, fxo::Alarm::Unplugged, true, WallTime(9));
        assert_eq!(shown(&alarms, Vec::new()).len(), 1);
        let found = doctor("no battery on LINE1");
        assert_eq!(shown(&alarms, found), [("battery".to_owned(), "no battery on LINE1".to_owned())]);
        assert_eq!(shown(&alarms, doctor("no battery on LINE2")).len(), 2, "another line");
        alarms.told(LINE, fxo::Alarm::Overload, true, WallTime(3));
        let shown_now = shown(&alarms, doctor("no battery on LINE1"));
        assert_eq!(shown_now[0].1, "LINE1: too much loop current", "the older one first");
    }

    #[test]
    fn an_alarm_that_is_over_is_gone() {
        let mut alarms = LineAlarms::default();
        alarms.told(LINE, fxo::Alarm::Overload, true, WallTime(3));
        alarms.told(LINE, fxo::Alarm::Overload, true, WallTime(4));
        assert_eq!(shown(&alarms, Vec::new()).len(), 1);
        alarms.told(LINE, fxo::Alarm::Overload, false, WallTime(5));
        assert!(shown(&alarms, Vec::new()).is_empty());
    }
}
