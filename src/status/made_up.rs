//! Boxes that never were, for tests.

use super::*;
use crate::{id::CallId, record::Presentation};

/// 2026-11-22T13:05:09Z.
pub(crate) const NOW: WallTime = WallTime(1_795_352_709_000);

fn before(seconds: u64) -> WallTime {
    WallTime(NOW.0 - seconds * 1000)
}

fn measured(erl_db: f32) -> LineMeasurement {
    LineMeasurement {
        battery_volts: Some(48.2),
        loop_milliamps: Some(26.4),
        dial_tone: Some(DialTone::Yes { after_ms: 412 }),
        echo: vec![ImpedanceEcho { acim: 0, erl_db: 9.5 }, ImpedanceEcho { acim: 2, erl_db }],
        chosen: Some(Balance { acim: 2, hybrid: [1, -3, 7, 0, 0, 2, 0, -1], erl_db }),
        caller_id_seen: Some(true),
    }
}

/// What `health::judge` makes of an echo of 19 dB after two good tests.
pub(crate) fn good_health() -> LineHealth {
    let measured = Measured::Line(measured(19.0));
    LineHealth {
        tested_at: before(3_600),
        measured,
        score: 100,
        deductions: Vec::new(),
        trend: Some(Trend::Same),
    }
}

/// What `health::judge` makes of an echo of 8 dB after a good test.
pub(crate) fn worse_health() -> LineHealth {
    let echo = Deduction {
        code: "echo".to_owned(),
        points: 15,
        text: "echo comes back only 8 dB weaker".to_owned(),
        remedy: "check that country is right in the configuration, and take extra phones off this line"
            .to_owned(),
    };
    LineHealth {
        measured: Measured::Line(measured(8.0)),
        score: 85,
        deductions: vec![echo],
        trend: Some(Trend::Worse),
        ..good_health()
    }
}

fn line(port: &str, health: LineHealth) -> LineStatus {
    LineStatus {
        state: LineState::Idle,
        battery: Some(Battery::Whole),
        volts: Some(48.2),
        milliamps: Some(0.0),
        polarity: Some(Polarity::Forward),
        chip_up: Some(true),
        caller_id_seen: Some(true),
        hang_up_signal: Some(HangUpSignal::OpenLoop),
        health: Some(health),
        ..LineStatus::unknown(port.to_owned())
    }
}

fn phone(port: &str) -> PhoneStatus {
    PhoneStatus {
        state: PhoneState::Idle,
        off_hook: Some(false),
        volts: Some(48.0),
        milliamps: Some(0.0),
        ren: Some(1.2),
        chip_up: Some(true),
        ..PhoneStatus::unknown(port.to_owned())
    }
}

fn led(name: &str, colour: LedColour, pattern: LedPattern) -> LedStatus {
    LedStatus { name: name.to_owned(), colour, pattern }
}

/// Everything works and nobody calls.
pub(crate) fn idle() -> BoxStatus {
    use LedColour::{Amber, Green, Red};
    BoxStatus {
        schema: SCHEMA.to_owned(),
        at: NOW,
        version: "0.1.0".to_owned(),
        started: before(11_525),
        uptime_s: 11_525,
        site: "Miller Plumbing".to_owned(),
        trunks: vec![TrunkStatus {
            name: "carrier".to_owned(),
            state: TrunkState::Registered { expires_s: 600 },
        }],
        lines: vec![line("LINE1", good_health()), line("LINE2", worse_health())],
        phones: vec![PhoneStatus { user: Some("Dana".to_owned()), ..phone("PHONE1") }, phone("PHONE2")],
        calls: Vec::new(),
        panel: vec![
            led("power", Green, LedPattern::On),
            led("net", Green, LedPattern::On),
            led("sync", Amber, LedPattern::Off),
            led("line1", Green, LedPattern::Wink),
            led("line2", Green, LedPattern::Wink),
            led("phone1", Green, LedPattern::Off),
            led("phone2", Green, LedPattern::Off),
            led("alarm", Red, LedPattern::Off),
        ],
        set_up: false,
        lifeline: Some(Lifeline::Parted),
        media: MediaStatus { card_up: true, cpu_percent: Some(1.4), xruns: 0, periods: 1_152_500 },
        storage: StorageStatus {
            ok: true,
            free_percent: Some(82),
            failed_recordings: 0,
            index_failed: false,
            room: Room::Enough,
        },
        sync: SyncStatus::default(),
        threads: ["line-io", "media", "signalling", "storage", "web"]
            .map(|name| ThreadStatus { name: name.to_owned(), ok: true, restarts: 0 })
            .to_vec(),
        alarms: Vec::new(),
        counters: CallCounters { tracked: 14, answered: 11, missed: 3, untracked: 6 },
    }
}

