//! The one idea the system hangs on: proposals, priors and joints are log densities of latent variables.

use candle_core::{Result, Tensor};

use crate::Noise;

/// A log density over latent variables, perhaps unnormalized.
pub trait LogDensity {
    /// `log π(z)`: `(B, M, d)` to `(B, M)`.
    ///
    /// # Errors
    /// If the shape does not fit, or a tensor operation fails.
    fn log_density(&self, z: &Tensor) -> Result<Tensor>;

    /// `∂ log π(z) / ∂z`: `(B, M, d)` to `(B, M, d)`, detached.
    ///
    /// # Errors
    /// As [`log_density`](Self::log_density).
    fn score(&self, z: &Tensor) -> Result<Tensor>;
}

/// A density that can be sampled with gradients to its parameters.
pub trait Proposal: LogDensity {
    /// Reparameterized samples, `(B, n_samples, d)`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn sample(&self, n_samples: usize, noise: &mut Noise) -> Result<Tensor>;
}
