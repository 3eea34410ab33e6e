//! One direction of the simulated card: a ring of frames between the application and the card, with the positions and
//! the xrun rule of a kernel driver. Pure: the clock is whoever calls `play` or `record`.
//!
//! ```text
//!            open                prepare            start             avail ≥ buffer
//!   Closed ────────▶ Idle ────────────────▶ Idle ────────▶ Running ────────────────▶ Xrun
//!      ▲              │                      ▲                │ stop                  │
//!      └──── close ───┘                      └────────────────┴──── prepare ──────────┘
//! ```

/// Which way the frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the application to the line.
    Playback,
    /// From the line to the application.
    Capture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Idle,
    Running,
    Xrun,
}

/// The application was too late: playback ran dry or capture ran over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Xrun;

/// Frames on their way, counted since the last `prepare`.
pub(super) struct Stream {
    direction: Direction,
    slots: usize,
    state: State,
    ring: Vec<i16>,
    buffer_frames: u64,
    avail_min_frames: u64,
    /// What the card has played or recorded.
    card: u64,
    /// What the application has written or released, as far as it told us.
    application: u64,
    xruns: u64,
}

impl Stream {
    pub(super) fn new(direction: Direction, slots: usize) -> Self {
        Self {
            direction,
            slots,
            state: State::Closed,
            ring: Vec::new(),
            buffer_frames: 1,
            avail_min_frames: 1,
            card: 0,
            application: 0,
            xruns: 0,
        }
    }

