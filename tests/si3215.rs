//! The Si3215 driver and `line-io` against the simulated board, in virtual time.

#![cfg(feature = "sim")]

use ringside::board::Profile;
use ringside::chip::Linefeed::{self, Active, OnHookTransmission, Open, ReverseActive, Ringing};
use ringside::chip::PortChange::{self, Down, LoopClosed, LoopOpened, PowerAlarm, Reset, RingTripped, Up};
use ringside::chip::si3215::POLL_MS;
use ringside::id::PortId;
use ringside::io::line_io::{Change, LineCommand, LineIo};
use ringside::sim::observe::{PhoneSnapshot, What};
use ringside::sim::office::{Answer, Office, Script, Speech};
use ringside::sim::si3215::Model;
use ringside::sim::spi::SimSpi;
use ringside::sim::supervision::HungUpOn;
use ringside::sim::world::{LineSide, SharedWorld, World};
use ringside::time::Instant;

const SIM: &str = include_str!("../board/sim/profile.toml");
const SIM24: &str = include_str!("../board/sim24/profile.toml");
const PHONE1: PortId = PortId(0);
const PHONE2: PortId = PortId(1);
/// Virtual milliseconds that a full start-up takes at most.
const START_MS: u64 = 2_000;

struct Rig {
    world: SharedWorld,
    lines: LineIo<SimSpi>,
    slots: usize,
    ms: u64,
    /// What the box plays into each slot, by time.
    play: fn(u64, usize) -> i16,
    up: Vec<i16>,
    changes: Vec<(u64, PortId, PortChange)>,
}

impl Rig {
    fn new(profile: &str, office: &Office) -> Self {
        let profile = Profile::parse(profile).unwrap();
        let world = World::new(&profile, office).unwrap().share();
        let devices = (0..profile.spi.len()).map(|chain| SimSpi::new(world.clone(), chain)).collect();
        let lines = LineIo::new(&profile, devices).unwrap();
        let slots = usize::from(profile.pcm.slots);
        Self { world, lines, slots, ms: 0, play: |_, _| 0, up: Vec::new(), changes: Vec::new() }
    }

    /// The two-phone board with its ports up.
    fn started(office: &Office) -> Self {
        let mut rig = Self::new(SIM, office);
        rig.run(START_MS);
        assert_eq!(rig.changes_of(PHONE1), [Up]);
        rig.changes.clear();
        rig
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            let down: Vec<i16> = (0..8 * self.slots)
                .map(|i| (self.play)(self.ms * 8 + (i / self.slots) as u64, i % self.slots))
                .collect();
            let mut up = vec![1; down.len()];
            self.world.step(&down, &mut up, self.slots);
            self.up.extend(up);
            self.ms += 1;
            if self.ms.is_multiple_of(POLL_MS) {
                let (ms, changes) = (self.ms, &mut self.changes);
                self.lines.turn(Instant(ms * 1000), &mut |e| {
                    if let Change::Fxs(change) = e.change {
                        changes.push((ms, e.port, change));
                    }
                });
            }
        }
    }

    fn feed(&mut self, port: PortId, linefeed: Linefeed) {
        self.lines.command(LineCommand::feed(port, linefeed), Instant(self.ms * 1000), &mut |_| ());
    }

    /// Rings as the box does: 2 s on, 4 s of on-hook transmission; stops at the first change.
    fn ring(&mut self, port: PortId, bursts: u32) {
        for _ in 0..bursts {
            for (feed, ms) in [(Ringing, 2000), (OnHookTransmission, 4000)] {
                self.feed(port, feed);
                for _ in 0..ms {
                    self.run(1);
                    if !self.changes_of(port).is_empty() {
                        return;
                    }
                }
            }
        }
    }

    fn changes_of(&self, port: PortId) -> Vec<PortChange> {
        self.changes.iter().filter(|c| c.1 == port).map(|c| c.2).collect()
    }

    fn phone(&self, port: PortId) -> PhoneSnapshot {
        self.world.lock().snapshot().into_iter().find(|p| p.port == port).unwrap()
    }

    fn chip<T>(&self, port: PortId, look: impl FnOnce(&mut Model) -> T) -> T {
        look(self.world.lock().slic(port).unwrap())
    }

    /// What a slot sent in the last `ms`.
    fn sent(&self, slot: usize, ms: usize) -> Vec<i16> {
        let all: Vec<i16> = self.up.chunks(self.slots).map(|frame| frame[slot]).collect();
        all[all.len() - ms * 8..].to_vec()
    }
}

fn silent() -> Office {
    Office::empty(2)
}

fn answering(rings: u32, delay_ms: u64) -> Office {
    let speech = Speech::Tone { hz: 440.0, peak: 8000.0 };
    silent().with("PHONE1", Script { answer: Some(Answer { rings, delay_ms }), speech, ..Script::default() })
}

