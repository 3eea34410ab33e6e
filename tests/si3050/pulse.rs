//! Pulse dialling: every frame that opens or closes a loop, to the millisecond, in chains of one to four chips.

use super::rig::Rig;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice};
use ringside::chip::si3050::bus::Chain;
use ringside::chip::si3050::pulse::{PulseTrain, Rhythm};
use ringside::chip::si3050::{Command, Event, Problem, Settings, Si3050};
use ringside::id::Slot;
use ringside::time::Instant;
use std::convert::Infallible;

/// Chips that keep what is written, with a line of 48 V that carries current; what is written to R5 is noted.
struct Wire {
    /// By the chip's number as it is on the wire.
    regs: [[u8; 60]; 16],
    daa1: Vec<[u8; 3]>,
}

impl ErrorType for Wire {
    type Error = Infallible;
}

impl SpiDevice for Wire {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        match operations {
            [Operation::Write([control, register]), Operation::Read(data)] => {
                let (control, register) = (*control, *register);
                assert_eq!(control & 0xF0, 0x60);
                data[0] = self.regs[usize::from(control & 0x0F)][usize::from(register)];
            }
            [Operation::Write([control, register, value])] => {
                let (control, register, value) = (*control, *register, *value);
                assert_eq!(control & 0xF0, 0x20);
                if register == 5 {
                    self.daa1.push([control, register, value]);
                }
                if !matches!(register, 1 | 4) {
                    self.regs[usize::from(control & 0x0F)][usize::from(register)] = value;
                }
            }
            other => panic!("no frame of this chip: {other:?}"),
        }
        Ok(())
    }
}

fn wire() -> Wire {
    let mut regs = [0; 60];
    for (register, value) in [(2, 0x03), (11, 0x33), (12, 0x40 | 8), (28, 24), (29, 0xD0)] {
        regs[register] = value;
    }
    Wire { regs: [regs; 16], daa1: Vec::new() }
}

/// Number of the chip in a control byte that writes.
const WRITE: [u8; 4] = [0x20, 0x28, 0x24, 0x2C];
const OPEN: u8 = 0x08;
const CLOSED: u8 = 0x09;

#[test]
fn two_one_on_the_last_chip_of_each_chain_is_three_openings_at_their_times() {
    for chips in 1..=4_u8 {
        let mut chain = Chain::new(wire());
        let mut ports: Vec<_> =
            (0..chips).map(|index| Si3050::new(index, Settings::new(Slot(index)))).collect();
        let (mut frames, mut events) = (Vec::new(), Vec::new());
        let last = usize::from(chips - 1);
        let begin = 1_003;
        for ms in 0..3_500 {
            let now = Instant(ms * 1_000);
            let order = match ms {
                600 => Some(Command::OffHook),
                _ if ms == begin => {
                    let digits = PulseTrain::new(&[2, 1], Rhythm::SIXTY_FORTY).unwrap();
                    Some(Command::Pulse { digits })
                }
                _ => None,
            };
            if let Some(command) = order {
                ports[last].handle(command, &mut chain, now, &mut Vec::new()).unwrap();
            }
            for (port, chip) in ports.iter_mut().enumerate().filter(|(_, chip)| chip.deadline() <= now) {
                let mut out = Vec::new();
                chip.poll(&mut chain, now, &mut out).unwrap();
                events.extend(out.into_iter().map(|event| (ms, port, event)));
            }
            let mut wire = chain.release();
            frames.extend(wire.daa1.drain(..).map(|frame| (ms, frame)));
            chain = Chain::new(wire);
        }
        let at = |after: u64, value| (begin + after, [WRITE[last], 5, value]);
        let pulses =
            [at(0, OPEN), at(60, CLOSED), at(100, OPEN), at(160, CLOSED), at(910, OPEN), at(970, CLOSED)];
        let dialled: Vec<_> = frames.into_iter().filter(|(ms, _)| *ms >= begin).collect();
        assert_eq!(dialled, pulses, "{chips} chips");
        let of_last: Vec<_> = events.iter().filter(|event| event.0 > begin && event.1 == last).collect();
        let [(pulsed, _, Event::Pulsed), (settled, _, Event::OffHook)] = of_last[..] else {
            panic!("{chips} chips: {events:?}")
        };
        assert_eq!(*pulsed, begin + 970 + 750);
        assert!((192..=224).contains(&(settled - pulsed)), "{settled}");
    }
}

#[test]
fn a_line_that_is_dialled_on_reports_nothing_of_its_own_pulses() {
    let mut rig = Rig::started();
    rig.seize(1);
    let digits = PulseTrain::new(&[9, 0], Rhythm::SIXTY_SEVEN).unwrap();
    rig.command(1, Command::Pulse { digits }).unwrap();
    let (mut openings, mut held) = (0, true);
    for _ in 0..digits.ms() + 400 {
        let holds = rig.chip(1, |chip| chip.holds_line());
        openings += u32::from(held && !holds);
        held = holds;
        rig.run(1);
    }
    assert_eq!((openings, held), (19, true));
    assert_eq!(rig.events_of(1), [Event::Pulsed, Event::OffHook]);
    assert!(rig.errors.is_empty(), "{:?}", rig.errors);
}

#[test]
fn hanging_up_ends_the_dialling_and_a_line_on_hook_is_not_dialled_on() {
    let mut rig = Rig::started();
    let digits = PulseTrain::new(&[5], Rhythm::SIXTY_FORTY).unwrap();
    let refused = rig.command(0, Command::Pulse { digits }).unwrap_err();
    assert_eq!(refused.problem, Problem::OnHook);
    rig.seize(0);
    rig.command(0, Command::Pulse { digits }).unwrap();
    rig.run(130);
    rig.command(0, Command::Monitor).unwrap();
    rig.run(2_000);
    assert!(!rig.chip(0, |chip| chip.holds_line()));
    assert!(rig.events_of(0).is_empty(), "{:?}", rig.events);
}
