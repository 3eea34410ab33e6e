//! The ports of a snapshot: office lines (FXO), phones (FXS), and what a line test measured on them.

use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// An office line: an FXO port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineStatus {
    /// What is printed beside the jack: `LINE1`.
    pub port: String,
    /// What it does.
    pub state: LineState,
    /// What the exchange feeds it with.
    pub battery: Option<Battery>,
    /// Between the wires, V, without the sign of the polarity.
    pub volts: Option<f32>,
    /// Loop current, mA; 0 on hook.
    pub milliamps: Option<f32>,
    /// Which wire is the positive one.
    pub polarity: Option<Polarity>,
    /// Whether its chip works.
    pub chip_up: Option<bool>,
    /// Whether the last call that rang brought caller ID; absent until one rang.
    pub caller_id_seen: Option<bool>,
    /// How this line tells that the far end hung up; absent until it did once.
    pub hang_up_signal: Option<HangUpSignal>,
    /// Calls since the start.
    pub calls: LineCalls,
    /// Those of them that are not tracked.
    pub untracked: u64,
    /// The last thing that went wrong.
    pub last_fault: Option<Fault>,
    /// The last line test.
    pub health: Option<LineHealth>,
}

/// What an office line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// The daemon has not heard of it yet.
    Unknown,
    /// On hook.
    Idle,
    /// The exchange rings it.
    Ringing,
    /// Off hook, waiting for dial tone or dialling.
    Seized,
    /// In a call.
    Talking,
    /// On hook again, not yet usable.
    Releasing,
    /// Not usable: no battery, or its chip does not work.
    Down,
}

/// What the exchange feeds an idle line with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Battery {
    /// Nothing: unplugged, or the exchange is dead.
    Absent,
    /// Some, but another phone on the same line is off hook.
    Shared,
    /// All of it: the line is free.
    Whole,
}

/// Which wire is the positive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Tip.
    Forward,
    /// Ring.
    Reversed,
}

/// How an exchange tells that the far end hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangUpSignal {
    /// It takes the battery away for a moment (calling party control).
    OpenLoop,
    /// It turns the polarity.
    PolarityReversal,
    /// It plays a tone.
    Tone,
    /// It says nothing: only silence tells.
    None,
}

/// Calls of an office line since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCalls {
    /// Tracked calls that were put through on it.
    pub tracked: u64,
    /// Direct calls.
    pub direct: u64,
    /// Calls dialled by a handset.
    pub dialled_out: u64,
    /// Emergency calls.
    pub emergency: u64,
}

/// Something that went wrong on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What it was.
    pub text: String,
    /// When.
    pub at: WallTime,
}

/// A phone: an FXS port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhoneStatus {
    /// What is printed beside the jack: `PHONE1`.
    pub port: String,
    /// Whose phone it is, if the site says so.
    pub user: Option<String>,
    /// What it does.
    pub state: PhoneState,
    /// Whether loop current flows.
    pub off_hook: Option<bool>,
    /// Between the wires, V, without the sign of the polarity.
    pub volts: Option<f32>,
    /// Loop current, mA.
    pub milliamps: Option<f32>,
    /// Ringer load (REN) of the phones on it, 0 to 5 as the port can drive.
    pub ren: Option<f32>,
    /// Whether its chip works.
    pub chip_up: Option<bool>,
    /// The last thing that went wrong.
    pub last_fault: Option<Fault>,
    /// The last line test.
    pub health: Option<LineHealth>,
}

/// What a phone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneState {
    /// The daemon has not heard of it yet.
    Unknown,
    /// On hook.
    Idle,
    /// It rings.
    Ringing,
    /// In a call.
    Talking,
    /// Off hook with nobody at the other end: dialling, or forgotten.
    OffHook,
    /// Not usable: its chip does not work, or a power alarm opened it.
    Down,
}

/// What a line test found on a port, and what it is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineHealth {
    /// When it was tested.
    pub tested_at: WallTime,
    /// What was measured.
    pub measured: Measured,
    /// 100 for a perfect line, less each deduction, down to 0.
    pub score: u8,
    /// Why it is not 100, worst first.
    pub deductions: Vec<Deduction>,
    /// Against the tests before; absent at the first.
    pub trend: Option<Trend>,
}

/// What a line test measured. What could not be measured is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measured {
    /// An office line.
    Line(LineMeasurement),
    /// A phone.
    Phone(PhoneMeasurement),
}

/// What a test of an office line measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineMeasurement {
    /// Between the wires on hook, V, without the sign.
    pub battery_volts: Option<f32>,
    /// Loop current off hook, mA.
    pub loop_milliamps: Option<f32>,
    /// What was heard after going off hook.
    pub dial_tone: Option<DialTone>,
    /// Echo with each impedance that was tried, in the order of the trials.
    pub echo: Vec<ImpedanceEcho>,
    /// The setting that was kept.
    pub chosen: Option<Balance>,
    /// Whether the last call that rang brought caller ID; absent until one rang.
    pub caller_id_seen: Option<bool>,
}

/// What was heard after going off hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "heard", rename_all = "snake_case")]
pub enum DialTone {
    /// Dial tone.
    Yes {
        /// Milliseconds from off-hook until it was recognised.
        after_ms: u32,
    },
    /// None within the test's patience.
    No,
}

/// The echo with one impedance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImpedanceEcho {
    /// Impedance of the chip, 0 to 15 (Si3050 register 30, ACIM).
    pub acim: u8,
    /// Echo return loss (ITU-T G.168 3.2.6), dB.
    pub erl_db: f32,
}

/// How the chip is balanced against the line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// Impedance, 0 to 15 (Si3050 register 30, ACIM).
    pub acim: u8,
    /// Coefficients of the hybrid (Si3050 registers 45 to 52).
    pub hybrid: [i8; 8],
    /// Echo return loss that this reaches, dB.
    pub erl_db: f32,
}

/// What a test of a phone measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhoneMeasurement {
    /// What the port feeds the idle loop with, V, without the sign.
    pub battery_volts: Option<f32>,
    /// Current of the idle loop, mA: what leaks.
    pub leak_milliamps: Option<f32>,
    /// Ringer load (REN) of the phones on it.
    pub ren: Option<f32>,
}

/// One reason why a line does not score 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deduction {
    /// Stable name: `no_battery`, `echo`.
    pub code: String,
    /// Points taken off, 1 to 100.
    pub points: u8,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// A score against those of the tests before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Higher.
    Better,
    /// About the same.
    Same,
    /// Lower.
    Worse,
}

impl LineStatus {
    /// A line of which nothing is known but its name.
    #[must_use]
    pub const fn unknown(port: String) -> Self {
        Self {
            port,
            state: LineState::Unknown,
            battery: None,
            volts: None,
            milliamps: None,
            polarity: None,
            chip_up: None,
            caller_id_seen: None,
            hang_up_signal: None,
            calls: LineCalls { tracked: 0, direct: 0, dialled_out: 0, emergency: 0 },
            untracked: 0,
            last_fault: None,
            health: None,
        }
    }
}

impl PhoneStatus {
    /// A phone of which nothing is known but its name.
    #[must_use]
    pub const fn unknown(port: String) -> Self {
        Self {
            port,
            user: None,
            state: PhoneState::Unknown,
            off_hook: None,
            volts: None,
            milliamps: None,
            ren: None,
            chip_up: None,
            last_fault: None,
            health: None,
        }
    }
}
