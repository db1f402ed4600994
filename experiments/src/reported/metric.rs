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
    /// Neither is: the metric describes, as a fixed effect does.
    None,
}

impl Metric {
    /// Whether `a` is better than `b`; never where the metric has no better direction.
    pub fn is_better(&self, a: f64, b: f64) -> bool {
        let (a, b) = (self.saturated(a), self.saturated(b));
        match self.direction {
            Direction::Min => a < b,
            Direction::Max => a > b,
            Direction::None => false,
        }
    }

    /// Its label with the better direction: `KS ↓`.
    pub fn heading(&self) -> String {
        match self.direction {
            Direction::Min => format!("{} ↓", self.label),
            Direction::Max => format!("{} ↑", self.label),
            Direction::None => self.label.clone(),
        }
    }

    /// A value with this metric's digits; never `-0.000`.
    pub fn format(&self, value: f64) -> String {
        rounded(value, self.digits)
    }

    /// `0.041 (0.011)`, or `0.041` where there is no standard deviation.
    pub fn format_with_sd(&self, mean: f64, sd: Option<f64>) -> String {
        let sd = sd.map_or_else(String::new, |sd| format!(" ({})", self.format(sd)));
        self.format(mean) + &sd
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
            (None, _) | (_, Direction::None) => value,
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
    use crate::{report::fake::Fake, reported::Reported};

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

    #[test]
    fn only_a_better_direction_has_an_arrow() {
        let reported = Fake::of_rows().reported;
        assert_eq!(reported.metric("deviance").unwrap().heading(), "deviance ↓");
        assert_eq!(reported.metric("modedo").unwrap().heading(), "modedo");
        assert_eq!(Reported::of("table2").unwrap().metric("edge").unwrap().heading(), "edge ↑");
    }

    #[test]
    fn without_a_deviation_there_are_no_parentheses() {
        let reported = Reported::of("table2").unwrap();
        let ks = reported.metric("ks").unwrap();
        assert_eq!(ks.format_with_sd(0.041, Some(0.011)), "0.041 (0.011)");
        assert_eq!(ks.format_with_sd(0.041, None), "0.041");
    }
}
