//! A call bubble as a page shows it, and what whoever looks may do with it.

use super::{OfficeBook, live::Shown, view::Moment, wording};
use crate::{
    access::{Task, Who},
    call::bubble::BubbleState,
    handling::Handling,
    record::Presentation,
    time::WallTime,
    webhook::lookup::Looked,
};

/// Who looks at bubbles.
#[derive(Clone, Default)]
pub(super) struct Viewer {
    /// Whether they handle calls; a wall display only shows them.
    pub(super) handles: bool,
    /// Id and name.
    me: (Option<String>, String),
    reasons: Vec<String>,
}

impl Viewer {
    pub(super) fn new(who: &Who, book: &dyn OfficeBook) -> Self {
        let handles = who.role.may(Task::Handle);
        let reasons = if handles { book.reasons() } else { Vec::new() };
        Self { handles, me: (who.user_id.clone(), who.name.clone()), reasons }
    }

    /// As the same person sees a wall display.
    pub(super) fn wall() -> Self {
        Self::default()
    }
}

/// A call bubble.
pub(super) struct BubbleView {
    pub(super) id: String,
    pub(super) order: u64,
    /// `ringing`, `live`, `paused` or `ended`: the CSS class.
    pub(super) class: &'static str,
    /// The state in words.
    pub(super) state: String,
    /// A running timer's milliseconds at the moment of rendering; the browser counts on from here.
    pub(super) elapsed_ms: Option<u64>,
    /// How long the call has lasted (or had, when it ended).
    pub(super) elapsed: Option<String>,
    pub(super) recording: bool,
    /// The recording is paused.
    pub(super) paused: bool,
    /// What somebody should do something about now.
    pub(super) alarm: Option<&'static str>,
    pub(super) caller: String,
    pub(super) caller_name: Option<String>,
    /// What the office's own system knows of the caller; not for a wall display.
    pub(super) looked: Option<Looked>,
    pub(super) campaign: String,
    pub(super) tracking: String,
    /// `Answered on PHONE1` while the call is up.
    pub(super) answered_on: Option<String>,
    pub(super) start: Moment,
    pub(super) labels: Labels,
    /// Who has the call.
    pub(super) claimed_by: Option<String>,
    /// What whoever handles calls may see and do; `None` for a wall display.
    pub(super) desk: Option<DeskView>,
    /// One sentence for people who listen to the page.
    pub(super) spoken: String,
}

/// What is worth a word about the caller.
pub(super) struct Labels {
    /// `First call` or `3 earlier calls`.
    pub(super) earlier: Option<String>,
    /// The trunk vouches for the number.
    pub(super) verified: bool,
    /// The trunk's name for the caller says so. It is only shown: no call is refused for it.
    pub(super) spam: bool,
}

/// Words in which networks put their suspicion into the caller's name.
const SPAM_WORDS: [&str; 5] = ["spam likely", "scam likely", "spam risk", "potential spam", "suspected spam"];

impl Labels {
    fn new(shown: &Shown) -> Self {
        let name = shown.bubble.caller_name.as_deref().unwrap_or_default().to_lowercase();
        Self {
            earlier: shown.handling.prior_calls.map(|prior| match prior {
                0 => "First call".to_owned(),
                1 => "1 earlier call".to_owned(),
                some => format!("{some} earlier calls"),
            }),
            verified: shown.bubble.verified && shown.bubble.presentation == Presentation::Allowed,
            spam: SPAM_WORDS.iter().any(|word| name.contains(word)),
        }
    }
}

/// What of a call is for those who handle calls.
pub(super) struct DeskView {
    /// Id and name of the customer.
    pub(super) customer: Option<(String, String)>,
    /// Number to begin a new customer with; only of a caller who is not known.
    pub(super) add_customer: Option<String>,
    /// Number of the job.
    pub(super) job: Option<String>,
    /// Whether to offer the call, and in which words.
    pub(super) claim: Option<&'static str>,
    /// Whether somebody else has it.
    pub(super) is_theirs: bool,
    /// `pause` or `resume`, while the call is recorded.
    pub(super) recording: Option<&'static str>,
    /// Nobody writes while it rings, and a missed call is in a list of its own.
    pub(super) form: Option<FormView>,
}

/// The fields that a person fills in.
pub(super) struct FormView {
    pub(super) note: String,
    pub(super) tags: String,
    pub(super) reasons: Vec<(String, bool)>,
    /// Whether saving may close the bubble.
    pub(super) closes: bool,
}

