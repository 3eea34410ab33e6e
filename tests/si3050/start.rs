//! Frames on the wire, start-up, and what the driver says when something is broken.

use super::rig::{LINES, Rig, START_MS};
use embedded_hal_mock::eh1::spi::{Mock, Transaction};
use ringside::chip::si3050::bus::Chain;
use ringside::chip::si3050::country::{ETSI, FCC, TBR21, Termination};
use ringside::chip::si3050::reg::Reg;
use ringside::chip::si3050::{Balance, Command, Event, Gain, Problem, Settings, Si3050};
use ringside::id::Slot;
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
fn a_chip_is_addressed_by_its_number_with_the_bits_reversed() {
    let mut spi = expect(&[
        read(&[0x60, 2], 0x03),
        read(&[0x68, 2], 0x03),
        read(&[0x64, 2], 0x03),
        read(&[0x6C, 2], 0x03),
        write(&[0x20, 5, 0x08]),
        write(&[0x28, 5, 0x08]),
        write(&[0x24, 5, 0x08]),
        write(&[0x2C, 5, 0x08]),
        write(&[0x21, 5, 0x08]),
    ]);
    let mut chain = Chain::new(spi.clone());
    for index in 0..4 {
        assert_eq!(chain.chip(index).read(Reg::Control2).unwrap(), 0x03);
    }
    for index in [0, 1, 2, 3, 8] {
        chain.chip(index).write(Reg::Daa1, 0x08).unwrap();
    }
    spi.done();
}

#[test]
fn one_broadcast_reaches_every_chip() {
    let mut spi = expect(&[write(&[0xA0, 5, 0x00])]);
    Chain::new(spi.clone()).broadcast(Reg::Daa1, 0).unwrap();
    spi.done();
    let mut rig = Rig::started();
    rig.chain().broadcast(Reg::Daa1, 0).unwrap();
    assert_eq!((0..LINES).map(|line| rig.chip(line, |chip| chip.peek(5))).collect::<Vec<_>>(), [0; LINES]);
}

/// Slot 2, FCC, −3.5 dB towards the line, 1 dB from it.
#[test]
fn a_single_chip_starts_with_these_frames() {
    let words = [
        (33, 0x38),
        (16, 0x01),
        (18, 0x00),
        (24, 0x19),
        (26, 0xC0),
        (30, 0x00),
        (31, 0xA3),
        (34, 32),
        (35, 0),
        (36, 32),
        (37, 0),
    ];
    let mut frames = vec![read(&[0x60, 2], 0x03), write(&[0x20, 1, 0x80]), read(&[0x60, 11], 0x03)];
    frames.extend(words.map(|(register, value)| write(&[0x20, register, value])));
    // Line side powered; no link at the first look, no frame lock at the second.
    frames.extend([write(&[0x20, 6, 0x00]), read(&[0x60, 11], 0x03)]);
    frames.extend([read(&[0x60, 11], 0x33), read(&[0x60, 12], 0x00)]);
    frames.extend([read(&[0x60, 11], 0x33), read(&[0x60, 12], 0x40), read(&[0x60, 11], 0x33)]);
    frames.extend(words.map(|(register, value)| read(&[0x60, register], value)));
    let gains = [(38, 0x13), (39, 0x01), (40, 0x15), (41, 0x00)];
    frames.extend(gains.map(|(register, value)| write(&[0x20, register, value])));
    let hybrid = [(45, 0xFF), (46, 2), (47, 0), (48, 0), (49, 0), (50, 0), (51, 0), (52, 0x80)];
    frames.extend(hybrid.map(|(register, value)| write(&[0x20, register, value])));
    frames.extend([write(&[0x20, 4, 0x00]), write(&[0x20, 5, 0x08])]);
    // The first sample: a polarity interrupt is cleared alone.
    frames.extend([read(&[0x60, 5], 0x08), read(&[0x60, 4], 0x01), write(&[0x20, 4, 0xFE])]);
    frames.push(read(&[0x60, 29], 0xD0));
    let mut spi = expect(&frames);
    let mut chain = Chain::new(spi.clone());
    let mut settings = Settings::new(Slot(2));
    settings.tx_gain = Gain::of_tenths_db(-35).unwrap();
    settings.rx_gain = Gain::of_tenths_db(10).unwrap();
    settings.hybrid = [-1, 2, 0, 0, 0, 0, 0, -128];
    let (mut chip, mut events) = (Si3050::new(0, settings), Vec::new());
    for ms in [0, 99, 100, 115, 116, 132, 148] {
        chip.poll(&mut chain, Instant(ms * 1000), &mut events).unwrap();
    }
    assert_eq!((events.as_slice(), chip.deadline()), (&[Event::Up][..], Instant(148_000)));
    chip.poll(&mut chain, Instant(148_000), &mut events).unwrap();
    assert_eq!(chip.readings().unwrap().volts, -48);
    assert_eq!(chip.deadline(), Instant(164_000));
    spi.done();
}

