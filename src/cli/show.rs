//! One call for a person: its facts in words, then its way.

use super::said::{recording, start};
use crate::{
    note::Part,
    number::E164,
    record::{CallRecord, LegKind, RecordingState},
    time::WallTime,
    web::{attribution_wording, wording},
};
use jiff::tz::TimeZone;
use std::fmt::Write as _;

/// The call in words, with times in `zone`; `until` is when the next part of it goes, and which.
pub(super) fn show(record: &CallRecord, until: Option<(Part, WallTime)>, zone: &TimeZone) -> String {
    let recorded = record.recording.state != RecordingState::None;
    let number = |number: &Option<E164>| number.as_ref().map(wording::number);
    let ms = |ms: Option<u64>| ms.map(|ms| format!("{ms} ms"));
    let trunk = record.legs.iter().find(|leg| leg.kind == LegKind::Trunk);
    let line = record.legs.iter().find(|leg| leg.kind == LegKind::Line && leg.level_dbm0.is_some());
    let not_heard = record.legs.iter().find(|leg| leg.one_way).map(|leg| wording::not_heard(leg.kind));
    let presentation = record.customer_number_presentation;
    let facts = [
        ("call", Some(record.id.to_string())),
        ("start", Some(start(record, zone))),
        ("caller", Some(wording::caller(record.customer_phone_number.as_ref(), presentation))),
        ("name", wording::caller_name(record.customer_name.as_deref(), presentation)),
        ("tracking number", Some(wording::number(&record.tracking_phone_number))),
        ("found by", Some(attribution_wording::method(&record.attribution.method))),
        ("confidence", record.attribution.confidence.map(attribution_wording::confidence)),
        ("verified", record.is_caller_verified().then(|| "the caller's number, by the network".to_owned())),
        ("advertised number", number(&record.advertised_phone_number)),
        ("forwarding number", number(&record.business_phone_number)),
        ("campaign", record.campaign.as_ref().map(|campaign| campaign.name.clone())),
        ("source", record.campaign.as_ref().and_then(|campaign| campaign.source_name.clone())),
        ("result", Some(wording::result(record).1)),
        ("first ring after", ms(record.timing_ms.invite_to_ring)),
        ("rang for", record.timing_ms.ring.map(wording::duration)),
        ("talked for", record.timing_ms.talk.map(wording::duration)),
        ("on disk after", ms(record.journaled_ms)),
        ("recording", Some(recording(record))),
        ("state", recorded.then(|| wording::recording_state(record))),
        ("there", record.recording.completeness.map(wording::completeness)),
        ("kept", until.map(|(part, at)| wording::kept_until(part, at))),
        ("sound", trunk.and_then(|leg| leg.mos_cq).map(wording::quality)),
        ("lost", trunk.and_then(wording::loss)),
        ("jitter", trunk.and_then(|leg| leg.jitter_ms_p95).map(|ms| format!("up to {ms} ms"))),
        ("round trip", ms(trunk.and_then(|leg| leg.round_trip_ms).map(u64::from))),
        ("at the far end", trunk.and_then(|leg| leg.far_end.as_ref()).map(wording::far_end)),
        ("caller's level", trunk.and_then(wording::level)),
        ("office's level", line.and_then(wording::level)),
        ("echo", line.and_then(wording::echo)),
        ("one way", not_heard.map(|words| format!("{words} for 10 s or more"))),
        ("fax", record.fax.as_deref().map(wording::fax)),
        ("file", record.recording.path.clone()),
        ("warnings", Some(record.attribution.warnings.join(", ")).filter(|text| !text.is_empty())),
        ("SIP status", record.outcome.sip_status.map(|status| status.to_string())),
        ("SIP Call-ID", Some(record.sip_call_id.clone())),
    ];
    let mut out = String::new();
    // Writing to a String does not fail.
    for (name, value) in facts {
        let _ = value.map(|value| writeln!(out, "{name:<18} {value}"));
    }
    out.push_str("way\n");
    for hop in &record.route {
        let _ = writeln!(out, "  {:>6} ms  {}: {}", hop.at_ms, hop.hop, hop.what);
    }
    out.truncate(out.trim_end().len());
    out
}
