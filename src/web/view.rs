//! What the templates show: calls and bubbles in the office's words, nothing left to decide in HTML.

use super::{
    live::{Counts, Shown},
    waveform::{self, Waveform},
    wording::{self, Tone},
};
use crate::{
    call::bubble::BubbleState,
    note::Part,
    record::{CallRecord, LegKind, RecordingState},
    time::WallTime,
    webhook::lookup::Looked,
};
use std::path::{Component, Path, PathBuf};

/// A call bubble.
pub(super) struct BubbleView {
    pub(super) id: String,
    pub(super) order: u64,
    /// `ringing`, `live` or `ended`: the CSS class.
    pub(super) class: &'static str,
    /// The state in words.
    pub(super) state: String,
    /// A running timer's milliseconds at the moment of rendering; the browser counts on from here.
    pub(super) elapsed_ms: Option<u64>,
    /// How long the call has lasted (or had, when it ended).
    pub(super) elapsed: Option<String>,
    pub(super) recording: bool,
    /// What somebody should do something about now.
    pub(super) alarm: Option<&'static str>,
    pub(super) caller: String,
    pub(super) caller_name: Option<String>,
    /// What the office's own system knows of the caller.
    pub(super) looked: Option<Looked>,
    pub(super) campaign: String,
    pub(super) tracking: String,
    /// `Answered on PHONE1` while the call is up.
    pub(super) answered_on: Option<String>,
    pub(super) start: Moment,
    /// One sentence for people who listen to the page.
    pub(super) spoken: String,
}

/// A time of day: exact for machines, UTC text for a browser without scripts.
pub(super) struct Moment {
    pub(super) iso: String,
    pub(super) utc: String,
}

impl From<WallTime> for Moment {
    fn from(at: WallTime) -> Self {
        Self { iso: at.to_string(), utc: wording::utc_clock(at) }
    }
}

impl BubbleView {
    pub(super) fn new(shown: &Shown, now: WallTime) -> Self {
        let bubble = &shown.bubble;
        let until = shown.ended_at.unwrap_or(now);
        let talked = bubble.answered_at.map(|from| until.0.saturating_sub(from.0));
        let answered = bubble.answered_at.is_some();
        let (class, state) = match bubble.state {
            BubbleState::Ringing => ("ringing", "Ringing".to_owned()),
            BubbleState::Live => ("live", "On the phone".to_owned()),
            BubbleState::Ended => {
                let ended = bubble
                    .ended
                    .map(|end| wording::end(end, answered, bubble.port.as_deref(), bubble.why.as_deref()));
                ("ended", ended.map_or_else(|| "Ended".to_owned(), |(_, words)| format!("Ended · {words}")))
            }
        };
        let running = bubble.state == BubbleState::Live;
        let caller = wording::caller(bubble.caller_number.as_ref(), bubble.presentation);
        let caller_name = wording::caller_name(bubble.caller_name.as_deref(), bubble.presentation);
        let who = caller_name.as_deref().map_or_else(|| caller.clone(), |name| format!("{name}, {caller}"));
        Self {
            id: bubble.call.to_string(),
            order: shown.order,
            class,
            spoken: format!("{state}: {who}, {}", bubble.campaign),
            state,
            elapsed_ms: talked.filter(|_| running),
            elapsed: talked.map(wording::duration),
            recording: running && bubble.recording,
            alarm: bubble.silent.map(wording::not_heard),
            caller,
            caller_name,
            looked: shown.looked.clone(),
            campaign: bubble.campaign.clone(),
            tracking: wording::number(&bubble.tracking_number),
            answered_on: bubble.port.as_ref().filter(|_| running).map(|port| format!("Answered on {port}")),
            start: bubble.start_time.into(),
        }
    }
}

