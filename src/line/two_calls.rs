//! Two calls at one phone: who is heard, who is held, who waits (call waiting, GR-571).
//!
//! ```text
//!              announce                flash                     flash
//!   Active ──────────────► + Waits ──────────────► + Held ◄──────────────► the other one is held
//!     │                      │ on hook, gone         │ on hook: the phone rings for the held one
//!     ▼ on hook, gone        ▼                       ▼ gone: the held one is heard
//!   nobody                 the phone rings for it
//! ```

/// The calls of one phone; `U` names a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoCalls<U> {
    active: Option<U>,
    other: Option<Other<U>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other<U> {
    Waits(U),
    Held(U),
}

/// What a flash of the hook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch<U> {
    /// There is one call only: the flash is for whoever is at its far end.
    Nothing,
    /// The waiting call is answered, the other one held.
    Answered {
        /// Held from now on.
        parked: U,
        /// Answered.
        answered: U,
    },
    /// The calls change places.
    Swapped {
        /// Held from now on.
        parked: U,
        /// Heard again.
        resumed: U,
    },
}

/// What is left when the handset was hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HungUp<U> {
    /// The call that was hung up.
    pub ended: Option<U>,
    /// The phone rings for this one.
    pub rings: Option<Back<U>>,
}

/// Why a phone rings that was just hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back<U> {
    /// It waited.
    Waiting(U),
    /// It was held.
    Held(U),
}

/// What becomes of a phone whose call is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone<U> {
    /// The call was not the one that is heard.
    Unheard,
    /// The phone is let go.
    Alone,
    /// The held call is heard again.
    Resumed(U),
}

impl<U> Default for TwoCalls<U> {
    fn default() -> Self {
        Self { active: None, other: None }
    }
}

impl<U: Copy + PartialEq> TwoCalls<U> {
    /// The call that rings the phone or is heard.
    #[must_use]
    pub const fn active(&self) -> Option<U> {
        self.active
    }

    /// The call that waits.
    #[must_use]
    pub const fn waiting(&self) -> Option<U> {
        match self.other {
            Some(Other::Waits(call)) => Some(call),
            Some(Other::Held(_)) | None => None,
        }
    }

    /// Whether this call has anything to do with the phone.
    #[must_use]
    pub fn involves(&self, call: U) -> bool {
        self.active == Some(call) || self.other.is_some_and(|other| other.call() == call)
    }

    /// Whether another call may be announced.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.active.is_some() && self.other.is_none()
    }

    /// A call rings or takes the phone.
    pub const fn attach(&mut self, call: U) {
        self.active = Some(call);
    }

    /// Another call is announced; `false` if there is no room.
    pub const fn announce(&mut self, call: U) -> bool {
        let room = self.has_room();
        if room {
            self.other = Some(Other::Waits(call));
        }
        room
    }

    /// The hook was flashed.
    pub const fn flash(&mut self) -> Switch<U> {
        let (Some(parked), Some(other)) = (self.active, self.other) else { return Switch::Nothing };
        self.other = Some(Other::Held(parked));
        match other {
            Other::Waits(answered) => {
                self.active = Some(answered);
                Switch::Answered { parked, answered }
            }
            Other::Held(resumed) => {
                self.active = Some(resumed);
                Switch::Swapped { parked, resumed }
            }
        }
    }

    /// The handset was hung up.
    pub const fn hang_up(&mut self) -> HungUp<U> {
        let ended = self.active.take();
        let rings = match self.other.take() {
            Some(Other::Waits(call)) => Some(Back::Waiting(call)),
            Some(Other::Held(call)) => Some(Back::Held(call)),
            None => None,
        };
        HungUp { ended, rings }
    }

    /// A call is over, or no longer wants the phone.
    pub fn gone(&mut self, call: U) -> Gone<U> {
        if self.other.is_some_and(|other| other.call() == call) {
            self.other = None;
            return Gone::Unheard;
        }
        if self.active != Some(call) {
            return Gone::Unheard;
        }
        self.active = None;
        match self.other {
            Some(Other::Held(held)) => {
                (self.active, self.other) = (Some(held), None);
                Gone::Resumed(held)
            }
            // Its bell rings when the handset is back.
            Some(Other::Waits(_)) | None => Gone::Alone,
        }
    }
}

impl<U: Copy> Other<U> {
    const fn call(self) -> U {
        match self {
            Self::Waits(call) | Self::Held(call) => call,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talking() -> TwoCalls<u8> {
        let mut calls = TwoCalls::default();
        calls.attach(1);
        calls
    }

    #[test]
    fn a_flash_answers_the_waiting_call_and_then_goes_back_and_forth() {
        let mut calls = talking();
        assert!(calls.announce(2));
        assert_eq!(calls.flash(), Switch::Answered { parked: 1, answered: 2 });
        assert_eq!(calls.flash(), Switch::Swapped { parked: 2, resumed: 1 });
        assert_eq!(calls.active(), Some(1));
    }

    #[test]
    fn a_flash_with_one_call_is_for_its_far_end() {
        assert_eq!(talking().flash(), Switch::Nothing);
        assert_eq!(TwoCalls::<u8>::default().flash(), Switch::Nothing);
    }

    #[test]
    fn a_third_call_has_no_room_nor_has_a_second_at_an_idle_phone() {
        let mut calls = talking();
        assert!(calls.announce(2) && !calls.announce(3));
        assert!(!TwoCalls::default().announce(1));
    }

    #[test]
    fn hanging_up_rings_the_phone_for_the_call_that_is_left() {
        let mut waiting = talking();
        waiting.announce(2);
        let mut held = waiting;
        held.flash();
        assert_eq!(waiting.hang_up(), HungUp { ended: Some(1), rings: Some(Back::Waiting(2)) });
        assert_eq!(held.hang_up(), HungUp { ended: Some(2), rings: Some(Back::Held(1)) });
        assert_eq!(held, TwoCalls::default());
    }

    #[test]
    fn the_end_of_the_heard_call_brings_the_held_one_back() {
        let mut calls = talking();
        calls.announce(2);
        calls.flash();
        assert_eq!(calls.gone(2), Gone::Resumed(1));
        assert_eq!(calls.gone(1), Gone::Alone);
        assert_eq!(calls.gone(1), Gone::Unheard);
    }

    #[test]
    fn a_waiting_call_outlives_the_one_it_interrupted() {
        let mut calls = talking();
        calls.announce(2);
        assert_eq!(calls.gone(1), Gone::Alone);
        assert_eq!(calls.hang_up(), HungUp { ended: None, rings: Some(Back::Waiting(2)) });
    }
}
