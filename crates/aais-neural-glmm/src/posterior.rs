//! Groups' posteriors under a learned law, by importance sampling from the encoder.

use aais_distributions::{LogDensity, Noise, Proposal, StandardNormal};
use aais_importance::log_mixture;
use aais_models::{Groups, LatentModel};
use candle_core::{DType, Result as TensorResult, Tensor};
use ndarray::Array2;

use crate::error::Result;

/// Share of draws from the prior itself, so that no weight is larger than five times a likelihood.
const PRIOR_SHARE: f64 = 0.2;

/// Points of all groups that are evaluated together.
const POINTS: usize = 65_536;

/// Weighted draws from a group's posterior.
pub(crate) struct Draws {
    /// `log p(y, z) − log r(z)`, `(M,)`, up to the group's constant.
    pub log_weights: Vec<f64>,
    /// `(M, d)`.
    pub z: Array2<f64>,
    /// On the scale of training, not centred, `(M, q)`.
    pub effects: Array2<f64>,
}

/// Calls `f` with each group's number and draws.
///
/// Draws come from a mixture of the encoder's proposal and the prior, as many from each as its share says.
pub(crate) fn each_posterior(
    model: &LatentModel,
    groups: &Groups,
    n_samples: usize,
    noise: &Noise,
    mut f: impl FnMut(usize, Draws) -> Result<()>,
) -> Result<()> {
    let together = (POINTS / n_samples).max(1);
    let all: Vec<usize> = (0..groups.len()).collect();
    for some in all.chunks(together) {
        let (log_weights, z, effects) = draw(model, groups, some, n_samples, &mut noise.at(some[0], 0))?;
        for (k, &group) in some.iter().enumerate() {
            let matrix = |tensor: &Tensor| -> TensorResult<Array2<f64>> {
                let own = tensor.get(k)?.to_dtype(DType::F64)?;
                let (rows, columns) = own.dims2()?;
                Ok(Array2::from_shape_vec((rows, columns), own.flatten_all()?.to_vec1()?).expect("a tensor's shape"))
            };
            f(group, Draws { log_weights: log_weights[k].clone(), z: matrix(&z)?, effects: matrix(&effects)? })?;
        }
    }
    Ok(())
}

/// Log weights `(B, M)`, latent draws `(B, M, d)` and effects `(B, M, q)` of some groups.
fn draw(
    model: &LatentModel,
    groups: &Groups,
    some: &[usize],
    n_samples: usize,
    noise: &mut Noise,
) -> TensorResult<(Vec<Vec<f64>>, Tensor, Tensor)> {
    let batch = groups.batch(some)?;
    let proposal = model.propose(&batch)?.frozen();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let n_prior = (PRIOR_SHARE * n_samples as f64) as usize;
    let latent = model.architecture().latent;
    let of_prior = noise.standard_normal(&[some.len(), n_prior, latent], model.device())?;
    let z = Tensor::cat(&[proposal.sample(n_samples - n_prior, noise)?, of_prior], 1)?.detach();

    let doubles = |tensor: Tensor| tensor.to_dtype(DType::F64)?.to_vec2::<f64>();
    let log_likelihood = doubles(model.joint(&batch).frozen().log_likelihood(&z)?)?;
    let (log_prior, log_normal) = (doubles(StandardNormal.log_density(&z)?)?, doubles(proposal.log_density(&z)?)?);
    let prior_share = n_prior as f64 / n_samples as f64;
    let weigh = |(row, log_likelihood): (usize, &Vec<f64>)| {
        let each = log_likelihood.iter().zip(&log_prior[row]).zip(&log_normal[row]);
        let log_weight = |((likelihood, prior), normal): ((&f64, &f64), &f64)| {
            likelihood + prior - log_mixture(prior_share, *prior, *normal)
        };
        each.map(log_weight).collect()
    };
    Ok((log_likelihood.iter().enumerate().map(weigh).collect(), z.clone(), model.decode(&z)?.detach()))
}
