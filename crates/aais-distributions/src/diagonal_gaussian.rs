//! The Gaussian that encoders propose.

use candle_core::{D, Result, Tensor, bail};

use crate::lattice::lattice_normal;
use crate::{LogDensity, Noise, Proposal, Sampling};

/// `N(mean, Diag(exp(log_variance)))`, one for each of `B` rows.
#[derive(Clone, Debug)]
pub struct DiagonalGaussian {
    mean: Tensor,
    log_variance: Tensor,
    sampling: Sampling,
}

impl DiagonalGaussian {
    /// From means and log variances, both `(B, d)`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn new(mean: Tensor, log_variance: Tensor) -> Result<Self> {
        if mean.dims2()? != log_variance.dims2()? {
            bail!("means {:?} and log variances {:?} must have one shape", mean.dims(), log_variance.dims());
        }
        Ok(Self { mean, log_variance, sampling: Sampling::default() })
    }

    /// The same, drawn from in another way.
    #[must_use]
    pub fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// Means, `(B, d)`.
    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// Log variances, `(B, d)`.
    pub fn log_variance(&self) -> &Tensor {
        &self.log_variance
    }

    /// The same Gaussian, taking no gradient.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { mean: self.mean.detach(), log_variance: self.log_variance.detach(), sampling: self.sampling }
    }

    /// `KL(q ‖ N(0, I))` of each row, `(B,)`: `−½ Σ (1 + log s² − μ² − s²)`. Paper, Eq. 5.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn kl_to_standard_normal(&self) -> Result<Tensor> {
        let excess = ((self.mean.sqr()? + self.log_variance.exp()?)? - &self.log_variance)?;
        (excess - 1.0)?.sum(D::Minus1)? * 0.5
    }
}

impl LogDensity for DiagonalGaussian {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        aais_kernels::gaussian_log_density(z, &self.mean, &self.log_variance)
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        aais_kernels::gaussian_score(&z.detach(), &self.mean.detach(), &self.log_variance.detach())
    }

    fn log_density_and_score(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.log_density(z)?, aais_kernels::gaussian_score(z, &self.mean, &self.log_variance)?))
    }
}

impl Proposal for DiagonalGaussian {
    fn sample(&self, n_samples: usize, noise: &mut Noise) -> Result<Tensor> {
        let (rows, latent) = self.mean.dims2()?;
        let noise = match self.sampling {
            Sampling::Independent => noise.standard_normal(&[rows, n_samples, latent], self.mean.device())?,
            Sampling::Lattice => lattice_normal([rows, n_samples, latent], noise, self.mean.device())?,
        };
        let noise = noise.to_dtype(self.mean.dtype())?;
        aais_kernels::reparameterize(&self.mean, &(&self.log_variance * 0.5)?.exp()?, &noise)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::StandardNormal;

    fn gaussian() -> (Var, Var, DiagonalGaussian) {
        let mean = Var::new(&[[0.3f64, -1.2], [2.0, 0.0]], &Device::Cpu).unwrap();
        let log_variance = Var::new(&[[-0.4f64, 0.9], [0.0, -2.0]], &Device::Cpu).unwrap();
        let q = DiagonalGaussian::new(mean.as_tensor().clone(), log_variance.as_tensor().clone()).unwrap();
        (mean, log_variance, q)
    }

    #[test]
    fn kl_is_zero_for_the_prior_and_known_elsewhere() {
        let zeros = Tensor::zeros((1, 3), DType::F64, &Device::Cpu).unwrap();
        let kl = |mean: &Tensor, log_variance: &Tensor| {
            let q = DiagonalGaussian::new(mean.clone(), log_variance.clone()).unwrap();
            q.kl_to_standard_normal().unwrap().to_vec1::<f64>().unwrap()[0]
        };
        assert_eq!(kl(&zeros, &zeros), 0.0);
        // Means 1: half a squared distance each; variances e: (e - 1 - 1) / 2 each.
        let ones = zeros.ones_like().unwrap();
        assert!((kl(&ones, &zeros) - 1.5).abs() < 1e-15);
        assert!((kl(&zeros, &ones) - 1.5 * (std::f64::consts::E - 2.0)).abs() < 1e-15);
    }

    #[test]
    fn kl_is_the_mean_log_ratio() {
        let (_, _, q) = gaussian();
        let z = q.sample(40_000, &mut Noise::new(1)).unwrap();
        let ratio = (q.log_density(&z).unwrap() - StandardNormal.log_density(&z).unwrap()).unwrap();
        let found = ratio.mean(1).unwrap().to_vec1::<f64>().unwrap();
        let exact = q.kl_to_standard_normal().unwrap().to_vec1::<f64>().unwrap();
        for (found, exact) in found.iter().zip(exact) {
            // The ratio's standard deviation is about 2.5; five standard errors.
            assert!((found - exact).abs() < 5.0 * 2.5 / 200.0, "{found} {exact}");
        }
    }

    #[test]
    fn score_is_the_gradient_of_the_log_density() {
        let (_, _, q) = gaussian();
        let z = Var::from_tensor(&q.sample(5, &mut Noise::new(2)).unwrap().detach()).unwrap();
        for density in [&q as &dyn LogDensity, &StandardNormal] {
            let gradients = density.log_density(&z).unwrap().sum_all().unwrap().backward().unwrap();
            let difference = (gradients.get(&z).unwrap() - density.score(&z).unwrap()).unwrap().abs().unwrap();
            assert!(difference.max_all().unwrap().to_scalar::<f64>().unwrap() < 1e-12);
        }
    }

    #[test]
    fn samples_carry_gradients_to_mean_and_variance() {
        let (mean, log_variance, q) = gaussian();
        let z = q.sample(3, &mut Noise::new(2)).unwrap();
        let gradients = z.sum_all().unwrap().backward().unwrap();
        let by_mean = gradients.get(&mean).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(by_mean, [[3.0, 3.0], [3.0, 3.0]]);
        // dz / dlog s² = (z - mean) / 2.
        let centred = z.broadcast_sub(&mean.unsqueeze(1).unwrap()).unwrap().sum(1).unwrap();
        let difference = ((centred * 0.5).unwrap() - gradients.get(&log_variance).unwrap()).unwrap();
        assert!(difference.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap() < 1e-12);
    }

    #[test]
    fn frozen_takes_no_gradient() {
        let (mean, _, q) = gaussian();
        let z = q.frozen().sample(3, &mut Noise::new(2)).unwrap();
        let loss = (z.sum_all().unwrap() + mean.sum_all().unwrap()).unwrap();
        assert_eq!(loss.backward().unwrap().get(&mean).unwrap().to_vec2::<f64>().unwrap(), [[1.0; 2]; 2]);
    }
}
