//! Session timer of an answered call (RFC 4028): one side refreshes the session, or both let it go.
//!
//! ```text
//!   negotiated ──► Running ──refresher is the peer, it does not: BYE at the end less min(32 s, a third)
//!                    ▲ │ └──refresher is the box: UPDATE at half the interval
//!                    └─┘ any refresh starts the interval anew
//! ```

use crate::time::Instant;

/// Shortest session interval accepted, in seconds (RFC 4028 section 5).
pub const MIN_SE_S: u32 = 90;
/// Longest session interval that is counted, in seconds: a day. Longer ones are answered with this.
pub const MAX_SE_S: u32 = 86_400;

/// Who refreshes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The caller's side (`uac` in answers to it).
    Peer,
    /// The box.
    Us,
}

/// What a request says about session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Interval of Session-Expires in seconds.
    pub interval_s: Option<u32>,
    /// Its `refresher` parameter.
    pub refresher: Option<Refresher>,
    /// Min-SE in seconds.
    pub min_se_s: Option<u32>,
    /// Whether the sender itself supports timers (`Supported` or `Require: timer`); else a proxy asked.
    pub supported: bool,
    /// Whether the box can refresh, which needs a peer that allows UPDATE.
    pub can_refresh: bool,
}

/// The interval is below [`MIN_SE_S`]: answer 422 with Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

/// A running session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    interval_s: u32,
    refresher: Refresher,
    refreshed_at: Instant,
    asked: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a refresh.
    Refresh,
    /// The session is over: send BYE.
    Expired,
}

impl SessionTimer {
    /// Decides on a timer for the answer; `None` means that none runs.
    ///
    /// # Errors
    /// [`TooSmall`] if the caller supports timers and its interval is below the minimum; a caller that does not
    /// cannot read a 422 (RFC 4028 section 9), so its session runs without a timer.
    pub fn negotiate(asked: Asked, now: Instant) -> Result<Option<Self>, TooSmall> {
        let Some(interval_s) = asked.interval_s else { return Ok(None) };
        if interval_s < MIN_SE_S {
            return if asked.supported { Err(TooSmall) } else { Ok(None) };
        }
        // RFC 4028 table 2: the caller's wish stands, and one that does not know timers cannot refresh.
        let refresher = match (asked.supported, asked.refresher) {
            (true, None | Some(Refresher::Peer)) => Refresher::Peer,
            (true, Some(Refresher::Us)) | (false, _) => Refresher::Us,
        };
        if refresher == Refresher::Us && !asked.can_refresh {
            return Ok(None);
        }
        let interval_s = interval_s.max(asked.min_se_s.unwrap_or(0)).min(MAX_SE_S);
        Ok(Some(Self { interval_s, refresher, refreshed_at: now, asked: false }))
    }

    /// The timer that the 2xx to our own INVITE sets (RFC 4028 7.2); `None` means that none runs: the callee knows no
    /// timers, names an interval that it must not, or wants refreshes that we cannot send. It may then end the call,
    /// but we do not.
    #[must_use]
    pub fn accept(answered: Asked, now: Instant) -> Option<Self> {
        let interval_s = answered.interval_s.filter(|interval_s| *interval_s >= MIN_SE_S)?.min(MAX_SE_S);
        // Our INVITE asked the callee to refresh; one that does not say otherwise has agreed.
        let refresher = answered.refresher.unwrap_or(Refresher::Peer);
        let possible = refresher == Refresher::Peer || answered.can_refresh;
        possible.then_some(Self { interval_s, refresher, refreshed_at: now, asked: false })
    }

    /// The session was refreshed by either side.
    pub fn refreshed(&mut self, now: Instant) {
        self.refreshed_at = now;
        self.asked = false;
    }

