//! What belongs to a slot and outlives its calls: the port's gains, the echo canceller that knows its line, the ear that
//! listens to it.

use super::control::Event;
use crate::{
    audio::{
        PERIOD,
        echo::EchoCanceller,
        gain::Gain,
        interleaved::{Column, ColumnMut},
        line_ear::LineEar,
    },
    id::Slot,
};

/// How a port is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PortAudio {
    /// Gain toward the phone or line in dB, -12 to 12.
    pub to_line_db: f32,
    /// Gain of what comes from it in dB, -12 to 12.
    pub from_line_db: f32,
    /// Whether the echo of the line is taken away; a port in front of a digital exchange has none.
    pub echo_canceller: bool,
}

impl Default for PortAudio {
    fn default() -> Self {
        Self { to_line_db: 0.0, from_line_db: 0.0, echo_canceller: true }
    }
}

/// The box's end of one line.
#[derive(Debug)]
pub(super) struct LineEnd {
    slot: Slot,
    to_line: Gain,
    from_line: Gain,
    echo: Option<EchoCanceller>,
    ear: Option<Box<LineEar>>,
    /// Whether what comes from the line passes as it is, unheard.
    is_plain: bool,
}

impl LineEnd {
    pub(super) fn new(slot: Slot, set: PortAudio) -> Self {
        let mut line = Self {
            slot,
            to_line: Gain::from_db(set.to_line_db),
            from_line: Gain::from_db(set.from_line_db),
            echo: set.echo_canceller.then(EchoCanceller::new),
            ear: None,
            is_plain: false,
        };
        line.set_ear(None);
        line
    }

    /// Whether what comes from the line passes as it is, unheard.
    pub(super) const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Who listens from now on; gives back who did.
    pub(super) fn set_ear(&mut self, ear: Option<Box<LineEar>>) -> Option<Box<LineEar>> {
        let before = std::mem::replace(&mut self.ear, ear);
        self.is_plain = self.echo.is_none() && self.from_line.is_unity() && self.ear.is_none();
        before
    }

    /// Whether somebody listens.
    pub(super) const fn has_ear(&self) -> bool {
        self.ear.is_some()
    }

    /// A call begins on this line.
    pub(super) fn begin(&mut self) {
        if let Some(echo) = &mut self.echo {
            echo.set_enabled(true);
            echo.begin();
        }
    }

    /// Nothing may be done to the sound: it is a fax or a modem.
    pub(super) fn leave_alone(&mut self) {
        if let Some(echo) = &mut self.echo {
            echo.set_enabled(false);
        }
    }

    /// One period from the line in a call. `far` was on the line meanwhile; its echo is taken away.
    pub(super) fn listen(
        &mut self,
        line: Column<'_>,
        far: &[i16; PERIOD],
        near: &mut [i16; PERIOD],
        events: &mut impl FnMut(Event),
    ) {
        line.read(near);
        self.from_line.apply(near.iter_mut());
        if let Some(echo) = &mut self.echo {
            echo.cancel(far, near);
        }
        if self.ear.is_some() {
            self.tell(near, events);
        }
    }

    /// One period from a line without a call: for the ear alone.
    pub(super) fn overhear(&mut self, line: Column<'_>, events: &mut impl FnMut(Event)) {
        if self.ear.is_some() {
            let mut near = [0; PERIOD];
            line.read(&mut near);
            self.from_line.apply(near.iter_mut());
            self.tell(&near, events);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell(&mut self, near: &[i16; PERIOD], events: &mut impl FnMut(Event)) {
        let slot = self.slot;
        if let Some(ear) = &mut self.ear {
            ear.hear(near, &mut |heard| events(Event::Heard { slot, heard }));
        }
    }

    /// Everything that is played on the slot passes here last.
    #[inline]
    pub(super) fn play(&self, line: &mut ColumnMut<'_>) {
        if !self.to_line.is_unity() {
            self.to_line.apply(line.samples());
        }
    }

    /// Echo return loss, and its enhancement by the canceller, in dB.
    pub(super) fn echo_loss_db(&self) -> (Option<f32>, Option<f32>) {
        self.echo.as_ref().map_or((None, None), |echo| (echo.erl_db(), echo.erle_db()))
    }
}
