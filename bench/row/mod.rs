//! One measured figure: a line of JSON for machines, or a line of text for people.

/// A figure and what it is held against.
pub(crate) struct Row {
    /// Name of the bench.
    pub(crate) bench: &'static str,
    /// What was measured.
    pub(crate) metric: &'static str,
    /// The figure.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// The most it may be; `None` for a figure that is only watched.
    pub(crate) goal: Option<f64>,
}

impl Row {
    /// Whether the goal is met.
    pub(crate) fn ok(&self) -> bool {
        self.goal.is_none_or(|goal| self.value <= goal)
    }

    /// Prints the row, as JSON if the command line asks for it.
    pub(crate) fn print(&self) {
        let Self { bench, metric, value, unit, goal } = self;
        if std::env::args().any(|arg| arg == "--json") {
            let row = serde_json::json!({
                "bench": bench, "metric": metric, "value": value, "unit": unit, "goal": goal, "ok": self.ok(),
            });
            println!("{row}");
            return;
        }
        let verdict = if self.ok() { "ok" } else { "OVER" };
        let goal = goal.map_or(String::new(), |goal| format!(" (goal {goal})"));
        // A ratio needs its decimals, a count of thousands does not.
        let decimals = if value.abs() < 100.0 { 3 } else { 1 };
        println!("{bench:<12} {metric:<38} {value:>12.decimals$} {unit}{goal} {verdict}");
    }
}
