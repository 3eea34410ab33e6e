//! One domain's words in another's: SIP facts to a call, a directory entry to a route, a record to a recording's tags.

use super::Output;
use crate::{
    audio::caller_id::{Absence, CallerId, LocalTime, Received},
    call::{
        attribution::{Way, attribute},
        event::{Event as CallEvent, Evidence, LineFault, TrunkEnd},
        incoming::{Incoming, Route},
        machine::Call,
        our_own::Arrived,
        ring_group::Port,
        untracked::Event as Passing,
    },
    directory::{Directory, Tracker},
    id::{PortId, RtpPort, Slot},
    line::{
        fxo::{self, HangUp, Refusal, Urgency},
        fxs,
    },
    media::control as media,
    record::{CallRecord, Presentation},
    recording::lifecycle::{Command as StorageCommand, Tags},
    rtp::quality::{Loss, Quality, mos_cq_hundredths},
    sip::{
        event::{Ended, Offered, OfferedMedia},
        identity::Called,
    },
    time::WallTime,
};

/// The facts of an INVITE as the call keeps them.
pub(super) fn incoming(
    offered: &Offered,
    called: &Called,
    tracker: &Tracker,
    directory: &Directory,
) -> Incoming {
    let (caller, diversions) = (&offered.caller, &offered.diversions);
    let way = Way {
        method: called.method.as_str(),
        called: offered.called.iter().map(|called| &called.number).collect(),
        caller: caller.number.as_ref(),
        diversion: diversions.to_record(),
        first: diversions.advertised(),
        times: diversions.times(),
        is_conditional: diversions.is_conditional(),
        attestation: caller.attest.as_deref(),
    };
    let (advertised_number, attribution) = attribute(&way, tracker, directory);
    Incoming {
        caller_number: caller.number.clone(),
        presentation: caller.presentation,
        caller_name: caller.name.clone(),
        verstat: caller.verstat.clone(),
        tracking_number: tracker.number.clone(),
        advertised_number,
        attribution,
        via: offered.vias.clone(),
        sip_call_id: offered.sip_call_id.clone(),
        media_refused: matches!(offered.media, OfferedMedia::Refused(_)).then_some("no_common_codec"),
    }
}

/// What of an INVITE tells whether it is our own.
pub(super) fn arrived(offered: &Offered) -> Arrived<'_> {
    Arrived { caller: offered.caller.number.as_ref(), diverters: offered.diversions.numbers().collect() }
}

/// Where the directory sends a call; `ports` are the board's.
pub(super) fn route<'a>(tracker: &Tracker, ports: impl Iterator<Item = &'a Port>) -> Route {
    Route {
        tracker_id: tracker.id.clone(),
        campaign: tracker.campaign.clone(),
        tag: tracker.tag.clone(),
        forwarding_number: tracker.forwarding_number.clone(),
        ports: ports.filter(|port| tracker.ports.contains(&port.name)).map(|port| port.id).collect(),
    }
}

/// How much a call that goes out on a line is worth to the line.
pub(super) const fn urgency(emergency: bool) -> Urgency {
    if emergency { Urgency::Urgent } else { Urgency::Ordinary }
}

/// What the phones' displays show of a call, with the office's own date and time.
pub(super) fn caller_id(call: &Call, wall: WallTime, zone: &jiff::tz::TimeZone) -> CallerId {
    let record = call.record();
    CallerId {
        number: record.customer_phone_number.as_ref().map(CallerId::display_number),
        name: Some(call.display_text()).filter(|text| !text.is_empty()),
        presentation: record.customer_number_presentation,
        at: local_time(wall, zone),
    }
}

fn local_time(wall: WallTime, zone: &jiff::tz::TimeZone) -> LocalTime {
    let stamp = jiff::Timestamp::from_millisecond(i64::try_from(wall.0).unwrap_or(0)).unwrap_or_default();
    let at = zone.to_datetime(stamp);
    let small = |n: i8| n.unsigned_abs();
    LocalTime {
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
    }
}

/// The recording of a call that was just answered.
pub(super) fn start_recording(record: &CallRecord) -> Option<StorageCommand> {
    let caller = match (&record.customer_phone_number, record.customer_number_presentation) {
        (Some(number), Presentation::Allowed) => number.to_string(),
        _ => "anonymous".to_owned(),
    };
    Some(StorageCommand::Start {
        call: record.id,
        recording: record.recording.id?,
        tags: Tags {
            call: record.id,
            tracking: record.tracking_phone_number.to_string(),
            caller,
            start_time: record.start_time,
            campaign: record.campaign.as_ref().map(|campaign| campaign.name.clone()).unwrap_or_default(),
        },
    })
}

/// What a line told about a caller, as the phones show it.
pub(super) fn relayed(received: &Received, wall: WallTime, zone: &jiff::tz::TimeZone) -> CallerId {
    let presentation = match received.number_absent {
        Some(Absence::Private) => Presentation::Restricted,
        Some(Absence::OutOfArea) => Presentation::Unavailable,
        None => Presentation::Allowed,
    };
    CallerId {
        number: received.number.clone(),
        name: received.name.clone(),
        presentation,
        at: received.at.unwrap_or_else(|| local_time(wall, zone)),
    }
}