    /// What is due at `now`, each thing once.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        if self.ends_at() <= now {
            return Some(Due::Expired);
        }
        let refresh = self.refresher == Refresher::Us && !self.asked && self.refresh_at() <= now;
        self.asked |= refresh;
        refresh.then_some(Due::Refresh)
    }

    /// When something is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match self.refresher {
            Refresher::Us if !self.asked => self.refresh_at(),
            Refresher::Us | Refresher::Peer => self.ends_at(),
        }
    }

    /// The Session-Expires value of an answer to the peer: its request makes it the `uac`.
    #[must_use]
    pub fn header(&self) -> String {
        let refresher = match self.refresher {
            Refresher::Peer => "uac",
            Refresher::Us => "uas",
        };
        format!("{};refresher={refresher}", self.interval_s)
    }

    /// The Session-Expires value of our refresh, in which the box is the `uac`.
    #[must_use]
    pub fn refresh_header(&self) -> String {
        format!("{};refresher=uac", self.interval_s)
    }

    /// Whether the peer has to refresh.
    #[must_use]
    pub fn peer_refreshes(&self) -> bool {
        self.refresher == Refresher::Peer
    }

    fn refresh_at(&self) -> Instant {
        self.refreshed_at.after_ms(u64::from(self.interval_s) * 500)
    }

    /// RFC 4028 section 10: BYE goes out a little before the session expires.
    fn ends_at(&self) -> Instant {
        let early_s = (self.interval_s / 3).min(32);
        self.refreshed_at.after_ms(u64::from(self.interval_s - early_s) * 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked {
        interval_s: Some(1_800),
        refresher: None,
        min_se_s: None,
        supported: true,
        can_refresh: true,
    };

    fn timer(asked: Asked) -> SessionTimer {
        SessionTimer::negotiate(asked, Instant::ZERO).unwrap().unwrap()
    }

    #[test]
    fn the_peer_refreshes_unless_it_asks_otherwise() {
        assert_eq!(timer(ASKED).header(), "1800;refresher=uac");
        assert_eq!(timer(Asked { refresher: Some(Refresher::Us), ..ASKED }).header(), "1800;refresher=uas");
        assert_eq!(timer(Asked { supported: false, ..ASKED }).header(), "1800;refresher=uas");
    }

    #[test]
    fn no_timer_runs_when_nobody_can_refresh() {
        let asked = Asked { refresher: Some(Refresher::Us), can_refresh: false, ..ASKED };
        assert_eq!(SessionTimer::negotiate(asked, Instant::ZERO), Ok(None));
        assert_eq!(SessionTimer::negotiate(Asked { interval_s: None, ..ASKED }, Instant::ZERO), Ok(None));
    }

    #[test]
    fn a_callee_sets_the_timer_of_a_call_that_the_box_placed() {
        let accept = |answered| SessionTimer::accept(answered, Instant::ZERO);
        assert!(accept(ASKED).is_some_and(|timer| timer.peer_refreshes()));
        let ours = Asked { refresher: Some(Refresher::Us), ..ASKED };
        assert_eq!(accept(ours).map(|timer| timer.deadline()), Some(Instant::ZERO.after_ms(900_000)));
        assert_eq!(accept(Asked { can_refresh: false, ..ours }), None);
        assert_eq!(accept(Asked { interval_s: None, ..ASKED }), None);
        assert_eq!(accept(Asked { interval_s: Some(89), ..ASKED }), None);
    }

    #[test]
    fn an_interval_below_90_seconds_is_too_small() {
        let short = |interval_s, supported| {
            SessionTimer::negotiate(Asked { interval_s: Some(interval_s), supported, ..ASKED }, Instant::ZERO)
        };
        assert_eq!(short(89, true), Err(TooSmall));
        assert!(short(90, true).is_ok_and(|timer| timer.is_some()));
        assert_eq!(short(89, false), Ok(None));
    }

    #[test]
    fn a_silent_refresher_ends_the_call_32_seconds_or_a_third_early() {
        assert_eq!(timer(ASKED).deadline(), Instant::ZERO.after_ms(1_768_000));
        let mut short = timer(Asked { interval_s: Some(90), ..ASKED });
        assert_eq!(short.deadline(), Instant::ZERO.after_ms(60_000));
        assert_eq!(short.due(Instant::ZERO.after_ms(59_999)), None);
        assert_eq!(short.due(Instant::ZERO.after_ms(60_000)), Some(Due::Expired));
        short.refreshed(Instant::ZERO.after_ms(50_000));
        assert_eq!(short.deadline(), Instant::ZERO.after_ms(110_000));
    }

    #[test]
    fn the_box_refreshes_at_half_time_once() {
        let mut ours = timer(Asked { refresher: Some(Refresher::Us), ..ASKED });
        let half = Instant::ZERO.after_ms(900_000);
        assert_eq!(ours.deadline(), half);
        assert_eq!(ours.due(half), Some(Due::Refresh));
        assert_eq!(ours.due(half), None);
        assert_eq!(ours.deadline(), Instant::ZERO.after_ms(1_768_000));
        ours.refreshed(half);
        assert_eq!(ours.deadline(), Instant::ZERO.after_ms(1_800_000));
    }
}
