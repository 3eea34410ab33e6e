//! SVG as text: shapes with classes, whose colours follow the page from light to dark.

use std::fmt::Write as _;

/// Colours by class; the second list is for dark pages. Chosen to differ also without colour vision.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2328}\
.title{font-size:15px;font-weight:600}.head{font-weight:600}.small{font-size:10.5px;fill:#59636e}\
.command{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:10.5px;fill:#59636e}\
.end{text-anchor:end}.middle{text-anchor:middle}\
.grid{stroke:#d1d9e0;stroke-width:1}.axis{stroke:#818b98;stroke-width:1}.spread{stroke:#1f2328;stroke-width:1.5}\
.c0{fill:#0969da}.c1{fill:#8c959f}.c2{fill:#bf8700}.c3{fill:#8250df}.c4{fill:#1a7f37}.c5{fill:#cf222e}\
.l0{stroke:#0969da}.l1{stroke:#8c959f}.l2{stroke:#bf8700}.l3{stroke:#8250df}.l4{stroke:#1a7f37}.l5{stroke:#cf222e}\
polyline{fill:none;stroke-width:2;stroke-linejoin:round}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small,.command{fill:#9198a1}\
.grid{stroke:#3d444d}.axis{stroke:#656c76}.spread{stroke:#f0f6fc}\
.c0{fill:#4493f8}.c1{fill:#8b949e}.c2{fill:#d29922}.c3{fill:#ab7df8}.c4{fill:#3fb950}.c5{fill:#f85149}\
.l0{stroke:#4493f8}.l1{stroke:#8b949e}.l2{stroke:#d29922}.l3{stroke:#ab7df8}.l4{stroke:#3fb950}.l5{stroke:#f85149}}";

/// Classes of colours: the first is for what is ours.
const COLOURS: usize = 6;

/// Width of every picture in pixels.
pub(crate) const WIDTH: f64 = 960.0;
/// Room at the edges.
pub(crate) const EDGE: f64 = 16.0;
/// Where the drawing begins below the title.
pub(crate) const TOP: f64 = 44.0;
/// Mean width of a character of the usual size, so that text finds room.
const CHARACTER: f64 = 6.6;

/// A picture in the making.
#[derive(Default)]
pub(crate) struct Picture {
    body: String,
}

impl Picture {
    pub(crate) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escaped(text);
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"));
    }

    /// A rectangle with what it says when pointed at.
    pub(crate) fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str, says: &str) {
        let says = escaped(says);
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"1.5\" \
             class=\"{class}\"><title>{says}</title></rect>"
        ));
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        ));
    }

    pub(crate) fn dot(&mut self, (x, y): (f64, f64), class: &str, says: &str) {
        let says = escaped(says);
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" class=\"{class}\"><title>{says}</title></circle>"
        ));
    }

    pub(crate) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!("<polyline points=\"{}\" class=\"{class}\"/>", points.join(" ")));
    }

    fn add(&mut self, shape: std::fmt::Arguments<'_>) {
        // A string takes it all.
        let _ = writeln!(self.body, "{shape}");
    }

    /// The file, `bottom` pixels high before the command at its foot.
    pub(crate) fn finish(mut self, title: &str, command: &str, bottom: f64) -> String {
        self.text(EDGE, 24.0, "title", title);
        self.text(EDGE, bottom + 16.0, "command", command);
        let (height, title) = (bottom + 28.0, escaped(title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title\">\n<title id=\"title\">{title}</title>\n\
             <style>{STYLE}</style>\n{}</svg>\n",
            self.body
        )
    }
}

/// The class of the `n`-th colour, a `c` for areas or an `l` for lines; the 0th is ours.
pub(crate) fn colour(kind: char, n: usize) -> String {
    format!("{kind}{}", n % COLOURS)
}

/// About how wide a text of the usual size is.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
