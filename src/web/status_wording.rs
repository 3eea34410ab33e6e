//! How the state of the box is said: by the page, by `ringside status` and by `ringside top`, in the same words.

use super::wording;
use crate::{
    status::{
        Balance, Battery, CallStatus, DialTone, HangUpSignal, LedColour, LedPattern, LedStatus, Lifeline,
        LineHealth, LineState, LineStatus, Measured, MediaStatus, PhoneState, PhoneStatus, StorageStatus,
        SyncState, SyncStatus, TrackedCall, TrackedState, Trend, TrunkState, UntrackedCall,
    },
    time::WallTime,
};

/// What an office line does.
#[must_use]
pub const fn line_state(state: LineState) -> &'static str {
    match state {
        LineState::Unknown => "unknown",
        LineState::Idle => "idle",
        LineState::Ringing => "ringing",
        LineState::Seized => "dialling",
        LineState::Talking => "in a call",
        LineState::Releasing => "hanging up",
        LineState::Down => "down",
    }
}

/// What a phone does.
#[must_use]
pub const fn phone_state(state: PhoneState) -> &'static str {
    match state {
        PhoneState::Unknown => "unknown",
        PhoneState::Idle => "idle",
        PhoneState::Ringing => "ringing",
        PhoneState::Talking => "in a call",
        PhoneState::OffHook => "off hook",
        PhoneState::Down => "down",
    }
}

/// What an idle line is fed with.
#[must_use]
pub const fn battery(battery: Battery) -> &'static str {
    match battery {
        Battery::Absent => "no battery",
        Battery::Shared => "another phone is off hook",
        Battery::Whole => "battery",
    }
}

/// Whether calls can come from a trunk.
#[must_use]
pub fn trunk(state: &TrunkState) -> String {
    match state {
        TrunkState::Peer => "ready, by address".to_owned(),
        TrunkState::Unregistered => "not registered".to_owned(),
        TrunkState::Trying => "registering".to_owned(),
        TrunkState::Registered { .. } => "registered".to_owned(),
        TrunkState::Refused { status, reason } => format!("refused: {status} {reason}"),
        TrunkState::Unreachable => "does not answer".to_owned(),
    }
}

/// How a lamp shines: `off`, `green`, `red, flashing fast`.
#[must_use]
pub fn led(led: &LedStatus) -> String {
    let colour = match led.colour {
        LedColour::Green => "green",
        LedColour::Amber => "amber",
        LedColour::Red => "red",
    };
    match led.pattern {
        LedPattern::Off => "off".to_owned(),
        LedPattern::On => colour.to_owned(),
        LedPattern::Slow => format!("{colour}, flashing slowly"),
        LedPattern::Fast => format!("{colour}, flashing fast"),
        LedPattern::Double => format!("{colour}, flashing twice"),
        LedPattern::Wink => format!("{colour}, winking"),
    }
}

/// Where the relay stands.
#[must_use]
pub const fn lifeline(lifeline: Lifeline) -> &'static str {
    match lifeline {
        Lifeline::Joined => "joined: the phone is directly on the line",
        Lifeline::Parted => "parted: the box is between phone and line",
    }
}

/// How the disk does: `writing, 82 % free`.
#[must_use]
pub fn storage(storage: &StorageStatus) -> String {
    let state = if storage.ok { "writing" } else { "not writing" };
    storage.free_percent.map_or_else(|| state.to_owned(), |free| format!("{state}, {free} % free"))
}

/// How syncing does: `up to date`, `behind: 3 records and 2 recordings wait`.
#[must_use]
pub fn sync(sync: &SyncStatus) -> String {
    let state = match sync.state {
        SyncState::Off => return "off: no upstream is configured".to_owned(),
        SyncState::UpToDate => "up to date",
        SyncState::Sending => "sending",
        SyncState::Behind => "behind",
        SyncState::Unreachable => "the upstream does not answer",
        SyncState::UnknownBox => "the upstream does not know this box",
        SyncState::Refusing => "the upstream refuses some",
    };
    let waits = sync.waiting().map_or_else(String::new, |waits| format!(": {waits}"));
    let refused = if sync.refused > 0 { format!(", {} refused", sync.refused) } else { String::new() };
    format!("{state}{waits}{refused}")
}

