//! The call record, schema `ringside.call/1`: what is indexed, shown and synced.
//!
//! Facts are stored raw; vendors' labels are derived from them. Times are UTC, `*_ms` are measured on the
//! monotonic clock, and the order of records is `(box_id, seq)` because the wall clock may jump. Field names follow
//! the public CallRail v3 call resource where it has one.

use crate::{
    handling::Handling,
    id::{BoxId, CallId, ProofId, RecordingId},
    number::E164,
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// The schema name written into every record.
pub const SCHEMA: &str = "ringside.call/1";

/// One call to a tracking number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Identity of the call.
    pub id: CallId,
    /// The box that took it.
    pub box_id: BoxId,
    /// Contiguous number of the call on this box, 1-based.
    pub seq: u64,
    /// Revision of this record, 1-based; a higher one replaces a lower one.
    pub rev: u32,
    /// `inbound`.
    pub direction: Direction,
    /// Whether the call was placed to a tracking number.
    pub tracked: bool,
    /// Wall-clock time of the INVITE.
    pub start_time: WallTime,
    /// How far that time can be trusted, and the other clock at the same moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockStamp>,
    /// The caller's number; absent if withheld or unavailable.
    pub customer_phone_number: Option<E164>,
    /// Whether the caller's number may be shown.
    pub customer_number_presentation: Presentation,
    /// The caller's name as the trunk gave it.
    pub customer_name: Option<String>,
    /// The trunk's verdict on the caller's number (3GPP TS 24.229 `verstat`), as received.
    pub verstat: Option<String>,
    /// The tracking number that was called.
    pub tracking_phone_number: E164,
    /// Id of the tracking number's directory entry.
    pub tracker_id: Option<String>,
    /// The advertised number the caller dialled, when the trunk tells.
    pub advertised_phone_number: Option<E164>,
    /// The forwarding number behind the tracking number.
    pub business_phone_number: Option<E164>,
    /// The campaign the tracking number belongs to.
    pub campaign: Option<Campaign>,
    /// How the campaign was found.
    pub attribution: Attribution,
    /// Durations, all from the INVITE unless the name says otherwise.
    pub timing_ms: Timing,
    /// Whether a handset went off hook.
    pub answered: bool,
    /// Who answered, and the evidence.
    pub answered_by: Option<AnsweredBy>,
    /// Reserved for lines that end in voicemail; never set for a handset.
    pub voicemail: bool,
    /// Seconds from the INVITE to the end of the call.
    pub duration: u64,
    /// How the call ended.
    pub outcome: Outcome,
    /// The call's trunk and line sides.
    pub legs: Vec<Leg>,
    /// The hops the call passed through, in order.
    pub route: Vec<Hop>,
    /// What was played and to whom.
    pub consent: Consent,
    /// The recording, or why there is none.
    pub recording: Recording,
    /// First fax or modem tone that was heard: `cng`, `ced`, `ansam`, `v21_preamble`.
    #[serde(default)]
    pub fax: Option<String>,
    /// What the office made of the call.
    #[serde(default, skip_serializing_if = "Handling::is_empty")]
    pub handling: Handling,
    /// What the upstream has confirmed.
    pub sync: Sync,
    /// Milliseconds from the INVITE until the call's first journal entry was durable.
    pub journaled_ms: Option<u64>,
    /// Call-ID of the SIP dialog, for support.
    pub sip_call_id: String,
}

impl CallRecord {
    /// Whether the network vouches for the number that is shown. Anything else that it says of it is not shown: a
    /// number that failed or was not checked is no worse than one of a trunk that tells nothing.
    #[must_use]
    pub fn is_caller_verified(&self) -> bool {
        // 3GPP TS 24.229 7.2A.20; some networks append what they passed it by: `TN-Validation-Passed-A`.
        let passed = |verdict: &str| verdict.starts_with("TN-Validation-Passed");
        self.customer_phone_number.is_some() && self.verstat.as_deref().is_some_and(passed)
    }
}

/// The box's clocks at the INVITE. The order of calls is that of their numbers, whatever the clocks say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStamp {
    /// Whether the wall clock was right.
    pub state: ClockState,
    /// The run of the daemon, 16 hex digits.
    pub boot_id: String,
    /// Milliseconds since the start of that run, by the monotonic clock.
    pub monotonic_ms: u64,
}

/// State of the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// Nothing has set it since the power came: a board without a battery starts somewhere.
    #[default]
    Unsynced,
    /// Kept by NTP.
    Synced,
    /// It jumped by more than a second since the daemon started.
    Stepped,
}

/// Direction of a call seen from the office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the trunk to the office.
    Inbound,
}

/// Presentation of the caller's number (RFC 3323, RFC 3325; GR-30 absence reasons P and O).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// The number may be shown.
    #[default]
    Allowed,
    /// The caller withheld it: never shown, never guessed.
    Restricted,
    /// The network has none.
    Unavailable,
}

