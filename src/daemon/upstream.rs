//! The sync client as the site wants it, and what a site from the upstream does to the running box.

use super::{
    Options, StartError,
    directory::{self, OfficeDirectory},
    status::BoxState,
};
use crate::{
    board::Profile,
    config::{self, Config},
    directory::Base,
    io::{
        clock::Clock,
        storage::{Recovered, Storage},
        store::Index,
        upstream::{
            self, Access, Orders, Outbox, Upstream,
            site::{Apply, Sites},
        },
    },
    record::CallRecord,
    sync::{Backlog, budget::Rates},
};
use std::{fs, path::Path};

/// Starts the client, if the configuration names an upstream.
///
/// # Errors
/// A file of the access cannot be used.
pub(super) fn start(
    options: &Options,
    apply: Apply,
    (recovered, boot): (&Recovered, u64),
    storage: &Storage,
    (clock, state): (Clock, &BoxState),
) -> Result<(Option<Upstream>, Option<Orders>), StartError> {
    let Some(wanted) = &options.config.upstream else { return Ok((None, None)) };
    let box_id = recovered.box_id;
    let access = access(wanted, &options.config_dir)?;
    let sites = wanted.site_key.and_then(|key| Sites::new(&key, box_id, &options.data, apply));
    let rates = Rates {
        uplink_kbps: wanted.uplink_kbps,
        share_percent: wanted.uplink_percent,
        calls_kbps: wanted.calls_kbps,
    };
    let settings = upstream::Options {
        access,
        rates,
        box_id,
        boot_id: format!("{boot:016x}"),
        site: options.config.site.name.clone(),
        data: options.data.clone(),
        seed: boot.rotate_left(17),
    };
    let outbox = IndexOutbox(storage.index());
    let started = upstream::start(settings, outbox, storage.notes(), sites, clock, state.upstream());
    let upstream = started.map_err(|error| StartError::Configuration(format!("[upstream] {error}")))?;
    let orders = upstream.orders();
    Ok((Some(upstream), orders))
}

/// What the page's "now" does.
pub(super) fn now(orders: Option<Orders>) -> crate::web::SyncNow {
    orders.map_or_else(crate::web::SyncNow::default, |orders| crate::web::SyncNow::new(move || orders.now()))
}

fn access(wanted: &config::Upstream, folder: &Path) -> Result<Access, StartError> {
    let token = match (&wanted.token, &wanted.token_file) {
        (Some(token), _) => Some(token.reveal().to_owned()),
        (None, Some(file)) => {
            let file = folder.join(file);
            let text = fs::read_to_string(&file).map_err(|error| {
                StartError::Configuration(format!("[upstream] token_file {}: {error}", file.display()))
            })?;
            Some(text.trim().to_owned())
        }
        (None, None) => None,
    };
    Ok(Access {
        url: wanted.url.clone(),
        token,
        client: wanted.client.as_ref().map(|(chain, key)| (folder.join(chain), folder.join(key))),
        ca: wanted.ca.as_ref().map(|ca| folder.join(ca)),
        dscp: wanted.dscp,
        patience: upstream::ANSWER_PATIENCE,
    })
}

/// Lays a site over the configuration file, and the office's own book over both.
pub(super) fn directory_swap(options: &Options, profile: &Profile, office: OfficeDirectory) -> Apply {
    let (file, ports) = (options.config_file.clone(), directory::ports(profile));
    Box::new(move |site| {
        let file = file.as_ref().ok_or("there is no configuration file to lay it over")?;
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let config = Config::with_site(&text, site, Ok(ports.clone()))?;
        office.lay_under(Base::new(&config, &ports))
    })
}

/// What of the index waits. What cannot be read now is asked for again soon.
struct IndexOutbox(Index);

impl Outbox for IndexOutbox {
    fn unsent_records(&self, limit: usize) -> Vec<CallRecord> {
        self.0.unsent_records(limit).unwrap_or_default()
    }

    fn unsent_recordings(&self, limit: usize) -> Vec<CallRecord> {
        self.0.unsent_recordings(limit).unwrap_or_default()
    }

    fn backlog(&self) -> Backlog {
        let waiting = self.0.backlog().unwrap_or_default();
        Backlog {
            records: waiting.records,
            recordings: waiting.recordings,
            refused: waiting.refused,
            oldest: waiting.oldest,
            recording_bytes: waiting.recording_bytes,
        }
    }

    fn last_hq_seq(&self) -> u64 {
        self.0.last_hq_seq().unwrap_or(0)
    }

    fn last_call(&self) -> u64 {
        self.0.next_seq().map_or(0, |next| next.saturating_sub(1))
    }
}
