//! A phone with a Type II display: it hears CAS, acknowledges with a D, and reads the data.

use super::plane::PERIOD;
use ringside::{
    audio::{
        caller_id::{CallerId, Heard, LocalTime, Received, Receiver, Standard, waiting::CallWaiting},
        dtmf::{Generator, Key},
        fsk::Variant,
        tone_plan::TonePlan,
    },
    record::Presentation,
    sim::phone_alert::AlertDetector,
};

/// Who waits in these tests.
pub(crate) fn who_waits() -> CallerId {
    CallerId {
        number: Some("3125550142".to_owned()),
        name: Some("ADS Jane Doe".to_owned()),
        presentation: Presentation::Allowed,
        at: LocalTime { month: 11, day: 25, hour: 9, minute: 5 },
    }
}

/// Their announcement.
pub(crate) fn announcement() -> Box<CallWaiting> {
    let tone = TonePlan::north_america().call_waiting;
    Box::new(CallWaiting::new(&who_waits(), Standard::Bell202, &tone, 2))
}

/// The phone.
pub(crate) struct DisplayPhone {
    alert: AlertDetector,
    display: Receiver,
    answers: bool,
    /// What it will say.
    saying: Vec<i16>,
    shown: Option<Received>,
}

impl DisplayPhone {
    /// `answers`: it has a display.
    pub(crate) fn new(answers: bool) -> Self {
        let (alert, display) = (AlertDetector::default(), Receiver::new(Variant::Bell202));
        Self { alert, display, answers, saying: Vec::new(), shown: None }
    }

    pub(crate) fn says(&mut self) -> [i16; PERIOD] {
        let mut saying = std::mem::take(&mut self.saying).into_iter();
        let period = std::array::from_fn(|_| saying.next().unwrap_or(0));
        self.saying = saying.collect();
        period
    }

    pub(crate) fn hears(&mut self, period: &[i16; PERIOD]) {
        let alerts = period.iter().filter(|&&sample| self.alert.hear(sample)).count();
        if alerts > 0 && self.answers {
            let mut key = Generator::new(Key::from_sign('D').unwrap());
            self.saying = std::iter::repeat_n(0, 160).chain((0..480).map(|_| key.advance())).collect();
        }
        if let Some(Heard::Frame(frame)) = self.display.feed(period) {
            self.shown = frame.parse().ok();
        }
    }

    /// Number and name on the display.
    pub(crate) fn shown(&self) -> Option<(Option<String>, Option<String>)> {
        self.shown.as_ref().map(|shown| (shown.number.clone(), shown.name.clone()))
    }
}
