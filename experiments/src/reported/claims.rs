//! What our own runs of a table must satisfy.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// A bound on the mean of a metric over seeds, both ends included.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Whose mean.
    pub method: String,
    /// Of which metric.
    pub metric: String,
    /// Smallest mean that passes.
    pub low: Option<f64>,
    /// Largest mean that passes.
    pub high: Option<f64>,
    /// Why these bounds.
    pub reason: String,
}

/// A claim that one method's mean is better than another's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordering {
    /// The better method.
    pub better: String,
    /// The worse method.
    pub worse: String,
    /// On each of these metrics.
    pub metrics: Vec<String>,
    /// Better by this factor: the better mean is at most `factor` times the worse. Only for lower-is-better metrics.
    pub factor: Option<f64>,
    /// Why it should hold.
    pub reason: String,
}

impl Band {
    pub(super) fn check(&self) -> Result<()> {
        let claim = format!("the band on {} of {}", self.metric, self.method);
        ensure!(self.low.is_some() || self.high.is_some(), "{claim} has no bound; give `low`, `high` or both");
        if let (Some(low), Some(high)) = (self.low, self.high) {
            ensure!(low <= high, "{claim} is empty: low {low} lies above high {high}");
        }
        Ok(())
    }
}
