//! The page over real sockets: TLS and plain HTTP on one port, HTTP/2, and the box's own socket.

use super::accounts::{Memory, PASSWORD, signed};
use crate::web::{Certificate, Doors, hatch, serve, tls::provider};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::oneshot,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A running box: its address, its certificate, its own socket; it ends with the sender.
async fn running(dir: &Path) -> (SocketAddr, CertificateDer<'static>, oneshot::Sender<()>) {
    let files = Arc::new(Memory::default());
    let (mut office, ..) = signed();
    let names = || vec!["ringside.local".to_owned(), "127.0.0.1".to_owned()];
    office.state.certificate = Certificate::open(files.clone(), names).unwrap();
    let kept = files.files.lock().unwrap()["page-tls.json"].clone();
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    let certificate =
        CertificateDer::from_pem_slice(kept["certificate_pem"].as_str().unwrap().as_bytes()).unwrap();
    let page = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = page.local_addr().unwrap();
    let doors = Doors::from(page).with_hatch(hatch(&dir.join("ctl.sock")).unwrap()).unwrap();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(serve(doors, office.state, async move { drop(stopped.await) }));
    (address, certificate, stop)
}

async fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("ringside.local").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A server may end TLS without saying so.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_port_takes_tls_and_plain_http() {
    let dir = tempfile::tempdir().unwrap();
    let (address, certificate, _stop) = running(dir.path()).await;
    let get = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert!(ask(TcpStream::connect(address).await.unwrap(), &get).await.starts_with("HTTP/1.1 200"));
    let secured = connect(address, &certificate, &[b"http/1.1"]).await;
    assert!(ask(secured, &get).await.starts_with("HTTP/1.1 200"));

    let both = connect(address, &certificate, &[b"h2", b"http/1.1"]).await;
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));

    let body = format!("login=dana&password={}", PASSWORD.replace(' ', "+"));
    let sign_in = |scheme: &str| {
        format!(
            "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nOrigin: {scheme}://{address}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let secured = ask(connect(address, &certificate, &[]).await, &sign_in("https")).await;
    let cookie = secured.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.starts_with("__Host-ringside=") && cookie.ends_with("; Secure"), "{secured}");
    let plain = ask(TcpStream::connect(address).await.unwrap(), &sign_in("http")).await;
    assert!(plain.contains("set-cookie: ringside="), "{plain}");
    let mixed = ask(connect(address, &certificate, &[]).await, &sign_in("http")).await;
    assert!(mixed.starts_with("HTTP/1.1 403"), "{mixed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_on_the_box_needs_no_password() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _, _stop) = running(dir.path()).await;
    let socket = dir.path().join("ctl.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let get = "GET /api/v1/users HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n";
    let inside = ask(UnixStream::connect(&socket).await.unwrap(), get).await;
    assert!(inside.starts_with("HTTP/1.1 200") && inside.contains("\"login\":\"lee\""), "{inside}");
    let get = get.replace("anything", &address.to_string());
    let outside = ask(TcpStream::connect(address).await.unwrap(), &get).await;
    assert!(outside.starts_with("HTTP/1.1 401"), "{outside}");
}
