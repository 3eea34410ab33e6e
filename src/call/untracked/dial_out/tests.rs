//! What a phone of the office hears and causes when somebody dials on it.

use super::*;
use crate::{dialling::keys_of, rtp::session::Codec};

const PHONE: PortId = PortId(0);
const LINES: [PortId; 2] = [PortId(2), PortId(3)];

struct Dialler {
    call: DialOut,
    ms: u64,
    out: Vec<Command>,
}

impl Dialler {
    fn lifted(emergency_trunk: bool) -> Self {
        let plan = DialPlan::for_country("US").unwrap();
        let mut out = Vec::new();
        let call = DialOut::begin(
            PHONE,
            Settings { plan, emergency_trunk, unplaced_ms: 5_000 },
            Instant::ZERO,
            &mut out,
        );
        assert_eq!(out, [Command::DialTone(PHONE)]);
        Self { call, ms: 0, out: Vec::new() }
    }

    /// Presses keys, one each 200 ms.
    fn press(&mut self, number: &str) {
        for key in keys_of(number).unwrap() {
            self.ms += 200;
            self.give(Event::Key(key));
        }
    }

    fn give(&mut self, event: Event) {
        self.call.handle(event, Instant::ZERO.after_ms(self.ms), &mut self.out);
    }

    fn wait(&mut self, ms: u64) {
        self.ms += ms;
        if self.call.deadline().is_some_and(|due| due <= Instant::ZERO.after_ms(self.ms)) {
            self.give(Event::Deadline);
        }
    }

    fn said(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.out)
    }
}

fn find(number: &str, emergency: bool) -> Command {
    Command::FindLine { keys: keys_of(number).unwrap(), emergency }
}

fn end(kind: Kind, joined: bool) -> Command {
    Command::End { kind, joined }
}

fn report(number: &str, via: Via) -> Command {
    Command::ReportEmergency { phone: PHONE, keys: keys_of(number).unwrap(), via }
}

fn trunk() -> Trunk {
    Trunk {
        remote: ([192, 0, 2, 1], 4000).into(),
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
        rtcp: ([192, 0, 2, 1], 4001).into(),
    }
}

#[test]
fn a_whole_number_goes_out_at_once() {
    let mut phone = Dialler::lifted(false);
    phone.press("13125550199");
    assert_eq!(phone.said(), [Command::Quiet(PHONE), Command::Ignore(PHONE), find("13125550199", false)]);
    phone.give(Event::LineGiven(LINES[0]));
    phone.give(Event::Dialled);
    assert_eq!(phone.said(), [Command::Join { phone: PHONE, line: LINES[0] }]);
    phone.give(Event::OnHook(PHONE));
    assert_eq!(phone.said(), [Command::Part(PHONE), Command::HangUpLine(LINES[0]), end(Kind::DialOut, true)]);
}

#[test]
fn a_local_number_waits_for_more_digits_four_seconds_or_the_pound_key() {
    let mut waiting = Dialler::lifted(false);
    waiting.press("5550199");
    waiting.wait(CRITICAL_MS - 1);
    assert_eq!(waiting.said(), [Command::Quiet(PHONE)]);
    waiting.wait(1);
    assert_eq!(waiting.said(), [Command::Ignore(PHONE), find("5550199", false)]);
    let mut pressing = Dialler::lifted(false);
    pressing.press("5550199#");
    assert_eq!(pressing.said().last(), Some(&find("5550199", false)));
}

#[test]
fn what_no_number_begins_with_gets_reorder() {
    let mut phone = Dialler::lifted(true);
    phone.press("112");
    let reorder = [Command::Ignore(PHONE), Command::Reorder(PHONE), end(Kind::DialOut, false)];
    assert_eq!(phone.said()[1..], reorder);
    let mut silent = Dialler::lifted(true);
    silent.wait(PARTIAL_MS);
    assert_eq!(silent.said(), reorder);
}

#[test]
fn without_a_free_line_an_ordinary_number_gets_reorder() {
    let mut phone = Dialler::lifted(true);
    phone.press("411");
    phone.said();
    phone.give(Event::NoLine);
    assert_eq!(phone.said()[0], Command::Reorder(PHONE));
}

