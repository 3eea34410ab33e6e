//! The accounts as they are kept, and the rules for changing them. Nothing here touches a disk.

use super::{password::Sealed, refusal::Refusal, sessions::Session};
use crate::{
    access::Role,
    id::{TokenId, UserId},
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// Version of the file.
const VERSION: u32 = 1;
/// An office of a hundred is not what this box is for.
const MOST_USERS: usize = 200;
const MOST_TOKENS: usize = 100;
/// How long an installer's account may last.
const INSTALLER_MS: u64 = 90 * 86_400_000;
const MOST_NAME_CHARS: usize = 60;

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `usr_…`
    pub id: UserId,
    /// As the office calls them.
    pub name: String,
    /// What they type, in small letters.
    pub login: String,
    /// What they are.
    pub role: Role,
    /// Names of the ports whose handset is theirs.
    #[serde(default)]
    pub ports: Vec<String>,
    /// When the account ends; always for an installer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    /// Whether it is closed.
    #[serde(default)]
    pub disabled: bool,
    /// Since when there is one.
    pub since: WallTime,
}

impl User {
    /// Whether they may be signed in at `now`.
    #[must_use]
    pub fn is_open(&self, now: WallTime) -> bool {
        !self.disabled && self.until.is_none_or(|until| now < until)
    }
}

/// What is said of a user who is made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Name.
    pub name: String,
    /// Login, in any case.
    pub login: String,
    /// Role.
    pub role: Role,
    /// Names of ports.
    #[serde(default)]
    pub ports: Vec<String>,
    /// When the account ends.
    #[serde(default)]
    pub until: Option<WallTime>,
}

/// A program's or a wall display's way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// `tok_…`, which is no secret.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What whoever has it may do.
    pub role: Role,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    /// Who made it.
    pub by: String,
    /// When it was made.
    pub since: WallTime,
    /// When it last opened something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<WallTime>,
}

impl Token {
    /// Whether it still opens anything.
    #[must_use]
    pub fn is_open(&self, now: WallTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A user and their password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) user: User,
    pub(super) password: Sealed,
}

/// A token and what it is known by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) token: Token,
    #[serde(with = "crate::hex")]
    pub(super) digest: [u8; 32],
}

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Book {
    version: u32,
    pub(super) users: Vec<Entry>,
    #[serde(default)]
    pub(super) tokens: Vec<Kept>,
    /// Those who were signed in when it was written.
    #[serde(default)]
    pub(super) sessions: Vec<Session>,
}

impl Book {
    pub(super) const fn empty() -> Self {
        Self { version: VERSION, users: Vec::new(), tokens: Vec::new(), sessions: Vec::new() }
    }

