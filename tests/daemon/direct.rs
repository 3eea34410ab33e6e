//! Direct calls: they ring the phones, both sides talk, and nothing is kept (PRODUCT R11). Whatever the exchange says of
//! the caller's hanging up, the line is let go.

use crate::shared::{
    inside::Inside,
    process,
    site::{NOBODY, Site},
    sound, web,
};
use ringside::sim::{
    exchange::{CallerIn, Happening as OnLine, State},
    observe::{Audio, What},
    office::{Script, Speech},
    phone::Happening,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const CALLER_HZ: f32 = 1000.0;
const OFFICE_HZ: f32 = 440.0;
/// Says a tone once it is lifted, and is lifted by the test only.
const TALKS: &str = "say_after_ms = 0\ntone_hz = 440.0";
const MS: u64 = 8;
const SECOND: usize = 8_000;
/// The exchange takes a loop that is open for this long as hung up.
const EXCHANGE_MS: u64 = 400;

/// Every file below a folder, with its size.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path().display().to_string(), entry.metadata().unwrap().len());
        }
    }
    found
}

/// Every series of the metrics that counts something, with its value.
fn counts(inside: &Inside) -> BTreeSet<String> {
    let (_, text) = web::get(inside.site.web(), "/metrics").unwrap();
    // How busy this machine is shows in the overruns of the card.
    let counts = |line: &&str| !line.starts_with('#') && !line.starts_with("ringside_pcm_xruns_total");
    text.lines().filter(counts).map(str::to_owned).collect()
}

/// Somebody calls a line; a phone rings and is lifted, and they talk.
fn answered(inside: &Inside, (line, phone): (usize, usize), caller: CallerIn) {
    inside.on_line(line, |line| line.call_in(caller));
    inside.wait("the phone rings", || inside.phones()[phone].ringing);
    inside.world().lock().lift(inside.phone_port(phone));
    inside.wait("the caller is connected", || inside.line(line).state == State::Talking);
}

fn tone(hz: f32) -> Speech {
    Speech::Tone { hz, peak: 8_000.0 }
}

fn carries(audio: &Audio, hz: f32) -> bool {
    let last = audio.samples.rchunks(SECOND / 4).next().unwrap_or_default();
    last.len() == SECOND / 4 && sound::peak_at(last, f64::from(hz)) > 3_000.0
}

#[test]
fn a_direct_call_rings_with_its_caller_is_heard_on_both_sides_and_leaves_nothing() {
    let inside = Inside::start(Site::on_lines(&[&[TALKS, TALKS]], &[""], ""));
    let (kept, counted) = (files(&inside.site.data()), counts(&inside));
    let caller =
        CallerIn { name: "ANNA WEBER".to_owned(), speech: tone(CALLER_HZ), ..CallerIn::new("3125550142") };
    inside.on_line(0, |line| line.call_in(caller));
    inside
        .wait("both phones show the caller", || inside.phones().iter().all(|phone| phone.callers.len() == 1));
    for phone in inside.phones() {
        let shown = &phone.callers[0];
        let texts = (shown.number.as_deref(), shown.name.as_deref());
        assert_eq!(texts, (Some("3125550142"), Some("ANNA WEBER")), "{}", phone.name);
    }
    inside.world().lock().lift(inside.phone_port(0));
    inside.wait("the phone hears the caller", || carries(&inside.phones()[0].heard, CALLER_HZ));
    inside.wait("the caller hears the phone", || carries(&inside.line(0).heard, OFFICE_HZ));
    assert!(!inside.phones()[1].ringing, "the other phone is silent");
    inside.on_line(0, |line| line.caller_hangs_up());
    let told = |what: &What| matches!(what, What::HungUpOn(_));
    inside.wait("the person at the phone knows", || inside.phone_time(0, told).is_some());
    inside.wait("everything is on hook", || !inside.line(0).off_hook && !inside.phones()[0].off_hook);
    let series = "ringside_untracked_calls_total{kind=\"direct\",answered=\"yes\"} 1".to_owned();
    inside.wait("it is counted", || counts(&inside).contains(&series));
    let moved: Vec<String> = counts(&inside).difference(&counted).cloned().collect();
    assert_eq!(moved, [series], "nothing else is counted");
    assert_eq!(process::calls(&inside.site), [], "no record");
    // What the line has shown of its exchange may be kept; of the call there is nothing in it.
    let lines = inside.site.data().join("lines.json");
    let learned = std::fs::read_to_string(&lines).unwrap_or_default();
    assert!(!learned.contains("5550142") && !learned.contains("ANNA"), "{learned}");
    let mut left = files(&inside.site.data());
    left.remove(&lines.display().to_string());
    assert_eq!(left, kept, "not a byte on the disk");
}