/// Title of the live page: the number of calls first, so that it is seen in a narrow tab.
pub(super) fn title(counts: Counts) -> String {
    match (counts.ringing, counts.live) {
        (0, 0) => "ringside".to_owned(),
        (0, live) => format!("{live} live · ringside"),
        (ringing, 0) => format!("{ringing} ringing · ringside"),
        (ringing, live) => format!("{live} live, {ringing} ringing · ringside"),
    }
}

/// The day in four numbers.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) calls: usize,
    pub(super) answered: usize,
    pub(super) missed: usize,
    /// Time on the phone.
    pub(super) talk: String,
}

impl Summary {
    pub(super) fn of(calls: &[CallRecord]) -> Self {
        let with = |tone| calls.iter().filter(|record| wording::result(record).0 == tone).count();
        let talk_ms = calls.iter().filter_map(|record| record.timing_ms.talk).sum();
        Self {
            calls: calls.len(),
            answered: with(Tone::Answered),
            missed: with(Tone::Missed),
            talk: wording::duration(talk_ms),
        }
    }
}

/// A row of the call table, and the head of a call's own page.
pub(super) struct CallView {
    pub(super) id: String,
    /// Place in the table: the higher, the nearer to the top.
    pub(super) order: u64,
    pub(super) start: Moment,
    pub(super) caller: String,
    pub(super) caller_name: Option<String>,
    pub(super) campaign: String,
    pub(super) tracking: String,
    pub(super) result: String,
    pub(super) result_class: &'static str,
    pub(super) talk: Option<String>,
    pub(super) player: Player,
}

/// What stands in the recording column.
pub(super) enum Player {
    /// A finished recording, with its waveform if the peaks file is there.
    Ready { waveform: Option<Waveform>, duration: String },
    /// Words instead of a recording; empty if nobody would expect one.
    Words(String),
}

impl CallView {
    /// `data_dir` is where recordings lie, `columns` the number of bars of the waveform.
    pub(super) fn new(record: &CallRecord, data_dir: &Path, columns: usize) -> Self {
        let (tone, result) = wording::result(record);
        let campaign = record.campaign.as_ref();
        Self {
            id: record.id.to_string(),
            order: record.seq,
            start: record.start_time.into(),
            caller: wording::caller(
                record.customer_phone_number.as_ref(),
                record.customer_number_presentation,
            ),
            caller_name: wording::caller_name(
                record.customer_name.as_deref(),
                record.customer_number_presentation,
            ),
            campaign: campaign.map_or_else(|| "No campaign".to_owned(), |campaign| campaign.name.clone()),
            tracking: wording::number(&record.tracking_phone_number),
            result,
            result_class: tone.class(),
            talk: record.timing_ms.talk.map(wording::duration),
            player: Player::new(record, data_dir, columns),
        }
    }
}

impl Player {
    fn new(record: &CallRecord, data_dir: &Path, columns: usize) -> Self {
        let recording = &record.recording;
        match recording.state {
            RecordingState::Closed | RecordingState::Recovered => {
                let peaks = recording_path(record, data_dir).map(|path| peaks_of(&path));
                let waveform = peaks.and_then(|path| waveform::read(&path, columns));
                Self::Ready { waveform, duration: wording::duration(recording.duration_ms) }
            }
            RecordingState::Writing => Self::Words("Being recorded".to_owned()),
            RecordingState::Failed => Self::Words(why_none(recording.why_none.as_deref())),
            RecordingState::Erased => Self::Words("Erased".to_owned()),
            RecordingState::None if record.answered => Self::Words(why_none(recording.why_none.as_deref())),
            RecordingState::None => Self::Words(String::new()),
        }
    }
}

fn why_none(why: Option<&str>) -> String {
    match why {
        Some("disk_low") => "Not recorded: the disk was nearly full".to_owned(),
        Some("recording_missing") => "The recording is missing".to_owned(),
        Some("disk_full") => "Not recorded: the disk was full".to_owned(),
        Some("no_key") => "Not recorded: the key to encrypt it was missing".to_owned(),
        Some("locked") => "The recording cannot be opened: the box's key is missing".to_owned(),
        Some(other) => format!("Not recorded: {}", wording::plain(other)),
        None => "Not recorded".to_owned(),
    }
}

