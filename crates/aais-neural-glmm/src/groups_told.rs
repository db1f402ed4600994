//! What is told of a group.

use crate::error::{Error, Result};
use crate::marginal::{LogMarginal, normalized};
use crate::posterior::Draws;

/// A group's effects given its rows, under the learned law.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPosterior {
    /// Its level.
    pub level: String,
    /// Means of its effects, `(q,)`.
    pub mean: Vec<f64>,
    /// Standard deviations, `(q,)`.
    pub std: Vec<f64>,
    /// Quantiles at [`QUANTILES`] of each effect, `(q,)`.
    pub quantiles: Vec<[f64; 3]>,
    /// Kish's effective size of the weighted draws.
    pub effective_sample_size: f64,
    /// Shape of the weights' tail; above 0.7 the estimates cannot be trusted, infinite where there is no tail to judge.
    pub k_hat: f64,
    /// `log p(y_g)`.
    pub log_marginal: LogMarginal,
}

/// Probabilities of the quantiles that a [`GroupPosterior`] gives.
pub const QUANTILES: [f64; 3] = [0.025, 0.5, 0.975];

impl GroupPosterior {
    /// From draws on the scale of training; `scale` and `shift` make them `effect / scale − shift`.
    pub(crate) fn new(level: &str, draws: &Draws, constant: f64, scale: &[f64], shift: &[f64]) -> Result<Self> {
        let weights = normalized(&draws.log_weights);
        let smoothed = aais_importance::pareto_smooth(&draws.log_weights)
            .map_err(|source| Error::Weights { level: level.to_owned(), source })?;
        let (mut mean, mut std, mut quantiles) = (Vec::new(), Vec::new(), Vec::new());
        for ((column, scale), shift) in draws.effects.columns().into_iter().zip(scale).zip(shift) {
            let mut weighted: Vec<(f64, f64)> =
                column.iter().zip(&weights).map(|(effect, weight)| (effect / scale - shift, *weight)).collect();
            let first: f64 = weighted.iter().map(|(effect, weight)| weight * effect).sum();
            let second: f64 = weighted.iter().map(|(effect, weight)| weight * (effect - first).powi(2)).sum();
            mean.push(first);
            std.push(second.sqrt());
            weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
            quantiles.push(QUANTILES.map(|probability| quantile(&weighted, probability)));
        }
        Ok(Self {
            level: level.to_owned(),
            mean,
            std,
            quantiles,
            effective_sample_size: 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>(),
            k_hat: smoothed.k_hat,
            log_marginal: LogMarginal::new(level, &draws.log_weights, constant)?,
        })
    }
}

/// The smallest value with at least that much weight at or below it; values rise, weights sum to one.
fn quantile(weighted: &[(f64, f64)], probability: f64) -> f64 {
    let mut below = 0.0;
    for (value, weight) in weighted {
        below += weight;
        if below >= probability {
            return *value;
        }
    }
    weighted.last().map_or(f64::NAN, |(value, _)| *value)
}
