//! The echo canceller on a 2-wire line with µ-law, the echo paths of ITU-T G.168 and recorded talkers.

#![allow(clippy::disallowed_methods, reason = "a test reads its table and recordings")]

#[path = "echo/mod.rs"]
mod lines;

use lines::{
    line::{Line, Period},
    recordings::{SPEECH, talker},
    table::{self, Case, ERL_DB, FIGURES, Part},
};
use ringside::audio::{
    dtmf,
    echo::EchoCanceller,
    level,
    sine::{Oscillator, Phase},
};
use std::fs;

const SECOND: usize = 8_000;

/// Carries two signals and cancels; what the call hears.
fn talk(
    canceller: &mut EchoCanceller,
    line: &mut Line,
    far: &[f32],
    near: &[f32],
) -> (Vec<Period>, Vec<f32>) {
    let mut heard = Vec::new();
    let both = far.as_chunks::<80>().0.iter().zip(near.as_chunks::<80>().0);
    let carry = |(far, near): (&[f32; 80], &[f32; 80])| {
        let period = line.carry(far, near);
        let mut samples = period.heard;
        canceller.cancel(&period.far, &mut samples);
        heard.extend(samples.map(f32::from));
        period
    };
    let periods = both.map(carry).collect();
    (periods, heard)
}

fn silence(samples: usize) -> Vec<f32> {
    vec![0.0; samples]
}

/// White noise of a level; `seed` is not 0.
fn noise(samples: usize, dbm0: f32, mut seed: u32) -> Vec<f32> {
    let peak = level::amplitude(dbm0) * 1.5_f32.sqrt();
    let next = || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        (seed as f32 / 2_147_483_648.0 - 1.0) * peak
    };
    std::iter::repeat_with(next).take(samples).collect()
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

fn db(a: f64, b: f64) -> f64 {
    10.0 * (a / b).log10()
}

/// Echo return loss enhancement where only the far end talks.
fn erle(periods: &[Period], heard: &[f32]) -> f64 {
    db(periods.iter().map(|period| energy(&period.echo)).sum(), energy(heard))
}

/// A canceller that knows `line`, with the linear part alone or processed.
fn converged(line: &mut Line, processing: bool) -> EchoCanceller {
    let mut canceller = EchoCanceller::new();
    canceller.set_processing(processing);
    let far = talker("hts", 4 * SECOND);
    talk(&mut canceller, line, &far, &silence(far.len()));
    canceller
}

#[test]
fn the_committed_table_is_what_the_product_reaches() {
    let committed = table::from_csv(&fs::read_to_string(table::FILE).expect("the table is committed"));
    let cheap = |case: &Case| case.far == SPEECH[0] && case.erl_db == ERL_DB && case.part == Part::Linear;
    for case in table::cases().iter().filter(|case| cheap(case)) {
        let (_, row) = committed.iter().find(|(name, _)| *name == case.name()).expect("a row of the table");
        let now = case.measure();
        let both = row.reached.iter().chain(&row.caps).zip(now.reached.iter().chain(&now.caps));
        for (committed, now) in both {
            assert!((committed - now).abs() <= 0.3, "{}: {row:?} became {now:?}", case.name());
        }
    }
}

#[test]
fn the_committed_table_is_whole_and_meets_the_goals_with_every_talker() {
    let text = fs::read_to_string(table::FILE).expect("the table is committed");
    let rows = table::from_csv(&text);
    assert_eq!(table::to_csv(&rows), text);
    assert_eq!(rows.len(), table::cases().len());
    for (case, (name, figures)) in table::cases().iter().zip(&rows) {
        assert_eq!(case.name(), *name);
        for ((figure, goal), reached) in FIGURES.iter().zip(figures.reached) {
            assert!(case.erl_db != ERL_DB || reached >= *goal, "{name}: {figure} is {reached}, goal {goal}");
        }
    }
}

#[test]
fn a_handset_lifted_on_another_extension_is_learnt_within_a_second() {
    let lines = [("D2", 10.0, "D5", 6.0), ("D7", 10.0, "D3", 8.0), ("D9", 8.0, "D4", 20.0)];
    for (before, erl_before, after, erl_after) in lines {
        let mut canceller = converged(&mut Line::new(before, erl_before, 0), false);
        let far = talker("ve9qrp_10s", 2 * SECOND);
        let mut line = Line::new(after, erl_after, 16);
        let (periods, heard) = talk(&mut canceller, &mut line, &far, &silence(far.len()));
        let reached = erle(&periods[100..], &heard[SECOND..]);
        assert!(reached > 25.0, "{before} to {after}: {reached:.1} dB");
    }
}