/// Where the record says its recording lies; `None` if it names none, or a place outside the data directory.
pub(super) fn recording_path(record: &CallRecord, data_dir: &Path) -> Option<PathBuf> {
    let below = Path::new(record.recording.path.as_deref()?);
    let inside = below.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| data_dir.join(below))
}

/// The waveform beside a recording: `a.peaks` for `a.opus` and `a.opus.enc`.
fn peaks_of(recording: &Path) -> PathBuf {
    let name = recording.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split_once('.').map_or(&*name, |(stem, _)| stem);
    recording.with_file_name(format!("{stem}.peaks"))
}

/// A name and its value on a call's page.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// Everything else that a call's page shows.
pub(super) struct CallDetail {
    pub(super) facts: Vec<Fact>,
    pub(super) attribution: Vec<Fact>,
    pub(super) timing: Vec<Fact>,
    pub(super) sound: Vec<Fact>,
    pub(super) recording: Vec<Fact>,
    pub(super) warnings: Vec<String>,
    pub(super) legs: Vec<LegView>,
    pub(super) route: Vec<HopView>,
}

/// One side of a call.
pub(super) struct LegView {
    pub(super) kind: &'static str,
    pub(super) codec: String,
    pub(super) port: String,
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) caller_id: &'static str,
}

/// One hop of the call route.
pub(super) struct HopView {
    pub(super) hop: String,
    pub(super) what: String,
    pub(super) at: String,
}

impl CallDetail {
    /// `until` is when the next part of the call goes, and which.
    pub(super) fn new(record: &CallRecord, until: Option<(Part, WallTime)>) -> Self {
        let legs = record.legs.iter().map(|leg| LegView {
            kind: match leg.kind {
                LegKind::Trunk => "Trunk",
                LegKind::Line => "Line",
            },
            codec: leg.codec.clone().unwrap_or_default(),
            port: leg.port.clone().unwrap_or_default(),
            packets: leg.packets,
            lost: leg.lost,
            caller_id: if leg.cid_sent { "sent" } else { "" },
        });
        let route = record.route.iter().map(|hop| HopView {
            hop: hop.hop.clone(),
            what: wording::plain(&hop.what),
            at: milliseconds(hop.at_ms),
        });
        Self {
            facts: facts(record),
            attribution: attribution(record),
            timing: timing(record),
            sound: sound(record),
            recording: recording(record, until),
            warnings: warnings(record),
            legs: legs.collect(),
            route: route.collect(),
        }
    }
}

fn facts(record: &CallRecord) -> Vec<Fact> {
    let status = record.outcome.sip_status.map(|status| status.to_string());
    list([
        ("Call", Some(record.id.to_string())),
        ("Number on this box", Some(record.seq.to_string())),
        ("Revision", Some(record.rev.to_string())),
        ("Advertised number", record.advertised_phone_number.as_ref().map(wording::number)),
        ("Final SIP status", status),
        ("Reason", record.outcome.why.as_deref().map(wording::plain)),
        ("SIP Call-ID", Some(record.sip_call_id.clone())),
        ("Caller verified (verstat)", record.verstat.clone()),
        ("Proof of answer", record.answered_by.as_ref().map(|by| wording::plain(&by.evidence))),
    ])
}

fn attribution(record: &CallRecord) -> Vec<Fact> {
    let campaign = record.campaign.as_ref();
    let diverted = record.attribution.diversion.iter().map(|diverter| match &diverter.reason {
        Some(reason) => format!("{} ({reason})", diverter.number),
        None => diverter.number.clone(),
    });
    let diverted: Vec<String> = diverted.collect();
    list([
        ("Campaign", campaign.map(|campaign| campaign.name.clone())),
        ("Source", campaign.and_then(|campaign| campaign.source_name.clone())),
        ("Medium", campaign.and_then(|campaign| campaign.medium.clone())),
        ("Tracking number", Some(wording::number(&record.tracking_phone_number))),
        ("Found by", Some(wording::plain(&record.attribution.method))),
        ("Double forwarded", record.attribution.double_forwarded.then(|| "yes".to_owned())),
        ("Forwarded by", (!diverted.is_empty()).then(|| diverted.join(", then "))),
    ])
}