#[test]
fn four_chips_of_a_chain_start_side_by_side_and_one_is_missing() {
    let mut spi = expect(&[
        read(&[0x60, 2], 0x03),
        write(&[0x20, 1, 0x80]),
        read(&[0x68, 2], 0x03),
        write(&[0x28, 1, 0x80]),
        read(&[0x64, 2], 0xFF),
        read(&[0x6C, 2], 0x03),
        write(&[0x2C, 1, 0x80]),
    ]);
    let (mut chain, mut events) = (Chain::new(spi.clone()), Vec::new());
    let mut chips: Vec<_> = (0..4).map(|index| Si3050::new(index, Settings::new(Slot(index)))).collect();
    let errors: Vec<_> =
        chips.iter_mut().filter_map(|c| c.poll(&mut chain, Instant::ZERO, &mut events).err()).collect();
    assert_eq!(events, [Event::Down]);
    assert_eq!(
        errors[0].to_string(),
        "Si3050 2 of the chain, R2 (Control2): reads 0xff: no Si3050 answers; check its power, reset line and SPI wiring"
    );
    // Waiting for the reset, and resting: nothing more on the wire.
    for chip in &mut chips {
        chip.poll(&mut chain, Instant(99_000), &mut events).unwrap();
    }
    assert_eq!(chips[2].deadline(), Instant(1_000_000));
    spi.done();
}

#[test]
fn every_chip_comes_up_in_its_own_slot_on_hook_and_monitored() {
    let mut rig = Rig::new(|_| {});
    rig.run(START_MS);
    for line in 0..LINES {
        assert_eq!(rig.events_of(line), [Event::Up], "line {line}");
        let start = (rig.slot(line) * 16) as u8;
        rig.chip(line, |chip| {
            assert_eq!([34, 35, 36, 37, 33, 5, 6].map(|r| chip.peek(r)), [start, 0, start, 0, 0x38, 0x08, 0]);
        });
    }
}

#[test]
fn a_chip_without_its_line_side_says_so_after_two_seconds_and_is_tried_again() {
    let mut rig = Rig::new(|world| world.daa(1).unwrap().faults.no_line_side = true);
    rig.run(2200);
    assert_eq!((rig.events_of(0), rig.events_of(1)), (vec![Event::Up], vec![Event::Down]));
    assert_eq!(
        rig.errors,
        [
            "Si3050 1 of the chain, R11 (Identity): the line side does not answer after 2000 ms; check the isolation \
             capacitors and the Si3019"
        ]
    );
    rig.chip(1, |chip| {
        assert_eq!(chip.peek(6), 0x10);
        chip.faults.no_line_side = false;
    });
    rig.run(1300);
    assert_eq!(rig.events_of(1), [Event::Down, Event::Up]);
}

#[test]
fn a_register_that_does_not_keep_its_value_keeps_the_port_down() {
    let mut rig = Rig::new(|world| world.daa(0).unwrap().faults.stuck = Some(26));
    rig.run(START_MS);
    assert_eq!(rig.events_of(0), [Event::Down]);
    assert!(rig.errors[0].contains("R26 (DcTermination): reads 0x00 after 0xc0"), "{:?}", rig.errors);
}

#[test]
fn a_line_side_without_the_countrys_impedance_is_refused() {
    let mut rig = Rig::new(|world| world.daa(0).unwrap().faults.line_side = Some(1));
    rig.run(START_MS);
    assert_eq!(rig.events_of(0), [Event::Up], "600 ohms are in both");
    let mut rig = Rig::new(|world| world.daa(0).unwrap().faults.line_side = Some(1));
    rig.configure(0, |settings| settings.termination = TBR21);
    rig.run(START_MS);
    assert_eq!(rig.events_of(0), [Event::Down]);
    assert!(rig.errors[0].ends_with("fit a Si3019"), "{:?}", rig.errors);
}

