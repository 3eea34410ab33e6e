//! Whether a call that comes in is one of ours: dialled on an office line a moment ago, and forwarded back to us in a
//! circle. Ringing for it would seize the next line, and so on, until none is left.
//!
//! While a call is out it is ours if its caller is one of the office's own lines or the number that was dialled, or if
//! that number has diverted it. A line's number alone proves nothing while no call is out: the office may call itself.

use crate::number::E164;

/// What a call that comes in says of itself.
#[derive(Clone, Debug)]
pub struct Arrived<'a> {
    /// Who calls, if that is known.
    pub caller: Option<&'a E164>,
    /// The numbers that have diverted it.
    pub diverters: Vec<&'a E164>,
}

/// `dialled`: numbers of the calls that are out on the office's lines now. `lines`: the numbers of these lines.
#[must_use]
pub fn is_our_own(arrived: &Arrived<'_>, dialled: &[&E164], lines: &[E164]) -> bool {
    let is_line = arrived.caller.is_some_and(|caller| lines.contains(caller));
    dialled
        .iter()
        .any(|number| is_line || arrived.caller == Some(*number) || arrived.diverters.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_ours_if_it_comes_from_our_line_or_by_the_number_that_is_dialled() {
        const STRANGER: &str = "+15551230000";
        const LINE: &str = "+15559990001";
        const SHOP: &str = "+15557770000";
        for (out, caller, diverter, is_ours) in [
            (Some(SHOP), Some(STRANGER), None, false),
            (Some(SHOP), Some(LINE), None, true),
            (Some(SHOP), Some(SHOP), None, true),
            (Some(SHOP), Some(STRANGER), Some(SHOP), true),
            (Some(SHOP), None, Some(SHOP), true),
            (Some(SHOP), Some(STRANGER), Some(LINE), false),
            (Some(SHOP), None, None, false),
            (None, Some(LINE), Some(SHOP), false),
            (None, Some(SHOP), None, false),
        ] {
            let number = |text: Option<&str>| text.map(|text| text.parse::<E164>().unwrap());
            let (dialled, from, diverted) = (number(out), number(caller), number(diverter));
            let dialled: Vec<_> = dialled.iter().collect();
            let arrived = Arrived { caller: from.as_ref(), diverters: diverted.iter().collect() };
            let lines = [LINE.parse().unwrap()];
            assert_eq!(
                is_our_own(&arrived, &dialled, &lines),
                is_ours,
                "{out:?} is out; from {caller:?}, diverted by {diverter:?}"
            );
        }
    }
}
