//! Caller ID during a conversation (Type II): Telcordia GR-30-CORE 3.2, TIA-777, EN 300 659-2.
//!
//! ```text
//!          300 ms            80 ms            ack A or D          100 ms            data
//! Beeping ───────► Alerting ───────► Listening ─────────► Pausing ───────► Sending ──────► Done(Shown)
//!  SAS               CAS                │ 160 ms without                    FSK
//!                                       └──────────────────────────────────────────────► Done(NotAcknowledged)
//! ```
//! Driven by the period: [`CallWaiting::tick`] is given what the phone would hear of its talker and puts its own signals
//! over it. The talker is silenced only under CAS and data, which the phone must hear clean; the waiting tone is added
//! to the conversation.

use super::{CallType, CallerId, Message, Preamble, Standard, delivery::ALERT_HZ};
use crate::audio::{
    PERIOD,
    dtmf::Key,
    fsk::Variant,
    sine::Oscillator,
    tone::{Generator, Tone},
};

/// Length of the subscriber alerting signal, the call waiting tone, in periods: 300 ms (GR-506 17.2.6).
const BEEPING: u16 = 30;
/// Length of the CPE alerting signal: 80 to 85 ms.
const ALERTING: u16 = 8;
/// Level of each of its frequencies: -15 dBm ± 2 dB at the exchange.
const ALERT_DBM0: f32 = -15.0;
/// From its end until the acknowledgement has come: 160 ms. A phone begins it within 100 ms and sends 55 to 65 ms.
const LISTENING: u16 = 16;
/// From hearing the acknowledgement to the data, within the 50 to 500 ms behind its end.
const PAUSING: u16 = 10;
/// Longest way to the phone and back that is allowed for, in periods.
const ROUND_TRIP_MAX: u8 = 20;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The data was sent.
    Shown,
    /// The phone did not acknowledge: it has no Type II display, or another phone is off hook too.
    NotAcknowledged,
}

/// What the last period was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The person hears the waiting tone.
    Beeping,
    /// The phone hears CAS.
    Alerting,
    /// The phone may acknowledge.
    Listening,
    /// It did.
    Pausing,
    /// The phone hears the data.
    Sending,
    /// Nothing is left to do.
    Done(Outcome),
}

impl Step {
    /// Whether the phone hears nothing of its talker.
    #[must_use]
    pub const fn mutes_talker(self) -> bool {
        matches!(self, Self::Alerting | Self::Sending)
    }

    /// Whether the talker should hear nothing of the phone: it would be the acknowledgement.
    #[must_use]
    pub const fn mutes_phone(self) -> bool {
        matches!(self, Self::Alerting | Self::Listening | Self::Pausing | Self::Sending)
    }
}

/// Announces one waiting call to one phone that is off hook.
#[derive(Clone, Debug)]
pub struct CallWaiting {
    step: Step,
    /// Periods left of it.
    left: u16,
    round_trip: u16,
    beep: Generator,
    alert: [Oscillator; 2],
    data: Box<[i16]>,
    sent: usize,
}

impl CallWaiting {
    /// `beep` is the country's call waiting tone; `round_trip` the periods from writing a sample to the phone until its
    /// answer can be read, 0 to 20. The data is made here; nothing is allocated afterwards.
    ///
    /// A country whose displays know DTMF only has no caller ID in a conversation: its phones are sent V.23.
    #[must_use]
    pub fn new(id: &CallerId, standard: Standard, beep: &Tone, round_trip: u8) -> Self {
        let data = match standard {
            Standard::Bell202 => Message::multiple(id).modulate(Variant::Bell202, Preamble::OffHook),
            Standard::EtsiFsk | Standard::Dtmf { .. } => {
                Message::call_setup(id, CallType::Voice).modulate(Variant::V23, Preamble::OffHook)
            }
        };
        Self {
            step: Step::Beeping,
            left: BEEPING,
            round_trip: u16::from(round_trip.min(ROUND_TRIP_MAX)),
            beep: Generator::new(beep),
            alert: ALERT_HZ.map(|hz| Oscillator::new(hz, ALERT_DBM0)),
            data: data.into(),
            sent: 0,
        }
    }

    /// One period: `ack` is the key whose sound began to be recognised in the period from the phone, `out` comes in with
    /// what the talker says and goes out to the phone.
    pub fn tick(&mut self, ack: Option<Key>, out: &mut [i16; PERIOD]) -> Step {
        let acknowledged = self.step == Step::Listening && ack.is_some_and(is_acknowledgement);
        if acknowledged {
            (self.step, self.left) = (Step::Pausing, PAUSING);
        } else if self.left == 0 {
            (self.step, self.left) = self.next();
        }
        let step = self.step;
        match step {
            Step::Beeping => out.iter_mut().for_each(|s| *s = s.saturating_add(self.beep.advance())),
            Step::Alerting => {
                out.fill_with(|| self.alert.iter_mut().map(Oscillator::advance).sum::<f32>() as i16)
            }
            Step::Sending => self.send(out),
            Step::Listening | Step::Pausing | Step::Done(_) => {}
        }
        self.left = self.left.saturating_sub(1);
        step
    }

