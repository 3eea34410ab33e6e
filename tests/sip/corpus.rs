//! Reads the messages of `tests/data/sip`; its README tells how they are written.

use std::path::Path;

/// One message file.
pub(crate) struct Sample {
    /// File name without its ending.
    pub(crate) name: String,
    /// What must be read from it: key and value.
    pub(crate) facts: Vec<(String, String)>,
    /// The datagram.
    pub(crate) bytes: Vec<u8>,
}

/// The messages of `tests/data/sip/<folder>`, sorted by name.
#[allow(clippy::disallowed_methods)] // a test may read its data
pub(crate) fn load(folder: &str) -> Vec<Sample> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sip").join(folder);
    let mut samples: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            sample(name, &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples
}

fn sample(name: String, text: &str) -> Sample {
    let mut rest = text;
    let mut facts = Vec::new();
    while let Some(comment) = rest.strip_prefix("# ") {
        let (line, after) = comment.split_once('\n').unwrap();
        facts.push(line);
        rest = after;
    }
    let facts: Vec<_> = facts
        .into_iter()
        .skip(1)
        .map(|line| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap())
        .collect();
    let line_end =
        if facts.iter().any(|(key, value)| key == "line_ends" && value == "lf") { "\n" } else { "\r\n" };
    let bytes = with_escapes(&rest.replace('\n', line_end));
    Sample { name, facts, bytes: with_length(bytes, line_end) }
}

/// Resolves `\xNN`.
fn with_escapes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Resolves `{length}` to the number of bytes behind the first empty line of the head.
fn with_length(bytes: Vec<u8>, line_end: &str) -> Vec<u8> {
    let Some(at) = find(&bytes, b"{length}") else { return bytes };
    let blank = format!("{line_end}{line_end}");
    let head = find(&bytes[at..], blank.as_bytes()).map_or(bytes.len(), |end| at + end + blank.len());
    let length = (bytes.len() - head).to_string();
    [&bytes[..at], length.as_bytes(), &bytes[at + "{length}".len()..]].concat()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
