//! What an office makes of a call: whose it is, who called, for which job, and how it went.

use serde::{Deserialize, Serialize};

/// Most characters of a note.
pub const MAX_NOTE: usize = 4_000;
/// Most tags of one call, and most characters of one.
pub const MAX_TAGS: usize = 20;
/// See [`MAX_TAGS`].
pub const MAX_TAG: usize = 40;
/// Most characters of a reason.
pub const MAX_REASON: usize = 80;
/// What a call may be to the office's sales.
pub const LEAD_STATUS: [&str; 2] = ["good_lead", "not_a_lead"];
/// What became of a missed call.
pub const CALL_BACK: [&str; 3] = ["to_call", "called_back", "no_need"];

/// What the office made of a call, by a person or by the port that answered. The call itself goes on without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    /// Who has the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<Claim>,
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerLink>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobLink>,
    /// Why it ended as it did, one of the directory's call reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `good_lead`, `not_a_lead`, or absent: nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_status: Option<String>,
    /// Tags, each once, in the order they were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A note, at most 4,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether a missed call was called back: `to_call`, `called_back`, `no_need`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back: Option<String>,
    /// Tracked calls from the same number before this one; absent without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_calls: Option<u32>,
}

impl Handling {
    /// Whether nobody has made anything of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who has a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The user's id; absent where the port has no user.
    pub user_id: Option<String>,
    /// Name as shown.
    pub name: String,
    /// `port`: the handset that answered is theirs; `taken`: they took it over on the page.
    pub how: String,
}

/// The customer of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLink {
    /// Id in the directory (`cus_…`).
    pub id: String,
    /// Id in the office's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Name as it was then.
    pub name: String,
    /// `number`: the calling number is theirs; `chosen`: a person said so; `lookup`: the office's system said so.
    #[serde(rename = "match")]
    pub matched: String,
}

/// The job of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLink {
    /// Id in the directory (`job_…`).
    pub id: String,
    /// The office's number of it.
    pub job_number: String,
    /// Who linked it.
    pub linked_by: String,
}

/// A change that a person makes to what the office has of a call. What is `None` stays as it is; an inner `None` or an
/// empty text takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Who has the call from now on.
    pub claim: Option<ClaimEdit>,
    /// Who calls.
    pub customer: Option<Option<CustomerLink>>,
    /// What for.
    pub job: Option<Option<JobLink>>,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// One of [`LEAD_STATUS`], or empty.
    pub lead_status: Option<String>,
    /// All tags of the call.
    pub tags: Option<Vec<String>>,
    /// The note.
    pub note: Option<NoteEdit>,
    /// One of [`CALL_BACK`], or empty.
    pub call_back: Option<String>,
}

/// Somebody takes a call, or lets it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimEdit {
    /// Takes it if nobody else has it.
    Take(Claim),
    /// Takes it from whoever has it.
    TakeOver(Claim),
    /// Nobody has it.
    LetGo,
}

