//! The Clayton copula: dependence that is strong where all coordinates are small.

use candle_core::{Result, bail};
use ndarray::Array2;
use rand::Rng;
use rand_distr::{Distribution, Exp1, Gamma, Open01};

use crate::Noise;

/// The Archimedean copula of the generator `φ(t) = (t^-θ − 1) / θ`, in any dimension. Paper, Eq. 21; Nelsen (2006).
///
/// The paper writes `φ(t) = t^-θ − 1`, which is the same copula.
///
/// ```
/// use aais_distributions::{Clayton, Noise};
///
/// let copula = Clayton::new(2.0)?;
/// let u = copula.sample(1000, 5, &mut Noise::new(1));
/// assert_eq!(u.dim(), (1000, 5));
/// assert!(u.iter().all(|u| (0.0..=1.0).contains(u)));
/// assert_eq!(copula.kendall_tau(), 0.5);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clayton {
    theta: f64,
}

impl Clayton {
    /// With dependence `θ > 0`; toward `0` the coordinates are independent.
    ///
    /// # Errors
    /// If `θ` is not positive and finite.
    pub fn new(theta: f64) -> Result<Self> {
        if !(theta.is_finite() && theta > 0.0) {
            bail!("theta of a Clayton copula must be a positive number, got {theta}");
        }
        Ok(Self { theta })
    }

    /// `θ`.
    pub fn theta(&self) -> f64 {
        self.theta
    }

    /// Kendall's tau of any two coordinates, `θ / (θ + 2)`.
    pub fn kendall_tau(&self) -> f64 {
        self.theta / (self.theta + 2.0)
    }

    /// Rows `(n_rows, dimension)` by the algorithm of Marshall and Olkin (1988).
    ///
    /// `V ~ Gamma(1/θ, 1)`, `E_j ~ Exp(1)`, `u_j = (1 + E_j / V)^(-1/θ)`.
    pub fn sample(&self, n_rows: usize, dimension: usize, noise: &mut Noise) -> Array2<f64> {
        let shape = 1.0 / self.theta;
        let larger = Gamma::new(shape + 1.0, 1.0).expect("the shape is positive");
        let mut sample = Array2::zeros((n_rows, dimension));
        for mut row in sample.rows_mut() {
            // Gamma(a) is Gamma(a + 1) U^(1/a). As a logarithm it does not vanish for small shapes.
            let uniform: f64 = noise.sample(Open01);
            let log_v = larger.sample(noise).ln() + uniform.ln() / shape;
            for u in &mut row {
                let exponential: f64 = noise.sample(Exp1);
                let log_ratio = exponential.ln() - log_v;
                *u = (-shape * log_ratio.max(0.0)).exp() * (1.0 + (-log_ratio.abs()).exp()).powf(-shape);
            }
        }
        sample
    }

    /// `C(u) = (Σ u_j^-θ − d + 1)^(-1/θ)`.
    pub fn cdf(&self, u: &[f64]) -> f64 {
        if u.iter().any(|u| *u <= 0.0) {
            return 0.0;
        }
        (1.0 + self.sum_of_generators(u)).powf(-1.0 / self.theta)
    }

    /// `log c(u)`, `c` the mixed derivative of [`cdf`](Self::cdf) by all coordinates; `-inf` outside the open unit cube.
    pub fn log_density(&self, u: &[f64]) -> f64 {
        if u.iter().any(|u| !(*u > 0.0 && *u < 1.0)) {
            return f64::NEG_INFINITY;
        }
        let mut log_density = 0.0;
        let mut power = 1.0 / self.theta;
        for u in u {
            // One derivative of psi(s) = (1 + s)^(-1/theta), times that of the coordinate's own generator.
            log_density += (power * self.theta).ln() - (1.0 + self.theta) * u.ln();
            power += 1.0;
        }
        log_density - power * self.sum_of_generators(u).ln_1p()
    }

