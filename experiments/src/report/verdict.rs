//! Our mean beside the paper's: better, the same or worse.

use serde::Serialize;

use super::summary::Summary;
use crate::reported::{Metric, PaperValue};

/// How verdicts are reached, for readers of the report.
pub const VERDICT_RULE: &str = "\"agrees\" when the two means differ by at most twice the standard error of their \
    difference, 2·sqrt(paper_sd²/10 + sd²/n), or by at most half a unit of the last printed digit; otherwise \
    \"better\" where ours is better and \"differs\" where it is worse. With one seed the paper's sd stands in for ours.";

/// What [`VERDICT_RULE`] leaves open where a metric has no better direction.
pub(super) const WITHOUT_DIRECTION: &str = "A metric without an arrow has no better direction: what does not agree \
    \"differs\".";

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
    /// Of our mean beside the paper's; `agrees_within` is a share of a number that the paper prints without deviation.
    pub fn of(metric: &Metric, ours: Option<Summary>, paper: Option<PaperValue>, agrees_within: f64) -> Self {
        let (ours, paper) = match (ours, paper) {
            (None, _) => return Self::NotRun,
            (_, None) => return Self::NoReference,
            (Some(ours), Some(paper)) => (ours, paper),
        };
        let allowed = match paper.sd {
            Some(paper_sd) => 2.0 * standard_error(ours, paper_sd),
            None => agrees_within * paper.mean.abs(),
        };
        let rounding = 0.5 / metric.scale();
        if (ours.mean - paper.mean).abs() <= allowed.max(rounding) {
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

/// Of the difference of our mean and the paper's.
fn standard_error(ours: Summary, paper_sd: f64) -> f64 {
    let sd = ours.sd.unwrap_or(paper_sd);
    (paper_sd.powi(2) / PAPER_SEEDS + sd.powi(2) / ours.n as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::fake::Fake, reported::Reported};

    fn verdict(metric: &str, mean: f64, sd: Option<f64>, n: usize, [paper, paper_sd]: [f64; 2]) -> Verdict {
        let reported = Reported::of("table2").unwrap();
        let paper = PaperValue { mean: paper, sd: Some(paper_sd) };
        Verdict::of(reported.metric(metric).unwrap(), Some(Summary { n, mean, sd }), Some(paper), 0.1)
    }

    fn verdict_without_sd(metric: &str, mean: f64, paper: f64, agrees_within: f64) -> Verdict {
        let fake = Fake::of_rows();
        let (ours, paper) = (Summary { n: 1, mean, sd: None }, PaperValue { mean: paper, sd: None });
        Verdict::of(fake.reported.metric(metric).unwrap(), Some(ours), Some(paper), agrees_within)
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

    #[test]
    fn without_a_deviation_a_share_of_the_papers_number_decides() {
        // 0.0015 · 4530.573 = 6.796.
        assert_eq!(verdict_without_sd("deviance", 4537.36, 4530.573, 0.0015), Verdict::Agrees);
        assert_eq!(verdict_without_sd("deviance", 4537.38, 4530.573, 0.0015), Verdict::Differs);
        assert_eq!(verdict_without_sd("deviance", 4523.77, 4530.573, 0.0015), Verdict::Better);
        // Three digits are printed.
        assert_eq!(verdict_without_sd("deviance", 0.0504, 0.050, 0.0), Verdict::Agrees);
        assert_eq!(verdict_without_sd("deviance", 0.0506, 0.050, 0.0), Verdict::Differs);
    }

    #[test]
    fn without_a_direction_nothing_is_better() {
        assert_eq!(verdict_without_sd("modedo", -0.7, -0.7, 0.0), Verdict::Agrees);
        assert_eq!(verdict_without_sd("modedo", -0.8, -0.7, 0.0), Verdict::Differs);
        assert_eq!(verdict_without_sd("modedo", -0.6, -0.7, 0.0), Verdict::Differs);
    }
}
