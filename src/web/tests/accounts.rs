//! Who gets in, who does not, and for how long.

use super::{Office, retention::Desk, text, to};
use crate::{
    access::Role,
    id::UserId,
    recording::request::Answer,
    web::{Accounts, Draft, Loopback, NewToken, PrivateFiles, Retention, door::Peer, wall_now},
};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
    response::Response,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

pub(super) const PASSWORD: &str = "the kettle is on";

/// A data directory that forgets.
#[derive(Default)]
pub(in crate::web) struct Memory {
    pub(in crate::web) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(super) is_full: Mutex<bool>,
}

impl PrivateFiles for Memory {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.lock().unwrap().get(name).cloned())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if *self.is_full.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn put_aside(&self, name: &str, aside: Option<&str>) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        if let Some((bytes, aside)) = files.remove(name).zip(aside) {
            files.insert(aside.to_owned(), bytes);
        }
        Ok(())
    }
}

pub(super) fn draft(login: &str, role: Role) -> Draft {
    let until = (role == Role::Installer).then(|| crate::time::WallTime(wall_now().0 + 86_400_000));
    Draft { name: format!("{login} the user"), login: login.to_owned(), role, ports: Vec::new(), until }
}

/// An office whose people sign in: dana is administrator, lee a CSR. And the desk that keeps the audit.
pub(super) fn signed() -> (Office, Arc<Memory>, Arc<Desk>) {
    let files = Arc::new(Memory::default());
    let desk = Arc::new(Desk { answer: Ok(Answer::default()), accounts: Mutex::default() });
    let mut office = Office::empty();
    office.state.retention = Retention::new(Arc::clone(&desk));
    office.state.accounts = Accounts::open(files.clone(), Loopback::SignsIn);
    let accounts = &office.state.accounts;
    accounts.claim(draft("dana", Role::Administrator), PASSWORD, wall_now()).unwrap();
    accounts.add(draft("lee", Role::Csr), Some(PASSWORD), wall_now()).unwrap();
    (office, files, desk)
}