#[test]
fn every_port_of_every_chain_starts_within_two_seconds_and_breaks_no_rule() {
    for (profile, ports) in [(SIM, 2), (SIM24, 24)] {
        let mut rig = Rig::new(profile, &silent());
        rig.run(START_MS);
        for port in (0..ports).map(PortId) {
            assert_eq!(rig.changes_of(port), [Up], "{port:?}");
            rig.chip(port, |chip| assert!(chip.violations().is_empty(), "{:?}", chip.violations()));
        }
    }
}

#[test]
fn each_chip_of_a_chain_is_addressed_alone() {
    let mut rig = Rig::new(SIM24, &silent());
    rig.run(START_MS);
    for port in (0..24).map(PortId) {
        let start = u16::from(port.0) * 16;
        rig.chip(port, |chip| {
            assert_eq!(chip.slots(), Some((usize::from(port.0), usize::from(port.0))));
            assert_eq!([chip.peek(2), chip.peek(3)], start.to_le_bytes());
        });
    }
    rig.feed(PortId(11), ReverseActive);
    for port in (0..24).map(PortId) {
        let expected = if port.0 == 11 { 0x55 } else { 0x11 };
        rig.chip(port, |chip| assert_eq!(chip.peek(64), expected, "{port:?}"));
    }
}

#[test]
fn the_phone_hears_the_cadence_that_is_ordered() {
    let mut rig = Rig::started(&silent());
    let start = rig.ms;
    rig.ring(PHONE1, 3);
    let bursts = rig.phone(PHONE1).bursts;
    assert_eq!(bursts.len(), 3);
    for (i, burst) in bursts.iter().enumerate() {
        let expected_at = (start + 6000 * i as u64) * 8;
        assert_eq!((burst.started_at, burst.ended_at), (expected_at, Some(expected_at + 16_000)));
    }
    assert!(rig.phone(PHONE2).bursts.is_empty());
    assert!(rig.changes.is_empty(), "the charge left by a burst is no handset: {:?}", rig.changes);
    rig.feed(PHONE1, Ringing);
    rig.run(500);
    rig.feed(PHONE1, OnHookTransmission);
    rig.run(80);
    rig.chip(PHONE1, |chip| assert_eq!(chip.peek(64), 0x22, "and does not end on-hook transmission"));
}

#[test]
fn a_handset_lifted_in_a_burst_trips_the_ringing_within_50_ms() {
    let mut rig = Rig::started(&answering(2, 700));
    let start = rig.ms;
    rig.ring(PHONE1, 3);
    assert_eq!(rig.changes_of(PHONE1), [RingTripped]);
    let tripped_after = rig.changes[0].0 - (start + 6700);
    assert!(tripped_after <= 50, "{tripped_after} ms");
    rig.run(500);
    assert_eq!(rig.changes_of(PHONE1), [RingTripped], "the loop is closed and stays so");
    rig.chip(PHONE1, |chip| assert_eq!(chip.peek(64), 0x11));
}

#[test]
fn a_handset_lifted_in_the_pause_closes_the_loop() {
    let mut rig = Rig::started(&answering(2, 2500));
    let start = rig.ms;
    rig.ring(PHONE1, 3);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed]);
    let after = rig.changes[0].0 - (start + 8500);
    assert!(after <= 32, "{after} ms");
    assert_eq!(rig.phone(PHONE1).bursts.len(), 2);
}

#[test]
fn talking_passes_both_ways_in_the_ports_own_slot_only() {
    let mut rig = Rig::started(&answering(1, 100));
    rig.play = |t, slot| if slot == 0 { (t % 1000) as i16 } else { 7 };
    rig.ring(PHONE1, 1);
    rig.feed(PHONE1, Active);
    rig.run(2000);
    let phone = rig.phone(PHONE1);
    let ramp: Vec<i16> = (0..16_000).map(|i| ((phone.heard.started_at + i) % 1000) as i16).collect();
    assert_eq!(phone.heard.samples, ramp, "the phone hears its slot, sample for sample");
    assert_eq!(
        rig.sent(0, 500),
        phone.said.samples[12_000..],
        "the slot carries what is said, sample for sample"
    );
    assert!(phone.said.samples.iter().any(|&s| s > 7000));
    assert!((1..8).all(|slot| rig.sent(slot, 500).iter().all(|&s| s == 0)));
    assert!(rig.phone(PHONE2).heard.samples.iter().all(|&s| s == 0));
}