/// What a phone's port wants: something outside, and what its call is told.
pub(super) fn fxs(command: fxs::Command, port: PortId, slot: Slot) -> (Option<Output>, Option<CallEvent>) {
    let play = |sound| Some(Output::Media(media::Command::Play { slot, sound }));
    match command {
        fxs::Command::Feed(feed) => (Some(Output::Fxs { port, feed }), None),
        fxs::Command::Play(tone) => (play(media::Sound::Tone(tone)), None),
        fxs::Command::Hush => (Some(Output::Media(media::Command::Hush { slot })), None),
        fxs::Command::SendCallerId(id, delivery) => {
            (Some(Output::CallerId { slot, id, delivery }), Some(CallEvent::CallerIdSent(port)))
        }
        fxs::Command::RingBegan => (None, Some(CallEvent::RingBegan(port))),
        // Whom these concern depends on more than the port.
        fxs::Command::OffHook | fxs::Command::OnHook | fxs::Command::Lost | fxs::Command::Flash => {
            (None, None)
        }
    }
}

/// What an office line tells its user, in the words of tracked and of untracked calls; `None` if it is not for the user.
pub(super) fn fxo(command: &fxo::Command, port: PortId) -> Option<(CallEvent, Passing)> {
    Some(match command {
        fxo::Command::RingStopped => (CallEvent::PortLost(port), Passing::RingStopped),
        fxo::Command::Seized => (CallEvent::LineSeized(port), Passing::LineSeized),
        fxo::Command::Dialled => (CallEvent::RingBegan(port), Passing::Dialled),
        fxo::Command::Answered(evidence) => {
            let evidence = match evidence {
                fxo::Evidence::Polarity => Evidence::Polarity,
                fxo::Evidence::Voice => Evidence::Voice,
                fxo::Evidence::Assumed => Evidence::Assumed,
            };
            (CallEvent::LineAnswered(port, evidence), Passing::LineAnswered)
        }
        fxo::Command::Refused(why) => (CallEvent::LineRefused(port, refusal(*why)), Passing::LineRefused),
        fxo::Command::Gone(HangUp::Cpc) => (CallEvent::LineOpened(port), Passing::LineGone),
        fxo::Command::Gone(_) => (CallEvent::OnHook(port), Passing::LineGone),
        fxo::Command::Lost(_) => (CallEvent::PortLost(port), Passing::LineLost),
        fxo::Command::Order(_)
        | fxo::Command::Listen
        | fxo::Command::Ignore
        | fxo::Command::Send(_)
        | fxo::Command::Rings
        | fxo::Command::CallerId(_)
        | fxo::Command::Free
        | fxo::Command::Alarm(_)
        | fxo::Command::AlarmOver(_)
        | fxo::Command::Learned(..)
        | fxo::Command::LearnedReversal => return None,
    })
}

const fn refusal(why: Refusal) -> LineFault {
    match why {
        Refusal::Down => LineFault::Broken,
        Refusal::NoBattery => LineFault::Dead,
        Refusal::InUse | Refusal::Busy => LineFault::InUse,
        Refusal::Glare | Refusal::NotRinging => LineFault::Glare,
        Refusal::NoDialTone => LineFault::NoDialTone,
    }
}

/// The line's clock.
const SAMPLES_PER_MS: u64 = 8;

/// What a report of the media thread means to a call.
pub(super) fn media(event: &media::Event) -> Option<(RtpPort, CallEvent)> {
    match event {
        media::Event::AudioStarted { rtp } => Some((*rtp, CallEvent::AudioStarted)),
        media::Event::NoticePlayed { rtp } => Some((*rtp, CallEvent::NoticePlayed)),
        media::Event::Unpatched { rtp, counters, .. } => {
            let recorded_ms = counters.recorded_samples / SAMPLES_PER_MS;
            let (quality, sound) = (quality(counters), counters.sound);
            Some((*rtp, CallEvent::Unpatched { quality, sound, recorded_ms }))
        }
        media::Event::OneWay { rtp, silent } => Some((*rtp, CallEvent::OneWay(*silent))),
        media::Event::Fax { rtp, tone, .. } => Some((*rtp, CallEvent::Fax(*tone))),
        media::Event::TwoWay { rtp } => Some((*rtp, CallEvent::TwoWay)),
        // These come from slots, or are only to be freed.
        media::Event::Announced { .. }
        | media::Event::Interjected { .. }
        | media::Event::Heard { .. }
        | media::Event::Probed { .. }
        | media::Event::EarSpent(_)
        | media::Event::Spent(_) => None,
    }
}

/// The counters of a patch as the call's record keeps them.
fn quality(counters: &media::PatchCounters) -> Quality {
    let media::PatchCounters { packets, lost, late, round_trip_ms, .. } = *counters;
    let loss = Loss { packets, lost, late, runs: counters.loss_runs };
    Quality {
        packets,
        lost,
        late,
        duplicates: counters.duplicates,
        jitter_p95_ms: counters.jitter_p95_ms,
        round_trip_ms,
        mos_cq_hundredths: mos_cq_hundredths(loss, counters.delay_ms, round_trip_ms, media::ROBUSTNESS),
        far_end: counters.far_end,
    }
}

/// How the trunk side ended, in the call's words.
pub(super) const fn trunk_end(why: Ended) -> TrunkEnd {
    match why {
        Ended::HungUp => TrunkEnd::HungUp,
        Ended::NoAck => TrunkEnd::NeverAcked,
        Ended::SessionExpired | Ended::NoMedia => TrunkEnd::Lost,
    }
}

/// A seed of as many random bits as RTCP needs for a name that nobody guesses (RFC 7022).
pub(super) const fn rtcp_seed(random: (u64, u64)) -> u128 {
    (random.0 as u128) << 64 | random.1 as u128
}

/// First SSRC, sequence number and timestamp of an RTP stream, all random (RFC 3550 5.1).
pub(super) const fn rtp_source(random: (u64, u64)) -> (u32, u16, u32) {
    ((random.0 >> 32) as u32, (random.1 >> 48) as u16, random.0 as u32)
}
