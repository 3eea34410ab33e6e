//! Every requirement has its test, by name: the table in `requirements.md` is held against the tests that exist.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "reads the source")]

use ringside::config::Config;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const TABLE: &str = include_str!("requirements.md");
/// R1 to R38.
const LAST: u32 = 38;

/// A row of the table: requirements, file, name of the test.
struct Row<'a> {
    requirements: BTreeSet<u32>,
    file: &'a str,
    test: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
    };
    let lines = TABLE.lines().filter(|line| line.starts_with("| R"));
    lines
        .map(|line| {
            let cells = cells(line);
            let [which, _, file, test] = cells[..] else { panic!("four cells are expected: {line}") };
            let number = |word: &str| word.trim().trim_start_matches('R').parse().expect("R and a number");
            Row { requirements: which.split(',').map(number).collect(), file, test }
        })
        .collect()
}

#[test]
fn every_requirement_names_a_test_that_exists() {
    let mut tested: BTreeMap<u32, usize> = BTreeMap::new();
    for Row { requirements, file, test } in rows() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
            .unwrap_or_else(|error| panic!("{requirements:?}: {file}: {error}"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.contains(&format!("fn {test}(")));
        let at = at.unwrap_or_else(|| panic!("{requirements:?}: there is no {test} in {file}"));
        let is_test = lines[at.saturating_sub(4)..at]
            .iter()
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        assert!(is_test, "{requirements:?}: {test} in {file} is no test");
        for requirement in requirements {
            *tested.entry(requirement).or_default() += 1;
        }
    }
    let missing: Vec<u32> = (1..=LAST).filter(|number| !tested.contains_key(number)).collect();
    assert!(missing.is_empty(), "no test is named for R{missing:?}");
    assert!(tested.keys().all(|number| (1..=LAST).contains(number)), "there is no such requirement");
}

/// What other products call our things, and the word that is used here.
const SYNONYMS: &[(&str, &str)] = &[
    ("screen pop", "call bubble"),
    ("popup", "call bubble"),
    ("virtual number", "tracking number"),
    ("dynamic number", "tracking number"),
    ("target number", "forwarding number"),
    ("destination number", "forwarding number"),
    ("receiving number", "forwarding number"),
    ("published number", "advertised number"),
    ("marketing number", "advertised number"),
    ("call path", "call route"),
    ("call flow", "call route"),
    ("call log", "record"),
    ("voice file", "recording"),
    ("audio file", "recording"),
    ("transferred to the box", "double forwarding"),
    ("admin user", "administrator"),
];

/// Files that people read the words of: pages, commands, the configuration.
fn worded(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let is_worded = entry
            .extension()
            .is_some_and(|ending| ["html", "rs", "toml"].contains(&&*ending.to_string_lossy()));
        if entry.is_dir() {
            worded(&entry, found);
        } else if is_worded {
            found.push((entry.display().to_string(), fs::read_to_string(&entry).expect("text")));
        }
    }
}

#[test]
fn page_commands_and_api_use_the_words_of_the_product() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["src/web", "src/cli", "src/config"] {
        worded(&root.join(folder), &mut texts);
    }
    texts.push(("README.md".to_owned(), fs::read_to_string(root.join("README.md")).expect("a README")));
    assert!(texts.len() > 50, "{} files", texts.len());
    let mut wrong = Vec::new();
    for (name, text) in &texts {
        // Comments are for those who write the code.
        let spoken = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in spoken {
            let line = line.to_lowercase();
            for (synonym, word) in SYNONYMS.iter().filter(|(synonym, _)| line.contains(synonym)) {
                wrong.push(format!("{name}:{}: `{synonym}` is called `{word}` here", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_site_of_any_trade_is_set_up_without_saying_which() {
    const SMALLEST: &str = "[[trunk]]\nname = \"carrier\"\nmode = \"ip\"\nallow = [\"192.0.2.0/24\"]\n";
    Config::parse(SMALLEST, "site.toml").unwrap();
    for word in ["industry", "trade", "business_type", "vertical"] {
        let asked = Config::parse(&format!("[site]\n{word} = \"dentist\"\n{SMALLEST}"), "site.toml");
        assert!(asked.is_err(), "there is no key `{word}` to fill in");
    }
}
