//! The rules of customers, jobs and call reasons.

use super::{
    book::Book,
    edit::{By, CustomerForm, Edit, Edited, JobForm, Refused, Rule},
    entries::{Change, Changed, Customer, Entry, JOB_STATUS, Job},
    text,
};
use crate::{
    id::{CustomerId, JobId},
    number::E164,
};
use std::{collections::BTreeMap, sync::Arc};

/// Customers that an office may have: what a box has memory for.
pub const MOST_CUSTOMERS: usize = 50_000;
const MOST_JOBS: usize = 50_000;
/// Numbers of one customer.
const MOST_NUMBERS: usize = 20;
const MOST_REASONS: usize = 50;

/// What a change of a customer, a job or the reasons would come to.
pub(super) fn consider(book: &Book, edit: &Edit, by: &By) -> Result<Edited, Refused> {
    match edit {
        Edit::CustomerAdded { id, form } => add(book, *id, form, by),
        Edit::CustomerChanged { id, form } => change(book, *id, form, by),
        Edit::CustomerRemoved { id } => remove(book, *id, by),
        Edit::CustomersMerged { keep, gone } => merge(book, *keep, *gone, by),
        Edit::CustomersImported { customers } => import(book, customers, by),
        Edit::JobAdded { id, form } => add_job(book, *id, form, by),
        Edit::JobChanged { id, form } => change_job(book, *id, form, by),
        Edit::JobRemoved { id } => remove_job(book, *id, by),
        Edit::ReasonsSet { reasons } => set_reasons(reasons, by),
        // The caller sends no other edit here.
        _ => Err(Refused::new(Rule::NotThere, "this is not about a customer", "ask for something else")),
    }
}

fn changed(entry: Entry, what: impl Into<Arc<str>>, by: &By) -> Changed {
    let change = Change { at: by.at, who: by.who.as_str().into(), what: what.into() };
    Changed { entry, change: Some(change) }
}

fn edited(
    entry: Entry,
    on: impl Into<String>,
    did: &'static str,
    what: impl Into<Arc<str>>,
    by: &By,
) -> Edited {
    Edited { changed: vec![changed(entry, what, by)], did, on: on.into(), warnings: Vec::new() }
}

fn add(book: &Book, id: CustomerId, form: &CustomerForm, by: &By) -> Result<Edited, Refused> {
    if book.customer_count() >= MOST_CUSTOMERS {
        return Err(full());
    }
    let customer = checked(book, id, form)?;
    let on = customer.name.clone();
    Ok(edited(Entry::Customer(customer), on, "added the customer", "added", by))
}

fn change(book: &Book, id: CustomerId, form: &CustomerForm, by: &By) -> Result<Edited, Refused> {
    let before = known(book, id)?;
    let after = checked(book, before.id, form)?;
    let what = text::differences(&differences(&before, &after));
    let on = after.name.clone();
    Ok(edited(Entry::Customer(after), on, "changed the customer", what, by))
}

