//! The generalized Pareto distribution of excesses over a threshold.

/// Density `σ⁻¹ (1 + k x / σ)^(−1/k − 1)` for `x > 0`; exponential at `k = 0`, and bounded by `−σ/k` below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeneralizedPareto {
    /// `k`. Moments of order `1/k` and above are infinite.
    pub shape: f64,
    /// `σ`.
    pub scale: f64,
}

impl GeneralizedPareto {
    /// Fits positive excesses in ascending order; there must be at least one.
    ///
    /// Zhang and Stephens 2009, "A New and Efficient Estimation Method for the Generalized Pareto Distribution": with
    /// `θ = −k/σ`, the likelihood maximized over `σ` for fixed `θ` is a function of `θ` alone. Their estimate is its
    /// mean under a prior that the data scale, by a sum over quantiles of that prior; no iteration can fail.
    pub fn fit(excesses: &[f64]) -> Self {
        let n = excesses.len() as f64;
        let largest = excesses[excesses.len() - 1];
        let quartile = excesses[((n / 4.0 + 0.5).floor() as usize).max(1) - 1];

        let n_points = GRID_MINIMUM + n.sqrt().floor();
        let thetas = (1..=n_points as usize)
            .map(|j| 1.0 / largest + (1.0 - (n_points / (j as f64 - 0.5)).sqrt()) / (PRIOR_SCALE * quartile))
            .collect::<Vec<_>>();

        let log_likelihoods =
            thetas.iter().map(|&theta| profile(theta, excesses).log_likelihood(n)).collect::<Vec<_>>();
        let best = log_likelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let posterior = log_likelihoods.iter().map(|value| (value - best).exp()).collect::<Vec<_>>();

        let total = posterior.iter().sum::<f64>();
        let theta = thetas.iter().zip(&posterior).map(|(theta, mass)| theta * mass).sum::<f64>() / total;
        profile(theta, excesses)
    }

    /// The value that a share `probability` of excesses lies below.
    pub fn quantile(&self, probability: f64) -> f64 {
        let exponential = -(-probability).ln_1p();
        if self.shape == 0.0 {
            return self.scale * exponential;
        }
        self.scale * (self.shape * exponential).exp_m1() / self.shape
    }

    /// Of the `n` excesses that `self` is the [`profile`] of, for which `Σᵢ log(1 + k xᵢ / σ) = n k`.
    fn log_likelihood(&self, n: f64) -> f64 {
        -n * (self.scale.ln() + self.shape + 1.0)
    }
}

/// Points of the grid over `θ`, to which the square root of the sample size is added. Zhang and Stephens take 20,
/// Vehtari et al. 2024 take 30.
const GRID_MINIMUM: f64 = 30.0;

/// Zhang and Stephens' prior on `θ` has scale `1 / (3 x*)`, with `x*` the first quartile.
const PRIOR_SCALE: f64 = 3.0;

/// The likeliest distribution with `−k/σ = theta`, for `theta` below one over the largest excess.
fn profile(theta: f64, excesses: &[f64]) -> GeneralizedPareto {
    let n = excesses.len() as f64;
    if theta == 0.0 {
        return GeneralizedPareto { shape: 0.0, scale: excesses.iter().sum::<f64>() / n };
    }
    let shape = excesses.iter().map(|x| (-theta * x).ln_1p()).sum::<f64>() / n;
    GeneralizedPareto { shape, scale: -shape / theta }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn quantiles_invert_the_distribution_function() {
        for shape in [-0.4, 0.0, 1e-9, 0.7] {
            let pareto = GeneralizedPareto { shape, scale: 2.0 };
            for probability in [0.01, 0.5, 0.99] {
                let x = pareto.quantile(probability);
                // Below 1e-6 the shape changes the distribution function by less than the bound.
                let upper =
                    if shape.abs() < 1e-6 { (-x / 2.0).exp() } else { (1.0 + shape * x / 2.0).powf(-1.0 / shape) };
                assert!((upper - (1.0 - probability)).abs() < 1e-8, "shape {shape}, probability {probability}");
            }
        }
    }

    #[test]
    fn fit_recovers_shape_and_scale() {
        let n = 20_000;
        let mut generator = ChaCha8Rng::seed_from_u64(11);
        for shape in [-0.3, 0.2, 0.5, 0.9] {
            let truth = GeneralizedPareto { shape, scale: 3.0 };
            let mut sample = (0..n).map(|_| truth.quantile(generator.random::<f64>())).collect::<Vec<_>>();
            sample.sort_by(f64::total_cmp);

            // Four standard errors of maximum likelihood: (1 + k)/√n and σ √(2 (1 + k)/n).
            let found = GeneralizedPareto::fit(&sample);
            let shape_error = 4.0 * (1.0 + shape) / f64::from(n).sqrt();
            let scale_error = 4.0 * 3.0 * (2.0 * (1.0 + shape) / f64::from(n)).sqrt();
            assert!((found.shape - shape).abs() < shape_error, "shape {} for {shape}", found.shape);
            assert!((found.scale - 3.0).abs() < scale_error, "scale {} for shape {shape}", found.scale);
        }
    }

    #[test]
    fn fit_follows_the_unit_of_the_data() {
        let excesses = [0.1, 0.2, 0.4, 0.5, 0.9, 1.7, 4.0];
        let one = GeneralizedPareto::fit(&excesses);
        let thousandth = GeneralizedPareto::fit(&excesses.map(|x| x / 1024.0));
        assert!((one.shape - thousandth.shape).abs() < 1e-13);
        assert!((one.scale / thousandth.scale - 1024.0).abs() < 1e-9);
    }

    #[test]
    fn fit_of_few_or_equal_excesses_is_finite() {
        for excesses in [&[1.0][..], &[1.0, 2.0], &[3.0; 10], &[1e-300, 1e-300, 1.0]] {
            let found = GeneralizedPareto::fit(excesses);
            assert!(found.shape.is_finite() && found.scale > 0.0, "{found:?} for {excesses:?}");
        }
    }
}
