//! What the box knows of its ports beyond a restart, and the line tests that find it out.

use super::{hardware, status::BoxState};
use crate::{
    board::Profile,
    chip::si3050::Balance,
    config::Config,
    health,
    id::PortId,
    io::{
        clock::Clock,
        lines_file::{Lines, LinesWriter},
    },
    line::{fxo::Learned, line_test::Untested},
    status::{BoxStatus, LineHealth, Measured},
    switchboard::{MachineSettings, Settings},
    web::{LineTestOrder, LineTestRefused},
};
use std::{collections::BTreeMap, io, path::Path};
use tokio::sync::oneshot;

/// The end on which a result is awaited.
type Answer = oneshot::Sender<Result<LineHealth, LineTestRefused>>;

/// What is kept of the ports, and who waits for their tests.
pub(super) struct LineBook {
    ports: Vec<String>,
    lines: Lines,
    writer: LinesWriter,
    /// As the country's lines are balanced.
    usual: Balance,
    waiting: BTreeMap<PortId, Answer>,
    clock: Clock,
}

impl LineBook {
    /// Opens the book of a data directory.
    ///
    /// # Errors
    /// The thread that writes it cannot be had.
    pub(super) fn open(data: &Path, config: &Config, profile: &Profile, clock: Clock) -> io::Result<Self> {
        let acim = hardware::termination(&config.site.country).acim;
        Ok(Self {
            ports: profile.numbered_ports().map(|(_, port)| port.name.clone()).collect(),
            lines: Lines::load(data),
            writer: LinesWriter::start(data)?,
            usual: Balance { acim, hybrid: [0; 8] },
            waiting: BTreeMap::new(),
            clock,
        })
    }

    /// Names of the board's ports, in the order of their ids.
    pub(super) fn ports(&self) -> &[String] {
        &self.ports
    }

    /// The settings with what each line has shown before the last stop.
    pub(super) fn taught(&self, mut settings: Settings) -> Settings {
        for jack in &mut settings.jacks {
            if let MachineSettings::Fxo(fxo) = &mut jack.machine {
                fxo.learned = self.lines.ports.get(&jack.port.name).and_then(|kept| kept.learned);
            }
        }
        settings
    }

    /// How a line test has balanced the chip of a port, if one has.
    pub(super) fn balance(&self, port: PortId) -> Option<Balance> {
        let kept = self.lines.ports.get(self.name(port)?)?.balance?;
        Some(Balance { acim: kept.acim, hybrid: kept.hybrid })
    }

    /// Somebody wants a test: the port, and how its chip is balanced. `None` if that was answered at once.
    pub(super) fn begin(&mut self, order: LineTestOrder) -> Option<(PortId, Balance)> {
        let LineTestOrder { port, answer } = order;
        let id = self.ports.iter().position(|name| *name == port).and_then(|at| u8::try_from(at).ok());
        let refused = match id.map(PortId) {
            Some(id) if !self.waiting.contains_key(&id) => {
                self.waiting.insert(id, answer);
                return Some((id, self.balance(id).unwrap_or(self.usual)));
            }
            Some(_) => LineTestRefused::InUse,
            None => LineTestRefused::UnknownPort,
        };
        // Nobody may be waiting any more.
        let _ = answer.send(Err(refused));
        None
    }

    /// A test is over.
    pub(super) fn tested(&mut self, port: PortId, result: Result<Measured, Untested>, state: &mut BoxState) {
        let judged = match result {
            Ok(measured) => Ok(self.judge(port, measured, state)),
            Err(Untested::InUse) => Err(LineTestRefused::InUse),
            Err(Untested::Failed(why)) => {
                tracing::warn!(line = self.name(port), why, "the line test failed");
                Err(LineTestRefused::Failed(why.to_owned()))
            }
        };
        if let Some(answer) = self.waiting.remove(&port) {
            // Nobody may be waiting any more; the result is kept nevertheless.
            let _ = answer.send(judged);
        }
    }

    fn judge(&mut self, port: PortId, mut measured: Measured, state: &mut BoxState) -> LineHealth {
        let name = self.name(port).unwrap_or_default().to_owned();
        let kept = self.lines.port(&name);
        if let Measured::Line(line) = &mut measured {
            line.caller_id_seen = state.caller_id_seen(&name);
            kept.balance = line.chosen.or(kept.balance);
        }
        let health = health::judge(measured, self.clock.wall(), &kept.scores);
        kept.tested(&health);
        self.writer.write(&self.lines);
        let found: Vec<&str> = health.deductions.iter().map(|one| one.code.as_str()).collect();
        tracing::info!(line = name, score = health.score, ?found, "line_health");
        health
    }

    /// A line has shown how its exchange ends calls.
    pub(super) fn learned(&mut self, port: PortId, learned: Learned) {
        let Some(name) = self.name(port).map(str::to_owned) else { return };
        self.lines.port(&name).learned = Some(learned);
        self.writer.write(&self.lines);
    }

    /// Puts the last test of each port into a snapshot.
    pub(super) fn show(&self, status: &mut BoxStatus) {
        let health = |port: &str| self.lines.ports.get(port).and_then(|kept| kept.health.clone());
        status.lines.iter_mut().for_each(|line| line.health = health(&line.port));
        status.phones.iter_mut().for_each(|phone| phone.health = health(&phone.port));
    }

    fn name(&self, port: PortId) -> Option<&str> {
        self.ports.get(usize::from(port.0)).map(String::as_str)
    }
}
