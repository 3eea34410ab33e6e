//! The FXS port against its cadence, hook, release and recovery rules.

use super::*;
use crate::{
    audio::caller_id::{LocalTime, Standard},
    record::Presentation,
};

fn settings(country: &str) -> Settings {
    Settings {
        tones: TonePlan::for_country(country).unwrap(),
        caller_id: Delivery::for_country(country),
        cpc_ms: 500,
        reorder_ms: 30_000,
        howler_ms: 60_000,
    }
}

const BEHIND_PULSE: Delivery =
    Delivery { standard: Standard::EtsiFsk, timing: Timing::BeforeFirstRing(Alert::RingPulse) };

/// A port, what it asked for with the time in ms, and the time.
struct Rig {
    port: Fxs,
    ms: u64,
    log: Vec<(u64, String)>,
}

impl Rig {
    fn up() -> Self {
        Self::in_country("US")
    }

    fn in_country(country: &str) -> Self {
        Self::with(settings(country))
    }

    /// European data behind a ring pulse.
    fn with_ring_pulse() -> Self {
        Self::with(Settings { caller_id: BEHIND_PULSE, ..settings("DE") })
    }

    fn with(settings: Settings) -> Self {
        let mut rig = Self { port: Fxs::new(settings), ms: 0, log: Vec::new() };
        rig.chip(PortChange::Up);
        rig.log.clear();
        rig
    }

    fn chip(&mut self, change: PortChange) {
        self.give(Event::Chip(change));
    }

    fn give(&mut self, event: Event) {
        let mut out = Vec::new();
        self.port.handle(event, Instant::ZERO.after_ms(self.ms), &mut out);
        self.log.extend(out.iter().map(|command| (self.ms, name(command))));
    }

    /// Lets time pass, with every deadline on the way.
    fn wait(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(due) = self.port.deadline().map(|at| at.0 / 1000).filter(|due| *due <= end) {
            self.ms = due;
            self.give(Event::Deadline);
        }
        self.ms = end;
    }

    fn took(&mut self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.log)
    }
}

fn name(command: &Command) -> String {
    match command {
        Command::Feed(feed) => format!("{feed:?}"),
        Command::SendCallerId(..) => "SendCallerId".to_owned(),
        Command::Play(tone) => tone_name(tone).to_owned(),
        other => format!("{other:?}"),
    }
}

fn tone_name(tone: &Tone) -> &'static str {
    let of = |name, pick: fn(&TonePlan) -> &Tone| {
        TonePlan::all().any(|(_, plan)| pick(plan) == tone).then_some(name)
    };
    of("Reorder", |plan| &plan.reorder)
        .or_else(|| of("Howler", |plan| &plan.howler))
        .unwrap_or("another tone")
}

fn log(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
    lines.iter().map(|(ms, what)| (*ms, (*what).to_owned())).collect()
}

fn caller_id() -> Option<CallerId> {
    let at = LocalTime { month: 11, day: 22, hour: 9, minute: 30 };
    Some(CallerId { number: None, name: None, presentation: Presentation::Allowed, at })
}

#[test]
fn a_phone_rings_two_seconds_in_six_with_caller_id_in_the_first_pause_only() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(caller_id()));
    rig.wait(13_000);
    let want = [
        (0, "Ringing"),
        (0, "RingBegan"),
        (2000, "OnHookTransmission"),
        (2600, "SendCallerId"),
        (6000, "Ringing"),
        (8000, "OnHookTransmission"),
        (12_000, "Ringing"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn lifting_during_a_burst_answers_at_once_and_in_a_pause_after_64_ms() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.wait(1000);
    rig.took();
    rig.chip(PortChange::RingTripped);
    assert_eq!(rig.took(), log(&[(1000, "Hush"), (1000, "Active"), (1000, "OffHook")]));

    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.wait(3000);
    rig.took();
    rig.chip(PortChange::LoopClosed);
    rig.wait(63);
    assert_eq!(rig.took(), []);
    rig.wait(1);
    assert_eq!(rig.took(), log(&[(3064, "Hush"), (3064, "Active"), (3064, "OffHook")]));
}

#[test]
fn a_short_opening_is_nothing_a_longer_one_a_flash_and_a_second_a_hang_up() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    for (open_ms, want) in [(120, ""), (500, "Flash")] {
        rig.took();
        rig.chip(PortChange::LoopOpened);
        rig.wait(open_ms);
        rig.chip(PortChange::LoopClosed);
        assert_eq!(rig.took().pop().map(|(_, what)| what).unwrap_or_default(), want);
    }
    rig.chip(PortChange::LoopOpened);
    rig.wait(1000);
    assert_eq!(rig.took().pop().map(|(_, what)| what).as_deref(), Some("OnHook"));
    assert!(rig.port.is_idle());
}

