//! A trunk's registration over days of virtual time, against a scripted registrar.

use crate::peer::{TRUNK, read, response, settings};
use ringside::{
    sip::{
        endpoint::Endpoint,
        event::{Command, Event, Registration},
        message::Message,
    },
    time::Instant,
};

/// What the registrar says to a REGISTER; `None` is silence.
type Answer = Option<(u16, Vec<(&'static str, String)>)>;

const CHALLENGE: &str = "Digest realm=\"trunk\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth,auth-int\", \
                         Digest realm=\"trunk\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

struct Run {
    endpoint: Endpoint,
    now: Instant,
    /// When each new REGISTER was sent, in milliseconds, and it.
    registers: Vec<(u64, Message)>,
    keep_alives: Vec<u64>,
    states: Vec<(u64, Registration)>,
    most_transactions: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            endpoint: Endpoint::new(settings(true), seed),
            now: Instant::ZERO,
            registers: Vec::new(),
            keep_alives: Vec::new(),
            states: Vec::new(),
            most_transactions: 0,
        }
    }

    /// Lets the registrar answer every new REGISTER 20 ms later until there were `count`.
    fn play(&mut self, count: usize, mut registrar: impl FnMut(usize, &Message) -> Answer) {
        while self.registers.len() < count {
            let before = self.registers.len();
            self.now = self.endpoint.deadline().unwrap().max(self.now);
            self.feed(Event::Deadline);
            let mut answered = before;
            while answered < self.registers.len() {
                let request = self.registers[answered].1.clone();
                answered += 1;
                if let Some((status, headers)) = registrar(answered, &request) {
                    let headers: Vec<_> = headers.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
                    let bytes = response(&request, status, &headers);
                    self.now = self.now.after_ms(20);
                    self.feed(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &bytes });
                }
            }
        }
    }

    fn feed(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        self.endpoint.handle(event, self.now, &mut out);
        self.most_transactions = self.most_transactions.max(self.endpoint.transactions());
        let ms = self.now.ms_since(Instant::ZERO);
        for command in out {
            match command {
                Command::Send { bytes, .. } if bytes == b"\r\n\r\n" => self.keep_alives.push(ms),
                Command::Send { bytes, .. } => {
                    let request = read(&bytes);
                    if self.registers.last().is_none_or(|(_, last)| last.cseq() != request.cseq()) {
                        self.registers.push((ms, request));
                    }
                }
                Command::Registration { state, .. } => self.states.push((ms, state)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Seconds between the REGISTERs.
    fn pauses_s(&self) -> Vec<u64> {
        self.registers.windows(2).map(|pair| (pair[1].0 - pair[0].0) / 1_000).collect()
    }

    fn authorization(&self, index: usize) -> &str {
        self.registers[index].1.header("Authorization").unwrap_or_default()
    }
}

fn ok(expires_s: u32) -> Answer {
    Some((200, vec![("Expires", expires_s.to_string())]))
}

fn challenged(stale: bool) -> Answer {
    let stale = if stale { ", stale=true" } else { "" };
    Some((401, vec![("WWW-Authenticate", format!("{CHALLENGE}{stale}"))]))
}

#[test]
fn a_thousand_refreshes_leave_no_transaction_behind() {
    let mut run = Run::new(1);
    run.play(
        1_001,
        |_, request| if request.header("Authorization").is_some() { ok(60) } else { challenged(false) },
    );
    assert!(run.pauses_s()[1..].iter().all(|pause| (30..=54).contains(pause)), "50 to 90 % of 60 s");
    assert!(run.most_transactions <= 3, "{}", run.most_transactions);
    let last = run.registers.len() - 1;
    assert!(run.authorization(last).contains("nc=000003e8"), "{}", run.authorization(last));
    run.now = run.now.after_ms(20_000);
    run.feed(Event::Deadline);
    assert_eq!(run.endpoint.transactions(), 0);
    assert_eq!(run.states.len(), 2, "trying, registered, and nothing new to tell: {:?}", run.states);
    let gaps: Vec<u64> = run.keep_alives.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > 1_000 && gaps.iter().all(|gap| (25_000..=30_000).contains(gap)));
}

#[test]
fn the_strongest_challenge_is_answered() {
    let mut run = Run::new(2);
    run.play(2, |n, _| if n == 1 { challenged(false) } else { ok(600) });
    assert!(run.authorization(1).contains("algorithm=SHA-256") && run.authorization(1).contains("qop=auth,"));
}

#[test]
fn a_wrong_password_backs_off_to_half_an_hour_and_never_loops() {
    let mut run = Run::new(3);
    run.play(40, |_, _| challenged(false));
    let pauses = run.pauses_s();
    assert!(pauses.iter().step_by(2).all(|pause| *pause == 0), "each challenge is answered once: {pauses:?}");
    let waits: Vec<u64> = pauses.iter().skip(1).step_by(2).copied().collect();
    for (wait, longest) in waits.iter().zip([30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]) {
        assert!((longest / 2..=longest).contains(wait), "{waits:?}");
    }
    assert!(matches!(
        &run.states.last().unwrap().1,
        Registration::Refused { status: 401, .. } | Registration::Trying
    ));
}

#[test]
fn a_stale_nonce_is_renewed_once_more() {
    let mut run = Run::new(4);
    run.play(4, |n, _| match n {
        1 => challenged(false),
        2 => ok(600),
        3 => challenged(true),
        _ => ok(600),
    });
    assert_eq!(run.pauses_s()[2], 0, "answered at once");
    assert_eq!(run.states.len(), 2, "{:?}", run.states);
}

#[test]
fn nobody_answers_then_somebody_does() {
    let mut run = Run::new(5);
    run.play(4, |n, _| if n < 4 { None } else { ok(600) });
    for (pause, longest) in run.pauses_s().iter().zip([30, 60, 120]) {
        assert!((32 + longest / 2..=32 + longest).contains(pause), "{:?}", run.pauses_s());
    }
    let told: Vec<&Registration> = run.states.iter().map(|(_, state)| state).collect();
    use Registration::{Registered, Trying, Unreachable};
    let last = Registered { expires_s: 600 };
    assert_eq!(told, [&Trying, &Unreachable, &Trying, &Unreachable, &Trying, &Unreachable, &Trying, &last]);
}

#[test]
fn retry_after_is_honoured_within_reason() {
    let mut run = Run::new(6);
    run.play(3, |n, _| match n {
        1 => Some((503, vec![("Retry-After", "300".to_owned())])),
        _ => Some((403, vec![("Retry-After", "99999999".to_owned())])),
    });
    assert_eq!(run.pauses_s(), [300, 3_600]);
}

#[test]
fn a_registrar_that_wants_longer_intervals_gets_them_once() {
    let mut run = Run::new(7);
    let too_brief = || Some((423, vec![("Min-Expires", "3600".to_owned())]));
    run.play(3, |n, _| if n == 1 { too_brief() } else { ok(3_600) });
    assert_eq!(run.registers[1].1.expires(), Some(3_600));
    assert!((1_800..=3_240).contains(&run.pauses_s()[1]));
    let mut run = Run::new(7);
    run.play(3, |_, _| too_brief());
    assert!(run.pauses_s()[1] >= 15, "no loop: {:?}", run.pauses_s());
}

#[test]
fn a_registrar_that_keeps_nothing_is_told_as_refused() {
    let mut run = Run::new(8);
    run.play(2, |_, _| ok(0));
    assert!(matches!(run.states[1].1, Registration::Refused { status: 200, .. }));
}

#[test]
fn a_refresh_that_fails_is_told_and_tried_again() {
    let mut run = Run::new(9);
    run.play(3, |n, _| if n == 2 { Some((500, vec![])) } else { ok(600) });
    let told: Vec<u16> = run
        .states
        .iter()
        .filter_map(|(_, s)| match s {
            Registration::Registered { .. } => Some(200),
            Registration::Refused { status, .. } => Some(*status),
            _ => None,
        })
        .collect();
    assert_eq!(told, [200, 500, 200]);
}
