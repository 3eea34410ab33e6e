//! The storm: the whole control plane under seeded trunk, hook, line, media and time events, in virtual time.
//!
//! After every input the invariants hold: no phone rings after its call, one port one call, every patch is
//! unpatched and every join parted, every INVITE gets exactly one final answer, every record is saved once, no line is
//! dialled on twice or held for nobody, nothing outlives its deadline, tables stay bounded. `STORM_SEEDS=n` runs more
//! seeds than the default.

#[path = "storm/observer.rs"]
mod observer;
mod rig;

use observer::{Observer, Seen};
use rig::{Rig, dice::Dice};
use ringside::{
    audio::{dtmf::Key, line_ear::Heard, progress::Progress},
    chip::{LineChange, Linefeed, PortChange, si3050::Polarity},
    id::PortId,
    media::control as media,
    switchboard::{Input, Output},
};

const SEEDS: u64 = 1_000;
const LONG_SEEDS: u64 = 10_000;
const INPUTS: u64 = 150;
const PHONES: u8 = 2;
/// Longest life of anything after the last input: ring timeout, 64*T1 of the SIP transactions, reorder and
/// howler, and spare.
const QUIET_MS: u64 = 180_000;

/// One input of the storm.
fn happen(rig: &mut Rig, dice: &mut Dice, observer: &mut Observer, n: u64) {
    let lines = u8::try_from(rig.lines.len()).unwrap_or(0);
    if lines > 0 && dice.below(2) == 0 {
        return match dice.below(40) {
            0 => go_through(rig, observer, &format!("c{n}")),
            1 => dial_emergency(rig, dice, observer),
            _ => happen_on_the_line(rig, dice, observer, lines),
        };
    }
    let port = dice.port(0, PHONES);
    let name = format!("c{}", if n == 0 { 0 } else { n - dice.below(n.min(4)) });
    let to = dice.one_of(&["13125550100", "13125550101", "13125550100", "13125550102", "13125550999"]);
    match dice.below(20) {
        0..4 => rig.send("INVITE", &format!("c{n}"), to),
        // A retransmission, late or early; of a call that never was, a new call.
        4 if !is_forgotten(rig, &name) => rig.send("INVITE", &name, to),
        5 => rig.send("CANCEL", &name, to),
        6..8 => rig.send("ACK", &name, to),
        8 => rig.send("BYE", &name, to),
        9..12 => rig.hook(port, true),
        12..14 => rig.hook(port, false),
        14 => {
            if let Some(rtp) = observer.to_unpatch.pop() {
                rig.unpatched(rtp);
            }
        }
        15 if dice.below(20) == 0 => {
            rig.give(Input::Fxs { port, change: PortChange::Reset });
            observe(rig, observer);
            rig.give(Input::Fxs { port, change: PortChange::Up });
            if let Some(phone) = rig.phones.get_mut(&port) {
                (phone.off_hook, phone.loop_closed) = (false, false);
            }
        }
        _ => step(rig, observer, dice.below(9_000)),
    }
}

/// Whether the transaction of an INVITE may be over (64*T1, or T4 behind its ACK): the same INVITE is then another
/// call.
fn is_forgotten(rig: &Rig, name: &str) -> bool {
    rig.calls.get(name).is_some_and(|call| call.acked || rig.ms > call.invited_at + 25_000)
}

/// A tracking call is dialled out on the line and answered, as far as the line plays along.
fn go_through(rig: &mut Rig, observer: &mut Observer, name: &str) {
    let line = PortId(PHONES);
    rig.send("INVITE", name, "13125550102");
    step(rig, observer, 400);
    for (ms, heard) in [
        (3_000, Heard::Progress(Progress::DialTone)),
        (5_000, Heard::Speech),
        (1_500, Heard::Speech),
        (1_500, Heard::Speech),
    ] {
        if observer.listened.contains(&ringside::id::Slot(line.0)) {
            rig.heard(line, heard);
        }
        step(rig, observer, ms);
    }
    rig.send("ACK", name, "");
}

