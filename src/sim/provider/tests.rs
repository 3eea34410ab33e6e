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
