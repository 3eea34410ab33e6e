//! Registers of the Si3210/Si3215 (data sheet rev 0.92, section 4) and the bits that this driver uses.

use std::fmt;

macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A direct register.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reg { $($(#[$doc])* $name = $number,)* }
    };
}

registers! {
    /// SPI mode and revision: [`spi_mode`].
    SpiMode = 0,
    /// PCM mode: [`pcm_mode`].
    PcmMode = 1,
    /// Transmit start, PCLKs after FSYNC, low byte.
    TxStartLow = 2,
    /// Transmit start, high 2 bits.
    TxStartHigh = 3,
    /// Receive start, low byte.
    RxStartLow = 4,
    /// Receive start, high 2 bits.
    RxStartHigh = 5,
    /// Loopbacks; 2 after a reset, 0 when the driver has been here.
    Loopback = 8,
    /// Audio gain and mutes.
    AudioGain = 9,
    /// Two-wire impedance.
    Impedance = 10,
    /// Transhybrid balance; [`HYBRID_AT_RESET`] after a reset.
    Hybrid = 11,
    /// Power-down 1: [`power1`].
    Power1 = 14,
    /// Interrupt status 1 (oscillators); writing a 1 clears it.
    Interrupt1 = 18,
    /// Interrupt status 2 (power alarms, loop, ring trip): [`interrupt2`].
    Interrupt2 = 19,
    /// Interrupt status 3 (indirect access done).
    Interrupt3 = 20,
    /// Interrupt enable 1.
    InterruptEnable1 = 21,
    /// Interrupt enable 2.
    InterruptEnable2 = 22,
    /// Interrupt enable 3.
    InterruptEnable3 = 23,
    /// Indirect data, low byte.
    IndirectLow = 28,
    /// Indirect data, high byte.
    IndirectHigh = 29,
    /// Indirect address; writing it starts the access.
    IndirectAddress = 30,
    /// Bit 0 is set while an indirect access is under way.
    IndirectStatus = 31,
    /// Tone oscillator 1 control; the box makes its tones itself.
    Oscillator1 = 32,
    /// Tone oscillator 2 control.
    Oscillator2 = 33,
    /// Ringing oscillator control.
    RingOscillator = 34,
    /// Linefeed: [`linefeed`].
    Linefeed = 64,
    /// Battery feed: bit 0 lets the DC-DC converter track the loop.
    BatteryFeed = 66,
    /// Automatic actions: [`automatic`].
    Automatic = 67,
    /// Loop status: [`loop_status`].
    LoopStatus = 68,
    /// Loop closure debounce, 1.25 ms steps.
    LoopDebounce = 69,
    /// Ring trip debounce, 1.25 ms steps.
    RingTripDebounce = 70,
    /// Loop current limit, 20 mA + 3 mA steps.
    CurrentLimit = 71,
    /// On-hook voltage, 1.5 V steps.
    OnHookVoltage = 72,
    /// Common mode voltage, 1.5 V steps.
    CommonVoltage = 73,
    /// High battery, 1.5 V steps.
    HighBattery = 74,
    /// Low battery, 1.5 V steps.
    LowBattery = 75,
    /// Loop voltage, sign and magnitude, 1.5 V steps.
    LoopVoltage = 78,
    /// Loop current, sign and magnitude, 1.25 mA steps.
    LoopCurrent = 79,
    /// TIP voltage below ground, 0.376 V steps.
    TipVoltage = 80,
    /// RING voltage below ground, 0.376 V steps.
    RingVoltage = 81,
    /// Battery voltage below ground, 0.376 V steps.
    BatteryVoltage = 82,
    /// Current of transistor Q1; Q2 to Q6 follow.
    TransistorQ1 = 84,
    /// Current of transistor Q2.
    TransistorQ2 = 85,
    /// Current of transistor Q3.
    TransistorQ3 = 86,
    /// Current of transistor Q4.
    TransistorQ4 = 87,
    /// Current of transistor Q5.
    TransistorQ5 = 88,
    /// Current of transistor Q6.
    TransistorQ6 = 89,
    /// DC-DC converter PWM period.
    DcDcPeriod = 92,
    /// DC-DC converter switching delay and calibration.
    DcDcDelay = 93,
    /// Calibration control 1; bit 6 starts it and is set while it runs.
    Calibration1 = 96,
    /// Calibration control 2.
    Calibration2 = 97,
    /// Calibration results begin here.
    Result1 = 98,
    /// Calibration result.
    Result2 = 99,
    /// Calibration result.
    Result3 = 100,
    /// Calibration result.
    Result4 = 101,
    /// Calibration result.
    Result5 = 102,
    /// Calibration result.
    Result6 = 103,
    /// Calibration result.
    Result7 = 104,
    /// Calibration result.
    Result8 = 105,
    /// Calibration result.
    Result9 = 106,
    /// DC-DC peak current monitor calibration, 2..=13 when it succeeded.
    ResultDcDc = 107,
    /// Enhancement enable.
    Enhancement = 108,
}

/// `R96`, as the data sheet writes it.
impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{} ({self:?})", *self as u8)
    }
}

