//! The steps of the first run, in the order in which an installer takes them.

use super::{
    super::{State, status_wording as words, view::Fact, wording},
    SetUp,
    progress::Progress,
};
use crate::{
    config::RecordingPolicy,
    status::{BoxStatus, LineHealth, TrunkState},
};

/// One step.
pub(super) struct Step {
    /// Fragment of its address.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) is_done: bool,
    pub(super) says: String,
    pub(super) facts: Vec<Fact>,
    pub(super) does: Does,
}

/// What a person does at a step.
pub(super) enum Does {
    /// Nothing: it shows.
    Nothing,
    /// Ticks it; the word for it, and the button.
    Tick(&'static str, &'static str),
    /// Tests jacks.
    Test(Vec<Jack>),
    /// Lifts phones and says whose they are.
    Lift(Vec<Jack>),
    /// Goes to another page.
    Go(&'static str, &'static str),
    /// Says that they call now.
    Call { waits: bool },
}

/// One jack.
pub(super) struct Jack {
    pub(super) port: String,
    pub(super) class: &'static str,
    pub(super) state: String,
    pub(super) user: String,
    pub(super) is_known: bool,
}

/// All of it.
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) done: usize,
}

impl Steps {
    pub(super) fn new(state: &State) -> Self {
        let (set_up, progress) = (&state.set_up, state.set_up.progress());
        let status = state.status.newest();
        let status = status.as_deref();
        let (numbers, proofs) = (state.proofs.tracking_numbers(), state.proofs.verified());
        let steps = vec![
            office(set_up, &progress),
            lines(status),
            phones(status, &progress),
            trunk(status),
            number(numbers),
            call(&progress),
            forwarding(proofs),
            consent(set_up, &progress),
            emergency(set_up, &progress),
            fail_safe(&progress),
        ];
        Self { done: steps.iter().filter(|step| step.is_done).count(), steps }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done == self.steps.len()
    }
}

fn office(set_up: &SetUp, progress: &Progress) -> Step {
    let facts = &set_up.0.facts;
    Step {
        id: "office",
        title: "Office and region",
        is_done: progress.seen.contains_key("office"),
        says: format!(
            "Dial tones, how numbers are written and the times on the displays follow from these. Change them in {}.",
            facts.file
        ),
        facts: vec![
            fact("Office", facts.office.clone()),
            fact("Country", facts.country.clone()),
            fact("Time zone", facts.time_zone.clone()),
            seen(progress, "office"),
        ],
        does: Does::Tick("office", "This is right"),
    }
}

fn lines(status: Option<&BoxStatus>) -> Step {
    let health =
        |health: &Option<LineHealth>| health.as_ref().map_or("not tested yet".to_owned(), words::health);
    let jacks: Vec<Jack> = status.map_or_else(Vec::new, |status| {
        let lines = status.lines.iter().map(|line| Jack {
            port: line.port.clone(),
            class: if line.health.is_some() { "busy" } else { "idle" },
            state: format!("{}, {}", words::line_state(line.state), health(&line.health)),
            user: String::new(),
            is_known: line.health.is_some(),
        });
        let phones = status.phones.iter().map(|phone| Jack {
            port: phone.port.clone(),
            class: if phone.health.is_some() { "busy" } else { "idle" },
            state: format!("{}, {}", words::phone_state(phone.state), health(&phone.health)),
            user: String::new(),
            is_known: phone.health.is_some(),
        });
        lines.chain(phones).collect()
    });
    Step {
        id: "lines",
        title: "Lines found and tested",
        is_done: !jacks.is_empty() && jacks.iter().all(|jack| jack.is_known),
        says: "Plug in every line and phone, then test each jack once. A test takes up to 30 s, and a call ends it."
            .to_owned(),
        facts: Vec::new(),
        does: Does::Test(jacks),
    }
}

fn phones(status: Option<&BoxStatus>, progress: &Progress) -> Step {
    let jacks: Vec<Jack> = status.map_or_else(Vec::new, |status| {
        let jack = |phone: &crate::status::PhoneStatus| {
            let lifted = progress.phones.get(&phone.port);
            Jack {
                port: phone.port.clone(),
                class: if lifted.is_some() { "busy" } else { "idle" },
                state: if lifted.is_some() { "was lifted" } else { "lift it, then hang up" }.to_owned(),
                user: lifted.map(|lifted| lifted.user.clone()).unwrap_or_default(),
                is_known: lifted.is_some(),
            }
        };
        status.phones.iter().map(jack).collect()
    });
    Step {
        id: "phones",
        title: "Each phone lifted once",
        is_done: !jacks.is_empty() && jacks.iter().all(|jack| jack.is_known),
        says: "Keep this page open and lift the phones one by one. Who answers a call is known by the jack."
            .to_owned(),
        facts: Vec::new(),
        does: Does::Lift(jacks),
    }
}

