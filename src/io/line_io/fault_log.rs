//! Keeps a fault that shows in each poll from filling the log.

use crate::time::Instant;

/// A fault that persists is logged again after this long.
const REPEAT_MS: u64 = 60_000;

/// What was logged of one port.
#[derive(Default)]
pub(super) struct FaultLog {
    last: String,
    again_at: Instant,
}

impl FaultLog {
    /// Logs a fault, unless it is the one that was logged within the last minute.
    pub(super) fn note<E: std::error::Error>(&mut self, port: &str, result: Result<(), E>, now: Instant) {
        let Err(error) = result else { return };
        let text = error.to_string();
        if text == self.last && now < self.again_at {
            return;
        }
        tracing::warn!(port, "{text}");
        self.last = text;
        self.again_at = now.after_ms(REPEAT_MS);
    }
}
