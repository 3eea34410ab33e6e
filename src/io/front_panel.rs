//! The panel's thread: turns the LEDs and looks at the button, 50 times a second.
//!
//! [`FrontPanel`] has neither clock nor thread, so the simulation can turn it in virtual time; [`FrontPanel::run`] is
//! the thread's loop.

use crate::{
    panel::{
        Button, Edge, Leds,
        led::{Led, Light, STEP_MS},
    },
    time::Instant,
};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

/// How often it turns: shorter than a switch bounces, and than [`STEP_MS`].
pub const TURN_MS: u64 = 20;
const _: () = assert!(TURN_MS <= STEP_MS);

/// LEDs and button of a board, whatever they are.
pub struct FrontPanel {
    leds: Box<dyn Leds>,
    button: Option<Box<dyn Button>>,
}

/// An order: what LEDs shall show from now on.
pub type Lights = Vec<(Led, Light)>;

impl FrontPanel {
    /// A panel; a board may have no button.
    #[must_use]
    pub const fn new(leds: Box<dyn Leds>, button: Option<Box<dyn Button>>) -> Self {
        Self { leds, button }
    }

    /// Takes what LEDs shall show; the next turn shows it.
    pub fn show(&mut self, lights: impl IntoIterator<Item = (Led, Light)>) {
        lights.into_iter().for_each(|(led, light)| self.leds.show(led, light));
    }

    /// Brings the LEDs up to date and tells the button's edges; due every [`TURN_MS`]. Failures are logged once.
    pub fn turn(&mut self, now: Instant, emit: &mut impl FnMut(Edge)) {
        if let Err(error) = self.leds.turn(now) {
            tracing::warn!("{error}");
        }
        let Some(button) = &mut self.button else { return };
        loop {
            match button.poll(now) {
                Ok(Some(edge)) => emit(edge),
                Ok(None) => return,
                Err(error) => return tracing::warn!("{error}"),
            }
        }
    }

    /// Turns until the other end of `orders` is dropped, then once more for what was shown last.
    pub fn run(mut self, orders: &Receiver<Lights>, now: impl Fn() -> Instant, mut emit: impl FnMut(Edge)) {
        let mut due = now();
        loop {
            match orders.recv_timeout(due - now()) {
                Ok(lights) => self.show(lights),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if now() >= due {
                self.turn(now(), &mut emit);
                // A turn that took too long is not caught up with.
                due = due.after_ms(TURN_MS).max(now());
            }
        }
        self.turn(now(), &mut emit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::{
        DeviceError,
        led::{Colour, Pattern},
    };
    use std::{
        cell::Cell,
        sync::{Arc, Mutex, mpsc::channel},
    };

    /// What was shown, and the turns since the last of it.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<(Lights, u32)>>);

    impl Leds for Seen {
        fn show(&mut self, led: Led, light: Light) {
            let (lights, turns) = &mut *self.0.lock().unwrap();
            lights.push((led, light));
            *turns = 0;
        }

        fn turn(&mut self, _now: Instant) -> Result<(), DeviceError> {
            self.0.lock().unwrap().1 += 1;
            Ok(())
        }
    }

    struct Presses(Vec<Edge>);

    impl Button for Presses {
        fn poll(&mut self, _now: Instant) -> Result<Option<Edge>, DeviceError> {
            let gone = DeviceError { device: "button".into(), problem: "gone".into(), remedy: "none" };
            self.0.pop().map(Some).ok_or(gone)
        }
    }

    const SOLID: Light = Light { pattern: Pattern::Solid, colour: Colour::Red };

    #[test]
    fn a_turn_moves_the_leds_and_tells_every_edge_that_waits() {
        let seen = Seen::default();
        let presses = Presses(vec![Edge::Released, Edge::Pressed]);
        let mut panel = FrontPanel::new(Box::new(seen.clone()), Some(Box::new(presses)));
        let mut edges = Vec::new();
        panel.show([(Led::Alarm, SOLID)]);
        panel.turn(Instant::ZERO, &mut |edge| edges.push(edge));
        assert_eq!(edges, [Edge::Pressed, Edge::Released]);
        assert_eq!(*seen.0.lock().unwrap(), (vec![(Led::Alarm, SOLID)], 1));
    }

    #[test]
    fn the_last_order_is_shown_before_the_thread_ends() {
        let seen = Seen::default();
        let (orders, receiver) = channel();
        // The second comes right after the first turn, when the next is not due yet.
        orders.send(vec![(Led::Power, SOLID)]).unwrap();
        orders.send(vec![(Led::Alarm, SOLID)]).unwrap();
        drop(orders);
        // A clock that goes on as it is read.
        let clock = Cell::new(Instant::ZERO);
        let now = || clock.replace(clock.get().after_ms(1));
        FrontPanel::new(Box::new(seen.clone()), None).run(&receiver, now, |_| {});
        let right = vec![(Led::Power, SOLID), (Led::Alarm, SOLID)];
        assert_eq!(*seen.0.lock().unwrap(), (right, 1));
    }
}