fn trunk(status: Option<&BoxStatus>) -> Step {
    let trunks = status.map_or(&[][..], |status| &status.trunks);
    let works = |state: &TrunkState| matches!(state, TrunkState::Peer | TrunkState::Registered { .. });
    let mut says: Vec<String> =
        trunks.iter().map(|trunk| format!("{}: {}.", trunk.name, words::trunk(&trunk.state))).collect();
    if !trunks.iter().all(|trunk| works(&trunk.state)) {
        says.push("Check user, password and the network; the box keeps trying.".to_owned());
    }
    Step {
        id: "trunk",
        title: "Trunk registered",
        is_done: !trunks.is_empty() && trunks.iter().all(|trunk| works(&trunk.state)),
        says: says.join(" "),
        facts: Vec::new(),
        does: Does::Nothing,
    }
}

fn number(numbers: usize) -> Step {
    Step {
        id: "number",
        title: "First tracking number",
        is_done: numbers > 0,
        says: match numbers {
            0 => "No tracking number yet: calls cannot come in before there is one.".to_owned(),
            1 => "1 tracking number.".to_owned(),
            many => format!("{many} tracking numbers."),
        },
        facts: Vec::new(),
        does: Does::Go("/numbers", "Numbers and campaigns"),
    }
}

fn call(progress: &Progress) -> Step {
    let facts = progress.call.iter().flat_map(|called| {
        [
            fact("Tracking number", wording::number(&called.tracking)),
            fact("Campaign", called.campaign.clone()),
            fact("At", called.at.to_string()),
        ]
    });
    let waits = progress.call.is_none() && progress.call_since.is_some();
    Step {
        id: "call",
        title: "Call it now",
        is_done: progress.call.is_some(),
        says: match (&progress.call, waits) {
            (Some(_), _) => "The call came, and its bubble was shown.".to_owned(),
            (None, true) => "Waiting for the call: dial a tracking number from another phone now.".to_owned(),
            (None, false) => {
                "Call a tracking number from another phone. The phones ring and the bubble shows.".to_owned()
            }
        },
        facts: facts.collect(),
        does: Does::Call { waits },
    }
}

fn forwarding(proofs: (usize, usize)) -> Step {
    let (verified, tested) = proofs;
    Step {
        id: "forwarding",
        title: "Advertised numbers that forward",
        is_done: tested == verified,
        says: match tested {
            0 => "None is tested. Skip this if every advertised number is a tracking number.".to_owned(),
            _ => format!("{verified} of {tested} tested numbers are verified."),
        },
        facts: Vec::new(),
        does: Does::Go("/setup/forwarding", "Test a number that forwards"),
    }
}

fn consent(set_up: &SetUp, progress: &Progress) -> Step {
    let policy = RecordingPolicy::ALL.into_iter().find(|policy| policy.name() == set_up.0.facts.consent);
    let says = match policy {
        Some(RecordingPolicy::Announce) => {
            "Both ends hear a notice when a phone is lifted; then the recording begins."
        }
        Some(RecordingPolicy::Beep) => {
            "Both ends hear a beep when a phone is lifted; then the recording begins."
        }
        Some(RecordingPolicy::Gate) => "The caller presses 1, or the call is not recorded.",
        Some(RecordingPolicy::OneParty) => "Nobody is told. Lawful only where one party’s consent is enough.",
        Some(RecordingPolicy::Off) => "No call is recorded.",
        None => "Not known.",
    };
    Step {
        id: "consent",
        title: "Recording notice",
        is_done: progress.seen.contains_key("consent"),
        says: says.to_owned(),
        facts: vec![
            fact("Policy", wording::plain(&set_up.0.facts.consent)),
            fact("Changed in", set_up.0.facts.file.clone()),
            seen(progress, "consent"),
        ],
        does: Does::Tick("consent", "The office agrees"),
    }
}

fn emergency(set_up: &SetUp, progress: &Progress) -> Step {
    let facts = &set_up.0.facts;
    let address = facts
        .address
        .clone()
        .unwrap_or_else(|| "none: emergency calls go by the office’s line only".to_owned());
    Step {
        id: "emergency",
        title: "Emergency address",
        is_done: progress.seen.contains_key("emergency"),
        says: "Emergency calls go out on the office’s line. If no line works they go by the trunk, and help comes to the \
               address that the provider has."
            .to_owned(),
        facts: vec![
            fact("Address", address),
            fact("Called back at", facts.callback.as_ref().map_or("none".to_owned(), wording::number)),
            seen(progress, "emergency"),
        ],
        does: Does::Tick("emergency", "This is right"),
    }
}

fn fail_safe(progress: &Progress) -> Step {
    Step {
        id: "fail_safe",
        title: "Fail-safe drill",
        is_done: progress.seen.contains_key("fail_safe"),
        says: "Set the fail-safe number at the provider to a phone that is always answered. Then unplug the box from the \
               network, wait two minutes and call a tracking number: the fail-safe phone rings. Plug the box in again."
            .to_owned(),
        facts: vec![seen(progress, "fail_safe")],
        does: Does::Tick("fail_safe", "The fail-safe phone rang"),
    }
}

fn fact(name: &'static str, value: String) -> Fact {
    Fact { name, value }
}

fn seen(progress: &Progress, word: &str) -> Fact {
    let by = progress.seen.get(word).map(|seen| format!("{}, {}", seen.by, seen.at));
    fact("Confirmed", by.unwrap_or_else(|| "not yet".to_owned()))
}