impl DeskView {
    fn new(shown: &Shown, viewer: &Viewer) -> Self {
        let (bubble, handling) = (&shown.bubble, &shown.handling);
        let unknown = handling.customer.is_none() && bubble.presentation == Presentation::Allowed;
        let number = bubble.caller_number.as_ref().filter(|_| unknown);
        let (mine, claim) = match &handling.claimed_by {
            None => (false, Some("I’ll take it")),
            Some(claim)
                if claim.name == viewer.me.1 || claim.user_id.is_some() && claim.user_id == viewer.me.0 =>
            {
                (true, None)
            }
            Some(_) => (false, Some("Take over")),
        };
        let is_over = bubble.state == BubbleState::Ended;
        Self {
            customer: handling.customer.as_ref().map(|one| (one.id.clone(), one.name.clone())),
            add_customer: number.map(ToString::to_string),
            job: handling.job.as_ref().map(|job| job.job_number.clone()),
            claim: claim.filter(|_| !is_over || handling.claimed_by.is_none()),
            is_theirs: handling.claimed_by.is_some() && !mine,
            recording: match bubble.state {
                BubbleState::Live if bubble.recording => Some("pause"),
                BubbleState::Paused => Some("resume"),
                BubbleState::Ringing | BubbleState::Live | BubbleState::Ended => None,
            },
            form: bubble.answered_at.is_some().then(|| FormView::new(handling, &viewer.reasons, is_over)),
        }
    }
}

impl FormView {
    pub(super) fn new(handling: &Handling, reasons: &[String], closes: bool) -> Self {
        let now = handling.reason.as_deref().unwrap_or_default();
        let other = (!now.is_empty() && !reasons.iter().any(|reason| reason == now)).then(|| now.to_owned());
        let reasons = reasons.iter().cloned().chain(other);
        Self {
            note: handling.note.clone().unwrap_or_default(),
            tags: handling.tags.join(", "),
            reasons: reasons.map(|reason| (reason.clone(), reason == now)).collect(),
            closes,
        }
    }
}