#[test]
fn a_pure_delay_of_10_ms_is_within_the_tail() {
    let mut line = Line::new("D5", 10.0, 80);
    let mut canceller = converged(&mut line, false);
    let far = talker("cq_ref", 3 * SECOND);
    let (periods, heard) = talk(&mut canceller, &mut line, &far, &silence(far.len()));
    assert!(erle(&periods, &heard) > 29.0, "{:.1} dB", erle(&periods, &heard));
}

#[test]
fn the_next_call_begins_with_the_path_of_the_last() {
    let mut line = Line::new("D4", 10.0, 0);
    let mut canceller = converged(&mut line, false);
    assert!((canceller.erl_db().unwrap() - 10.0).abs() < 1.0, "{:?}", canceller.erl_db());
    assert!(canceller.erle_db().unwrap() > 25.0, "{:?}", canceller.erle_db());
    canceller.begin();
    let far = talker("kristoff", SECOND / 2);
    let first_words = |canceller: &mut EchoCanceller| {
        canceller.set_processing(false);
        let (periods, heard) = talk(canceller, &mut Line::new("D4", 10.0, 0), &far, &silence(far.len()));
        erle(&periods, &heard)
    };
    let (known, unknown) = (first_words(&mut canceller), first_words(&mut EchoCanceller::new()));
    assert!(known > 18.0 && known > unknown + 8.0, "{known:.1} dB, {unknown:.1} dB without the last call");
    assert_eq!(EchoCanceller::new().erl_db(), None);
    assert_eq!(EchoCanceller::new().erle_db(), None);
}

#[test]
fn without_a_far_signal_the_near_talker_passes_untouched() {
    let mut line = Line::new("D6", 10.0, 0);
    let mut canceller = converged(&mut line, true);
    let near = talker("hts2", 2 * SECOND);
    let (periods, heard) = talk(&mut canceller, &mut line, &silence(near.len()), &near);
    let sent: Vec<f32> = periods.iter().flat_map(|period| period.heard.map(f32::from)).collect();
    // The first periods still hold the ringing of the line.
    assert!(sent[800..] == heard[800..]);
}

#[test]
fn a_near_talker_12_db_below_the_far_one_loses_no_word() {
    for path in ["D2", "D7"] {
        let mut line = Line::new(path, 10.0, 0);
        let mut canceller = converged(&mut line, true);
        let far = talker("kristoff", 6 * SECOND);
        let near: Vec<f32> = talker("hts1", far.len()).iter().map(|s| s * 0.25).collect();
        let (_, heard) = talk(&mut canceller, &mut line, &far, &near);
        let power = energy(&near) / near.len() as f64;
        // Syllables: what is not 15 dB below the near talker's own mean.
        for (n, (near, heard)) in near.chunks(320).zip(heard.chunks(320)).enumerate() {
            if energy(near) / 320.0 > 0.03 * power {
                assert!(energy(heard) > 0.5 * energy(near), "{path}: lost at {} ms", n * 40);
            }
        }
    }
}

#[test]
fn keys_dialled_over_the_far_talker_stay_clean() {
    let mut line = Line::new("D3", 10.0, 0);
    let mut canceller = converged(&mut line, true);
    let keys: Vec<_> = "0123456789*#".chars().filter_map(dtmf::Key::from_sign).collect();
    let near: Vec<f32> = dtmf::dial(&keys).iter().map(|&s| f32::from(s)).collect();
    let far = talker("hts1", near.len());
    let (_, heard) = talk(&mut canceller, &mut line, &far, &near);
    for (key, (near, heard)) in
        near.chunks(2 * dtmf::DIALLED).zip(heard.chunks(2 * dtmf::DIALLED)).enumerate()
    {
        let (near, heard) = (&near[..dtmf::DIALLED], &heard[..dtmf::DIALLED]);
        let error: Vec<f32> = near.iter().zip(heard).map(|(near, heard)| heard - near).collect();
        let snr = db(energy(near), energy(&error));
        assert!(snr > 30.0, "key {key}: {snr:.1} dB");
    }
}

