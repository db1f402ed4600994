//! What is observed, given the signal.

use candle_core::{Result, Tensor};

use crate::model::Batch;

/// `log p(x | u)` of a signal `u`.
pub trait Likelihood: Send {
    /// Signals `(B, M, D)` to `(B, M)`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch) -> Result<Tensor>;

    /// Its gradient by the signals, `(B, M, D)`, as a function that has gradients of its own.
    ///
    /// # Errors
    /// As [`log_likelihood`](Self::log_likelihood).
    fn score(&self, signal: &Tensor, batch: &Batch) -> Result<Tensor>;
}

/// `x ~ N(u, variance I)`, with its constant. Deviation 1.
#[derive(Clone, Copy, Debug)]
pub struct Normal {
    /// Known noise variance, in squared units of the data the model sees.
    pub variance: f64,
}

impl Normal {
    fn log_variance(&self, signal: &Tensor, batch: &Batch) -> Result<Tensor> {
        Tensor::full(self.variance.ln(), batch.observed.shape(), signal.device())?.to_dtype(signal.dtype())
    }
}

impl Likelihood for Normal {
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch) -> Result<Tensor> {
        aais_kernels::gaussian_log_density(signal, &batch.observed, &self.log_variance(signal, batch)?)
    }

    fn score(&self, signal: &Tensor, batch: &Batch) -> Result<Tensor> {
        aais_kernels::gaussian_score(signal, &batch.observed, &self.log_variance(signal, batch)?)
    }
}
