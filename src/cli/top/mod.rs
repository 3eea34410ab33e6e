//! `ringside top`: lines, phones and calls as they are, until `q`.
//!
//! A thread asks the box for its newest snapshot four times a second, so that a box that is slow to answer never makes
//! the keyboard slow. `draw` is a pure function from a [`View`] to cells.

mod draw;
#[cfg(test)]
mod tests;

use super::{Failure, ask::RunningBox, ask::Where, print, status::printable};
use crate::{io::clock::Clock, status::BoxStatus, time::WallTime};
use clap::Args;
use ratatui::{
    DefaultTerminal,
    crossterm::{
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        terminal,
    },
};
use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::Duration,
};

/// How often the box is asked.
const ASK: Duration = Duration::from_millis(250);
/// How often the keyboard is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(50);
/// A frame that goes to no terminal.
const USUAL_SIZE: (u16, u16) = (80, 24);

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    asked: Where,
    /// Print everything once, as text, and end.
    #[arg(long)]
    once: bool,
}

/// Everything that a frame shows.
#[derive(Clone, Debug)]
struct View {
    /// The box that is asked.
    address: SocketAddr,
    /// The last snapshot; absent until the first.
    status: Option<BoxStatus>,
    /// Why there is no newer one.
    trouble: Option<String>,
    /// The wall clock, for how old the snapshot is.
    now: WallTime,
}

pub(super) fn top(arguments: &Arguments) -> Result<(), Failure> {
    let address = arguments.asked.address();
    if arguments.once {
        return once(address);
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::failed("top needs a terminal", "ringside top --once"));
    }
    let snapshots = ask_on(address);
    let failed = |error: io::Error| Failure::failed(error, "ringside top --once");
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let shown = show(&mut terminal, &snapshots, View::new(address));
    ratatui::restore();
    shown.map_err(failed)
}

fn once(address: SocketAddr) -> Result<(), Failure> {
    let status = RunningBox::at(address).status().map_err(|error| error.failure("ringside top --once"))?;
    let (width, _) = terminal::size().unwrap_or(USUAL_SIZE);
    let mut view = View::new(address);
    view.take(Ok(status));
    for row in draw::rows(&view, width) {
        print(format_args!("{}", printable(row.to_string().trim_end())));
    }
    Ok(())
}

/// Asks the box on a thread of its own, which ends with the receiver.
fn ask_on(address: SocketAddr) -> Receiver<Result<BoxStatus, String>> {
    let (answers, snapshots) = sync_channel(1);
    thread::spawn(move || {
        let running = RunningBox::at(address);
        while answers.send(running.status().map_err(|error| error.to_string())).is_ok() {
            thread::sleep(ASK);
        }
    });
    snapshots
}

/// Draws until somebody quits.
fn show(
    terminal: &mut DefaultTerminal,
    snapshots: &Receiver<Result<BoxStatus, String>>,
    mut view: View,
) -> io::Result<()> {
    let mut is_new = true;
    loop {
        if is_new {
            terminal.draw(|frame| draw::draw(&view, frame.area(), frame.buffer_mut()))?;
        }
        is_new = false;
        if event::poll(LOOK)? {
            match event::read()? {
                Event::Key(key) if quits(key) => return Ok(()),
                _ => is_new = true,
            }
        }
        for answer in snapshots.try_iter() {
            view.take(answer);
            is_new = true;
        }
    }
}

/// `q`, Escape, or what a terminal in raw mode makes of Ctrl-C.
fn quits(key: KeyEvent) -> bool {
    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_quit = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc);
    key.kind == KeyEventKind::Press && (is_quit || interrupts)
}

impl View {
    fn new(address: SocketAddr) -> Self {
        Self { address, status: None, trouble: None, now: Clock::start().wall() }
    }

    fn take(&mut self, answer: Result<BoxStatus, String>) {
        self.now = Clock::start().wall();
        match answer {
            Ok(status) => (self.status, self.trouble) = (Some(status), None),
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}
