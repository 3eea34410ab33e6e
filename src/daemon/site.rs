//! From the configuration and the board profile to what the machines are told.

use crate::{
    audio::{caller_id::Delivery, tone_plan::TonePlan},
    board::Profile,
    call::machine::{Port, Settings as CallSettings},
    chip::si3050::country::{TBR21, Termination},
    config::{Config, RecordingPolicy, TrunkMode},
    id::Slot,
    line::fxs,
    media::patch_bay::PortAudio,
    number::Dialplan,
    sip::settings::{self as sip, Account, Mode},
    switchboard,
};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

/// A minute of howler reaches whoever is in the room (GR-506: receiver-off-hook tone); longer only annoys.
const HOWLER_MS: u64 = 60_000;

/// Settings of the switchboard; `rtp` are the bound local RTP addresses.
pub(super) fn switchboard(config: &Config, profile: &Profile, rtp: Vec<SocketAddr>) -> switchboard::Settings {
    let port = |(id, port): (crate::id::PortId, &crate::board::Port)| {
        (Port { id, name: port.name.clone() }, port.slot())
    };
    switchboard::Settings {
        ports: profile.fxs_ports().map(port).collect(),
        line: fxs::Settings {
            tones: tones(config),
            caller_id: Delivery::for_country(&config.site.country),
            cpc_ms: u64::from(config.calls.cpc_ms),
            reorder_ms: u64::from(config.calls.reorder_s) * 1000,
            // A site that wants no reorder tone wants no louder one.
            howler_ms: if config.calls.reorder_s == 0 { 0 } else { HOWLER_MS },
        },
        call: CallSettings {
            ring_timeout_ms: u64::from(config.calls.ring_timeout_s) * 1000,
            consent_policy: config.recording.policy.name().to_owned(),
            records: config.recording.policy != RecordingPolicy::Off,
        },
        rtp,
        time_zone: time_zone(config),
    }
}

/// How each phone port that the file sets is to sound, by its slot.
pub(super) fn port_audio(config: &Config, profile: &Profile) -> impl Iterator<Item = (Slot, PortAudio)> {
    profile.fxs_ports().filter_map(|(_, port)| {
        let phone = config.phones.iter().find(|phone| phone.port == port.name)?;
        let audio = PortAudio {
            to_line_db: f32::from(phone.to_phone_db),
            from_line_db: f32::from(phone.from_phone_db),
            echo_canceller: phone.echo_canceller,
        };
        Some((port.slot(), audio))
    })
}

/// Tones of the site's country. The check of the configuration lets no country pass that has none.
fn tones(config: &Config) -> &'static TonePlan {
    TonePlan::for_country(&config.site.country).unwrap_or_else(TonePlan::north_america)
}

/// What the site's office lines ask for. A country that the table does not have gets the world's most common line.
pub(super) fn termination(config: &Config) -> Termination {
    Termination::of_country(&config.site.country).unwrap_or(TBR21)
}

/// Settings of the SIP endpoint; resolves the registrars' names.
///
/// # Errors
/// A registrar's name cannot be resolved.
pub(super) fn sip(config: &Config, local: SocketAddr) -> io::Result<sip::Settings> {
    let trunks = config.trunks.iter().map(|trunk| {
        let mode = match &trunk.mode {
            TrunkMode::Ip => Mode::Ip,
            TrunkMode::Register(account) => Mode::Register(Account {
                registrar: resolve(&account.registrar.to_string())?,
                domain: format!("sip:{}", account.domain).parse().map_err(io::Error::other)?,
                user: account.user.clone(),
                auth_user: account.auth_user.clone(),
                password: account.password.reveal().to_owned(),
                expires_s: account.expires_s,
            }),
        };
        let (did_source, allow) = (trunk.did_source.clone(), trunk.allow.clone());
        Ok(sip::Trunk { name: trunk.name.clone(), mode, did_source, allow, emergency: None })
    });
    let unknown = || io::Error::other(format!("no dial plan for country `{}`", config.site.country));
    let dialplan = Dialplan::for_country(&config.site.country).ok_or_else(unknown)?;
    Ok(sip::Settings {
        local,
        user_agent: config.sip.user_agent.clone(),
        dialplan,
        trunks: trunks.collect::<io::Result<_>>()?,
    })
}

fn resolve(host: &str) -> io::Result<SocketAddr> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("registrar `{host}` has no address"));
    host.to_socket_addrs()?.next().ok_or_else(unknown)
}

/// The office's time zone; UTC if the database does not know it.
pub(super) fn time_zone(config: &Config) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(&config.site.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
}
