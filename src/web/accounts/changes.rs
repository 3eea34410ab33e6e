//! Changes of users and tokens: on the disk first, then for everybody.

use super::{
    ACCOUNTS, Accounts, CLAIM_CODE, Draft, Refusal, Token, User,
    book::Book,
    password::{self, Sealed},
    secret,
    sessions::Of,
    who_of,
};
use crate::{
    access::Role,
    id::{TokenId, UserId},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};

/// Something new, and the secret that is shown this once.
#[derive(Clone, Serialize)]
pub struct Made<T> {
    /// What was made.
    #[serde(flatten)]
    pub made: T,
    /// The token, or the password that was made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What is said of a token that is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What whoever has it may do.
    pub role: Role,
    /// When it ends.
    #[serde(default)]
    pub until: Option<WallTime>,
}

impl Accounts {
    /// Adds a user, with a made-up password if none is given. Waits for the disk and for the password.
    pub(in crate::web) fn add(
        &self,
        draft: Draft,
        password: Option<&str>,
        now: WallTime,
    ) -> Result<Made<User>, Refusal> {
        let user = User::of(UserId::from_parts(now, random_id()?), draft, now);
        let (password, secret) = chosen_or_made_up(password, &user.login)?;
        let sealed = self.sealed(&password)?;
        let made = self.change(now, |book| book.add(user, sealed, now))?;
        Ok(Made { made, secret })
    }

    /// Makes the first administrator.
    pub(in crate::web) fn claim(&self, draft: Draft, password: &str, now: WallTime) -> Result<User, Refusal> {
        password::judge(password, &draft.login)?;
        let user = User::of(
            UserId::from_parts(now, random_id()?),
            Draft { role: Role::Administrator, ..draft },
            now,
        );
        let sealed = self.sealed(password)?;
        self.change(now, |book| match book.has_administrator() {
            true => Err(Refusal::Claimed),
            false => book.add(user, sealed, now),
        })
    }

    /// Changes what is said of a user.
    pub(in crate::web) fn edit(&self, id: UserId, draft: Draft, now: WallTime) -> Result<User, Refusal> {
        self.change(now, |book| book.change(id, draft, now))
    }

    /// Closes an account or opens it again.
    pub(in crate::web) fn set_disabled(
        &self,
        id: UserId,
        disabled: bool,
        now: WallTime,
    ) -> Result<User, Refusal> {
        self.change(now, |book| book.set_disabled(id, disabled, now))
    }

    /// Gives a user a new password and signs them out everywhere but in `but`; a made-up one if none is given.
    pub(in crate::web) fn set_password(
        &self,
        id: UserId,
        password: Option<&str>,
        but: Option<&[u8; 32]>,
        now: WallTime,
    ) -> Result<Made<User>, Refusal> {
        let login = self.user(id)?.login;
        let (password, secret) = chosen_or_made_up(password, &login)?;
        let sealed = self.sealed(&password)?;
        self.standing().sessions.end_of(Of::User(id), but);
        let made = self.change(now, |book| book.set_password(id, sealed))?;
        Ok(Made { made, secret })
    }

    /// Makes a token, which is told this once.
    pub(in crate::web) fn add_token(
        &self,
        new: NewToken,
        by: &str,
        now: WallTime,
    ) -> Result<Made<Token>, Refusal> {
        let secret = secret::token().map_err(not_written)?;
        let token = Token {
            id: TokenId::from_parts(now, random_id()?),
            name: new.name.trim().to_owned(),
            role: new.role,
            until: new.until,
            by: by.to_owned(),
            since: now,
            last_used: None,
        };
        let made = self.change(now, |book| book.add_token(token, secret::digest(&secret)))?;
        Ok(Made { made, secret: Some(secret) })
    }

    /// Takes a token out of the world.
    pub(in crate::web) fn revoke(&self, id: TokenId, now: WallTime) -> Result<Token, Refusal> {
        self.change(now, |book| book.revoke(id))
    }

