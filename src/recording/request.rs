//! What an owner asks for: erase, call off, hold, release. Each becomes notes in the journal, or a reason why not.

use super::{
    retention::{self, Kept, Policy, Upstream},
    standing::{Asked, Hold, Standing},
};
use crate::{
    id::CallId,
    note::{Note, Part, What},
    number::E164,
    record::CallRecord,
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// Calls that one request may name; a number with more is asked for again.
pub const MAX_CALLS: usize = 1_000;
/// Longest name or reason, in bytes.
const MAX_TEXT_BYTES: usize = 500;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Erase something.
    Erase {
        /// Of which calls.
        of: Subject,
        /// Recordings, or the records with them.
        part: Part,
        /// Who.
        by: String,
        /// Why.
        why: String,
        /// How soon.
        when: When,
        /// Whether it waits for the upstream's receipt, where there is an upstream.
        #[serde(default)]
        receipt: Receipt,
    },
    /// Call an erasure off.
    Cancel {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
    },
    /// Hold a call: nothing of it may be erased.
    Hold {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Lift a hold.
    Release {
        /// The call.
        call: CallId,
        /// Who.
        by: String,
    },
}

/// Whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One call.
    Call(CallId),
    /// Every call from a number.
    Number(E164),
}

/// How soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// After the site's grace, until which it can be called off.
    AfterGrace,
    /// At once.
    Now,
}

/// Whether an erasure waits for the upstream's receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// It does.
    #[default]
    Needed,
    /// A lawful request that must not wait.
    Waived,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Calls for which it is in the journal.
    pub calls: Vec<CallId>,
    /// Calls for which it is not, and why.
    pub left: Vec<(CallId, String)>,
    /// Those of `calls` that wait for the upstream's receipt, however long that takes.
    #[serde(default)]
    pub waiting: Vec<CallId>,
    /// When an erasure is due.
    pub due: Option<WallTime>,
    /// Whether there are more calls than one request may name: ask again.
    pub more: bool,
}

/// What is to come, and what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Erasures, the next one first.
    pub asked: Vec<Asked>,
    /// Legal holds.
    pub held: Vec<Hold>,
    /// Calls of `asked` that wait for the upstream's receipt.
    #[serde(default)]
    pub waiting: Vec<CallId>,
    /// Whether there is more than one listing may hold.
    #[serde(default)]
    pub more: bool,
}

/// Why nothing came of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such call, or none from that number.
    #[error("this box knows no such call")]
    UnknownCall,
    /// Who or why is missing or too long.
    #[error("say who asks and why, in at most {MAX_TEXT_BYTES} bytes each")]
    Unsaid,
    /// There is nothing to lift or to call off, or nothing may be asked for.
    #[error("{0}")]
    Not(&'static str),
    /// The journal does not take it.
    #[error("the journal does not take it; check the disk of the data directory")]
    NotWritten,
    /// The box cannot look now.
    #[error("the index of calls is being filled; ask again in a minute")]
    Busy,
}

/// What requests and retention ask of the stored calls. Records come with their `sync` filled in.
pub trait Books {
    /// Erasures whose time has come, the oldest first, at most `limit`; `None` while it cannot be told.
    fn due(&self, now: WallTime, limit: usize) -> Option<Vec<Asked>>;

    /// Calls that came in before `before`, oldest first, from the first after `after` on; `None` while it cannot be
    /// told.
    fn expired(&self, before: WallTime, after: Option<Place>, limit: usize) -> Option<Vec<CallRecord>>;

    /// The newest revision of a call.
    fn get(&self, call: CallId) -> Option<CallRecord>;

    /// How a call stands; `None` while it cannot be told.
    fn standing(&self, call: CallId) -> Option<Standing>;

    /// Calls from a number that are not erased yet, oldest first, at most `limit`.
    fn calls_of(&self, number: &E164, limit: usize) -> Option<Vec<CallId>>;

    /// Everything that is to come and is held.
    fn listing(&self) -> Option<Listing>;
}

/// A place in the order of calls by their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Time of the INVITE.
    pub start_time: WallTime,
    /// Number of the call on this box.
    pub seq: u64,
}

impl From<&CallRecord> for Place {
    fn from(record: &CallRecord) -> Self {
        Self { start_time: record.start_time, seq: record.seq }
    }
}

