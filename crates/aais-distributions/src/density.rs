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

    /// Both at once, `(B, M)` and `(B, M, d)`, where they share work.
    ///
    /// The score of the densities of this workspace carries gradients here, for methods that differentiate a
    /// Langevin drift. The default, for a density of your own, gives the detached one.
    ///
    /// # Errors
    /// As [`log_density`](Self::log_density).
    fn log_density_and_score(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.log_density(z)?, self.score(z)?))
    }
}

/// A density that can be sampled with gradients to its parameters.
pub trait Proposal: LogDensity {
    /// Reparameterized samples, `(B, n_samples, d)`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn sample(&self, n_samples: usize, noise: &mut Noise) -> Result<Tensor>;
}