#[test]
fn a_phone_left_off_hook_gets_an_open_loop_then_reorder_then_the_howler_then_silence() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    rig.took();
    rig.give(Event::Release);
    rig.chip(PortChange::LoopOpened);
    rig.wait(500);
    rig.chip(PortChange::LoopClosed);
    rig.wait(200_000);
    let want =
        [(0, "Hush"), (0, "Open"), (500, "Active"), (500, "Reorder"), (30_500, "Howler"), (90_500, "Hush")];
    assert_eq!(rig.took(), log(&want));
    assert!(!rig.port.is_idle());
    rig.chip(PortChange::LoopOpened);
    rig.wait(1000);
    assert!(rig.port.is_idle());
}

#[test]
fn a_phone_hung_up_under_the_howler_is_silent_and_idle_and_a_bounce_of_its_hook_silences_it_too() {
    for (open_ms, idle) in [(1_000, true), (200, false)] {
        let mut rig = Rig::up();
        rig.chip(PortChange::LoopClosed);
        rig.wait(64);
        rig.give(Event::Reorder);
        rig.wait(40_000);
        assert_eq!(rig.took(), log(&[(64, "OffHook"), (64, "Reorder"), (30_064, "Howler")]));
        rig.chip(PortChange::LoopOpened);
        rig.wait(open_ms);
        rig.chip(PortChange::LoopClosed);
        assert_eq!(rig.took()[0].1, "Hush");
        assert_eq!(rig.port.deadline().is_none(), !idle);
    }
}

#[test]
fn a_caller_who_is_known_late_is_shown_in_the_pause_that_has_begun_if_there_is_room() {
    let id = || caller_id().unwrap();
    for (known_ms, sent_ms) in [(500, 2_600), (2_100, 2_600), (3_400, 3_400), (5_600, 8_600), (6_100, 8_600)]
    {
        let mut rig = Rig::up();
        rig.give(Event::Ring(None));
        rig.wait(known_ms);
        rig.give(Event::ShowCaller(id()));
        rig.wait(14_000 - known_ms);
        let log = rig.took();
        let sent: Vec<_> = log.iter().filter(|(_, what)| what == "SendCallerId").map(|(ms, _)| *ms).collect();
        assert_eq!(sent, [sent_ms], "known after {known_ms} ms");
        let bursts: Vec<_> = log.iter().filter(|(_, what)| what == "Ringing").map(|(ms, _)| *ms).collect();
        assert_eq!(bursts, [0, 6_000, 12_000], "known after {known_ms} ms");
    }
}

#[test]
fn phones_ring_and_sound_as_in_their_country() {
    let british = TonePlan::for_country("GB").unwrap();
    let mut rig = Rig::in_country("GB");
    rig.give(Event::Ring(None));
    rig.wait(3_100);
    let fed: Vec<_> = rig.took().into_iter().filter(|(_, what)| what != "RingBegan").collect();
    let pause = "OnHookTransmission";
    assert_eq!(fed, log(&[(0, "Ringing"), (400, pause), (600, "Ringing"), (1000, pause), (3000, "Ringing")]));
    let mut out = Vec::new();
    let mut port = Fxs::new(settings("GB"));
    for (ms, event) in [
        (0, Event::Chip(PortChange::Up)),
        (0, Event::Chip(PortChange::LoopClosed)),
        (64, Event::Deadline),
        (64, Event::Reorder),
    ] {
        port.handle(event, Instant::ZERO.after_ms(ms), &mut out);
    }
    assert!(matches!(out.last(), Some(Command::Play(tone)) if *tone == british.reorder));
}

