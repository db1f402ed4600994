//! Sums of squared residuals of Bernoulli data. Paper, Section 4.3.3 and Table 7.

use crate::{Error, Result};

/// How far fitted probabilities are from the responses that they were fitted to.
///
/// All three go to zero as the variance of one random effect per row grows, whatever the fit is worth: compare them
/// beside a marginal likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Conditional negative log-likelihood, `−Σ [y log p + (1 − y) log(1 − p)]`.
    pub conditional_nll: f64,
    /// Sum of squared Pearson residuals, `Σ (y − p)² / (p (1 − p))`.
    pub squared_pearson: f64,
    /// Sum of squared deviance residuals; twice the conditional negative log-likelihood of zeros and ones.
    pub squared_deviance: f64,
}

/// The measures of responses, each 0 or 1, and their fitted probabilities.
///
/// # Errors
/// Lists of different lengths, a response other than 0 or 1, or a probability outside the open unit interval.
///
/// ```
/// let measures = aais_glmm::bernoulli_measures(&[1.0, 0.0], &[0.5, 0.5])?;
/// assert!((measures.conditional_nll - 2.0 * 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(measures.squared_pearson, 2.0);
/// # Ok::<(), aais_glmm::Error>(())
/// ```
pub fn bernoulli_measures(responses: &[f64], probabilities: &[f64]) -> Result<Measures> {
    if responses.len() != probabilities.len() {
        let part = "probabilities".into();
        return Err(Error::Size { part, expected: responses.len(), found: probabilities.len() });
    }
    let mut measures = Measures { conditional_nll: 0.0, squared_pearson: 0.0, squared_deviance: 0.0 };
    for (row, (&y, &p)) in responses.iter().zip(probabilities).enumerate() {
        if y != 0.0 && y != 1.0 {
            return Err(Error::Response { row, value: y, expected: "0 or 1" });
        }
        if !(p > 0.0 && p < 1.0) {
            return Err(Error::Setting { name: "a probability", value: p, expected: "a number between 0 and 1" });
        }
        let nll = if y == 1.0 { -p.ln() } else { -(-p).ln_1p() };
        measures.conditional_nll += nll;
        measures.squared_deviance += 2.0 * nll;
        measures.squared_pearson += (y - p).powi(2) / (p * (1.0 - p));
    }
    Ok(measures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn bad_input_is_refused() {
        assert!(bernoulli_measures(&[1.0], &[]).is_err());
        assert!(bernoulli_measures(&[0.5], &[0.5]).is_err());
        assert!(bernoulli_measures(&[1.0], &[1.0]).is_err());
        assert!(bernoulli_measures(&[1.0], &[f64::NAN]).is_err());
    }

    #[test]
    fn pearson_of_a_success_is_its_odds_against() {
        let measures = bernoulli_measures(&[1.0], &[0.2]).unwrap();
        assert!((measures.squared_pearson - 4.0).abs() < 1e-15);
        assert_eq!(measures.squared_deviance, 2.0 * measures.conditional_nll);
    }
}
