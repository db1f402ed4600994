//! Comparison of nested fits.

use statrs::function::gamma::checked_gamma_ur;

use crate::{Criterion, Error, Family, Fit, Result};

/// A likelihood-ratio test of two nested models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LikelihoodRatio {
    /// Twice the difference of the log-likelihoods.
    pub statistic: f64,
    /// Difference of the numbers of parameters.
    pub degrees_of_freedom: usize,
    /// `P(χ² ≥ statistic)`; too large where the smaller model puts a variance to zero, the edge of its range.
    pub p_value: f64,
}

/// Tests whether the larger model fits better than the smaller one, which must be nested in it.
///
/// # Errors
/// Fits of other families, approximations or numbers of rows, REML fits with other fixed effects, or a second fit
/// without more parameters than the first.
pub fn likelihood_ratio(smaller: &Fit, larger: &Fit) -> Result<LikelihoodRatio> {
    let unavailable = |reason: &str| Err(Error::Unavailable { asked: "a likelihood ratio", reason: reason.into() });
    if (smaller.family, smaller.settings, smaller.n_rows) != (larger.family, larger.settings, larger.n_rows) {
        return unavailable("the fits differ in family, settings or rows");
    }
    let is_reml = smaller.family == Family::Gaussian && smaller.settings.criterion == Criterion::Reml;
    if is_reml && smaller.fixed_names != larger.fixed_names {
        return unavailable("REML criteria of other fixed effects are not comparable; fit both by maximum likelihood");
    }
    if larger.n_parameters <= smaller.n_parameters {
        return unavailable("the second fit needs more parameters than the first");
    }
    let statistic = (smaller.deviance - larger.deviance).max(0.0);
    let degrees_of_freedom = larger.n_parameters - smaller.n_parameters;
    // The upper tail of χ² is the regularized upper incomplete gamma function.
    let p_value = match statistic {
        0.0 => 1.0,
        _ => checked_gamma_ur(0.5 * degrees_of_freedom as f64, 0.5 * statistic).unwrap_or(f64::NAN),
    };
    Ok(LikelihoodRatio { statistic, degrees_of_freedom, p_value })
}
