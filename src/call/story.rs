//! The record of a call as it grows: what is known at the INVITE, and the route's hops in order.

use super::{
    event::Event,
    incoming::{Identity, Incoming, Route},
    ring_group::{Port, PortKind},
};
use crate::{
    audio::{
        fax::FaxTone,
        sound_report::{SoundReport, from_tenths},
    },
    handling::Handling,
    record::{
        CallRecord, Consent, Direction, Ended, FarEnd, Hop, Leg, LegKind, Outcome, Presentation, Recording,
        SCHEMA, Sync, Timing,
    },
    rtp::quality::Quality,
};

/// The record at the INVITE: revision 0, in progress.
pub(super) fn begin(identity: &Identity, incoming: Incoming, route: &Route, policy: &str) -> CallRecord {
    let hops = hops_before_the_box(&incoming);
    let hidden = incoming.presentation == Presentation::Restricted;
    CallRecord {
        schema: SCHEMA.to_owned(),
        id: identity.call,
        box_id: identity.box_id,
        seq: identity.seq,
        rev: 0,
        direction: Direction::Inbound,
        tracked: true,
        start_time: identity.start_time,
        clock: identity.clock_stamp(),
        customer_phone_number: incoming.caller_number.filter(|_| !hidden),
        customer_number_presentation: incoming.presentation,
        customer_name: incoming.caller_name.filter(|_| !hidden),
        verstat: incoming.verstat,
        tracking_phone_number: incoming.tracking_number,
        tracker_id: Some(route.tracker_id.clone()),
        advertised_phone_number: incoming.advertised_number,
        business_phone_number: route.forwarding_number.clone(),
        campaign: Some(route.campaign.clone()),
        attribution: incoming.attribution,
        timing_ms: Timing::default(),
        answered: false,
        answered_by: None,
        voicemail: false,
        duration: 0,
        outcome: Outcome { ended: Ended::InProgress, why: None, sip_status: None },
        legs: vec![leg(LegKind::Trunk)],
        route: hops,
        consent: Consent { policy: policy.to_owned(), ..Consent::default() },
        recording: Recording { why_none: Some("not_answered".to_owned()), ..Recording::default() },
        fax: None,
        handling: Handling::default(),
        sync: Sync::default(),
        journaled_ms: None,
        sip_call_id: incoming.sip_call_id,
    }
}

/// Whether this `verstat` says that the number is the caller's. It comes with the level of attestation behind a dash.
pub(super) fn is_verified(verstat: &str) -> bool {
    const PASSED: &str = "TN-Validation-Passed";
    verstat.get(..PASSED.len()).is_some_and(|head| head.eq_ignore_ascii_case(PASSED))
}

/// Who answers at a port of this kind.
pub(super) const fn answerer(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Phone => "handset",
        PortKind::Exchange => "pbx",
        PortKind::Line => "line",
    }
}

/// An empty leg.
const fn leg(kind: LegKind) -> Leg {
    Leg {
        kind,
        codec: None,
        port: None,
        packets: 0,
        lost: 0,
        late: 0,
        duplicates: 0,
        jitter_ms_p95: None,
        round_trip_ms: None,
        mos_cq: None,
        far_end: None,
        level_dbm0: None,
        clipped: 0,
        one_way: false,
        erl_db: None,
        erle_db: None,
        cid_sent: false,
    }
}

/// The leg of a port, added when the port first has to do with the call.
pub(super) fn line_leg<'a>(record: &'a mut CallRecord, port: &str) -> &'a mut Leg {
    let at = record.legs.iter().position(|leg| leg.port.as_deref() == Some(port)).unwrap_or_else(|| {
        record.legs.push(Leg { port: Some(port.to_owned()), ..leg(LegKind::Line) });
        record.legs.len() - 1
    });
    &mut record.legs[at]
}

/// What a ringing port reports.
pub(super) fn note_ring(record: &mut CallRecord, event: Event, port: &Port, at_ms: u64) {
    let what = match (event, port.kind) {
        (Event::CallerIdSent(_), _) => {
            line_leg(record, &port.name).cid_sent = true;
            return;
        }
        (Event::LineSeized(_), _) => "seized",
        (_, PortKind::Line) => "dialled the forwarding number",
        (_, PortKind::Phone | PortKind::Exchange) => "rings",
    };
    if !matches!(event, Event::LineSeized(_)) {
        record.timing_ms.invite_to_ring.get_or_insert(at_ms);
    }
    record.route.push(hop(&port.name, at_ms, what));
}

