//! Caller ID.

/// What a phone's display is told.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerId {
    /// Digits.
    pub number: Option<String>,
}
