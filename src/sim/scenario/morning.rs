//! The scenes over the trunk, and the order of all.
//!
//! The person at PHONE1 answers after the second ring, PHONE2 is never answered (`board/sim/office.toml`).

use super::{Act, Deed, Expected, Kept, Scene, Seen, Step, TrunkCall, When, on_the_line};
use crate::{
    id::PortId,
    sim::{
        phone_alert::AlertDetector,
        provider::{CallPlan, Speech},
        world::World,
    },
};
use std::{sync::Arc, time::Duration};

/// The phones, by their places on the board.
pub(super) const PHONE1: usize = 0;
pub(super) const PHONE2: usize = 1;
/// A flash of the hook that a person makes, ms.
const FLASH_MS: u16 = 450;

/// A caller's number and name, the number called, what the caller says.
pub(super) fn call(from: &str, name: &str, to: &str, speech: &Arc<[i16]>) -> CallPlan {
    CallPlan {
        display_name: name.to_owned(),
        speech: Speech::Samples(Arc::clone(speech)),
        ..CallPlan::new(from, to)
    }
}

/// A step that is a call over the trunk.
pub(super) fn calls(words: &'static str, when: When, plan: CallPlan, expected: Expected, kept: Kept) -> Step {
    Step { words, when, deed: Deed::Call(Box::new(TrunkCall { plan, expected, kept })) }
}

/// A step that is something else.
pub(super) fn acts(
    words: &'static str,
    when: When,
    act: impl Fn(&mut World) + 'static,
    outcome: fn(&Seen) -> Option<String>,
) -> Step {
    Step { words, when, deed: Deed::Act(Act { act: Box::new(act), outcome }) }
}

/// The port of a phone or a line with this place among all ports of the board.
pub(super) fn port(place: usize) -> PortId {
    PortId(u8::try_from(place).unwrap_or(u8::MAX))
}

/// The scenes in their order; callers say `speech`.
#[must_use]
pub fn office_morning(speech: &Arc<[i16]>) -> Vec<Scene> {
    vec![
        answered(speech),
        missed(speech),
        waiting(speech),
        nobodys(speech),
        anonymous(speech),
        on_the_line::direct(speech),
        on_the_line::forwarded(speech),
        on_the_line::unplugged(speech),
        given_up(speech),
        on_the_line::dialled_out(),
    ]
}

fn tracked(steps: Vec<Step>) -> Scene {
    Scene { steps, untracked: None }
}

fn answered(speech: &Arc<[i16]>) -> Scene {
    let plan = CallPlan {
        hang_up_after: Some(Duration::from_secs(11)),
        ..call("+13125550142", "ANNA WEBER", "+13125550100", speech)
    };
    tracked(vec![calls(
        "A customer with the spring mailer calls; PHONE1 will answer after the second ring",
        When::OfficeIsQuiet,
        plan,
        Expected::Conversation,
        Kept::AnsweredByPhone,
    )])
}

fn missed(speech: &Arc<[i16]>) -> Scene {
    tracked(vec![calls(
        "While they talk, a yard sign makes PHONE2 ring in the workshop, where nobody is",
        When::CallAnswered,
        call("+13125550143", "BEN ORTIZ", "+13125550103", speech),
        Expected::NotAnswered,
        Kept::Missed,
    )])
}

fn waiting(speech: &Arc<[i16]>) -> Scene {
    let plan = CallPlan {
        hang_up_after: Some(Duration::from_secs(4)),
        ..call("+13125550144", "CARLA DIAZ", "+13125550101", speech)
    };
    tracked(vec![
        calls(
            "A third customer finds both phones busy, and waits",
            When::CallRings,
            plan,
            Expected::Conversation,
            Kept::AnsweredByPhone,
        ),
        acts(
            "The person at PHONE1 is to hear of it",
            When::CallRings,
            |_| {},
            |seen| {
                let mut ear = AlertDetector::default();
                let alerted = seen.heard(PHONE1).iter().any(|&sample| ear.hear(sample));
                alerted
                    .then(|| "a beep in the conversation, and the signal for the phone's display".to_owned())
            },
        ),
        acts(
            "... and flashes the hook: the first caller is held, the third one answered",
            When::Now,
            |world| world.flash(port(PHONE1), FLASH_MS),
            |_| Some(format!("the hook is up for {FLASH_MS} ms")),
        ),
    ])
}

fn nobodys(speech: &Arc<[i16]>) -> Scene {
    tracked(vec![calls(
        "Somebody calls a number of the trunk that is not a tracking number",
        When::CallAnswered,
        call("+13125550145", "", "+13125550177", speech),
        Expected::Refused(404),
        Kept::Nothing,
    )])
}

fn anonymous(speech: &Arc<[i16]>) -> Scene {
    let plan = CallPlan {
        anonymous: true,
        hang_up_after: Some(Duration::from_secs(5)),
        ..call("+13125550146", "", "+13125550102", speech)
    };
    tracked(vec![calls(
        "A caller who withholds the number answers an ad; PHONE1 will answer",
        When::OfficeIsQuiet,
        plan,
        Expected::Conversation,
        Kept::AnsweredByPhone,
    )])
}

fn given_up(speech: &Arc<[i16]>) -> Scene {
    let plan = CallPlan {
        give_up_after: Some(Duration::from_secs(3)),
        ..call("+13125550147", "DAN REED", "+13125550101", speech)
    };
    tracked(vec![
        calls(
            "The phones ring without the office line as with it; a customer gives up after the first ring",
            When::OfficeIsQuiet,
            plan,
            Expected::GivenUp,
            Kept::Missed,
        ),
        on_the_line::plugged_in(),
    ])
}
