//! What is wrong with a configuration: for a person with line, caret and remedy, for a program as JSON.

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode,
};
use serde::Serialize;
use std::{fmt, ops::Range};

/// Everything that is wrong with a configuration, in the order of the lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file_name: String,
    text: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Kind, stable for programs: `syntax`, `type`, `unknown_key`, `missing_key`, `unused_key`, `dangling`,
    /// `duplicate`, `number`, `range`, `address`, `choice`, `text`, `consent`, `forwarding`, `board`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the file.
    pub span: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

/// A problem as `check-config --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonProblem<'a> {
    /// The file.
    pub path: &'a str,
    /// Line, 1-based.
    pub line: usize,
    /// Column in characters, 1-based.
    pub col: usize,
    /// [`Problem::code`].
    pub code: &'a str,
    /// [`Problem::message`].
    pub message: &'a str,
    /// [`Problem::help`].
    pub help: Option<&'a str>,
}

impl Problem {
    pub(super) const fn new(code: &'static str, message: String, span: Range<usize>) -> Self {
        Self { code, message, span, help: None }
    }

    pub(super) fn help(self, help: impl Into<Option<String>>) -> Self {
        Self { help: help.into(), ..self }
    }
}

impl ConfigErrors {
    /// The errors of a file, if there are any.
    pub(super) fn unless_empty(text: &str, file_name: &str, mut problems: Vec<Problem>) -> Option<Self> {
        if problems.is_empty() {
            return None;
        }
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        Some(Self { file_name: file_name.to_owned(), text: text.to_owned(), problems })
    }

    /// The problems, in the order of the lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems for a program.
    pub fn json(&self) -> impl Iterator<Item = JsonProblem<'_>> {
        self.problems.iter().map(|problem| {
            let before = self.text.get(..problem.span.start).unwrap_or(&self.text);
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            JsonProblem {
                path: &self.file_name,
                line: before.matches('\n').count() + 1,
                col: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
                code: problem.code,
                message: &problem.message,
                help: problem.help.as_deref(),
            }
        })
    }

    /// The problems for a person, each with the line of the file, a caret and the remedy.
    #[must_use]
    pub fn render(&self, colours: Colours) -> String {
        let mut theme = match colours {
            Colours::On => GraphicalTheme::unicode(),
            Colours::Off => GraphicalTheme::unicode_nocolor(),
        };
        theme.characters.underline = '^';
        let printer = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1);
        let source = NamedSource::new(&self.file_name, without_secrets(&self.text));
        let mut out = String::new();
        for problem in &self.problems {
            // Writing to a String does not fail; a problem that cannot be drawn still counts below.
            if printer.render_report(&mut out, &Placed { problem, source: &source }).is_err() {
                out.push_str(&problem.message);
            }
            out.push('\n');
        }
        let count = self.problems.len();
        out.push_str(&format!(
            "{count} {} in {}\n",
            if count == 1 { "error" } else { "errors" },
            self.file_name
        ));
        out
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colours::Off))
    }
}

impl std::error::Error for ConfigErrors {}

/// Whether to colour text for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// ANSI colours.
    On,
    /// Plain text.
    Off,
}

/// The text with every password blotted out, so that it can be shown; no byte moves.
fn without_secrets(text: &str) -> String {
    let blot = |line: &str| match line.split_once('=') {
        Some((key, value)) if key.trim().ends_with("password") => {
            let stars: String = value.bytes().map(|b| if b == b'\n' { '\n' } else { '*' }).collect();
            format!("{key}={stars}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(blot).collect()
}

/// A problem with the text it is about, as miette draws it.
struct Placed<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl fmt::Debug for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.problem, f)
    }
}

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Placed<'_> {}

impl Diagnostic for Placed<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_with_span(None, self.problem.span.clone());
        Some(Box::new(std::iter::once(here)))
    }
}

/// The remedy for a name that is not known: the nearest known one, or the list of them.
pub(super) fn did_you_mean<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    /// Similarity from which a suggestion helps more than it misleads (Jaro-Winkler, 0..=1).
    const NEAR: f64 = 0.8;
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), *name))
        .filter(|(nearness, _)| *nearness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known are: {}", known.join(", "))),
    }
}
