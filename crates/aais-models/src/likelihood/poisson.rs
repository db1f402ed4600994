//! Counts whose rate depends on covariates, on fixed effects and on the signal as random effects.

use aais_distributions::Noise;
use aais_kernels::{linear_predictor, log_gamma, poisson_log_likelihood, poisson_score, scaled_covariates};
use candle_core::{Result, Tensor, bail};
use rand_distr::Distribution;
use statrs::function::factorial::ln_factorial;

use super::{Likelihood, doubles, with_outcomes};
use crate::batch::Batch;

/// `y ~ Poisson(exp(x β + w u))`. Paper, Eq. 24 and 25.
///
/// A row of the data is `(x, w, y)`: covariates of the fixed effects `β`, which are trained, covariates of the signal
/// `u`, as many as it has coordinates, and the count.
#[derive(Clone, Copy, Debug)]
pub struct Poisson {
    /// Length of `x` and `β`.
    pub n_fixed: usize,
}

/// Bounds of the linear predictor, as in the authors' code. Deviation 25.
const LOG_RATE_BOUND: f32 = 10.0;

/// A batch's rows taken apart.
struct Rows {
    random: Tensor,
    counts: Tensor,
    offset: Tensor,
}

impl Poisson {
    /// Splits `(B, n_fixed + D + 1)` rows for signals of `D` coordinates.
    fn rows(&self, width: usize, batch: &Batch, parameters: &Tensor) -> Result<Rows> {
        let (_, columns) = batch.observed.dims2()?;
        if columns != self.n_fixed + width + 1 {
            bail!("rows need {} + {width} covariates and a count, got {columns} columns", self.n_fixed);
        }
        let fixed = batch.observed.narrow(1, 0, self.n_fixed)?.contiguous()?;
        Ok(Rows {
            offset: fixed.matmul(&parameters.reshape((self.n_fixed, 1))?)?.squeeze(1)?,
            random: batch.observed.narrow(1, self.n_fixed, width)?,
            counts: batch.observed.narrow(1, columns - 1, 1)?.squeeze(1)?,
        })
    }
}

impl Likelihood for Poisson {
    /// torch's default for a linear map without bias, as the networks have it. Deviation 8.
    fn initial_parameters(&self, noise: &mut Noise) -> Vec<f32> {
        #[expect(clippy::cast_precision_loss, reason = "few covariates")]
        let bound = 1.0 / (self.n_fixed as f32).sqrt();
        (0..self.n_fixed).map(|_| noise.uniform(-bound, bound)).collect()
    }

    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        let (_, _, width) = signal.dims3()?;
        let Rows { random, counts, offset } = self.rows(width, batch, parameters)?;
        let log_rate = linear_predictor(signal, &offset, &random)?; // Eq. 24
        poisson_log_likelihood(&log_rate, &counts, &log_factorials(&counts)?, LOG_RATE_BOUND)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        let (_, _, width) = signal.dims3()?;
        let Rows { random, counts, offset } = self.rows(width, batch, parameters)?;
        let log_rate = linear_predictor(signal, &offset, &random)?;
        scaled_covariates(&poisson_score(&log_rate, &counts, LOG_RATE_BOUND)?, &random)
    }

    fn simulate(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor, noise: &mut Noise) -> Result<Batch> {
        let signal = signal.unsqueeze(1)?;
        let Rows { random, offset, .. } = self.rows(signal.dim(2)?, batch, parameters)?;
        let bound = f64::from(LOG_RATE_BOUND);
        let mut draw = |log_rate: &f64| poisson(log_rate.clamp(-bound, bound).exp(), noise);
        let counts = doubles(&linear_predictor(&signal, &offset, &random)?)?.iter().map(&mut draw).collect();
        with_outcomes(batch, counts)
    }
}

/// A count of this rate; zero where the rate is too small to be one.
#[expect(clippy::cast_possible_truncation, reason = "counts that single precision holds")]
pub(super) fn poisson(rate: f64, noise: &mut Noise) -> f32 {
    rand_distr::Poisson::new(rate).map_or(0.0, |law| law.sample(noise) as f32)
}

/// `log y!` of each count, from a table up to 170.
fn log_factorials(counts: &Tensor) -> Result<Tensor> {
    if !counts.device().is_cpu() {
        return log_gamma(&(counts.detach() + 1.0)?);
    }
    let values = counts.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are checked where data are read; a logarithm is rounded once"
    )]
    let logs: Vec<f32> = values.iter().map(|count| ln_factorial(*count as u64) as f32).collect();
    Tensor::from_vec(logs, counts.shape(), counts.device())?.to_dtype(counts.dtype())
}
