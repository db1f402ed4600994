//! Row log-likelihoods and their derivatives in the linear predictor.

/// One row's log-likelihood less its constant, with derivatives in the linear predictor `η`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curves {
    pub value: f64,
    /// `∂ℓ/∂η`.
    pub score: f64,
    /// `−∂²ℓ/∂η²`.
    pub observed: f64,
    /// Its expectation.
    pub expected: f64,
}

/// How the two informations of a row change with `η`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slopes {
    pub observed: f64,
    pub expected: f64,
}

/// How a row's [`Curves`] change with the logarithm of its size or shape.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DispersionSlopes {
    pub value: f64,
    pub score: f64,
    pub observed: f64,
    pub expected: f64,
}

/// A family and link at one response and linear predictor, for a weight of one.
///
/// Every value is linear in `y`: rows of one linear predictor can be fitted as their weighted mean.
pub(crate) trait Kernel {
    fn curves(&self, y: f64, eta: f64) -> Curves;

    fn value(&self, y: f64, eta: f64) -> f64;

    fn slopes(&self, y: f64, eta: f64) -> Slopes;

    fn mean(&self, eta: f64) -> f64;

    fn dispersion_slopes(&self, _y: f64, _eta: f64) -> DispersionSlopes {
        DispersionSlopes::default()
    }
}

/// Derivatives of many rows, each times the row's weight.
#[derive(Debug, Clone, Default)]
pub(crate) struct Derivatives {
    pub score: Vec<f64>,
    pub observed: Vec<f64>,
    pub expected: Vec<f64>,
}

/// A [`Kernel`] over many rows; one virtual call for all of them.
pub(crate) trait Likelihood {
    /// The weighted log-likelihood of all rows, each counted `copies` times; writes the derivatives of each row once.
    fn fill(&self, rows: Observed, eta: &[f64], out: &mut Derivatives) -> f64;

    /// The weighted log-likelihood of a few rows.
    fn sum(&self, y: &[f64], weights: &[f64], eta: &[f64]) -> f64;

    fn mean(&self, eta: f64) -> f64;

    fn curves(&self, y: f64, eta: f64) -> Curves;

    fn slopes(&self, y: f64, eta: f64) -> Slopes;

    fn dispersion_slopes(&self, y: f64, eta: f64) -> DispersionSlopes;
}

/// What was observed in many rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed<'a> {
    pub response: &'a [f64],
    pub weights: &'a [f64],
    pub copies: &'a [f64],
}

impl<K: Kernel> Likelihood for K {
    fn fill(&self, rows: Observed, eta: &[f64], out: &mut Derivatives) -> f64 {
        let n_rows = eta.len();
        for values in [&mut out.score, &mut out.observed, &mut out.expected] {
            values.resize(n_rows, 0.0);
        }
        let mut total = 0.0;
        let observed = rows.response.iter().zip(rows.weights).zip(rows.copies).zip(eta);
        let outputs = out.score.iter_mut().zip(&mut out.observed).zip(&mut out.expected);
        for ((((y, weight), copies), eta), ((score, observed), expected)) in observed.zip(outputs) {
            let curves = Kernel::curves(self, *y, *eta);
            total += copies * weight * curves.value;
            *score = weight * curves.score;
            *observed = weight * curves.observed;
            *expected = weight * curves.expected;
        }
        total
    }

    fn sum(&self, y: &[f64], weights: &[f64], eta: &[f64]) -> f64 {
        y.iter().zip(weights).zip(eta).map(|((y, weight), eta)| weight * self.value(*y, *eta)).sum()
    }

    fn mean(&self, eta: f64) -> f64 {
        Kernel::mean(self, eta)
    }

    fn curves(&self, y: f64, eta: f64) -> Curves {
        Kernel::curves(self, y, eta)
    }

    fn slopes(&self, y: f64, eta: f64) -> Slopes {
        Kernel::slopes(self, y, eta)
    }

    fn dispersion_slopes(&self, y: f64, eta: f64) -> DispersionSlopes {
        Kernel::dispersion_slopes(self, y, eta)
    }
}

/// The normal distribution with variance one.
pub(crate) struct Normal;

impl Kernel for Normal {
    fn curves(&self, y: f64, eta: f64) -> Curves {
        Curves { value: self.value(y, eta), score: y - eta, observed: 1.0, expected: 1.0 }
    }

    fn value(&self, y: f64, eta: f64) -> f64 {
        -0.5 * (y - eta).powi(2)
    }

    fn slopes(&self, _y: f64, _eta: f64) -> Slopes {
        Slopes { observed: 0.0, expected: 0.0 }
    }

    fn mean(&self, eta: f64) -> f64 {
        eta
    }
}