#[test]
fn an_emergency_number_asks_for_a_line_with_its_last_digit() {
    let mut phone = Dialler::lifted(true);
    phone.press("91");
    phone.said();
    phone.press("1");
    assert_eq!(phone.said(), [Command::Ignore(PHONE), find("911", true)]);
    phone.give(Event::LineGiven(LINES[0]));
    assert_eq!(phone.said(), [report("911", Via::Line(LINES[0]))]);
    assert_eq!(phone.call.kind(), Kind::Emergency);
}

#[test]
fn an_emergency_tries_the_next_line_and_then_the_trunk() {
    let mut phone = Dialler::lifted(true);
    phone.press("911");
    for line in LINES {
        phone.said();
        phone.give(Event::LineGiven(line));
        phone.give(Event::LineRefused);
        assert_eq!(phone.said()[..2], [report("911", Via::Line(line)), Command::HangUpLine(line)]);
    }
    let mut phone = Dialler::lifted(true);
    phone.press("911");
    phone.said();
    phone.give(Event::NoLine);
    assert_eq!(phone.said(), [report("911", Via::Trunk), Command::PlaceOnTrunk(keys_of("911").unwrap())]);
    phone.give(Event::TrunkMedia(trunk()));
    assert_eq!(phone.said(), [Command::PatchTrunk { phone: PHONE, trunk: trunk() }]);
    phone.give(Event::OnHook(PHONE));
    assert_eq!(phone.said(), [Command::UnpatchTrunk, Command::HangUpTrunk, end(Kind::Emergency, true)]);
}

#[test]
fn when_nothing_works_the_person_is_told() {
    for trunk in [false, true] {
        let mut phone = Dialler::lifted(trunk);
        phone.press("911");
        phone.give(Event::NoLine);
        if trunk {
            phone.give(Event::TrunkEnded);
        }
        let said = phone.said();
        assert_eq!(said[said.len() - 2..], [report("911", Via::Nothing), Command::SayUnplaced(PHONE)]);
        phone.wait(5_000);
        assert_eq!(phone.said(), [Command::Reorder(PHONE), end(Kind::Emergency, false)]);
    }
}

#[test]
fn an_ordinary_call_gives_its_line_to_an_emergency_and_an_emergency_does_not() {
    let mut ordinary = Dialler::lifted(false);
    ordinary.press("411");
    ordinary.give(Event::LineGiven(LINES[0]));
    ordinary.give(Event::Dialled);
    ordinary.said();
    ordinary.give(Event::Taken);
    let expected = [
        Command::Part(PHONE),
        Command::HangUpLine(LINES[0]),
        end(Kind::DialOut, true),
        Command::Reorder(PHONE),
    ];
    assert_eq!(ordinary.said(), expected);
    let mut emergency = Dialler::lifted(false);
    emergency.press("911");
    emergency.give(Event::LineGiven(LINES[0]));
    emergency.said();
    emergency.give(Event::Taken);
    assert_eq!(emergency.said(), []);
}

#[test]
fn the_far_end_hangs_up_and_the_phone_is_let_go() {
    let mut phone = Dialler::lifted(false);
    phone.press("411");
    phone.give(Event::LineGiven(LINES[0]));
    phone.give(Event::Dialled);
    phone.give(Event::LineGone);
    assert_eq!(phone.said().last(), Some(&Command::Release(PHONE)));
    assert_eq!(phone.call.line(), None);
}

#[test]
fn hanging_up_before_the_number_is_whole_leaves_nothing() {
    let mut phone = Dialler::lifted(false);
    phone.press("312");
    phone.said();
    phone.give(Event::OnHook(PHONE));
    assert_eq!(phone.said(), [Command::Quiet(PHONE), Command::Ignore(PHONE), end(Kind::DialOut, false)]);
    phone.give(Event::Key(keys_of("5").unwrap()[0]));
    assert_eq!(phone.said(), []);
}
