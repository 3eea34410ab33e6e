//! What a line test is worth: a score from 0 to 100, each deduction with its reason and its remedy.
//!
//! The limits are those of the loop (ANSI T1.401, ETSI TS 103 021), of the chips' data sheets, and of the echo
//! canceller (ITU-T G.168). A value that was not measured costs nothing.

use crate::{
    status::{Deduction, DialTone, LineHealth, LineMeasurement, Measured, PhoneMeasurement, Trend},
    time::WallTime,
};

/// Below this a line is unplugged or dead, V (the threshold of DAHDI's battery debounce).
const NO_BATTERY_VOLTS: f32 = 3.0;
/// Below this another phone on the line is off hook, V: one that is on hook leaves 42.5 V and more of 48 V.
const SHARED_VOLTS: f32 = 20.0;
/// Below this a line or a phone's feed is weak, V; short-loop equipment feeds with 36 V and less.
const WEAK_VOLTS: f32 = 36.0;
/// Less loop current than this does not hold every line card, mA (ANSI T1.401: 20 mA, less its tolerance).
const WEAK_LOOP_MILLIAMPS: f32 = 18.0;
/// Less than this does not seize a line at all, mA (Si3050 data sheet, loop current for normal operation).
const NO_LOOP_MILLIAMPS: f32 = 10.0;
/// Later dial tone than this is slow, ms: people dial by then (ITU-T E.543: 3 s).
const SLOW_DIAL_TONE_MS: u32 = 3_000;
/// With less echo return loss than this the canceller does not work (ITU-T G.168 1: 6 dB).
const LOUD_ECHO_DB: f32 = 6.0;
/// With less than this it has to work hard, dB.
const HEARD_ECHO_DB: f32 = 12.0;
/// Loop current that an idle phone may draw, mA; one step of the Si3215's reading.
const LEAK_MILLIAMPS: f32 = 1.25;
/// Ringers that a port can drive (Si3215 data sheet).
const MOST_REN: f32 = 5.0;
/// Less ringer load than this is no phone.
const LEAST_REN: f32 = 0.1;
/// A score that differs by less from the ones before is the same.
const TREND_POINTS: i32 = 5;
/// Tests that the newest one is held against.
const TREND_TESTS: usize = 5;

/// Judges a test. `earlier` are the scores of the tests before, oldest first.
#[must_use]
pub fn judge(measured: Measured, tested_at: WallTime, earlier: &[u8]) -> LineHealth {
    let deductions = deductions(&measured);
    let score = score(&deductions);
    LineHealth { tested_at, trend: trend(earlier, score), measured, score, deductions }
}

/// 100 less each deduction, at least 0.
#[must_use]
pub fn score(deductions: &[Deduction]) -> u8 {
    deductions.iter().fold(100, |score: u8, deduction| score.saturating_sub(deduction.points))
}

/// Holds a score against the mean of the last tests before it; `None` if there were none.
#[must_use]
pub fn trend(earlier: &[u8], score: u8) -> Option<Trend> {
    let last = &earlier[earlier.len().saturating_sub(TREND_TESTS)..];
    let count = i32::try_from(last.len()).ok().filter(|count| *count > 0)?;
    let mean = last.iter().map(|score| i32::from(*score)).sum::<i32>() / count;
    Some(match i32::from(score) - mean {
        more if more >= TREND_POINTS => Trend::Better,
        less if less <= -TREND_POINTS => Trend::Worse,
        _ => Trend::Same,
    })
}

/// Every reason why what was measured is not perfect, worst first.
#[must_use]
pub fn deductions(measured: &Measured) -> Vec<Deduction> {
    let found: Vec<Option<Deduction>> = match measured {
        Measured::Line(line) => {
            vec![line_battery(line), loop_current(line), dial_tone(line), echo(line), caller_id(line)]
        }
        Measured::Phone(phone) => vec![phone_battery(phone), leak(phone), ringers(phone)],
    };
    let mut found: Vec<Deduction> = found.into_iter().flatten().collect();
    found.sort_by_key(|deduction| std::cmp::Reverse(deduction.points));
    found
}

fn off(code: &str, points: u8, text: String, remedy: &str) -> Option<Deduction> {
    Some(Deduction { code: code.to_owned(), points, text, remedy: remedy.to_owned() })
}

