//! Counts of genes, whose means are shares of a cell's library size.

use aais_distributions::Noise;
use aais_kernels::{negative_binomial_log_likelihood, negative_binomial_score, softmax};
use candle_core::{Result, Tensor};
use rand_distr::{Distribution, Gamma};

use super::poisson::poisson;
use super::{Likelihood, doubles};
use crate::batch::Batch;

/// Least mean and least inverse dispersion of a draw, as of the likelihood.
const FLOOR: f64 = aais_kernels::negative_binomial::FLOOR as f64;

/// `x_g ~ NB(mean T softmax(u)_g, inverse dispersion exp(ρ_g))`, its variance `mean + mean² / exp(ρ_g)`.
///
/// The signal `u` has a coordinate for each gene, the library size `T` is the row's sum, and the log inverse dispersions `ρ` are
/// trained. Means and inverse dispersions are at least 1e-10, as in the authors' code.
#[derive(Clone, Copy, Debug)]
pub struct NegativeBinomial {
    /// Columns of the data, coordinates of the signal, length of `ρ`.
    pub n_genes: usize,
}

impl Likelihood for NegativeBinomial {
    /// Inverse dispersions of one, as in the authors' code.
    fn initial_parameters(&self, _: &mut Noise) -> Vec<f32> {
        vec![0.0; self.n_genes]
    }

    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        negative_binomial_log_likelihood(signal, &batch.observed, &batch.library_sizes()?, parameters)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        negative_binomial_score(signal, &batch.observed, &batch.library_sizes()?, parameters)
    }

    /// The library sizes stay those of the batch, which the sums of the new rows need not be.
    fn simulate(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor, noise: &mut Noise) -> Result<Batch> {
        let library_sizes = batch.library_sizes()?;
        let means = softmax(signal)?.broadcast_mul(&library_sizes.unsqueeze(1)?)?;
        let dispersions = doubles(&parameters.exp()?)?;
        let draw = |(place, mean): (usize, f64)| negative_binomial(mean, dispersions[place % self.n_genes], noise);
        let counts: Vec<f32> = doubles(&means)?.into_iter().enumerate().map(draw).collect();
        let observed = Tensor::from_vec(counts, signal.shape(), signal.device())?;
        Ok(Batch { observed, drawn_library_sizes: Some(library_sizes), ..batch.clone() })
    }
}

/// A count whose variance is `mean + mean² / inverse_dispersion`: Poisson with a gamma distributed rate.
pub(crate) fn negative_binomial(mean: f64, inverse_dispersion: f64, noise: &mut Noise) -> f32 {
    let (mean, shape) = (mean.max(FLOOR), inverse_dispersion.max(FLOOR));
    let rate = Gamma::new(shape, mean / shape).map_or(mean, |law| law.sample(noise));
    poisson(rate, noise)
}
