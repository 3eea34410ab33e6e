//! Which ports may be tested: every one whose chip works and that nobody uses.

use super::{LineTest, Untested};
use crate::{
    chip::si3050::Balance,
    line::{fxo::Fxo, fxs::Fxs},
    time::Instant,
};

/// A port as somebody finds it who wants it tested.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its chip is up.
    pub is_up: bool,
    /// It is on hook, and nothing goes on. A line that is not fed, or on which a telephone beside the box is off hook,
    /// is at rest as well, and measured as it is.
    pub is_at_rest: bool,
    /// What else it is needed for.
    pub used_by: Option<UsedBy>,
}

/// What a test is of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An office line, and how its chip is balanced.
    Line(Balance),
    /// A phone.
    Phone,
}

/// What a port is used by beside its own machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// A call has it.
    Call,
    /// It is being tested already.
    Test,
    /// The box stops, and uses nothing more.
    Stopping,
}

impl Found {
    /// An office line by its machine.
    #[must_use]
    pub const fn line(fxo: &Fxo, balance: Balance, used_by: Option<UsedBy>) -> Self {
        Self { kind: Kind::Line(balance), is_up: fxo.is_up(), is_at_rest: fxo.is_at_rest(), used_by }
    }

    /// A phone by its machine.
    #[must_use]
    pub const fn phone(fxs: &Fxs, used_by: Option<UsedBy>) -> Self {
        Self { kind: Kind::Phone, is_up: fxs.is_up(), is_at_rest: fxs.is_idle(), used_by }
    }
}

impl LineTest {
    /// Begins a test, unless the port is in use.
    ///
    /// # Errors
    /// Why it cannot be tested now.
    pub fn begin(port: Found, now: Instant) -> Result<Self, Untested> {
        match (port.used_by, port.kind) {
            (Some(UsedBy::Test | UsedBy::Stopping), _) => Err(Untested::InUse),
            (None | Some(UsedBy::Call), _) if !port.is_up => Err(Untested::Failed("its chip is not up")),
            (None, Kind::Line(balance)) if port.is_at_rest => Ok(Self::of_line(balance, now)),
            (None, Kind::Phone) if port.is_at_rest => Ok(Self::of_phone(now)),
            (None | Some(UsedBy::Call), _) => Err(Untested::InUse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_tested_while_its_chip_works_and_nobody_uses_it() {
        const DOWN: &str = "its chip is not up";
        for (is_up, is_at_rest, used_by, refused) in [
            (true, true, None, None),
            (true, false, None, Some(Untested::InUse)),
            (true, true, Some(UsedBy::Call), Some(Untested::InUse)),
            (true, true, Some(UsedBy::Test), Some(Untested::InUse)),
            (true, true, Some(UsedBy::Stopping), Some(Untested::InUse)),
            (false, false, None, Some(Untested::Failed(DOWN))),
            (false, false, Some(UsedBy::Call), Some(Untested::Failed(DOWN))),
            (false, false, Some(UsedBy::Stopping), Some(Untested::InUse)),
        ] {
            for kind in [Kind::Line(Balance::default()), Kind::Phone] {
                let port = Found { kind, is_up, is_at_rest, used_by };
                assert_eq!(LineTest::begin(port, Instant::ZERO).err(), refused, "{port:?}");
            }
        }
    }
}
