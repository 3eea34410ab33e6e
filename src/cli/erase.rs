//! `ringside erase`: erases recordings or records, after the site's grace or at once; lists and calls off what is to come.

use super::{
    Failure, call_id,
    desk::{Done, Place, say, user},
    print,
};
use crate::{
    id::CallId,
    note::Part,
    number::E164,
    recording::request::{Listing, Receipt, Request, Subject, When},
};
use clap::{ArgGroup, Args, ValueEnum};

#[derive(Args)]
#[command(group = ArgGroup::new("of").required(true).args(["number", "call", "list", "cancel"]))]
pub(super) struct Arguments {
    /// Every call from this number: `+13125550199`.
    #[arg(long, value_name = "NUMBER")]
    number: Option<E164>,
    /// One call: `cal_…`.
    #[arg(long, value_name = "CALL", value_parser = call_id)]
    call: Option<CallId>,
    /// Show the erasures that are to come, and the legal holds.
    #[arg(long)]
    list: bool,
    /// Call an erasure off.
    #[arg(long, value_name = "CALL", value_parser = call_id)]
    cancel: Option<CallId>,
    /// What goes: the recording, or also all that names a person in the record.
    #[arg(long, value_enum, default_value_t = What::Recording)]
    part: What,
    /// Why, for the journal; needed to erase.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// At once, not after the site's grace.
    #[arg(long)]
    now: bool,
    /// Without the upstream's receipt: for a lawful request that must not wait. The audit says so.
    #[arg(long)]
    without_receipt: bool,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The recording; the record stays.
    Recording,
    /// The recording, and all that names a person in the record.
    Record,
}

const COMMAND: &str = "ringside erase";
/// Behind an erasure whose time may come and go.
const WAITS: &str = "; waits for the upstream's receipt";

pub(super) fn erase(arguments: &Arguments) -> Result<(), Failure> {
    let of = match (&arguments.number, arguments.call, arguments.cancel) {
        (Some(number), _, _) => Subject::Number(number.clone()),
        (None, Some(call), _) => Subject::Call(call),
        (None, None, Some(call)) => return cancel(arguments, call),
        (None, None, None) => return list(arguments),
    };
    let part = match arguments.part {
        What::Recording => Part::Recording,
        What::Record => Part::Record,
    };
    let (when, done) = if arguments.now { (When::Now, Done::Wait) } else { (When::AfterGrace, Done::Later) };
    let receipt = if arguments.without_receipt { Receipt::Waived } else { Receipt::Needed };
    let request = Request::Erase { of, part, by: user(), why: arguments.why.clone(), when, receipt };
    let answer = arguments.place.ask(&request, done, COMMAND)?;
    if arguments.json {
        return print_json(&answer);
    }
    let due = answer.due.map_or_else(String::new, |due| due.to_string());
    say(&answer, &if arguments.now { "is being erased".to_owned() } else { format!("is erased on {due}") });
    Ok(())
}

fn cancel(arguments: &Arguments, call: CallId) -> Result<(), Failure> {
    let request = Request::Cancel { call, by: user() };
    let answer = arguments.place.ask(&request, Done::Later, COMMAND)?;
    say(&answer, "stays");
    Ok(())
}

fn list(arguments: &Arguments) -> Result<(), Failure> {
    let listing = arguments.place.listing(COMMAND)?;
    if arguments.json {
        return print_json(&listing);
    }
    print(format_args!("{}", super::status::printable(&text(&listing))));
    Ok(())
}

fn text(listing: &Listing) -> String {
    let part = |part| match part {
        Part::Recording => "recording",
        Part::Record => "record",
    };
    let asked = listing.asked.iter();
    let asked = asked.map(|one| {
        let waits = if listing.waiting.contains(&one.call) { WAITS } else { "" };
        format!(
            "{} {} goes on {}: {}, asked by {}{waits}",
            one.call,
            part(one.part),
            one.due,
            one.why,
            one.by
        )
    });
    let held = listing.held.iter();
    let held = held.map(|one| format!("{} held since {}: {}, by {}", one.call, one.since, one.why, one.by));
    let more = listing.more.then(|| "there are more than can be listed".to_owned());
    let lines: Vec<String> = asked.chain(held).chain(more).collect();
    if lines.is_empty() {
        "nothing is to be erased, and nothing is held".to_owned()
    } else {
        lines.join("\n")
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(|error| Failure::failed(error, COMMAND))?;
    print(format_args!("{json}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recording::standing::{Asked, Hold},
        time::WallTime,
    };

    #[test]
    fn the_list_says_what_goes_when_and_what_it_waits_for() {
        assert_eq!(text(&Listing::default()), "nothing is to be erased, and nothing is held");
        let call = |n| CallId::from_parts(WallTime(n), 1);
        let asked = |n, part| {
            let (by, why) = ("dana".to_owned(), "asked".to_owned());
            Asked { call: call(n), part, by, why, due: WallTime(0) }
        };
        let (by, why, since) = ("dana".to_owned(), "court".to_owned(), WallTime(0));
        let listing = Listing {
            asked: vec![asked(1, Part::Recording), asked(2, Part::Record)],
            held: vec![Hold { call: call(3), by, why, since }],
            waiting: vec![call(2)],
            more: true,
        };
        let (text, epoch) = (text(&listing), WallTime(0));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("{} recording goes on {epoch}: asked, asked by dana", call(1)));
        assert!(lines[1].ends_with("asked by dana; waits for the upstream's receipt"), "{text}");
        assert_eq!(lines[2], format!("{} held since {epoch}: court, by dana", call(3)));
        assert_eq!(lines[3..], ["there are more than can be listed"]);
    }
}
