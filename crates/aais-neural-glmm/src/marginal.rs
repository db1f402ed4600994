//! Marginal likelihoods from importance weights.

/// `log p(y_g)` of a group, and the standard error of its estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogMarginal {
    /// `log (1/M) Σ w_i`, with every constant.
    pub value: f64,
    /// `sd(w) / (mean(w) √M)`, the delta method's.
    pub std_error: f64,
}

impl LogMarginal {
    /// From log weights, and what they leave out.
    pub(crate) fn new(log_weights: &[f64], constant: f64) -> Self {
        let n = log_weights.len() as f64;
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = log_weights.iter().map(|w| (w - top).exp()).collect();
        let mean = weights.iter().sum::<f64>() / n;
        let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { value: top + mean.ln() + constant, std_error: (variance / n).sqrt() / mean }
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

/// `log(a e^x + b e^y)`.
pub(crate) fn log_mixture([a, b]: [f64; 2], [x, y]: [f64; 2]) -> f64 {
    let top = x.max(y);
    top + (a * (x - top).exp() + b * (y - top).exp()).ln()
}
