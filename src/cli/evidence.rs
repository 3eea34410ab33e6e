//! Gathers what `ringside doctor` looks at. Nothing is changed but a file that is made and deleted again, to see
//! whether the data directory can be written.

use super::{
    ask::Where,
    load::{Loaded, load},
};
use crate::{
    board::Profile,
    config::Config,
    doctor::{AddressUse, Evidence},
    io::{clock::Clock, disk},
};
use std::{
    fs, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
};

/// Everything there is to know of the box that `asked` names and of its data directory.
pub(super) fn gather(asked: &Where, data: &Path) -> Evidence {
    let loaded = config(&asked.config);
    let good = loaded.as_ref().ok();
    Evidence {
        config_file: asked.config.display().to_string(),
        board: good.map_or_else(|| Err(String::new()), |(config, folder)| board(config, folder)),
        addresses: good.map_or_else(Vec::new, |(config, _)| addresses(config, asked.address())),
        config: loaded.map(|(config, _)| summary(&config)),
        data_dir: data.display().to_string(),
        data_writable: try_writing(data).map_err(|error| error.to_string()),
        disk: disk::room(data),
        now: Clock::start().wall(),
        running: asked.running_on(data).status().map_err(|error| error.to_string()),
    }
}

fn config(file: &Path) -> Result<(Config, std::path::PathBuf), String> {
    match load(file) {
        Ok(Loaded::Good(config, folder)) => Ok((*config, folder)),
        Ok(Loaded::Wrong(errors)) => {
            let first = errors.problems().first().map_or_else(String::new, |problem| problem.message.clone());
            Err(format!("{} errors in {}, the first: {first}", errors.problems().len(), file.display()))
        }
        Err(failure) => Err(failure.message.trim_start_matches("error: ").to_owned()),
    }
}

fn summary(config: &Config) -> String {
    format!(
        "{}, {} trunks, {} campaigns, {} tracking numbers",
        config.site.name,
        config.trunks.len(),
        config.campaigns.len(),
        config.tracking_numbers.len()
    )
}

fn board(config: &Config, folder: &Path) -> Result<String, String> {
    let path = folder.join(&config.board.profile);
    let bad = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
    let profile = Profile::parse(&text).map_err(|error| bad(error.to_string()))?;
    let (phones, lines) = (profile.fxs_ports().count(), profile.fxo_ports().count());
    Ok(format!("{}: {phones} phones, {lines} lines", profile.board.id))
}

fn try_writing(data: &Path) -> io::Result<()> {
    let probe = data.join(format!(".doctor-{}", std::process::id()));
    fs::write(&probe, b"doctor")?;
    fs::remove_file(&probe)
}

/// The addresses of the configuration; whoever cannot have one now says why.
fn addresses(config: &Config, page: SocketAddr) -> Vec<AddressUse> {
    let sip = config.sip.listen;
    let rtp = SocketAddr::new(config.rtp.address.unwrap_or(sip.ip()), config.rtp.first_port);
    let udp = |address: SocketAddr| UdpSocket::bind(address).err();
    let asked =
        [("SIP", sip, udp(sip)), ("RTP", rtp, udp(rtp)), ("page", page, TcpListener::bind(page).err())];
    let one = |(what, address, error): (&'static str, SocketAddr, Option<io::Error>)| AddressUse {
        what,
        address,
        taken: error.map(|error| error.to_string()),
    };
    asked.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_said_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        try_writing(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(try_writing(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn the_board_of_a_configuration_is_read_beside_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim");
        let (config, folder) = config(&folder.join("ringside.toml")).unwrap();
        assert_eq!(board(&config, &folder).unwrap(), "sim: 2 phones, 2 lines");
        assert_eq!(summary(&config), "Miller Plumbing, 1 trunks, 3 campaigns, 4 tracking numbers");
    }

    #[test]
    fn an_address_that_is_taken_is_said_so() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("board/sim/ringside.toml"));
        let mut config = Config::parse(&text.unwrap(), "ringside.toml").unwrap();
        config.sip.listen = taken.local_addr().unwrap();
        let page = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses = addresses(&config, page);
        assert!(addresses[0].taken.is_some());
        assert_eq!((addresses[2].what, &addresses[2].taken), ("page", &None));
    }
}