/// How a line tells that the far end hung up.
#[must_use]
pub const fn hang_up_signal(signal: HangUpSignal) -> &'static str {
    match signal {
        HangUpSignal::OpenLoop => "open loop",
        HangUpSignal::PolarityReversal => "polarity reversal",
        HangUpSignal::Tone => "tone",
        HangUpSignal::None => "none, only silence",
    }
}

/// Said while the button has opened set-up mode. Until the page has accounts it is served to this machine only, so
/// there is nothing yet that set-up mode could open.
pub const SET_UP: &str = "set-up mode, until the button is pressed or 15 minutes have passed";

/// A score against those of the tests before.
#[must_use]
pub fn trend(health: &LineHealth) -> Option<&'static str> {
    health.trend.map(|trend| match trend {
        Trend::Better => "getting better",
        Trend::Same => "as before",
        Trend::Worse => "getting worse",
    })
}

/// `92, as before`.
#[must_use]
pub fn health(health: &LineHealth) -> String {
    trend(health).map_or_else(|| health.score.to_string(), |trend| format!("{}, {trend}", health.score))
}

/// How the audio side does: `1.4 % of a processor, 0 overruns`.
#[must_use]
pub fn audio(media: &MediaStatus) -> String {
    let card = if media.card_up { "" } else { "no sound card, " };
    let cpu = media.cpu_percent.map_or_else(String::new, |cpu| format!("{cpu:.1} % of a processor, "));
    format!("{card}{cpu}{} overruns", media.xruns)
}

/// Days, hours and minutes, the two greatest of them: `3 h 12 min`.
#[must_use]
pub fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long since `since`: `0:42`.
#[must_use]
pub fn for_how_long(since: WallTime, now: WallTime) -> String {
    wording::duration(now.0.saturating_sub(since.0))
}

/// `no untracked calls`, `1 untracked call`, `6 untracked calls`.
#[must_use]
pub fn untracked(count: u64) -> String {
    match count {
        0 => "no untracked calls".to_owned(),
        1 => "1 untracked call".to_owned(),
        many => format!("{many} untracked calls"),
    }
}

/// What kind of call it is.
#[must_use]
pub const fn kind(call: &CallStatus) -> &'static str {
    match call {
        CallStatus::Tracked(_) => "Tracked call",
        CallStatus::Direct(_) => "Direct call",
        CallStatus::DialOut(_) => "Dialled out",
        CallStatus::Emergency(_) => "Emergency call",
    }
}

/// Who calls, if the call is tracked and it may be said.
#[must_use]
pub fn who(call: &TrackedCall) -> String {
    let number = wording::caller(call.caller_number.as_ref(), call.presentation);
    wording::caller_name(call.caller_name.as_deref(), call.presentation)
        .map_or_else(|| number.clone(), |name| format!("{name}, {number}"))
}

/// How far a tracked call is: `ringing`, `on PHONE1`.
#[must_use]
pub fn where_is(call: &TrackedCall) -> String {
    match (call.state, &call.port) {
        (TrackedState::Ringing, _) => "ringing".to_owned(),
        (TrackedState::Talking, Some(port)) => format!("on {port}"),
        (TrackedState::Talking, None) => "answered".to_owned(),
    }
}

/// The ports of a call that is not tracked: `LINE1 with PHONE2`.
#[must_use]
pub fn ports(call: &UntrackedCall) -> String {
    [&call.line, &call.phone].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" with ")
}

/// What there is to say of an office line beside its state, most important first.
#[must_use]
pub fn line_facts(line: &LineStatus) -> Vec<String> {
    let fed = line.battery.filter(|fed| *fed != Battery::Whole).map(|fed| battery(fed).to_owned());
    let health = line.health.as_ref().map(|tested| format!("health {}", health(tested)));
    [fed, line.volts.map(volts), health, (line.untracked > 0).then(|| untracked(line.untracked))]
        .into_iter()
        .flatten()
        .collect()
}

