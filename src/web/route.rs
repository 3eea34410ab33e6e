//! The picture of a call's route: the parties it passed through, top down, drawn as SVG by the server.
//!
//! A party is drawn once for each time that it has the call, with what happened there and when. Exactly one of them is
//! this box, with the delay that it added. What happened before the box has no times: an INVITE does not tell them.

use super::wording;
use crate::{
    number::E164,
    record::{CallRecord, Hop},
};

/// Width of the drawing; a phone's screen shows it at its own size.
pub(super) const WIDTH: u32 = 360;
/// Where the line of the route runs.
pub(super) const SPINE: u32 = 84;
/// Where the words begin.
pub(super) const WORDS: u32 = 104;

const TOP: u32 = 14;
const LINE_HEIGHT: u32 = 18;
const GAP: u32 = 16;
/// Longest text that fits.
const MAX_CHARS: usize = 34;
/// Parties that are drawn; a longer route is a fault of its own.
const MAX_PARTIES: usize = 24;

/// What the route's hop of this box is called.
const BOX: &str = "box";

/// One line of text beside a party.
pub(super) struct Note {
    pub(super) y: u32,
    pub(super) what: String,
    /// When, if the box saw it.
    pub(super) at: Option<String>,
}

/// One party of the route.
pub(super) struct Party {
    pub(super) y: u32,
    pub(super) name: String,
    pub(super) is_box: bool,
    pub(super) notes: Vec<Note>,
}

/// The drawing. Its view box is `0 0 {WIDTH} {height}`.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) spine: u32,
    pub(super) words: u32,
    pub(super) height: u32,
    /// Centres of the first and the last party.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) parties: Vec<Party>,
    /// The route as a sentence.
    pub(super) said: String,
}

impl Picture {
    /// `None` if no hop was noted.
    pub(super) fn new(record: &CallRecord) -> Option<Self> {
        let box_at = record.route.iter().position(|hop| hop.hop == BOX);
        let mut parties: Vec<Party> = Vec::new();
        let mut y = TOP;
        let mut last = None;
        for (at, hop) in record.route.iter().enumerate() {
            if last != Some(&hop.hop) {
                if parties.len() == MAX_PARTIES {
                    break;
                }
                y += if parties.is_empty() { 0 } else { GAP };
                let is_box = Some(at) == box_at;
                parties.push(Party { y, name: name(&hop.hop), is_box, notes: Vec::new() });
                y += LINE_HEIGHT;
                last = Some(&hop.hop);
            }
            let seen = box_at.is_none_or(|box_at| at >= box_at);
            let party = parties.last_mut()?;
            party.notes.push(Note { y, what: what(hop), at: seen.then(|| clock(hop.at_ms)) });
            y += LINE_HEIGHT;
            if party.is_box
                && let Some(added) = added_ms(record)
            {
                party.notes.push(Note { y, what: format!("adds {added} ms"), at: None });
                y += LINE_HEIGHT;
            }
        }
        let names: Vec<&str> = parties.iter().map(|party| party.name.as_str()).collect();
        Some(Self {
            width: WIDTH,
            spine: SPINE,
            words: WORDS,
            height: y,
            from: parties.first()?.y,
            to: parties.last()?.y,
            said: format!("Call route: {}", names.join(", then ")),
            parties,
        })
    }
}

/// What the box adds to the way of a call: from the INVITE to the first ring, or to the bubble if nothing rang.
fn added_ms(record: &CallRecord) -> Option<u64> {
    record.timing_ms.invite_to_ring.or(record.timing_ms.invite_to_bubble)
}

/// A party's name in the office's words.
fn name(hop: &str) -> String {
    let words = match hop.split_once(' ') {
        Some(("caller", number)) => format!("Caller {}", said(number)),
        Some(("diversion", number)) => format!("Forwarded by {}", said(number)),
        Some(("via", host)) => format!("Trunk, {host}"),
        _ if hop == "caller" => "Caller".to_owned(),
        _ if hop == BOX => "This box".to_owned(),
        _ if hop == "end" => "End".to_owned(),
        _ => hop.to_owned(),
    };
    short(&words)
}

/// What happened there; numbers in it as people write them.
fn what(hop: &Hop) -> String {
    let words = wording::plain(&hop.what);
    let words: Vec<String> = words.split(' ').map(said).collect();
    short(&words.join(" "))
}

fn said(text: &str) -> String {
    text.parse::<E164>().map_or_else(|_| text.to_owned(), |number| wording::number(&number))
}

fn short(text: &str) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    let head: String = text.chars().take(MAX_CHARS - 1).collect();
    format!("{head}…")
}

fn clock(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Ended, web::made_up};

    fn drawn(route: &[(&str, u64, &str)]) -> Picture {
        let mut record = made_up::record(1, Ended::CallerHungUp);
        let hop = |&(hop, at_ms, what): &(&str, u64, &str)| Hop {
            hop: hop.to_owned(),
            at_ms,
            what: what.to_owned(),
        };
        record.route = route.iter().map(hop).collect();
        record.timing_ms.invite_to_ring = Some(4);
        Picture::new(&record).unwrap()
    }

    const ROUTE: [(&str, u64, &str); 8] = [
        ("caller +14155550123", 0, "dialled +13125550150"),
        ("diversion +13125550150", 0, "forwarded: unconditional"),
        ("via 198.51.100.7", 0, "passed the INVITE on"),
        ("box", 0, "received for +13125550100"),
        ("PHONE1", 4, "rings"),
        ("PHONE2", 4, "rings"),
        ("PHONE1", 5_200, "answered"),
        ("end", 42_500, "caller_hung_up"),
    ];

    #[test]
    fn exactly_one_hop_is_this_box_with_the_delay_it_adds() {
        let picture = drawn(&ROUTE);
        let ours: Vec<&Party> = picture.parties.iter().filter(|party| party.is_box).collect();
        assert_eq!(ours.len(), 1);
        let notes: Vec<&str> = ours[0].notes.iter().map(|note| note.what.as_str()).collect();
        assert_eq!(notes, ["received for (312) 555-0100", "adds 4 ms"]);
    }

    #[test]
    fn only_what_the_box_saw_has_a_time_and_times_never_go_back() {
        let picture = drawn(&ROUTE);
        let notes = || picture.parties.iter().flat_map(|party| &party.notes);
        let times: Vec<_> = notes().filter_map(|note| note.at.as_deref()).collect();
        assert_eq!(times, ["0 ms", "4 ms", "4 ms", "5200 ms", "42.5 s"]);
        assert!(picture.parties[..3].iter().all(|party| party.notes[0].at.is_none()));
        assert!(notes().map(|note| note.y).is_sorted() && picture.height > picture.to);
        assert_eq!(picture.parties[1].name, "Forwarded by (312) 555-0150");
    }

    #[test]
    fn a_long_name_is_cut_and_no_route_is_no_picture() {
        let long = format!("via {}", "a".repeat(90));
        let picture = drawn(&[(&long, 0, "passed the INVITE on"), ("box", 0, "received")]);
        assert!(
            picture.parties[0].name.ends_with('…') && picture.parties[0].name.chars().count() == MAX_CHARS
        );
        let mut record = made_up::record(1, Ended::CallerHungUp);
        record.route.clear();
        assert!(Picture::new(&record).is_none());
    }
}
