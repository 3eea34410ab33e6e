//! `ringside hold`: puts a call under a legal hold: neither age nor a request erases it.

use super::{
    Failure, call_id,
    desk::{Done, Place, about, say, user},
};
use crate::{id::CallId, recording::request::Request};
use clap::Args;

#[derive(Args)]
pub(super) struct Arguments {
    /// The call: `cal_…`.
    #[arg(value_name = "CALL", value_parser = call_id)]
    call: CallId,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn hold(arguments: &Arguments) -> Result<(), Failure> {
    let request = Request::Hold { call: arguments.call, by: user(), why: arguments.why.clone() };
    let answer = arguments.place.ask(&request, Done::Later, &about(arguments.call, "hold"))?;
    say(&answer, "is held");
    Ok(())
}
