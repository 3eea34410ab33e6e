//! The scenes on the office line: a direct call, a call that is dialled on a phone, calls to the owner's mobile.

use super::{
    Deed, Expected, Kept, Scene, Seen, Step, When,
    morning::{PHONE1, PHONE2, acts, call, calls, port},
};
use crate::{
    sim::{
        exchange::{CallerIn, Happening, OfficeLine, State},
        observe::What,
        office,
        phone::Happening as AtPhone,
        provider::CallPlan,
        world::World,
    },
    status::{BoxStatus, LedPattern, LedStatus},
};
use std::{f32::consts::TAU, sync::Arc, time::Duration};

/// LINE1, by its place among the office lines.
const LINE1: usize = 0;
/// What is dialled on PHONE2.
const COLLEAGUE: &str = "3125550161";
/// What the box dials for the tracking number of the mobile, as the exchange wants it: with the long-distance 1.
const MOBILE: &str = "13125550160";
/// Dial tone of North America, Hz.
const DIAL_TONE_HZ: [f32; 2] = [350.0, 440.0];
const SAMPLES_PER_MS: u64 = 8;
/// Audio in which a tone is looked for: 250 ms.
const LOOK: usize = 2000;
/// Peak of a tone that a person hears.
const AUDIBLE: f32 = 200.0;

/// Somebody calls the office line itself.
pub(super) fn direct(speech: &Arc<[i16]>) -> Scene {
    let caller = CallerIn {
        name: "FAY KELLER".to_owned(),
        speech: office::Speech::Words { samples: Arc::clone(speech), repeat: false },
        hang_up_after_ms: Some(5_000),
        ..CallerIn::new("3125550148")
    };
    let steps = vec![
        acts(
            "An old customer calls the office line itself; both phones ring and show who it is",
            When::OfficeIsQuiet,
            on_line(move |line| line.call_in(caller.clone())),
            |seen| {
                let shown = |phone: usize| seen.phones.get(phone)?.callers.last()?.number.clone();
                let (one, two) = (shown(PHONE1)?, shown(PHONE2)?);
                let ours = |number: &str| number == "3125550148";
                let shows =
                    seen.events.iter().filter(|e| matches!(e.what, What::Phone(AtPhone::CallerShown(_))));
                (ours(&one) && ours(&two) && shows.count() >= 2).then(|| format!("both displays show {one}"))
            },
        ),
        acts(
            "PHONE1 will answer after the second ring",
            When::Now,
            |_| {},
            |seen| {
                let talking = seen.lines.get(LINE1)?.state == State::Talking;
                let answered = talking && seen.phones.get(PHONE1)?.off_hook && speaks(seen.heard(PHONE1));
                answered.then(|| "the person at PHONE1 hears the caller".to_owned())
            },
        ),
        acts(
            "The caller will hang up; the exchange opens the loop for half a second",
            When::Now,
            |_| {},
            |seen| {
                let gone = when(seen, |what| *what == What::Line(Happening::FarHungUp))?;
                let released = when(seen, |what| *what == What::Line(Happening::Released))?;
                let told = when(seen, |what| matches!(what, What::HungUpOn(_)))?;
                let ms = |at: u64| at.saturating_sub(gone) / SAMPLES_PER_MS;
                Some(format!(
                    "the line is released after {} ms, the person at PHONE1 knows after {} ms",
                    ms(released),
                    ms(told)
                ))
            },
        ),
    ];
    Scene { steps, untracked: Some("direct") }
}

/// Somebody calls from a phone of the office.
pub(super) fn dialled_out() -> Scene {
    let steps = vec![
        acts(
            "Somebody in the workshop lifts PHONE2 to call a colleague",
            When::OfficeIsQuiet,
            |world| world.lift(port(PHONE2)),
            |seen| is_dial_tone(seen.heard(PHONE2)).then(|| "dial tone".to_owned()),
        ),
        acts(
            "... and presses 312 555 0161",
            When::Now,
            |world| world.press(port(PHONE2), COLLEAGUE),
            |seen| match seen.newly_dialled(LINE1) {
                [number] if number == COLLEAGUE => Some(format!("the exchange heard {number}")),
                _ => None,
            },
        ),
        acts(
            "It rings, and the colleague answers",
            When::Now,
            |_| {},
            |seen| {
                let answered = when(seen, |what| *what == What::Line(Happening::FarAnswered))?;
                // Ringback is over by then.
                let talks = seen.now > answered + 2 * LOOK as u64;
                (talks && speaks(seen.heard(PHONE2))).then(|| "PHONE2 hears the colleague".to_owned())
            },
        ),
        acts(
            "PHONE2 hangs up",
            When::Now,
            |world| world.hang_up(port(PHONE2)),
            |seen| {
                when(seen, |what| *what == What::Line(Happening::Released))?;
                Some("the exchange has the line back".to_owned())
            },
        ),
    ];
    Scene { steps, untracked: Some("dial_out") }
}

