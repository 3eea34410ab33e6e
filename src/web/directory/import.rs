//! Lists of customers, in and out: first it is said what would happen, then it happens.

use super::form;
use crate::{
    directory::{Csv, Edit, Preview},
    web::Site,
};

/// Reads a list and says what bringing it in would do; the edit does it.
pub(super) async fn look(site: &Site, text: String) -> Result<(Edit, Preview), String> {
    let looked = site.read(move |state| {
        let directory = state.directory.newest();
        let number = |text: &str| directory.read_number(text);
        let (forms, preview) = Csv::read(&text, number)?.customers(directory.book(), number);
        let customers = forms.into_iter().map(|form| (form::customer_id(), form)).collect();
        Ok((Edit::CustomersImported { customers }, preview))
    });
    looked.await.unwrap_or_else(|| Err("the list could not be read; see the log".to_owned()))
}