impl BubbleView {
    pub(super) fn new(shown: &Shown, now: WallTime, viewer: &Viewer) -> Self {
        let (bubble, handling) = (&shown.bubble, &shown.handling);
        let until = shown.ended_at.unwrap_or(now);
        let talked = bubble.answered_at.map(|from| until.0.saturating_sub(from.0));
        let answered = bubble.answered_at.is_some();
        let (class, state) = match bubble.state {
            BubbleState::Ringing => ("ringing", "Ringing".to_owned()),
            BubbleState::Live => ("live", "On the phone".to_owned()),
            BubbleState::Paused => ("paused", "On the phone, not recorded".to_owned()),
            BubbleState::Ended => {
                let ended = bubble
                    .ended
                    .map(|end| wording::end(end, answered, bubble.port.as_deref(), bubble.why.as_deref()));
                ("ended", ended.map_or_else(|| "Ended".to_owned(), |(_, words)| format!("Ended · {words}")))
            }
        };
        let running = matches!(bubble.state, BubbleState::Live | BubbleState::Paused);
        let caller = wording::caller(bubble.caller_number.as_ref(), bubble.presentation);
        let caller_name = wording::caller_name(bubble.caller_name.as_deref(), bubble.presentation);
        let known = handling.customer.as_ref().map(|customer| customer.name.as_str());
        let who = known
            .or(caller_name.as_deref())
            .map_or_else(|| caller.clone(), |name| format!("{name}, {caller}"));
        Self {
            id: bubble.call.to_string(),
            order: shown.order,
            class,
            spoken: format!("{state}: {who}, {}", bubble.campaign),
            state,
            elapsed_ms: talked.filter(|_| running),
            elapsed: talked.map(wording::duration),
            recording: running && bubble.recording,
            paused: bubble.state == BubbleState::Paused,
            alarm: bubble.silent.map(wording::not_heard),
            labels: Labels::new(shown),
            claimed_by: handling.claimed_by.as_ref().map(|claim| claim.name.clone()),
            desk: viewer.handles.then(|| DeskView::new(shown, viewer)),
            caller,
            caller_name,
            looked: shown.looked.clone().filter(|_| viewer.handles),
            campaign: bubble.campaign.clone(),
            tracking: wording::number(&bubble.tracking_number),
            answered_on: bubble.port.as_ref().filter(|_| running).map(|port| format!("Answered on {port}")),
            start: bubble.start_time.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        handling::Claim,
        record::Ended,
        web::{EmptyBook, LiveBubbles, made_up},
    };

    fn view(bubble: crate::call::bubble::Bubble, now: WallTime) -> BubbleView {
        let live = LiveBubbles::new();
        live.publish(bubble);
        BubbleView::new(&live.snapshot()[0], now, &Viewer::default())
    }

    #[test]
    fn a_live_bubble_shows_its_timer_and_where_it_was_answered() {
        let bubble = made_up::answered(1);
        let now = WallTime(bubble.answered_at.unwrap().0 + 42_300);
        let view = view(bubble, now);
        assert_eq!(
            (view.class, view.state.as_str(), view.elapsed_ms),
            ("live", "On the phone", Some(42_300))
        );
        assert_eq!(view.elapsed.as_deref(), Some("0:42"));
        assert_eq!(view.answered_on.as_deref(), Some("Answered on PHONE1"));
        assert!(view.recording);
    }

    #[test]
    fn an_ended_bubble_says_how_and_no_longer_records() {
        let mut bubble = made_up::ringing(1);
        bubble.state = BubbleState::Ended;
        bubble.ended = Some(Ended::Cancelled);
        let view = view(bubble, made_up::start(1));
        assert_eq!((view.class, view.state.as_str()), ("ended", "Ended · Caller gave up"));
        assert!(!view.recording && view.elapsed_ms.is_none());
    }

    #[test]
    fn an_anonymous_caller_stays_anonymous_in_sight_and_sound() {
        let mut bubble = made_up::ringing(1);
        bubble.presentation = Presentation::Restricted;
        let view = view(bubble, made_up::start(1));
        assert_eq!((view.caller.as_str(), view.caller_name), ("Anonymous caller", None));
        assert_eq!(view.spoken, "Ringing: Anonymous caller, Spring mailer");
    }

    fn as_seen(shown: &Shown, who: &Who) -> BubbleView {
        BubbleView::new(shown, made_up::start(1), &Viewer::new(who, &EmptyBook))
    }

    #[test]
    fn only_who_handles_calls_sees_what_the_office_wrote() {
        let live = LiveBubbles::new();
        live.publish(made_up::answered(1));
        let claim = Claim { user_id: None, name: "Ana".to_owned(), how: "port".to_owned() };
        let note = Some("leak".to_owned());
        let handling =
            Handling { note, claimed_by: Some(claim), prior_calls: Some(2), ..Handling::default() };
        live.handled(made_up::call(1), handling);
        let shown = &live.snapshot()[0];
        let wall = BubbleView::new(shown, made_up::start(1), &Viewer::wall());
        assert!(wall.desk.is_none());
        assert_eq!(wall.claimed_by.as_deref(), Some("Ana"));
        assert_eq!(wall.labels.earlier.as_deref(), Some("2 earlier calls"));
        let desk = as_seen(shown, &Who::this_box()).desk.unwrap();
        assert_eq!(desk.form.unwrap().note, "leak");
        assert_eq!((desk.claim, desk.is_theirs, desk.recording), (Some("Take over"), true, Some("pause")));
        assert_eq!(desk.add_customer.as_deref(), Some("+12065550173"));
    }

    #[test]
    fn a_paused_call_says_so_and_offers_to_go_on() {
        let live = LiveBubbles::new();
        let paused = made_up::answered(1);
        live.publish(crate::call::bubble::Bubble { state: BubbleState::Paused, recording: false, ..paused });
        let view = as_seen(&live.snapshot()[0], &Who::this_box());
        assert_eq!((view.class, view.paused, view.recording), ("paused", true, false));
        assert_eq!(view.desk.unwrap().recording, Some("resume"));
        assert!(view.elapsed_ms.is_some(), "the timer goes on");
    }

    #[test]
    fn a_suspicion_of_the_network_is_shown_as_a_label() {
        let mut bubble = made_up::ringing(1);
        (bubble.caller_name, bubble.verified) = (Some("SCAM LIKELY".to_owned()), true);
        let labels = view(bubble, made_up::start(1)).labels;
        assert!(labels.spam && labels.verified);
        assert!(!view(made_up::ringing(1), made_up::start(1)).labels.spam);
    }
}