#[test]
fn comfort_noise_has_the_level_and_the_colour_of_the_line() {
    let mut line = Line::new("D4", 10.0, 0);
    let mut canceller = converged(&mut line, true);
    let far = talker("hts2", 6 * SECOND);
    // Brown noise: neighbours are alike.
    let mut low = 0.0;
    let hiss = noise(2 * SECOND + far.len(), -66.0, 7);
    let hiss: Vec<f32> = hiss
        .iter()
        .map(|s| {
            low = 0.9 * low + s;
            low
        })
        .collect();
    let (quiet, spoken) = hiss.split_at(2 * SECOND);
    let (_, heard) = talk(&mut canceller, &mut line, &silence(quiet.len()), quiet);
    assert!(db(energy(&heard), energy(quiet)).abs() < 1.0, "the line itself passes");
    let (_, heard) = talk(&mut canceller, &mut line, &far, spoken);
    let alike = |x: &[f32]| x.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / energy(x);
    let (heard, spoken) = (&heard[SECOND..], &spoken[SECOND..]);
    let level = db(energy(heard), energy(spoken));
    assert!(level.abs() < 2.5, "{level:.1} dB beside the line");
    assert!((alike(heard) - alike(spoken)).abs() < 0.15, "{} beside {}", alike(heard), alike(spoken));
}

/// A tone of 2100 Hz, reversed every `reversal_ms` by `degrees`.
fn answer_tone(ms: usize, dbm0: f32, reversal_ms: usize, degrees: f32) -> Vec<f32> {
    let step = Phase::step(2_100.0);
    let mut phase = Phase::default();
    let sample = |n: usize| {
        if n > 0 && n.is_multiple_of(reversal_ms * 8) {
            phase.advance((f64::from(degrees) / 360.0 * 4_294_967_296.0) as u32);
        }
        level::amplitude(dbm0) * phase.advance(step)
    };
    (0..ms * 8).map(sample).collect()
}

/// Whether a canceller that has just handled this passes its line untouched.
fn is_disabled(canceller: &mut EchoCanceller) -> bool {
    let mut probe = canceller.clone();
    let far = talker("hts", SECOND / 10);
    let mut line = Line::new("D2", 6.0, 0);
    let (periods, heard) = talk(&mut probe, &mut line, &far, &silence(far.len()));
    let sent: Vec<f32> = periods.iter().flat_map(|period| period.heard.map(f32::from)).collect();
    sent == heard
}

#[test]
fn reversed_2100_hz_from_either_side_disables_within_a_second_and_a_fax_tone_does_not() {
    for (dbm0, degrees, from_far) in
        [(-12.0, 180.0, true), (-12.0, 180.0, false), (-30.0, 160.0, true), (-6.0, 200.0, false)]
    {
        let mut line = Line::new("D2", 6.0, 0);
        let mut canceller = converged(&mut line, true);
        let tone = answer_tone(1_000, dbm0, 450, degrees);
        let quiet = silence(tone.len());
        let (far, near) = if from_far { (&tone, &quiet) } else { (&quiet, &tone) };
        talk(&mut canceller, &mut line, far, near);
        assert!(is_disabled(&mut canceller), "{dbm0} dBm0, {degrees} degrees, from the far end: {from_far}");
    }
    // CED; jumps that are no reversals; reversals out of time; a tone too weak.
    let others = [(-12.0, 9_999, 180.0), (-12.0, 450, 100.0), (-12.0, 200, 180.0), (-40.0, 450, 180.0)];
    for (dbm0, reversal_ms, degrees) in others {
        let mut line = Line::new("D2", 6.0, 0);
        let mut canceller = converged(&mut line, true);
        let tone = answer_tone(4_000, dbm0, reversal_ms, degrees);
        talk(&mut canceller, &mut line, &tone, &silence(tone.len()));
        assert!(!is_disabled(&mut canceller), "{dbm0} dBm0, {degrees} degrees every {reversal_ms} ms");
    }
}

#[test]
fn a_disabled_canceller_comes_back_after_a_quarter_of_a_second_of_silence_and_not_sooner() {
    let mut line = Line::new("D2", 6.0, 0);
    let mut canceller = converged(&mut line, true);
    let mut send = |canceller: &mut EchoCanceller, near: &[f32]| {
        talk(canceller, &mut line, &silence(near.len()), near);
    };
    send(&mut canceller, &answer_tone(1_400, -12.0, 450, 180.0));
    // The modem's carrier holds it, and so does a gap of 100 ms.
    send(&mut canceller, &noise(SECOND, -20.0, 3));
    send(&mut canceller, &silence(800));
    assert!(is_disabled(&mut canceller));
    send(&mut canceller, &noise(SECOND, -30.0, 3));
    assert!(is_disabled(&mut canceller));
    send(&mut canceller, &silence(2_400));
    assert!(!is_disabled(&mut canceller));
}

