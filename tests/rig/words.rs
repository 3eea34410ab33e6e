//! What the box does, as the ladders write it.

use super::Rig;
use ringside::{
    audio::{caller_id::CallerId, tone_plan::TonePlan},
    call::untracked::Via,
    media::control as media,
    number::E164,
    record::{CallRecord, Presentation},
    switchboard::Report,
};

impl Rig {
    pub fn media_hears(&self, command: &media::Command) -> (String, String) {
        let media = |what: String| ("media".to_owned(), what);
        match command {
            media::Command::Unpatch { rtp } => media(format!("unpatch {}", rtp.0)),
            media::Command::Change { rtp, trunk } => {
                media(format!("change {} send={} receive={}", rtp.0, trunk.send, trunk.receive))
            }
            media::Command::Pause { rtp } => media(format!("pause {}", rtp.0)),
            media::Command::Resume { rtp } => media(format!("resume {}", rtp.0)),
            media::Command::Park { rtp } => media(format!("park {}", rtp.0)),
            media::Command::Unpark { rtp, slot } => {
                media(format!("unpark {} to {}", rtp.0, self.slot_name(*slot)))
            }
            media::Command::Join { phone, line } => {
                media(format!("join {} with {}", self.slot_name(*phone), self.slot_name(*line)))
            }
            media::Command::Part { phone } => media(format!("part {}", self.slot_name(*phone))),
            media::Command::Probe { slot, .. } => (self.slot_name(*slot), "probe".to_owned()),
            media::Command::Play { slot, sound } => (self.slot_name(*slot), sound_name(sound).to_owned()),
            media::Command::Hush { slot } => (self.slot_name(*slot), "hush".to_owned()),
            media::Command::Ignore { slot } => (self.slot_name(*slot), "ignore".to_owned()),
            media::Command::Patch { .. }
            | media::Command::Announce { .. }
            | media::Command::Interject { .. }
            | media::Command::Listen { .. } => media("an order that is not the switchboard's".to_owned()),
        }
    }

    pub fn reported(&self, report: &Report) -> String {
        match report {
            Report::EmergencyDialled { phone, keys, via } => {
                let keys: String = keys.iter().map(|key| key.sign()).collect();
                let via = match via {
                    Via::Line(line) => self.port_name(*line),
                    Via::Trunk => "trunk".to_owned(),
                    Via::Nothing => "nothing".to_owned(),
                };
                format!("emergency_dialled {keys} on {} via {via}", self.port_name(*phone))
            }
            Report::LineAlarm { line, alarm, on } => {
                format!("{} {alarm:?} {}", self.port_name(*line), if *on { "begins" } else { "is over" })
            }
            Report::Loop { tracking_number } => format!("loop back to {tracking_number}"),
            Report::LineTested { port, result } => {
                format!(
                    "{} tested: {}",
                    self.port_name(*port),
                    if result.is_ok() { "measured" } else { "not" }
                )
            }
            Report::Learned { line, .. } => format!("{} learned", self.port_name(*line)),
            Report::Untracked { kind, joined, .. } => {
                format!("untracked {kind:?}, {}", if *joined { "joined" } else { "not joined" })
            }
        }
    }
}

/// How a call was attributed, as an office would say it: one fact a line.
pub fn attributed(record: &CallRecord) -> Vec<String> {
    let number = |number: &Option<E164>| number.as_ref().map_or("unknown".to_owned(), E164::to_string);
    let attribution = &record.attribution;
    let campaign = record.campaign.as_ref().map_or("no campaign", |campaign| campaign.name.as_str());
    let confidence = attribution.confidence.map_or("?".to_owned(), |c| format!("{c:?}").to_lowercase());
    let caller = match record.customer_number_presentation {
        Presentation::Restricted => "anonymous".to_owned(),
        Presentation::Allowed | Presentation::Unavailable => number(&record.customer_phone_number),
    };
    let name = record.customer_name.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    let verified = if record.is_caller_verified() { ", verified" } else { "" };
    let mut lines = vec![
        format!("tracking {} by {}: {campaign}", record.tracking_phone_number, attribution.method),
        format!("advertised {}, {confidence}", number(&record.advertised_phone_number)),
        format!("caller {caller}{name}{verified}"),
    ];
    lines.extend(attribution.warnings.iter().map(|warning| format!("warning {warning}")));
    lines
}

pub fn shown(id: &CallerId) -> String {
    format!("{} \"{}\"", id.number.as_deref().unwrap_or("-"), id.name.as_deref().unwrap_or(""))
}

fn sound_name(sound: &media::Sound) -> &'static str {
    let tones = TonePlan::north_america();
    match sound {
        media::Sound::Tone(tone) if *tone == tones.howler => "howler",
        media::Sound::Tone(tone) if *tone == tones.dial => "dial tone",
        media::Sound::Tone(tone) if *tone == tones.reorder => "reorder",
        media::Sound::Tone(_) => "tone",
        media::Sound::Once(_) => "sound",
    }
}
