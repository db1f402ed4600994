//! The marginal likelihood, with the random effects integrated out.

use crate::{Approximation, Design, Error, Family, Parameters, Result, Settings, deviance};

/// The marginal negative log-likelihood at given parameters, exact up to quadrature with `n_nodes` nodes a dimension.
///
/// Needs one grouping factor with at most three effects. Where every group has one row, as in a model with a vector of
/// effects for each observation, the integral is over that row's linear predictor and may have any number of effects.
/// Twenty-five nodes leave errors far below what data can tell apart.
///
/// # Errors
/// Those of [`deviance`], or parameters without fixed effects.
pub fn marginal_nll(design: &Design, family: Family, parameters: &Parameters, n_nodes: usize) -> Result<f64> {
    if parameters.fixed.len() != design.fixed.ncols() {
        let (expected, found) = (design.fixed.ncols(), parameters.fixed.len());
        return Err(Error::Size { part: "the fixed effects".into(), expected, found });
    }
    if family == Family::Gaussian {
        let reason = "a linear model's likelihood has a closed form; use its fit's `log_likelihood`".into();
        return Err(Error::Unavailable { asked: "quadrature", reason });
    }
    let settings = Settings { approximation: Approximation::Quadrature { n_nodes }, ..Settings::default() };
    Ok(0.5 * deviance(design, family, &settings, parameters)?)
}
