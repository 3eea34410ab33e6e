//! What happens to an office line, and what it wants done.

use super::{Dial, HangUp};
use crate::{
    audio::{caller_id::Received, dtmf::Key, line_ear::Heard},
    chip::{LineChange, LineOrder},
};

/// What happens to a line.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once; what is large is caller ID, once in a call")]
pub enum Event {
    /// The chip reports a change.
    Chip(LineChange),
    /// The ear on the line's slot heard something.
    Heard(Heard),
    /// A call is to go out.
    Seize(Dial),
    /// The call that rings, or was caught by [`Refusal::Glare`], is taken.
    Answer,
    /// The user of the line hangs up, or wants no more of the call that was caught.
    Release,
    /// The user asks the exchange for a feature.
    Flash,
    /// The other side of the patch ended its leg. With silence on the line this is evidence that the call is over.
    FarLegEnded,
    /// A deadline passed.
    Deadline,
}

/// What a line wants done, in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Tell the chip.
    Order(LineOrder),
    /// Put the ear on the line's slot; it begins anew.
    Listen,
    /// Take it off.
    Ignore,
    /// Play these keys on the slot, [`crate::audio::dtmf::DIALLED`] samples on and off each.
    Send(Vec<Key>),
    /// Tell whoever takes calls: this line rings. Of a line that is being released it is told in place of
    /// [`Self::Free`].
    Rings,
    /// Tell them: who calls; at most once in a call.
    CallerId(Received),
    /// Tell them: it rings no more; the caller gave up, a parallel phone took it, or the line failed.
    RingStopped,
    /// Tell the user: the line is off hook and settled, of a call that comes in: answered.
    Seized,
    /// Tell the user: all digits are out.
    Dialled,
    /// Tell the user: the called party is there, and how this is known; once in a call.
    Answered(Evidence),
    /// Tell who wanted to use the line: no. The use is over and needs no [`Event::Release`].
    Refused(Refusal),
    /// Tell the user: the exchange or the far end has ended the call. The line hangs up by itself.
    Gone(HangUp),
    /// Tell the user: the line failed under the call and hangs up by itself.
    Lost(Loss),
    /// Tell everyone: the line can be used (again). Told whenever it comes to be so: after start and recovery, after a
    /// use, after a ring, after a parallel phone.
    Free,
    /// Tell the installer.
    Alarm(Alarm),
    /// Tell the installer: it is over.
    AlarmOver(Alarm),
    /// Store: a call on this line ended in this way ([`super::Learned`]). Of CPC the milliseconds are those of the
    /// open loop, of everything else those since somebody was last heard.
    Learned(HangUp, u64),
    /// Store: what a reversal says of an answer has changed ([`super::Learned::answers`]).
    LearnedReversal,
}

/// How it is known that a called party has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The exchange reversed the polarity, as it is known to do.
    Polarity,
    /// Somebody talks (or music plays: a recording that is played in place of ringback is taken for a person).
    Voice,
    /// Nothing speaks against it for long enough.
    Assumed,
}

/// Why a line cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The chip is not up.
    Down,
    /// The exchange does not feed the line, or it is unplugged.
    NoBattery,
    /// A parallel phone is off hook.
    InUse,
    /// This box uses it itself; that use goes on.
    Busy,
    /// A call comes in on it. It can be answered.
    Glare,
    /// The exchange did not give dial tone.
    NoDialTone,
    /// Nothing rings that could be answered.
    NotRinging,
}

/// How a line failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// No battery where no hang-up explains it.
    Unplugged,
    /// The chip lost its registers.
    ChipReset,
    /// The chip lost its line side.
    LinkLost,
    /// The chip does not answer.
    ChipDown,
    /// Too much loop current; the chip has hung up.
    Overload,
}

/// What an installer has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The exchange took the battery away after a call and did not give it back; over when it does.
    BatteryNotBack,
    /// No battery for a second, without a call that would explain it; over when there is one.
    Unplugged,
    /// Too much loop current; over when the line is off hook without it.
    Overload,
    /// A parallel phone has been off hook for [`super::Settings::held_ms`]; over when it hangs up.
    LineHeld,
}

impl Alarm {
    /// Every alarm.
    pub const ALL: [Self; 4] = [Self::BatteryNotBack, Self::Unplugged, Self::Overload, Self::LineHeld];
}
