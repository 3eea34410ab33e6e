//! Campaigns and numbers as an office edits them, rule by rule.

use super::*;
use crate::{access::Role, time::WallTime};

fn at(role: Role) -> By {
    By { who: "Dana".to_owned(), role, at: WallTime(1_763_816_709_007) }
}

fn base() -> Base {
    let config = Config::parse(SITE, "site.toml").unwrap();
    Base::new(&config, &Ports { phones: vec!["PHONE1".into(), "PHONE2".into()], lines: vec!["LINE1".into()] })
}

fn n(text: &str) -> E164 {
    text.parse().unwrap()
}

fn assigned(number: &str, used: Use) -> Edit {
    let form = NumberForm { name: None, used, reason: None };
    Edit::NumberAssigned { id: format!("trk_{}", &number[1..]), number: n(number), form }
}

fn tracking(number: &str, campaign: &str, forwarding: Option<&str>) -> Edit {
    let used = Use::Tracking {
        campaign: campaign.to_owned(),
        ring: "front".to_owned(),
        forwarding_number: forwarding.map(n),
    };
    assigned(number, used)
}

fn advertised(number: &str, to: &str) -> Edit {
    assigned(number, Use::Advertised { forwards_to: n(to), campaign: None, porting_since: None })
}

/// A book with one campaign, one tracking number and one advertised number.
fn book() -> Book {
    let mut book = Book::default();
    let form = CampaignForm { name: "Radio spot".to_owned(), ..CampaignForm::default() };
    let by = at(Role::Office);
    book.edit(&base(), &Edit::CampaignAdded { id: "cmp_radio".to_owned(), form }, &by).unwrap();
    book.edit(&base(), &tracking("+13125550110", "cmp_radio", Some("+13125550190")), &by).unwrap();
    book.edit(&base(), &advertised("+13125550160", "+13125550110"), &by).unwrap();
    book
}

fn refused(book: &Book, edit: &Edit) -> Refused {
    let before = book.clone();
    let mut book = book.clone();
    let refused = book.edit(&base(), edit, &at(Role::Office)).unwrap_err();
    assert_eq!(book, before, "nothing has changed");
    refused
}

#[test]
fn a_number_that_is_added_is_answered_with_its_campaign() {
    let directory = Directory::new(Arc::new(base()), book());
    let tracker = directory.lookup(&n("+13125550110")).unwrap();
    assert_eq!((tracker.campaign.name.as_str(), tracker.tag.as_str()), ("Radio spot", "Radio spot"));
    assert_eq!(
        (tracker.ports.as_slice(), tracker.advertised.as_slice()),
        (&["PHONE1".to_owned()][..], &[n("+13125550160")][..])
    );
    assert!(directory.lookup(&n("+13125550100")).is_some(), "what the file says is still there");
    assert!(
        directory.lookup(&n("+13125550160")).is_none(),
        "an advertised number comes as its tracking number"
    );
    let hits = directory.find("radio", 10);
    assert!(matches!(&hits[..], [Hit::Campaign { numbers: 1, .. }]), "{hits:?}");
    let hits = directory.find("(312) 555-0190", 10);
    assert!(matches!(&hits[..], [Hit::ForwardingNumber { answer: "not tracked", .. }]), "{hits:?}");
}

#[test]
fn every_rule_refuses_with_its_name_and_a_remedy() {
    let book = book();
    let ring = |ring: &str| {
        assigned(
            "+13125550111",
            Use::Tracking { campaign: "ads".into(), ring: ring.into(), forwarding_number: None },
        )
    };
    let table = [
        // A campaign whose number is a forwarding number.
        (tracking("+13125550199", "ads", None), Rule::Advertised),
        (tracking("+13125550190", "cmp_radio", None), Rule::Advertised),
        (advertised("+13125550190", "+13125550100"), Rule::Advertised),
        // One number, two kinds.
        (advertised("+13125550110", "+13125550100"), Rule::OneKind),
        (tracking("+13125550160", "ads", None), Rule::OneKind),
        (assigned("+13125550160", Use::Forwarding), Rule::OneKind),
        (advertised("+13125550161", "+13125550777"), Rule::OneKind),
        (tracking("+13125550111", "nowhere", None), Rule::Campaign),
        (ring("cellar"), Rule::Ring),
        // A call that would come back.
        (tracking("+13125550111", "ads", Some("+13125550111")), Rule::Cycle),
        (tracking("+13125550111", "ads", Some("+13125550160")), Rule::Cycle),
        (tracking("+13125550111", "ads", Some("+13125550100")), Rule::Cycle),
        (tracking("+13125550110", "cmp_radio", Some("+13125550160")), Rule::Cycle),
        // The file is changed in the file.
        (tracking("+13125550100", "ads", None), Rule::FromFile),
        (Edit::NumberUnassigned { number: n("+13125550101") }, Rule::FromFile),
        (Edit::CampaignEnded { id: "ads".into() }, Rule::FromFile),
        // Still in use.
        (Edit::NumberUnassigned { number: n("+13125550110") }, Rule::InUse),
        (Edit::CampaignEnded { id: "cmp_radio".into() }, Rule::InUse),
        (Edit::PortingFinished { number: n("+13125550160") }, Rule::Porting),
        (Edit::PortingStarted { number: n("+13125550110") }, Rule::Porting),
        (Edit::NumberUnassigned { number: n("+13125550999") }, Rule::NotThere),
        (
            Edit::CampaignAdded {
                id: "cmp_2".into(),
                form: CampaignForm { name: "RADIO SPOT ".into(), ..CampaignForm::default() },
            },
            Rule::Taken,
        ),
    ];
    for (edit, rule) in table {
        let refused = refused(&book, &edit);
        assert_eq!(refused.rule, rule, "{edit:?}: {refused}");
        assert!(!refused.remedy.is_empty() && refused.what.len() > 10, "{refused}");
    }
    let phone = book.clone().edit(&base(), &ring("PHONE2"), &at(Role::Office));
    assert!(phone.is_ok(), "one port rings by its name");
}