    fn next(&self) -> (Step, u16) {
        match self.step {
            Step::Beeping => (Step::Alerting, ALERTING),
            Step::Alerting => (Step::Listening, LISTENING + self.round_trip),
            Step::Listening => (Step::Done(Outcome::NotAcknowledged), 0),
            // A message has at most 3,060 bits.
            Step::Pausing => (Step::Sending, self.data.len().div_ceil(PERIOD) as u16),
            Step::Sending => (Step::Done(Outcome::Shown), 0),
            Step::Done(outcome) => (Step::Done(outcome), 0),
        }
    }

    fn send(&mut self, out: &mut [i16; PERIOD]) {
        out.fill(0);
        let rest = self.data.get(self.sent..).unwrap_or_default();
        out.iter_mut().zip(rest).for_each(|(out, sample)| *out = *sample);
        self.sent += PERIOD;
    }
}

/// GR-30 3.2.2: D from a display phone, A from one with a screen of its own (ADSI).
fn is_acknowledgement(key: Key) -> bool {
    ['A', 'D'].into_iter().any(|sign| Key::from_sign(sign) == Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audio::{
            caller_id::{Frame, Heard, Receiver, tests::caller},
            level,
            tone_plan::TonePlan,
        },
        record::Presentation,
    };

    const TALKER: i16 = 1_000;

    /// Every step with what the phone heard in it; the phone acknowledges with `key` `at` periods after listening began.
    fn run(key: char, at: usize) -> Vec<(Step, [i16; PERIOD])> {
        let id = caller(Some("3125550142"), Some("ADS Jane Doe"), Presentation::Allowed);
        let mut waiting =
            CallWaiting::new(&id, Standard::Bell202, &TonePlan::north_america().call_waiting, 3);
        let mut listened = 0;
        let mut heard = Vec::new();
        for _ in 0..500 {
            let mut out = [TALKER; PERIOD];
            let ack = (listened == at).then(|| Key::from_sign(key)).flatten();
            let step = waiting.tick(ack, &mut out);
            listened += usize::from(listened > 0 || step == Step::Listening);
            heard.push((step, out));
        }
        heard
    }

    fn lengths(heard: &[(Step, [i16; PERIOD])]) -> Vec<(Step, usize)> {
        heard.chunk_by(|a, b| a.0 == b.0).map(|part| (part[0].0, part.len())).collect()
    }

    #[test]
    fn a_phone_that_acknowledges_is_sent_the_data_without_seizure() {
        for key in ['A', 'D'] {
            let heard = run(key, 6);
            let steps = lengths(&heard);
            assert_eq!(
                steps[..4],
                [(Step::Beeping, 30), (Step::Alerting, 8), (Step::Listening, 6), (Step::Pausing, 10)]
            );
            assert_eq!(steps[5].0, Step::Done(Outcome::Shown));
            let mut receiver = Receiver::new(Variant::Bell202);
            let data = heard.iter().filter(|(step, _)| *step == Step::Sending);
            let read: Vec<Heard> = data.filter_map(|(_, out)| receiver.feed(out)).collect();
            let [Heard::Frame(frame)] = read[..] else { panic!("{read:?}") };
            assert_eq!(Frame::parse(&frame).unwrap().number.as_deref(), Some("3125550142"));
        }
    }

    #[test]
    fn a_phone_that_does_not_acknowledge_is_sent_nothing() {
        for (key, at) in [('5', 6), ('D', 20), ('D', 400)] {
            let steps = lengths(&run(key, at));
            assert_eq!(steps[2], (Step::Listening, 19));
            assert_eq!(steps[3].0, Step::Done(Outcome::NotAcknowledged), "{key} {at}");
        }
    }

    #[test]
    fn the_talker_is_silenced_under_cas_and_data_only() {
        for (step, out) in run('D', 3) {
            let talks = !matches!(step, Step::Alerting | Step::Sending);
            assert_eq!(step.mutes_talker(), !talks);
            let mean = out.iter().map(|&s| i32::from(s)).sum::<i32>() / PERIOD as i32;
            assert_eq!(mean > 500, talks, "{step:?} {mean}");
        }
    }

    #[test]
    fn cas_has_its_level_and_length() {
        let heard = run('D', 3);
        let cas: Vec<i16> =
            heard.iter().filter(|(step, _)| *step == Step::Alerting).flat_map(|(_, out)| *out).collect();
        assert_eq!(cas.len(), 640);
        assert!((level::dbm0(&cas) + 12.0).abs() < 0.2, "{}", level::dbm0(&cas));
    }
}
