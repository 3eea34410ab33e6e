//! Why something about users and tokens was not done, in words that name the remedy.

use axum::http::StatusCode;
use std::time::Duration;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file of the accounts is damaged.
    #[error("the accounts on the disk cannot be read: on the box, run `ringside users start-over`")]
    Damaged,
    /// This box keeps no accounts.
    #[error("this box keeps no accounts")]
    Unavailable,
    /// The disk did not take it.
    #[error("the disk did not take it ({0}): nothing is changed; run `ringside doctor`")]
    NotWritten(String),
    /// Login and password do not fit, or the account is closed: nobody is told which.
    #[error("login and password do not fit, or the account is closed")]
    NotSignedIn,
    /// The present password was to be given.
    #[error("that is not your present password")]
    PresentPassword,
    /// The claim code is another.
    #[error("that is not the claim code: `ringside status` on the box shows it")]
    ClaimCode,
    /// There is an administrator.
    #[error("this box has an administrator: sign in instead")]
    Claimed,
    /// Too many tries.
    #[error("too many tries: wait {} s and try again", .0.as_secs().max(1))]
    TooOften(Duration),
    /// No name.
    #[error("a name has 1 to 60 characters")]
    Name,
    /// Not a login.
    #[error("a login has 2 to 40 of: small letters, digits, and . _ - @")]
    Login,
    /// Somebody has it.
    #[error("{0} has this login: choose another")]
    LoginTaken(String),
    /// Not a good password.
    #[error("{0}")]
    Password(&'static str),
    /// Not a port.
    #[error("{0} is not the name of a port: ports are named like PHONE1")]
    Port(String),
    /// Somebody has it.
    #[error("{port} is {name}’s: take it away there first")]
    PortTaken {
        /// The port.
        port: String,
        /// Whose it is.
        name: String,
    },
    /// A role that nobody signs in with.
    #[error("a wall display does not sign in: make a token for it")]
    Role,
    /// An installer without an end.
    #[error("an installer’s account ends within 90 days: say when")]
    Until,
    /// The only one.
    #[error("{0} is the only administrator: make somebody else administrator first")]
    LastAdministrator(String),
    /// Not known.
    #[error("there is no such user: `ringside users list` shows them")]
    NoSuchUser,
    /// Not known.
    #[error("there is no such token: `ringside token list` shows them")]
    NoSuchToken,
    /// No more.
    #[error("there are {0} already: remove one first")]
    Full(usize),
}

impl Refusal {
    /// HTTP status and stable name.
    #[must_use]
    pub const fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Damaged => (StatusCode::SERVICE_UNAVAILABLE, "accounts_damaged"),
            Self::Unavailable => (StatusCode::NOT_IMPLEMENTED, "not_available"),
            Self::NotWritten(_) => (StatusCode::INSUFFICIENT_STORAGE, "not_written"),
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "not_signed_in"),
            Self::PresentPassword => (StatusCode::UNPROCESSABLE_ENTITY, "present_password"),
            Self::ClaimCode => (StatusCode::UNAUTHORIZED, "claim_code"),
            Self::Claimed => (StatusCode::CONFLICT, "claimed"),
            Self::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "too_often"),
            Self::Name => (StatusCode::UNPROCESSABLE_ENTITY, "name"),
            Self::Login => (StatusCode::UNPROCESSABLE_ENTITY, "login"),
            Self::LoginTaken(_) => (StatusCode::CONFLICT, "login_taken"),
            Self::Password(_) => (StatusCode::UNPROCESSABLE_ENTITY, "password"),
            Self::Port(_) => (StatusCode::UNPROCESSABLE_ENTITY, "port"),
            Self::PortTaken { .. } => (StatusCode::CONFLICT, "port_taken"),
            Self::Role => (StatusCode::UNPROCESSABLE_ENTITY, "role"),
            Self::Until => (StatusCode::UNPROCESSABLE_ENTITY, "until"),
            Self::LastAdministrator(_) => (StatusCode::CONFLICT, "last_administrator"),
            Self::NoSuchUser => (StatusCode::NOT_FOUND, "no_such_user"),
            Self::NoSuchToken => (StatusCode::NOT_FOUND, "no_such_token"),
            Self::Full(_) => (StatusCode::CONFLICT, "full"),
        }
    }
}
