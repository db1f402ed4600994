//! What is observed, given the signal.

mod bernoulli;
mod grouped;
mod logistic;
mod negative_binomial;
mod normal;
mod poisson;

use aais_distributions::Noise;
use candle_core::{Result, Tensor};

use crate::batch::Batch;

pub use bernoulli::Bernoulli;
pub use grouped::{Grouped, GroupedColumns, GroupedFamily};
pub use logistic::Logistic;
pub use negative_binomial::NegativeBinomial;
pub use normal::Normal;
pub use poisson::Poisson;

/// `log p(x | u)` of a signal `u`.
///
/// A likelihood may have parameters of its own, trained with the networks: fixed effects or dispersions. They are one
/// flat tensor, which both functions are given; for a likelihood without any it is empty.
pub trait Likelihood: Send {
    /// What training starts from.
    fn initial_parameters(&self, _noise: &mut Noise) -> Vec<f32> {
        Vec::new()
    }

    /// Signals `(B, M, D)` to `(B, M)`, for each row or group of the batch.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor>;

    /// Its gradient by the signals, `(B, M, D)`, as a function that has gradients of its own.
    ///
    /// # Errors
    /// As [`log_likelihood`](Self::log_likelihood).
    fn score(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor>;
}
