//! Our mean beside the paper's: better, the same or worse.

use serde::Serialize;

use super::summary::Summary;
use crate::reported::{Metric, PaperValue};

/// How verdicts are reached, for readers of the report.
pub const VERDICT_RULE: &str = "\"agrees\" when the two means differ by at most twice the standard error of their \
    difference, 2·sqrt(paper_sd²/10 + sd²/n), or by at most half a unit of the last printed digit; otherwise \
    \"better\" where ours is better and \"differs\" where it is worse. With one seed the paper's sd stands in for ours.";

/// The paper repeated every experiment ten times (Section 4.1).
const PAPER_SEEDS: f64 = 10.0;

/// How our mean stands to the paper's; [`VERDICT_RULE`] has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Beyond chance, and in the metric's better direction.
    Better,
    /// Within chance or rounding.
    Agrees,
    /// Beyond chance, and in the metric's worse direction.
    Differs,
    /// The paper has no number.
    NoReference,
    /// We have no number.
    NotRun,
}

impl Verdict {
    /// Of our mean beside the paper's.
    pub fn of(metric: &Metric, ours: Option<Summary>, paper: Option<PaperValue>) -> Self {
        let (ours, paper) = match (ours, paper) {
            (None, _) => return Self::NotRun,
            (_, None) => return Self::NoReference,
            (Some(ours), Some(paper)) => (ours, paper),
        };
        let sd = ours.sd.unwrap_or(paper.sd);
        let standard_error = (paper.sd.powi(2) / PAPER_SEEDS + sd.powi(2) / ours.n as f64).sqrt();
        let rounding = 0.5 / metric.scale();
        if (ours.mean - paper.mean).abs() <= (2.0 * standard_error).max(rounding) {
            Self::Agrees
        } else if metric.is_better(ours.mean, paper.mean) {
            Self::Better
        } else {
            Self::Differs
        }
    }

    /// As in `results.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::NoReference => "no-reference",
            Self::NotRun => "not-run",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reported::Reported;

    fn verdict(metric: &str, mean: f64, sd: Option<f64>, n: usize, paper: [f64; 2]) -> Verdict {
        let reported = Reported::of("table2").unwrap();
        Verdict::of(reported.metric(metric).unwrap(), Some(Summary { n, mean, sd }), Some(paper.into()))
    }

    #[test]
    fn means_within_two_standard_errors_agree() {
        // 2·sqrt(0.011²/10 + 0.011²/10) = 0.00984.
        assert_eq!(verdict("ks", 0.0507, Some(0.011), 10, [0.041, 0.011]), Verdict::Agrees);
        assert_eq!(verdict("ks", 0.0510, Some(0.011), 10, [0.041, 0.011]), Verdict::Differs);
        assert_eq!(verdict("ks", 0.0310, Some(0.011), 10, [0.041, 0.011]), Verdict::Better);
        // Fewer seeds say less.
        assert_eq!(verdict("ks", 0.0510, Some(0.011), 3, [0.041, 0.011]), Verdict::Agrees);
    }

    #[test]
    fn means_within_rounding_agree() {
        assert_eq!(verdict("fp", 0.0004, Some(0.0), 10, [0.0, 0.0]), Verdict::Agrees);
        assert_eq!(verdict("fp", 0.0006, Some(0.0), 10, [0.0, 0.0]), Verdict::Differs);
    }

    #[test]
    fn of_one_seed_the_papers_deviation_stands_in() {
        // 2·sqrt(0.01²/10 + 0.01²) = 0.02098.
        assert_eq!(verdict("ks", 0.0605, None, 1, [0.04, 0.01]), Verdict::Agrees);
        assert_eq!(verdict("ks", 0.0615, None, 1, [0.04, 0.01]), Verdict::Differs);
    }

    #[test]
    fn higher_is_better_where_the_metric_says_so() {
        assert_eq!(verdict("edge", -0.1, Some(0.01), 10, [-2.0, 0.1]), Verdict::Better);
        assert_eq!(verdict("edge", -2.0, Some(0.01), 10, [-0.1, 0.1]), Verdict::Differs);
    }
}
