//! The house rules that a machine can check: layers, purity, third-party types, sizes, names, reasons.

#![allow(clippy::disallowed_methods)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Rank of each top-level module; a module imports lower ranks only.
const RANKS: &[(&str, u8)] = &[
    ("access", 0),
    ("handling", 0),
    ("hex", 0),
    ("id", 0),
    ("note", 0),
    ("number", 0),
    ("record", 0),
    ("status", 0),
    ("time", 0),
    ("audio", 1),
    ("board", 1),
    ("chip", 1),
    ("config", 1),
    ("dialling", 1),
    ("directory", 1),
    ("doctor", 1),
    ("health", 1),
    ("ledger", 1),
    ("rtp", 1),
    ("call", 2),
    ("line", 2),
    ("media", 2),
    ("panel", 2),
    ("proving", 2),
    ("recording", 2),
    ("sip", 2),
    ("sync", 2),
    ("webhook", 2),
    ("switchboard", 3),
    ("io", 3),
    ("web", 3),
    ("sim", 4),
    // Above `web`, whose look and words its pages share.
    ("upstream", 4),
    ("daemon", 5),
];
/// `cli` is on top of everything.
const TOP: u8 = 6;

/// Imports between equals, each for its reason.
const EQUALS: &[(&str, &str)] = &[
    ("id", "time"), // an id begins with the time it was made
    ("note", "id"), // a note is about a call
    ("note", "time"),
    ("record", "handling"), // the office has its say in a record
    ("record", "id"),       // a record is made of the other words
    ("record", "number"),
    ("record", "time"),
    ("dialling", "audio"), // what is dialled is keys
    ("status", "id"),      // and so is a snapshot of the box
    ("status", "number"),
    ("status", "record"),
    ("status", "time"),
    ("directory", "config"), // the directory is built from the configuration
];

/// Modules that may touch the outside.
const EDGES: [&str; 7] = ["io", "web", "upstream", "sim", "daemon", "cli", "main"];

/// What a pure module never names.
const OUTSIDE: [&str; 12] = [
    "std::fs",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "Instant::now",
    "SystemTime",
    "tokio::",
    "getrandom::",
    "std::process",
];

/// Third-party crates whose types stop where they come in.
const STOPS: [(&str, &[&str]); 17] = [
    ("chacha20poly1305", &["recording/vault"]),
    ("crypto_box", &["recording/vault"]),
    ("rsip", &["sip/message"]),
    ("sled", &["io/store"]),
    ("alsa", &["io/pcm.rs", "sim/card"]),
    ("alsa_sys", &["sim/card"]),
    ("opus", &["recording/encoder"]),
    ("rtcp_types", &["rtp/rtcp.rs"]),
    ("linux_embedded_hal", &["io/line_io", "io/relay.rs"]),
    ("evdev", &["io/button.rs"]),
    ("tokio_postgres", &["upstream/postgres.rs"]),
    ("deadpool_postgres", &["upstream/postgres.rs"]),
    ("object_store", &["upstream/objects.rs"]),
    ("rustls", &["web/tls.rs", "upstream/tls.rs"]),
    ("tokio_rustls", &["web/tls.rs", "upstream/tls.rs"]),
    ("rcgen", &["web/tls.rs"]),
    ("webpki", &["upstream/tls.rs"]),
];

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;
/// Where every system of this kind rots.
const MAX_SWITCHBOARD_LINES: usize = 350;
/// The whole folder: what it would outgrow this for is a decision, and some machine's.
const MAX_SWITCHBOARD_FOLDER_LINES: usize = 2_100;

struct Source {
    /// Path below the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Top-level module of a file in `src`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split(['/', '.']).next().filter(|module| *module != "lib")
    }

    /// The lines that are code of the product: no comments, no unit tests.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        let mut lines = self.text.lines().enumerate();
        let mut over = is_test_file;
        std::iter::from_fn(move || {
            let (number, line) = lines.next()?;
            // Unit tests come last in a file.
            over |= line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
            Some((number + 1, if over || line.trim_start().starts_with("//") { "" } else { line }))
        })
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    folders.iter().for_each(|folder| walk(&root.join(folder), &mut found));
    found.sort();
    let source = |path: &PathBuf| Source {
        path: path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"),
        text: fs::read_to_string(path).unwrap(),
    };
    found.iter().map(source).collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Top-level modules that `text` names behind `crate::`, also in a group of imports.
fn imports(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                _ if fresh && character.is_ascii_alphabetic() => {
                    found.insert(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// Whether `line` names the crate `name` at a path's start.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        let starts = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != ':' && c != '"');
        starts
            && (after.starts_with("::") || (line.trim_start().starts_with("use ") && after.starts_with(';')))
    })
}

