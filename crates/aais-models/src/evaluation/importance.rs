//! `log p(x)` of each row by importance sampling from the encoder's proposal.

use aais_distributions::{DiagonalGaussian, LogDensity, Noise, StandardNormal};
use aais_importance::{log_marginal, log_mixture, pareto_smooth};
use candle_core::{DType, Result as TensorResult, Tensor};

use super::Amortized;
use crate::batch::Batch;
use crate::error::{Error, Result, require};

/// Values of signals that are made at once; they stay near, and memory stays small however many samples there are.
const SIGNALS_AT_ONCE: usize = 1 << 22;

/// Points that are evaluated at once, however narrow the model is.
const POINTS_AT_ONCE: usize = 1 << 16;

/// `log (1/M Σ p(x, z_i) / r(z_i))` with draws `z_i` from `r`: the encoder's proposal, widened, and the prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// `M`.
    pub n_samples: usize,
    /// What the proposal's standard deviations are multiplied by. Above 1 for an encoder that is too sure of itself.
    pub widen: f64,
    /// Share of the draws that come from the prior instead. No weight then exceeds `p(x | z) / share`.
    pub prior_share: f64,
}

/// What importance sampling says of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLogLikelihood {
    /// `log p(x)`; on average too low, by `std_error² / 2` to first order.
    pub value: f64,
    /// Of the value, by the delta method.
    pub std_error: f64,
    /// Samples that the weights are worth.
    pub ess: f64,
    /// Shape of the weights' tail; above 0.7 neither the value nor its error can be trusted. `+∞` where there is no tail
    /// to judge.
    pub k_hat: f64,
}

impl RowLogLikelihood {
    /// From log weights, `(M,)`.
    ///
    /// # Errors
    /// If there are none, or one is NaN or infinite.
    pub fn from_log_weights(log_weights: &[f64]) -> std::result::Result<Self, aais_importance::Error> {
        let marginal = log_marginal(log_weights)?;
        let k_hat = pareto_smooth(log_weights)?.k_hat;
        Ok(Self { value: marginal.value, std_error: marginal.std_error, ess: marginal.ess, k_hat })
    }

    /// Whether `k̂` is 0.7 or more, the bound of Vehtari et al. (2024) from about 2,200 samples on.
    ///
    /// Weights that are all equal have no tail and no error, and count as reliable.
    pub fn is_unreliable(&self) -> bool {
        self.k_hat >= 0.7 && self.std_error > 0.0
    }
}

impl Importance {
    /// Refuses settings out of range.
    ///
    /// # Errors
    /// For the first that is.
    pub fn check(&self) -> Result<()> {
        require(self.n_samples > 0, "samples", "at least 1", self.n_samples)?;
        require(self.widen.is_finite() && self.widen > 0.0, "widen", "a positive number", self.widen)?;
        require((0.0..=1.0).contains(&self.prior_share), "prior_share", "from 0 to 1", self.prior_share)
    }

    /// Of each row of a batch. A row's draws belong to its position in the data set, whatever other rows there are.
    ///
    /// # Errors
    /// If a setting is out of range, the batch does not fit, or a weight is NaN or infinite.
    pub fn log_likelihoods<M: Amortized + ?Sized>(
        &self,
        model: &M,
        batch: &Batch,
        noise: &Noise,
    ) -> Result<Vec<RowLogLikelihood>> {
        self.check()?;
        let proposal = model.proposal(batch)?;
        let of_row = |row: usize| {
            let alone = batch.narrow(row, 1)?;
            let mean = proposal.mean().narrow(0, row, 1)?;
            let log_variance = (proposal.log_variance().narrow(0, row, 1)? + 2.0 * self.widen.ln())?;
            let proposal = DiagonalGaussian::new(mean, log_variance)?;
            let mut noise = noise.at(batch.rows[row], 0);
            let log_weights = self.log_weights(model, &alone, &proposal, &mut noise)?;
            RowLogLikelihood::from_log_weights(&log_weights)
                .map_err(|error| Error::Evaluation { row: batch.rows[row], problem: error.to_string() })
        };
        (0..batch.rows.len()).map(of_row).collect()
    }

    /// Log weights of one row's samples.
    fn log_weights<M: Amortized + ?Sized>(
        &self,
        model: &M,
        batch: &Batch,
        proposal: &DiagonalGaussian,
        noise: &mut Noise,
    ) -> TensorResult<Vec<f64>> {
        let (n_prior, latent) = (self.n_prior(), model.latent());
        let prior_share = n_prior as f64 / self.n_samples as f64;
        let normal = noise.standard_normal(&[1, self.n_samples, latent], proposal.mean().device())?;
        let deviations = (proposal.log_variance() * 0.5)?.exp()?.unsqueeze(1)?;
        let moved = normal
            .narrow(1, n_prior, self.n_samples - n_prior)?
            .broadcast_mul(&deviations)?
            .broadcast_add(&proposal.mean().unsqueeze(1)?)?;
        let z = Tensor::cat(&[&normal.narrow(1, 0, n_prior)?, &moved], 1)?;

        let joint = model.joint_density(batch);
        let at_once = (SIGNALS_AT_ONCE / model.width()).clamp(1, POINTS_AT_ONCE);
        let mut log_weights = Vec::with_capacity(self.n_samples);
        for first in (0..self.n_samples).step_by(at_once) {
            let z = z.narrow(1, first, at_once.min(self.n_samples - first))?;
            let log_joint = doubles(&joint.log_density(&z)?)?;
            let log_proposal = doubles(&proposal.log_density(&z)?)?;
            let log_prior = if n_prior > 0 { doubles(&StandardNormal.log_density(&z)?)? } else { log_proposal.clone() };
            let each = log_joint.iter().zip(log_proposal.iter().zip(&log_prior));
            log_weights.extend(each.map(|(joint, (q, p))| joint - log_mixture(prior_share, *p, *q)));
        }
        Ok(log_weights)
    }

    /// Draws from the prior.
    fn n_prior(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let n = (self.prior_share * self.n_samples as f64).round() as usize;
        n
    }
}

fn doubles(tensor: &Tensor) -> TensorResult<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