/// A tracked call that has been talked on for `talked_s` seconds; ringing if that is `None`.
pub(crate) fn tracked(n: u64, port: &str, talked_s: Option<u64>) -> CallStatus {
    let since = before(talked_s.map_or(3, |talked| talked + 8));
    CallStatus::Tracked(Box::new(TrackedCall {
        call: CallId::from_parts(since, u128::from(n)),
        state: if talked_s.is_some() { TrackedState::Talking } else { TrackedState::Ringing },
        since,
        answered_at: talked_s.map(before),
        caller_number: "+12065550173".parse().ok(),
        presentation: Presentation::Allowed,
        caller_name: Some("Dana Ortiz".to_owned()),
        tracking_number: "+13125550100".parse().expect("a number"),
        campaign: "Spring mailer".to_owned(),
        port: talked_s.map(|_| port.to_owned()),
        recording: talked_s.is_some(),
        sound: talked_s.map(|_| CallSound {
            caller_dbm0: Some(-17.6),
            office_dbm0: Some(-31.2),
            playout_ms: 40,
            loss_percent: 0.4,
            jitter_ms: 6,
            mos: Some(4.21),
        }),
    }))
}

/// Every phone is in use, a line is unplugged, and the trunk was lost.
pub(crate) fn busy() -> BoxStatus {
    let mut status = idle();
    status.trunks[0].state = TrunkState::Unreachable;
    let [line1, line2] = &mut status.lines[..] else { unreachable!("two lines") };
    (line1.state, line1.volts, line1.milliamps) = (LineState::Talking, Some(7.9), Some(26.4));
    (line1.calls.direct, line1.untracked) = (4, 6);
    line1.calls.dialled_out = 2;
    (line2.state, line2.volts, line2.battery) = (LineState::Down, Some(0.4), Some(Battery::Absent));
    line2.last_fault = Some(Fault { text: "the battery went away".to_owned(), at: before(95) });
    let [phone1, phone2] = &mut status.phones[..] else { unreachable!("two phones") };
    for phone in [phone1, phone2] {
        (phone.state, phone.off_hook) = (PhoneState::Talking, Some(true));
        (phone.volts, phone.milliamps) = (Some(8.1), Some(20.0));
    }
    status.calls = vec![
        tracked(1, "PHONE1", Some(42)),
        CallStatus::Direct(UntrackedCall {
            line: Some("LINE1".to_owned()),
            phone: Some("PHONE2".to_owned()),
            since: before(190),
        }),
        tracked(2, "", None),
    ];
    status.alarms = vec![
        Alarm {
            code: "trunk".to_owned(),
            severity: Severity::Failure,
            text: "carrier: the registrar does not answer".to_owned(),
            since: before(95),
            remedy: "check the network cable, then the registrar in the configuration".to_owned(),
        },
        Alarm {
            code: "battery".to_owned(),
            severity: Severity::Warning,
            text: "LINE2 has no battery".to_owned(),
            since: before(95),
            remedy: "check the cable from the telco jack".to_owned(),
        },
    ];
    status.panel[1].pattern = LedPattern::Slow;
    status.panel[3].pattern = LedPattern::On;
    status.panel[4] = led("line2", LedColour::Red, LedPattern::Off);
    status.panel[5].pattern = LedPattern::On;
    status.panel[6].pattern = LedPattern::On;
    status.panel[7].pattern = LedPattern::Slow;
    status.media.xruns = 2;
    status
}