/// What there is to say of a phone beside its state.
#[must_use]
pub fn phone_facts(phone: &PhoneStatus) -> Vec<String> {
    let health = phone.health.as_ref().map(|tested| format!("health {}", health(tested)));
    [phone.user.clone(), phone.volts.map(volts), health].into_iter().flatten().collect()
}

/// `48 V`.
#[must_use]
pub fn volts(volts: f32) -> String {
    format!("{volts:.0} V")
}

/// What a line test measured, as rows of a name and a value.
#[must_use]
pub fn measured(measured: &Measured) -> Vec<(&'static str, String)> {
    let milliamps = |milliamps: f32| format!("{milliamps:.1} mA");
    let rows = match measured {
        Measured::Line(line) => vec![
            ("battery", line.battery_volts.map(|volts| format!("{volts:.1} V"))),
            ("loop current", line.loop_milliamps.map(milliamps)),
            ("dial tone", line.dial_tone.map(dial_tone)),
            ("echo", (!line.echo.is_empty()).then(|| tried(line.echo.iter().map(|e| (e.acim, e.erl_db))))),
            ("balance", line.chosen.map(balance)),
            ("caller ID", line.caller_id_seen.map(|seen| if seen { "seen" } else { "none" }.to_owned())),
        ],
        Measured::Phone(phone) => vec![
            ("battery", phone.battery_volts.map(|volts| format!("{volts:.1} V"))),
            ("leak", phone.leak_milliamps.map(milliamps)),
            ("ringers", phone.ren.map(|ren| format!("REN {ren:.1}"))),
        ],
    };
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn dial_tone(heard: DialTone) -> String {
    match heard {
        DialTone::Yes { after_ms } => format!("after {after_ms} ms"),
        DialTone::No => "none".to_owned(),
    }
}

fn tried(echo: impl Iterator<Item = (u8, f32)>) -> String {
    let with = |(acim, erl_db): (u8, f32)| format!("{erl_db:.1} dB weaker with impedance {acim}");
    echo.map(with).collect::<Vec<_>>().join(", ")
}

fn balance(chosen: Balance) -> String {
    let Balance { acim, hybrid, erl_db } = chosen;
    format!("impedance {acim}, hybrid {hybrid:?}: {erl_db:.1} dB weaker")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::made_up;

    #[test]
    fn a_lamp_is_said_with_colour_and_pattern() {
        let panel = made_up::busy().panel;
        assert_eq!(led(&panel[0]), "green");
        assert_eq!(led(&panel[1]), "green, flashing slowly");
        assert_eq!(led(&panel[2]), "off");
    }

    #[test]
    fn the_up_time_is_said_in_its_two_greatest_parts() {
        let said = [0, 59, 60, 3_599, 11_525, 86_400, 1_000_000].map(uptime);
        assert_eq!(said, ["0 s", "59 s", "1 min", "59 min", "3 h 12 min", "1 d 0 h", "11 d 13 h"]);
    }

    #[test]
    fn a_line_says_what_is_wrong_first() {
        let lines = made_up::busy().lines;
        assert_eq!(line_facts(&lines[0]), ["8 V", "health 100, as before", "6 untracked calls"]);
        assert_eq!(line_facts(&lines[1]), ["no battery", "0 V", "health 85, getting worse"]);
    }

    #[test]
    fn a_withheld_name_is_not_said() {
        let CallStatus::Tracked(call) = made_up::tracked(1, "PHONE1", Some(4)) else { unreachable!() };
        assert_eq!(who(&call), "Dana Ortiz, (206) 555-0173");
        let hidden = TrackedCall { presentation: crate::record::Presentation::Restricted, ..*call };
        assert_eq!(who(&hidden), "Anonymous caller");
    }

    #[test]
    fn a_line_test_is_said_row_by_row() {
        let health = made_up::idle().lines[0].health.clone().unwrap();
        let rows = measured(&health.measured);
        assert_eq!(rows[0], ("battery", "48.2 V".to_owned()));
        assert_eq!(rows[2], ("dial tone", "after 412 ms".to_owned()));
        assert_eq!(rows[3].1, "9.5 dB weaker with impedance 0, 19.0 dB weaker with impedance 2");
    }
}