fn timing(record: &CallRecord) -> Vec<Fact> {
    let timing = &record.timing_ms;
    list([
        ("INVITE to bubble", timing.invite_to_bubble.map(milliseconds)),
        ("INVITE to first ring", timing.invite_to_ring.map(milliseconds)),
        ("Ringing", timing.ring.map(wording::duration)),
        ("Answer to audio", timing.answer_to_audio.map(milliseconds)),
        ("Talk", timing.talk.map(wording::duration)),
        ("On hold", (timing.hold > 0).then(|| wording::duration(timing.hold))),
        ("Whole call", Some(wording::duration(timing.total))),
        ("Safe on disk after", record.journaled_ms.map(milliseconds)),
    ])
}

/// What a person should look at.
fn warnings(record: &CallRecord) -> Vec<String> {
    let attribution = record.attribution.warnings.iter().map(|warning| wording::plain(warning));
    let one_way = record.legs.iter().filter(|leg| leg.one_way).map(|leg| {
        let words = wording::not_heard(leg.kind).to_lowercase();
        format!("{words}, for 10 seconds or more while the other side talked")
    });
    attribution.chain(one_way).collect()
}

/// How the caller's audio came through, ours at the far end, and the line.
fn sound(record: &CallRecord) -> Vec<Fact> {
    let Some(leg) = record.legs.iter().find(|leg| leg.kind == LegKind::Trunk) else { return Vec::new() };
    let line = record.legs.iter().find(|leg| leg.kind == LegKind::Line && leg.level_dbm0.is_some());
    list([
        ("Sound quality", leg.mos_cq.map(wording::quality)),
        ("Lost from the caller", wording::loss(leg)),
        ("Second copies", (leg.duplicates > 0).then(|| leg.duplicates.to_string())),
        ("Jitter (95 of 100 packets)", leg.jitter_ms_p95.map(|ms| format!("up to {ms} ms"))),
        ("Round trip on the network", leg.round_trip_ms.map(|ms| milliseconds(ms.into()))),
        ("Our audio at the far end", leg.far_end.as_ref().map(wording::far_end)),
        ("Level of the caller", wording::level(leg)),
        ("Level of the office", line.and_then(wording::level)),
        ("Echo of the line", line.and_then(wording::echo)),
        ("Fax", record.fax.as_deref().map(wording::fax)),
    ])
}

fn recording(record: &CallRecord, until: Option<(Part, WallTime)>) -> Vec<Fact> {
    let recording = &record.recording;
    let kept = until.map(|(part, at)| wording::kept_until(part, at));
    if recording.state == RecordingState::None && recording.id.is_none() {
        return list([("Kept", kept)]);
    }
    list([
        ("State", Some(wording::recording_state(record))),
        ("Length", Some(wording::duration(recording.duration_ms))),
        ("Silence for lost audio", (recording.gap_ms > 0).then(|| milliseconds(recording.gap_ms))),
        ("There", recording.completeness.map(wording::completeness)),
        ("Size", (recording.bytes > 0).then(|| format!("{} kB", recording.bytes.div_ceil(1000)))),
        ("Notice", Some(wording::plain(&record.consent.policy)).filter(|policy| !policy.is_empty())),
        (
            "Notice heard by",
            (!record.consent.heard_by.is_empty()).then(|| record.consent.heard_by.join(" and ")),
        ),
        ("Encrypted", recording.encryption.as_ref().map(|cipher| cipher.to_uppercase())),
        ("BLAKE3", recording.hash.clone()),
        ("BLAKE3 of the audio", recording.audio_hash.clone()),
        ("Kept", kept),
    ])
}

