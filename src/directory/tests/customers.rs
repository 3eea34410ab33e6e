//! Customers, jobs and call reasons.

use super::*;
use crate::{access::Role, id::CustomerId, time::WallTime};

fn by() -> By {
    By { who: "Dana".to_owned(), role: Role::Office, at: WallTime(1_763_816_709_007) }
}

fn id(n: u128) -> CustomerId {
    CustomerId::from_parts(WallTime(1), n)
}

fn form(name: &str, numbers: &[&str]) -> CustomerForm {
    let numbers = numbers.iter().map(|number| number.parse().unwrap()).collect();
    CustomerForm { name: name.to_owned(), numbers, ..CustomerForm::default() }
}

fn edit(book: &mut Book, edit: Edit) -> Result<Edited, Refused> {
    book.edit(&Base::default(), &edit, &by())
}

fn two() -> Book {
    let mut book = Book::default();
    let dana = form("Dana Ortiz", &["+13125550142", "+13125550143"]);
    edit(&mut book, Edit::CustomerAdded { id: id(1), form: dana }).unwrap();
    edit(&mut book, Edit::CustomerAdded { id: id(2), form: form("D. Ortiz", &["+442079460123"]) }).unwrap();
    book
}

#[test]
fn one_caller_in_six_spellings_is_one_customer() {
    let directory = Directory::new(Arc::default(), two());
    for spelling in [
        "+13125550142",
        "13125550142",
        "3125550142",
        "312-555-0142",
        "sip:+13125550142@carrier.example",
        "tel:+1-312-555-0142",
    ] {
        let number = directory.read_number(spelling).unwrap();
        let link = directory.customer_of(&number).unwrap();
        assert_eq!((link.id, link.matched.as_str()), (id(1).to_string(), "number"), "{spelling}");
    }
    assert_eq!(directory.customer_of(&"+13125550149".parse().unwrap()), None);
    assert_eq!(directory.customer(&id(2).to_string()).unwrap().matched, "chosen");
    for wanted in ["dana", "0143", "555-0143", "(312) 555-0142"] {
        let hits = directory.find(wanted, 10);
        assert!(
            matches!(&hits[..], [Hit::Customer { name, .. }] if name == "Dana Ortiz"),
            "{wanted}: {hits:?}"
        );
    }
}

#[test]
fn two_who_are_one_are_merged_with_numbers_jobs_and_old_links() {
    let mut book = two();
    let job =
        JobForm { job_number: "4471".into(), customer: id(2), title: "Boiler".into(), status: String::new() };
    let job_id = JobId::from_parts(WallTime(1), 7);
    edit(&mut book, Edit::JobAdded { id: job_id, form: job.clone() }).unwrap();
    let taken =
        edit(&mut book, Edit::JobAdded { id: JobId::from_parts(WallTime(1), 8), form: job }).unwrap_err();
    assert_eq!(taken.rule, Rule::Taken);
    assert_eq!(edit(&mut book, Edit::CustomerRemoved { id: id(2) }).unwrap_err().rule, Rule::InUse);
    edit(&mut book, Edit::CustomersMerged { keep: id(1), gone: id(2) }).unwrap();
    let kept = book.customer(id(2)).unwrap();
    assert_eq!((kept.id, kept.numbers.len()), (id(1), 3), "an old link leads to who it is now");
    assert_eq!(book.job(job_id).unwrap().customer, id(1));
    let directory = Directory::new(Arc::default(), book);
    assert_eq!(directory.customer_of(&"+442079460123".parse().unwrap()).unwrap().name, "Dana Ortiz");
    assert_eq!(directory.job("#4471"), Some((job_id.to_string(), "4471".to_owned())));
}

#[test]
fn a_number_belongs_to_one_customer_and_is_free_again_when_it_is_let_go() {
    let mut book = two();
    let refused =
        edit(&mut book, Edit::CustomerAdded { id: id(3), form: form("Lee", &["+13125550143"]) }).unwrap_err();
    assert!(refused.to_string().contains("is a number of Dana Ortiz: merge the two"), "{refused}");
    let changed =
        edit(&mut book, Edit::CustomerChanged { id: id(1), form: form("Dana Ortiz", &["+13125550142"]) })
            .unwrap();
    let said = changed.changed[0].change.clone().unwrap().what;
    assert_eq!(&*said, "numbers +13125550142, was +13125550142, +13125550143");
    edit(&mut book, Edit::CustomerAdded { id: id(3), form: form("Lee", &["+13125550143"]) }).unwrap();
    assert_eq!(book.customer(id(1)).unwrap().history.len(), 2);
}

#[test]
fn a_list_is_brought_in_twice_with_the_same_outcome() {
    let text = "name,phone,customer id\nDana Ortiz,312-555-0142,77\nAnn,3125550150; 3125550151,78\nBob,3125550151,79\n";
    let mut book = two();
    for round in 0..2 {
        let number = |text: &str| Base::default().read_number(text);
        let (forms, preview) = Csv::read(text, number).unwrap().customers(&book, number);
        assert_eq!((preview.rows, preview.unreadable), (3, 0));
        let customers = forms.into_iter().zip(100 + round * 10..).map(|(form, n)| (id(n), form)).collect();
        edit(&mut book, Edit::CustomersImported { customers }).unwrap();
        // 0142 stays with the first Dana: the list's one has an id that nobody had.
        assert_eq!(book.customer_count(), 5, "round {round}");
    }
    assert_eq!(book.customer_of(&"+13125550151".parse().unwrap()).unwrap().name, "Ann");
}

#[test]
fn fifty_thousand_customers_fit_and_one_more_does_not() {
    let mut book = Book::default();
    let customers = (0..50_000_u64).map(|n| (id(n.into()), form("Customer", &[&format!("+1312{n:07}")])));
    edit(&mut book, Edit::CustomersImported { customers: customers.collect() }).unwrap();
    assert_eq!(book.customer_of(&"+13120049999".parse().unwrap()).unwrap().id, id(49_999).to_string());
    let refused =
        edit(&mut book, Edit::CustomerAdded { id: id(60_000), form: form("Late", &[]) }).unwrap_err();
    assert_eq!(refused.rule, Rule::Limit);
}
