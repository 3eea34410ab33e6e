//! The trunk's side of a call, written apart from the endpoint: builds requests and responses as text.

use ringside::{
    number::Dialplan,
    sip::{
        identity::DidSource,
        message::{self, Message, Method},
        settings::{Account, Emergency, Mode, Settings, Trunk},
    },
};
use std::{fmt::Write, net::SocketAddr};

/// Where the scripted trunk sends from.
pub(crate) const TRUNK: &str = "127.0.0.1:5062";

/// A box with a trunk that takes its calls at [`TRUNK`] and calls back at a number of the office.
pub(crate) fn settings_to_place(registered: bool) -> Settings {
    let mut settings = settings(registered);
    let emergency = Emergency {
        callback: "+13125550177".parse().unwrap(),
        peer: Some(TRUNK.parse().unwrap()).filter(|_| !registered),
    };
    settings.trunks[0].emergency = Some(emergency);
    settings
}

/// A box with one trunk: one that it registers with, or one that knows its address.
pub(crate) fn settings(registered: bool) -> Settings {
    let account = Account {
        registrar: TRUNK.parse().unwrap(),
        domain: "sip:trunk.example".parse().unwrap(),
        user: "office".to_owned(),
        auth_user: "office".to_owned(),
        password: "secret".to_owned(),
        expires_s: 600,
    };
    Settings {
        local: "127.0.0.1:5060".parse().unwrap(),
        user_agent: "ringside".to_owned(),
        dialplan: Dialplan::for_country("US").unwrap(),
        trunks: vec![Trunk {
            name: "trunk".to_owned(),
            mode: if registered { Mode::Register(account) } else { Mode::Ip },
            did_source: DidSource::Auto,
            allow: if registered { vec![] } else { vec!["127.0.0.0/8".parse().unwrap()] },
            emergency: None,
        }],
    }
}

/// Reads one of the endpoint's datagrams.
pub(crate) fn read(bytes: &[u8]) -> Message {
    let source: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    message::parse(bytes, source).unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(bytes)))
}

/// A session description with the given media lines.
pub(crate) fn sdp(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}")
}

/// Media lines by the words of the ladders.
pub(crate) fn media(word: &str) -> Option<String> {
    let audio = "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    match word {
        "audio" => Some(audio.to_owned()),
        "hold" => Some(format!("{audio}a=sendonly\r\n")),
        "inactive" => Some(format!("{audio}a=inactive\r\n")),
        "old-hold" => Some(format!("{audio}c=IN IP4 0.0.0.0\r\n")),
        "moved" => Some(audio.replace("40000", "40002")),
        "t38" => Some("m=image 40010 udptl t38\r\n".to_owned()),
        "g729" => Some("m=audio 40000 RTP/AVP 18\r\n".to_owned()),
        "srtp" => Some("m=audio 40000 RTP/SAVP 0\r\n".to_owned()),
        "none" => None,
        other => panic!("unknown session description `{other}`"),
    }
}

/// One call as the trunk sees it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) call_id: String,
    /// From of the trunk's requests, with its tag.
    from: String,
    /// To of the trunk's requests, without the box's tag.
    to: String,
    pub(crate) cseq: u32,
    pub(crate) branches: u32,
    /// Tag that the box gave.
    pub(crate) to_tag: Option<String>,
    /// Contact that the box gave.
    pub(crate) target: String,
    /// Sequence number, branch and last final status of the last INVITE.
    pub(crate) invite: (u32, String, u16),
}

