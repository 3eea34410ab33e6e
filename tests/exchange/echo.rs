//! Echo of the 2-wire line: how much returns, by the impedance and the hybrid's coefficients that the driver loads.

use super::rig::Rig;
use ringside::chip::si3050::{Command, Settings};
use ringside::sim::exchange::{Country, LinePlan, Profile};
use ringside::sim::hybrid::Balance;

/// What the line leaves with its own impedance.
const ECHO: [f32; 8] = [0.0, 0.125, 0.25, -0.125, 0.0625, 0.0, -0.03125, 0.015_625];
const FITTING: [i8; 8] = [0, 16, 32, -16, 8, 0, -4, 2];
const IMPEDANCE: u8 = 2;

/// Echo return loss in dB of a line that is called and silent, measured with noise.
fn loss_db(balance: Option<Balance>, set_up: impl FnOnce(&mut Settings)) -> f32 {
    let plan = LinePlan { balance, profile: Profile::None, ..LinePlan::default() };
    let mut rig = Rig::with(plan, Country::north_america(), set_up);
    rig.line(|line| line.call_in(ringside::sim::exchange::CallerIn::new("1")));
    rig.run(10);
    rig.command(Command::OffHook);
    rig.run(300);
    let mut seed = 1u32;
    let noise: Vec<i16> = (0..8000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 18) as i16 - 8192
        })
        .collect();
    rig.send(&noise);
    let from = rig.ms;
    rig.run(1000);
    let power = |samples: &[i16]| samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
    let returned = power(rig.heard(from..from + 1000));
    if returned == 0.0 { f32::INFINITY } else { (10.0 * (power(&noise) / returned).log10()) as f32 }
}

fn line() -> Option<Balance> {
    Some(Balance { impedance: IMPEDANCE, echo: ECHO.to_vec() })
}

fn acim(settings: &mut Settings, acim: u8) {
    settings.termination.acim = acim;
}

#[test]
fn without_a_balance_nothing_returns_whatever_the_impedance() {
    for code in [0, 2, 15] {
        assert_eq!(loss_db(None, |settings| acim(settings, code)), f32::INFINITY);
    }
}

#[test]
fn the_right_impedance_returns_least_and_each_step_away_more() {
    let loss = |code| loss_db(line(), |settings| acim(settings, code));
    let losses: Vec<f32> = (IMPEDANCE..16).map(loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0] - 0.3), "{losses:?}");
    assert_eq!(losses[1], loss(1), "as far on the other side");
    assert!((losses[0] - 9.6).abs() < 1.0, "{losses:?}");
}

#[test]
fn the_right_coefficients_take_the_rest_away_and_wrong_ones_add_to_it() {
    let with = |hybrid: [i8; 8]| {
        loss_db(line(), |settings| {
            acim(settings, IMPEDANCE);
            settings.hybrid = hybrid;
        })
    };
    let (without, fitting, opposite) = (with([0; 8]), with(FITTING), with(FITTING.map(|tap| -tap)));
    assert!(fitting > 80.0, "{fitting}");
    assert!((without - opposite - 6.0).abs() < 0.2, "{without} {opposite}");
    let nearly = with([0, 16, 31, -16, 8, 0, -4, 2]);
    assert!((nearly - 42.0).abs() < 0.5, "one step of 1/128 is 42 dB down: {nearly}");
}

#[test]
fn coefficients_on_a_line_without_echo_make_one() {
    assert!((loss_db(None, |settings| settings.hybrid = [64, 0, 0, 0, 0, 0, 0, 0]) - 6.0).abs() < 0.1);
}
