//! A call that never was, and books to keep it in, for tests.

use super::{
    request::{Books, Listing, Place},
    retention,
    standing::{Asked, Standing, Standings},
};
use crate::{
    id::{BoxId, CallId},
    number::E164,
    record::{CallRecord, SCHEMA},
    time::WallTime,
};
use std::collections::BTreeMap;

/// 2026-11-22T13:05:09Z.
pub(crate) const START: WallTime = WallTime(1_795_352_709_000);

/// A finished call that nobody recorded.
pub(crate) fn record(n: u64) -> CallRecord {
    let id = CallId::from_parts(WallTime(START.0 + n), u128::from(n));
    let box_id = BoxId::from_parts(START, 7);
    let json = serde_json::json!({
        "schema": SCHEMA, "id": id, "box_id": box_id, "seq": n, "rev": 2, "direction": "inbound", "tracked": true,
        "start_time": WallTime(START.0 + n), "customer_phone_number": "+12065550173",
        "customer_number_presentation": "allowed", "customer_name": "Dana Ortiz", "verstat": "TN-Validation-Passed",
        "tracking_phone_number": "+13125550100", "tracker_id": "trk_1", "advertised_phone_number": "+13125550111",
        "business_phone_number": "+13125550122", "campaign": null,
        "attribution": {"method": "request_uri", "double_forwarded": true,
            "diversion": [{"number": "+13125550133", "reason": "unconditional"}], "warnings": []},
        "timing_ms": {"invite_to_bubble": 1, "invite_to_ring": 2, "ring": 3, "sip_200_sent": 4, "answer_to_audio": 5,
            "talk": 60_000, "hold": 0, "total": 70_000},
        "answered": true, "answered_by": {"kind": "handset", "port": "PHONE1", "evidence": "off_hook"},
        "voicemail": false, "duration": 70,
        "outcome": {"ended": "caller_hung_up", "why": null, "sip_status": 200}, "legs": [],
        "route": [{"hop": "caller", "at_ms": 0, "what": "+12065550173"}],
        "consent": {"policy": "announce", "disclosure_played": true, "heard_by": ["caller"]},
        "recording": {"id": null, "state": "none", "codec": "", "container": "", "channels": 0, "channel_map": [],
            "duration_ms": 0, "expected_ms": 0, "gap_ms": 0, "path": null, "bytes": 0, "hash": null, "why_none": null},
        "sync": {"record_acked_rev": 0, "recording_acked": false}, "journaled_ms": 3, "sip_call_id": "abc@192.0.2.1",
    });
    serde_json::from_value(json).expect("a record")
}

/// Books in memory.
#[derive(Default)]
pub(crate) struct Ledger {
    calls: BTreeMap<CallId, CallRecord>,
    pub(crate) standings: Standings,
}

impl Ledger {
    pub(crate) fn put(&mut self, record: CallRecord) {
        self.calls.insert(record.id, record);
    }
}

impl Books for Ledger {
    fn due(&self, now: WallTime, limit: usize) -> Option<Vec<Asked>> {
        let asked = self.standings.asked().into_iter();
        Some(asked.filter(|one| one.due <= now).take(limit).collect())
    }

    fn expired(&self, before: WallTime, after: Option<Place>, limit: usize) -> Option<Vec<CallRecord>> {
        let mut calls: Vec<&CallRecord> = self.calls.values().collect();
        calls.sort_by_key(|record| Place::from(*record));
        let old = calls.into_iter().filter(|record| record.start_time < before);
        let new = old.filter(|record| after.is_none_or(|after| Place::from(*record) > after));
        Some(new.take(limit).cloned().collect())
    }

    fn get(&self, call: CallId) -> Option<CallRecord> {
        self.calls.get(&call).cloned()
    }

    fn standing(&self, call: CallId) -> Option<Standing> {
        Some(self.standings.of(call))
    }

    fn calls_of(&self, number: &E164, limit: usize) -> Option<Vec<CallId>> {
        let calls = self.calls.values().filter(|one| one.customer_phone_number.as_ref() == Some(number));
        Some(calls.filter(|one| !retention::is_erased(one)).map(|one| one.id).take(limit).collect())
    }

    fn listing(&self) -> Option<Listing> {
        Some(Listing { asked: self.standings.asked(), held: self.standings.held(), ..Listing::default() })
    }
}