/// The campaign as it was when the call came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Id of the campaign in the directory.
    pub id: String,
    /// Name shown to the office.
    pub name: String,
    /// Where the number is advertised: `Google Ads`, `Spring mailer`.
    pub source_name: Option<String>,
    /// Kind of advertising: `print`, `web`, `radio`.
    pub medium: Option<String>,
}

/// How the tracking number was found, and what else the trunk said about the way of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Where the tracking number was taken from: `request_uri`, `to`, `p_called_party_id`, `history_info`, `header`.
    pub method: String,
    /// Whether the trunk shows that an advertised number was forwarded to the tracking number.
    pub double_forwarded: bool,
    /// How sure the campaign is, by the rule of `call::attribution`; records of before say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The newest proof that the advertised number forwards here (`fwp_…`), if there was one when the call came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_id: Option<ProofId>,
    /// Attestation of the caller's number that the trunk states (RFC 8588 4): `A`, `B`, `C`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<String>,
    /// Diverting parties, first diverter first (RFC 5806, RFC 7044).
    pub diversion: Vec<Diverter>,
    /// Things a person should look at, the words of `call::attribution`: `caller_is_diverter`, `conditional_forward` …
    pub warnings: Vec<String>,
}

/// How sure it is which campaign brought a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Two readings are possible: a person should look.
    Unsure,
    /// One reading, with something missing.
    Likely,
    /// Nothing speaks against it.
    Certain,
}

/// One party that forwarded the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverter {
    /// The diverting number, as E.164 where it is one, else as received.
    pub number: String,
    /// Reason as received: `unconditional`, `no-answer`, `user-busy`, `unknown`.
    pub reason: Option<String>,
}

/// Durations of a call in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// INVITE to bubble.
    pub invite_to_bubble: Option<u64>,
    /// INVITE to the first ring burst.
    pub invite_to_ring: Option<u64>,
    /// First ring burst to off-hook, or to the end of ringing.
    pub ring: Option<u64>,
    /// INVITE to our 200.
    pub sip_200_sent: Option<u64>,
    /// Off-hook to the first audio from the trunk.
    pub answer_to_audio: Option<u64>,
    /// Off-hook to the end of the call.
    pub talk: Option<u64>,
    /// Time on hold.
    pub hold: u64,
    /// INVITE to the end of the call.
    pub total: u64,
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// `handset`.
    pub kind: String,
    /// Name of the port: `PHONE1`.
    pub port: String,
    /// What proves it: `off_hook`, `polarity`, `voice`, `assumed`, `two_way_speech`.
    pub evidence: String,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The end of the call.
    pub ended: Ended,
    /// Why it was not put through, or not to its end: `all_ports_busy`, `no_common_codec`, `line_lost`,
    /// `taken_for_emergency`; absent when nothing is to be explained.
    pub why: Option<String>,
    /// Final SIP status we sent for the INVITE.
    pub sip_status: Option<u16>,
}

/// The end of a call, from the office's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Still going on (entries before the end only).
    InProgress,
    /// The caller gave up while the phones rang (CANCEL).
    Cancelled,
    /// Nobody answered within the ring timeout.
    NoAnswer,
    /// It never rang: every port was busy.
    Busy,
    /// It could not be put through; `why` tells.
    Failed,
    /// Answered; the caller hung up first.
    CallerHungUp,
    /// Answered; the office hung up first.
    OfficeHungUp,
    /// Answered; the trunk was lost (no ACK, session or media time-out).
    TrunkLost,
    /// The daemon or the power failed while the call was up.
    Interrupted,
}

/// One side of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Trunk or line.
    pub kind: LegKind,
    /// Codec on the trunk side: `PCMU`, `PCMA`.
    pub codec: Option<String>,
    /// Port name on the line side.
    pub port: Option<String>,
    /// RTP packets received.
    pub packets: u64,
    /// RTP packets that never came or came too late.
    pub lost: u64,
    /// Of these, the ones that came too late.
    #[serde(default)]
    pub late: u64,
    /// Second copies of RTP packets.
    #[serde(default)]
    pub duplicates: u64,
    /// Interarrival jitter that 95 of 100 packets did not exceed (RFC 3550 6.4.1).
    #[serde(default)]
    pub jitter_ms_p95: Option<u32>,
    /// Mean round trip to the far end's RTP, measured by RTCP.
    #[serde(default)]
    pub round_trip_ms: Option<u32>,
    /// Estimated conversational quality as a mean opinion score, 1 to 4.5 (ITU-T G.107).
    #[serde(default)]
    pub mos_cq: Option<f32>,
    /// What the far end reported last about the audio it got from us.
    #[serde(default)]
    pub far_end: Option<FarEnd>,
    /// Mean level of this leg in dBm0 while somebody talked.
    #[serde(default)]
    pub level_dbm0: Option<f32>,
    /// Samples at the end of the range: somebody was too loud.
    #[serde(default)]
    pub clipped: u64,
    /// Whether this leg was silent for 10 s while the other one talked.
    #[serde(default)]
    pub one_way: bool,
    /// Echo return loss of the line (ITU-T G.168 3.2.6).
    #[serde(default)]
    pub erl_db: Option<f32>,
    /// What the echo canceller took off beyond that (ITU-T G.168 3.2.7).
    #[serde(default)]
    pub erle_db: Option<f32>,
    /// Whether caller ID was sent to the phone.
    pub cid_sent: bool,
}