    /// `Σ (u_j^-θ − 1)`.
    fn sum_of_generators(&self, u: &[f64]) -> f64 {
        u.iter().map(|u| (-self.theta * u.ln()).exp_m1()).sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `C` of a box by inclusion and exclusion, two dimensions.
    fn of_box(copula: &Clayton, [a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
        copula.cdf(&[b, d]) - copula.cdf(&[a, d]) - copula.cdf(&[b, c]) + copula.cdf(&[a, c])
    }

    #[test]
    fn density_integrates_to_the_probability_of_a_box() {
        let n = 400;
        for theta in [0.3, 2.0, 6.0] {
            let copula = Clayton::new(theta).unwrap();
            let (x, y) = ([0.1, 0.7], [0.3, 0.9]);
            let midpoint = |[low, high]: [f64; 2], k: usize| low + (high - low) * (k as f64 + 0.5) / f64::from(n);
            let cells = (0..n as usize).flat_map(|i| (0..n as usize).map(move |k| (i, k)));
            let sum: f64 = cells.map(|(i, k)| copula.log_density(&[midpoint(x, i), midpoint(y, k)]).exp()).sum();
            let area = (x[1] - x[0]) * (y[1] - y[0]) / f64::from(n).powi(2);
            // The midpoint rule's error, second order in 0.6 / 400.
            assert!((sum * area - of_box(&copula, x, y)).abs() < 2e-5, "theta {theta}: {}", sum * area);
        }
    }

    #[test]
    fn density_is_the_mixed_derivative_in_three_dimensions() {
        let copula = Clayton::new(1.3).unwrap();
        let (at, h) = ([0.4, 0.6, 0.5], 1e-3);
        let mut difference = 0.0;
        for corner in 0..8_u8 {
            let signs = [1, 2, 4].map(|bit| if corner & bit == 0 { -1.0 } else { 1.0 });
            let point: Vec<f64> = at.iter().zip(signs).map(|(u, sign)| u + sign * h).collect();
            difference += signs.iter().product::<f64>() * copula.cdf(&point);
        }
        let found = difference / (2.0 * h).powi(3);
        let exact = copula.log_density(&at).exp();
        assert!((found / exact - 1.0).abs() < 1e-4, "{found} {exact}"); // Second order in h, and cancellation.
    }

    #[test]
    fn samples_are_uniform_in_each_coordinate() {
        let n = 20_000;
        for theta in [0.5, 2.0, 60.0] {
            let sample = Clayton::new(theta).unwrap().sample(n, 3, &mut Noise::new(4));
            for column in sample.columns() {
                let mut sorted = column.to_vec();
                sorted.sort_by(f64::total_cmp);
                let gap = |(k, u): (usize, &f64)| (u - (k as f64 + 0.5) / n as f64).abs();
                let ks = sorted.iter().enumerate().map(gap).fold(0.0, f64::max);
                assert!(ks < 1.95 / (n as f64).sqrt(), "theta {theta}: {ks}"); // One in a thousand.
            }
        }
    }

    #[test]
    fn samples_have_kendalls_tau() {
        let n = 1500;
        for theta in [0.5, 2.0, 60.0] {
            let copula = Clayton::new(theta).unwrap();
            let sample = copula.sample(n, 5, &mut Noise::new(5));
            let (first, last) = (sample.column(0), sample.column(4));
            let mut concordant = 0.0;
            for i in 0..n {
                for k in 0..i {
                    concordant += ((first[i] - first[k]) * (last[i] - last[k])).signum();
                }
            }
            let tau = concordant / (n * (n - 1) / 2) as f64;
            // Its standard deviation is below 2 / (3 sqrt(n)), that of independence.
            assert!((tau - copula.kendall_tau()).abs() < 4.0 * 0.0172, "theta {theta}: {tau}");
        }
    }

    #[test]
    fn strong_dependence_does_not_underflow() {
        let sample = Clayton::new(300.0).unwrap().sample(5000, 2, &mut Noise::new(6));
        assert!(sample.iter().all(|u| *u > 0.0 && *u <= 1.0));
    }

    #[test]
    fn theta_must_be_positive() {
        for theta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Clayton::new(theta).is_err());
        }
    }
}
