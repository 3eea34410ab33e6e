//! An advertised number is proven to forward, on a running box (PRODUCT R26–R32): the wizard, two test calls, the file.

use crate::shared::{
    inside::Inside,
    process::{self, PATIENCE, eventually},
    site::{NOBODY, Site, number},
    web,
};
use ringside::{
    io::proof_files,
    proving::{Proof, Verdict},
    sim::provider::{Account, CallPlan, Provider},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const ADVERTISED: &str = "+13125550188";

/// Posts a form; where the answer leads, or the page that refuses.
fn post(server: SocketAddr, path: &str, form: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let to = answer.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
    to.ok_or(answer)
}

fn test_call(inside: &Inside, provider: &Provider) {
    let plan = CallPlan {
        give_up_after: Some(Duration::from_millis(400)),
        headers: vec![(
            "Diversion".to_owned(),
            format!("<sip:{ADVERTISED}@provider.invalid>;reason=unconditional"),
        )],
        ..CallPlan::new("+13126000001", &number(0))
    };
    provider.place_at(inside.site.sip(), plan).wait(PATIENCE, |_| false);
}

fn proof(inside: &Inside) -> Option<Proof> {
    let (_, json) = web::get(inside.site.web(), "/api/v1/proofs").ok()?;
    let list: serde_json::Value = serde_json::from_str(&json).ok()?;
    serde_json::from_value(list["proofs"].get(0)?.clone()).ok()
}

#[test]
fn a_test_call_proves_that_a_number_forwards_and_later_calls_name_the_proof() {
    let inside = Inside::start(Site::new(&[&[NOBODY]], ""));
    let provider = Provider::start(inside.site.peer(), Account::default()).unwrap();
    let web = inside.site.web();
    let numbers = format!("advertised=%2B13125550188&tracking=%2B{}", number(0).trim_start_matches('+'));
    let page = post(web, "/setup/forwarding", &numbers).unwrap();
    post(web, &format!("{page}/test"), "office=free&caller=3126000001").unwrap();
    test_call(&inside, &provider);
    let proven = || proof(&inside).is_some_and(|proof| proof.verdict == Verdict::Verified);
    assert!(eventually(PATIENCE, proven).is_some(), "{:?}", proof(&inside));
    let proof = proof(&inside).unwrap();
    assert!(!proof.unconditional, "one test proves no more than that it forwards");
    let file = inside.site.data().join(format!("proofs/{}.json", proof.id));
    assert!(eventually(PATIENCE, || file.exists()).is_some());
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(proof_files::verify(&text, None).unwrap(), proof);
    let exported =
        || web::get(web, &format!("/api/v1/proofs/{}", proof.id)).is_ok_and(|(_, got)| got == text);
    assert!(eventually(PATIENCE, exported).is_some(), "the export is the file");
    test_call(&inside, &provider);
    let calls = process::closed_calls(&inside.site, 2);
    let mut proofs: Vec<_> = calls.iter().map(|call| (call.seq, call.attribution.proof_id)).collect();
    proofs.sort_unstable();
    assert_eq!(proofs, [(1, None), (2, Some(proof.id))]);
    let journaled = || {
        let audit = web::get(web, "/api/v1/audit").map(|(_, text)| text).unwrap_or_default();
        audit.contains("tested the forwarding") && audit.contains(&proof.id.to_string())
    };
    assert!(eventually(PATIENCE, journaled).is_some(), "the journal has a note of it");
}