fn differences(before: &Customer, after: &Customer) -> [(&'static str, String, String); 4] {
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let note = |note: &Option<String>| note.as_ref().map_or("none", |_| "changed").to_owned();
    let (note_before, note_after) = if before.note == after.note {
        (String::new(), String::new())
    } else {
        (note(&None), note(&after.note))
    };
    [
        ("name", before.name.clone(), after.name.clone()),
        ("id", said(&before.external_id), said(&after.external_id)),
        ("numbers", listed(&before.numbers), listed(&after.numbers)),
        ("note", note_before, note_after),
    ]
}

fn listed(numbers: &[E164]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(E164::as_str).collect::<Vec<_>>().join(", ")
}

fn remove(book: &Book, id: CustomerId, by: &By) -> Result<Edited, Refused> {
    let customer = known(book, id)?;
    let jobs: Vec<&Job> = book.jobs().filter(|job| job.customer == customer.id).collect();
    if let Some(job) = jobs.first() {
        let what = format!("{} has {} jobs, one of them {}", customer.name, jobs.len(), job.job_number);
        return Err(Refused::new(
            Rule::InUse,
            what,
            "remove the jobs, or merge the customer into another one",
        ));
    }
    let entry = Entry::CustomerGone { id: customer.id, into: None };
    Ok(edited(entry, customer.name, "removed the customer", "removed", by))
}

fn merge(book: &Book, keep: CustomerId, gone: CustomerId, by: &By) -> Result<Edited, Refused> {
    let (mut kept, going) = (known(book, keep)?, known(book, gone)?);
    if kept.id == going.id {
        let what = format!("{} is one customer already", kept.name);
        return Err(Refused::new(Rule::OneKind, what, "choose another one"));
    }
    let what = format!("merged with {}, who had {}", going.name, listed(&going.numbers));
    let more: Vec<E164> = going.numbers.into_iter().filter(|number| !kept.numbers.contains(number)).collect();
    kept.numbers.extend(more);
    if kept.numbers.len() > MOST_NUMBERS {
        let what = format!("both together have more than {MOST_NUMBERS} numbers");
        return Err(Refused::new(Rule::Limit, what, "take numbers that are out of use away first"));
    }
    kept.external_id = kept.external_id.or(going.external_id);
    kept.note = match (kept.note, going.note) {
        (Some(a), Some(b)) => Some(format!("{a}\n{b}").chars().take(4_000).collect()),
        (a, b) => a.or(b),
    };
    kept.history.clear();
    let (on, into) = (kept.name.clone(), kept.id);
    // Who goes gives the numbers back before they are taken.
    let mut all = vec![
        Changed { entry: Entry::CustomerGone { id: going.id, into: Some(into) }, change: None },
        changed(Entry::Customer(kept), what, by),
    ];
    for job in book.jobs().filter(|job| job.customer == going.id) {
        let job = Job { customer: into, history: Vec::new(), ..job.clone() };
        all.push(changed(Entry::Job(job), format!("moved to {on} with {}", going.name), by));
    }
    Ok(Edited { changed: all, did: "merged the customers", on, warnings: Vec::new() })
}

/// Who has an external id or a number that is known is changed. A number that is another customer's stays theirs.
fn import(book: &Book, customers: &[(CustomerId, CustomerForm)], by: &By) -> Result<Edited, Refused> {
    let mut external = book.external_ids();
    let mut owners: BTreeMap<E164, CustomerId> = BTreeMap::new();
    let mut all: BTreeMap<CustomerId, Customer> = BTreeMap::new();
    let mut shared = 0_usize;
    let mut fresh = 0_usize;
    for (id, form) in customers {
        let name = text::name("a customer’s name", &form.name)?;
        let external_id = text::optional("a customer’s id", form.external_id.as_deref())?;
        let note = text::note(form.note.as_deref())?;
        let owner = |number: &E164| owners.get(number).copied().or_else(|| book.owner(number));
        let found = match &external_id {
            Some(external_id) => external.get(external_id).copied(),
            // Another row with a number of somebody in this list is somebody else.
            None => {
                form.numbers.iter().find_map(|number| book.owner(number)).filter(|id| !all.contains_key(id))
            }
        };
        let id = found.unwrap_or(*id);
        let before = all.remove(&id).or_else(|| book.customer(id));
        fresh += usize::from(before.is_none());
        let mut customer = before.unwrap_or(Customer {
            id,
            external_id: None,
            name: String::new(),
            numbers: vec![],
            note: None,
            history: vec![],
        });
        customer.name = name;
        customer.external_id = external_id.or(customer.external_id);
        customer.note = note.or(customer.note);
        customer.history.clear();
        for number in &form.numbers {
            match owner(number) {
                Some(other) if other != id => shared += 1,
                _ if customer.numbers.contains(number) || customer.numbers.len() >= MOST_NUMBERS => {}
                _ => customer.numbers.push(number.clone()),
            }
        }
        owners.extend(customer.numbers.iter().map(|number| (number.clone(), id)));
        external.extend(customer.external_id.iter().map(|external_id| (external_id.clone(), id)));
        all.insert(id, customer);
    }
    if book.customer_count() + fresh > MOST_CUSTOMERS {
        return Err(full());
    }
    let on = format!("{} customers, {fresh} of them new", all.len());
    let warnings = (shared > 0).then(|| format!("{shared} numbers stayed with another customer")).into_iter();
    let what: Arc<str> = "imported from a file".into();
    let changed = all.into_values().map(|customer| changed(Entry::Customer(customer), Arc::clone(&what), by));
    Ok(Edited { changed: changed.collect(), did: "imported", on, warnings: warnings.collect() })
}

fn checked(book: &Book, id: CustomerId, form: &CustomerForm) -> Result<Customer, Refused> {
    let name = text::name("the customer’s name", &form.name)?;
    let external_id = text::optional("the customer’s id", form.external_id.as_deref())?;
    let mut numbers: Vec<E164> = Vec::new();
    for number in &form.numbers {
        if !numbers.contains(number) {
            numbers.push(number.clone());
        }
    }
    if numbers.len() > MOST_NUMBERS {
        let what = format!("{name} has more than {MOST_NUMBERS} numbers");
        return Err(Refused::new(Rule::Limit, what, "leave those out that are out of use"));
    }
    for number in &numbers {
        if let Some(other) = book.owner(number).filter(|other| *other != id) {
            let owner = book.customer_name(other).unwrap_or("another customer");
            let what = format!("{number} is a number of {owner}");
            return Err(Refused::new(Rule::Taken, what, "merge the two, or leave the number out"));
        }
    }
    if let Some(external_id) = &external_id
        && let Some(other) = book.external_ids().get(external_id).filter(|other| **other != id)
    {
        let owner = book.customer_name(*other).unwrap_or("another customer");
        let what = format!("the id {external_id} is that of {owner}");
        return Err(Refused::new(Rule::Taken, what, "merge the two, or leave the id out"));
    }
    Ok(Customer {
        id,
        external_id,
        name,
        numbers,
        note: text::note(form.note.as_deref())?,
        history: Vec::new(),
    })
}

fn known(book: &Book, id: CustomerId) -> Result<Customer, Refused> {
    let unknown = || {
        Refused::new(Rule::NotThere, format!("there is no customer {id}"), "look for the name or a number")
    };
    book.customer(id).ok_or_else(unknown)
}

fn full() -> Refused {
    let what = format!("there is room for {MOST_CUSTOMERS} customers");
    Refused::new(Rule::Limit, what, "remove those who have not called for years")
}

fn add_job(book: &Book, id: JobId, form: &JobForm, by: &By) -> Result<Edited, Refused> {
    if book.jobs().count() >= MOST_JOBS {
        let what = format!("there is room for {MOST_JOBS} jobs");
        return Err(Refused::new(Rule::Limit, what, "remove those that are long done"));
    }
    let job = checked_job(book, id, form)?;
    let on = job.job_number.clone();
    Ok(edited(Entry::Job(job), on, "added the job", "added", by))
}

fn change_job(book: &Book, id: JobId, form: &JobForm, by: &By) -> Result<Edited, Refused> {
    let before = known_job(book, id)?;
    let after = checked_job(book, id, form)?;
    let name = |id| book.customer_name(id).unwrap_or("nobody").to_owned();
    let what = text::differences(&[
        ("number", before.job_number.clone(), after.job_number.clone()),
        ("customer", name(before.customer), name(after.customer)),
        ("title", before.title.clone(), after.title.clone()),
        ("status", before.status.clone(), after.status.clone()),
    ]);
    let on = after.job_number.clone();
    Ok(edited(Entry::Job(after), on, "changed the job", what, by))
}

fn remove_job(book: &Book, id: JobId, by: &By) -> Result<Edited, Refused> {
    let job = known_job(book, id)?;
    Ok(edited(Entry::JobGone { id }, &job.job_number, "removed the job", "removed", by))
}

fn known_job(book: &Book, id: JobId) -> Result<&Job, Refused> {
    let unknown =
        || Refused::new(Rule::NotThere, format!("there is no job {id}"), "look at the customer’s page");
    book.job(id).ok_or_else(unknown)
}

fn checked_job(book: &Book, id: JobId, form: &JobForm) -> Result<Job, Refused> {
    let job_number = text::name("the job’s number", &form.job_number)?;
    let customer = known(book, form.customer)?.id;
    if let Some(other) = book.jobs().find(|job| job.id != id && job.job_number == job_number) {
        let owner = book.customer_name(other.customer).unwrap_or("another customer");
        let what = format!("job {job_number} is one of {owner}");
        return Err(Refused::new(Rule::Taken, what, "choose another number"));
    }
    let status = if form.status.is_empty() { JOB_STATUS[0] } else { form.status.as_str() };
    if !JOB_STATUS.contains(&status) {
        let what = format!("a job cannot be `{status}`");
        return Err(Refused::new(Rule::Text, what, format!("use one of {}", JOB_STATUS.join(", "))));
    }
    let title = text::optional("the job’s title", Some(&form.title))?.unwrap_or_default();
    Ok(Job { id, job_number, customer, title, status: status.to_owned(), history: Vec::new() })
}

fn set_reasons(reasons: &[String], by: &By) -> Result<Edited, Refused> {
    let mut kept: Vec<String> = Vec::new();
    for reason in reasons {
        if let Some(reason) = text::optional("a call reason", Some(reason))?
            && !kept.iter().any(|other| other.to_lowercase() == reason.to_lowercase())
        {
            kept.push(reason);
        }
    }
    if kept.is_empty() || kept.len() > MOST_REASONS {
        let what = format!("there are {} call reasons", kept.len());
        return Err(Refused::new(Rule::Limit, what, format!("write 1 to {MOST_REASONS}, one a line")));
    }
    let on = kept.join(", ");
    Ok(edited(Entry::Reasons { reasons: kept }, on, "set the call reasons", "set", by))
}
