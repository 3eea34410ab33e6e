//! Call-progress detection against every country's tones, from our generator and from sox, and against an hour of
//! speech and music.

#[path = "sounds/mod.rs"]
mod sounds;

use ringside::audio::{
    level,
    progress::{Detector, Progress, Settings},
    sine::Oscillator,
    tone::{Cadence, Generator, Tone},
    tone_plan::{SpecialInformation, TonePlan},
};
use std::process::Command;

/// Uniform noise, the same in each run.
struct Noise(u64);

impl Noise {
    /// A sample between -1 and 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f32 / (1_u64 << 30) as f32 - 1.0
    }

    /// Adds white noise of a level in dBm0.
    fn add(&mut self, samples: &mut [i16], dbm0: f32) {
        // A uniform sample has a third of the power of its peak, a sine half.
        let peak = level::amplitude(dbm0) * 1.5_f32.sqrt();
        for sample in samples {
            *sample = (f32::from(*sample) + peak * self.next()).round() as i16;
        }
    }
}

fn heard(plan: &TonePlan, samples: &[i16]) -> Vec<Progress> {
    let mut detector = Detector::new(plan, &Settings::default());
    samples.as_chunks::<80>().0.iter().filter_map(|period| detector.hear(period)).collect()
}

/// A tone as a line brings it: after silence, not on the beat of the periods, `ms` long.
fn on_the_line(tone: &Tone, ms: usize) -> Vec<i16> {
    let mut generator = Generator::new(tone);
    let silence = std::iter::repeat_n(0, 4_037);
    silence.chain((0..ms * 8).map(|_| generator.advance())).chain([0; 16_000]).collect()
}

/// The tone with all its levels in sum at `dbm0`.
fn at_level(tone: &Tone, dbm0: f32) -> Tone {
    Tone { dbm0: dbm0 - 10.0 * (tone.frequencies().count() as f32).log10(), ..*tone }
}

fn cadence_scaled(tone: &Tone, on: f32, off: f32) -> Tone {
    let scaled = |ms: u16, by: f32| (f32::from(ms) * by).round() as u16;
    let lengths: Vec<u16> =
        tone.cadence.bursts_ms().iter().flat_map(|&(a, b)| [scaled(a, on), scaled(b, off)]).collect();
    Tone { cadence: Cadence::new(&lengths).unwrap(), ..*tone }
}

fn frequency_scaled(tone: &Tone, by: f32) -> Tone {
    Tone { hz: tone.hz.map(|hz| hz * by), ..*tone }
}

fn cycle_ms(tone: &Tone) -> usize {
    tone.cadence.bursts_ms().iter().map(|&(on, off)| usize::from(on) + usize::from(off)).sum()
}

/// Name, tone, how long it is played in ms, and what has to be heard.
fn cases(plan: &TonePlan) -> Vec<(&'static str, Tone, usize, Vec<Progress>)> {
    let alike = plan.busy == plan.reorder;
    let reorder = if alike { Progress::Busy } else { Progress::Reorder };
    let dial_ms = if plan.dial.cadence.is_continuous() { 3_000 } else { 3 * cycle_ms(&plan.dial) + 300 };
    let ringback: Vec<_> = (1..=3).map(|cycle| Progress::Ringback { cycle }).collect();
    vec![
        ("dial", plan.dial, dial_ms, vec![Progress::DialTone]),
        ("busy", plan.busy, 6 * cycle_ms(&plan.busy), vec![Progress::Busy]),
        ("reorder", plan.reorder, 6 * cycle_ms(&plan.reorder), vec![reorder]),
        ("ringback", plan.ringback, 3 * cycle_ms(&plan.ringback), ringback),
    ]
}

