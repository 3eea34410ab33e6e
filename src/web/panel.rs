//! The strip of the live page that shows the box itself: lamps as they shine, lines, phones, alarms.

use super::{status_wording as words, view::Moment};
use crate::status::{
    Alarm, BoxStatus, LedColour, LedPattern, LedStatus, LineState, PhoneState, Severity, SyncState,
};

/// What the strip shows.
pub(super) struct PanelView {
    pub(super) leds: Vec<LedView>,
    pub(super) ports: Vec<PortView>,
    /// Trunks, untracked calls and the lifeline, in one line.
    pub(super) facts: String,
    pub(super) alarms: Vec<AlarmView>,
}

/// One lamp.
pub(super) struct LedView {
    pub(super) name: String,
    /// CSS class.
    pub(super) colour: &'static str,
    /// CSS class.
    pub(super) pattern: &'static str,
    pub(super) words: String,
}

/// One jack.
pub(super) struct PortView {
    pub(super) name: String,
    /// CSS class: `idle`, `busy`, `bad`.
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) facts: String,
}

/// One alarm.
pub(super) struct AlarmView {
    /// Differs with its start, so that a page never keeps the time of another alarm.
    pub(super) id: String,
    /// CSS class: `alarm-failure`, `alarm-warning`.
    pub(super) class: &'static str,
    pub(super) words: String,
    pub(super) since: Moment,
    pub(super) remedy: String,
}

impl PanelView {
    pub(super) fn new(status: &BoxStatus) -> Self {
        let phones = status.phones.iter().map(|phone| PortView {
            name: phone.port.clone(),
            class: phone_class(phone.state),
            state: words::phone_state(phone.state),
            facts: words::phone_facts(phone).join(" · "),
        });
        let lines = status.lines.iter().map(|line| PortView {
            name: line.port.clone(),
            class: line_class(line.state),
            state: words::line_state(line.state),
            facts: words::line_facts(line).join(" · "),
        });
        Self {
            leds: status.panel.iter().map(LedView::new).collect(),
            ports: phones.chain(lines).collect(),
            facts: facts(status),
            alarms: status.alarms.iter().map(AlarmView::new).collect(),
        }
    }
}

fn facts(status: &BoxStatus) -> String {
    let trunks = status.trunks.iter().map(|trunk| format!("{} {}", trunk.name, words::trunk(&trunk.state)));
    let lifeline = status.lifeline.map(|relay| format!("lifeline {}", words::lifeline(relay)));
    let untracked = words::untracked(status.counters.untracked);
    let sync = (status.sync.state != SyncState::Off).then(|| format!("sync {}", words::sync(&status.sync)));
    let set_up = status.set_up.then(|| words::SET_UP.to_owned());
    trunks.chain([untracked]).chain(lifeline).chain(sync).chain(set_up).collect::<Vec<_>>().join(" · ")
}

impl LedView {
    fn new(led: &LedStatus) -> Self {
        Self {
            name: led.name.clone(),
            colour: match led.colour {
                LedColour::Green => "green",
                LedColour::Amber => "amber",
                LedColour::Red => "red",
            },
            pattern: match led.pattern {
                LedPattern::Off => "off",
                LedPattern::On => "on",
                LedPattern::Slow => "slow",
                LedPattern::Fast => "fast",
                LedPattern::Double => "double",
                LedPattern::Wink => "wink",
            },
            words: words::led(led),
        }
    }
}

impl AlarmView {
    fn new(alarm: &Alarm) -> Self {
        Self {
            id: format!("alarm-{}-{}", alarm.code, alarm.since.0),
            class: match alarm.severity {
                Severity::Warning => "alarm-warning",
                Severity::Failure => "alarm-failure",
            },
            words: alarm.text.clone(),
            since: alarm.since.into(),
            remedy: alarm.remedy.clone(),
        }
    }
}

const fn line_class(state: LineState) -> &'static str {
    match state {
        LineState::Unknown | LineState::Idle => "idle",
        LineState::Ringing | LineState::Seized | LineState::Talking | LineState::Releasing => "busy",
        LineState::Down => "bad",
    }
}

const fn phone_class(state: PhoneState) -> &'static str {
    match state {
        PhoneState::Unknown | PhoneState::Idle => "idle",
        PhoneState::Ringing | PhoneState::Talking | PhoneState::OffHook => "busy",
        PhoneState::Down => "bad",
    }
}
