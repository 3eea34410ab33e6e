//! The provider against a box that is a few lines of text on a socket.

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A box that says what the test tells it to.
struct Office {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl Office {
    fn new(provider: &Provider) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, peer: provider.address() }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn receive(&self) -> Message {
        let mut buffer = [0; 4096];
        let (length, _) = self.socket.recv_from(&mut buffer).unwrap();
        Message::parse(&buffer[..length]).unwrap()
    }

    fn expect(&self, method: &str) -> Message {
        loop {
            let message = self.receive();
            if message.method() == Some(method) {
                return message;
            }
            assert_ne!(message.method(), None, "expected {method}");
        }
    }

    fn answer(&self, request: &Message, status: u16, body: &str) {
        let contact = format!("Contact: <sip:box@{}>", self.address());
        let mut answer = request.answer(status, "Because", &[contact]);
        answer.extend(body.as_bytes());
        self.socket.send_to(&answer, self.peer).unwrap();
    }
}

fn provider() -> Provider {
    Provider::start("127.0.0.1:0".parse().unwrap(), Account::default()).unwrap()
}

#[test]
fn an_answered_call_is_acknowledged_and_hung_up_by_the_caller() {
    let provider = provider();
    let office = Office::new(&provider);
    let plan = CallPlan {
        hang_up_after: Some(Duration::from_millis(100)),
        ..CallPlan::new("+1312", "+13125550100")
    };
    let call = provider.place_at(office.address(), plan);
    let invite = office.expect("INVITE");
    assert_eq!(invite.uri("P-Asserted-Identity"), Some(format!("sip:+1312@{}", provider.address()).as_str()));
    office.answer(&invite, 180, "");
    call.wait(PATIENCE, |outcome| outcome.rang_after.is_some());
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    rtp.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = rtp.local_addr().unwrap().port();
    office.answer(&invite, 200, &format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0\r\n"));
    assert_eq!(office.expect("ACK").parameter("To", "tag"), Some("provider"));
    assert_eq!(rtp.recv(&mut [0; 400]).unwrap(), 172);
    let bye = office.expect("BYE");
    office.answer(&bye, 200, "");
    let outcome = call.wait(PATIENCE, |_| false);
    assert_eq!((outcome.end, outcome.statuses), (Some(End::CallerHungUp), vec![180, 200]));
}

#[test]
fn a_caller_who_gives_up_cancels_and_acknowledges_the_487() {
    let provider = provider();
    let office = Office::new(&provider);
    let plan = CallPlan { give_up_after: Some(Duration::from_millis(20)), ..CallPlan::new("+1312", "+1313") };
    let call = provider.place_at(office.address(), plan);
    let invite = office.expect("INVITE");
    office.answer(&invite, 180, "");
    let cancel = office.expect("CANCEL");
    assert_eq!(cancel.header("Via"), invite.header("Via"), "a CANCEL is of the INVITE's branch");
    office.answer(&cancel, 200, "");
    office.answer(&invite, 487, "");
    assert_eq!(office.expect("ACK").header("Via"), invite.header("Via"));
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::Cancelled));
}

#[test]
fn a_withheld_number_is_only_in_the_asserted_identity() {
    let provider = provider();
    let office = Office::new(&provider);
    let plan = CallPlan { anonymous: true, ..CallPlan::new("+13125550142", "+1313") };
    let call = provider.place_at(office.address(), plan);
    let invite = office.expect("INVITE");
    assert_eq!(invite.header("Privacy"), Some("id"));
    assert_eq!(invite.uri("From"), Some("sip:anonymous@anonymous.invalid"));
    office.answer(&invite, 486, "");
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::Refused(486)));
}

#[test]
fn an_unanswered_invite_is_sent_again() {
    let provider = provider();
    let office = Office::new(&provider);
    let call = provider.place_at(office.address(), CallPlan::new("+1312", "+1313"));
    let first = office.expect("INVITE");
    let again = office.expect("INVITE");
    assert_eq!(first.header("Via"), again.header("Via"));
    office.answer(&again, 404, "");
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::Refused(404)));
}

#[test]
fn the_box_may_hang_up() {
    let provider = provider();
    let office = Office::new(&provider);
    let call = provider.place_at(office.address(), CallPlan::new("+1312", "+1313"));
    let invite = office.expect("INVITE");
    office.answer(&invite, 200, "");
    let ack = office.expect("ACK");
    let bye = format!(
        "BYE sip:provider SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKb\r\nFrom: <sip:box>;tag=provider\r\n\
         To: <sip:caller>;tag=1\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\r\n",
        office.address(),
        ack.header("Call-ID").unwrap()
    );
    office.socket.send_to(bye.as_bytes(), office.peer).unwrap();
    assert_eq!(office.receive().status(), Some(200));
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::CalleeHungUp));
}

#[test]
fn nobody_registered_cannot_be_called() {
    let provider = provider();
    assert_eq!(provider.wait_registered(Duration::ZERO), None);
    let call = provider.place(CallPlan::new("+1312", "+1313"));
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::NoAnswer));
}

