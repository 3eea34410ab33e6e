//! The page as a machine reads it: plain requests and the stream of events.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    time::{Duration, Instant},
};

/// Status and body of `path`.
///
/// # Errors
/// Nobody listens, or the answer is none.
pub fn get(server: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    read(ask(server, path)?)
}

/// The same for a request with a JSON body.
///
/// # Errors
/// As [`get`].
pub fn send(server: SocketAddr, method: &str, path: &str, json: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{json}",
        json.len()
    )?;
    read(stream)
}

fn read(mut stream: TcpStream) -> io::Result<(u16, String)> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { joined(body) } else { body.to_owned() };
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body))
}

/// Status and body of an order.
pub fn order(server: SocketAddr, method: &str, path: &str, json: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = json.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{json}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap(), body.to_owned())
}

fn ask(server: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// A chunked body without its chunk sizes (RFC 9112 7.1).
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        whole.push_str(rest.get(..size).unwrap_or_default());
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}

/// The value of one series of `/metrics`.
pub fn metric(server: SocketAddr, series: &str) -> f64 {
    let (status, text) = get(server, "/metrics").unwrap();
    assert_eq!(status, 200);
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

/// An event of the live page.
pub struct Event {
    /// When its last line came.
    pub at: Instant,
    /// `<call>.<revision>`, or `snapshot`.
    pub id: String,
    /// The fragment.
    pub data: String,
}

/// Follows the live page until the receiver is dropped or the box ends.
pub fn follow(server: SocketAddr, mut seen: impl FnMut(&Event) + Send + 'static) -> mpsc::Receiver<Event> {
    let (events, followed) = mpsc::channel();
    let stream = ask(server, "/events").unwrap();
    stream.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let (mut id, mut data) = (String::new(), String::new());
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some(value) = line.strip_prefix("id:") {
                value.trim().clone_into(&mut id);
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push_str(value);
            } else if line.is_empty() && !id.is_empty() {
                let event = Event {
                    at: Instant::now(),
                    id: std::mem::take(&mut id),
                    data: std::mem::take(&mut data),
                };
                seen(&event);
                if events.send(event).is_err() {
                    return;
                }
            }
        }
    });
    followed
}