fn line_battery(line: &LineMeasurement) -> Option<Deduction> {
    let volts = line.battery_volts?;
    let found = |what: &str| format!("{what}: {volts:.0} V");
    match volts {
        none if none < NO_BATTERY_VOLTS => {
            off("no_battery", 100, found("no battery"), "check the cable from the telco jack")
        }
        low if low < SHARED_VOLTS => {
            let remedy = "hang up the other phones on this line, then test again";
            off("shared", 60, found("another phone on the line is off hook"), remedy)
        }
        weak if weak < WEAK_VOLTS => {
            let remedy = "check the cable and its splices; if it stays, ask the telco to measure the line";
            off("weak_battery", 15, found("weak battery"), remedy)
        }
        _ => None,
    }
}

fn loop_current(line: &LineMeasurement) -> Option<Deduction> {
    let milliamps = line.loop_milliamps?;
    match milliamps {
        none if none < NO_LOOP_MILLIAMPS => {
            let text = format!("only {milliamps:.0} mA of loop current");
            off("no_loop_current", 50, text, "check the cable for a bad splice, then ask the telco")
        }
        weak if weak < WEAK_LOOP_MILLIAMPS => {
            let text = format!("little loop current: {milliamps:.0} mA");
            off(
                "weak_loop_current",
                20,
                text,
                "take other equipment off the line; a long loop needs the telco",
            )
        }
        _ => None,
    }
}

fn dial_tone(line: &LineMeasurement) -> Option<Deduction> {
    match line.dial_tone? {
        DialTone::No => {
            let remedy = "call from a phone on this jack; if it hears none either, call the telco";
            off("no_dial_tone", 50, "no dial tone".to_owned(), remedy)
        }
        DialTone::Yes { after_ms } if after_ms > SLOW_DIAL_TONE_MS => {
            let text = format!("dial tone only after {:.1} s", f64::from(after_ms) / 1000.0);
            off("slow_dial_tone", 10, text, "test again at a quiet hour; if it stays, ask the telco")
        }
        DialTone::Yes { .. } => None,
    }
}

fn echo(line: &LineMeasurement) -> Option<Deduction> {
    let erl_db = line.chosen?.erl_db;
    let remedy = "check that country is right in the configuration, and take extra phones off this line";
    let text = format!("echo comes back only {erl_db:.0} dB weaker");
    match erl_db {
        loud if loud < LOUD_ECHO_DB => off("loud_echo", 40, text, remedy),
        heard if heard < HEARD_ECHO_DB => off("echo", 15, text, remedy),
        _ => None,
    }
}

fn caller_id(line: &LineMeasurement) -> Option<Deduction> {
    let text = || "the last call brought no caller ID".to_owned();
    let remedy = "ask the telco whether caller ID is part of this line";
    if line.caller_id_seen? { None } else { off("no_caller_id", 10, text(), remedy) }
}

fn phone_battery(phone: &PhoneMeasurement) -> Option<Deduction> {
    let volts = phone.battery_volts.filter(|volts| *volts < WEAK_VOLTS)?;
    let (code, points) = if volts < SHARED_VOLTS { ("no_feed", 100) } else { ("weak_feed", 30) };
    let remedy = "unplug the phone and test again; if it stays, the port is broken";
    off(code, points, format!("the port feeds only {volts:.0} V"), remedy)
}

fn leak(phone: &PhoneMeasurement) -> Option<Deduction> {
    let milliamps = phone.leak_milliamps.filter(|milliamps| *milliamps > LEAK_MILLIAMPS)?;
    let text = format!("{milliamps:.1} mA flow while the phone is on hook");
    off("leak", 40, text, "look for a wet or shorted cable, or a handset that lies beside its phone")
}