#[test]
fn audio_reaches_a_phone_on_hook_only_in_on_hook_transmission() {
    let mut rig = Rig::started(&silent());
    rig.play = |_, _| 1000;
    for (feed, heard) in [(Active, 0), (OnHookTransmission, 1000), (Open, 0), (Ringing, 0)] {
        rig.feed(PHONE1, feed);
        rig.run(100);
        assert_eq!(rig.phone(PHONE1).heard.samples.last(), Some(&heard), "{feed:?}");
    }
}

#[test]
fn contacts_that_bounce_for_10_ms_are_one_lift() {
    let mut rig = Rig::started(&silent());
    for _ in 0..3 {
        rig.world.lock().lift(PHONE1);
        rig.run(3);
        rig.world.lock().hang_up(PHONE1);
        rig.run(2);
    }
    rig.world.lock().lift(PHONE1);
    rig.run(100);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed]);
    rig.world.lock().flash(PHONE1, 8);
    rig.run(100);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed], "an opening of 8 ms is noise");
}

#[test]
fn a_flash_of_500_ms_opens_and_closes_the_loop() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().lift(PHONE1);
    rig.run(200);
    rig.world.lock().flash(PHONE1, 500);
    rig.run(800);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed, LoopOpened, LoopClosed]);
    let open_ms = rig.changes[2].0 - rig.changes[1].0;
    assert!((490..=510).contains(&open_ms), "{open_ms} ms");
}

#[test]
fn opening_the_loop_for_500_ms_makes_the_person_hang_up() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().lift(PHONE1);
    rig.run(200);
    rig.feed(PHONE1, Open);
    rig.run(150);
    assert_eq!(rig.phone(PHONE1).volts, 0.0);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed], "a loop that we opened ourselves is no hang-up");
    rig.run(350);
    rig.feed(PHONE1, Active);
    rig.run(500);
    assert!(!rig.phone(PHONE1).off_hook);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed], "nor is one that stays open");
    let (events, _) = rig.world.lock().events_since(0);
    assert!(events.iter().any(|e| e.what == What::HungUpOn(HungUpOn::DeadLoop)));
}

#[test]
fn a_handset_that_stays_up_over_an_opened_loop_is_news_when_the_battery_returns() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().lift(PHONE1);
    rig.run(100);
    rig.feed(PHONE1, Open);
    rig.run(150);
    rig.changes.clear();
    rig.feed(PHONE1, Active);
    rig.run(150);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed]);
}

#[test]
fn reversed_polarity_reaches_the_phone_and_keeps_the_call() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().lift(PHONE1);
    rig.run(200);
    rig.feed(PHONE1, ReverseActive);
    rig.run(200);
    assert!(rig.phone(PHONE1).volts < -40.0);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed]);
}

#[test]
fn a_shorted_cable_is_reported_and_fed_again_after_the_back_off() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().phone(PHONE1).unwrap().shorted = true;
    rig.run(100);
    assert_eq!(rig.changes_of(PHONE1), [PowerAlarm]);
    rig.world.lock().phone(PHONE1).unwrap().shorted = false;
    rig.run(1_000);
    assert_eq!(rig.changes_of(PHONE1), [PowerAlarm, Up]);
    rig.run(5_000);
    assert_eq!(rig.changes_of(PHONE1).len(), 2, "and stays up");
    assert!(rig.changes_of(PHONE2).is_empty());
}

#[test]
fn a_short_that_stays_stops_the_port_after_eleven_alarms() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().phone(PHONE1).unwrap().shorted = true;
    rig.run(400_000);
    let alarms = rig.changes_of(PHONE1).iter().filter(|&&c| c == PowerAlarm).count();
    assert_eq!((alarms, rig.changes_of(PHONE1).last()), (11, Some(&Down)));
    rig.chip(PHONE1, |chip| assert_eq!(chip.peek(64), 0, "the loop stays open"));
    assert!(rig.changes_of(PHONE2).is_empty());
}

#[test]
fn a_chip_that_loses_its_registers_is_back_in_half_a_second_with_its_calibration() {
    for victim in [PHONE1, PHONE2] {
        let mut rig = Rig::started(&silent());
        rig.feed(victim, OnHookTransmission);
        let before = rig.chip(victim, |chip| (98..=107).map(|r| chip.peek(r)).collect::<Vec<_>>());
        rig.chip(victim, Model::reset);
        rig.run(500);
        assert_eq!(rig.changes_of(victim), [Reset, Up]);
        let after = rig.chip(victim, |chip| (98..=107).map(|r| chip.peek(r)).collect::<Vec<_>>());
        assert_eq!(after, before);
        rig.chip(victim, |chip| assert_eq!(chip.peek(64), 0x22, "the last order is applied again"));
        let other = if victim == PHONE1 { PHONE2 } else { PHONE1 };
        assert!(rig.changes_of(other).is_empty(), "{:?}", rig.changes_of(other));
        rig.chip(other, |chip| assert_eq!(chip.peek(64), 0x11));
    }
}

