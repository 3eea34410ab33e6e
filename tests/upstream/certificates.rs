//! TLS: a box by its certificate, another box's certificate, and none.

use super::{
    running::{OPERATOR, Running, admit, directory},
    sender::Office,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::{path::Path, process::Command};

/// An authority, the receiver's certificate and those of two boxes, as files.
fn certificates(folder: &Path, boxes: &[(&str, &Office)]) {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "the fleet's authority");
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let make = |file: &str, name: &str, alternative: &[String]| {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(alternative).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    };
    make("receiver", "receiver", &["localhost".to_owned()]);
    for (file, office) in boxes {
        make(file, &office.id.to_string(), &[]);
    }
}

/// The status of a request made by curl, which knows client certificates.
fn status(folder: &Path, running: &Running, method: &str, rest: &str, more: &[&str]) -> u16 {
    let url = format!("https://localhost:{}{rest}", running.port);
    let how = if method == "HEAD" { vec!["-I"] } else { vec!["-X", method] };
    let out = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--resolve"])
        .arg(format!("localhost:{}:127.0.0.1", running.port))
        .arg("--cacert")
        .arg(folder.join("ca.pem"))
        .args(how)
        .args(more)
        .arg(url)
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().parse().unwrap()
}

struct Rig {
    folder: tempfile::TempDir,
    running: Running,
    own: Office,
    other: Office,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let store = directory(&folder);
    let (own, other) = (admit(&store, Office::new(1)), admit(&store, Office::new(2)));
    certificates(folder.path(), &[("own", &own), ("other", &other), ("unknown", &Office::new(3))]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let files = ["--tls-cert".to_owned(), path("receiver.pem"), "--tls-key".to_owned(), path("receiver.key")];
    let authority = ["--client-ca".to_owned(), path("ca.pem")];
    let running = Running::start(&[&store[..], &files, &authority].concat());
    Rig { folder, running, own, other }
}

impl Rig {
    fn shows(&self, name: &str) -> [String; 4] {
        let path =
            |ending: &str| self.folder.path().join(format!("{name}.{ending}")).to_str().unwrap().to_owned();
        ["--cert".to_owned(), path("pem"), "--key".to_owned(), path("key")]
    }

    fn gaps(&self, office: &Office, more: &[&str]) -> u16 {
        status(
            self.folder.path(),
            &self.running,
            "GET",
            &format!("/v1/boxes/{}/gaps?calls=0", office.id),
            more,
        )
    }
}

/// A box that shows another box's certificate is sent away everywhere; tells what it saw.
pub fn foreign_certificate(seen: &mut dyn FnMut(&str, &'static str, u16)) {
    let rig = rig();
    let id = rig.own.id;
    let recording = rig.own.recording(1);
    for (method, path, rest) in [
        ("post", "/v1/boxes/{box}/records", format!("/v1/boxes/{id}/records")),
        ("head", "/v1/boxes/{box}/recordings/{recording}", format!("/v1/boxes/{id}/recordings/{recording}")),
        ("put", "/v1/boxes/{box}/recordings/{recording}", format!("/v1/boxes/{id}/recordings/{recording}")),
        ("get", "/v1/boxes/{box}/gaps", format!("/v1/boxes/{id}/gaps?calls=1")),
        ("get", "/v1/boxes/{box}/site", format!("/v1/boxes/{id}/site")),
    ] {
        let certificate = rig.shows("other");
        let more: Vec<&str> = certificate.iter().map(String::as_str).collect();
        let status = status(rig.folder.path(), &rig.running, &method.to_uppercase(), &rest, &more);
        assert_eq!(status, 403, "{method} {rest}");
        seen(method, path, status);
    }
}

#[test]
fn a_box_comes_in_by_its_certificate_or_its_token_and_not_by_anothers() {
    let rig = rig();
    let token = format!("authorization: Bearer {}", rig.own.token);
    let with = |name: &str| rig.shows(name);
    let gaps = |office: &Office, certificate: &[String; 4]| {
        rig.gaps(office, &certificate.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(gaps(&rig.own, &with("own")), 200);
    assert_eq!(gaps(&rig.other, &with("other")), 200);
    assert_eq!(gaps(&rig.own, &with("other")), 403);
    assert_eq!(gaps(&Office::new(3), &with("unknown")), 401, "a box that nobody added");
    assert_eq!(rig.gaps(&rig.own, &["-H", &token]), 200);
    assert_eq!(rig.gaps(&rig.own, &[]), 401);
    let operator = format!("authorization: Bearer {OPERATOR}");
    assert_eq!(status(rig.folder.path(), &rig.running, "GET", "/", &["-H", &operator]), 200);
}
