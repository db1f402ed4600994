//! Fitting a model again to other responses.

use crate::fit::fit_near;
use crate::{Approximation, Design, Dispersion, Family, Fit, Result, dense};

/// Searches start near another optimum only if every diagonal of `Λ` there is above this: at zero the deviance has no
/// slope, and close to it hardly any.
const VARIES: f64 = 0.1;

/// Where another fit ended.
pub(crate) struct Near {
    /// What is searched: `(θ, β, log dispersion)`, without `β` where it is profiled.
    pub vector: Vec<f64>,
    /// The inverse Hessian in these.
    pub inverse_hessian: Vec<f64>,
    pub fixed: Vec<f64>,
}

impl Near {
    /// None where a search from the beginning is safer.
    fn new(fit: &Fit) -> Option<Self> {
        let n = fit.curvature.gradient.len();
        let mut factor: Vec<f64> = fit.curvature.hessian.as_ref()?.iter().copied().collect();
        dense::cholesky(&mut factor, n, n)?;
        let varies = fit.random.iter().scan(0, |first, term| {
            let (start, size) = (*first, term.effect_names.len());
            *first += size * (size + 1) / 2;
            Some((0..size).all(|k| fit.theta[start + k * size - k * k.saturating_sub(1) / 2] > VARIES))
        });
        if !varies.into_iter().all(|varies| varies) {
            return None;
        }
        let has_fixed = fit.family != Family::Gaussian && fit.settings.approximation != Approximation::ProfiledLaplace;
        let fixed: &[f64] = if has_fixed { &fit.fixed } else { &[] };
        let log_dispersion = match fit.dispersion {
            Dispersion::Size(value) | Dispersion::Shape(value) => Some(value.ln()),
            Dispersion::One | Dispersion::ResidualStd(_) => None,
        };
        let vector = [fit.theta.as_slice(), fixed, log_dispersion.as_slice()].concat();
        Some(Self { vector, inverse_hessian: dense::inverse(&factor, n, n), fixed: fit.fixed.clone() })
    }
}

/// Fits the model of `fit` to the responses of a design that is otherwise the one it was fitted to.
///
/// The search starts where the fit ended, unless an effect hardly varies there, and stops as [`crate::fit`] does: the
/// optimum is the same up to its tolerance.
///
/// # Errors
/// A design with other rows, fixed effects or random terms than the fit's, and those of [`crate::fit`].
pub fn refit(design: &Design, fit: &Fit) -> Result<Fit> {
    fit.check_design(design, "a refit")?;
    fit_near(design, fit.family, &fit.settings, Near::new(fit))
}