/// The other side's view of what we sent, by RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarEnd {
    /// Packets of ours that it did not get.
    pub lost: u64,
    /// Interarrival jitter that it saw.
    pub jitter_ms: u32,
}

/// Kind of leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegKind {
    /// The SIP provider's side.
    Trunk,
    /// The office's phone.
    Line,
}

/// One hop of the call route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The party: `caller`, `via 203.0.113.4`, `diversion +1312…`, `box`, `PHONE1`.
    pub hop: String,
    /// Milliseconds after the INVITE.
    pub at_ms: u64,
    /// What happened there.
    pub what: String,
}

/// Recording notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// `announce`, `beep`, `gate`, `one_party`, `off`.
    pub policy: String,
    /// Whether the notice was played to its end.
    pub disclosure_played: bool,
    /// Who could hear it: `caller`, `office`.
    pub heard_by: Vec<String>,
}

/// The recording of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Identity of the recording.
    pub id: Option<RecordingId>,
    /// Where it stands.
    pub state: RecordingState,
    /// `opus`.
    pub codec: String,
    /// `ogg`.
    pub container: String,
    /// Number of channels: 2.
    pub channels: u8,
    /// Channel 0 and 1: `["caller","office"]`.
    pub channel_map: Vec<String>,
    /// Length that is really in the file.
    pub duration_ms: u64,
    /// Length that the bridged time asks for, by the line's clock, from the start of the notice on.
    pub expected_ms: u64,
    /// Milliseconds of silence written where audio was lost between the line and the file.
    pub gap_ms: u64,
    /// Milliseconds of each leg that are really in the file: caller, office.
    #[serde(default)]
    pub captured_ms: [u64; 2],
    /// The share of `expected_ms` that is there, of the leg that has less, 0 to 1; absent if nothing was to be recorded
    /// or it is not closed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<f32>,
    /// Path below the data directory.
    pub path: Option<String>,
    /// Bytes of the finished file.
    pub bytes: u64,
    /// BLAKE3 of the finished file as it lies on the disk, hex.
    pub hash: Option<String>,
    /// `xchacha20poly1305` if the file is encrypted.
    #[serde(default)]
    pub encryption: Option<String>,
    /// BLAKE3 of the Opus file inside an encrypted one, hex.
    #[serde(default)]
    pub audio_hash: Option<String>,
    /// Why there is no recording: `not_answered`, `disk_full`.
    pub why_none: Option<String>,
    /// Where the audio was left out on purpose; silence is in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// The box's ed25519 signature over what the recording is, hex; see `recording::seal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// A stretch of a recording that was left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Milliseconds from the start of the recording.
    pub at_ms: u64,
    /// Its length.
    pub duration_ms: u64,
}

/// State of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// There is none.
    #[default]
    None,
    /// Being written.
    Writing,
    /// Closed and whole.
    Closed,
    /// Cut short by a crash or a power cut; the length is what is really in the file.
    Recovered,
    /// The file is missing or could not be written.
    Failed,
    /// Erased lawfully: the digest stays, the audio is gone; `why_none` tells by whom.
    Erased,
}

/// What the upstream has confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// Highest acknowledged revision; 0 if none.
    pub record_acked_rev: u32,
    /// Whether the recording was acknowledged.
    pub recording_acked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_written_before_quality_was_measured_still_reads() {
        let old = r#"{"kind":"trunk","codec":"PCMU","port":null,"packets":9,"lost":1,"cid_sent":false}"#;
        let leg: Leg = serde_json::from_str(old).unwrap();
        assert_eq!((leg.packets, leg.lost, leg.late, leg.duplicates), (9, 1, 0, 0));
        assert_eq!((leg.jitter_ms_p95, leg.round_trip_ms, leg.mos_cq, leg.far_end), (None, None, None, None));
    }

    #[test]
    fn a_score_is_written_as_it_is_said() {
        let old = r#"{"kind":"trunk","codec":null,"port":null,"packets":9,"lost":1,"cid_sent":false}"#;
        let leg = Leg { mos_cq: Some(4.36), ..serde_json::from_str(old).unwrap() };
        let text = serde_json::to_string(&leg).unwrap();
        assert!(text.contains("\"mos_cq\":4.36"), "{text}");
        assert_eq!(serde_json::from_str::<Leg>(&text).unwrap(), leg);
    }
}
