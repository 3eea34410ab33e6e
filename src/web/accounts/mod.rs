//! Users, sessions, tokens, and the claim code of a box that is nobody's yet.
//!
//! ```text
//!             claim code, name, login, password
//!   nobody's ───────────────────────────────────► has an administrator
//!       ▲                                              │ its file is damaged
//!       │ `ringside users start-over`                  ▼
//!       └───────────────────────────────────────── damaged: nobody signs in; programs on the box get in
//! ```
//! A change is on the disk before it holds. What it takes from anybody is gone with the next request, and open streams
//! end. Passwords are argon2id, one at a time; tokens and sessions are 256 random bits and kept as digests.

mod book;
mod changes;
mod limits;
mod password;
mod refusal;
mod secret;
mod sessions;
mod signing_in;

pub use book::{Draft, Token, User};
pub use changes::{Made, NewToken};
pub use refusal::Refusal;
pub(super) use signing_in::{Begun, COOKIE_S, NotIn};

use crate::{
    access::Who,
    id::{TokenId, UserId},
    time::WallTime,
};
use book::Book;
use limits::Limits;
use sessions::{Of, Sessions};
use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::{Semaphore, watch};

/// File of the accounts.
pub const ACCOUNTS: &str = "accounts.json";
/// File of the claim code.
const CLAIM_CODE: &str = "claim-code";
/// Passwords that wait for their turn.
const MOST_WAITING: usize = 8;

/// Small files that only the daemon's user may read. Called on a thread that may wait for a disk.
pub trait PrivateFiles: Send + Sync {
    /// The whole file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Writes the whole file durably: after a power cut there is the old one or the new one.
    ///
    /// # Errors
    /// If a step fails; then the old one is there.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Puts a file aside under another name, or removes it if there is no other name.
    ///
    /// # Errors
    /// If that fails. A file that is not there is put aside.
    fn put_aside(&self, name: &str, aside: Option<&str>) -> io::Result<()>;
}

/// Whether whoever is on this machine is the administrator without signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// They sign in as everybody does.
    SignsIn,
    /// They are: a demo, a test, a box that a program beside it serves.
    Trusted,
}

/// What a request shows for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The digest of its cookie.
    Session([u8; 32]),
    /// A token.
    Token(TokenId),
}

/// All accounts; a clone is the same accounts.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    files: Option<Arc<dyn PrivateFiles>>,
    loopback: Loopback,
    standing: Mutex<Standing>,
    /// Held while a change goes to the disk.
    writing: Mutex<()>,
    limits: Mutex<Limits>,
    started: Instant,
    hashing: Mutex<()>,
    waiting: Semaphore,
    /// Counts changes; open streams look again.
    changed: watch::Sender<u64>,
}

struct Standing {
    /// Why it cannot be read, if it cannot.
    book: Result<Arc<Book>, String>,
    sessions: Sessions,
    used: BTreeMap<TokenId, WallTime>,
    claim_code: Option<String>,
    /// Whether sessions or uses of tokens are newer than the file.
    is_newer: bool,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts")
    }
}