/// Somebody runs to a phone.
fn dial_emergency(rig: &mut Rig, dice: &mut Dice, observer: &mut Observer) {
    let phone = dice.port(0, PHONES);
    rig.hook(phone, false);
    step(rig, observer, 1_500);
    rig.hook(phone, true);
    step(rig, observer, 500);
    rig.press(phone, "911");
}

/// What happens on office lines, and at phones that have to do with them.
fn happen_on_the_line(rig: &mut Rig, dice: &mut Dice, observer: &mut Observer, lines: u8) {
    let (line, phone) = (dice.port(PHONES, lines), dice.port(0, PHONES));
    match dice.below(16) {
        0..2 => rig.line(line, LineChange::RingBegan),
        2 => rig.line(line, LineChange::RingEnded),
        3 => battery(rig, dice, line),
        4 => {
            let change = dice.one_of(&[
                LineChange::ParallelLifted,
                LineChange::ParallelHungUp,
                LineChange::PolarityReversed { to: Polarity::Positive },
                LineChange::PolarityReversed { to: Polarity::Negative },
            ]);
            rig.line(line, change);
        }
        5 if dice.below(4) == 0 => fault(rig, dice, observer, line),
        6..9 => {
            let heard = dice.one_of(&[
                Heard::Progress(Progress::DialTone),
                Heard::Progress(Progress::Ringback { cycle: 1 }),
                Heard::Progress(Progress::Busy),
                Heard::Progress(Progress::Reorder),
                Heard::Speech,
                Heard::Silent { ms: 3_000 },
            ]);
            if observer.listened.contains(&ringside::id::Slot(line.0)) {
                rig.heard(line, heard);
            }
        }
        9 => rig.press(phone, dice.one_of(&["911", "411", "3125550177", "9", "#", "5550199"])),
        10 => {
            let key = Key::from_sign(dice.one_of(&['0', '1', '2', '9', '*', '#'])).expect("a key");
            rig.heard(phone, Heard::Key(key));
        }
        11 => rig.hook(phone, true),
        12 if rig.phones.get(&phone).is_some_and(|phone| phone.loop_closed) => rig.flash(phone),
        13 => {
            if let Some(slot) = observer.spoken.pop() {
                rig.give(Input::Media(media::Event::Interjected { slot }));
            }
        }
        14 => rig.answer(dice.one_of(&["183 Session Progress", "200 OK", "486 Busy Here", "503 No"])),
        _ => step(rig, observer, dice.below(3_000)),
    }
}

fn battery(rig: &mut Rig, dice: &mut Dice, line: PortId) {
    rig.line(line, LineChange::BatteryLost);
    if dice.below(3) == 0 {
        rig.until(rig.ms + 936);
        rig.line(line, LineChange::LineDead);
    }
    rig.until(rig.ms + dice.below(1_500));
    rig.line(line, LineChange::BatteryReturned);
}

/// The chip loses its registers, its link or its bus, and comes back; the driver leaves the line on hook.
fn fault(rig: &mut Rig, dice: &mut Dice, observer: &mut Observer, line: PortId) {
    rig.line(line, dice.one_of(&[LineChange::Reset, LineChange::LinkLost, LineChange::Down]));
    observe(rig, observer);
    step(rig, observer, dice.below(2_000));
    rig.line(line, LineChange::Up);
}

/// Time passes, deadline by deadline, each one observed.
fn step(rig: &mut Rig, observer: &mut Observer, ms: u64) {
    let end = rig.ms + ms;
    while let Some(due) = rig.due_ms().filter(|due| *due <= end) {
        rig.until(due);
        observe(rig, observer);
    }
    rig.until(end);
}

fn observe(rig: &mut Rig, observer: &mut Observer) {
    for output in std::mem::take(&mut rig.out) {
        observer.see(&output);
    }
}

