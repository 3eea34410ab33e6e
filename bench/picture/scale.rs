//! From figures to places: an axis with round steps.

/// An axis over `from..to` pixels.
pub(crate) struct Scale {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// An axis that holds `values` and zero, with about `steps` steps.
    pub(crate) fn from_zero(values: impl Iterator<Item = f64>, steps: f64, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        Self::linear(low, high, steps, from, to)
    }

    /// An axis that holds `values` and begins near the least, unless zero is near enough to be shown.
    pub(crate) fn around(values: impl Iterator<Item = f64>, steps: f64, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let low = if low > 0.0 && low < 0.5 * high { 0.0 } else { low };
        Self::linear(low, high, steps, from, to)
    }

    /// An axis for steps that rise: logarithmic if they are far apart.
    pub(crate) fn along(steps: &[f64], from: f64, to: f64) -> Self {
        let (low, high) = (steps.first().copied().unwrap_or(0.0), steps.last().copied().unwrap_or(1.0));
        Self { low, high, step: 0.0, from, to, logarithmic: low > 0.0 && high / low >= 50.0 }
    }

    fn linear(low: f64, high: f64, steps: f64, from: f64, to: f64) -> Self {
        let step = round_step((high - low).max(1e-9) / steps);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high: high.max(low + step), step, from, to, logarithmic: false }
    }

    /// Where a value is.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + part * (self.to - self.from)
    }

    /// The round values of the axis.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|n| self.low + n as f64 * self.step).collect()
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|times| times * power >= least * 0.999);
    times.unwrap_or(10.0) * power
}

/// A figure as people read it: with separators, and no more decimals than it needs.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        least if least >= 100.0 || (value - value.round()).abs() < 1e-9 => 0,
        least if least >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::from(if whole.starts_with('-') { "−" } else { "" });
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}
