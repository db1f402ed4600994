//! Positive values with a log link, `μ = e^η`.

use super::kernel::{Curves, DispersionSlopes, Kernel, Slopes};

/// Variance `μ²/k` with the shape `k`.
pub(crate) struct Gamma {
    pub shape: f64,
}

impl Kernel for Gamma {
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let ratio = y * (-eta).exp();
        Curves {
            value: -self.shape * (ratio + eta),
            score: self.shape * (ratio - 1.0),
            observed: self.shape * ratio,
            expected: self.shape,
        }
    }

    fn value(&self, y: f64, eta: f64) -> f64 {
        -self.shape * (y * (-eta).exp() + eta)
    }

    fn slopes(&self, y: f64, eta: f64) -> Slopes {
        Slopes { observed: -self.shape * y * (-eta).exp(), expected: 0.0 }
    }

    fn mean(&self, eta: f64) -> f64 {
        eta.exp()
    }

    fn dispersion_slopes(&self, y: f64, eta: f64) -> DispersionSlopes {
        // Everything is proportional to the shape.
        let Curves { value, score, observed, expected } = self.curves(y, eta);
        DispersionSlopes { value, score, observed, expected }
    }
}