/// What the edges report about a call, whatever its state.
pub(super) fn note(record: &mut CallRecord, event: Event, at_ms: u64) {
    match event {
        Event::BubbleShown => {
            let shown = *record.timing_ms.invite_to_bubble.get_or_insert(at_ms);
            // The order to ring was given in the same breath and is carried out after the bubble is out.
            record.timing_ms.invite_to_ring = record.timing_ms.invite_to_ring.map(|rang| rang.max(shown));
        }
        Event::Journaled(ms) => {
            record.journaled_ms.get_or_insert(ms);
        }
        Event::NoticePlayed => {
            record.consent.disclosure_played = true;
            record.consent.heard_by = vec!["caller".to_owned(), "office".to_owned()];
        }
        Event::OneWay(Some(silent)) => {
            record.legs.iter_mut().filter(|leg| leg.kind == silent).for_each(|leg| leg.one_way = true);
        }
        Event::Fax(tone) => {
            record.fax.get_or_insert_with(|| fax_name(tone).to_owned());
        }
        Event::Unpatched { quality, sound, recorded_ms } => {
            if recorded_ms > 0 {
                record.recording.expected_ms = recorded_ms;
            }
            let answered_on = record.answered_by.as_ref().map(|by| by.port.clone());
            for leg in &mut record.legs {
                match leg.kind {
                    LegKind::Trunk => note_trunk(leg, &quality, &sound),
                    LegKind::Line if leg.port == answered_on => note_line(leg, &sound),
                    // It rang, and somebody else answered.
                    LegKind::Line => {}
                }
            }
        }
        Event::RingBegan(_)
        | Event::CallerIdSent(_)
        | Event::LineSeized(_)
        | Event::LineAnswered(..)
        | Event::LineRefused(..)
        | Event::LineOpened(_)
        | Event::LineFree(_)
        | Event::LineDead(_)
        | Event::Taken(_)
        | Event::PauseAsked
        | Event::ResumeAsked
        | Event::ReasonSaid(_)
        | Event::Parked
        | Event::TwoWay
        | Event::OffHook(_)
        | Event::OnHook(_)
        | Event::PortLost(_)
        | Event::Cancelled
        | Event::TrunkEnded(_)
        | Event::Media(_)
        | Event::AudioStarted
        | Event::OneWay(None)
        | Event::Stopped
        | Event::Deadline => {}
    }
}

fn note_trunk(leg: &mut Leg, quality: &Quality, sound: &SoundReport) {
    leg.level_dbm0 = sound.caller.active_tenths_dbm0.map(from_tenths);
    leg.clipped = sound.caller.clipped;
    leg.packets = quality.packets;
    leg.lost = quality.lost;
    leg.late = quality.late;
    leg.duplicates = quality.duplicates;
    leg.jitter_ms_p95 = quality.jitter_p95_ms;
    leg.round_trip_ms = quality.round_trip_ms;
    leg.mos_cq = quality.mos_cq_hundredths.map(|hundredths| f32::from(hundredths) / 100.0);
    leg.far_end = quality.far_end.map(|far| FarEnd { lost: far.lost, jitter_ms: far.jitter_ms });
}

fn note_line(leg: &mut Leg, sound: &SoundReport) {
    leg.level_dbm0 = sound.office.active_tenths_dbm0.map(from_tenths);
    leg.clipped = sound.office.clipped;
    leg.erl_db = sound.erl_tenths_db.map(from_tenths);
    leg.erle_db = sound.erle_tenths_db.map(from_tenths);
}

const fn fax_name(tone: FaxTone) -> &'static str {
    match tone {
        FaxTone::Cng => "cng",
        FaxTone::Ced => "ced",
        FaxTone::Ansam => "ansam",
        FaxTone::Preamble => "v21_preamble",
    }
}

/// One hop of the call route.
pub(super) fn hop(name: &str, at_ms: u64, what: &str) -> Hop {
    Hop { hop: name.to_owned(), at_ms, what: what.to_owned() }
}

/// The hops the trunk lets us see, from the caller inward, and the one hop that is ours.
fn hops_before_the_box(incoming: &Incoming) -> Vec<Hop> {
    let caller = match (&incoming.caller_number, incoming.presentation) {
        (Some(number), Presentation::Allowed) => format!("caller {number}"),
        _ => "caller".to_owned(),
    };
    let dialled = incoming.advertised_number.as_ref().unwrap_or(&incoming.tracking_number);
    let mut hops = vec![hop(&caller, 0, &format!("dialled {dialled}"))];
    for diverter in &incoming.attribution.diversion {
        let reason = diverter.reason.as_deref().unwrap_or("unknown");
        hops.push(hop(&format!("diversion {}", diverter.number), 0, &format!("forwarded: {reason}")));
    }
    for host in incoming.via.iter().rev() {
        hops.push(hop(&format!("via {host}"), 0, "passed the INVITE on"));
    }
    hops.push(hop("box", 0, &format!("received for {}", incoming.tracking_number)));
    hops
}

/// The text beside the caller's number on a phone's display: the campaign's tag, then the caller's name, in 15
/// printable ASCII characters (GR-30 allows no more).
pub(super) fn display_text(tag: &str, name: Option<&str>) -> String {
    const DISPLAY_CHARS: usize = 15;
    const TAG_CHARS_BESIDE_NAME: usize = 7;
    let ascii = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(DISPLAY_CHARS).collect()
    };
    let tag = ascii(tag);
    match name.map(ascii).filter(|name| !name.is_empty()) {
        None => tag,
        Some(name) => {
            let tag: String = tag.chars().take(TAG_CHARS_BESIDE_NAME).collect();
            ascii(format!("{} {name}", tag.trim_end()).trim_start())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_shows_the_tag_and_the_name_in_fifteen_characters() {
        assert_eq!(display_text("Spring mailer", None), "Spring mailer");
        assert_eq!(display_text("Spring mailer", Some("Dana Ortiz")), "Spring Dana Ort");
        assert_eq!(display_text("", Some("Zoë\u{7}")), "Zo");
    }
}