/// The notes that a request becomes, and what to say to whoever asked.
///
/// # Errors
/// Why it becomes none.
pub fn notes(
    request: &Request,
    books: &dyn Books,
    policy: &Policy,
    now: WallTime,
) -> Result<(Vec<Note>, Answer), Refused> {
    match request {
        Request::Erase { of, part, by, why, when, receipt } => {
            said([by, why])?;
            let waives = *receipt == Receipt::Waived && policy.upstream == Upstream::Configured;
            let due = if *when == When::Now { now } else { policy.due(now) };
            let calls = subject(of, books)?;
            let more = calls.len() > MAX_CALLS;
            let mut answer = Answer { due: Some(due), more, ..Answer::default() };
            let mut notes = Vec::new();
            for call in calls.into_iter().take(MAX_CALLS) {
                let standing = books.standing(call).ok_or(Refused::Busy)?;
                let Some(record) = books.get(call) else { continue };
                if let Err(kept) = retention::may_ask(&record, &standing, *part) {
                    answer.left.push((call, kept.words().to_owned()));
                    continue;
                }
                answer.calls.push(call);
                let (by, why) = (by.clone(), why.clone());
                if waives {
                    notes.push(What::ReceiptWaived { call, by: by.clone(), why: why.clone() });
                }
                let granted = Standing { receipt_waived: standing.receipt_waived || waives, ..standing };
                if retention::may_erase(&record, &granted, *part, policy) == Err(Kept::NotReceived) {
                    answer.waiting.push(call);
                }
                notes.push(What::EraseAsked { call, part: *part, by, why, due });
            }
            Ok((notes.into_iter().map(|what| Note { at: now, what }).collect(), answer))
        }
        Request::Cancel { call, by } => {
            said([by])?;
            let pending = books.standing(*call).ok_or(Refused::Busy)?.asked.is_some();
            let what = What::EraseCancelled { call: *call, by: by.clone() };
            one(what, *call, now, pending, "no erasure of it is to come")
        }
        Request::Hold { call, by, why } => {
            said([by, why])?;
            books.get(*call).ok_or(Refused::UnknownCall)?;
            let standing = books.standing(*call).ok_or(Refused::Busy)?;
            let what = What::Held { call: *call, by: by.clone(), why: why.clone() };
            let (notes, answer) = one(what, *call, now, standing.held.is_none(), "it is held already")?;
            Ok((called_off(*call, by, &standing, now).into_iter().chain(notes).collect(), answer))
        }
        Request::Release { call, by } => {
            said([by])?;
            let standing = books.standing(*call).ok_or(Refused::Busy)?;
            let what = What::Released { call: *call, by: by.clone() };
            let (notes, answer) = one(what, *call, now, standing.held.is_some(), "it is not held")?;
            Ok((called_off(*call, by, &standing, now).into_iter().chain(notes).collect(), answer))
        }
    }
}

fn one(
    what: What,
    call: CallId,
    now: WallTime,
    fits: bool,
    otherwise: &'static str,
) -> Result<(Vec<Note>, Answer), Refused> {
    if !fits {
        return Err(Refused::Not(otherwise));
    }
    Ok((vec![Note { at: now, what }], Answer { calls: vec![call], ..Answer::default() }))
}

fn said<const N: usize>(texts: [&String; N]) -> Result<(), Refused> {
    let good = |text: &&String| !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES;
    if texts.iter().all(good) { Ok(()) } else { Err(Refused::Unsaid) }
}

fn subject(of: &Subject, books: &dyn Books) -> Result<Vec<CallId>, Refused> {
    let calls = match of {
        Subject::Call(call) => vec![books.get(*call).ok_or(Refused::UnknownCall)?.id],
        Subject::Number(number) => books.calls_of(number, MAX_CALLS + 1).ok_or(Refused::Busy)?,
    };
    if calls.is_empty() { Err(Refused::UnknownCall) } else { Ok(calls) }
}