/// Noise that is like itself at no other time.
fn noise(seed: u32, samples: usize) -> Speech {
    let mut state = seed;
    let samples = (0..samples).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 8
    });
    Speech::Words { samples: samples.collect(), repeat: false }
}

fn piece(audio: &Audio, from: u64, samples: usize) -> &[i16] {
    let at = usize::try_from(from - audio.started_at).unwrap();
    &audio.samples[at..at + samples]
}

/// By how many samples `heard` is later than `said`, and how alike they are then, 0 to 1.
fn delay(said: &Audio, heard: &Audio, from: u64) -> (u64, f64) {
    const WINDOW: usize = SECOND / 2;
    let said = piece(said, from, WINDOW);
    let dot =
        |a: &[i16], b: &[i16]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let alike = |lag: u64| {
        let heard = piece(heard, from + lag, WINDOW);
        dot(said, heard) / (dot(said, said) * dot(heard, heard)).sqrt().max(1.0)
    };
    (0..1_000).map(|lag| (lag, alike(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn from_line_to_phone_and_back_sound_takes_25_ms_at_most() {
    let inside = Inside::start(Site::on_lines(&[&[NOBODY]], &[""], ""));
    let script = Script { speech: noise(2, 2 * SECOND), say_after_ms: 3_000, ..Script::default() };
    inside.world().lock().teach(inside.phone_port(0), script);
    answered(&inside, (0, 0), CallerIn { speech: noise(1, 2 * SECOND), ..CallerIn::new("3125550142") });
    let lifted = inside.phone_time(0, |what| *what == What::Lifted).unwrap();
    let second = SECOND as u64;
    // Both have spoken by then.
    inside.wait_until(lifted + 5 * second);
    let (phone, line) = (inside.phones().remove(0), inside.line(0));
    // The caller speaks from the answer on, the person at the phone 3 s after lifting it.
    let (to_phone, alike) = delay(&line.said, &phone.heard, lifted + second);
    let (to_line, alike_back) = delay(&phone.said, &line.heard, lifted + 3 * second + second / 2);
    println!(
        "line to phone {to_phone} samples ({alike:.3}), phone to line {to_line} samples ({alike_back:.3})"
    );
    assert!(alike > 0.7 && alike_back > 0.7, "{alike} {alike_back}");
    // Exchange and phones add nothing: both logs are written in the sample in which the wire has it.
    assert!(to_phone <= 200 && to_line <= 200, "{to_phone} {to_line} samples");
}

/// Each way in which an exchange tells of a hang-up, and how long the box may take to let the line go, in ms: 2 s and 3 s,
/// or what the signal itself needs to be known, and 200 ms on the way. Dial tone comes after a second of silence; of a line
/// that is not known to reverse it is the reorder tone behind it that counts, after two seconds of silence.
const PROFILES: [(&str, Option<u64>); 6] = [
    ("cpc", Some(2_000)),
    (POLARITY, Some(3_700)),
    ("reorder", Some(3_000)),
    ("busy", Some(3_300)),
    ("dial_tone", Some(3_500)),
    ("none", None),
];

const POLARITY: &str = "polarity";

fn caller(profile: &str) -> CallerIn {
    let reverses_polarity_on_answer = profile == POLARITY;
    CallerIn { reverses_polarity_on_answer, speech: tone(CALLER_HZ), ..CallerIn::new("3125550142") }
}

/// From the far end's hanging up to a line that is on hook, in ms.
fn on_hook_ms(inside: &Inside, line: usize) -> u64 {
    let time = |what| inside.line_time(line, &what).unwrap();
    (time(OnLine::Released) - EXCHANGE_MS * MS - time(OnLine::FarHungUp)) / MS
}

#[test]
fn the_line_is_let_go_whatever_the_exchange_says_of_a_hang_up() {
    let entries = PROFILES.map(|(name, _)| format!("profile = \"{name}\""));
    let inside = Inside::start(Site::on_lines(
        &[&[NOBODY; PROFILES.len()]],
        &entries.each_ref().map(String::as_str),
        "",
    ));
    for (place, (name, _)) in PROFILES.iter().enumerate() {
        answered(&inside, (place, place), caller(name));
    }
    inside.wait("all hear their callers", || {
        inside.phones().iter().all(|phone| carries(&phone.heard, CALLER_HZ))
    });
    let since = inside.world().lock().samples();
    // For the first second of a call an exchange may open the loop, and mean nothing.
    inside.wait_until(since + 1_500 * MS);
    {
        let mut world = inside.world().lock();
        (0..PROFILES.len()).for_each(|line| world.office_line(line).unwrap().far_end_hangs_up());
    }
    let released = |line: usize| inside.line_time(line, &OnLine::Released);
    let last = PROFILES.len() - 1;
    inside.wait("five lines are released", || (0..last).all(|line| released(line).is_some()));
    assert!(released(last).is_none() && inside.line(last).off_hook, "nobody has hung up the silent one");
    inside.world().lock().hang_up(inside.phone_port(last));
    inside.wait("the silent one is released", || released(last).is_some());
    println!("exchange    line on hook after ms   phone told after ms   limit ms");
    for (place, (name, limit_ms)) in PROFILES.into_iter().enumerate() {
        let Some(limit_ms) = limit_ms else {
            let by_phone = inside.phone_time(place, |what| *what == What::HungUp).unwrap();
            let open_at = released(place).unwrap() - EXCHANGE_MS * MS;
            println!("{name:<11} {:>21}   after the handset", (open_at - by_phone) / MS);
            // A second tells hanging up from a flash.
            assert!(open_at <= by_phone + 1_300 * MS, "{name}");
            continue;
        };
        let lost = |what: &What| *what == What::Phone(Happening::BatteryLost);
        let told = inside.phone_time(place, lost).expect("the phone is told by an open loop");
        let hung_up = inside.line_time(place, &OnLine::FarHungUp).unwrap();
        let (line_ms, phone_ms) = (on_hook_ms(&inside, place), (told - hung_up) / MS);
        println!("{name:<11} {line_ms:>21}   {phone_ms:>19}   {limit_ms:>8}");
        assert!(line_ms <= limit_ms && phone_ms <= limit_ms, "{name}");
    }
}

#[test]
fn a_line_that_has_reversed_at_the_end_of_two_calls_is_believed_at_the_third() {
    let inside = Inside::start(Site::on_lines(&[&[NOBODY]], &["profile = \"polarity\""], ""));
    let mut released_ms = Vec::new();
    for _ in 0..3 {
        answered(&inside, (0, 0), caller(POLARITY));
        inside.wait("the phone hears the caller", || carries(&inside.phones()[0].heard, CALLER_HZ));
        let talking_at = inside.world().lock().samples();
        // A reversal that announced the call may turn back in its first two seconds.
        inside.wait_until(talking_at + 2_500 * MS);
        inside.on_line(0, |line| line.far_end_hangs_up());
        inside.wait("the line is released", || inside.line(0).state == State::Idle);
        inside.wait_idle();
        released_ms.push(on_hook_ms(&inside, 0));
    }
    println!("on hook after {released_ms:?} ms");
    assert!(released_ms[2] <= 1_000, "{released_ms:?}");
}
