//! Signals seen through Gaussian noise.

use aais_distributions::Noise;
use candle_core::{Result, Tensor};

use super::Likelihood;
use crate::batch::Batch;

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
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        aais_kernels::gaussian_log_density(signal, &batch.observed, &self.log_variance(signal, batch)?)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        aais_kernels::gaussian_score(signal, &batch.observed, &self.log_variance(signal, batch)?)
    }

    fn simulate(&self, signal: &Tensor, batch: &Batch, _: &Tensor, noise: &mut Noise) -> Result<Batch> {
        let noise = (noise.standard_normal(signal.dims(), signal.device())? * self.variance.sqrt())?;
        Ok(Batch { observed: (signal + noise)?, ..batch.clone() })
    }
}