#[test]
fn gains_and_hybrid_reach_the_chip_and_survive_a_reset() {
    let mut rig = Rig::started();
    let (tx, rx) = (Gain::of_tenths_db(120).unwrap(), Gain::of_tenths_db(-5).unwrap());
    rig.with(0, |chip, chain| {
        chip.set_gains(tx, rx, chain).unwrap();
        chip.set_balance(Balance { acim: 3, hybrid: [1, -1, 3, 4, 5, 6, 7, 8] }, chain).unwrap();
    });
    let expected = [3, 0x0C, 0x10, 0x00, 0x15, 1, 0xFF, 3, 8];
    let loaded = |rig: &Rig| rig.chip(0, |chip| [30, 38, 39, 40, 41, 45, 46, 47, 52].map(|r| chip.peek(r)));
    assert_eq!(loaded(&rig), expected);
    rig.chip(0, |chip| chip.reset());
    rig.run(400);
    assert_eq!(rig.events_of(0), [Event::Reset, Event::Up]);
    assert_eq!(loaded(&rig), expected);
    assert_eq!([-151, 121].map(Gain::of_tenths_db), [None, None]);
}

#[test]
fn country_words_are_those_of_the_table() {
    let words = |country: Termination| [country.international1(), country.dc(), country.ac(), country.daa3()];
    let table = [
        ("US", [0x01, 0xC0, 0x00, 0xA3]),
        ("CA", [0x00, 0xC0, 0x00, 0xA3]),
        ("FR", [0x00, 0xC2, 0x02, 0xAB]),
        ("JP", [0x00, 0x30, 0x00, 0xA3]),
        ("CZ", [0x00, 0xC2, 0x02, 0xA3]),
        ("DE", [0x00, 0xC2, 0x03, 0xAB]),
        ("NZ", [0x00, 0xC0, 0x04, 0xA3]),
        ("AU", [0x40, 0x30, 0x03, 0xA3]),
        ("BG", [0x00, 0xC2, 0x03, 0xA3]),
        ("CN", [0x00, 0x30, 0x0F, 0xA3]),
        ("PL", [0x03, 0xC0, 0x00, 0xA3]),
        ("SK", [0x00, 0xC0, 0x03, 0xA3]),
        ("SI", [0x00, 0xC0, 0x02, 0xA3]),
        ("ZA", [0x42, 0xC0, 0x03, 0xA3]),
        ("GB", [0x00, 0xC2, 0x05, 0xAB]),
    ];
    for (iso, expected) in table {
        assert_eq!(Termination::of_country(iso).map(words), Some(expected), "{iso}");
    }
    assert_eq!(Termination::of_country("US"), Some(FCC));
    assert_eq!(Termination::of_country("FR"), Some(ETSI));
    assert_eq!(words(TBR21), [0x00, 0xC2, 0x02, 0xA3]);
    assert_eq!(Termination::of_country("ZZ"), None);
}

#[test]
fn failed_transfers_are_reported_and_three_in_a_row_take_the_port_down() {
    let mut rig = Rig::started();
    rig.world.lock().fail_spi(rig.wires(), 1);
    rig.run(100);
    assert_eq!(rig.errors.len(), 1);
    assert!((0..LINES).all(|line| rig.events_of(line).is_empty()));
    rig.world.lock().fail_spi(rig.wires(), 3 * LINES as u32);
    rig.run(100);
    assert!((0..LINES).all(|line| rig.events_of(line) == [Event::Down]), "{:?}", rig.events);
    rig.run(1300);
    assert!((0..LINES).all(|line| rig.events_of(line) == [Event::Down, Event::Up]), "{:?}", rig.events);
}

#[test]
fn a_port_that_is_not_up_takes_no_orders() {
    let mut rig = Rig::new(|_| {});
    rig.run(50);
    let error = rig.command(0, Command::OffHook).unwrap_err();
    assert_eq!(error.problem, Problem::NotUp);
    rig.run(START_MS);
    assert!(!rig.chip(0, |chip| chip.holds_line()), "not even later");
}
