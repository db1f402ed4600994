//! Counts with a log link, `μ = e^η`.

use super::kernel::{Curves, DispersionSlopes, Kernel, Slopes};

/// Variance `μ`.
pub(crate) struct Poisson;

impl Kernel for Poisson {
    #[inline]
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let mean = eta.exp();
        Curves { value: y * eta - mean, score: y - mean, observed: mean, expected: mean }
    }

    #[inline]
    fn value(&self, y: f64, eta: f64) -> f64 {
        y * eta - eta.exp()
    }

    fn slopes(&self, _y: f64, eta: f64) -> Slopes {
        Slopes { observed: eta.exp(), expected: eta.exp() }
    }

    fn mean(&self, eta: f64) -> f64 {
        eta.exp()
    }
}

/// Variance `μ + μ²/θ` with the size `θ`.
pub(crate) struct NegativeBinomial {
    pub size: f64,
}

impl NegativeBinomial {
    /// `μ / (μ + θ)` and `θ / (μ + θ)`, finite however large the mean.
    fn shares(&self, eta: f64) -> (f64, f64) {
        let odds = (eta - self.size.ln()).exp();
        if odds.is_infinite() { (1.0, 0.0) } else { (odds / (1.0 + odds), 1.0 / (1.0 + odds)) }
    }

    /// `log(1 + μ/θ)`.
    fn log_excess(&self, eta: f64) -> f64 {
        crate::special::log_1p_exp(eta - self.size.ln())
    }
}

impl Kernel for NegativeBinomial {
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let (mean_share, size_share) = self.shares(eta);
        Curves {
            value: self.value(y, eta),
            // θ (y − μ) / (μ + θ).
            score: y * size_share - self.size * mean_share,
            // θ μ (y + θ) / (μ + θ)².
            observed: (y + self.size) * mean_share * size_share,
            expected: self.size * mean_share,
        }
    }

    /// `y η − (y + θ) log(1 + μ/θ)`; `−y log θ` belongs to the constant.
    fn value(&self, y: f64, eta: f64) -> f64 {
        y * eta - (y + self.size) * self.log_excess(eta)
    }

    fn slopes(&self, y: f64, eta: f64) -> Slopes {
        let (mean_share, size_share) = self.shares(eta);
        Slopes {
            observed: (y + self.size) * mean_share * size_share * (size_share - mean_share),
            expected: self.size * mean_share * size_share,
        }
    }

    fn mean(&self, eta: f64) -> f64 {
        eta.exp()
    }

    fn dispersion_slopes(&self, y: f64, eta: f64) -> DispersionSlopes {
        let (mean_share, size_share) = self.shares(eta);
        let product = mean_share * size_share;
        DispersionSlopes {
            value: -self.size * self.log_excess(eta) + (y + self.size) * mean_share,
            score: y * product - self.size * mean_share * mean_share,
            observed: self.size * product + (y + self.size) * product * (mean_share - size_share),
            expected: self.size * mean_share * mean_share,
        }
    }
}
