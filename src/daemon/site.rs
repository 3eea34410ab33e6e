//! From the configuration and the board profile to what the machines are told.

use super::{Options, sounds::Sounds};
use crate::{
    audio::{caller_id::Delivery, prompt::Prompt, tone_plan::TonePlan},
    board::{self, Profile},
    call::{
        machine::Settings as CallSettings,
        ring_group::{Port, PortKind},
        untracked,
    },
    chip::si3050::pulse::Rhythm,
    config::{self, Config, RecordingPolicy, TrunkMode},
    dialling::DialPlan,
    id::{PortId, Slot},
    line::{fxo, fxs},
    media::patch_bay::PortAudio,
    number::Dialplan,
    sip::settings::{self as sip, Account, Mode},
    switchboard::{self, JackSettings, MachineSettings},
    web::{SetUp, SetUpFacts},
};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

/// A minute of howler reaches whoever is in the room (GR-506: receiver-off-hook tone); longer only annoys.
const HOWLER_MS: u64 = 60_000;

/// Settings of the switchboard; `rtp` are the bound local RTP addresses.
///
/// # Errors
/// The country has no tones, or no dial plan; the check of the configuration lets none such pass.
pub(super) fn switchboard(
    config: &Config,
    profile: &Profile,
    rtp: Vec<SocketAddr>,
) -> io::Result<switchboard::Settings> {
    let country = &config.site.country;
    let unknown = || io::Error::other(format!("no dial plan for country `{country}`"));
    let fxo = fxo::Settings::for_country(country).ok_or_else(unknown)?;
    Ok(switchboard::Settings {
        jacks: profile.numbered_ports().map(|(id, port)| jack(config, (id, port), &fxo)).collect(),
        call: CallSettings {
            ring_timeout_ms: u64::from(config.calls.ring_timeout_s) * 1000,
            consent_policy: config.recording.policy.name().to_owned(),
            records: config.recording.policy != RecordingPolicy::Off,
        },
        dial_out: untracked::Settings {
            plan: DialPlan::for_country(country).ok_or_else(unknown)?,
            emergency_trunk: config.emergency.callback.is_some(),
            unplaced_ms: Prompt::EmergencyUnavailable.samples().len() as u64 / 8,
        },
        dial_tone: tones(config).dial,
        direct_phones: profile.fxs_ports().map(|(id, _)| id).collect(),
        call_waiting: config.calls.call_waiting,
        dialplan: Dialplan::for_country(country).ok_or_else(unknown)?,
        line_numbers: config.lines.iter().filter_map(|line| line.number.clone()).collect(),
        rtp,
        time_zone: time_zone(config),
    })
}

/// Settings of one port and its machine.
fn jack(config: &Config, (id, port): (PortId, &board::Port), fxo: &fxo::Settings) -> JackSettings {
    let phone = config.phones.iter().find(|phone| phone.port == port.name);
    let (kind, machine) = match port.kind {
        board::PortKind::Fxs => {
            let kind =
                if phone.is_some_and(|phone| phone.pbx) { PortKind::Exchange } else { PortKind::Phone };
            (kind, MachineSettings::Fxs(fxs(config)))
        }
        board::PortKind::Fxo => {
            let line = config.lines.iter().find(|line| line.port == port.name);
            let dialling = match line.map(|line| line.dialling) {
                // Where a digit is not as many pulses as it says, tones are what is left.
                Some(config::Dialling::Pulse) => Rhythm::for_country(&config.site.country)
                    .map_or(fxo::Dialling::Tone, fxo::Dialling::Pulse),
                Some(config::Dialling::Tone) | None => fxo::Dialling::Tone,
            };
            (PortKind::Line, MachineSettings::Fxo(fxo::Settings { dialling, ..*fxo }))
        }
    };
    JackSettings { port: Port { id, name: port.name.clone(), kind }, slot: port.slot(), machine }
}

fn fxs(config: &Config) -> fxs::Settings {
    fxs::Settings {
        tones: tones(config),
        caller_id: Delivery::for_country(&config.site.country),
        cpc_ms: u64::from(config.calls.cpc_ms),
        reorder_ms: u64::from(config.calls.reorder_s) * 1000,
        // A site that wants no reorder tone wants no louder one.
        howler_ms: if config.calls.reorder_s == 0 { 0 } else { HOWLER_MS },
    }
}

/// How each port that the file sets is to sound, by its slot.
pub(super) fn port_audio(config: &Config, profile: &Profile) -> impl Iterator<Item = (Slot, PortAudio)> {
    let phone = |name: &str| {
        let phone = config.phones.iter().find(|phone| phone.port == name)?;
        Some(PortAudio {
            to_line_db: f32::from(phone.to_phone_db),
            from_line_db: f32::from(phone.from_phone_db),
            echo_canceller: phone.echo_canceller,
        })
    };
    let line = |name: &str| {
        let line = config.lines.iter().find(|line| line.port == name)?;
        Some(PortAudio {
            to_line_db: f32::from(line.to_line_db),
            from_line_db: f32::from(line.from_line_db),
            echo_canceller: line.echo_canceller,
        })
    };
    profile
        .numbered_ports()
        .filter_map(move |(_, port)| Some((port.slot(), phone(&port.name).or_else(|| line(&port.name))?)))
}

/// Where it is kept what the installer has seen to, below the data directory.
pub(super) const SET_UP_FILE: &str = "setup.json";

/// What the set-up shows of the site, and what was seen to before.
pub(super) fn set_up(options: &Options) -> SetUp {
    let Config { site, recording, emergency, .. } = &options.config;
    let facts = SetUpFacts {
        office: site.name.clone(),
        country: site.country.clone(),
        time_zone: site.time_zone.clone(),
        consent: recording.policy.name().to_owned(),
        callback: emergency.callback.clone(),
        address: emergency.address.clone(),
        file: options
            .config_file
            .as_ref()
            .map_or("the configuration".to_owned(), |p| p.display().to_string()),
    };
    SetUp::open(facts, options.data.join(SET_UP_FILE))
}

/// Tones of the site's country. The check of the configuration lets no country pass that has none.
fn tones(config: &Config) -> &'static TonePlan {
    TonePlan::for_country(&config.site.country).unwrap_or_else(TonePlan::north_america)
}

/// How the site's country sounds.
pub(super) fn sounds(config: &Config) -> Sounds {
    Sounds { tones: tones(config), caller_id: Delivery::for_country(&config.site.country) }
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
        let emergency =
            config.emergency.callback.clone().map(|callback| sip::Emergency { callback, peer: None });
        Ok(sip::Trunk { name: trunk.name.clone(), mode, did_source, allow, emergency })
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

/// Where the first trunk with a registrar has it.
pub(super) fn registrar(config: &Config) -> Option<SocketAddr> {
    config.trunks.iter().find_map(|trunk| match &trunk.mode {
        TrunkMode::Register(account) => resolve(&account.registrar.to_string()).ok(),
        TrunkMode::Ip => None,
    })
}

fn resolve(host: &str) -> io::Result<SocketAddr> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("registrar `{host}` has no address"));
    host.to_socket_addrs()?.next().ok_or_else(unknown)
}

/// How numbers are dialled at the office.
pub(super) fn dialplan(config: &Config) -> Dialplan {
    Dialplan::for_country(&config.site.country).unwrap_or(Dialplan::NORTH_AMERICA)
}

/// The office's time zone; UTC if the database does not know it.
pub(super) fn time_zone(config: &Config) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(&config.site.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
}
