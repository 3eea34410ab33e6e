//! Start-up of a Si3215: its frames on the wire, and what it says when something is broken.

#![cfg(feature = "sim")]

use embedded_hal::spi::{ErrorType, Operation, SpiDevice};
use embedded_hal_mock::eh1::spi::{Mock, Transaction};
use ringside::board::Profile;
use ringside::chip::PortChange;
use ringside::chip::si3215::bus::Chain;
use ringside::chip::si3215::reg::Reg;
use ringside::chip::si3215::{Error, Problem, Settings, Si3215};
use ringside::id::{PortId, Slot};
use ringside::sim::office::Office;
use ringside::sim::si3215::{Faults, Model};
use ringside::sim::spi::{SimSpi, SpiFault};
use ringside::sim::world::{LineSide, SharedWorld, World};
use ringside::time::Instant;

fn write(bytes: &[u8]) -> Vec<Transaction<u8>> {
    vec![
        Transaction::transaction_start(),
        Transaction::write_vec(bytes.to_vec()),
        Transaction::transaction_end(),
    ]
}

fn read(bytes: &[u8], value: u8) -> Vec<Transaction<u8>> {
    vec![
        Transaction::transaction_start(),
        Transaction::write_vec(bytes.to_vec()),
        Transaction::read(value),
        Transaction::transaction_end(),
    ]
}

fn expect(frames: &[Vec<Transaction<u8>>]) -> Mock<u8> {
    Mock::new(&frames.concat())
}

#[test]
fn the_chain_is_switched_with_two_bytes_and_addressed_with_three() {
    let mut spi = expect(&[write(&[0x00, 0x80]), read(&[0x08, 0x80 | 11], 0x33), write(&[0x80, 64, 0x04])]);
    let mut chain = Chain::new(spi.clone());
    chain.switch_to_daisy_chain().unwrap();
    assert_eq!(chain.chip(3).read(Reg::Hybrid).unwrap(), 0x33);
    chain.chip(7).write(Reg::Linefeed, 4).unwrap();
    spi.done();
}

#[test]
fn an_indirect_write_waits_for_the_one_before_and_ends_with_the_address() {
    let mut spi = expect(&[
        read(&[1, 0x9F], 1),
        read(&[1, 0x9F], 0),
        write(&[1, 28, 0xFD]),
        write(&[1, 29, 0x7E]),
        write(&[1, 30, 7]),
    ]);
    Chain::new(spi.clone()).chip(0).write_indirect(7, 0x7EFD).unwrap();
    spi.done();
}

#[test]
fn an_indirect_read_starts_with_the_address_and_waits_for_the_data() {
    let mut spi = expect(&[
        read(&[2, 0x9F], 0),
        write(&[2, 30, 16]),
        read(&[2, 0x9F], 1),
        read(&[2, 0x9F], 0),
        read(&[2, 0x9C], 0x00),
        read(&[2, 0x9D], 0x36),
    ]);
    assert_eq!(Chain::new(spi.clone()).chip(1).read_indirect(16).unwrap(), 0x3600);
    spi.done();
}

#[test]
fn a_missing_chip_is_found_with_two_frames_and_left_alone() {
    let mut spi = expect(&[write(&[0x00, 0x80]), read(&[0x10, 0x8B], 0xFF)]);
    let (mut chain, mut changes) = (Chain::new(spi.clone()), Vec::new());
    let mut chip = Si3215::new(4, Settings::new(Slot(4)));
    let error = chip.poll(&mut chain, Instant::ZERO, &mut changes).unwrap_err();
    assert_eq!(changes, [PortChange::Down]);
    assert_eq!(
        error.to_string(),
        "Si3215 4 of the chain, R11 (Hybrid): reads 0xff: no Si3210/15 answers; check its power, reset line and SPI wiring"
    );
    // Resting: nothing more on the wire.
    chip.poll(&mut chain, Instant(8_000), &mut changes).unwrap();
    spi.done();
}

/// Registers and values.
type Writes = Vec<(u8, u8)>;

/// A simulated chain that keeps the writes to the first chip.
struct Recorder {
    spi: SimSpi,
    writes: Writes,
}

impl ErrorType for Recorder {
    type Error = SpiFault;
}

impl SpiDevice for Recorder {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), SpiFault> {
        if let &mut [Operation::Write(&[1, register, value])] = operations {
            self.writes.push((register, value));
        }
        self.spi.transaction(operations)
    }
}

/// One chip on the simulated board, polled until `ms` have passed or it fails.
fn start(
    ms: u64,
    prepare: impl FnOnce(&mut Model),
) -> (SharedWorld, Writes, Result<Si3215, Error<SpiFault>>) {
    let profile = Profile::parse(include_str!("../board/sim/profile.toml")).unwrap();
    let mut world = World::new(&profile, &Office::empty(0)).unwrap().share();
    prepare(world.lock().slic(PortId(0)).unwrap());
    let mut chain = Chain::new(Recorder { spi: SimSpi::new(world.clone(), 0), writes: Vec::new() });
    let mut chip = Si3215::new(0, Settings::new(Slot(5)));
    let mut result = Ok(());
    for _ in 0..ms / 8 {
        world.step(&[0; 64 * 8], &mut [0; 64 * 8], 8);
        let now = world.lock().now();
        result = chip.poll(&mut chain, now, &mut Vec::new());
        if result.is_err() {
            break;
        }
    }
    let recorder = chain.release();
    (world, recorder.writes, result.map(|()| chip))
}

