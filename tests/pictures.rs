//! The pictures of the measured tables: whole, complete, and those of the committed tables.

#![allow(clippy::disallowed_methods, reason = "tests read files")]

#[path = "../bench/picture/mod.rs"]
mod picture;

use picture::{Table, draw};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

const BARS: &str = "\
# Echo <return> loss & more
# cargo bench --bench made_up
path,steady_db,within 2 s (dB),delay_ms,remark
ours on D.2,31.5,22,4,\"short, \"\"clean\"\"\"
speex on D.9,-3,,12.27,long
";
const LINES: &str = "\
# Speech after loss
# cargo bench --bench made_up
loss (%),jitter 0 ms (PESQ),jitter 80 ms (PESQ)
0,4.41,4.40
1,4.2,3.9
10,3.1,
";

/// What a picture says: its texts and the remarks of its shapes, as an XML parser reads them.
fn texts(svg: &str) -> Vec<String> {
    let script = "import sys, xml.etree.ElementTree as E\n\
        for e in E.fromstring(sys.stdin.buffer.read()).iter():\n \
        if e.tag.split('}')[1] in ('text', 'title'): print(e.text)";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 reads the pictures; install the Debian package python3");
    python.stdin.take().unwrap().write_all(svg.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "not well-formed:\n{svg}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn assert_says(svg: &str, wanted: &[&str]) {
    let texts = texts(svg);
    for text in wanted {
        assert!(texts.iter().any(|said| said == text), "the picture does not say `{text}`: {texts:?}");
    }
}

#[test]
fn bars_show_every_label_unit_and_figure() {
    let svg = draw(&Table::parse(BARS).unwrap());
    assert_says(&svg, &["Echo <return> loss & more", "cargo bench --bench made_up"]);
    assert_says(&svg, &["ours on D.2", "speex on D.9", "steady", "within 2 s", "delay", "dB", "ms"]);
    assert_says(&svg, &["31.5", "22", "−3", "not measured", "12.3", "short, \"clean\"", "long"]);
}

#[test]
fn lines_show_every_step_series_and_unit() {
    let svg = draw(&Table::parse(LINES).unwrap());
    assert_says(&svg, &["loss (%)", "0", "1", "10", "PESQ", "jitter 0 ms", "jitter 80 ms"]);
    assert_says(&svg, &["jitter 0 ms: 4.41", "jitter 80 ms: 3.9"]);
    // Two lines, of three and of two points.
    let points = |line: &str| line.contains("<polyline").then(|| line.matches(',').count());
    assert_eq!(svg.lines().filter_map(points).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn the_longest_bar_belongs_to_the_largest_figure_and_all_stay_inside() {
    let svg = draw(&Table::parse("# t\n# c\np,a (x)\nours,10\ntheirs,40\n").unwrap());
    let number = |line: &str, name: &str| -> f64 {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let bars: Vec<(f64, f64)> = svg
        .lines()
        .filter(|line| line.starts_with("<rect"))
        .map(|line| (number(line, "x"), number(line, "width")))
        .collect();
    assert_eq!(bars.len(), 2);
    assert!((bars[1].1 / bars[0].1 - 4.0).abs() < 0.01, "{bars:?}");
    assert!(bars.iter().all(|(x, width)| *x >= 0.0 && x + width < 960.0));
    // Ours and the other's differ in colour, on light and on dark pages.
    assert!(svg.contains("class=\"c0\"") && svg.contains("class=\"c1\""));
    assert!(svg.contains("@media(prefers-color-scheme:dark)"));
}

#[test]
fn rows_of_one_label_are_one_bar_with_its_spread() {
    let svg = draw(&Table::parse("# t\n# c\npath,erle_db,by\nD2,20,a\nD2,32,b\nD2,30,c\nD3,25,a\n").unwrap());
    assert_says(&svg, &["D2, erle: 30", "D3, erle: 25", "c   (median; line: least to most)"]);
    assert_eq!(svg.lines().filter(|line| line.contains("class=\"spread\"")).count(), 1);
    assert_eq!(texts(&svg).iter().filter(|text| *text == "D2").count(), 1);
    // What the rows of D2 do not agree on is not said of them.
    assert!(!texts(&svg).iter().any(|text| text == "b"));
}

#[test]
fn a_damaged_table_is_refused_with_its_line() {
    let error = |text: &str| Table::parse(text).err().unwrap();
    assert_eq!(error("# t\n# c\na,b\nx,1\ny\n"), "line 5: 1 cells, not 2");
    assert!(error("a,b\n").contains("# title"));
    assert!(error("# t\n# c\na,b\nx,word\n").contains("no column is all figures"));
}

#[test]
fn committed_pictures_are_those_of_the_committed_tables() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/tables");
    let mut tables = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        tables += 1;
        let table = Table::parse(&fs::read_to_string(&path).unwrap());
        let table = table.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let svg = draw(&table);
        let labels: Vec<&str> = table.labels.iter().map(String::as_str).collect();
        assert_says(&svg, &labels);
        let committed = fs::read_to_string(path.with_extension("svg")).unwrap_or_default();
        assert!(committed == svg, "{}: next: cargo bench --bench pictures", path.display());
    }
    assert!(tables > 0);
}
