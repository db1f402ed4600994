//! Marginal likelihoods from importance weights.

use crate::error::{Error, Result};

/// `log p(y_g)` of a group, and the standard error of its estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogMarginal {
    /// `log (1/M) Σ w_i`, with every constant.
    pub value: f64,
    /// `sd(w) / (mean(w) √M)`, the delta method's.
    pub std_error: f64,
}

impl LogMarginal {
    /// Of the group `level`, from log weights and what they leave out.
    pub(crate) fn new(level: &str, log_weights: &[f64], constant: f64) -> Result<Self> {
        let found = aais_importance::log_marginal(log_weights)
            .map_err(|source| Error::Weights { level: level.to_owned(), source })?;
        Ok(Self { value: found.value + constant, std_error: found.std_error })
    }
}

/// The sum over groups, whose errors are independent.
pub(crate) fn total(groups: impl IntoIterator<Item = LogMarginal>) -> LogMarginal {
    let (value, variance) =
        groups.into_iter().fold((0.0, 0.0), |(value, variance), g| (value + g.value, variance + g.std_error.powi(2)));
    LogMarginal { value, std_error: variance.sqrt() }
}

/// Normalized weights.
pub(crate) fn normalized(log_weights: &[f64]) -> Vec<f64> {
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_weights.iter().map(|w| (w - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}
