//! Calls that never were, for the tests of this folder.

use crate::{
    handling::Handling,
    id::{BoxId, CallId},
    record::{
        AnsweredBy, Attribution, CallRecord, Campaign, Consent, Direction, Ended, Outcome, Presentation,
        Recording, SCHEMA, Sync, Timing,
    },
    time::WallTime,
};

/// A call that was answered; each comes in an hour after the one before, from 2026-11-22T13:05:09Z on.
pub(super) fn record(n: u64) -> CallRecord {
    let start = WallTime(1_795_352_709_000 + n * 3_600_000);
    CallRecord {
        schema: SCHEMA.to_owned(),
        id: CallId::from_parts(start, u128::from(n)),
        box_id: BoxId::from_parts(start, 7),
        seq: n,
        rev: 1,
        direction: Direction::Inbound,
        tracked: true,
        start_time: start,
        clock: None,
        customer_phone_number: format!("+1206555{:04}", 100 + n).parse().ok(),
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
            medium: None,
        }),
        attribution: Attribution::default(),
        timing_ms: Timing { ring: Some(6_000), talk: Some(42_000), total: 50_000, ..Timing::default() },
        answered: true,
        answered_by: Some(AnsweredBy {
            kind: "handset".to_owned(),
            port: "PHONE1".to_owned(),
            evidence: "off_hook".to_owned(),
        }),
        voicemail: false,
        duration: 50,
        outcome: Outcome { ended: Ended::CallerHungUp, why: None, sip_status: Some(200) },
        legs: Vec::new(),
        route: Vec::new(),
        consent: Consent::default(),
        recording: Recording::default(),
        fax: None,
        handling: Handling::default(),
        sync: Sync::default(),
        journaled_ms: None,
        sip_call_id: "abc@192.0.2.1".to_owned(),
    }
}