impl Accounts {
    /// Reads the accounts. A file that cannot be read opens nothing to anybody; a box that is nobody's gets a claim
    /// code.
    #[must_use]
    pub fn open(files: Arc<dyn PrivateFiles>, loopback: Loopback) -> Self {
        let book = match files.read(ACCOUNTS) {
            Ok(Some(bytes)) => Book::read(&bytes),
            Ok(None) => Ok(Book::empty()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &book {
            tracing::error!(
                why,
                "the accounts cannot be read, and nobody can sign in; run `ringside users start-over`"
            );
        }
        let accounts = Self::new(Some(files), loopback, book.map(Arc::new));
        accounts.see_to_claim_code();
        accounts
    }

    /// No accounts: whoever is on this machine is the administrator, and nobody else gets in.
    #[must_use]
    pub fn loopback_only() -> Self {
        Self::new(None, Loopback::Trusted, Ok(Arc::new(Book::empty())))
    }

    fn new(
        files: Option<Arc<dyn PrivateFiles>>,
        loopback: Loopback,
        book: Result<Arc<Book>, String>,
    ) -> Self {
        let sessions =
            book.as_ref().map_or_else(|_| Sessions::default(), |book| Sessions::from_book(&book.sessions));
        let standing = Standing { book, sessions, used: BTreeMap::new(), claim_code: None, is_newer: false };
        Self(Arc::new(Inner {
            files,
            loopback,
            standing: Mutex::new(standing),
            writing: Mutex::default(),
            limits: Mutex::default(),
            started: Instant::now(),
            hashing: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
            changed: watch::channel(0).0,
        }))
    }

    /// Whose handset a port is: id and name. Nobody's if the account is closed.
    #[must_use]
    pub fn user_of_port(&self, port: &str) -> Option<(String, String)> {
        let (book, now) = (self.book().ok()?, super::wall_now());
        let users = book.users.iter().map(|entry| &entry.user);
        let user =
            users.filter(|user| user.is_open(now)).find(|user| user.ports.iter().any(|mine| mine == port))?;
        Some((user.id.to_string(), user.name.clone()))
    }

    /// The claim code, while this box is nobody's.
    #[must_use]
    pub fn claim_code(&self) -> Option<String> {
        self.standing().claim_code.clone()
    }

    /// Everybody who has an account.
    ///
    /// # Errors
    /// The accounts are damaged.
    pub fn users(&self) -> Result<Vec<User>, Refusal> {
        Ok(self.book()?.users.iter().map(|entry| entry.user.clone()).collect())
    }

    /// Every token, with its last use.
    ///
    /// # Errors
    /// The accounts are damaged.
    pub fn tokens(&self) -> Result<Vec<Token>, Refusal> {
        let book = self.book()?;
        let standing = self.standing();
        let token = |kept: &book::Kept| {
            let used = standing.used.get(&kept.token.id).copied().max(kept.token.last_used);
            Token { last_used: used, ..kept.token.clone() }
        };
        Ok(book.tokens.iter().map(token).collect())
    }

    /// The user with an id.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn user(&self, id: UserId) -> Result<User, Refusal> {
        self.book()?.user(id).cloned().ok_or(Refusal::NoSuchUser)
    }

    pub(super) fn is_trusting(&self) -> bool {
        self.0.loopback == Loopback::Trusted
    }

    /// Whether somebody has to claim the box before anybody can sign in.
    pub(super) fn is_nobodys(&self) -> bool {
        self.standing().claim_code.is_some()
    }

    /// Who has a cookie, and what they showed. Nobody, if it is not, or no longer, one of ours.
    pub(super) fn by_cookie(&self, cookie: &str, now: WallTime) -> Option<(Who, Pass)> {
        let digest = secret::digest(cookie);
        let mut standing = self.standing();
        let of = standing.sessions.of(&digest, now)?;
        let who = who_of(standing.book.as_ref().ok()?, of, now)?;
        standing.is_newer = true;
        Some((who, Pass::Session(digest)))
    }

    /// Who has a token.
    pub(super) fn by_token(&self, token: &str, now: WallTime) -> Option<(Who, Pass)> {
        let digest = secret::digest(token.strip_prefix(secret::TOKEN_PREFIX).map(|_| token)?);
        let mut standing = self.standing();
        let book = Arc::clone(standing.book.as_ref().ok()?);
        let kept = book.tokens.iter().find(|kept| secret::same(&kept.digest, &digest))?;
        let token = Some(&kept.token).filter(|token| token.is_open(now))?;
        standing.used.insert(token.id, now);
        standing.is_newer = true;
        Some((who_has(token), Pass::Token(token.id)))
    }

    /// Who still has what was shown when a stream began.
    pub(super) fn still(&self, pass: &Pass, now: WallTime) -> Option<Who> {
        let standing = self.standing();
        let book = standing.book.as_ref().ok()?;
        match pass {
            Pass::Session(digest) => who_of(book, standing.sessions.still(digest, now)?, now),
            Pass::Token(id) => book.token(*id).filter(|token| token.is_open(now)).map(who_has),
        }
    }

    /// Tells of every change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn book(&self) -> Result<Arc<Book>, Refusal> {
        self.standing().book.as_ref().map(Arc::clone).map_err(|_| Refusal::Damaged)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose session it is, if they may still be signed in.
fn who_of(book: &Book, of: Of, now: WallTime) -> Option<Who> {
    match of {
        Of::User(id) => {
            let user = book.user(id).filter(|user| user.is_open(now))?;
            Some(Who { user_id: Some(user.id.to_string()), name: user.name.clone(), role: user.role })
        }
        Of::Wall(id) => book.token(id).filter(|token| token.is_open(now)).map(who_has),
    }
}

fn who_has(token: &Token) -> Who {
    Who { user_id: None, name: format!("token {}", token.name), role: token.role }
}
