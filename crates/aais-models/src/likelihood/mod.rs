//! What is observed, given the signal.

mod bernoulli;
mod grouped;
mod logistic;
mod negative_binomial;
mod normal;
mod poisson;

use aais_distributions::Noise;
use candle_core::{DType, Result, Tensor, bail};

use crate::batch::Batch;

pub use bernoulli::Bernoulli;
pub use grouped::{Grouped, GroupedColumns, GroupedFamily};
pub use logistic::Logistic;
pub use negative_binomial::NegativeBinomial;
pub(crate) use negative_binomial::negative_binomial;
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

    /// A draw from `p(x | u)` for one signal a row, `(B, D)`: the batch with other observations and the same covariates.
    ///
    /// # Errors
    /// If the shapes do not fit, or the likelihood draws no data.
    fn simulate(&self, _signal: &Tensor, _batch: &Batch, _parameters: &Tensor, _noise: &mut Noise) -> Result<Batch> {
        bail!("this likelihood draws no data; `simulate` is there for rows, not for groups")
    }
}

/// The batch with other values in its last column, `(B,)`.
fn with_outcomes(batch: &Batch, outcomes: Vec<f32>) -> Result<Batch> {
    let (rows, columns) = batch.observed.dims2()?;
    let outcomes = Tensor::from_vec(outcomes, (rows, 1), batch.observed.device())?;
    let observed = Tensor::cat(&[&batch.observed.narrow(1, 0, columns - 1)?, &outcomes], 1)?;
    Ok(Batch { observed, ..batch.clone() })
}

/// Values of any shape, one after another.
fn doubles(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