    /// Reads a book; what is not one opens nothing.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let book: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if book.version == VERSION { Ok(book) } else { Err(format!("version {} is not known", book.version)) }
    }

    /// Whether there is somebody who can do everything.
    pub(super) fn has_administrator(&self) -> bool {
        self.users.iter().any(|entry| is_lasting_administrator(&entry.user))
    }

    pub(super) fn user(&self, id: UserId) -> Option<&User> {
        self.users.iter().map(|entry| &entry.user).find(|user| user.id == id)
    }

    pub(super) fn by_login(&self, login: &str) -> Option<&Entry> {
        let login = login.trim().to_ascii_lowercase();
        self.users.iter().find(|entry| entry.user.login == login)
    }

    pub(super) fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.iter().map(|kept| &kept.token).find(|token| token.id == id)
    }

    /// Adds a user.
    pub(super) fn add(&mut self, user: User, password: Sealed, now: WallTime) -> Result<User, Refusal> {
        if self.users.len() >= MOST_USERS {
            return Err(Refusal::Full(MOST_USERS));
        }
        self.judge(&user, now)?;
        self.users.push(Entry { user: user.clone(), password });
        Ok(user)
    }

    /// Changes what is said of a user.
    pub(super) fn change(&mut self, id: UserId, draft: Draft, now: WallTime) -> Result<User, Refusal> {
        let before = self.user(id).ok_or(Refusal::NoSuchUser)?.clone();
        let after = User { disabled: before.disabled, since: before.since, ..User::of(id, draft, now) };
        self.judge(&after, now)?;
        self.replace(after)
    }

    /// Closes a user's account, or opens it again.
    pub(super) fn set_disabled(
        &mut self,
        id: UserId,
        disabled: bool,
        now: WallTime,
    ) -> Result<User, Refusal> {
        let before = self.user(id).ok_or(Refusal::NoSuchUser)?.clone();
        let after = User { disabled, ..before };
        if !disabled {
            // Somebody may have got the handset meanwhile.
            self.judge_ports(&after, now)?;
        }
        self.replace(after)
    }

    pub(super) fn set_password(&mut self, id: UserId, password: Sealed) -> Result<User, Refusal> {
        let entry = self.users.iter_mut().find(|entry| entry.user.id == id).ok_or(Refusal::NoSuchUser)?;
        entry.password = password;
        Ok(entry.user.clone())
    }

    pub(super) fn add_token(&mut self, token: Token, digest: [u8; 32]) -> Result<Token, Refusal> {
        if self.tokens.len() >= MOST_TOKENS {
            return Err(Refusal::Full(MOST_TOKENS));
        }
        judge_name(&token.name)?;
        self.tokens.push(Kept { token: token.clone(), digest });
        Ok(token)
    }

    pub(super) fn revoke(&mut self, id: TokenId) -> Result<Token, Refusal> {
        let at = self.tokens.iter().position(|kept| kept.token.id == id).ok_or(Refusal::NoSuchToken)?;
        Ok(self.tokens.remove(at).token)
    }

    fn replace(&mut self, after: User) -> Result<User, Refusal> {
        let others = self.users.iter().map(|entry| &entry.user).filter(|user| user.id != after.id);
        let stays = others.chain([&after]).any(is_lasting_administrator);
        let entry =
            self.users.iter_mut().find(|entry| entry.user.id == after.id).ok_or(Refusal::NoSuchUser)?;
        if !stays && is_lasting_administrator(&entry.user) {
            return Err(Refusal::LastAdministrator(entry.user.name.clone()));
        }
        entry.user = after.clone();
        Ok(after)
    }

    fn judge(&self, user: &User, now: WallTime) -> Result<(), Refusal> {
        judge_name(&user.name)?;
        let is_login = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
        if !(2..=40).contains(&user.login.len()) || !user.login.chars().all(is_login) {
            return Err(Refusal::Login);
        }
        if let Some(other) = self.by_login(&user.login).filter(|entry| entry.user.id != user.id) {
            return Err(Refusal::LoginTaken(other.user.name.clone()));
        }
        let in_time = |until: WallTime| until > now && until.0 - now.0 <= INSTALLER_MS;
        match user.role {
            Role::WallDisplay => return Err(Refusal::Role),
            Role::Installer if !user.until.is_some_and(in_time) => return Err(Refusal::Until),
            Role::Installer | Role::Csr | Role::Office | Role::Administrator => {}
        }
        self.judge_ports(user, now)
    }

    fn judge_ports(&self, user: &User, now: WallTime) -> Result<(), Refusal> {
        for port in &user.ports {
            if port.is_empty()
                || port.len() > 32
                || !port.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            {
                return Err(Refusal::Port(port.chars().take(32).collect()));
            }
            let others = self.users.iter().map(|entry| &entry.user).filter(|other| other.id != user.id);
            if let Some(other) =
                others.filter(|other| other.is_open(now)).find(|other| other.ports.contains(port))
            {
                return Err(Refusal::PortTaken { port: port.clone(), name: other.name.clone() });
            }
        }
        Ok(())
    }
}

impl User {
    /// The user that a draft describes.
    pub(super) fn of(id: UserId, draft: Draft, now: WallTime) -> Self {
        let mut ports: Vec<String> = draft.ports.iter().map(|port| port.trim().to_owned()).collect();
        ports.retain(|port| !port.is_empty());
        ports.sort();
        ports.dedup();
        Self {
            id,
            name: draft.name.trim().to_owned(),
            login: draft.login.trim().to_ascii_lowercase(),
            role: draft.role,
            ports,
            until: draft.until,
            disabled: false,
            since: now,
        }
    }
}

/// Somebody who can let others in again, today and next year.
fn is_lasting_administrator(user: &User) -> bool {
    user.role == Role::Administrator && !user.disabled && user.until.is_none()
}