fn list<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Vec<Fact> {
    facts.into_iter().filter_map(|(name, value)| value.map(|value| Fact { name, value })).collect()
}

fn milliseconds(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { format!("{} s", ms / 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Ended, Presentation},
        web::{LiveBubbles, made_up},
    };

    fn view(bubble: crate::call::bubble::Bubble, now: WallTime) -> BubbleView {
        let live = LiveBubbles::new();
        live.publish(bubble);
        BubbleView::new(&live.snapshot()[0], now)
    }

    #[test]
    fn a_live_bubble_shows_its_timer_and_where_it_was_answered() {
        let bubble = made_up::answered(1);
        let now = WallTime(bubble.answered_at.unwrap().0 + 42_300);
        let view = view(bubble, now);
        assert_eq!(
            (view.class, view.state.as_str(), view.elapsed_ms),
            ("live", "On the phone", Some(42_300))
        );
        assert_eq!(view.elapsed.as_deref(), Some("0:42"));
        assert_eq!(view.answered_on.as_deref(), Some("Answered on PHONE1"));
        assert!(view.recording);
    }

    #[test]
    fn a_calls_page_says_how_it_sounded() {
        let detail = CallDetail::new(&made_up::record(1, Ended::CallerHungUp), None);
        let said: Vec<(&str, &str)> =
            detail.sound.iter().map(|fact| (fact.name, fact.value.as_str())).collect();
        assert_eq!(
            said,
            [
                ("Sound quality", "very good (4.4 of 4.5)"),
                ("Lost from the caller", "3 of 2102 packets, 1 of them too late"),
                ("Second copies", "2"),
                ("Jitter (95 of 100 packets)", "up to 4 ms"),
                ("Round trip on the network", "38 ms"),
                ("Our audio at the far end", "7 packets lost, jitter 5 ms"),
                ("Level of the caller", "-18 dBm0"),
            ]
        );
        let mut silent = made_up::record(2, Ended::Cancelled);
        silent.legs.clear();
        assert!(CallDetail::new(&silent, None).sound.is_empty());
    }

    #[test]
    fn an_ended_bubble_says_how_and_no_longer_records() {
        let mut bubble = made_up::ringing(1);
        bubble.state = BubbleState::Ended;
        bubble.ended = Some(Ended::Cancelled);
        let view = view(bubble, made_up::start(1));
        assert_eq!((view.class, view.state.as_str()), ("ended", "Ended · Caller gave up"));
        assert!(!view.recording && view.elapsed_ms.is_none());
    }

    #[test]
    fn an_anonymous_caller_stays_anonymous_in_sight_and_sound() {
        let mut bubble = made_up::ringing(1);
        bubble.presentation = Presentation::Restricted;
        let view = view(bubble, made_up::start(1));
        assert_eq!((view.caller.as_str(), view.caller_name), ("Anonymous caller", None));
        assert_eq!(view.spoken, "Ringing: Anonymous caller, Spring mailer");
    }

    #[test]
    fn the_title_counts_the_calls() {
        let of = |ringing, live| title(Counts { ringing, live });
        assert_eq!(of(0, 0), "ringside");
        assert_eq!(of(0, 2), "2 live · ringside");
        assert_eq!(of(1, 2), "2 live, 1 ringing · ringside");
    }

    #[test]
    fn a_record_cannot_lead_out_of_the_data_directory() {
        let mut record = made_up::record(1, Ended::CallerHungUp);
        record.recording.path = Some("rec/2026/a.opus".to_owned());
        assert_eq!(recording_path(&record, Path::new("data")), Some(PathBuf::from("data/rec/2026/a.opus")));
        for outside in ["../etc/passwd", "/etc/passwd", "rec/../../a"] {
            record.recording.path = Some(outside.to_owned());
            assert_eq!(recording_path(&record, Path::new("data")), None, "{outside}");
        }
    }
}
