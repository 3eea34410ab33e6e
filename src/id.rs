//! Identities: prefixed ULIDs for what is stored, small indices for what is on the board.

use crate::time::WallTime;
use std::{fmt, str::FromStr};

macro_rules! prefixed_ulid {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Makes an id from the wall clock and 80 random bits (the upper bits of `random` are dropped).
            #[must_use]
            pub const fn from_parts(at: WallTime, random: u128) -> Self {
                Self(ulid::Ulid::from_parts(at.0, random).0)
            }

            /// The lowest bits, which were drawn at random: they spread ids evenly.
            #[must_use]
            pub const fn lowest_bits(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), ulid::Ulid(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let body = text.strip_prefix($prefix).ok_or(InvalidId)?;
                ulid::Ulid::from_string(body).map(|u| Self(u.0)).map_err(|_| InvalidId)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// The text is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind: a prefix like `cal_` and 26 letters and digits are expected")]
pub struct InvalidId;

prefixed_ulid!(
    /// One call: `cal_…`.
    CallId, "cal_");
prefixed_ulid!(
    /// One recording: `rec_…`.
    RecordingId, "rec_");
prefixed_ulid!(
    /// This box: `box_…`.
    BoxId, "box_");
prefixed_ulid!(
    /// One proof that an advertised number forwards to a tracking number: `fwp_…`.
    ProofId, "fwp_");
prefixed_ulid!(
    /// One customer of the office: `cus_…`.
    CustomerId, "cus_");
prefixed_ulid!(
    /// One job for a customer: `job_…`.
    JobId, "job_");
prefixed_ulid!(
    /// One campaign that was made on the box: `cmp_…`.
    CampaignId, "cmp_");
prefixed_ulid!(
    /// One number of the directory that was added on the box: `trk_…`, whatever it is used for.
    NumberId, "trk_");
prefixed_ulid!(
    /// A person who signs in: `usr_…`.
    UserId, "usr_");
prefixed_ulid!(
    /// A program's or a wall display's way in: `tok_…`; not the secret itself.
    TokenId, "tok_");

/// One analog jack: its index in the board profile, 0-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortId(pub u8);

/// One time slot of the PCM bus, 0-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u8);

/// One local RTP address of the pool that the daemon bound at start, 0-based. A call holds one while it is up,
/// so it also names the call's patch on the media thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RtpPort(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_refuses_another_kind() {
        let id = CallId::from_parts(WallTime(1_763_816_709_007), 42);
        assert!(id.to_string().starts_with("cal_") && id.to_string().len() == 30);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().parse::<RecordingId>(), Err(InvalidId));
    }
}
