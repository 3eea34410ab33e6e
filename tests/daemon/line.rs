//! The analog line in a call: its echo, and the levels on the record.

use crate::shared::{
    process::{self, PATIENCE, Process},
    site::{Site, number},
    sound,
};
use ringside::{
    audio::level,
    record::LegKind,
    sim::provider::{Account, CallPlan, End, Provider, Speech},
};
use std::time::Duration;

const TALK: Duration = Duration::from_secs(9);
/// A phone whose line returns a third of what is sent to it, 2 ms later; its person listens.
const ECHOES: &str =
    "answer_after_rings = 1\nanswer_delay_ms = 300\necho = { delay_ms = 2.0, loss_db = 10.0 }";
/// Samples of a second.
const SECOND: usize = 8_000;

#[test]
fn the_echo_of_the_line_is_neither_sent_back_nor_recorded() {
    let site = Site::new(&[&[ECHOES]], "");
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let mut state = 7_u32;
    let noise: Vec<i16> = (0..80_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 8
        })
        .collect();
    let said_dbm0 = level::dbm0(&noise);
    let plan = CallPlan {
        speech: Speech::Samples(noise.into()),
        hang_up_after: Some(TALK),
        ..CallPlan::new("+13126000000", &number(0))
    };
    let outcome = provider.place_at(site.sip(), plan).wait(TALK + PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::CallerHungUp));
    let record = process::closed_calls(&site, 1).remove(0);
    drop(process);
    let path = record.recording.path.as_ref().unwrap();
    let (caller, office) = sound::decode(&site.data().join(path));
    // The last second, when the notice is over and the path is known.
    let last = |leg: &[i16]| level::dbm0(&leg[leg.len() - 2 * SECOND..leg.len() - SECOND]);
    println!("caller {} dBm0, office {} dBm0, {:?}", last(&caller), last(&office), record.legs);
    assert!(last(&caller) > -25.0 && last(&office) < last(&caller) - 35.0);
    assert!(last(&outcome.heard) < last(&caller) - 35.0, "the caller hears himself");
    let leg = |kind| record.legs.iter().find(|leg| leg.kind == kind).unwrap();
    let (trunk, line) = (leg(LegKind::Trunk), leg(LegKind::Line));
    let erl_db = line.erl_db.unwrap();
    assert!((8.0..12.0).contains(&erl_db), "{erl_db} dB");
    assert!(line.erle_db.unwrap() > 15.0, "{line:?}");
    // The notice is mixed into it at first.
    assert!((trunk.level_dbm0.unwrap() - said_dbm0).abs() < 1.0, "{trunk:?}, {said_dbm0} dBm0 were said");
    assert!(trunk.mos_cq.unwrap() > 3.5, "{trunk:?}");
}
