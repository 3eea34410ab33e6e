//! Bytes as hex digits: keys, nonces and digests in files that people read.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
use std::fmt::Write as _;

/// Two lower-case digits a byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Exactly `N` bytes, digits in either case; `None` if the text is anything else.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    if pairs.0.len() != N || !pairs.1.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs.0) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// For `#[serde(with = "hex")]`.
///
/// # Errors
/// As the serialiser's.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes))
}

/// For `#[serde(with = "hex")]`.
///
/// # Errors
/// If it is no text, or not `N` bytes in hex.
pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| D::Error::custom(format_args!("{N} bytes in hex are expected")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_and_nothing_else_is_taken() {
        assert_eq!(encode(&[0, 15, 255]), "000fff");
        assert_eq!(decode("000fFF"), Some([0, 15, 255]));
        for wrong in ["", "000ff", "000fff0", "000fff00", "000f+f", "00 fff", "ééé"] {
            assert_eq!(decode::<3>(wrong), None, "{wrong}");
        }
    }
}
