//! Asks the office's own system who calls, as the call comes in. Nothing waits for the answer; one that is late is
//! dropped and counted.

use crate::{
    call::bubble::Bubble,
    io::{
        clock::Clock,
        webhooks::{Poster, Sending},
    },
    time::Instant,
    webhook::{
        lookup::{Looked, MAX_ANSWER_BYTES},
        signing::Signer,
    },
};
use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// An answer is shown if it comes within this time of the call.
pub const PATIENCE_MS: u64 = 800;
/// Questions that may wait: they are late by then.
const MAX_ASKED: usize = 16;

/// Who is asked, and where the answer goes.
pub struct Options {
    /// Where.
    pub url: String,
    /// What signs the question.
    pub signer: Signer,
    /// Gets each answer. Must not wait.
    pub looked: Box<dyn Fn(Looked) + Send>,
    /// Is told of each that came too late, or not at all.
    pub missed: Box<dyn Fn() + Send + Sync>,
}

struct Question {
    bubble: Bubble,
    asked: Instant,
}

/// The way to the thread; it ends with the last of them.
pub struct Lookups {
    sender: SyncSender<Question>,
    clock: Clock,
}

impl Lookups {
    /// Asks who calls, if there is a number. Never waits.
    pub fn ask(&self, bubble: &Bubble) {
        if bubble.caller_number.is_some() {
            // With so many before it this one would be late.
            let _ = self.sender.try_send(Question { bubble: bubble.clone(), asked: self.clock.now() });
        }
    }
}

/// Starts the thread `lookup`.
///
/// # Errors
/// There is no thread to be had.
pub fn start(options: Options, clock: Clock) -> io::Result<Lookups> {
    let (sender, questions) = sync_channel(MAX_ASKED);
    thread::Builder::new().name("lookup".to_owned()).spawn(move || run(&options, &questions, clock))?;
    Ok(Lookups { sender, clock })
}

fn run(options: &Options, questions: &Receiver<Question>, clock: Clock) {
    let poster = Poster::new(Duration::from_millis(PATIENCE_MS));
    for Question { bubble, asked } in questions {
        let is_late = || clock.now().ms_since(asked) > PATIENCE_MS;
        let answer = if is_late() { None } else { ask(options, &poster, &bubble, clock) };
        match answer.filter(|_| !is_late()) {
            Some(bytes) => {
                if let Some(looked) = Looked::parse(bubble.call, &bytes) {
                    (options.looked)(looked);
                }
            }
            None => (options.missed)(),
        }
    }
}

/// The answer's body; `None` if there was none, or not with 200.
fn ask(options: &Options, poster: &Poster, bubble: &Bubble, clock: Clock) -> Option<Vec<u8>> {
    let at = clock.wall();
    let data = serde_json::to_string(bubble).ok()?;
    let body = format!("{{\"type\":\"call.ringing\",\"timestamp\":\"{at}\",\"data\":{data}}}");
    let id = format!("call_ringing-{}", bubble.call);
    let sending = Sending { url: &options.url, signer: &options.signer, id: &id, body: &body, at };
    let mut answer = poster.answer(&sending).ok().filter(|answer| answer.status().is_success())?;
    answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::bubble::BubbleState,
        id::CallId,
        io::webhooks::tests::{SECRET, receiver},
        record::Presentation,
        time::WallTime,
        webhook::signing,
    };
    use std::{net::TcpListener, sync::mpsc::channel};

    fn ringing() -> Bubble {
        Bubble {
            call: CallId::from_parts(WallTime(7), 7),
            rev: 1,
            state: BubbleState::Ringing,
            start_time: WallTime(7),
            caller_number: "+12065550173".parse().ok(),
            presentation: Presentation::Allowed,
            caller_name: None,
            verified: false,
            tracking_number: "+13125550100".parse().unwrap(),
            campaign: "Spring mailer".to_owned(),
            port: None,
            answered_at: None,
            recording: false,
            silent: None,
            ended: None,
            why: None,
        }
    }

    /// What came of asking `url`: the answer, or `None` for a miss.
    fn asked(url: String) -> Option<Looked> {
        let (sender, came) = channel();
        let other = std::sync::Mutex::new(sender.clone());
        let options = Options {
            url,
            signer: Signer::shared(SECRET).unwrap(),
            looked: Box::new(move |looked| sender.send(Some(looked)).unwrap()),
            missed: Box::new(move || other.lock().unwrap().send(None).unwrap()),
        };
        let lookups = start(options, Clock::start()).unwrap();
        lookups.ask(&Bubble { caller_number: None, ..ringing() });
        lookups.ask(&ringing());
        came.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn a_caller_is_asked_for_by_a_signed_question() {
        let (url, received) = receiver(&[
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 31\r\n\r\n{\"customer\":{\"name\":\"D Ortiz\"}}",
        ]);
        let answer = asked(url);
        let got = received.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(signing::verify(SECRET, (&got.id, got.timestamp_s), &got.body, &got.signature));
        assert!(got.body.contains("\"call.ringing\"") && got.body.contains("+12065550173"), "{}", got.body);
        // A machine that is very busy may take longer than a caller is to wait.
        assert!(answer.is_none_or(|looked| looked.customer_name.as_deref() == Some("D Ortiz")));
    }

    #[test]
    fn who_does_not_answer_in_time_is_counted_and_not_waited_for() {
        let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(asked(format!("http://{}/", hangs.local_addr().unwrap())), None);
    }
}
