//! Zeros and ones, such as the pixels of a black and white image, by their log odds.

use aais_kernels::{bernoulli_log_likelihood, bernoulli_score};
use candle_core::{Result, Tensor};

use super::Likelihood;
use crate::batch::Batch;

/// `x_j ~ Bernoulli(sigmoid(u_j))`, each coordinate by itself.
///
/// `log p(x | u) = sum_j x_j u_j - log(1 + exp(u_j))`.
#[derive(Clone, Copy, Debug)]
pub struct Bernoulli;

impl Likelihood for Bernoulli {
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        bernoulli_log_likelihood(signal, &batch.observed)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        bernoulli_score(signal, &batch.observed)
    }
}
