//! The two header packets of Ogg Opus: identification (RFC 7845 5.1) and comments (RFC 7845 5.2).

use crate::{id::RecordingId, recording::lifecycle::Tags, time::WallTime};

/// Longest comment value written, in bytes; a longer one is cut at a character.
const MAX_VALUE_BYTES: usize = 512;

/// The identification header: version 1, 2 channels, 8 kHz, family 1 with two mono streams.
#[must_use]
pub fn identification(pre_skip: u16) -> [u8; 23] {
    let [skip_low, skip_high] = pre_skip.to_le_bytes();
    let mut head = [0; 23];
    head[..8].copy_from_slice(b"OpusHead");
    head[8..10].copy_from_slice(&[1, 2]);
    head[10..12].copy_from_slice(&[skip_low, skip_high]);
    head[12..16].copy_from_slice(&8_000_u32.to_le_bytes());
    // Gain 0; family 1; 2 streams, none coupled; channel 0 is stream 0, channel 1 is stream 1.
    head[18..].copy_from_slice(&[1, 2, 0, 0, 1]);
    head
}

/// Reads the pre-skip of an identification header of this box; `None` if it is not one.
#[must_use]
pub fn pre_skip(packet: &[u8]) -> Option<u16> {
    let head: &[u8; 23] = packet.try_into().ok()?;
    let pre_skip = u16::from_le_bytes([head[10], head[11]]);
    (identification(pre_skip) == *head).then_some(pre_skip)
}

/// The comment header of a recording.
#[must_use]
pub fn comments(recording: RecordingId, tags: &Tags) -> Vec<u8> {
    let comments = [
        ("CALL_ID", tags.call.to_string()),
        ("RECORDING_ID", recording.to_string()),
        ("TRACKING", tags.tracking.clone()),
        ("CALLER", tags.caller.clone()),
        ("DATE", tags.start_time.to_string()),
        ("CAMPAIGN", tags.campaign.clone()),
        ("CHANNELS", "caller,office".to_owned()),
    ];
    let mut packet = b"OpusTags".to_vec();
    put_text(&mut packet, "", concat!("ringside ", env!("CARGO_PKG_VERSION")));
    packet.extend_from_slice(&u32::try_from(comments.len()).unwrap_or(0).to_le_bytes());
    for (name, value) in &comments {
        put_text(&mut packet, name, cut(value));
    }
    packet
}

/// The recording and the tags that a comment header names; `None` if it does not name a call and its time.
#[must_use]
pub fn tags(packet: &[u8]) -> Option<(Option<RecordingId>, Tags)> {
    let text = |name| comment(packet, name).unwrap_or_default().to_owned();
    let tags = Tags {
        call: comment(packet, "CALL_ID")?.parse().ok()?,
        tracking: text("TRACKING"),
        caller: text("CALLER"),
        start_time: WallTime::parse(comment(packet, "DATE")?)?,
        campaign: text("CAMPAIGN"),
    };
    Some((comment(packet, "RECORDING_ID").and_then(|id| id.parse().ok()), tags))
}

/// The value of comment `name` in a comment header.
#[must_use]
pub fn comment<'a>(packet: &'a [u8], name: &str) -> Option<&'a str> {
    let (_vendor, rest) = take_text(packet.strip_prefix(b"OpusTags")?)?;
    let (count, mut rest) = rest.split_first_chunk()?;
    for _ in 0..u32::from_le_bytes(*count) {
        let (text, after) = take_text(rest)?;
        rest = after;
        let value = std::str::from_utf8(text).ok()?.split_once('=');
        if let Some((_, value)) = value.filter(|(found, _)| found.eq_ignore_ascii_case(name)) {
            return Some(value);
        }
    }
    None
}

fn cut(value: &str) -> &str {
    let end = (0..=value.len().min(MAX_VALUE_BYTES)).rev().find(|&at| value.is_char_boundary(at));
    &value[..end.unwrap_or(0)]
}

fn put_text(packet: &mut Vec<u8>, name: &str, value: &str) {
    let separator = if name.is_empty() { "" } else { "=" };
    let length = name.len() + separator.len() + value.len();
    packet.extend_from_slice(&u32::try_from(length).unwrap_or(0).to_le_bytes());
    [name, separator, value].iter().for_each(|part| packet.extend_from_slice(part.as_bytes()));
}

fn take_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CallId;

    fn tags(campaign: String) -> Tags {
        Tags {
            call: CallId::from_parts(WallTime(5), 1),
            tracking: "+13125550100".to_owned(),
            caller: "anonymous".to_owned(),
            start_time: WallTime(1_763_816_709_007),
            campaign,
        }
    }

    #[test]
    fn a_recording_names_its_call() {
        let tags = tags("Spring".to_owned());
        let packet = comments(RecordingId::from_parts(WallTime(5), 2), &tags);
        assert_eq!(comment(&packet, "call_id"), Some(tags.call.to_string().as_str()));
        assert_eq!(comment(&packet, "DATE"), Some("2025-11-22T13:05:09.007Z"));
        assert_eq!(comment(&packet, "CAMPAIGN"), Some("Spring"));
        assert_eq!(comment(&packet, "ARTIST"), None);
        assert_eq!(super::tags(&packet), Some((Some(RecordingId::from_parts(WallTime(5), 2)), tags)));
        for at in 0..packet.len() {
            assert_eq!(comment(&packet[..at], "CHANNELS"), None, "cut at {at}");
        }
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let packet = comments(RecordingId::from_parts(WallTime(5), 2), &tags("é".repeat(1_000)));
        assert_eq!(comment(&packet, "CAMPAIGN").map(str::len), Some(512));
    }

    #[test]
    fn the_identification_header_gives_back_its_pre_skip() {
        assert_eq!(pre_skip(&identification(312)), Some(312));
        assert_eq!(pre_skip(b"OpusHead"), None);
    }
}
