//! An authority, a foreign one, and a receiver that is known by the first.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

fn authority(file: &Path) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "the fleet's authority");
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(file, authority.pem()).unwrap();
    authority
}

/// `ca.pem`, `foreign.pem`, and by the first: `receiver` for localhost and `box` for the box of this id, with keys.
pub(crate) fn make(folder: &Path, box_id: &str) {
    let own = authority(&folder.join("ca.pem"));
    authority(&folder.join("foreign.pem"));
    for (file, name, alternative) in
        [("receiver", "receiver", vec!["localhost".to_owned()]), ("box", box_id, vec![])]
    {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(alternative).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &own).unwrap();
        std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
}

/// A running receiver. Dropped, it is killed.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) port: u16,
}

impl Receiver {
    /// Starts one that knows the box of this id.
    pub(crate) fn start(folder: &Path, box_id: &str) -> Self {
        let ringside = || Command::new(env!("CARGO_BIN_EXE_ringside"));
        let path = |name: &str| folder.join(name);
        let data = path("data");
        let mut add = ringside();
        add.args(["upstream", "box", "add", box_id, "--name", "Bel Air", "--data"]).arg(&data);
        assert!(add.stdout(Stdio::null()).status().unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = ringside();
        command.args(["upstream", "run", "--listen", &format!("127.0.0.1:{port}"), "--data"]).arg(&data);
        command.arg("--tls-cert").arg(path("receiver.pem")).arg("--tls-key").arg(path("receiver.key"));
        command
            .arg("--client-ca")
            .arg(path("ca.pem"))
            .env("RINGSIDE_OPERATOR_TOKEN", "the operator's long token");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("receiving on "), "{line:?}");
        Self { child, port }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
