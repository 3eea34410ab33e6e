//! Caller ID.

/// What a phone's display is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallerId {
    /// Digits.
    pub number: Option<String>,
}
