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
    recording::request::{Listing, Request, Subject, When},
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
    let request = Request::Erase { of, part, by: user(), why: arguments.why.clone(), when };
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
        format!("{} {} goes on {}: {}, asked by {}", one.call, part(one.part), one.due, one.why, one.by)
    });
    let held = listing.held.iter();
    let held = held.map(|one| format!("{} held since {}: {}, by {}", one.call, one.since, one.why, one.by));
    let lines: Vec<String> = asked.chain(held).collect();
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