/// A hold ends what was asked: once it is lifted, that has to be asked again.
fn called_off(call: CallId, by: &str, standing: &Standing, now: WallTime) -> Option<Note> {
    let what = What::EraseCancelled { call, by: by.to_owned() };
    standing.asked.as_ref().map(|_| Note { at: now, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Ended, RecordingState},
        recording::made_up::{self, Ledger},
    };

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for n in 1..=3 {
            let mut record = made_up::record(n);
            record.recording.state = RecordingState::Closed;
            ledger.put(record);
        }
        ledger
    }

    fn call(n: u64) -> CallId {
        made_up::record(n).id
    }

    fn ask(ledger: &mut Ledger, request: &Request) -> Result<Answer, Refused> {
        let policy = Policy { grace_days: 2, ..Policy::default() };
        let (notes, answer) = notes(request, ledger, &policy, WallTime(1_000))?;
        notes.iter().for_each(|note| ledger.standings.note(note));
        Ok(answer)
    }

    fn erase(of: Subject, when: When) -> Request {
        let (part, by, why) = (Part::Recording, "dana".to_owned(), "asked".to_owned());
        Request::Erase { of, part, by, why, when, receipt: Receipt::Needed }
    }

    #[test]
    fn every_call_of_a_number_is_asked_for_but_those_that_may_not_be() {
        let mut ledger = ledger();
        let (held, why) = (call(2), "court".to_owned());
        ask(&mut ledger, &Request::Hold { call: held, by: "dana".to_owned(), why }).unwrap();
        let mut open = made_up::record(4);
        open.outcome.ended = Ended::InProgress;
        ledger.put(open);
        let number = Subject::Number("+12065550173".parse().unwrap());
        let answer = ask(&mut ledger, &erase(number, When::AfterGrace)).unwrap();
        assert_eq!(answer.calls, [call(1), call(3)]);
        assert_eq!(answer.due, Some(WallTime(1_000 + 2 * 86_400_000)));
        let left: Vec<_> = answer.left.iter().map(|(call, why)| (*call, why.as_str())).collect();
        assert_eq!(left, [(held, Kept::Held.words()), (call(4), Kept::Open.words())]);
        let stranger = Subject::Number("+12065550999".parse().unwrap());
        assert_eq!(ask(&mut ledger, &erase(stranger, When::Now)), Err(Refused::UnknownCall));
    }

    #[test]
    fn an_erasure_is_called_off_once_and_a_hold_lifted_once() {
        let mut ledger = ledger();
        let by = || "dana".to_owned();
        let cancel = Request::Cancel { call: call(1), by: by() };
        assert!(matches!(ask(&mut ledger, &cancel), Err(Refused::Not(_))));
        let now = ask(&mut ledger, &erase(Subject::Call(call(1)), When::Now)).unwrap();
        assert_eq!(now.due, Some(WallTime(1_000)));
        assert_eq!(ask(&mut ledger, &cancel).unwrap().calls, [call(1)]);
        assert!(matches!(ask(&mut ledger, &cancel), Err(Refused::Not(_))));
        let hold = Request::Hold { call: call(1), by: by(), why: "court".to_owned() };
        let release = Request::Release { call: call(1), by: by() };
        assert!(matches!(ask(&mut ledger, &release), Err(Refused::Not(_))));
        ask(&mut ledger, &hold).unwrap();
        assert!(matches!(ask(&mut ledger, &hold), Err(Refused::Not(_))));
        ask(&mut ledger, &release).unwrap();
    }

    #[test]
    fn with_an_upstream_a_request_waits_for_the_receipt_unless_that_is_waived() {
        let ledger = ledger();
        let policy = Policy { upstream: Upstream::Configured, ..Policy::default() };
        let ask = |receipt| {
            let (of, part) = (Subject::Call(call(1)), Part::Recording);
            let (by, why) = ("dana".to_owned(), "a judge".to_owned());
            let request = Request::Erase { of, part, by, why, when: When::Now, receipt };
            notes(&request, &ledger, &policy, WallTime(1_000)).unwrap()
        };
        let (notes, answer) = ask(Receipt::Needed);
        assert_eq!((notes.len(), answer.calls, answer.waiting), (1, vec![call(1)], vec![call(1)]));
        let (notes, answer) = ask(Receipt::Waived);
        assert_eq!((answer.calls, answer.waiting), (vec![call(1)], vec![]));
        let said: Vec<String> = notes.iter().filter_map(Note::account).map(|one| one.did).collect();
        assert_eq!(said, ["let it be erased without the upstream's receipt", "asked to erase the recording"]);
    }

    #[test]
    fn a_hold_calls_off_what_was_asked() {
        let mut ledger = ledger();
        ask(&mut ledger, &erase(Subject::Call(call(1)), When::Now)).unwrap();
        let hold = Request::Hold { call: call(1), by: "dana".to_owned(), why: "court".to_owned() };
        let (notes, _) = notes(&hold, &ledger, &Policy::default(), WallTime(1)).unwrap();
        assert!(matches!(
            notes[..],
            [Note { what: What::EraseCancelled { .. }, .. }, Note { what: What::Held { .. }, .. }]
        ));
    }

    #[test]
    fn who_and_why_must_be_said_of_a_call_that_there_is() {
        let mut ledger = ledger();
        let hold =
            |n, by: &str, why: &str| Request::Hold { call: call(n), by: by.to_owned(), why: why.to_owned() };
        assert_eq!(ask(&mut ledger, &hold(1, "", "court")), Err(Refused::Unsaid));
        assert_eq!(ask(&mut ledger, &hold(1, "dana", " ")), Err(Refused::Unsaid));
        assert_eq!(ask(&mut ledger, &hold(1, "dana", &"x".repeat(501))), Err(Refused::Unsaid));
        assert_eq!(ask(&mut ledger, &hold(9, "dana", "court")), Err(Refused::UnknownCall));
    }

    #[test]
    fn a_request_reads_as_it_is_written() {
        let request = erase(Subject::Call(call(1)), When::Now);
        let text = serde_json::to_string(&request).unwrap();
        assert!(text.starts_with(r#"{"do":"erase","of":{"call":"cal_"#), "{text}");
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }
}
