//! Calls that never were, for the tests of this folder.

use crate::{
    call::bubble::{Bubble, BubbleState},
    handling::Handling,
    id::{BoxId, CallId},
    record::{
        AnsweredBy, Attribution, CallRecord, Campaign, Consent, Direction, Ended, FarEnd, Hop, Leg, LegKind,
        Outcome, Presentation, Recording, SCHEMA, Sync, Timing,
    },
    time::WallTime,
};

/// 2026-11-22T13:05:09Z, and a minute more for each call.
pub(crate) fn start(n: u64) -> WallTime {
    WallTime(1_795_352_709_000 + n * 60_000)
}

pub(crate) fn call(n: u64) -> CallId {
    CallId::from_parts(start(n), u128::from(n))
}

pub(crate) fn ringing(n: u64) -> Bubble {
    Bubble {
        call: call(n),
        rev: 1,
        state: BubbleState::Ringing,
        start_time: start(n),
        caller_number: "+12065550173".parse().ok(),
        presentation: Presentation::Allowed,
        caller_name: Some("Dana Ortiz".to_owned()),
        verified: false,
        tracking_number: "+13125550100".parse().expect("a number"),
        campaign: "Spring mailer".to_owned(),
        port: None,
        answered_at: None,
        recording: false,
        silent: None,
        ended: None,
        why: None,
    }
}

pub(crate) fn answered(n: u64) -> Bubble {
    Bubble {
        rev: 2,
        state: BubbleState::Live,
        port: Some("PHONE1".to_owned()),
        answered_at: Some(WallTime(start(n).0 + 8000)),
        recording: true,
        ..ringing(n)
    }
}

pub(crate) fn ended(n: u64) -> Bubble {
    Bubble { rev: 3, state: BubbleState::Ended, ended: Some(Ended::CallerHungUp), ..answered(n) }
}

pub(crate) fn record(n: u64, ended: Ended) -> CallRecord {
    let answered = matches!(ended, Ended::CallerHungUp | Ended::OfficeHungUp | Ended::TrunkLost);
    CallRecord {
        schema: SCHEMA.to_owned(),
        id: call(n),
        box_id: BoxId::from_parts(start(0), 7),
        seq: n,
        rev: 1,
        direction: Direction::Inbound,
        tracked: true,
        start_time: start(n),
        clock: None,
        customer_phone_number: "+12065550173".parse().ok(),
        customer_number_presentation: Presentation::Allowed,
        customer_name: Some("Dana Ortiz".to_owned()),
        verstat: None,
        tracking_phone_number: "+13125550100".parse().expect("a number"),
        tracker_id: None,
        advertised_phone_number: None,
        business_phone_number: None,
        campaign: Some(Campaign {
            id: "spring".to_owned(),
            name: "Spring mailer".to_owned(),
            source_name: Some("Postcard".to_owned()),
            medium: Some("print".to_owned()),
        }),
        attribution: Attribution { method: "request_uri".to_owned(), ..Attribution::default() },
        timing_ms: Timing { talk: answered.then_some(42_000), total: 50_000, ..Timing::default() },
        answered,
        answered_by: answered.then(|| AnsweredBy {
            kind: "handset".to_owned(),
            port: "PHONE1".to_owned(),
            evidence: "off_hook".to_owned(),
        }),
        voicemail: false,
        duration: 50,
        outcome: Outcome { ended, why: None, sip_status: Some(200) },
        legs: vec![Leg {
            kind: LegKind::Trunk,
            codec: Some("PCMU".to_owned()),
            port: None,
            packets: 2100,
            lost: 3,
            late: 1,
            duplicates: 2,
            jitter_ms_p95: Some(4),
            round_trip_ms: Some(38),
            mos_cq: Some(4.36),
            far_end: Some(FarEnd { lost: 7, jitter_ms: 5 }),
            level_dbm0: Some(-18.4),
            clipped: 0,
            one_way: false,
            erl_db: None,
            erle_db: None,
            cid_sent: false,
        }],
        route: vec![Hop { hop: "box".to_owned(), at_ms: 0, what: "invite".to_owned() }],
        consent: Consent::default(),
        recording: Recording::default(),
        fax: None,
        handling: Handling::default(),
        sync: Sync::default(),
        journaled_ms: Some(3),
        sip_call_id: "abc@192.0.2.1".to_owned(),
    }
}