/// What calibration leaves behind, in register order.
pub const CALIBRATION_RESULTS: [Reg; 10] = [
    Reg::Result1,
    Reg::Result2,
    Reg::Result3,
    Reg::Result4,
    Reg::Result5,
    Reg::Result6,
    Reg::Result7,
    Reg::Result8,
    Reg::Result9,
    Reg::ResultDcDc,
];

/// R11 after a reset.
pub const HYBRID_AT_RESET: u8 = 0x33;

/// R0.
pub mod spi_mode {
    /// Frames of 3 bytes with a chip select byte, for a daisy chain.
    pub const DAISY_CHAIN: u8 = 0x80;
    /// Silicon revision.
    pub const REVISION: u8 = 0x0F;
}

/// R1.
pub mod pcm_mode {
    /// Set in a Si3215, clear in a Si3210.
    pub const SI3215: u8 = 0x80;
    /// Nothing sent, nothing received.
    pub const OFF: u8 = 0x00;
    /// PCM enabled, 16-bit linear in both directions.
    pub const LINEAR_ON: u8 = 0x3C;
}

/// R14.
pub mod power1 {
    /// DC-DC converter off.
    pub const DCDC_OFF: u8 = 0x10;
    /// Everything powered.
    pub const ALL_ON: u8 = 0x00;
}

/// R19.
pub mod interrupt2 {
    /// Power alarms of Q6 (bit 7) to Q1 (bit 2).
    pub const POWER_ALARMS: u8 = 0xFC;
}

/// R64.
pub mod linefeed {
    /// What was asked for (LF).
    pub const WANTED: u8 = 0x07;
    /// Loop open.
    pub const OPEN: u8 = 0;
    /// Forward active.
    pub const FORWARD_ACTIVE: u8 = 1;
    /// Forward on-hook transmission.
    pub const FORWARD_ON_HOOK: u8 = 2;
    /// Ringing.
    pub const RINGING: u8 = 4;
    /// Reverse active.
    pub const REVERSE_ACTIVE: u8 = 5;
    /// Reverse on-hook transmission.
    pub const REVERSE_ON_HOOK: u8 = 6;
}

/// R67.
pub mod automatic {
    /// Open the loop on a power alarm (AOPN), go active on loop closure (AOLD) and on ring trip (AORD).
    pub const ALL: u8 = 0x07;
}

/// R68.
pub mod loop_status {
    /// Ring trip, debounced.
    pub const RING_TRIP: u8 = 0x02;
    /// Loop closed, debounced: off hook.
    pub const LOOP_CLOSED: u8 = 0x01;
}

/// R96 and R97.
pub mod calibration {
    /// R96: start, every calibration except the one that needs an idle loop measured by hand.
    pub const START_ALL: u8 = 0x5F;
    /// R96: still running.
    pub const BUSY: u8 = 0x40;
    /// R97: all of the second group.
    pub const SECOND_GROUP: u8 = 0x1F;
}

/// R93.
pub mod dcdc_delay {
    /// Switching delay of the reference design (bipolar converter).
    pub const RUN: u8 = 0x19;
    /// The same with DC-DC calibration started.
    pub const CALIBRATE: u8 = 0x99;
}
