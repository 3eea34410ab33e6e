//! `ringside release`: lifts the legal hold of a call.

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
    #[command(flatten)]
    place: Place,
}

pub(super) fn release(arguments: &Arguments) -> Result<(), Failure> {
    let request = Request::Release { call: arguments.call, by: user() };
    let answer = arguments.place.ask(&request, Done::Later, &about(arguments.call, "release"))?;
    say(&answer, "is free");
    Ok(())
}