/// A tracking number whose last hop is the office line.
pub(super) fn forwarded(speech: &Arc<[i16]>) -> Scene {
    let plan = CallPlan {
        hang_up_after: Some(Duration::from_secs(5)),
        ..call("+13125550149", "GUS HALL", "+13125550104", speech)
    };
    let steps = vec![
        calls(
            "The van's number forwards to the owner's mobile: the box takes LINE1 and dials",
            When::OfficeIsQuiet,
            plan,
            Expected::Conversation,
            Kept::AnsweredOnLine,
        ),
        acts("The owner is to be called exactly once", When::CallAnswered, |_| {}, dialled_once),
    ];
    Scene { steps, untracked: None }
}

/// The cable is pulled in the course of such a call.
pub(super) fn unplugged(speech: &Arc<[i16]>) -> Scene {
    let steps = vec![
        calls(
            "Another customer calls the van's number",
            When::OfficeIsQuiet,
            call("+13125550151", "HUGO BELL", "+13125550104", speech),
            Expected::CutOff,
            Kept::LineLost,
        ),
        acts(
            "Somebody pulls the cable out of LINE1",
            When::CallAnswered,
            on_line(|line| line.unplug()),
            |seen| {
                let released = !seen.lines.get(LINE1)?.off_hook;
                let ms = (seen.now - seen.step_began) / SAMPLES_PER_MS;
                released.then(|| format!("the box has let the line go, at most {ms} ms later"))
            },
        ),
        Step { words: "The front panel shows it", when: When::Now, deed: Deed::Look(line_is_dark) },
    ];
    Scene { steps, untracked: None }
}

/// The lamps, once that of the line without battery is dark.
fn line_is_dark(status: &BoxStatus) -> Option<String> {
    let is_dark = |led: &LedStatus| led.name == "line1" && led.pattern == LedPattern::Off;
    let lamp = |led: &LedStatus| match led.pattern {
        LedPattern::Off => format!("{} dark", led.name),
        LedPattern::On => format!("{} lit", led.name),
        LedPattern::Slow => format!("{} slow", led.name),
        LedPattern::Fast => format!("{} fast", led.name),
        LedPattern::Double => format!("{} double", led.name),
        LedPattern::Wink => format!("{} winks", led.name),
    };
    let told = || status.panel.iter().map(lamp).collect::<Vec<_>>().join(", ");
    status.panel.iter().any(is_dark).then(told)
}

/// The cable goes back.
pub(super) fn plugged_in() -> Step {
    acts("The cable goes back into LINE1", When::OfficeIsQuiet, on_line(|line| line.plug()), |seen| {
        let volts = seen.lines.get(LINE1)?.volts;
        (volts != 0.0).then(|| format!("{volts:.0} V"))
    })
}

fn on_line(act: impl Fn(&mut OfficeLine) + 'static) -> impl Fn(&mut World) + 'static {
    move |world| {
        if let Some(line) = world.office_line(LINE1) {
            act(line);
        }
    }
}

/// When something happened for the last time in the scene, samples.
fn when(seen: &Seen, is_it: impl Fn(&What) -> bool) -> Option<u64> {
    seen.events.iter().rev().find(|event| is_it(&event.what)).map(|event| event.at)
}

fn dialled_once(seen: &Seen) -> Option<String> {
    let [number] = seen.newly_dialled(LINE1) else { return None };
    let talking = seen.lines.get(LINE1)?.state == State::Talking;
    (talking && number == MOBILE).then(|| format!("the exchange heard {number} and connected it"))
}

/// Whether there is a voice in the last of `heard`.
fn speaks(heard: &[i16]) -> bool {
    heard
        .rchunks(LOOK)
        .next()
        .is_some_and(|last| last.iter().any(|sample| f32::from(sample.unsigned_abs()) > 4.0 * AUDIBLE))
}

fn is_dial_tone(heard: &[i16]) -> bool {
    heard
        .rchunks(LOOK)
        .next()
        .is_some_and(|last| last.len() == LOOK && DIAL_TONE_HZ.iter().all(|hz| peak_at(last, *hz) > AUDIBLE))
}

/// Peak of what is at `hz`.
fn peak_at(samples: &[i16], hz: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = TAU * (hz / 8000.0 * n as f32).fract();
        re += f32::from(*sample) * angle.cos();
        im += f32::from(*sample) * angle.sin();
    }
    2.0 * re.hypot(im) / samples.len() as f32
}
