//! A site that sends upstream, and what it says of it.

use crate::{
    receiver::Receiver,
    shared::{
        process::{PATIENCE, Process, eventually},
        site::{Group, Site},
        web,
    },
};
use ringside::{
    id::BoxId,
    io::{
        clock::Clock,
        storage::{Options, recover},
    },
    status::{BoxStatus, SyncState, SyncStatus},
};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A site whose box the receiver knows; `limits` are further lines of its `[upstream]`. The data directory is `data` if
/// it is given.
pub(crate) fn office(
    receiver: &Receiver,
    groups: &[Group<'_>],
    limits: &str,
    data: Option<&Path>,
) -> (Site, BoxId) {
    let upstream = format!("[upstream]\nurl = \"{}\"\ntoken_file = \"token\"\n{limits}", receiver.url());
    let site = Site::new(groups, &upstream);
    if let Some(data) = data {
        std::os::unix::fs::symlink(data, site.data()).unwrap();
    }
    // The first start makes the box's identity; here it is wanted before.
    let id = recover(&site.data(), &Options::default(), Clock::start()).unwrap().box_id;
    fs::write(site.folder().join("token"), receiver.add(id)).unwrap();
    (site, id)
}

pub(crate) fn status(site: &Site) -> Option<BoxStatus> {
    let (_, body) = web::get(site.web(), "/api/v1/status").ok()?;
    serde_json::from_str(&body).ok()
}

fn ask(site: &Site, arguments: &[&str]) -> Output {
    let command = ["sync", arguments[0], "--web", &site.web().to_string()].map(str::to_owned);
    Command::new(env!("CARGO_BIN_EXE_ringside")).args(command).args(&arguments[1..]).output().unwrap()
}

/// What `ringside sync status --json` says.
pub(crate) fn sync_status(site: &Site) -> SyncStatus {
    let output = ask(site, &["status", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `ringside sync now`.
pub(crate) fn sync_now(site: &Site) {
    let output = ask(site, &["now"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until the box says so of its upstream.
pub(crate) fn wait_sync(site: &Site, process: &Process, wanted: SyncState) {
    let is_so = || status(site).is_some_and(|status| status.sync.state == wanted);
    let waited = eventually(PATIENCE, is_so);
    let now = status(site).map(|status| status.sync);
    let waited = waited.unwrap_or_else(|| panic!("not {wanted:?} but {now:?}\n{}", process.log()));
    println!("{wanted:?} after {waited:?}");
}