#[test]
fn an_administrator_overrides_the_forwarding_rule_with_a_reason_only() {
    let mut book = book();
    let with = |reason: Option<&str>| {
        let used = Use::Tracking { campaign: "ads".into(), ring: String::new(), forwarding_number: None };
        let form = NumberForm { name: None, used, reason: reason.map(str::to_owned) };
        Edit::NumberAssigned { id: "trk_x".into(), number: n("+13125550199"), form }
    };
    for (reason, role) in
        [(None, Role::Administrator), (Some(" "), Role::Administrator), (Some("old ads"), Role::Office)]
    {
        assert_eq!(book.edit(&base(), &with(reason), &at(role)).unwrap_err().rule, Rule::Advertised);
    }
    book.edit(&base(), &with(Some("old ads")), &at(Role::Administrator)).unwrap();
    let entry = book.number(&n("+13125550199")).unwrap();
    assert_eq!(entry.override_reason.as_deref(), Some("old ads"));
    assert!(
        entry.history[0].what.contains("though it is a forwarding number: old ads"),
        "{:?}",
        entry.history
    );
    assert!(Directory::new(Arc::new(base()), book).lookup(&n("+13125550199")).is_some());
}

#[test]
fn a_number_that_is_ported_keeps_its_id_and_campaign_and_has_no_gap() {
    let (mut book, by, number) = (book(), at(Role::Office), n("+13125550160"));
    let answered = |book: &Book| {
        let directory = Directory::new(Arc::new(base()), book.clone());
        let of = |number: &str| {
            directory.lookup(&n(number)).map(|tracker| (tracker.id.clone(), tracker.campaign.id.clone()))
        };
        [of("+13125550110"), of("+13125550160")]
    };
    let ours = ("trk_13125550160".to_owned(), "cmp_radio".to_owned());
    let target = ("trk_13125550110".to_owned(), "cmp_radio".to_owned());
    assert_eq!(answered(&book), [Some(target.clone()), None]);
    book.edit(&base(), &Edit::PortingStarted { number: number.clone() }, &by).unwrap();
    assert_eq!(answered(&book), [Some(target.clone()), Some(ours.clone())], "both paths");
    book.edit(&base(), &Edit::PortingFinished { number: number.clone() }, &by).unwrap();
    assert_eq!(answered(&book), [Some(target), Some(ours)], "and nothing changes when it has arrived");
    let entry = book.number(&number).unwrap();
    assert!(matches!(entry.used, Use::Tracking { .. }));
    assert_eq!(entry.history.len(), 3, "{:?}", entry.history);
}

#[test]
fn unassigning_keeps_the_history_and_using_a_number_again_warns() {
    let (mut book, by) = (book(), at(Role::Office));
    let shared = book.edit(&base(), &advertised("+13125550161", "+13125550110"), &by).unwrap();
    assert!(shared.warnings[0].contains("cannot be told apart"), "{:?}", shared.warnings);
    for number in ["+13125550160", "+13125550161", "+13125550110"] {
        book.edit(&base(), &Edit::NumberUnassigned { number: n(number) }, &by).unwrap();
    }
    let entry = book.number(&n("+13125550110")).unwrap();
    assert_eq!((&entry.used, entry.history.len()), (&Use::Unassigned, 2));
    let again = book.edit(&base(), &tracking("+13125550110", "ads", None), &by).unwrap();
    assert!(again.warnings[0].contains("Radio spot"), "{:?}", again.warnings);
    assert_eq!(book.number(&n("+13125550110")).unwrap().history.len(), 3);
}

#[test]
fn entries_put_into_an_empty_book_make_the_same_book() {
    let mut book = book();
    let by = at(Role::Office);
    book.edit(&base(), &Edit::NumberUnassigned { number: n("+13125550160") }, &by).unwrap();
    book.edit(
        &base(),
        &Edit::ReasonsSet { reasons: vec!["Booked".into(), " booked".into(), "Spam".into()] },
        &by,
    )
    .unwrap();
    assert_eq!(book.reasons(), ["Booked", "Spam"]);
    let mut copy = Book::default();
    for entry in book.entries() {
        let json = serde_json::to_string(&entry).unwrap();
        copy.put(&serde_json::from_str(&json).unwrap());
    }
    assert_eq!(copy, book);
}

#[test]
fn a_book_of_an_older_and_of_a_newer_version_is_read() {
    let mut book = Book::default();
    for line in include_str!("../../../tests/data/directory-1.jsonl").lines() {
        book.put(&serde_json::from_str(line).unwrap());
    }
    let directory = Directory::new(Arc::new(base()), book);
    assert_eq!(directory.lookup(&n("+13125550110")).unwrap().campaign.name, "Radio spot");
    assert_eq!(directory.customer_of(&n("+13125550142")).unwrap().name, "Dana Ortiz");
    assert_eq!(directory.job("4471").unwrap().1, "4471");
    assert_eq!(directory.reasons(), ["Booked"]);
}
