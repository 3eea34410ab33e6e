//! Who is signed in.

use super::secret;
use crate::{
    id::{TokenId, UserId},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A day's work: who does not look for so long is signed out.
const IDLE_MS: u64 = 12 * 3_600_000;
/// Who is signed in for so long signs in again.
pub(super) const LIFE_MS: u64 = 7 * 86_400_000;
/// A wall display has nobody who could sign in again: it stays as long as its token.
const WALL_IDLE_MS: u64 = 30 * 86_400_000;
/// Sessions of one user: the oldest gives way.
const MOST_OF_ONE: usize = 20;
/// Sessions of everybody.
const MOST: usize = 1_000;

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Of {
    /// Somebody's.
    User(UserId),
    /// A wall display's, by its token.
    Wall(TokenId),
}

/// One browser that is signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    /// What its cookie is known by.
    #[serde(with = "crate::hex")]
    pub(super) digest: [u8; 32],
    pub(super) of: Of,
    pub(super) since: WallTime,
    /// When it last asked for something.
    pub(super) seen: WallTime,
}

impl Session {
    fn is_open(&self, now: WallTime) -> bool {
        let ms_since = |at: WallTime| now.0.saturating_sub(at.0);
        match self.of {
            Of::User(_) => ms_since(self.seen) < IDLE_MS && ms_since(self.since) < LIFE_MS,
            Of::Wall(_) => ms_since(self.seen) < WALL_IDLE_MS,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<[u8; 32], Session>);

impl Sessions {
    pub(super) fn from_book(sessions: &[Session]) -> Self {
        Self(sessions.iter().map(|session| (session.digest, session.clone())).collect())
    }

    /// Begins one under a fresh secret, which only the browser is told.
    pub(super) fn begin(&mut self, secret: &str, of: Of, now: WallTime) {
        self.end_oldest(now, of);
        let digest = secret::digest(secret);
        self.0.insert(digest, Session { digest, of, since: now, seen: now });
    }

    /// Whose session a digest is the key of. `asks`: somebody does something, so it is not idle.
    pub(super) fn of(&mut self, digest: &[u8; 32], now: WallTime) -> Option<Of> {
        let session = self.0.get_mut(digest)?;
        if !session.is_open(now) {
            self.0.remove(digest);
            return None;
        }
        session.seen = session.seen.max(now);
        Some(session.of)
    }

    /// As [`Sessions::of`], for an open stream, which is nobody's doing.
    pub(super) fn still(&self, digest: &[u8; 32], now: WallTime) -> Option<Of> {
        self.0.get(digest).filter(|session| session.is_open(now)).map(|session| session.of)
    }

    pub(super) fn end(&mut self, digest: &[u8; 32]) {
        self.0.remove(digest);
    }

    /// Ends those of one; gives their number.
    pub(super) fn end_of(&mut self, of: Of, but: Option<&[u8; 32]>) -> usize {
        let before = self.0.len();
        self.0.retain(|digest, session| session.of != of || but == Some(digest));
        before - self.0.len()
    }

    /// Keeps only those of whom `stays` says so.
    pub(super) fn keep(&mut self, now: WallTime, stays: impl Fn(Of) -> bool) {
        self.0.retain(|_, session| session.is_open(now) && stays(session.of));
    }

    pub(super) fn count_of(&self, of: Of, now: WallTime) -> usize {
        self.0.values().filter(|session| session.of == of && session.is_open(now)).count()
    }

    pub(super) fn to_book(&self) -> Vec<Session> {
        self.0.values().cloned().collect()
    }

    fn end_oldest(&mut self, now: WallTime, of: Of) {
        self.0.retain(|_, session| session.is_open(now));
        let oldest = |sessions: &BTreeMap<[u8; 32], Session>, is_meant: &dyn Fn(&Session) -> bool| {
            let meant = sessions.values().filter(|session| is_meant(session));
            meant.min_by_key(|session| session.seen).map(|session| session.digest)
        };
        let mine = |session: &Session| session.of == of;
        while self.0.values().filter(|session| mine(session)).count() >= MOST_OF_ONE {
            let Some(digest) = oldest(&self.0, &mine) else { break };
            self.0.remove(&digest);
        }
        while self.0.len() >= MOST {
            let Some(digest) = oldest(&self.0, &|_| true) else { break };
            self.0.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_352_709_000);
    const HOUR_MS: u64 = 3_600_000;

    fn later(hours: u64) -> WallTime {
        WallTime(NOW.0 + hours * HOUR_MS)
    }

    fn dana() -> Of {
        Of::User(UserId::from_parts(NOW, 1))
    }

    #[test]
    fn a_session_ends_when_nobody_looks_and_after_a_week() {
        let mut sessions = Sessions::default();
        let key = secret::digest("one");
        sessions.begin("one", dana(), NOW);
        assert_eq!(sessions.of(&key, later(11)), Some(dana()));
        assert_eq!(sessions.of(&key, later(22)), Some(dana()), "it was used in between");
        assert_eq!(sessions.still(&key, later(33)), Some(dana()));
        assert_eq!(sessions.still(&key, later(35)), None, "an open stream is no use");
        assert_eq!(sessions.of(&key, later(35)), None);

        sessions.begin("two", dana(), NOW);
        for hours in (0..168).step_by(8) {
            assert!(sessions.of(&secret::digest("two"), later(hours)).is_some(), "{hours}");
        }
        assert_eq!(sessions.of(&secret::digest("two"), later(168)), None);
    }

    #[test]
    fn one_person_has_so_many_and_the_oldest_gives_way() {
        let mut sessions = Sessions::default();
        for n in 0..30_u64 {
            sessions.begin(&n.to_string(), dana(), WallTime(NOW.0 + n));
        }
        assert_eq!(sessions.count_of(dana(), NOW), MOST_OF_ONE);
        assert!(sessions.of(&secret::digest("29"), NOW).is_some());
        assert!(sessions.of(&secret::digest("0"), NOW).is_none());
        assert_eq!(sessions.end_of(dana(), Some(&secret::digest("29"))), MOST_OF_ONE - 1);
    }

    #[test]
    fn sessions_survive_a_restart_without_their_secrets() {
        let mut sessions = Sessions::default();
        sessions.begin("secret", dana(), NOW);
        let text = serde_json::to_string(&sessions.to_book()).unwrap();
        assert!(!text.contains("secret"));
        let mut again = Sessions::from_book(&serde_json::from_str::<Vec<Session>>(&text).unwrap());
        assert_eq!(again.of(&secret::digest("secret"), NOW), Some(dana()));
    }
}
