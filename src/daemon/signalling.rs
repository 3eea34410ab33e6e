//! The signalling thread: waits for one input or the switchboard's deadline, handles it, performs the outputs in order.

use super::{edges::Edges, panel::Panel, reset::FactoryReset, starting::Starting};
use crate::{
    audio::prompt::Prompt,
    call::bubble::BubbleState,
    chip::LineChange,
    directory::Directory,
    id::{CallId, PortId},
    io::{
        clock::Clock,
        line_io::{Change, LineEvent},
        sip_socket::{MAX_DATAGRAM, SipSocket},
        storage::Storage,
    },
    panel::{Edge, button::Command as Wish},
    recording::lifecycle,
    switchboard::{Input, Output, Switchboard},
    time::Instant,
    web::{LineTestOrder, Pulse},
};
use std::{
    net::SocketAddr,
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};
use tokio::sync::mpsc;

/// How often the media thread's reports are collected while a patch is up. The media thread neither waits nor wakes
/// others, so it is asked.
const MEDIA_POLL: Duration = Duration::from_millis(10);
/// How often the wall clock is read, and the pulse felt.
const WALL_CLOCK_POLL: Duration = Duration::from_secs(1);
/// Datagrams handled before timers and other threads get their turn.
const DATAGRAMS_PER_TURN: usize = 16;
/// How long the daemon waits for calls to end when it stops.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What other threads tell the signalling thread.
#[derive(Debug)]
pub(super) enum Message {
    /// A line chip reports a change.
    Line(LineEvent),
    /// Storage reports.
    Storage(lifecycle::Event),
    /// Numbers and campaigns changed.
    Directory(Arc<Directory>),
    /// Somebody wants a recording paused, or resumed; the answer is whether it is now as wanted.
    Pause {
        /// The call.
        call: CallId,
        /// Paused, or resumed.
        pauses: bool,
        /// Where the answer goes.
        answer: SyncSender<bool>,
    },
    /// The button of the front panel moved.
    Button(Edge),
    /// Stop.
    Stop,
}

/// The loop and all it owns.
pub(super) struct Signalling {
    pub(super) switchboard: Switchboard,
    pub(super) socket: SipSocket,
    pub(super) inbox: mpsc::Receiver<Message>,
    pub(super) line_tests: mpsc::Receiver<LineTestOrder>,
    pub(super) edges: Edges,
    pub(super) clock: Clock,
    pub(super) pulse: Pulse,
    pub(super) starting: Starting,
    pub(super) panel: Panel,
    pub(super) reset: FactoryReset,
}

impl Signalling {
    /// Runs until told to stop and every call has ended, or patience is over; gives storage back to be closed last.
    pub(super) async fn run(mut self) -> Storage {
        let mut buffer = vec![0; MAX_DATAGRAM].into_boxed_slice();
        let mut wall_clock = tokio::time::interval(WALL_CLOCK_POLL);
        let mut media = tokio::time::interval(MEDIA_POLL);
        media.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut stop_by = None;
        // An INVITE may wait already, and its record begins with the time of day.
        self.give(Input::WallTime(self.clock.wall()));
        self.give(Input::ClockState(self.clock.state()));
        while !self.is_done(stop_by) {
            self.edges.look(&self.switchboard);
            self.panel.look(&self.switchboard, &self.edges.state, self.starting.is_over(), self.clock.now());
            let deadlines = [self.switchboard.deadline(), self.starting.deadline(), self.panel.deadline()];
            let deadline = until(deadlines.into_iter().flatten().min(), self.clock.now());
            tokio::select! {
                biased;
                () = tokio::time::sleep(deadline) => {
                    self.starting.tell(self.clock.now());
                    self.give(Input::Deadline);
                    let wishes = self.panel.due(self.clock.now());
                    self.button(&wishes);
                }
                Some(message) = self.inbox.recv() => match message {
                    Message::Line(LineEvent { port, change }) => self.line(port, change),
                    Message::Storage(event) => {
                        self.edges.stored(&event);
                        self.give(Input::Storage(event));
                    }
                    Message::Directory(directory) => {
                        self.edges.proofs.set_directory(&directory);
                        self.give(Input::Directory(directory));
                    }
                    Message::Pause { call, pauses, answer } => self.pause(call, pauses, &answer),
                    Message::Button(edge) => {
                        let wishes = self.panel.edge(edge, self.clock.now());
                        self.button(&wishes);
                    }
                    Message::Stop => {
                        self.panel.drain(self.clock.now());
                        stop_by = Some(tokio::time::Instant::now() + STOP_PATIENCE);
                        self.give(Input::Stop);
                    }
                },
                Some(order) = self.line_tests.recv() => {
                    if let Some((port, balance)) = self.edges.book.begin(order) {
                        self.give(Input::TestLine { port, balance });
                    }
                }
                _ = media.tick(), if self.edges.expects_reports() => {
                    while let Some(event) = self.edges.media_event() {
                        self.give(Input::Media(event));
                    }
                }
                _ = wall_clock.tick() => {
                    self.pulse.beat();
                    self.edges.feel_pulse();
                    self.edges.count(self.switchboard.sip_counters());
                    self.edges.publish_state(&self.switchboard, self.panel.status());
                    self.give(Input::WallTime(self.clock.wall()));
                    self.give(Input::ClockState(self.clock.state()));
                }
                (length, source) = self.socket.receive(&mut buffer), if self.starting.is_over() => {
                    self.datagrams(&mut buffer, length, source);
                }
            }
        }
        self.panel.rest();
        self.edges.storage
    }