#[test]
fn talkers_and_chords_do_not_disable() {
    let chords: Vec<f32> = (0..20)
        .flat_map(|n| {
            let mut notes = [525.0, 1_050.0, 2_100.0, 262.0 * (1.0 + n as f32 / 12.0)]
                .map(|hz| Oscillator::new(hz, -20.0));
            (0..SECOND / 4).map(move |_| notes.iter_mut().map(Oscillator::advance).sum())
        })
        .collect();
    let mut canceller = EchoCanceller::new();
    let mut line = Line::new("D6", 10.0, 0);
    let talkers = SPEECH.map(|name| talker(name, 3 * SECOND));
    for signal in talkers.iter().chain([&chords]) {
        // Without a pause in which it could have come back.
        talk(&mut canceller, &mut line, signal, &silence(signal.len()));
        assert!(!is_disabled(&mut canceller));
    }
}

#[test]
fn nothing_on_the_line_is_too_much_for_it() {
    let n = SECOND;
    let square: Vec<f32> = (0..n).map(|i| if i / 7 % 2 == 0 { 32_767.0 } else { -32_768.0 }).collect();
    let clipped: Vec<f32> =
        talker("cq_ref", n).iter().map(|s| (s * 40.0).clamp(-32_768.0, 32_767.0)).collect();
    let tone: Vec<f32> = (0..n).map(|i| 20_000.0 * (i as f32 * 0.7).sin()).collect();
    let whisper: Vec<f32> = (0..n).map(|i| [1.0, 0.0, -1.0, 0.0][i % 4]).collect();
    let keys = dtmf::dial(&"159D".chars().filter_map(dtmf::Key::from_sign).collect::<Vec<_>>());
    let keys: Vec<f32> = keys.iter().map(|&s| f32::from(s)).cycle().take(n).collect();
    let impulse: Vec<f32> = (0..n).map(|i| if i % 500 == 0 { -32_768.0 } else { 0.0 }).collect();
    let signals = [&square, &clipped, &tone, &whisper, &keys, &impulse, &silence(n)];
    let mut canceller = EchoCanceller::new();
    canceller.set_processing(false);
    for far in signals {
        for near in signals {
            talk(&mut canceller, &mut Line::new("D8", 6.0, 0), far, near);
            let known = [canceller.erl_db(), canceller.erle_db()];
            assert!(known.into_iter().flatten().all(f32::is_finite), "{known:?}");
        }
    }
    // It learns as if nothing had been: no tap and no estimate has become something that is not a number.
    let mut line = Line::new("D8", 10.0, 0);
    let far = talker("hts", 3 * SECOND);
    let (periods, heard) = talk(&mut canceller, &mut line, &far, &silence(far.len()));
    let reached = erle(&periods[200..], &heard[2 * SECOND..]);
    assert!(reached > 29.0, "{reached:.1} dB");
}

#[test]
fn long_tones_and_near_silence_do_not_spoil_a_known_path() {
    let dial_tone: Vec<f32> = {
        let mut tones = [Oscillator::new(350.0, -13.0), Oscillator::new(440.0, -13.0)];
        (0..8 * SECOND).map(|_| tones.iter_mut().map(Oscillator::advance).sum()).collect()
    };
    let whisper = noise(4 * SECOND, -62.0, 5);
    let mut line = Line::new("D5", 10.0, 0);
    let mut canceller = converged(&mut line, false);
    for far in [dial_tone, whisper] {
        talk(&mut canceller, &mut line, &far, &silence(far.len()));
        let speech = talker("hts1", SECOND / 2);
        let (periods, heard) = talk(&mut canceller.clone(), &mut line, &speech, &silence(speech.len()));
        assert!(erle(&periods, &heard) > 20.0, "{:.1} dB", erle(&periods, &heard));
    }
}

#[test]
fn an_enabled_canceller_changes_the_line_and_one_that_is_off_does_not() {
    let mut line = Line::new("D2", 6.0, 0);
    let mut canceller = converged(&mut line, true);
    assert!(!is_disabled(&mut canceller));
    canceller.set_enabled(false);
    assert!(is_disabled(&mut canceller));
    canceller.set_enabled(true);
    assert!(!is_disabled(&mut canceller));
}