/// The special information tone with frequencies `off_hz` beside and bursts `longer_ms` longer than nominal.
fn information(tone: &SpecialInformation, off_hz: f32, longer_ms: i32, gap_ms: usize, dbm0: f32) -> Vec<i16> {
    let mut samples = vec![0; 4_037];
    for hz in tone.hz {
        let mut oscillator = Oscillator::new(hz + off_hz, dbm0);
        let length = (i32::from(tone.burst_ms) + longer_ms) * 8;
        samples.extend((0..length).map(|_| oscillator.advance().round() as i16));
        samples.extend(vec![0; gap_ms * 8]);
    }
    samples.extend([0; 16_000]);
    samples
}

#[test]
fn every_countrys_tones_are_heard_as_what_they_are_at_all_levels_and_in_noise() {
    let mut wrong = Vec::new();
    for (country, plan) in TonePlan::all() {
        for (name, tone, ms, expected) in cases(plan) {
            for dbm0 in [-40.0, -20.0, -3.0] {
                let mut samples = on_the_line(&at_level(&tone, dbm0), ms);
                for noise_below in [60.0, 15.0] {
                    Noise(1).add(&mut samples, dbm0 - noise_below);
                    let heard = heard(plan, &samples);
                    if heard != expected {
                        wrong.push(format!("{country} {name} at {dbm0}, noise {noise_below}: {heard:?}"));
                    }
                }
            }
        }
        for dbm0 in [-40.0, -20.0, 0.0] {
            let mut samples = information(&plan.special_information, 0.0, 0, 0, dbm0);
            Noise(2).add(&mut samples, dbm0 - 15.0);
            let heard = heard(plan, &samples);
            if heard != [Progress::SpecialInformation] {
                wrong.push(format!("{country} information at {dbm0}: {heard:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn two_percent_and_fifteen_percent_off_are_accepted_and_more_is_not() {
    let mut wrong = Vec::new();
    for (country, plan) in TonePlan::all() {
        for (name, tone, ms, expected) in cases(plan) {
            let tone = at_level(&tone, -20.0);
            let mut check = |what: String, tone: &Tone, is_accepted: bool| {
                let heard = heard(plan, &on_the_line(tone, ms * 5 / 4));
                let is_heard = expected.iter().all(|progress| heard.contains(progress));
                if is_heard != is_accepted {
                    wrong.push(format!("{country} {name} {what}: {heard:?}"));
                }
            };
            for (by, is_accepted) in [(0.98, true), (1.02, true), (0.965, false), (1.035, false)] {
                check(format!("frequency x {by}"), &frequency_scaled(&tone, by), is_accepted);
            }
            if tone.cadence.is_continuous() {
                continue;
            }
            let (less, more) = (0.85, 1.15);
            for (on, off) in [(less, 1.0), (more, 1.0), (1.0, less), (1.0, more), (more, more), (less, less)]
            {
                check(format!("on x {on}, off x {off}"), &cadence_scaled(&tone, on, off), true);
            }
            for (on, off) in [(0.8, 1.0), (1.2, 1.0), (1.0, 0.8), (1.0, 1.2)] {
                // A pause that is longer than it should be still ends one cycle of ringback.
                if name != "ringback" || off < 1.1 {
                    check(format!("on x {on}, off x {off}"), &cadence_scaled(&tone, on, off), false);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_special_information_tone_is_known_within_its_limits_and_in_its_order() {
    let plan = TonePlan::north_america();
    let tone = &plan.special_information;
    for (off_hz, longer_ms, gap_ms, is_heard) in [
        (-50.0, 0, 0, true),
        (50.0, 0, 0, true),
        (0.0, -70, 0, true),
        (0.0, 70, 0, true),
        (0.0, 0, 30, true),
        (-65.0, 0, 0, false),
        (65.0, 0, 0, false),
        (0.0, -100, 0, false),
        (0.0, 100, 0, false),
        (0.0, 0, 70, false),
    ] {
        let heard = heard(plan, &information(tone, off_hz, longer_ms, gap_ms, -20.0));
        assert_eq!(!heard.is_empty(), is_heard, "{off_hz} Hz, {longer_ms} ms, gap {gap_ms}: {heard:?}");
    }
    let [a, b, c] = tone.hz;
    for hz in [[c, b, a], [a, c, b], [b, a, c], [a, b, b]] {
        let other = SpecialInformation { hz, ..*tone };
        assert_eq!(heard(plan, &information(&other, 0.0, 0, 0, -20.0)), []);
    }
}

#[test]
fn one_frequency_of_two_or_a_third_one_or_a_softer_tone_is_not_the_tone() {
    let plan = TonePlan::north_america();
    let with = |hz: [f32; 4], dbm0| Tone { hz, dbm0, ..plan.busy };
    assert_eq!(heard(plan, &on_the_line(&with([480.0, 620.0, 0.0, 0.0], -24.0), 6_000)), [Progress::Busy]);
    for (hz, dbm0) in [
        ([480.0, 0.0, 0.0, 0.0], -24.0),
        ([620.0, 0.0, 0.0, 0.0], -24.0),
        ([480.0, 620.0, 1_000.0, 0.0], -24.0),
        ([480.0, 620.0, 0.0, 0.0], -52.0),
        ([350.0, 440.0, 0.0, 0.0], -24.0),
    ] {
        assert_eq!(heard(plan, &on_the_line(&with(hz, dbm0), 6_000)), [], "{hz:?} {dbm0}");
    }
}

#[test]
fn a_tone_under_a_voice_or_with_a_voice_in_its_pauses_is_not_believed() {
    let mut wrong = Vec::new();
    let voice: Vec<i16> = sounds::talkers().flatten().collect();
    // Without its own pauses, in which the tone would be heard alone and rightly be believed.
    let floor = level::dbm0(&voice) - 6.0;
    let voice: Vec<i16> =
        voice.chunks(160).filter(|part| level::dbm0(part) > floor).flatten().copied().collect();
    let voice = sounds::at_level(&voice, -18.0);
    assert!(voice.len() > 8 * 21_000);
    for (country, plan) in TonePlan::all() {
        for (name, tone, ..) in cases(plan) {
            // One burst of ringback may fall between two words.
            if name == "ringback" {
                continue;
            }
            let plan_tone = tone;
            let tone = on_the_line(&at_level(&tone, -18.0), 20_000);
            let both: Vec<i16> = tone.iter().zip(&voice).map(|(a, b)| a.saturating_add(*b)).collect();
            let in_pauses: Vec<i16> =
                tone.iter().zip(&voice).map(|(a, b)| if *a == 0 { *b } else { *a }).collect();
            let has_pauses = !plan_tone.cadence.is_continuous();
            for (how, samples) in [("under", both), ("between", in_pauses)] {
                if how == "between" && !has_pauses {
                    continue;
                }
                let heard = heard(plan, &samples);
                if heard.iter().any(|progress| !matches!(progress, Progress::Ringback { .. })) {
                    wrong.push(format!("{country} {name} {how}: {heard:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Bursts from sox, written by others: each burst of the cadence is synthesised by it.
fn by_sox(tone: &Tone, ms: usize) -> Vec<i16> {
    let burst = |ms: usize| -> Vec<i16> {
        let seconds = format!("{}", ms as f32 / 1_000.0);
        let peak = level::amplitude(tone.dbm0) / 32_768.0;
        let mut command = Command::new("sox");
        let frequencies: Vec<String> = tone.frequencies().map(|hz| hz.to_string()).collect();
        command.args([
            "-D",
            "-r",
            "8000",
            "-c",
            &frequencies.len().to_string(),
            "-n",
            "-b",
            "16",
            "-e",
            "signed",
        ]);
        command.args(["-t", "raw", "-", "synth", &seconds]);
        for hz in &frequencies {
            command.args(["sine", hz]);
        }
        if tone.modulated_hz > 0.0 {
            // Half of full depth, where our generator has 80 %.
            command.args(["synth", &seconds, "sine", "amod", &tone.modulated_hz.to_string(), "0", "50"]);
        }
        let mix: Vec<String> = (1..=frequencies.len()).map(|n| format!("{n}v{peak}")).collect();
        command.args(["remix", "-m", &mix.join(",")]);
        let output = command.output().expect("sox cannot be run; install the Debian package sox");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.len(), ms * 16, "{tone:?}");
        output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    };
    if tone.cadence.is_continuous() {
        return burst(ms);
    }
    let mut cycle = Vec::new();
    for &(on, off) in tone.cadence.bursts_ms() {
        cycle.extend(burst(usize::from(on)));
        cycle.resize(cycle.len() + usize::from(off) * 8, 0);
    }
    cycle.into_iter().cycle().take(ms * 8).collect()
}

#[test]
fn the_tones_as_sox_makes_them_are_heard_as_what_they_are() {
    let mut wrong = Vec::new();
    let mut made: Vec<(Tone, Vec<i16>)> = Vec::new();
    for (country, plan) in TonePlan::all() {
        for (name, tone, ms, expected) in cases(plan) {
            let known = made.iter().position(|(other, _)| *other == tone).unwrap_or_else(|| {
                made.push((tone, by_sox(&tone, ms)));
                made.len() - 1
            });
            let samples = [&[0; 4_011][..], &made[known].1, &[0; 16_000]].concat();
            let heard = heard(plan, &samples);
            if heard != expected {
                wrong.push(format!("{country} {name}: {heard:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn speech_and_music_are_no_tone_of_any_country() {
    let mut seconds = 0;
    let (mut wrong, mut ringbacks) = (Vec::new(), 0);
    for (n, clip) in sounds::hour().enumerate() {
        seconds += clip.len() / 8_000;
        for (country, plan) in TonePlan::all() {
            for progress in heard(plan, &clip) {
                match progress {
                    Progress::Ringback { .. } => ringbacks += 1,
                    other => wrong.push(format!("clip {n} {country}: {other:?}")),
                }
            }
        }
    }
    println!("{seconds} s of sound, {} false, {ringbacks} false ringbacks in all plans", wrong.len());
    assert!(seconds > 500, "only {seconds} s of sound");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(ringbacks, 0);
}

#[test]
fn a_voice_is_speech_and_tones_and_noise_are_not() {
    let listen = |plan: &TonePlan, samples: &[i16]| {
        let mut detector = Detector::new(plan, &Settings::default());
        for period in samples.as_chunks::<80>().0 {
            detector.hear(period);
        }
        detector
    };
    for (n, voice) in sounds::talkers().enumerate() {
        let ms = voice.len() as u32 / 8;
        let detector = listen(TonePlan::north_america(), &sounds::at_level(&voice, -20.0));
        assert!(detector.speech_ms() > ms / 12, "talker {n}: {} of {ms} ms", detector.speech_ms());
    }
    for (country, plan) in TonePlan::all() {
        for (name, tone, ..) in cases(plan) {
            let mut samples = on_the_line(&at_level(&tone, -20.0), 20_000);
            Noise(3).add(&mut samples, -45.0);
            let speech_ms = listen(plan, &samples).speech_ms();
            assert!(speech_ms <= 200, "{country} {name}: {speech_ms} ms");
        }
    }
    let mut noise = vec![0; 160_000];
    Noise(4).add(&mut noise, -30.0);
    assert_eq!(listen(TonePlan::north_america(), &noise).speech_ms(), 0);
}

#[test]
fn silence_is_counted_and_a_tone_is_present_while_it_sounds() {
    let plan = TonePlan::north_america();
    let mut detector = Detector::new(plan, &Settings::default());
    let tone = on_the_line(&plan.busy, 500);
    let mut present_ms = Vec::new();
    for (n, period) in tone.as_chunks::<80>().0.iter().enumerate() {
        detector.hear(period);
        if detector.tone_present() {
            present_ms.push(n * 10);
        }
    }
    // Silence of 505 ms, a tone of 500 ms, then 2 s of silence.
    assert!((540..620).contains(&present_ms[0]), "{present_ms:?}");
    assert!((980..1_080).contains(present_ms.last().unwrap()), "{present_ms:?}");
    assert!((1_980..=2_000).contains(&detector.silence_ms()), "{}", detector.silence_ms());
}