fn ringers(phone: &PhoneMeasurement) -> Option<Deduction> {
    match phone.ren? {
        none if none < LEAST_REN => off(
            "no_phone",
            20,
            "no phone found".to_owned(),
            "plug a phone in, or leave the port out of its ring group",
        ),
        many if many > MOST_REN => {
            let text = format!("ringers of REN {many:.1}, and the port drives {MOST_REN:.0}");
            off("ringers", 40, text, "move some of the phones to another port")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Balance, made_up};

    fn good_line() -> LineMeasurement {
        LineMeasurement {
            battery_volts: Some(48.0),
            loop_milliamps: Some(27.0),
            dial_tone: Some(DialTone::Yes { after_ms: 420 }),
            echo: Vec::new(),
            chosen: Some(Balance { acim: 0, hybrid: [0; 8], erl_db: 21.0 }),
            caller_id_seen: Some(true),
        }
    }

    fn good_phone() -> PhoneMeasurement {
        PhoneMeasurement { battery_volts: Some(48.0), leak_milliamps: Some(0.0), ren: Some(1.0) }
    }

    fn echo_of(erl_db: f32) -> Option<Balance> {
        Some(Balance { acim: 0, hybrid: [0; 8], erl_db })
    }

    #[test]
    fn what_a_line_is_worth() {
        let good = good_line;
        let table = [
            (good(), 100, vec![]),
            (LineMeasurement::default(), 100, vec![]),
            (LineMeasurement { battery_volts: Some(2.9), ..good() }, 0, vec!["no_battery"]),
            (LineMeasurement { battery_volts: Some(3.0), ..good() }, 40, vec!["shared"]),
            (LineMeasurement { battery_volts: Some(20.0), ..good() }, 85, vec!["weak_battery"]),
            (LineMeasurement { battery_volts: Some(36.0), ..good() }, 100, vec![]),
            (LineMeasurement { loop_milliamps: Some(9.9), ..good() }, 50, vec!["no_loop_current"]),
            (LineMeasurement { loop_milliamps: Some(17.9), ..good() }, 80, vec!["weak_loop_current"]),
            (LineMeasurement { loop_milliamps: Some(18.0), ..good() }, 100, vec![]),
            (LineMeasurement { dial_tone: Some(DialTone::No), ..good() }, 50, vec!["no_dial_tone"]),
            (
                LineMeasurement { dial_tone: Some(DialTone::Yes { after_ms: 3001 }), ..good() },
                90,
                vec!["slow_dial_tone"],
            ),
            (LineMeasurement { chosen: echo_of(5.9), ..good() }, 60, vec!["loud_echo"]),
            (LineMeasurement { chosen: echo_of(6.0), ..good() }, 85, vec!["echo"]),
            (LineMeasurement { chosen: echo_of(12.0), ..good() }, 100, vec![]),
            (LineMeasurement { caller_id_seen: Some(false), ..good() }, 90, vec!["no_caller_id"]),
            (
                LineMeasurement { caller_id_seen: Some(false), chosen: echo_of(3.0), ..good() },
                50,
                vec!["loud_echo", "no_caller_id"],
            ),
        ];
        for (measured, score, codes) in table {
            judged(Measured::Line(measured), score, &codes);
        }
    }

    #[test]
    fn what_a_phone_is_worth() {
        let good = good_phone;
        for (measured, score, code) in [
            (good(), 100, None),
            (PhoneMeasurement::default(), 100, None),
            (PhoneMeasurement { battery_volts: Some(12.0), ..good() }, 0, Some("no_feed")),
            (PhoneMeasurement { battery_volts: Some(30.0), ..good() }, 70, Some("weak_feed")),
            (PhoneMeasurement { leak_milliamps: Some(1.25), ..good() }, 100, None),
            (PhoneMeasurement { leak_milliamps: Some(2.5), ..good() }, 60, Some("leak")),
            (PhoneMeasurement { ren: Some(0.0), ..good() }, 80, Some("no_phone")),
            (PhoneMeasurement { ren: Some(5.0), ..good() }, 100, None),
            (PhoneMeasurement { ren: Some(5.1), ..good() }, 60, Some("ringers")),
        ] {
            judged(Measured::Phone(measured), score, code.as_slice());
        }
    }

    fn judged(measured: Measured, score: u8, codes: &[&str]) {
        let health = judge(measured, WallTime(0), &[]);
        let found: Vec<&str> = health.deductions.iter().map(|found| found.code.as_str()).collect();
        assert_eq!((health.score, found.as_slice()), (score, codes), "{:?}", health.measured);
        let said = |deduction: &Deduction| !deduction.text.is_empty() && !deduction.remedy.is_empty();
        assert!(health.deductions.iter().all(said));
    }

    #[test]
    fn the_made_up_box_is_judged_as_it_would_be() {
        for (made_up, earlier) in
            [(made_up::good_health(), &[100_u8, 100][..]), (made_up::worse_health(), &[100])]
        {
            assert_eq!(judge(made_up.measured.clone(), made_up.tested_at, earlier), made_up);
        }
    }

    #[test]
    fn a_score_is_held_against_the_last_five_tests() {
        assert_eq!(trend(&[], 80), None);
        for (earlier, score, expected) in [
            (&[80_u8][..], 85, Trend::Better),
            (&[80], 84, Trend::Same),
            (&[80], 76, Trend::Same),
            (&[80], 75, Trend::Worse),
            (&[70, 90], 80, Trend::Same),
            (&[0, 0, 0, 100, 100, 100, 100, 100], 100, Trend::Same),
        ] {
            assert_eq!(trend(earlier, score), Some(expected), "{earlier:?} then {score}");
        }
    }
}
