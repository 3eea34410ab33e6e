//! What belongs to a slot and outlives its calls: the port's gains, and the echo canceller that knows its line.

use crate::audio::PERIOD;
use crate::audio::{
    echo::EchoCanceller,
    gain::Gain,
    interleaved::{Column, ColumnMut},
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
    to_line: Gain,
    from_line: Gain,
    echo: Option<EchoCanceller>,
}

impl LineEnd {
    pub(super) fn new(set: PortAudio) -> Self {
        Self {
            to_line: Gain::from_db(set.to_line_db),
            from_line: Gain::from_db(set.from_line_db),
            echo: set.echo_canceller.then(EchoCanceller::new),
        }
    }

    /// Whether what comes from the line passes as it is.
    pub(super) const fn is_plain(&self) -> bool {
        self.echo.is_none() && self.from_line.is_unity()
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

    /// One period from the line. `far` was on the line meanwhile; its echo is taken away.
    pub(super) fn listen(&mut self, line: Column<'_>, far: &[i16; PERIOD], near: &mut [i16; PERIOD]) {
        line.read(near);
        self.from_line.apply(near.iter_mut());
        if let Some(echo) = &mut self.echo {
            echo.cancel(far, near);
        }
    }

    /// Everything that is played on the slot passes here last.
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