#[test]
fn registers_are_written_in_the_order_of_the_data_sheet() {
    let (_, writes, chip) = start(2000, |_| {});
    assert!(chip.unwrap().is_up());
    // Indirect accesses aside (R28 to R30).
    let direct: Vec<_> = writes.into_iter().filter(|(register, _)| !(28..=30).contains(register)).collect();
    #[rustfmt::skip]
    let expected = [
        // Chain, PCM off, oscillators off, loop open, converter off, no interrupts.
        (0, 0x80), (1, 0x00), (32, 0), (33, 0), (64, 0), (14, 0x10), (21, 0), (22, 0), (23, 0),
        // No loopback, enhancements, automatic actions, tracking battery, ringing.
        (8, 0), (108, 0xEB), (67, 0x07), (66, 0x01), (34, 0), (74, 0x32), (70, 0x0B),
        // Converter on, current limit, run; the same again after the leak test.
        (92, 0xFF), (14, 0x00), (71, 0), (93, 0x19), (64, 0), (14, 0x10), (92, 0xFF), (14, 0x00), (71, 0), (93, 0x19),
        // Calibration of the line and of the converter.
        (97, 0x1F), (96, 0x5F), (93, 0x99),
        // Slot 5 is 80 clocks late, 16-bit linear.
        (2, 80), (3, 0), (4, 80), (5, 0), (1, 0x3C),
        // Interrupts cleared and enabled, common mode 6 V, 600 Ω, loop fed.
        (18, 0xFF), (19, 0xFF), (20, 0xFF), (21, 0xFF), (22, 0xFF), (23, 0xFF), (73, 0x04), (10, 0x08), (64, 0x01),
        // The order that stands.
        (64, 0x01),
    ];
    assert_eq!(direct, expected);
}

#[test]
fn ringing_and_its_trip_are_loaded_for_20_hertz() {
    let (world, _, chip) = start(2000, |_| {});
    assert!(chip.is_ok());
    let mut world = world.lock();
    let chip = world.slic(PortId(0)).unwrap();
    let loaded = [7, 8, 9, 16, 23].map(|address| chip.peek_indirect(address));
    assert_eq!(loaded, [0x7EFD, 0x015C, 0x0000, 0x3600, 0x0320]);
    assert_eq!((chip.peek(34), chip.peek(70), chip.peek(74)), (0x00, 0x0B, 0x32));
}

#[test]
fn each_thing_that_is_broken_is_named_with_its_register() {
    let broken = |faults| start(5000, |chip: &mut Model| chip.faults = faults).2.unwrap_err();
    let absent = broken(Faults { absent: true, ..Faults::default() });
    assert_eq!((absent.reg, absent.problem), (Reg::Hybrid, Problem::Absent { read: 0xFF }));

    let stuck = broken(Faults { no_pclk: true, ..Faults::default() });
    assert_eq!((stuck.reg, stuck.problem), (Reg::IndirectStatus, Problem::IndirectStuck));

    let weak = broken(Faults { weak_converter: true, ..Faults::default() });
    assert_eq!(weak.reg, Reg::BatteryVoltage);
    assert!(
        weak.to_string().contains("the battery reaches 40 V of 72 V; check the DC-DC converter"),
        "{weak}"
    );

    let leak = broken(Faults { leak: true, ..Faults::default() });
    assert!(
        matches!(leak.problem, Problem::Leak { volts, after_ms } if volts < 2.3 && after_ms < 100),
        "{leak}"
    );

    let bad = broken(Faults { bad_indirect: Some(25), ..Faults::default() });
    let lost_bit = Problem::IndirectMismatch { address: 25, wrote: 0x0100, read: 0x0000 };
    assert_eq!((bad.reg, bad.problem), (Reg::IndirectAddress, lost_bit));

    let calibration = broken(Faults { stuck_calibrations: 2, ..Faults::default() });
    assert_eq!((calibration.reg, calibration.problem), (Reg::Calibration1, Problem::CalibrationStuck));
}

#[test]
fn a_chip_left_over_from_an_earlier_run_starts_like_a_fresh_one() {
    let (world, ..) = start(2000, |_| {});
    let mut again = world.clone();
    let (mut chain, mut changes) = (Chain::new(SimSpi::new(world.clone(), 0)), Vec::new());
    let mut chip = Si3215::new(0, Settings::new(Slot(0)));
    for _ in 0..250 {
        again.step(&[0; 64 * 8], &mut [0; 64 * 8], 8);
        let now = world.lock().now();
        chip.poll(&mut chain, now, &mut changes).unwrap();
    }
    assert_eq!(changes, [PortChange::Up]);
}
