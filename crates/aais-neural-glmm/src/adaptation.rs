//! Proposals of groups, moved to where their posteriors are: adaptive importance sampling.

use aais_distributions::Noise;
use aais_models::{Groups, LatentModel};
use candle_core::{Result as TensorResult, Tensor};

use crate::error::Result;
use crate::marginal::normalized;
use crate::posterior::{Draws, each_posterior};

/// Weights are flattened until their effective sample size is this share of the draws: a proposal that has missed moves
/// toward its best draws, it does not shrink onto them.
const LEAST_SHARE: f64 = 0.1;

/// Log variances of proposals are at least this.
const LEAST_LOG_VARIANCE: f64 = -14.0;

/// Sets each group's anchors so that its proposal has the mean and the variances of its weighted draws.
///
/// Draws come from the present proposals. Rows are those of [`Scales::groups`](crate::scaled_rows::Scales), anchors first.
pub(crate) fn adapt(model: &LatentModel, groups: Groups, n_samples: usize, noise: &Noise) -> Result<Groups> {
    let mut matched: Vec<Vec<f64>> = Vec::with_capacity(groups.len());
    each_posterior(model, &groups, n_samples, noise, |_, draws| {
        matched.push(moments(&draws));
        Ok(())
    })?;
    let all: Vec<usize> = (0..groups.len()).collect();
    let proposal = model.propose(&groups.batch(&all)?)?.frozen();
    let present = Tensor::cat(&[proposal.mean(), proposal.log_variance()], 1)?.to_vec2::<f32>()?;
    Ok(moved(groups, &matched, &present)?)
}

/// Means, then log variances, of the latent draws, `(2 d,)`.
fn moments(draws: &Draws) -> Vec<f64> {
    let weights = flattened(&draws.log_weights);
    let columns = draws.z.columns();
    let mean = |column: ndarray::ArrayView1<f64>| -> f64 { column.iter().zip(&weights).map(|(z, w)| w * z).sum() };
    let means: Vec<f64> = columns.into_iter().map(mean).collect();
    let variance = |(column, mean): (ndarray::ArrayView1<f64>, &f64)| -> f64 {
        let variance: f64 = column.iter().zip(&weights).map(|(z, w)| w * (z - mean).powi(2)).sum();
        variance.ln().max(LEAST_LOG_VARIANCE)
    };
    let log_variances: Vec<f64> = draws.z.columns().into_iter().zip(&means).map(variance).collect();
    [means, log_variances].concat()
}

/// Normalized weights to the largest power up to one that leaves them even enough.
fn flattened(log_weights: &[f64]) -> Vec<f64> {
    let least = LEAST_SHARE * log_weights.len() as f64;
    let at = |power: f64| {
        let weights = normalized(&log_weights.iter().map(|w| power * w).collect::<Vec<f64>>());
        let size = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        (weights, size)
    };
    let (weights, size) = at(1.0);
    if size >= least {
        return weights;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..20 {
        let middle = 0.5 * (low + high);
        *(if at(middle).1 >= least { &mut low } else { &mut high }) = middle;
    }
    at(low).0
}

/// Adds to the anchors what is missing between present and matched moments.
#[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
fn moved(groups: Groups, matched: &[Vec<f64>], present: &[Vec<f32>]) -> TensorResult<Groups> {
    let n_anchors = present.first().map_or(0, Vec::len);
    groups.map_rows(|group, row| {
        for k in 0..n_anchors {
            row[k] += matched[group][k] as f32 - present[group][k];
        }
    })
}

/// The proposals after some rounds of [`adapt`].
pub(crate) fn adapted(
    model: &LatentModel,
    groups: Groups,
    n_rounds: usize,
    n_samples: usize,
    noise: &Noise,
) -> Result<Groups> {
    (0..n_rounds).try_fold(groups, |groups, round| adapt(model, groups, n_samples, &noise.at(round, 0)))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn moments_are_those_of_weighted_draws() {
        let z = Array2::from_shape_vec((4, 1), vec![0.0, 1.0, 2.0, 3.0]).expect("four");
        let log_weights = vec![0.0, 0.0, 0.0, 2f64.ln()];
        let draws = Draws { log_weights, effects: z.clone(), z };
        let found = moments(&draws);
        let mean: f64 = (0.0 + 1.0 + 2.0 + 2.0 * 3.0) / 5.0;
        let variance = (mean * mean + (1.0 - mean).powi(2) + (2.0 - mean).powi(2) + 2.0 * (3.0 - mean).powi(2)) / 5.0;
        assert!((found[0] - mean).abs() < 1e-12 && (found[1] - f64::ln(variance)).abs() < 1e-12);
    }

    #[test]
    fn a_single_heavy_weight_is_flattened() {
        let mut log_weights = vec![0.0; 100];
        log_weights[3] = 1e4;
        let weights = flattened(&log_weights);
        let size = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        assert!((10.0..11.0).contains(&size), "{size}");
        assert!(weights.iter().all(|w| *w <= weights[3]));
    }
}
