//! A call in a few dozen bytes: all that lists are filtered by and reports are made of. The index keeps one beside each
//! call, so that a question about 100,000 calls reads some megabytes and parses no JSON.
//!
//! ```text
//!   u8   answer status        u8   booking label         u8   lead status: 0 unsaid, 1 good, 2 none
//!   u8   1 first call, 2 repeat, 4 has a recording, 8 rang, 16 talked
//!   u32  ring ms              u32  talk ms               u32  total ms
//!   u64  caller's digits      u64  tracking number's digits
//!   u64  campaign             u64  agent                 u32  port         keys of names, 0 for none
//!   u8   tags, each a u32     rest: the caller's name in lower case, at most 40 bytes
//! ```

use super::{
    label::{self, AnswerStatus, Booking, Facts},
    names::{self, Kind},
};
use crate::{
    number::E164,
    record::{CallRecord, Presentation, RecordingState},
    time::WallTime,
};

const FIRST: u8 = 1;
const REPEAT: u8 = 2;
const RECORDED: u8 = 4;
const RANG: u8 = 8;
const TALKED: u8 = 16;
/// Tags of a call that can be asked for.
const MAX_TAGS: usize = 16;
/// Bytes of the name that can be searched for.
const MAX_NAME_BYTES: usize = 40;

/// Whether somebody said what a call is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Nobody said.
    Unsaid,
    /// It may become work.
    Good,
    /// It never was one.
    None,
}

/// A call in brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief<'a> {
    /// When it came in.
    pub start: WallTime,
    /// Its number on this box.
    pub seq: u64,
    /// Whether it was answered.
    pub answer: AnswerStatus,
    /// What became of it.
    pub booking: Booking,
    /// What it is worth.
    pub lead: Lead,
    /// Whether the caller is new; absent if nobody counted.
    pub first: Option<bool>,
    /// Whether there is a recording.
    pub recorded: bool,
    /// Milliseconds of ringing; absent if it never rang.
    pub ring_ms: Option<u32>,
    /// Milliseconds on the phone.
    pub talk_ms: Option<u32>,
    /// Milliseconds from the INVITE to the end.
    pub total_ms: u32,
    /// Digits of the caller's number; 0 if it may not be shown or there is none.
    pub caller: u64,
    /// Digits of the tracking number.
    pub tracking: u64,
    /// Key of the campaign, 0 for none.
    pub campaign: u64,
    /// Key of who answered or took the call, 0 for nobody.
    pub agent: u64,
    /// Key of the port that answered, 0 for none.
    pub port: u32,
    /// Keys of the tags, four bytes each.
    tags: &'a [u8],
    /// The caller's name in lower case.
    pub name: &'a str,
}

impl<'a> Brief<'a> {
    /// Reads what [`write`] wrote; `None` if it is something else.
    #[must_use]
    pub fn read(start: WallTime, seq: u64, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let [answer, booking, lead, flags] = *rest.split_off(..4)?.first_chunk()?;
        let ring_ms = u32_of(&mut rest)?;
        let talk_ms = u32_of(&mut rest)?;
        let total_ms = u32_of(&mut rest)?;
        let (caller, tracking) = (u64_of(&mut rest)?, u64_of(&mut rest)?);
        let (campaign, agent) = (u64_of(&mut rest)?, u64_of(&mut rest)?);
        let port = u32_of(&mut rest)?;
        let tags = usize::from(*rest.split_off_first()?);
        let has = |flag: u8| flags & flag != 0;
        Some(Self {
            start,
            seq,
            answer: AnswerStatus::of_code(answer)?,
            booking: Booking::of_code(booking)?,
            lead: match lead {
                1 => Lead::Good,
                2 => Lead::None,
                _ => Lead::Unsaid,
            },
            first: (has(FIRST) || has(REPEAT)).then_some(has(FIRST)),
            recorded: has(RECORDED),
            ring_ms: has(RANG).then_some(ring_ms),
            talk_ms: has(TALKED).then_some(talk_ms),
            total_ms,
            caller,
            tracking,
            campaign,
            agent,
            port,
            tags: rest.split_off(..4 * tags)?,
            name: std::str::from_utf8(rest).ok()?,
        })
    }

    /// Whether the call has the tag of this key.
    #[must_use]
    pub fn has_tag(&self, tag: u32) -> bool {
        self.tags.chunks_exact(4).any(|key| key == tag.to_be_bytes())
    }

    /// Keys of the tags.
    pub fn tags(&self) -> impl Iterator<Item = u32> + 'a {
        self.tags.chunks_exact(4).filter_map(|key| key.first_chunk().map(|key| u32::from_be_bytes(*key)))
    }

    /// Whether somebody talked to the caller.
    #[must_use]
    pub const fn answered(&self) -> bool {
        matches!(self.answer, AnswerStatus::Answered)
    }
}

fn u32_of(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*rest.split_off(..4)?.first_chunk()?))
}

fn u64_of(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*rest.split_off(..8)?.first_chunk()?))
}