/// A note, and what the person saw when they began to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteEdit {
    /// The new note.
    pub text: String,
    /// What the note was; `None` writes over whatever is there.
    pub was: Option<String>,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditRefused {
    /// There is no such call.
    #[error("there is no such call")]
    UnknownCall,
    /// The call's record was erased lawfully.
    #[error("the record of this call was erased; nothing may be written into it")]
    Erased,
    /// What is stored cannot be read yet.
    #[error("the calls are still being read from the disk; try again in a moment")]
    Busy,
    /// The disk does not take it.
    #[error("not written: the disk does not take it; try again, and tell who looks after the box")]
    NotWritten,
    /// A text is too long.
    #[error("{0} is too long: write at most {1} characters")]
    TooLong(&'static str, usize),
    /// More tags than a call may have.
    #[error("too many tags: at most {MAX_TAGS}")]
    TooManyTags,
    /// A word that means nothing here.
    #[error("{0} is none of {1:?}")]
    NotAChoice(&'static str, &'static [&'static str]),
    /// Somebody else wrote the note meanwhile.
    #[error("somebody else changed the note meanwhile; look at it and save again")]
    NoteChanged,
    /// Somebody else has the call.
    #[error("{0} has this call; confirm to take it over")]
    Claimed(String),
}

impl Edit {
    /// Makes the change.
    ///
    /// # Errors
    /// Why not; `handling` may be changed in part then.
    pub fn apply(&self, handling: &mut Handling) -> Result<(), EditRefused> {
        if let Some(claim) = &self.claim {
            handling.claimed_by = claimed(handling.claimed_by.as_ref(), claim)?;
        }
        if let Some(customer) = &self.customer {
            handling.customer.clone_from(customer);
        }
        if let Some(job) = &self.job {
            handling.job.clone_from(job);
        }
        if let Some(reason) = &self.reason {
            handling.reason = text("the reason", reason, MAX_REASON)?;
        }
        if let Some(status) = &self.lead_status {
            handling.lead_status = choice("the lead status", status, &LEAD_STATUS)?;
        }
        if let Some(tags) = &self.tags {
            handling.tags = tidied(tags)?;
        }
        if let Some(note) = &self.note {
            let new = text("the note", &note.text, MAX_NOTE)?;
            let is_as_seen = |was: &String| as_text(was).as_ref() == handling.note.as_ref();
            if handling.note != new && !note.was.as_ref().is_none_or(is_as_seen) {
                return Err(EditRefused::NoteChanged);
            }
            handling.note = new;
        }
        if let Some(state) = &self.call_back {
            handling.call_back = choice("the call-back state", state, &CALL_BACK)?;
        }
        Ok(())
    }

    /// The change as the audit log names it: what was changed, not to what.
    #[must_use]
    pub fn did(&self) -> String {
        let claim = match &self.claim {
            Some(ClaimEdit::Take(_)) => Some("claimed"),
            Some(ClaimEdit::TakeOver(_)) => Some("took over"),
            Some(ClaimEdit::LetGo) => Some("let go"),
            None => None,
        };
        let changed: Vec<&str> = [
            ("customer", self.customer.is_some()),
            ("job", self.job.is_some()),
            ("reason", self.reason.is_some()),
            ("lead status", self.lead_status.is_some()),
            ("tags", self.tags.is_some()),
            ("note", self.note.is_some()),
            ("call-back", self.call_back.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is)| is.then_some(name))
        .collect();
        let changed = (!changed.is_empty()).then(|| format!("changed {}", changed.join(", ")));
        let parts: Vec<String> = claim.map(str::to_owned).into_iter().chain(changed).collect();
        parts.join("; ")
    }
}

fn claimed(now: Option<&Claim>, edit: &ClaimEdit) -> Result<Option<Claim>, EditRefused> {
    let is_same = |one: &Claim, other: &Claim| match (&one.user_id, &other.user_id) {
        (Some(one), Some(other)) => one == other,
        _ => one.name == other.name,
    };
    match (edit, now) {
        (ClaimEdit::LetGo, _) => Ok(None),
        (ClaimEdit::Take(claim), Some(now)) if !is_same(claim, now) => {
            Err(EditRefused::Claimed(now.name.clone()))
        }
        // Who has it already keeps how they came by it.
        (ClaimEdit::Take(claim) | ClaimEdit::TakeOver(claim), Some(now)) if is_same(claim, now) => {
            Ok(Some(now.clone()))
        }
        (ClaimEdit::Take(claim) | ClaimEdit::TakeOver(claim), _) => Ok(Some(claim.clone())),
    }
}

fn as_text(text: &str) -> Option<String> {
    // Browsers send line ends as CR LF.
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn text(what: &'static str, text: &str, most: usize) -> Result<Option<String>, EditRefused> {
    let text = as_text(text);
    if text.as_ref().is_some_and(|text| text.chars().count() > most) {
        return Err(EditRefused::TooLong(what, most));
    }
    Ok(text)
}

fn choice(
    what: &'static str,
    word: &str,
    of: &'static [&'static str],
) -> Result<Option<String>, EditRefused> {
    match word {
        "" => Ok(None),
        word if of.contains(&word) => Ok(Some(word.to_owned())),
        _ => Err(EditRefused::NotAChoice(what, of)),
    }
}

/// Each tag once, without empty ones.
fn tidied(tags: &[String]) -> Result<Vec<String>, EditRefused> {
    let mut tidy: Vec<String> = Vec::new();
    for tag in tags {
        let Some(tag) = text("a tag", tag, MAX_TAG)? else { continue };
        if !tidy.contains(&tag) {
            tidy.push(tag);
        }
    }
    if tidy.len() > MAX_TAGS { Err(EditRefused::TooManyTags) } else { Ok(tidy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str) -> Claim {
        Claim { user_id: Some(format!("usr_{name}")), name: name.to_owned(), how: "taken".to_owned() }
    }

    fn note(text: &str, was: Option<&str>) -> Edit {
        let was = was.map(str::to_owned);
        Edit { note: Some(NoteEdit { text: text.to_owned(), was }), ..Edit::default() }
    }

    #[test]
    fn a_call_that_somebody_has_is_taken_over_only_on_purpose() {
        let mut handling = Handling::default();
        let take = |claim| Edit { claim: Some(claim), ..Edit::default() };
        take(ClaimEdit::Take(claim("ana"))).apply(&mut handling).unwrap();
        take(ClaimEdit::Take(claim("ana"))).apply(&mut handling).unwrap();
        let refused = take(ClaimEdit::Take(claim("bob"))).apply(&mut handling);
        assert_eq!(refused, Err(EditRefused::Claimed("ana".to_owned())));
        take(ClaimEdit::TakeOver(claim("bob"))).apply(&mut handling).unwrap();
        assert_eq!(handling.claimed_by, Some(claim("bob")));
    }

    #[test]
    fn a_note_that_changed_meanwhile_is_not_written_over_unseen() {
        let mut handling = Handling::default();
        note("leak in the cellar", Some("")).apply(&mut handling).unwrap();
        assert_eq!(note("call at 5", Some("")).apply(&mut handling), Err(EditRefused::NoteChanged));
        // The same text twice is no conflict.
        note("leak in the cellar\r\n", Some("")).apply(&mut handling).unwrap();
        note("leak in the cellar, call at 5", Some("leak in the cellar")).apply(&mut handling).unwrap();
        note("whatever", None).apply(&mut handling).unwrap();
        assert_eq!(handling.note.as_deref(), Some("whatever"));
        note("  ", None).apply(&mut handling).unwrap();
        assert!(handling.is_empty());
    }

    #[test]
    fn what_is_too_long_or_no_word_of_ours_is_refused() {
        let mut handling = Handling::default();
        note(&"ä".repeat(MAX_NOTE), None).apply(&mut handling).unwrap();
        let long = note(&"ä".repeat(MAX_NOTE + 1), None).apply(&mut handling);
        assert_eq!(long, Err(EditRefused::TooLong("the note", MAX_NOTE)));
        let edit = Edit { call_back: Some("soon".to_owned()), ..Edit::default() };
        assert!(matches!(edit.apply(&mut handling), Err(EditRefused::NotAChoice(..))));
        let tags = ["a", " a ", "", "b"].map(str::to_owned).to_vec();
        Edit { tags: Some(tags), ..Edit::default() }.apply(&mut handling).unwrap();
        assert_eq!(handling.tags, ["a", "b"]);
        let tags = (0..=MAX_TAGS).map(|n| n.to_string()).collect();
        let many = Edit { tags: Some(tags), ..Edit::default() }.apply(&mut handling);
        assert_eq!(many, Err(EditRefused::TooManyTags));
    }

    #[test]
    fn the_audit_names_what_was_changed_and_not_to_what() {
        let edit = Edit { claim: Some(ClaimEdit::Take(claim("ana"))), ..note("secret", None) };
        assert_eq!(edit.did(), "claimed; changed note");
    }
}