fn storm(lines: u8, seed: u64, mut sabotage: impl FnMut(&mut Rig)) -> Seen {
    let mut dice = Dice(seed);
    let mut rig = match lines {
        0 => Rig::new(PHONES, seed),
        lines => Rig::with(PHONES, lines, seed, |_| ()),
    };
    let mut observer = Observer::default();
    for n in 0..INPUTS {
        happen(&mut rig, &mut dice, &mut observer, n);
        sabotage(&mut rig);
        observe(&mut rig, &mut observer);
        observer.check(&rig, seed);
    }
    end(&mut rig, &mut observer);
    observer.check(&rig, seed);
    observer.quiet(&rig, seed);
    observer.seen
}

/// Everybody hangs up.
fn end(rig: &mut Rig, observer: &mut Observer) {
    for _ in 0..3 {
        for line in rig.lines.keys().copied().collect::<Vec<_>>() {
            for change in [
                LineChange::Up,
                LineChange::BatteryReturned,
                LineChange::RingEnded,
                LineChange::ParallelHungUp,
            ] {
                rig.line(line, change);
                observe(rig, observer);
            }
        }
        for port in 0..PHONES {
            rig.hook(PortId(port), false);
            observe(rig, observer);
        }
        for name in rig.calls.keys().cloned().collect::<Vec<_>>() {
            rig.send("ACK", &name, "");
            rig.send("BYE", &name, "");
            observe(rig, observer);
        }
        step(rig, observer, 10_000);
        while let Some(rtp) = observer.to_unpatch.pop() {
            rig.unpatched(rtp);
        }
        observe(rig, observer);
    }
    step(rig, observer, QUIET_MS);
}

fn seeds() -> u64 {
    let usual = if std::env::var_os("RINGSIDE_LONG").is_some() { LONG_SEEDS } else { SEEDS };
    std::env::var("STORM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_thousand_storms_on_the_trunk_leave_nothing_behind() {
    (1..=seeds()).for_each(|seed| {
        storm(0, seed, |_| ());
    });
}

#[test]
fn a_thousand_storms_on_trunk_and_office_lines_leave_nothing_behind() {
    let storms = (1..=seeds()).map(|seed| storm(1 + u8::try_from(seed % 2).unwrap_or(0), seed, |_| ()));
    let seen = storms.fold(Seen::default(), Seen::and);
    // A storm that never gets somewhere proves nothing of it.
    let Seen { patches, joins, parks, emergencies, emergencies_on_trunk, taken, losses } = seen;
    println!("{seen:?} in {} storms", seeds());
    for (what, count) in [
        ("patches", patches),
        ("joins", joins),
        ("calls that were parked", parks),
        ("emergency numbers", emergencies),
        ("emergencies on the trunk", emergencies_on_trunk),
        ("lines taken for an emergency", taken),
        ("calls whose line was lost", losses),
    ] {
        assert!(count >= seeds() / 50, "only {count} {what} in {} storms", seeds());
    }
}

/// The storm is worth its time only if it notices a single lost order.
#[test]
#[should_panic(expected = "a phone rings and no call does")]
fn one_lost_order_to_stop_ringing_is_noticed() {
    for seed in 1..=50 {
        let mut lost = false;
        storm(0, seed, |rig| {
            for output in rig.out.iter().filter(|_| !lost) {
                if let Output::Fxs { port, feed: Linefeed::Active } = output
                    && let Some(phone) = rig.phones.get_mut(port).filter(|phone| !phone.off_hook)
                {
                    phone.feed = Linefeed::Ringing;
                    lost = true;
                    break;
                }
            }
        });
    }
}

/// The same on the office line.
#[test]
#[should_panic(expected = "is held")]
fn one_lost_order_to_hang_up_is_noticed() {
    for seed in 1..=50 {
        let mut lost = false;
        storm(1, seed, |rig| {
            let hangs_up = |output: &Output| {
                matches!(output, Output::Fxo { order: ringside::chip::LineOrder::Monitor, .. })
            };
            if !lost && rig.out.iter().any(hangs_up) {
                lost = true;
                rig.forget_on_hook();
            }
        });
    }
}