    /// Puts all accounts aside: the box is nobody's again and has a new claim code. Gives the code.
    pub(in crate::web) fn start_over(&self) -> Result<String, Refusal> {
        let files = self.0.files.as_ref().ok_or(Refusal::Unavailable)?;
        {
            let _turn = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
            files.put_aside(ACCOUNTS, Some("accounts.json.before-start-over")).map_err(not_written)?;
            files.put_aside(CLAIM_CODE, None).map_err(not_written)?;
            let mut standing = self.standing();
            standing.book = Ok(Arc::new(Book::empty()));
            standing.sessions.keep(WallTime(0), |_| false);
        }
        self.0.changed.send_modify(|count| *count += 1);
        self.see_to_claim_code();
        self.claim_code().ok_or_else(|| Refusal::NotWritten("no claim code".to_owned()))
    }

    /// Makes a claim code for a box that is nobody's, and forgets it once the box is somebody's.
    pub(super) fn see_to_claim_code(&self) {
        let Some(files) = &self.0.files else { return };
        let is_nobodys = self.book().is_ok_and(|book| !book.has_administrator());
        if !is_nobodys {
            if self.standing().claim_code.take().is_some()
                && let Err(error) = files.put_aside(CLAIM_CODE, None)
            {
                tracing::warn!(%error, "the claim code is used up, but still on the disk");
            }
            return;
        }
        let kept = files.read(CLAIM_CODE).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        let kept = kept.map(|code| code.trim().to_owned()).filter(|code| secret::as_typed(code).len() == 8);
        let code = kept.map_or_else(
            || {
                let code = secret::claim_code()?;
                // Without a disk it holds until the next start.
                if let Err(error) = files.write(CLAIM_CODE, format!("{code}\n").as_bytes()) {
                    tracing::warn!(%error, "the claim code is not on the disk");
                }
                Ok(code)
            },
            Ok,
        );
        match code {
            Ok(code) => self.standing().claim_code = Some(code),
            Err(error) => {
                let error: std::io::Error = error;
                tracing::error!(%error, "there is no claim code, and nobody can claim this box");
            }
        }
    }

    /// Writes what is newer than the file: sessions, uses of tokens. Called now and then.
    pub(in crate::web) fn tend(&self, now: WallTime) {
        if !self.standing().is_newer {
            return;
        }
        if let Err(error) = self.change(now, |_| Ok(())) {
            tracing::warn!(%error, "who is signed in is not on the disk");
        }
    }

    /// Changes the book, writes it, and lets everybody see it.
    pub(super) fn change<T>(
        &self,
        now: WallTime,
        change: impl FnOnce(&mut Book) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let files = self.0.files.as_ref().ok_or(Refusal::Unavailable)?;
        let done = {
            let _turn = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut book = Book::clone(&*self.book()?);
            let done = change(&mut book)?;
            {
                let mut standing = self.standing();
                standing.sessions.keep(now, |of| who_of(&book, of, now).is_some());
                book.sessions = standing.sessions.to_book();
                for kept in &mut book.tokens {
                    let used = standing.used.get(&kept.token.id).copied();
                    kept.token.last_used = used.max(kept.token.last_used);
                }
                standing.is_newer = false;
            }
            let bytes = serde_json::to_vec(&book).map_err(not_written)?;
            files.write(ACCOUNTS, &bytes).map_err(not_written)?;
            self.standing().book = Ok(Arc::new(book));
            done
        };
        self.0.changed.send_modify(|count| *count += 1);
        self.see_to_claim_code();
        Ok(done)
    }

    /// Seals a password while no other is being sealed or tried.
    fn sealed(&self, password: &str) -> Result<Sealed, Refusal> {
        let _turn = self.turn()?;
        Sealed::new(password).map_err(not_written)
    }
}

fn random_id() -> Result<u128, Refusal> {
    secret::random::<16>().map(u128::from_le_bytes).map_err(not_written)
}

fn not_written(error: impl std::fmt::Display) -> Refusal {
    Refusal::NotWritten(error.to_string())
}

fn chosen_or_made_up(password: Option<&str>, login: &str) -> Result<(String, Option<String>), Refusal> {
    match password {
        Some(password) => {
            password::judge(password, login)?;
            Ok((password.to_owned(), None))
        }
        None => {
            let made_up = secret::password().map_err(not_written)?;
            Ok((made_up.clone(), Some(made_up)))
        }
    }
}
