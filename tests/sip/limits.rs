//! What the endpoint does when somebody wants too much of it.

use crate::peer::{Call, TRUNK, media, read, sdp, settings};
use ringside::{
    sip::{
        endpoint::{CROWDED_INVITES, Endpoint, MAX_ANSWERED_INVITES, MAX_CALLS, MAX_SERVER_REQUESTS},
        event::{Command, DialogId, Event},
        message::Message,
    },
    time::Instant,
};

struct Site {
    endpoint: Endpoint,
    now: Instant,
}

impl Site {
    fn new() -> Self {
        Self { endpoint: Endpoint::new(settings(false), 1), now: Instant::ZERO }
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Command> {
        let mut out = Vec::new();
        self.endpoint.handle(event, self.now, &mut out);
        out
    }

    /// Hands in a datagram; gives the responses, and the call if it is offered.
    fn receive(&mut self, bytes: &[u8], source: &str) -> (Vec<Message>, Option<DialogId>) {
        let (mut responses, mut offered) = (Vec::new(), None);
        for command in self.handle(Event::Datagram { source: source.parse().unwrap(), bytes }) {
            match command {
                Command::Send { bytes, .. } => responses.push(read(&bytes)),
                Command::Offered { dialog, .. } => offered = Some(dialog),
                _ => {}
            }
        }
        (responses, offered)
    }
}

fn invite(call: &mut Call) -> Vec<u8> {
    call.request("INVITE", Some(&sdp(&media("audio").unwrap())), &[])
}

#[test]
fn a_call_too_many_hears_503_and_is_not_offered() {
    let mut site = Site::new();
    for number in 0..MAX_CALLS as u32 {
        assert!(site.receive(&invite(&mut Call::new(number)), TRUNK).1.is_some());
    }
    let (responses, offered) = site.receive(&invite(&mut Call::new(1_000)), TRUNK);
    assert_eq!((responses[0].status(), responses[0].retry_after(), offered), (Some(503), Some(5), None));
    assert_eq!((site.endpoint.calls(), site.endpoint.counters().shed), (MAX_CALLS, 1));
}

#[test]
fn a_flood_of_options_is_answered_at_the_rate_and_leaves_bounded_tables() {
    let mut site = Site::new();
    let mut call = Call::new(1);
    let mut answered = 0;
    for ms in 0..10_000 {
        site.now = Instant::ZERO.after_ms(ms);
        answered += site.receive(&call.request("OPTIONS", None, &[]), TRUNK).0.len();
        assert!(site.endpoint.transactions() <= MAX_SERVER_REQUESTS);
    }
    assert_eq!(answered, 50 + 20 * 10 - 1);
}

#[test]
fn strangers_get_nothing_and_cost_nothing() {
    let mut site = Site::new();
    for source in ["198.51.100.66:5060", "[2001:db8::1]:5060", "0.0.0.0:0"] {
        assert!(site.receive(&invite(&mut Call::new(1)), source).0.is_empty());
    }
    assert_eq!((site.endpoint.counters().strangers, site.endpoint.transactions()), (3, 0));
}

#[test]
fn a_storm_of_rung_and_cancelled_calls_leaves_bounded_tables() {
    let mut site = Site::new();
    let mut terminated = 0;
    for number in 0..5_000 {
        let mut call = Call::new(number);
        let (_, offered) = site.receive(&invite(&mut call), TRUNK);
        site.handle(Event::Ring { dialog: offered.unwrap() });
        let (responses, _) = site.receive(&call.request("CANCEL", None, &[]), TRUNK);
        terminated += responses.iter().filter(|response| response.status() == Some(487)).count();
        assert!(site.endpoint.transactions() <= MAX_ANSWERED_INVITES + MAX_SERVER_REQUESTS + 1);
    }
    assert_eq!((terminated, site.endpoint.calls()), (5_000, 0));
}

#[test]
fn a_crowded_box_still_rings_for_a_call_that_finds_a_free_phone() {
    let mut site = Site::new();
    let busy = ringside::sip::event::Rejection { status: 486, retry_after_s: Some(9) };
    for number in 0..=CROWDED_INVITES as u32 {
        let (_, offered) = site.receive(&invite(&mut Call::new(number)), TRUNK);
        site.handle(Event::Reject { dialog: offered.unwrap(), rejection: busy });
    }
    let mut call = Call::new(10_000);
    let first = invite(&mut call);
    let (responses, offered) = site.receive(&first, TRUNK);
    assert!(responses.is_empty(), "no 100, so that the caller repeats its INVITE until it hears the end");
    let dialog = offered.unwrap();
    assert!(site.receive(&first, TRUNK).0.is_empty() && site.endpoint.calls() == 1, "nor a second call");
    assert_eq!(site.handle(Event::Ring { dialog }).len(), 1);
    let rtp = "127.0.0.1:30000".parse().unwrap();
    assert_eq!(site.handle(Event::Answer { dialog, rtp }).len(), 2, "200 and the audio");
    assert!(site.receive(&first, TRUNK).0.is_empty(), "the dialog repeats its 200 by itself");

    let mut refused = Call::new(10_001);
    let first = invite(&mut refused);
    let (_, offered) = site.receive(&first, TRUNK);
    let told = site.handle(Event::Reject { dialog: offered.unwrap(), rejection: busy });
    let Some(Command::Send { bytes, .. }) = told.first() else { panic!("{told:?}") };
    let bytes = bytes.clone();
    let again = site.handle(Event::Datagram { source: TRUNK.parse().unwrap(), bytes: &first });
    assert!(matches!(&again[..], [Command::Send { bytes: same, .. }] if *same == bytes), "{again:?}");
    let other_way = String::from_utf8(first).unwrap().replace("z9hG4bK-", "z9hG4bK-other-");
    assert_eq!(site.receive(other_way.as_bytes(), TRUNK).0[0].status(), Some(482));
}

#[test]
fn the_same_seed_and_datagrams_give_the_same_commands() {
    let play = || {
        let mut site = Site::new();
        let mut call = Call::new(1);
        let (_, offered) = site.receive(&invite(&mut call), TRUNK);
        site.handle(Event::Answer { dialog: offered.unwrap(), rtp: "127.0.0.1:30000".parse().unwrap() })
    };
    assert_eq!(play(), play());
}