    /// Passes a person's order on; the answer is whether the recording is now as they want it.
    fn pause(&mut self, call: CallId, pauses: bool, answer: &SyncSender<bool>) {
        let (ask, wanted) = if pauses {
            (Input::PauseRecording(call), BubbleState::Paused)
        } else {
            (Input::ResumeRecording(call), BubbleState::Live)
        };
        self.give(ask);
        // Nobody may be waiting any more.
        let _ = answer.try_send(self.edges.live.state_of(call) == Some(wanted));
    }

    /// What whoever pressed the button wants.
    fn button(&mut self, wishes: &[Wish]) {
        for wish in wishes {
            match wish {
                Wish::SpeakStatus => {
                    self.panel.acknowledge(&self.edges.state);
                    let address = self.panel.address();
                    tracing::info!(?address, "the button was pressed: the address is told to a phone");
                    let prompt = address.map_or(Prompt::NoNetwork, Prompt::Address);
                    self.give(Input::Announce(prompt));
                }
                Wish::EnterSetUp => {
                    tracing::warn!("set-up mode for 15 minutes: the page of this machine says so");
                    self.give(Input::Announce(Prompt::SetUpMode));
                }
                Wish::LeaveSetUp => tracing::info!("set-up mode is over"),
                Wish::FactoryReset { recordings } => self.reset.begin(*recordings),
                Wish::ReportStuck => {
                    tracing::warn!(
                        "the button has been down for a minute: it is stuck, or something leans on it"
                    );
                }
                // The panel itself shows it.
                Wish::Show(_) => {}
            }
        }
    }

    fn is_done(&self, stop_by: Option<tokio::time::Instant>) -> bool {
        stop_by.is_some_and(|by| {
            let quiet = self.switchboard.calls() == 0 && !self.edges.has_patches();
            quiet || tokio::time::Instant::now() >= by
        })
    }

    fn line(&mut self, port: PortId, change: Change) {
        match change {
            Change::Fxs(change) => {
                self.edges.state.phone(port, change);
                self.give(Input::Fxs { port, change });
                self.starting.heard(port, self.clock.now());
            }
            Change::Fxo(change) => {
                self.edges.state.line(port, change);
                if change == LineChange::Up {
                    self.edges.line_is_up(port);
                }
                self.give(Input::Fxo { port, change });
            }
            Change::Readings(readings) => {
                self.edges.state.measured(port, readings);
                self.give(Input::Readings { port, volts: readings.volts, milliamps: readings.milliamps });
            }
        }
    }

    /// Handles a datagram and those that wait behind it.
    fn datagrams(&mut self, buffer: &mut [u8], length: usize, source: SocketAddr) {
        let mut next = Some((length, source));
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some((length, source)) = next else { return };
            if let Some(bytes) = buffer.get(..length) {
                self.give(Input::Sip { source, bytes });
            }
            next = self.socket.try_receive(buffer);
        }
        if let Some((length, source)) = next
            && let Some(bytes) = buffer.get(..length)
        {
            self.give(Input::Sip { source, bytes });
        }
    }

    fn give(&mut self, input: Input<'_>) {
        tracing::trace!(?input);
        let mut outputs = Vec::new();
        self.switchboard.handle(input, self.clock.now(), &mut outputs);
        for output in outputs {
            tracing::debug!(?output);
            let shown = match output {
                Output::Sip { to, bytes } => {
                    self.socket.send(to, &bytes);
                    None
                }
                other => self.edges.perform(other),
            };
            // At once, so that its time is right: what rings the phones is performed after it.
            if let Some(call) = shown {
                self.switchboard.handle(Input::BubbleShown(call), self.clock.now(), &mut Vec::new());
            }
        }
    }
}

/// From now to a deadline; a long time if there is none.
fn until(deadline: Option<Instant>, now: Instant) -> Duration {
    deadline.map_or(Duration::from_secs(3600), |at| at - now)
}
