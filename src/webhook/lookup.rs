//! What the office's own system knows of a caller: `{"customer": {"name", "id", "url"}, "note"}`.

use crate::id::CallId;
use serde::{Deserialize, Serialize};

/// An answer has at most so many bytes.
pub const MAX_ANSWER_BYTES: u64 = 16 << 10;
/// Characters of a name, an id, an address, and of a note that are shown.
const MAX_SHORT: usize = 200;
const MAX_URL: usize = 2_000;
const MAX_NOTE: usize = 500;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// The call.
    pub call: CallId,
    /// Who calls.
    pub customer_name: Option<String>,
    /// Id in the office's own system.
    pub external_id: Option<String>,
    /// Their page there: http or https.
    pub url: Option<String>,
    /// What is to be known when they call.
    pub note: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    customer: Customer,
    note: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Customer {
    name: Option<String>,
    id: Option<String>,
    url: Option<String>,
}

impl Looked {
    /// Reads an answer about `call`; `None` if it is not one or says nothing.
    #[must_use]
    pub fn parse(call: CallId, answer: &[u8]) -> Option<Self> {
        let Answer { customer, note } = serde_json::from_slice(answer).ok()?;
        let url = customer.url.filter(|url| {
            url.len() <= MAX_URL && (url.starts_with("https://") || url.starts_with("http://"))
        });
        let looked = Self {
            call,
            customer_name: shortened(customer.name, MAX_SHORT),
            external_id: shortened(customer.id, MAX_SHORT),
            url,
            note: shortened(note, MAX_NOTE),
        };
        let says = [&looked.customer_name, &looked.external_id, &looked.url, &looked.note];
        says.iter().any(|said| said.is_some()).then_some(looked)
    }
}

/// The text without control characters, cut; `None` if nothing is left.
fn shortened(text: Option<String>, most: usize) -> Option<String> {
    let text: String = text?.chars().filter(|sign| !sign.is_control()).take(most).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn parse(answer: &str) -> Option<Looked> {
        Looked::parse(CallId::from_parts(WallTime(1), 1), answer.as_bytes())
    }

    #[test]
    fn an_answer_is_a_customer_and_a_note() {
        let looked = parse(
            r#"{"customer":{"name":"Dana Ortiz","id":"77","url":"https://crm.example.net/77","x":1},"note":"leak\u0007"}"#,
        );
        let looked = looked.unwrap();
        assert_eq!(looked.customer_name.as_deref(), Some("Dana Ortiz"));
        assert_eq!((looked.external_id.as_deref(), looked.note.as_deref()), (Some("77"), Some("leak")));
        assert!(looked.url.is_some());
        assert_eq!(parse(r#"{"note":"only this"}"#).unwrap().customer_name, None);
    }

    #[test]
    fn what_is_no_answer_or_no_address_is_left_out() {
        for nothing in ["", "[]", "{}", r#"{"customer":{"name":"  "}}"#, r#"{"customer":7}"#, "<html>"] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
        assert_eq!(parse(r#"{"customer":{"url":"javascript:alert(1)"}}"#), None);
        let long = parse(&format!(r#"{{"note":"{}"}}"#, "x".repeat(9_999))).unwrap();
        assert_eq!(long.note.unwrap().len(), MAX_NOTE);
    }
}
