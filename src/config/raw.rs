//! The file as it is written: every key optional and, where a later check may object, with its place.
//!
//! Field names are the keys of the file; the meaning, unit and default of each are at the typed values in the
//! parent module.

use serde::Deserialize;
use toml::Spanned;

/// Text with its place.
pub(super) type Text = Option<Spanned<String>>;
/// A whole number with its place.
pub(super) type Number = Option<Spanned<i64>>;
/// A list of texts with their places.
pub(super) type Texts = Option<Vec<Spanned<String>>>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) site: Site,
    pub(super) board: Board,
    pub(super) sip: Sip,
    pub(super) trunk: Vec<Spanned<Trunk>>,
    pub(super) rtp: Rtp,
    pub(super) web: Web,
    pub(super) calls: Calls,
    pub(super) recording: Recording,
    pub(super) retention: Retention,
    pub(super) upstream: Option<Spanned<Upstream>>,
    pub(super) webhook: Vec<Spanned<Webhook>>,
    pub(super) lookup: Option<Spanned<Lookup>>,
    pub(super) phone: Vec<Spanned<Phone>>,
    pub(super) line: Vec<Spanned<Line>>,
    pub(super) emergency: Emergency,
    pub(super) ring_group: Vec<Spanned<RingGroup>>,
    pub(super) campaign: Vec<Spanned<Campaign>>,
    pub(super) tracking_number: Vec<Spanned<TrackingNumber>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Site {
    pub(super) name: Text,
    pub(super) country: Text,
    pub(super) time_zone: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Board {
    pub(super) profile: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sip {
    pub(super) listen: Text,
    pub(super) user_agent: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Trunk {
    pub(super) name: Text,
    pub(super) mode: Text,
    pub(super) registrar: Text,
    pub(super) domain: Text,
    pub(super) user: Text,
    pub(super) auth_user: Text,
    pub(super) password: Text,
    pub(super) expires_s: Number,
    pub(super) did_source: Text,
    pub(super) allow: Texts,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rtp {
    pub(super) ports: Option<Spanned<Vec<Spanned<i64>>>>,
    pub(super) address: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Web {
    pub(super) listen: Text,
    pub(super) trust_loopback: Option<Spanned<bool>>,
    pub(super) names: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) ring_timeout_s: Number,
    pub(super) cpc_ms: Number,
    pub(super) reorder_s: Number,
    pub(super) call_waiting: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Recording {
    pub(super) policy: Text,
    pub(super) administrator_reason: Text,
    pub(super) notice: Text,
    pub(super) bitrate_bps: Number,
    pub(super) complexity: Number,
    pub(super) encrypt: Option<Spanned<bool>>,
    pub(super) owner_key: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) recordings_days: Number,
    pub(super) records_days: Number,
    pub(super) missed_days: Number,
    pub(super) grace_days: Number,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) url: Text,
    pub(super) token: Text,
    pub(super) token_file: Text,
    pub(super) client_certificate: Text,
    pub(super) client_key: Text,
    pub(super) ca: Text,
    pub(super) uplink_kbps: Number,
    pub(super) uplink_percent: Number,
    pub(super) calls_kbps: Number,
    pub(super) marking: Text,
    pub(super) site_key: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) url: Text,
    pub(super) secret: Text,
    pub(super) signing: Text,
    pub(super) events: Texts,
    pub(super) allow_http: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lookup {
    pub(super) url: Text,
    pub(super) secret: Text,
    pub(super) signing: Text,
    pub(super) allow_http: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Phone {
    pub(super) port: Text,
    pub(super) to_phone_db: Number,
    pub(super) from_phone_db: Number,
    pub(super) echo_canceller: Option<Spanned<bool>>,
    pub(super) pbx: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Line {
    pub(super) port: Text,
    pub(super) number: Text,
    pub(super) dialling: Text,
    pub(super) to_line_db: Number,
    pub(super) from_line_db: Number,
    pub(super) echo_canceller: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Emergency {
    pub(super) callback: Text,
    pub(super) address: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RingGroup {
    pub(super) name: Text,
    pub(super) ports: Texts,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Campaign {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) tag: Text,
    pub(super) source_name: Text,
    pub(super) medium: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TrackingNumber {
    pub(super) id: Text,
    pub(super) number: Text,
    pub(super) campaign: Text,
    pub(super) ring_group: Text,
    pub(super) forwarding_number: Text,
    pub(super) advertised: Texts,
}