/// A phone behind the box, whose SIP is a few lines of text.
struct Handset {
    office: Office,
    audio: audio::Audio,
    id: String,
}

impl Handset {
    fn new(provider: &Provider, speech: Speech) -> Self {
        let office = Office::new(provider);
        let audio = audio::Audio::open(office.address().ip(), speech).unwrap();
        Self { office, audio, id: message::token() }
    }

    fn send(&self, method: &str, branch: &str, to_tag: &str, headers: &str) {
        let (address, provider) = (self.office.address(), self.office.peer);
        let sdp = if method == "INVITE" {
            format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {} RTP/AVP 0\r\n", self.audio.local().port())
        } else {
            String::new()
        };
        let text = format!(
            "{method} sip:911@{provider} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch={branch}\r\n\
             From: <sip:box@{address}>;tag=1\r\nTo: <sip:911@{provider}>{to_tag}\r\nCall-ID: {}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:box@{address}>\r\n{headers}\r\n{sdp}",
            self.id
        );
        self.office.socket.send_to(text.as_bytes(), provider).unwrap();
    }

    fn status(&self) -> Option<u16> {
        self.office.receive().status()
    }
}

fn peak(samples: &[i16]) -> i16 {
    samples.iter().map(|sample| sample.saturating_abs()).max().unwrap_or_default()
}

#[test]
fn a_call_of_the_box_is_taken_and_both_sides_hear_each_other() {
    let provider = provider();
    let tone = |hz| Speech::Tone { hz, peak: 8000 };
    let taken = provider.take_calls(AnswerPlan {
        announces: true,
        rings_for: Some(Duration::from_millis(200)),
        speech: tone(1000.0),
        hang_up_after: Some(Duration::from_millis(200)),
        ..AnswerPlan::new()
    });
    let handset = Handset::new(&provider, tone(500.0));
    handset.send("INVITE", "z9hG4bK1", "", "Priority: emergency\r\n");
    let announced = handset.office.receive();
    assert_eq!(announced.status(), Some(183));
    handset.audio.speak_to(call::audio_address(&announced.body).unwrap());
    let answer = handset.office.receive();
    assert_eq!((answer.status(), &answer.body), (Some(200), &announced.body));
    handset.send("ACK", "z9hG4bK2", ";tag=provider", "");
    let bye = handset.office.expect("BYE");
    handset.office.answer(&bye, 200, "");
    let call = taken.wait(0, PATIENCE).unwrap();
    assert!(call.target.starts_with("sip:911@") && call.header("Priority") == Some("emergency"));
    let outcome = call.handle.wait(PATIENCE, |_| false);
    assert_eq!((outcome.end, outcome.statuses), (Some(End::CalleeHungUp), vec![183, 200]));
    let (heard, _) = handset.audio.close();
    for (who, heard) in [("handset", heard), ("callee", outcome.heard)] {
        assert!((7700..=8300).contains(&peak(&heard)), "{who}: {}", peak(&heard));
    }
}

#[test]
fn a_call_of_the_box_is_refused_cancelled_or_not_taken_at_all() {
    let provider = provider();
    let stray = Handset::new(&provider, Speech::Silence);
    stray.send("INVITE", "z9hG4bK1", "", "");
    assert_eq!(stray.status(), Some(481));

    let taken = provider.take_calls(AnswerPlan { refuses_with: Some(486), ..AnswerPlan::new() });
    let refused = Handset::new(&provider, Speech::Silence);
    refused.send("INVITE", "z9hG4bK1", "", "");
    assert_eq!((refused.status(), refused.status()), (Some(180), Some(486)));
    refused.send("ACK", "z9hG4bK1", ";tag=provider", "");
    let outcome = taken.wait(0, PATIENCE).unwrap().handle.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::Refused(486)));

    let taken = provider.take_calls(AnswerPlan { challenges: true, ..AnswerPlan::new() });
    let unknown = Handset::new(&provider, Speech::Silence);
    unknown.send("INVITE", "z9hG4bK1", "", "");
    assert_eq!(unknown.status(), Some(401));
    assert!(taken.wait(0, Duration::ZERO).is_none());

    let taken = provider.take_calls(AnswerPlan { rings_for: None, ..AnswerPlan::new() });
    let cancelled = Handset::new(&provider, Speech::Silence);
    cancelled.send("INVITE", "z9hG4bK1", "", "");
    assert_eq!(cancelled.status(), Some(180));
    cancelled.send("CANCEL", "z9hG4bK1", "", "");
    assert_eq!((cancelled.status(), cancelled.status()), (Some(200), Some(487)));
    cancelled.send("ACK", "z9hG4bK1", ";tag=provider", "");
    let outcome = taken.wait(0, PATIENCE).unwrap().handle.wait(PATIENCE, |_| false);
    assert_eq!(outcome.end, Some(End::Cancelled));
}