#[test]
fn a_reset_in_a_call_is_over_before_the_person_takes_it_for_a_hang_up() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().lift(PHONE1);
    rig.run(300);
    rig.chip(PHONE1, Model::reset);
    rig.run(2_000);
    assert_eq!(rig.changes_of(PHONE1), [LoopClosed, Reset, Up, LoopClosed]);
    assert!(rig.phone(PHONE1).off_hook);
}

#[test]
fn any_chip_of_a_chain_of_eight_may_reset_without_harm_to_the_others() {
    let mut rig = Rig::new(SIM24, &silent());
    rig.run(START_MS);
    for victim in (0..8).map(PortId) {
        rig.changes.clear();
        rig.chip(victim, Model::reset);
        rig.run(600);
        assert_eq!(rig.changes_of(victim), [Reset, Up], "{victim:?}");
        assert_eq!(rig.changes.len(), 2, "{victim:?}: {:?}", rig.changes);
        for port in (0..24).map(PortId) {
            rig.chip(port, |chip| assert_eq!(chip.peek(64), 0x11, "{port:?}"));
        }
    }
}

#[test]
fn calibration_is_tried_twice_before_the_port_is_down_and_again_after_the_back_off() {
    let mut once = Rig::new(SIM, &silent());
    once.chip(PHONE1, |chip| chip.faults.stuck_calibrations = 1);
    once.run(START_MS + 2_000);
    assert_eq!(once.changes_of(PHONE1), [Up]);

    let mut twice = Rig::new(SIM, &silent());
    twice.chip(PHONE1, |chip| chip.faults.stuck_calibrations = 2);
    twice.run(START_MS + 3_500);
    assert_eq!((twice.changes_of(PHONE1), twice.changes_of(PHONE2)), (vec![Down], vec![Up]));
    twice.run(START_MS + 1_000);
    assert_eq!(twice.changes_of(PHONE1), [Down, Up]);
}

#[test]
fn a_transfer_that_fails_once_is_nothing_and_three_in_a_row_are_a_lost_chip() {
    let mut rig = Rig::started(&silent());
    rig.world.lock().fail_spi(0, 1);
    rig.run(500);
    assert!(rig.changes.is_empty());
    rig.world.lock().fail_spi(0, 1);
    rig.feed(PHONE1, ReverseActive);
    rig.run(50);
    rig.chip(PHONE1, |chip| assert_eq!(chip.peek(64), 0x55, "an order that did not get through is repeated"));
    rig.world.lock().fail_spi(0, 1_000);
    rig.run(100);
    assert_eq!((rig.changes_of(PHONE1), rig.changes_of(PHONE2)), (vec![Down], vec![Down]));
    rig.world.lock().fail_spi(0, 0);
    rig.run(5_000 + START_MS);
    assert_eq!((rig.changes_of(PHONE1), rig.changes_of(PHONE2)), (vec![Down, Up], vec![Down, Up]));
}

#[test]
fn a_loop_with_too_many_ringers_does_not_ring_and_raises_the_alarm() {
    let heavy = |ren| silent().with("PHONE1", Script { ren, ..Script::default() });
    let mut five = Rig::started(&heavy(5.0));
    five.ring(PHONE1, 1);
    assert_eq!((five.phone(PHONE1).bursts.len(), five.changes.len()), (1, 0));
    let mut nine = Rig::started(&heavy(9.0));
    nine.ring(PHONE1, 1);
    assert_eq!((nine.phone(PHONE1).bursts.len(), nine.changes_of(PHONE1)), (0, vec![PowerAlarm]));
}

#[test]
fn readings_tell_an_idle_loop_from_a_wet_one_and_from_a_handset() {
    let mut rig = Rig::started(&silent());
    rig.run(100);
    let idle = rig.lines.readings(PHONE1).unwrap().unwrap();
    assert!((45.0..=49.0).contains(&idle.loop_volts) && idle.loop_milliamps == 0.0, "{idle}");
    assert!(idle.ring_volts < idle.tip_volts && idle.battery_volts < idle.ring_volts, "{idle}");
    assert_eq!(idle.idle_fault(), None);

    rig.world.lock().phone(PHONE1).unwrap().wet = true;
    rig.run(100);
    let wet = rig.lines.readings(PHONE1).unwrap().unwrap();
    assert!(wet.idle_fault().unwrap().starts_with("3.8 mA flow on an idle loop"), "{wet}");
    assert!(rig.changes.is_empty(), "a leak is not a handset");

    rig.world.lock().lift(PHONE1);
    rig.run(100);
    let closed = rig.lines.readings(PHONE1).unwrap().unwrap();
    assert!((18.0..=21.0).contains(&closed.loop_milliamps), "{closed}");
}
