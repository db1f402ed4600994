//! Counts of genes, whose means are shares of a cell's library size.

use aais_distributions::Noise;
use aais_kernels::{negative_binomial_log_likelihood, negative_binomial_score};
use candle_core::{D, Result, Tensor};

use super::Likelihood;
use crate::batch::Batch;

/// `x_g ~ NB(mean T softmax(u)_g, inverse dispersion exp(ρ_g))`, its variance `mean + mean² / exp(ρ_g)`.
///
/// The signal `u` has a coordinate for each gene, the library size `T` is the row's sum, and the log inverse dispersions `ρ` are
/// trained. Means and inverse dispersions are at least 1e-10, as in the authors' code.
#[derive(Clone, Copy, Debug)]
pub struct NegativeBinomial {
    /// Columns of the data, coordinates of the signal, length of `ρ`.
    pub n_genes: usize,
}

fn library_sizes(batch: &Batch) -> Result<Tensor> {
    batch.observed.sum(D::Minus1)
}

impl Likelihood for NegativeBinomial {
    /// Inverse dispersions of one, as in the authors' code.
    fn initial_parameters(&self, _: &mut Noise) -> Vec<f32> {
        vec![0.0; self.n_genes]
    }

    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        negative_binomial_log_likelihood(signal, &batch.observed, &library_sizes(batch)?, parameters)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        negative_binomial_score(signal, &batch.observed, &library_sizes(batch)?, parameters)
    }
}
