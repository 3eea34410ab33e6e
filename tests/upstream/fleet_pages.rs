//! The operator's pages: who may see them, and what they show.

use super::{
    running::{OPERATOR, Running, admit, command, directory},
    sender::{Office, Piece, Sender, header},
};

#[test]
fn an_operator_signs_in_and_sees_silent_boxes_calls_gaps_and_hears_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let store = directory(&folder);
    let (office, silent) = (admit(&store, Office::new(1)), admit(&store, Office::new(2)));
    let running = Running::start(&store);
    let (sender, base) = (Sender::new(), &running.base);
    let audio = office.audio(3, 5_000);
    let records = vec![office.record(1, 1, None), office.record(3, 2, Some(&audio))];
    assert_eq!(sender.records(base, &office, records).unwrap().receipts.len(), 2);
    sender.piece(base, &office, Piece { seq: 3, whole: &audio, offset: 0, end: audio.len() }).unwrap();
    let away = sender.get(base, "").unwrap();
    assert_eq!((away.status().as_u16(), header(&away, "location")), (303, "/sign-in"));
    let sign_in = format!("{base}/sign-in");
    assert_eq!(sender.post(&sign_in, "", b"").unwrap().status(), 415, "a form, or nothing");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    assert_eq!(agent.post(&sign_in).send_form([("token", "wrong")]).unwrap().status(), 403);
    let signed_in = agent.post(&sign_in).send_form([("token", OPERATOR)]).unwrap();
    let cookie = header(&signed_in, "set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let mut fleet = agent.get(base).header("cookie", cookie).call().unwrap();
    assert_eq!(fleet.status(), 200);
    let html = fleet.body_mut().read_to_string().unwrap();
    let place = |office: &Office| html.find(&office.id.to_string()).unwrap();
    assert!(place(&silent) < place(&office), "silent boxes come first");
    assert!(html.contains("line dead") && html.contains("Bel Air Plumbing"), "{html}");
    let mut page = agent.get(format!("{base}/boxes/{}", office.id)).header("cookie", cookie).call().unwrap();
    let html = page.body_mut().read_to_string().unwrap();
    assert!(html.contains("Calls that are not here: 2<"), "{html}");
    assert!(html.contains("Spring mailer") && html.contains(&office.recording(3).to_string()));
    let url = format!("{base}/boxes/{}/recordings/{}", office.id, office.recording(3));
    let mut part = agent.get(&url).header("cookie", cookie).header("range", "bytes=100-199").call().unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(header(&part, "content-range"), "bytes 100-199/5000");
    assert_eq!(part.body_mut().read_to_vec().unwrap(), audio[100..200]);
    assert_eq!(agent.get(&url).call().unwrap().status(), 404);
}

#[test]
fn a_removed_box_sends_no_more_and_a_new_token_ends_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = directory(&folder);
    let old = admit(&store, Office::new(1));
    let running = Running::start(&store);
    let sender = Sender::new();
    assert!(sender.gaps(&running.base, &old, 0).is_some());
    let new = admit(&store, Office::new(1));
    assert!(sender.gaps(&running.base, &old, 0).is_none());
    assert!(sender.gaps(&running.base, &new, 0).is_some());
    let run = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        command(&[words, store.clone()].concat())
    };
    run(&["box", "remove", &new.id.to_string()]).unwrap();
    assert!(sender.gaps(&running.base, &new, 0).is_none());
    assert!(run(&["box", "list"]).unwrap().contains("removed"));
    assert!(run(&["box", "remove", &Office::new(9).id.to_string()]).unwrap_err().contains("there is no box"));
}
