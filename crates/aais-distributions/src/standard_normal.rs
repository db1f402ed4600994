//! The prior of every model here.

use candle_core::{Result, Tensor};

use crate::{LogDensity, Noise};

/// `N(0, I)` in as many dimensions as its argument has.
#[derive(Clone, Copy, Debug)]
pub struct StandardNormal;

impl StandardNormal {
    /// Samples `(n_rows, d)`.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn sample(
        &self,
        n_rows: usize,
        latent: usize,
        noise: &mut Noise,
        device: &candle_core::Device,
    ) -> Result<Tensor> {
        noise.standard_normal(&[n_rows, latent], device)
    }
}

impl LogDensity for StandardNormal {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let (rows, _, latent) = z.dims3()?;
        let zero = Tensor::zeros((rows, latent), z.dtype(), z.device())?;
        aais_kernels::gaussian_log_density(z, &zero, &zero)
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        z.detach().neg()
    }

    fn log_density_and_score(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.log_density(z)?, z.neg()?))
    }
}