    /// Takes the stream for one application; false if another one has it.
    pub(super) fn open(&mut self) -> bool {
        let free = self.state == State::Closed;
        if free {
            self.state = State::Idle;
        }
        free
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Sizes the ring. It holds two buffers, so that what the application is still reading is not overwritten before
    /// the overrun is noticed.
    pub(super) fn set_buffer(&mut self, frames: u64) {
        self.buffer_frames = frames.max(1);
        let samples =
            usize::try_from(self.buffer_frames * 2).unwrap_or(usize::MAX).saturating_mul(self.slots);
        self.ring = vec![0; samples];
    }

    pub(super) fn set_avail_min(&mut self, frames: u64) {
        self.avail_min_frames = frames.max(1);
    }

    pub(super) fn prepare(&mut self) {
        self.state = State::Idle;
        self.card = 0;
        self.application = 0;
    }

    pub(super) fn start(&mut self) {
        self.state = State::Running;
    }

    pub(super) fn stop(&mut self) {
        self.state = State::Idle;
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    pub(super) fn xruns(&self) -> u64 {
        self.xruns
    }

    /// Frames the application can write or read now.
    fn avail(&self) -> u64 {
        match self.direction {
            Direction::Playback => (self.buffer_frames + self.card).saturating_sub(self.application),
            Direction::Capture => self.card.saturating_sub(self.application),
        }
    }

    /// Whether a poll should return: enough frames, or an error to report.
    pub(super) fn is_ready(&self) -> bool {
        match self.state {
            State::Running => self.avail() >= self.avail_min_frames,
            State::Xrun => true,
            State::Closed | State::Idle => false,
        }
    }

    /// Whether the card can move on by `frames` without an xrun.
    pub(super) fn can_move(&self, frames: u64) -> bool {
        match self.state {
            State::Running => self.avail() + frames < self.buffer_frames,
            State::Closed | State::Idle | State::Xrun => true,
        }
    }

    /// The card's position in the application's buffer, given the application's own position.
    ///
    /// The kernel's rule with the usual stop threshold: a whole buffer available is an xrun.
    pub(super) fn pointer(&mut self, application: u64) -> Result<u64, Xrun> {
        self.application = application;
        match self.state {
            State::Running if self.avail() >= self.buffer_frames => Err(self.fail()),
            State::Xrun => Err(Xrun),
            State::Running | State::Idle | State::Closed => Ok(self.card % self.buffer_frames),
        }
    }

    fn fail(&mut self) -> Xrun {
        self.state = State::Xrun;
        self.xruns += 1;
        Xrun
    }

    /// The application hands over `frames` to be played.
    pub(super) fn write(&mut self, frames: &[i16]) -> Result<(), Xrun> {
        if self.state == State::Xrun {
            return Err(Xrun);
        }
        let (head, tail) = frames.split_at(self.contiguous(self.application, frames.len()));
        let at = self.index(self.application);
        self.ring[at..at + head.len()].copy_from_slice(head);
        self.ring[..tail.len()].copy_from_slice(tail);
        self.application += self.frames(frames.len());
        Ok(())
    }

    /// The application, which is at its frame `application`, looks at what was recorded for `offset` in its buffer on.
    /// It releases frames by a later `pointer`, and may look at them again before.
    pub(super) fn read(&self, application: u64, offset: u64, frames: &mut [i16]) -> Result<(), Xrun> {
        let ahead = (offset + self.buffer_frames - application % self.buffer_frames) % self.buffer_frames;
        let from = application + ahead;
        if self.state == State::Xrun || self.card.saturating_sub(from) > self.buffer_frames * 2 {
            return Err(Xrun);
        }
        let (head, tail) = frames.split_at_mut(self.contiguous(from, frames.len()));
        let at = self.index(from);
        head.copy_from_slice(&self.ring[at..at + head.len()]);
        tail.copy_from_slice(&self.ring[..tail.len()]);
        Ok(())
    }

    /// The card plays its next frames: silence while it does not run. Frames that the application has not written are
    /// silence and an xrun.
    pub(super) fn play(&mut self, frames: &mut [i16]) {
        frames.fill(0);
        if self.state != State::Running {
            return;
        }
        let written = self.samples(self.application.saturating_sub(self.card)).min(frames.len());
        let (head, tail) = frames[..written].split_at_mut(self.contiguous(self.card, written));
        let at = self.index(self.card);
        head.copy_from_slice(&self.ring[at..at + head.len()]);
        tail.copy_from_slice(&self.ring[..tail.len()]);
        self.card += self.frames(frames.len());
        if written < frames.len() {
            self.fail();
        }
    }

    /// The card records its next frames; nobody hears them while it does not run.
    pub(super) fn record(&mut self, frames: &[i16]) {
        if self.state != State::Running {
            return;
        }
        let (head, tail) = frames.split_at(self.contiguous(self.card, frames.len()));
        let at = self.index(self.card);
        self.ring[at..at + head.len()].copy_from_slice(head);
        self.ring[..tail.len()].copy_from_slice(tail);
        self.card += self.frames(frames.len());
    }

    /// Samples from frame `at` to the end of the ring, at most `samples`.
    fn contiguous(&self, at: u64, samples: usize) -> usize {
        (self.ring.len() - self.index(at)).min(samples)
    }

    fn index(&self, frame: u64) -> usize {
        let ring_frames = self.buffer_frames * 2;
        self.samples(frame % ring_frames)
    }

    fn samples(&self, frames: u64) -> usize {
        usize::try_from(frames).unwrap_or(usize::MAX).saturating_mul(self.slots)
    }

    fn frames(&self, samples: usize) -> u64 {
        (samples / self.slots) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(direction: Direction) -> Stream {
        let mut stream = Stream::new(direction, 2);
        assert!(stream.open());
        stream.set_buffer(8);
        stream.set_avail_min(4);
        stream.prepare();
        if direction == Direction::Playback {
            stream.write(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        }
        stream.start();
        stream
    }

    #[test]
    fn what_is_written_is_played_in_order_across_the_end_of_the_ring() {
        let mut stream = started(Direction::Playback);
        let mut heard = Vec::new();
        for round in 1..12_i16 {
            let mut frames = [0; 8];
            stream.play(&mut frames[..6]);
            heard.extend_from_slice(&frames[..6]);
            let next: Vec<i16> = (0..6).map(|i| 8 + (round - 1) * 6 + i + 1).collect();
            stream.write(&next).unwrap();
        }
        assert_eq!(heard, (1..=66).collect::<Vec<i16>>());
        assert_eq!(stream.xruns(), 0);
    }

    #[test]
    fn playback_that_runs_dry_is_an_xrun_until_prepared() {
        let mut stream = started(Direction::Playback);
        let mut frames = [9; 10];
        stream.play(&mut frames);
        assert_eq!(frames, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
        assert_eq!(stream.pointer(4), Err(Xrun));
        assert_eq!((stream.xruns(), stream.is_ready()), (1, true));
        stream.prepare();
        assert_eq!(stream.pointer(0), Ok(0));
    }

    #[test]
    fn capture_one_frame_short_of_the_buffer_is_kept_and_a_full_buffer_is_an_xrun() {
        let mut stream = started(Direction::Capture);
        stream.record(&[1; 14]);
        assert_eq!(stream.pointer(0), Ok(7));
        stream.record(&[2; 2]);
        assert_eq!(stream.pointer(0), Err(Xrun));
    }

    #[test]
    fn what_was_recorded_is_read_in_two_pieces_around_the_end_of_the_buffer() {
        let mut stream = started(Direction::Capture);
        for frame in 0..6 {
            stream.record(&[frame, -frame]);
        }
        stream.pointer(6).unwrap();
        for frame in 6..11 {
            stream.record(&[frame, -frame]);
        }
        let (mut head, mut tail) = ([0; 4], [0; 6]);
        stream.read(6, 6, &mut head).unwrap();
        stream.read(6, 0, &mut tail).unwrap();
        assert_eq!((head, tail), ([6, -6, 7, -7], [8, -8, 9, -9, 10, -10]));
    }

    #[test]
    fn a_poll_is_ready_when_a_period_is_there_and_not_before() {
        let mut stream = started(Direction::Capture);
        stream.record(&[1; 6]);
        assert!(!stream.is_ready());
        stream.record(&[1; 2]);
        assert!(stream.is_ready());
        stream.pointer(4).unwrap();
        assert!(!stream.is_ready());
    }

    #[test]
    fn a_stream_has_one_application_at_a_time() {
        let mut stream = started(Direction::Capture);
        assert!(!stream.open());
        stream.close();
        assert!(stream.open());
    }
}
