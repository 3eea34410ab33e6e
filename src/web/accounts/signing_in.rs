//! Signing in and out: with login and password, with the claim code, as a wall display.

use super::{
    Accounts, Draft, Pass, Refusal, User,
    limits::{Key, TooOften},
    password::Sealed,
    secret,
    sessions::{LIFE_MS, Of},
};
use crate::{access::Role, id::UserId, time::WallTime};
use std::{
    net::IpAddr,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::SemaphorePermit;

/// When it is worth trying again if too many wait for their turn.
const BUSY: Duration = Duration::from_secs(2);

/// A session that begins: its secret goes into the cookie.
pub(in crate::web) struct Begun {
    pub(in crate::web) user: User,
    pub(in crate::web) cookie: String,
}

/// How long a cookie is kept, in seconds.
pub(in crate::web) const COOKIE_S: u64 = LIFE_MS / 1000;

/// Somebody was not let in.
pub(in crate::web) struct NotIn {
    pub(in crate::web) why: Refusal,
    /// What the audit is to say: tries ran out just now, on this known user's account or on none that is known.
    pub(in crate::web) burst: Option<Option<UserId>>,
}

impl From<Refusal> for NotIn {
    fn from(why: Refusal) -> Self {
        Self { why, burst: None }
    }
}

impl Accounts {
    /// Signs somebody in who comes from `address`; `None` is this machine's own socket. Waits for the password's turn
    /// and for the disk. Takes as long for a login that nobody has.
    pub(in crate::web) fn sign_in(
        &self,
        address: Option<IpAddr>,
        login: &str,
        password: &str,
        now: WallTime,
    ) -> Result<Begun, NotIn> {
        let typed = login.trim().to_ascii_lowercase();
        let keys = [address.map(Key::of), Some(Key::Login(secret::digest(&typed)))];
        let book = self.book()?;
        let entry = book.by_login(&typed);
        self.take(keys).map_err(|TooOften { after, first }| NotIn {
            why: Refusal::TooOften(after),
            burst: first.then(|| entry.map(|entry| entry.user.id)),
        })?;
        let nobody = Sealed::nobodys();
        let sealed = entry.map_or(&nobody, |entry| &entry.password);
        let is_right = {
            let _turn = self.turn()?;
            sealed.opens(password)
        };
        let user = entry.map(|entry| &entry.user).filter(|user| is_right && user.is_open(now));
        let user = user.ok_or(Refusal::NotSignedIn)?.clone();
        keys.into_iter().flatten().for_each(|key| self.limits().give_back(key));
        let cookie = self.begin(Of::User(user.id), now)?;
        Ok(Begun { user, cookie })
    }

    /// Makes whoever knows the claim code the first administrator, and signs them in.
    pub(in crate::web) fn sign_in_with_claim(
        &self,
        address: Option<IpAddr>,
        code: &str,
        draft: Draft,
        password: &str,
        now: WallTime,
    ) -> Result<Begun, NotIn> {
        self.book()?;
        let right = self.claim_code().ok_or(Refusal::Claimed)?;
        let keys = [address.map(Key::of), Some(Key::ClaimCode)];
        self.take(keys).map_err(|TooOften { after, first }| NotIn {
            why: Refusal::TooOften(after),
            burst: first.then_some(None),
        })?;
        if !secret::same(secret::as_typed(&right).as_bytes(), secret::as_typed(code).as_bytes()) {
            return Err(Refusal::ClaimCode.into());
        }
        keys.into_iter().flatten().for_each(|key| self.limits().give_back(key));
        let user = self.claim(draft, password, now)?;
        let cookie = self.begin(Of::User(user.id), now)?;
        Ok(Begun { user, cookie })
    }

    /// Begins the session of a wall display with its token; the cookie, or `None` if the token is not one's.
    pub(in crate::web) fn hang_up(&self, token: &str, now: WallTime) -> Option<String> {
        let (who, pass) = self.by_token(token, now)?;
        match (who.role, pass) {
            (Role::WallDisplay, Pass::Token(id)) => self.begin(Of::Wall(id), now).ok(),
            _ => None,
        }
    }

    /// Whether it is a user's present password.
    pub(in crate::web) fn is_password(&self, id: UserId, password: &str) -> Result<(), Refusal> {
        let book = self.book()?;
        let entry = book.users.iter().find(|entry| entry.user.id == id).ok_or(Refusal::NoSuchUser)?;
        let key = Key::Login(secret::digest(&entry.user.login));
        self.take([Some(key), None]).map_err(|too_often| Refusal::TooOften(too_often.after))?;
        let is_right = {
            let _turn = self.turn()?;
            entry.password.opens(password)
        };
        if !is_right {
            return Err(Refusal::PresentPassword);
        }
        self.limits().give_back(key);
        Ok(())
    }

    /// Ends the session of a cookie.
    pub(in crate::web) fn sign_out(&self, cookie: &str, now: WallTime) {
        self.standing().sessions.end(&secret::digest(cookie));
        self.after_signing_out(now);
    }

    /// Ends every session of a user; gives their number.
    pub(in crate::web) fn sign_out_everywhere(&self, id: UserId, now: WallTime) -> usize {
        let ended = self.standing().sessions.end_of(Of::User(id), None);
        self.after_signing_out(now);
        ended
    }

    /// In how many browsers a user is signed in.
    pub(in crate::web) fn signed_in(&self, id: UserId, now: WallTime) -> usize {
        self.standing().sessions.count_of(Of::User(id), now)
    }

    /// A turn for a password; at most a few wait for it.
    pub(super) fn turn(&self) -> Result<(SemaphorePermit<'_>, MutexGuard<'_, ()>), Refusal> {
        let waiting = self.0.waiting.try_acquire().map_err(|_| Refusal::TooOften(BUSY))?;
        Ok((waiting, self.0.hashing.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn begin(&self, of: Of, now: WallTime) -> Result<String, Refusal> {
        let secret = secret::session().map_err(|error| Refusal::NotWritten(error.to_string()))?;
        let mut standing = self.standing();
        standing.sessions.begin(&secret, of, now);
        standing.is_newer = true;
        Ok(secret)
    }

    /// On the disk at once: a restart must not sign anybody in again.
    fn after_signing_out(&self, now: WallTime) {
        self.standing().is_newer = true;
        self.0.changed.send_modify(|count| *count += 1);
        self.tend(now);
    }

    /// Takes a try of each.
    fn take(&self, keys: [Option<Key>; 2]) -> Result<(), TooOften> {
        let now_ms = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut limits = self.limits();
        keys.into_iter().flatten().try_for_each(|key| limits.take(key, now_ms))
    }

    fn limits(&self) -> MutexGuard<'_, super::Limits> {
        self.0.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
