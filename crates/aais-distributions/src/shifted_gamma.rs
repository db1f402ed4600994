//! The gamma distribution, shifted.

use candle_core::{Result, bail};
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// `scale G + shift` with `G ~ Gamma(shape, 1)`; the paper's margins are `Gamma(2, 1) - 2`. Paper, section 4.2.3.
///
/// ```
/// use aais_distributions::ShiftedGamma;
///
/// let margin = ShiftedGamma::new(2.0, 1.0, -2.0)?;
/// assert_eq!(margin.mean(), 0.0);
/// assert!((margin.cdf(margin.quantile(0.3)) - 0.3).abs() < 1e-14);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShiftedGamma {
    shape: f64,
    scale: f64,
    shift: f64,
}

/// Newton steps of a quantile; each doubles the digits, and bisection steps in where one would leave the bracket.
const MOST_STEPS: usize = 200;

impl ShiftedGamma {
    /// From shape and scale, both positive, and the shift, which is where the support begins.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn new(shape: f64, scale: f64, shift: f64) -> Result<Self> {
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        if !(is_positive(shape) && is_positive(scale) && shift.is_finite()) {
            bail!(
                "a gamma distribution needs positive shape and scale and a finite shift, got {shape}, {scale}, {shift}"
            );
        }
        Ok(Self { shape, scale, shift })
    }

    /// `shape · scale + shift`.
    pub fn mean(&self) -> f64 {
        self.shape * self.scale + self.shift
    }

    /// `P(X <= x)`.
    pub fn cdf(&self, x: f64) -> f64 {
        let standard = self.standard(x);
        if standard <= 0.0 { 0.0 } else { gamma_lr(self.shape, standard) }
    }

    /// Log of the density at `x`; `-inf` left of the support.
    pub fn log_density(&self, x: f64) -> f64 {
        let standard = self.standard(x);
        if standard < 0.0 { f64::NEG_INFINITY } else { self.log_density_of_standard(standard) - self.scale.ln() }
    }

    /// The `x` with `P(X <= x) = p`: the support's ends for `0` and `1`, NaN outside `[0, 1]`.
    pub fn quantile(&self, p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        if p == 0.0 || p == 1.0 {
            return if p == 0.0 { self.shift } else { f64::INFINITY };
        }
        let (mut low, mut high) = (0.0, self.shape + 1.0);
        while self.excess(high, p) < 0.0 {
            (low, high) = (high, 2.0 * high);
        }
        let mut x = 0.5 * (low + high);
        for _ in 0..MOST_STEPS {
            let excess = self.excess(x, p);
            if excess < 0.0 {
                low = x
            } else {
                high = x
            }
            let step = excess / self.log_density_of_standard(x).exp();
            let newton = x - step;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if (next - x).abs() <= 2.0 * f64::EPSILON * x {
                x = next;
                break;
            }
            x = next;
        }
        self.shift + self.scale * x
    }

    fn standard(&self, x: f64) -> f64 {
        (x - self.shift) / self.scale
    }

    /// `P(G <= x) - p`, from the smaller tail.
    fn excess(&self, x: f64, p: f64) -> f64 {
        if p < 0.5 { gamma_lr(self.shape, x) - p } else { (1.0 - p) - gamma_ur(self.shape, x) }
    }

    fn log_density_of_standard(&self, x: f64) -> f64 {
        // At zero an exponential has density one; 0 · log 0 would be NaN.
        let power = if self.shape == 1.0 { 0.0 } else { (self.shape - 1.0) * x.ln() };
        power - x - ln_gamma(self.shape)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shape_two_has_a_closed_form() {
        let margin = ShiftedGamma::new(2.0, 1.0, -2.0).unwrap();
        for k in 0..100 {
            let x = -2.0 + 0.17 * f64::from(k);
            let g = x + 2.0;
            assert!((margin.cdf(x) - (1.0 - (1.0 + g) * (-g).exp())).abs() < 1e-13);
            assert!((margin.log_density(x).exp() - g * (-g).exp()).abs() < 1e-13);
        }
        assert_eq!(margin.cdf(-2.5), 0.0);
        assert_eq!(margin.log_density(-2.5), f64::NEG_INFINITY);
    }

    #[test]
    fn quantile_inverts_the_distribution_function() {
        for shape in [0.3, 1.0, 2.0, 17.5] {
            let margin = ShiftedGamma::new(shape, 0.7, 3.0).unwrap();
            for p in [1e-9, 1e-4, 0.02, 0.3, 0.5, 0.9, 0.9999, 1.0 - 1e-9] {
                let x = margin.quantile(p);
                let tail = p.min(1.0 - p);
                // `x` near the shift keeps fewer digits of its distance from it.
                let rounding = margin.log_density(x).exp() * 4.0 * f64::EPSILON * x.abs();
                let error = (margin.cdf(x) - p).abs();
                assert!(error < 1e-11 * tail + 2.0 * rounding + 1e-15, "shape {shape}, p {p}: {error}");
            }
            assert_eq!(margin.quantile(0.0), 3.0);
            assert_eq!(margin.quantile(1.0), f64::INFINITY);
            assert!(margin.quantile(-0.1).is_nan());
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        for (shape, scale, shift) in [(0.0, 1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, f64::NAN)] {
            assert!(ShiftedGamma::new(shape, scale, shift).is_err());
        }
    }
}