impl Call {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            call_id: format!("call-{number}@{TRUNK}"),
            from: format!("<sip:+13125551212@{TRUNK}>;tag=caller-{number}"),
            to: "<sip:+13125550100@127.0.0.1>".to_owned(),
            cseq: 0,
            branches: 0,
            to_tag: None,
            target: "sip:+13125550100@127.0.0.1:5060".to_owned(),
            invite: (0, String::new(), 0),
        }
    }

    /// The call that the box has placed with `invite`, once the trunk has answered with the tag `own_tag`.
    pub(crate) fn placed(number: u32, invite: &Message, own_tag: &str) -> Self {
        Self {
            number,
            call_id: invite.call_id().to_owned(),
            from: format!("{};tag={own_tag}", invite.header("To").unwrap()),
            to: format!("<{}>", invite.from().uri()),
            cseq: 0,
            branches: 0,
            to_tag: invite.from_tag().map(str::to_owned),
            target: invite.contact().unwrap().uri().to_string(),
            invite: (0, String::new(), 0),
        }
    }

    /// The next request with this method; `extra` header lines replace those of the same name.
    pub(crate) fn request(
        &mut self,
        method: &str,
        body: Option<&str>,
        extra: &[(String, String)],
    ) -> Vec<u8> {
        let (cseq, branch, tag) = match method {
            // RFC 3261 17.1.1.3 and 9.1: within the INVITE's transaction.
            "CANCEL" => (self.invite.0, self.invite.1.clone(), None),
            "ACK" if self.invite.2 >= 300 => (self.invite.0, self.invite.1.clone(), self.to_tag.clone()),
            "ACK" => (self.invite.0, self.next_branch(), self.to_tag.clone()),
            _ => {
                self.cseq += 1;
                (self.cseq, self.next_branch(), self.to_tag.clone())
            }
        };
        if method == "INVITE" {
            self.invite = (cseq, branch.clone(), 0);
        }
        let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
        let mut lines = vec![
            ("Via", format!("SIP/2.0/UDP {TRUNK};branch={branch};rport")),
            ("Max-Forwards", "70".to_owned()),
            ("From", self.from.clone()),
            ("To", format!("{}{tag}", self.to)),
            ("Call-ID", self.call_id.clone()),
            ("CSeq", format!("{cseq} {method}")),
            ("Contact", format!("<sip:trunk@{TRUNK}>")),
        ];
        lines.retain(|(name, _)| !extra.iter().any(|(own, _)| own == name));
        let mut text = format!("{method} {} SIP/2.0\r\n", self.target);
        for (name, value) in
            lines.iter().map(|(n, v)| (*n, v)).chain(extra.iter().map(|(n, v)| (n.as_str(), v)))
        {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        let typed = extra.iter().any(|(name, _)| name == "Content-Type");
        match body {
            Some(body) if typed => write!(text, "\r\n{body}").unwrap(),
            Some(body) => write!(text, "Content-Type: application/sdp\r\n\r\n{body}").unwrap(),
            None => text.push_str("\r\n"),
        }
        text.into_bytes()
    }

    fn next_branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK-{}-{}", self.number, self.branches)
    }

    /// Learns from a response of the box to this call.
    pub(crate) fn learn(&mut self, response: &Message) {
        let status = response.status().unwrap();
        if *response.method() != Method::Invite || response.cseq() != self.invite.0 {
            return;
        }
        self.invite.2 = self.invite.2.max(status);
        if status > 100 {
            self.to_tag = response.to_tag().map(str::to_owned);
        }
        if let Some(contact) = response.contact().filter(|_| status < 300) {
            self.target = contact.uri().as_str().to_owned();
        }
    }
}

/// A response of the trunk to a request of the box.
pub(crate) fn response(request: &Message, status: u16, extra: &[(String, String)]) -> Vec<u8> {
    response_of("trunk", request, status, None, extra)
}

/// A response of a callee with the tag `tag`, and a session description if there is one.
pub(crate) fn response_of(
    tag: &str,
    request: &Message,
    status: u16,
    body: Option<&str>,
    extra: &[(String, String)],
) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {status} Said\r\n");
    for (name, value) in request.headers() {
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" if extra.iter().all(|(own, _)| own != name) => {
                write!(text, "{name}: {value}\r\n").unwrap()
            }
            "To" if request.to_tag().is_none() && status > 100 => {
                write!(text, "To: {value};tag={tag}\r\n").unwrap()
            }
            "To" => write!(text, "To: {value}\r\n").unwrap(),
            _ => {}
        }
    }
    for (name, value) in extra {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let joins = *request.method() == Method::Invite && (101..300).contains(&status);
    if joins && extra.iter().all(|(name, _)| name != "Contact") {
        write!(text, "Contact: <sip:{tag}@{TRUNK}>\r\n").unwrap();
    }
    match body {
        Some(body) => write!(text, "Content-Type: application/sdp\r\n\r\n{body}").unwrap(),
        None => text.push_str("\r\n"),
    }
    text.into_bytes()
}
