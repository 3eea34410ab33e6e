//! What the office knows beside its calls: customers, jobs, reasons, and whose phone is whose.

use crate::{
    handling::{CustomerLink, Handling},
    number::E164,
    record::{AnsweredBy, CallRecord, Presentation},
};

/// The office's books. They are in memory: the signalling thread asks them while phones ring, so no answer may wait.
pub trait OfficeBook: Send + Sync {
    /// Whose number this is.
    fn customer_of(&self, number: &E164) -> Option<CustomerLink>;

    /// The customer with an id (`cus_…`).
    fn customer(&self, id: &str) -> Option<CustomerLink>;

    /// Id (`job_…`) and number of the job that has this id or number.
    fn job(&self, id_or_number: &str) -> Option<(String, String)>;

    /// Why calls end as they do, in the office's order.
    fn reasons(&self) -> Vec<String>;

    /// Id (`usr_…`) and name of the user whose phone is on a port.
    fn user_of_port(&self, port: &str) -> Option<(String, String)>;
}

/// Reasons of an office that has not written down its own.
const REASONS: [&str; 6] = ["Booked", "Question", "Existing job", "Not our trade", "Wrong number", "Spam"];

/// Books in which nothing is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBook;

impl OfficeBook for EmptyBook {
    fn customer_of(&self, _: &E164) -> Option<CustomerLink> {
        None
    }

    fn customer(&self, _: &str) -> Option<CustomerLink> {
        None
    }

    fn job(&self, _: &str) -> Option<(String, String)> {
        None
    }

    fn reasons(&self) -> Vec<String> {
        REASONS.map(str::to_owned).to_vec()
    }

    fn user_of_port(&self, _: &str) -> Option<(String, String)> {
        None
    }
}

/// What the books say of a call: whose number calls, and whose handset was lifted.
#[must_use]
pub fn found(book: &dyn OfficeBook, record: &CallRecord) -> Handling {
    let may_look = record.customer_number_presentation == Presentation::Allowed;
    let number = record.customer_phone_number.as_ref().filter(|_| may_look);
    let claim = |by: &AnsweredBy| {
        let (user_id, name) = book.user_of_port(&by.port)?;
        Some(crate::handling::Claim { user_id: Some(user_id), name, how: "port".to_owned() })
    };
    Handling {
        customer: number.and_then(|number| book.customer_of(number)),
        claimed_by: record.answered_by.as_ref().and_then(claim),
        ..Handling::default()
    }
}