#[test]
fn a_phone_hung_up_while_the_loop_was_open_is_idle_again() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    rig.give(Event::Release);
    rig.wait(500 + SETTLE_MS);
    assert!(rig.port.is_idle());
}

#[test]
fn a_chip_that_resets_under_a_call_keeps_it_if_it_comes_back_in_time() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    rig.took();
    rig.chip(PortChange::Reset);
    rig.wait(400);
    rig.chip(PortChange::Up);
    rig.chip(PortChange::LoopClosed);
    rig.wait(10_000);
    assert_eq!(rig.took(), log(&[(400, "Active")]));
    assert!(rig.port.is_up() && !rig.port.is_idle());
}

#[test]
fn a_chip_that_stays_down_under_a_call_loses_it() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    rig.took();
    rig.chip(PortChange::PowerAlarm);
    rig.wait(10_000);
    assert_eq!(rig.took(), log(&[(RECOVERY_MS, "Hush"), (RECOVERY_MS, "Lost")]));
    assert!(!rig.port.is_up());
    rig.chip(PortChange::Up);
    assert!(rig.port.is_idle());
}

#[test]
fn a_handset_hung_up_while_its_chip_was_down_is_lost_and_idle() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(None));
    rig.chip(PortChange::RingTripped);
    rig.took();
    rig.chip(PortChange::Reset);
    rig.chip(PortChange::Up);
    rig.wait(10_000);
    assert_eq!(rig.took().pop().map(|(_, what)| what).as_deref(), Some("Lost"));
    assert!(rig.port.is_idle());
}

#[test]
fn a_chip_that_resets_while_ringing_rings_again() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(caller_id()));
    rig.wait(1000);
    rig.took();
    rig.chip(PortChange::Reset);
    rig.wait(500);
    rig.chip(PortChange::Up);
    rig.wait(2600);
    let want = [(1500, "Ringing"), (3500, "OnHookTransmission"), (4100, "SendCallerId")];
    assert_eq!(rig.took(), log(&want));
    rig.chip(PortChange::Reset);
    rig.give(Event::StopRing);
    rig.chip(PortChange::Up);
    rig.wait(60_000);
    assert_eq!(rig.took().pop().map(|(_, what)| what).as_deref(), Some("Active"));
    assert!(rig.port.is_idle());
}

#[test]
fn a_ring_that_is_stopped_never_starts_again() {
    let mut rig = Rig::up();
    rig.give(Event::Ring(caller_id()));
    rig.wait(2300);
    rig.give(Event::StopRing);
    rig.took();
    rig.wait(60_000);
    assert_eq!(rig.took(), []);
    assert!(rig.port.is_idle());
}

/// How long the caller ID of [`caller_id`] takes in a country.
fn sent_ms(country: &str) -> u64 {
    Delivery::for_country(country).duration_ms(&caller_id().unwrap())
}