/// A record in brief.
#[must_use]
pub fn write(record: &CallRecord) -> Vec<u8> {
    let facts = Facts::of(record);
    let handling = &record.handling;
    let timing = &record.timing_ms;
    let lead = match handling.lead_status.as_deref() {
        Some(label::GOOD_LEAD) => 1,
        Some(label::NOT_A_LEAD) => 2,
        _ => 0,
    };
    let is_recorded = matches!(record.recording.state, RecordingState::Closed | RecordingState::Recovered);
    let flags = [
        (FIRST, handling.prior_calls == Some(0)),
        (REPEAT, handling.prior_calls.is_some_and(|prior| prior > 0)),
        (RECORDED, is_recorded),
        (RANG, timing.ring.is_some()),
        (TALKED, timing.talk.is_some()),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set).fold(0, |flags, (flag, _)| flags | flag);
    let ms = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = Vec::with_capacity(72);
    bytes.extend([label::answer_status(&facts).code(), label::booking(&facts).code(), lead, flags]);
    bytes.extend(ms(timing.ring.unwrap_or(0)));
    bytes.extend(ms(timing.talk.unwrap_or(0)));
    bytes.extend(ms(timing.total.max(record.duration * 1_000)));
    bytes.extend(shown(record).map_or(0, digits).to_be_bytes());
    bytes.extend(digits(&record.tracking_phone_number).to_be_bytes());
    let campaign = record.campaign.as_ref().map_or(0, |campaign| names::key(Kind::Campaign, &campaign.id));
    bytes.extend(campaign.to_be_bytes());
    bytes.extend(names::agent(record).map_or(0, |agent| names::key(Kind::Agent, &agent.id)).to_be_bytes());
    let port = record.answered_by.as_ref().map_or(0, |by| names::short(Kind::Port, &by.port));
    bytes.extend(port.to_be_bytes());
    let tags = &handling.tags[..handling.tags.len().min(MAX_TAGS)];
    bytes.push(tags.len() as u8);
    bytes.extend(tags.iter().flat_map(|tag| names::short(Kind::Tag, tag).to_be_bytes()));
    bytes.extend_from_slice(name(record).as_bytes());
    bytes
}

/// The caller's number, unless the caller withheld it.
fn shown(record: &CallRecord) -> Option<&E164> {
    let may = record.customer_number_presentation == Presentation::Allowed;
    record.customer_phone_number.as_ref().filter(|_| may)
}

/// The name that can be searched for: the customer's, else the one the trunk gave.
fn name(record: &CallRecord) -> String {
    let given = record.customer_name.as_deref();
    let given = given.filter(|_| record.customer_number_presentation != Presentation::Restricted);
    let customer = record.handling.customer.as_ref().map(|customer| customer.name.as_str());
    let mut name = customer.or(given).unwrap_or_default().trim().to_lowercase();
    let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(|&at| name.is_char_boundary(at));
    name.truncate(end.unwrap_or(0));
    name
}

/// The digits of a number as a number: at most 15 of them.
#[must_use]
pub fn digits(number: &E164) -> u64 {
    number.digits().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        handling::{Claim, CustomerLink},
        ledger::made_up::record,
    };

    #[test]
    fn a_brief_says_what_the_record_says() {
        let mut full = record(7);
        full.handling.claimed_by = Some(Claim {
            user_id: Some("usr_1".to_owned()),
            name: "Dana".to_owned(),
            how: "port".to_owned(),
        });
        full.handling.tags = vec!["a".to_owned(), "b".to_owned()];
        full.handling.lead_status = Some(label::NOT_A_LEAD.to_owned());
        full.handling.prior_calls = Some(0);
        let bytes = write(&full);
        let brief = Brief::read(full.start_time, full.seq, &bytes).unwrap();
        assert_eq!(
            (brief.answer, brief.booking, brief.lead),
            (AnswerStatus::Answered, Booking::NotLead, Lead::None)
        );
        assert_eq!((brief.first, brief.recorded, brief.caller), (Some(true), false, 12_065_550_107));
        assert_eq!((brief.ring_ms, brief.talk_ms, brief.total_ms), (Some(6_000), Some(42_000), 50_000));
        assert_eq!(brief.agent, names::key(Kind::Agent, "usr_1"));
        assert!(brief.has_tag(names::short(Kind::Tag, "a")) && !brief.has_tag(names::short(Kind::Tag, "c")));
        assert_eq!((brief.tags().count(), brief.name), (2, "dana ortiz"));
    }

    #[test]
    fn a_withheld_number_and_its_name_cannot_be_searched_for() {
        let mut hidden = record(7);
        hidden.customer_number_presentation = Presentation::Restricted;
        let bytes = write(&hidden);
        let brief = Brief::read(hidden.start_time, 7, &bytes).unwrap();
        assert_eq!((brief.caller, brief.name), (0, ""));
    }

    #[test]
    fn a_long_name_is_cut_between_two_letters() {
        let mut long = record(7);
        let link = CustomerLink { name: "Ł".repeat(40), ..CustomerLink::clone(&customer()) };
        long.handling.customer = Some(link);
        let bytes = write(&long);
        assert_eq!(Brief::read(long.start_time, 7, &bytes).unwrap().name, "ł".repeat(20));
    }

    fn customer() -> CustomerLink {
        CustomerLink {
            id: "cus_1".to_owned(),
            external_id: None,
            name: String::new(),
            matched: "number".to_owned(),
        }
    }

    #[test]
    fn what_is_no_brief_is_not_read() {
        let bytes = write(&record(7));
        for end in 0..49 {
            assert_eq!(Brief::read(WallTime(1), 1, &bytes[..end]), None, "{end}");
        }
    }
}
