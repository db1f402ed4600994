//! What is measured of a trained model, and which way of it is better.

use serde::{Deserialize, Serialize};

/// A number computed of every trained model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// As in a cell's file: `ks`, `wd`.
    pub name: String,
    /// As people read it: `KS`.
    pub label: String,
    /// What it measures, in half a sentence.
    pub description: String,
    /// Which way is better.
    pub direction: Direction,
    /// Values beyond this one are no better than it.
    pub saturates_at: Option<f64>,
    /// Digits after the point, in the paper and in our tables.
    pub digits: usize,
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

impl Metric {
    /// Whether `a` is better than `b`.
    pub fn is_better(&self, a: f64, b: f64) -> bool {
        let (a, b) = (self.saturated(a), self.saturated(b));
        match self.direction {
            Direction::Min => a < b,
            Direction::Max => a > b,
        }
    }

    /// `↓` or `↑`.
    pub fn arrow(&self) -> &'static str {
        match self.direction {
            Direction::Min => "↓",
            Direction::Max => "↑",
        }
    }

    /// A value with this metric's digits; never `-0.000`.
    pub fn format(&self, value: f64) -> String {
        rounded(value, self.digits)
    }

    /// A value with one digit more, for one that is judged against a bound of this metric's digits.
    pub fn format_finely(&self, value: f64) -> String {
        rounded(value, self.digits + 1)
    }

    /// Units of the last digit in one.
    pub(crate) fn scale(&self) -> f64 {
        10_f64.powf(self.digits as f64)
    }

    fn saturated(&self, value: f64) -> f64 {
        match (self.saturates_at, self.direction) {
            (Some(bound), Direction::Min) => value.max(bound),
            (Some(bound), Direction::Max) => value.min(bound),
            (None, _) => value,
        }
    }
}

fn rounded(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = text.trim_start_matches('-').chars().all(|digit| matches!(digit, '0' | '.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use crate::reported::Reported;

    #[test]
    fn the_edge_is_no_better_above_zero() {
        let reported = Reported::of("table2").unwrap();
        let edge = reported.metric("edge").unwrap();
        assert!(edge.is_better(-0.1, -2.0));
        assert!(edge.is_better(0.1, -0.1));
        assert!(!edge.is_better(0.1, 0.0));
        assert!(reported.metric("ks").unwrap().is_better(0.0, 0.1));
    }

    #[test]
    fn zero_has_no_sign() {
        let reported = Reported::of("table2").unwrap();
        let edge = reported.metric("edge").unwrap();
        assert_eq!(edge.format(-0.0001), "0.000");
        assert_eq!(edge.format(-0.0201), "-0.020");
    }
}