fn form(path: &str) -> axum::http::request::Builder {
    Request::post(path)
        .header(header::HOST, "127.0.0.1:8480")
        .header(header::ORIGIN, "http://127.0.0.1:8480")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub(super) async fn post(office: &Office, path: &str, cookie: Option<&str>, fields: &str) -> Response {
    let mut request = form(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    office.send(request.body(Body::from(fields.to_owned())).unwrap()).await
}

pub(super) async fn get_as(office: &Office, path: &str, cookie: &str) -> Response {
    let request = to(path).header(header::COOKIE, cookie).header(header::ACCEPT, "text/html");
    office.send(request.body(Body::empty()).unwrap()).await
}

/// `ringside=…` of an answer.
pub(super) fn cookie_of(response: &Response) -> Option<String> {
    let kept = response.headers().get(header::SET_COOKIE)?.to_str().unwrap();
    Some(kept.split(';').next().unwrap().to_owned())
}

pub(super) async fn sign_in(office: &Office, login: &str) -> String {
    let fields = format!("login={login}&password={}", PASSWORD.replace(' ', "+"));
    let response = post(office, "/sign-in", None, &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    cookie_of(&response).unwrap()
}

fn location(response: &Response) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

pub(super) fn id_of(office: &Office, login: &str) -> UserId {
    office.state.accounts.users().unwrap().iter().find(|user| user.login == login).unwrap().id
}

#[tokio::test]
async fn a_new_box_is_claimed_with_its_code_once() {
    let files = Arc::new(Memory::default());
    let mut office = Office::empty();
    office.state.accounts = Accounts::open(files.clone(), Loopback::SignsIn);
    let code = office.state.accounts.claim_code().unwrap();
    let again = Accounts::open(files.clone(), Loopback::SignsIn);
    assert_eq!(again.claim_code(), Some(code.clone()), "a restart shows the same code");

    let browser = |path: &str| to(path).header(header::ACCEPT, "text/html,*/*").body(Body::empty()).unwrap();
    assert_eq!(location(&office.send(browser("/")).await), "/sign-in");
    assert_eq!(location(&office.send(browser("/sign-in")).await), "/claim");
    let fields = |code: &str| {
        format!("code={code}&name=Dana+Ortiz&login=Dana&password=the+kettle+is+on&again=the+kettle+is+on")
    };
    let wrong = post(&office, "/claim", None, &fields("AAAA-AAAA")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let page = text(wrong).await;
    assert!(page.contains("Dana Ortiz") && page.contains("not the claim code"), "{page}");
    let weak = fields(&code).replace("the+kettle+is+on", "short");
    assert_eq!(post(&office, "/claim", None, &weak).await.status(), StatusCode::UNPROCESSABLE_ENTITY);

    let claimed = post(&office, "/claim", None, &fields(&code.to_lowercase())).await;
    assert_eq!((claimed.status(), location(&claimed)), (StatusCode::SEE_OTHER, "/"));
    let cookie = cookie_of(&claimed).unwrap();
    assert_eq!(get_as(&office, "/users", &cookie).await.status(), StatusCode::OK);
    assert_eq!(office.state.accounts.claim_code(), None);
    assert!(!files.files.lock().unwrap().contains_key("claim-code"), "used up");
    assert_eq!(post(&office, "/claim", None, &fields(&code)).await.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_door_and_back() {
    let (office, ..) = signed();
    let page = to("/calls/x?y=1").header(header::ACCEPT, "text/html").body(Body::empty()).unwrap();
    let led = office.send(page).await;
    assert_eq!((led.status(), location(&led)), (StatusCode::SEE_OTHER, "/sign-in?to=/calls/x%3Fy%3D1"));
    let (status, problem) = office.get("/api/v1/calls").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(problem.contains("\"not_signed_in\""), "{problem}");
    assert_eq!(office.get("/nowhere").await.0, StatusCode::UNAUTHORIZED, "not even what is not there");

    let back =
        post(&office, "/sign-in", None, "login=dana&password=the+kettle+is+on&to=%2Fcalls%2Fx%3Fy%3D1").await;
    assert_eq!(location(&back), "/calls/x?y=1");
    let abroad =
        post(&office, "/sign-in", None, "login=dana&password=the+kettle+is+on&to=%2F%2Fevil.example").await;
    assert_eq!(location(&abroad), "/");
}

#[tokio::test]
async fn a_session_is_fresh_at_sign_in_and_gone_at_sign_out() {
    let (office, files, _) = signed();
    let planted = format!("ringside={}", "ab".repeat(32));
    let response = post(&office, "/sign-in", Some(&planted), "login=dana&password=the+kettle+is+on").await;
    let cookie = cookie_of(&response).unwrap();
    assert_ne!(cookie, planted, "nobody can choose a session for somebody else");
    assert_eq!(get_as(&office, "/", &planted).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(get_as(&office, "/", &cookie).await.status(), StatusCode::OK);

    let second = post(&office, "/sign-in", Some(&cookie), "login=dana&password=the+kettle+is+on").await;
    let second = cookie_of(&second).unwrap();
    assert_eq!(get_as(&office, "/", &cookie).await.status(), StatusCode::SEE_OTHER, "the one before is over");

    let restarted = Accounts::open(files.clone(), Loopback::SignsIn);
    let secret = second.strip_prefix("ringside=").unwrap();
    assert!(restarted.by_cookie(secret, wall_now()).is_some(), "a restart signs nobody out");
    let out = post(&office, "/sign-out", Some(&second), "").await;
    assert_eq!(location(&out), "/sign-in?out=1");
    assert_eq!(cookie_of(&out).unwrap(), "ringside=");
    assert_eq!(get_as(&office, "/", &second).await.status(), StatusCode::SEE_OTHER);
    let restarted = Accounts::open(files, Loopback::SignsIn);
    assert!(restarted.by_cookie(secret, wall_now()).is_none(), "nor in again");
}

#[tokio::test]
async fn a_change_of_role_holds_at_once() {
    let (office, ..) = signed();
    let (dana, lee) = (sign_in(&office, "dana").await, sign_in(&office, "lee").await);
    assert_eq!(get_as(&office, "/users", &lee).await.status(), StatusCode::FORBIDDEN);
    let page = format!("/users/{}", id_of(&office, "lee"));
    let fields = "name=Lee&login=lee&role=administrator&port=PHONE1&port=PHONE2";
    assert_eq!(post(&office, &page, Some(&dana), fields).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(get_as(&office, "/users", &lee).await.status(), StatusCode::OK);
    assert_eq!(office.state.accounts.user_of_port("PHONE2").unwrap().1, "Lee");

    let close = format!("{page}/close");
    assert_eq!(post(&office, &close, Some(&dana), "").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(get_as(&office, "/", &lee).await.status(), StatusCode::SEE_OTHER, "signed out");
    assert_eq!(office.state.accounts.user_of_port("PHONE2"), None);
    let refused = post(&office, "/sign-in", None, "login=lee&password=the+kettle+is+on").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let last = format!("/users/{}/close", id_of(&office, "dana"));
    assert_eq!(post(&office, &last, Some(&dana), "").await.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_open_stream_ends_with_its_session() {
    let (office, ..) = signed();
    let cookie = sign_in(&office, "lee").await;
    let request = to("/events").header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    let mut events = super::Events { body: office.send(request).await.into_body().into_data_stream() };
    assert!(events.next().await.is_some());
    office.state.accounts.edit(id_of(&office, "lee"), draft("lee", Role::Csr), wall_now()).unwrap();
    office.state.live.publish(super::made_up::ringing(1));
    assert!(events.next().await.is_some(), "a change that takes nothing away");
    office.state.accounts.set_disabled(id_of(&office, "lee"), true, wall_now()).unwrap();
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let (office, ..) = signed();
    let (here, elsewhere) = (sign_in(&office, "lee").await, sign_in(&office, "lee").await);
    let fields = |present: &str| format!("present={present}&password=the+tap+drips&again=the+tap+drips");
    let wrong = post(&office, "/you/password", Some(&here), &fields("nonsense")).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = post(&office, "/you/password", Some(&here), &fields("the+kettle+is+on")).await;
    assert_eq!(location(&done), "/you?done=password");
    assert_eq!(get_as(&office, "/", &here).await.status(), StatusCode::OK);
    assert_eq!(get_as(&office, "/", &elsewhere).await.status(), StatusCode::SEE_OTHER, "signed out there");
    let old = post(&office, "/sign-in", None, "login=lee&password=the+kettle+is+on").await;
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        post(&office, "/you/sign-out-everywhere", Some(&here), "").await.status(),
        StatusCode::SEE_OTHER
    );
    assert_eq!(get_as(&office, "/", &here).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_accounted_for() {
    let (office, _, desk) = signed();
    let try_at = |login: &'static str| post(&office, "/sign-in", None, login);
    for _ in 0..10 {
        assert_eq!(try_at("login=nobody&password=guess").await.status(), StatusCode::UNAUTHORIZED);
    }
    let slowed = try_at("login=dana&password=guess").await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = slowed.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=6).contains(&seconds), "{seconds}");
    assert_eq!(try_at("login=dana&password=the+kettle+is+on").await.status(), StatusCode::TOO_MANY_REQUESTS);
    let bursts = desk.accounts.lock().unwrap().iter().filter(|did| did.contains("too often")).count();
    assert_eq!(bursts, 1, "once in a row");

    // Another address still may, until the login has had enough.
    let from = |host: u8| {
        let over_tls = Request::post("/sign-in")
            .header(header::HOST, "127.0.0.1:8480")
            .header(header::ORIGIN, "https://127.0.0.1:8480")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut request = over_tls.body(Body::from("login=dana&password=guess")).unwrap();
        let peer = Peer::Network {
            address: ([192, 0, 2, host], 5_000).into(),
            local: ([127, 0, 0, 1], 8480).into(),
            encrypted: true,
        };
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    };
    for host in 0..9 {
        assert_eq!(office.send(from(host)).await.status(), StatusCode::UNAUTHORIZED, "{host}");
    }
    let last = (9..12).map(|host| office.send(from(host)));
    let mut slowed = false;
    for response in last {
        slowed |= response.await.status() == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(slowed, "a thousand addresses guess no faster at one login");
}

#[tokio::test]
async fn a_page_from_elsewhere_can_do_nothing() {
    let (office, ..) = signed();
    let dana = sign_in(&office, "dana").await;
    let order = |origin: Option<&str>| {
        let mut request = Request::post("/sign-out").header(header::HOST, "127.0.0.1:8480");
        request = request.header(header::COOKIE, &dana);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(Body::empty()).unwrap()
    };
    for origin in [Some("https://evil.example"), Some("null"), Some("https://127.0.0.1:8480"), None] {
        assert_eq!(office.send(order(origin)).await.status(), StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert_eq!(get_as(&office, "/", &dana).await.status(), StatusCode::OK, "still signed in");
    assert_eq!(office.send(order(Some("http://127.0.0.1:8480"))).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn loopback_is_trusted_by_address_and_host_and_by_no_header() {
    let mut office = Office::empty();
    office.state.accounts = Accounts::open(Arc::new(Memory::default()), Loopback::Trusted);
    office.state.names = crate::web::Names::new(["ringside.local".to_owned()]);
    let from = |address: &str, local: &str, host: &str| {
        let mut request = Request::get("/api/v1/calls")
            .header(header::HOST, host)
            .header("x-forwarded-for", "127.0.0.1")
            .header("forwarded", "for=127.0.0.1")
            .body(Body::empty())
            .unwrap();
        let (address, local) = (address.parse().unwrap(), local.parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(Peer::Network { address, local, encrypted: false }));
        request
    };
    let (ours, theirs) = ("127.0.0.1:8480", "192.0.2.1:8480");
    let table = [
        ("127.0.0.1:5", ours, "127.0.0.1:8480", 200),
        ("[::1]:5", "[::1]:8480", "localhost:8480", 200),
        ("[::ffff:127.0.0.1]:5", ours, "localhost", 200),
        ("127.0.0.1:5", ours, "ringside.local:8480", 401),
        ("127.0.0.1:5", ours, "evil.example", 421),
        ("192.0.2.7:5", theirs, "192.0.2.1:8480", 307),
        ("192.0.2.7:5", theirs, "127.0.0.1:8480", 307),
        ("192.0.2.7:5", theirs, "192.0.2.9", 421),
    ];
    for (address, local, host, status) in table {
        let answer = office.send(from(address, local, host)).await;
        assert_eq!(answer.status().as_u16(), status, "{address} for {host} at {local}");
    }
    let mut nobody = from("192.0.2.7:5", theirs, "evil.example");
    nobody.extensions_mut().insert(ConnectInfo(Peer::ThisBox));
    assert_eq!(office.send(nobody).await.status(), StatusCode::OK, "the box's own socket");
}

#[tokio::test]
async fn damaged_accounts_open_nothing_and_are_started_over_on_the_box() {
    let (mut office, files, _) = signed();
    let whole = files.files.lock().unwrap()["accounts.json"].clone();
    files.files.lock().unwrap().insert("accounts.json".to_owned(), whole[..whole.len() / 2].to_vec());
    office.state.accounts = Accounts::open(files.clone(), Loopback::SignsIn);
    assert_eq!(office.state.accounts.claim_code(), None, "nobody may claim a box that is somebody's");
    assert_eq!(office.get("/api/v1/calls").await.0, StatusCode::UNAUTHORIZED);
    let refused = post(&office, "/sign-in", None, "login=dana&password=the+kettle+is+on").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(refused).await.contains("ringside users start-over"));

    let mut inside = Request::post("/api/v1/start-over").body(Body::empty()).unwrap();
    inside.extensions_mut().insert(ConnectInfo(Peer::ThisBox));
    let done = office.send(inside).await;
    assert_eq!(done.status(), StatusCode::OK);
    let code = office.state.accounts.claim_code().unwrap();
    assert!(text(done).await.contains(&code));
    assert!(
        files.files.lock().unwrap().contains_key("accounts.json.before-start-over"),
        "nothing is thrown away"
    );
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let (office, files, _) = signed();
    let dana = sign_in(&office, "dana").await;
    *files.is_full.lock().unwrap() = true;
    let refused =
        post(&office, "/users", Some(&dana), "name=Kim&login=kim&role=csr&password=the+tap+drips").await;
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert!(text(refused).await.contains("value=\"kim\""), "what was typed is kept");
    assert!(office.state.accounts.users().unwrap().iter().all(|user| user.login != "kim"));
    sign_in(&office, "lee").await;
}

#[tokio::test]
async fn a_token_opens_what_its_role_may_until_it_is_revoked() {
    let (office, ..) = signed();
    let accounts = &office.state.accounts;
    let new = NewToken { name: "CRM".to_owned(), role: Role::Csr, until: None };
    let made = accounts.add_token(new, "dana", wall_now()).unwrap();
    let secret = made.secret.unwrap();
    let with = |shown: String, path: &str| {
        let request = to(path).header(header::AUTHORIZATION, shown).body(Body::empty()).unwrap();
        office.send(request)
    };
    for shown in [format!("Bearer {secret}"), format!("Token token=\"{secret}\"")] {
        assert_eq!(with(shown.clone(), "/api/v1/calls").await.status(), StatusCode::OK);
        assert_eq!(with(shown, "/api/v1/users").await.status(), StatusCode::FORBIDDEN);
    }
    assert!(accounts.tokens().unwrap()[0].last_used.is_some());
    for wrong in ["Bearer rsd_00", "Bearer ", "Basic cnNkXzAw", &format!("Bearer {}", &secret[4..])] {
        assert_eq!(with(wrong.to_owned(), "/healthz").await.status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    accounts.revoke(made.made.id, wall_now()).unwrap();
    assert_eq!(with(format!("Bearer {secret}"), "/api/v1/calls").await.status(), StatusCode::UNAUTHORIZED);

    let brief = NewToken { name: "brief".to_owned(), role: Role::Csr, until: Some(wall_now()) };
    let brief = accounts.add_token(brief, "dana", wall_now()).unwrap().secret.unwrap();
    assert_eq!(with(format!("Bearer {brief}"), "/api/v1/calls").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wall_display_gets_in_by_its_address_and_only_looks() {
    let (office, ..) = signed();
    let token = |role| {
        let new = NewToken { name: "wall".to_owned(), role, until: None };
        office.state.accounts.add_token(new, "dana", wall_now()).unwrap()
    };
    let (wall, csr) = (token(Role::WallDisplay), token(Role::Csr));
    let hang =
        |secret: &str| office.send(to(&format!("/wall/in?token={secret}")).body(Body::empty()).unwrap());
    let hung = hang(wall.secret.as_ref().unwrap()).await;
    assert_eq!((hung.status(), location(&hung)), (StatusCode::SEE_OTHER, "/wall"));
    let cookie = cookie_of(&hung).unwrap();
    assert_eq!(get_as(&office, "/", &cookie).await.status(), StatusCode::OK);
    assert_eq!(get_as(&office, "/users", &cookie).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        hang(csr.secret.as_ref().unwrap()).await.status(),
        StatusCode::UNAUTHORIZED,
        "too much for a wall"
    );
    assert_eq!(hang("").await.status(), StatusCode::UNAUTHORIZED);
    office.state.accounts.revoke(wall.made.id, wall_now()).unwrap();
    assert_eq!(get_as(&office, "/", &cookie).await.status(), StatusCode::SEE_OTHER);
}
