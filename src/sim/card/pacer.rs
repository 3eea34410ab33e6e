//! What moves the simulated card: a hand in virtual time, or a thread that keeps to the machine's clock.

use super::bus::Bus;
use crate::sim::world::LineSide;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const RATE_HZ: f64 = 8000.0;

/// Carries frames between the bus and the line, one step at a time.
pub(super) struct Mover {
    bus: Arc<Bus>,
    line: Box<dyn LineSide>,
    down: Vec<i16>,
    up: Vec<i16>,
}

impl Mover {
    pub(super) fn new(bus: Arc<Bus>, line: Box<dyn LineSide>, step_frames: usize) -> Self {
        let samples = step_frames * bus.slots;
        Self { bus, line, down: vec![0; samples], up: vec![0; samples] }
    }

    fn step_frames(&self) -> usize {
        self.down.len() / self.bus.slots
    }

    /// Moves by `frames`, in whole steps and one shorter one.
    pub(super) fn advance(&mut self, frames: usize) {
        let mut left = frames;
        while left > 0 {
            let step = left.min(self.step_frames());
            self.step(step);
            left -= step;
        }
    }

    /// The line runs outside the lock: a slow world delays the clock, not the application.
    fn step(&mut self, frames: usize) {
        let samples = frames * self.bus.slots;
        let (down, up) = (&mut self.down[..samples], &mut self.up[..samples]);
        self.bus.play(down);
        self.line.step(down, up, self.bus.slots);
        self.bus.record(up);
    }
}

/// The clock thread of a card in real time.
pub(super) struct Pacer {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    pub(super) fn start(mut mover: Mover, ppm: f64, patience: Duration) -> std::io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let run = move || {
            let _unplug = UnplugAtEnd(Arc::clone(&mover.bus));
            keep_time(&mut mover, RATE_HZ * (1.0 + ppm * 1e-6), patience, &told);
        };
        let thread = std::thread::Builder::new().name("sim-card".to_owned()).spawn(run)?;
        Ok(Self { stopping, thread: Some(thread) })
    }

    /// Ends the thread; it is gone on return.
    pub(super) fn stop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the line side has been printed by its own thread and has unplugged the card.
            let _ = thread.join();
        }
    }
}

/// A line side that panics takes the card with it, so that the application hears of it.
struct UnplugAtEnd(Arc<Bus>);

impl Drop for UnplugAtEnd {
    fn drop(&mut self) {
        self.0.unplug();
    }
}

/// Steps are due at absolute times, so a late wake-up is made up for and the rate is exact in the long run.
fn keep_time(mover: &mut Mover, rate_hz: f64, patience: Duration, stopping: &AtomicBool) {
    let started = Instant::now();
    let step = mover.step_frames();
    let mut moved: u64 = 0;
    while !stopping.load(Ordering::Relaxed) {
        let due = Duration::from_secs_f64((moved + step as u64) as f64 / rate_hz);
        let early = due.saturating_sub(started.elapsed());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        if !patience.is_zero() {
            mover.bus.wait_served(step as u64, patience);
        }
        mover.step(step);
        moved += step as u64;
    }
}