#[test]
fn a_module_imports_only_lower_layers() {
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.module().filter(|module| *module != "main") else { continue };
        let code: String = source.product_lines().map(|(_, line)| format!("{line}\n")).collect();
        let own = if module == "cli" { Some(TOP) } else { rank(module) };
        let Some(own) = own else {
            complaints.push(format!("{}: module `{module}` has no rank in this test", source.path));
            continue;
        };
        for import in imports(&code).into_iter().filter(|import| *import != module) {
            let Some(other) = rank(import) else { continue };
            if other > own || (other == own && !EQUALS.contains(&(module, import))) {
                complaints.push(format!("{}: `{module}` ({own}) imports `{import}` ({other})", source.path));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn pure_modules_do_not_name_the_outside() {
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        if source.module().is_none_or(|module| EDGES.contains(&module)) {
            continue;
        }
        for (number, line) in source.product_lines() {
            for name in OUTSIDE.iter().filter(|name| line.contains(**name)) {
                complaints.push(format!("{}:{number}: `{name}` belongs to an edge", source.path));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn third_party_types_stop_where_they_come_in() {
    let mut complaints = Vec::new();
    for source in sources(&["src"]) {
        for (name, homes) in STOPS {
            if homes.iter().any(|home| source.path.starts_with(&format!("src/{home}"))) {
                continue;
            }
            for (number, _) in source.product_lines().filter(|(_, line)| names_crate(line, name)) {
                complaints.push(format!("{}:{number}: `{name}` stops at {homes:?}", source.path));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut complaints = Vec::new();
    for Source { path, text } in sources(&["src", "tests", "bench"]) {
        if !text.starts_with("//! ") {
            complaints.push(format!("{path}:1: begins without a `//! ` line"));
        }
        let limit = if path == "src/switchboard/mod.rs" { MAX_SWITCHBOARD_LINES } else { MAX_FILE_LINES };
        let lines = text.lines().count();
        if lines > limit {
            complaints.push(format!("{path}: {lines} lines, at most {limit}"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn the_switchboard_does_not_grow() {
    let files = sources(&["src/switchboard"]);
    assert!(files.iter().any(|file| file.path == "src/switchboard/mod.rs"), "it is somewhere else");
    let lines: usize = files.iter().map(|file| file.text.lines().count()).sum();
    let limit = MAX_SWITCHBOARD_FOLDER_LINES;
    assert!(lines <= limit, "src/switchboard: {lines} lines, at most {limit}; which machine decides this?");
}

#[test]
fn every_function_is_short() {
    let mut complaints = Vec::new();
    for Source { path, text } in sources(&["src", "tests", "bench"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let indent = &line[..line.len() - line.trim_start().len()];
            // rustfmt puts the closing brace under the beginning of the function.
            let end = lines[start..].iter().position(|line| line.strip_prefix(indent) == Some("}"));
            let length = end.map_or(1, |end| end + 1);
            if length > MAX_FUNCTION_LINES && !line.trim_end().ends_with([';', '}']) {
                complaints
                    .push(format!("{path}:{}: {length} lines, at most {MAX_FUNCTION_LINES}", start + 1));
            }
        }
    }
    assert_none(&complaints);
}

fn is_function(line: &str) -> bool {
    const BEFORE: [&str; 8] =
        ["pub", "pub(super)", "pub(crate)", "const", "async", "unsafe", "extern", "\"C\""];
    let mut words = line.split_whitespace().skip_while(|word| BEFORE.contains(word));
    words.next() == Some("fn")
}

#[test]
fn names_say_what_a_thing_is() {
    const EMPTY: [&str; 5] = ["Manager", "Helper", "Util", "Service", "Handler"];
    const DEFINES: [&str; 5] = ["struct", "enum", "trait", "type", "union"];
    let mut complaints = Vec::new();
    for source in sources(&["src", "tests", "bench"]) {
        let file = source.path.to_ascii_lowercase();
        let empty = EMPTY.iter().find(|name| file.contains(&name.to_ascii_lowercase()));
        complaints.extend(empty.map(|name| format!("{}: `{name}` says nothing", source.path)));
        for (number, line) in source.text.lines().enumerate() {
            let mut words = line.split_whitespace().skip_while(|word| !DEFINES.contains(word));
            let Some(name) = words.nth(1).map(word) else { continue };
            if EMPTY.iter().any(|empty| name.contains(empty)) && !line.trim_start().starts_with("//") {
                complaints.push(format!("{}:{}: `{name}` says nothing", source.path, number + 1));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    // Written so that this file does not name them itself.
    let marks = ["TO", "FIX"].map(|start| format!("{start}{}", if start == "TO" { "DO" } else { "ME" }));
    let calls = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let excuse = format!("allow({}_code)", "dead");
    let mut complaints = Vec::new();
    for source in sources(&["src", "tests", "bench"]) {
        for (number, line) in source.text.lines().enumerate() {
            let found = marks.iter().chain(&calls).chain([&excuse]).find(|mark| line.contains(mark.as_str()));
            complaints.extend(found.map(|mark| format!("{}:{}: {mark}", source.path, number + 1)));
        }
        for (number, line) in source.product_lines() {
            if source.path.starts_with("src/") && line.contains(".unwrap()") {
                complaints.push(format!("{}:{number}: `unwrap` in the product", source.path));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let mut section = "";
    let mut complaints = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        if section.ends_with("dependencies]") && line.contains('=') && !line.contains(" # ") {
            complaints.push(format!("Cargo.toml: no reason behind `{line}`"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn imports_are_found_alone_and_in_groups() {
    let text = "use crate::{audio::{tone, level}, id::CallId};\nlet x = crate::time::Instant(3);";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["audio", "id", "time"]);
    assert!(names_crate("use sled::Db;", "sled") && names_crate("let d: sled::Db;", "sled"));
    assert!(!names_crate("use crate::io::alsa::Pcm;", "alsa") && !names_crate("let scrambled = 1;", "sled"));
}