fn judge_name(name: &str) -> Result<(), Refusal> {
    let chars = name.chars().count();
    let fits = (1..=MOST_NAME_CHARS).contains(&chars) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::Name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_352_709_000);

    fn draft(login: &str, role: Role) -> Draft {
        Draft { name: login.to_uppercase(), login: login.to_owned(), role, ports: Vec::new(), until: None }
    }

    fn add(book: &mut Book, draft: Draft) -> Result<UserId, Refusal> {
        let id = UserId::from_parts(NOW, book.users.len() as u128);
        book.add(User::of(id, draft, NOW), Sealed::nobodys(), NOW).map(|user| user.id)
    }

    #[test]
    fn the_last_administrator_stays_one() {
        let mut book = Book::empty();
        let dana = add(&mut book, draft("dana", Role::Administrator)).unwrap();
        add(&mut book, draft("lee", Role::Csr)).unwrap();
        let refused = Err(Refusal::LastAdministrator("DANA".to_owned()));
        assert_eq!(book.set_disabled(dana, true, NOW), refused);
        assert_eq!(book.change(dana, draft("dana", Role::Office), NOW), refused);
        let timed = Draft { until: Some(WallTime(NOW.0 + 1)), ..draft("dana", Role::Administrator) };
        assert_eq!(book.change(dana, timed, NOW), refused, "who is gone next week is no last one");
        add(&mut book, draft("kim", Role::Administrator)).unwrap();
        assert!(book.set_disabled(dana, true, NOW).is_ok());
        assert!(book.has_administrator());
    }

    #[test]
    fn a_handset_is_one_persons() {
        let mut book = Book::empty();
        let with = |login, port: &str| Draft { ports: vec![port.to_owned()], ..draft(login, Role::Csr) };
        let dana = add(&mut book, with("dana", "PHONE1")).unwrap();
        let taken = Refusal::PortTaken { port: "PHONE1".to_owned(), name: "DANA".to_owned() };
        assert_eq!(add(&mut book, with("lee", "PHONE1")), Err(taken.clone()));
        book.set_disabled(dana, true, NOW).unwrap();
        assert!(add(&mut book, with("lee", "PHONE1")).is_ok());
        assert!(matches!(book.set_disabled(dana, false, NOW), Err(Refusal::PortTaken { .. })));
        assert_eq!(add(&mut book, with("kim", "PHONE 1")), Err(Refusal::Port("PHONE 1".to_owned())));
    }

    #[test]
    fn logins_names_and_roles_are_judged() {
        let mut book = Book::empty();
        add(&mut book, draft("dana", Role::Csr)).unwrap();
        assert_eq!(add(&mut book, draft(" Dana ", Role::Csr)), Err(Refusal::LoginTaken("DANA".to_owned())));
        assert_eq!(add(&mut book, draft("d", Role::Csr)), Err(Refusal::Login));
        assert_eq!(add(&mut book, draft("da na", Role::Csr)), Err(Refusal::Login));
        assert_eq!(add(&mut book, draft("wall", Role::WallDisplay)), Err(Refusal::Role));
        assert_eq!(
            add(&mut book, Draft { name: " ".to_owned(), ..draft("kim", Role::Csr) }),
            Err(Refusal::Name)
        );
        for until in [None, Some(WallTime(NOW.0 - 1)), Some(WallTime(NOW.0 + INSTALLER_MS + 1))] {
            let installer = Draft { until, ..draft("ines", Role::Installer) };
            assert_eq!(add(&mut book, installer), Err(Refusal::Until), "{until:?}");
        }
        let installer =
            Draft { until: Some(WallTime(NOW.0 + INSTALLER_MS)), ..draft("ines", Role::Installer) };
        let ines = add(&mut book, installer).unwrap();
        assert!(book.user(ines).unwrap().is_open(NOW));
        assert!(!book.user(ines).unwrap().is_open(WallTime(NOW.0 + INSTALLER_MS)));
    }

    #[test]
    fn a_torn_book_is_none() {
        let mut book = Book::empty();
        add(&mut book, draft("dana", Role::Administrator)).unwrap();
        let bytes = serde_json::to_vec(&book).unwrap();
        assert!(Book::read(&bytes).unwrap().has_administrator());
        for length in 0..bytes.len() {
            assert!(Book::read(&bytes[..length]).is_err(), "{length} bytes");
        }
        let newer = String::from_utf8(bytes).unwrap().replacen("\"version\":1", "\"version\":2", 1);
        assert!(Book::read(newer.as_bytes()).is_err());
    }
}