#[test]
fn a_british_phone_is_told_who_calls_after_a_reversal_and_before_it_rings() {
    let mut rig = Rig::in_country("GB");
    rig.give(Event::Ring(caller_id()));
    rig.wait(3_500);
    let ring = 150 + sent_ms("GB") + 250;
    let want = [
        (0, "ReverseOnHookTransmission"),
        (150, "SendCallerId"),
        (ring, "Ringing"),
        (ring, "RingBegan"),
        (ring + 400, "OnHookTransmission"),
        (ring + 600, "Ringing"),
        (ring + 1_000, "OnHookTransmission"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn a_swedish_phone_gets_its_keys_between_reversal_and_ring() {
    let mut rig = Rig::in_country("SE");
    rig.give(Event::Ring(caller_id()));
    rig.wait(3_000);
    // Four keys, `B00C`.
    let ring = 300 + 4 * 140 + 250;
    let want = [
        (0, "ReverseOnHookTransmission"),
        (300, "SendCallerId"),
        (ring, "Ringing"),
        (ring, "RingBegan"),
        (ring + 1_000, "OnHookTransmission"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn a_phone_can_be_woken_by_a_ring_pulse() {
    let mut rig = Rig::with_ring_pulse();
    rig.give(Event::Ring(caller_id()));
    rig.wait(2_500);
    let ring = 250 + 650 + BEHIND_PULSE.duration_ms(&caller_id().unwrap()) + 250;
    let want = [
        (0, "Ringing"),
        (250, "OnHookTransmission"),
        (900, "SendCallerId"),
        (ring, "Ringing"),
        (ring, "RingBegan"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn a_german_phone_is_told_in_the_first_pause() {
    let mut rig = Rig::in_country("DE");
    rig.give(Event::Ring(caller_id()));
    rig.wait(5_000);
    let want = [
        (0, "Ringing"),
        (0, "RingBegan"),
        (1_000, "OnHookTransmission"),
        (1_600, "SendCallerId"),
        (5_000, "Ringing"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn caller_id_waits_for_a_pause_that_it_fits_into() {
    let mut rig = Rig::in_country("AU");
    rig.give(Event::Ring(caller_id()));
    rig.wait(3_000);
    let want = [
        (0, "Ringing"),
        (0, "RingBegan"),
        (400, "OnHookTransmission"),
        (600, "Ringing"),
        (1_000, "OnHookTransmission"),
        (1_600, "SendCallerId"),
        (3_000, "Ringing"),
    ];
    assert_eq!(rig.took(), log(&want));
}

#[test]
fn without_caller_id_a_phone_rings_at_once_everywhere() {
    for country in ["US", "GB", "SE", "DE"] {
        let mut rig = Rig::in_country(country);
        rig.give(Event::Ring(None));
        assert_eq!(rig.took(), log(&[(0, "Ringing"), (0, "RingBegan")]), "{country}");
    }
}

#[test]
fn lifting_before_the_first_ring_answers() {
    let mut rig = Rig::in_country("SE");
    rig.give(Event::Ring(caller_id()));
    rig.wait(400);
    rig.took();
    rig.chip(PortChange::LoopClosed);
    rig.wait(5_000);
    assert_eq!(rig.took(), log(&[(464, "Hush"), (464, "Active"), (464, "OffHook")]));

    let mut rig = Rig::with_ring_pulse();
    rig.give(Event::Ring(caller_id()));
    rig.wait(100);
    rig.took();
    rig.chip(PortChange::RingTripped);
    assert_eq!(rig.took(), log(&[(100, "Hush"), (100, "Active"), (100, "OffHook")]));
}

#[test]
fn a_caller_who_gives_up_before_the_first_ring_is_never_heard_of() {
    let mut rig = Rig::in_country("GB");
    rig.give(Event::Ring(caller_id()));
    rig.wait(300);
    rig.took();
    rig.give(Event::StopRing);
    rig.wait(60_000);
    assert_eq!(rig.took(), log(&[(300, "Hush"), (300, "Active")]));
    assert!(rig.port.is_idle());
}

#[test]
fn a_chip_that_resets_before_the_first_ring_begins_anew_and_tells_of_one_ring() {
    let mut rig = Rig::in_country("SE");
    rig.give(Event::Ring(caller_id()));
    rig.wait(100);
    rig.chip(PortChange::Reset);
    rig.wait(400);
    rig.chip(PortChange::Up);
    rig.wait(3_000);
    let what: Vec<String> = rig.took().into_iter().map(|(_, what)| what).collect();
    assert_eq!(
        what,
        [
            "ReverseOnHookTransmission",
            "ReverseOnHookTransmission",
            "SendCallerId",
            "Ringing",
            "RingBegan",
            "OnHookTransmission"
        ]
    );
}
