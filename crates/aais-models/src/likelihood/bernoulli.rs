//! Zeros and ones, such as the pixels of a black and white image, by their log odds.

use aais_distributions::Noise;
use aais_kernels::{bernoulli_log_likelihood, bernoulli_score};
use candle_core::{Result, Tensor};
use rand::Rng;

use super::{Likelihood, doubles};
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

    fn simulate(&self, signal: &Tensor, batch: &Batch, _: &Tensor, noise: &mut Noise) -> Result<Batch> {
        let drawn = draw(&doubles(signal)?, noise);
        Ok(Batch { observed: Tensor::from_vec(drawn, signal.shape(), signal.device())?, ..batch.clone() })
    }
}

/// One with the probability that each log odds says, else zero.
pub(super) fn draw(log_odds: &[f64], noise: &mut Noise) -> Vec<f32> {
    let probability = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
    log_odds.iter().map(|log_odds| f32::from(u8::from(noise.random::<f64>() < probability(*log_odds)))).collect()
}
