//! The site that the rig's box belongs to.

use ringside::{
    audio::{caller_id::Delivery, tone_plan::TonePlan},
    call::{
        machine,
        ring_group::{Port, PortKind},
        untracked,
    },
    dialling::DialPlan,
    id::{PortId, Slot},
    line::{fxo, fxs},
    number::Dialplan,
    switchboard::{JackSettings, MachineSettings, Settings},
};
use std::net::SocketAddr;

/// Its configuration.
pub const CONFIG: &str = r#"
[[trunk]]
name = "provider"
mode = "ip"
allow = ["127.0.0.0/8"]

[[campaign]]
id = "spring"
name = "Spring mailer"

[[campaign]]
id = "web"
name = "Web site"

[[tracking_number]]
id = "trk-100"
number = "+13125550100"
campaign = "spring"
advertised = ["+13125550150"]

[[tracking_number]]
id = "trk-101"
number = "+13125550101"
campaign = "web"
advertised = ["+13125550160"]

[[ring_group]]
name = "phones"

[[ring_group]]
name = "out"
ports = ["LINE1"]

[[tracking_number]]
id = "trk-102"
number = "+13125550102"
campaign = "web"
ring_group = "out"
forwarding_number = "+13125550199"
"#;

/// The rig's own office line.
const OFFICE_NUMBER: &str = "+13125550190";
/// A site in Illinois.
pub fn settings(phones: u8, lines: u8) -> Settings {
    let fxs = fxs::Settings {
        tones: TonePlan::north_america(),
        caller_id: Delivery::NORTH_AMERICA,
        cpc_ms: 500,
        reorder_ms: 30_000,
        howler_ms: 60_000,
    };
    let fxo = fxo::Settings::for_country("US").expect("the country is listed");
    let phone = |n: u8| JackSettings {
        port: Port { id: PortId(n), name: format!("PHONE{}", n + 1), kind: PortKind::Phone },
        slot: Slot(n),
        machine: MachineSettings::Fxs(fxs),
    };
    let line = |n: u8| JackSettings {
        port: Port { id: PortId(phones + n), name: format!("LINE{}", n + 1), kind: PortKind::Line },
        slot: Slot(phones + n),
        machine: MachineSettings::Fxo(fxo),
    };
    Settings {
        jacks: (0..phones).map(phone).chain((0..lines).map(line)).collect(),
        call: machine::Settings {
            ring_timeout_ms: 30_000,
            consent_policy: "announce".to_owned(),
            records: true,
        },
        dial_out: untracked::Settings {
            plan: DialPlan::for_country("US").expect("the country is listed"),
            emergency_trunk: true,
            unplaced_ms: 5_000,
        },
        dial_tone: TonePlan::north_america().dial,
        direct_phones: (0..phones).map(PortId).collect(),
        call_waiting: true,
        dialplan: Dialplan::for_country("US").expect("the country is listed"),
        line_numbers: vec![OFFICE_NUMBER.parse().expect("a number")],
        time_zone: jiff::tz::TimeZone::UTC,
        rtp: (0..u16::from(phones) + 2).map(|n| SocketAddr::from(([127, 0, 0, 1], 16_384 + 2 * n))).collect(),
    }
}
