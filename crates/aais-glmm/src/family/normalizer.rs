//! The part of the log-likelihood that no linear predictor changes.

use statrs::function::gamma::{digamma, ln_gamma};

use super::Family;
use crate::Response;

/// Constants of all rows together, gathered so that a new dispersion costs one step per distinct value.
#[derive(Debug, Clone)]
pub(crate) struct Normalizer {
    family: Family,
    /// Sum over rows of what the dispersion does not change.
    fixed: f64,
    /// Distinct responses with their total weight (negative binomial), or distinct weights with their rows (gamma).
    distinct: Vec<(f64, f64)>,
    /// `Σ w log y` (gamma).
    weighted_log: f64,
}

impl Normalizer {
    pub(crate) fn new(family: Family, response: &Response) -> Self {
        let rows = || response.values.iter().zip(&response.weights).filter(|(_, w)| **w > 0.0);
        let mut normalizer = Self { family, fixed: 0.0, distinct: Vec::new(), weighted_log: 0.0 };
        match family {
            Family::Gaussian => {}
            Family::Binomial(_) => normalizer.fixed = rows().map(|(y, w)| ln_choose(*w, y * w)).sum(),
            Family::Poisson => normalizer.fixed = -rows().map(|(y, w)| w * ln_factorial(*y)).sum::<f64>(),
            Family::NegativeBinomial => {
                normalizer.fixed = -rows().map(|(y, w)| w * ln_factorial(*y)).sum::<f64>();
                normalizer.distinct = totals(rows().map(|(y, w)| (*y, *w)).collect());
            }
            Family::Gamma => {
                normalizer.fixed = -rows().map(|(y, _)| y.ln()).sum::<f64>();
                normalizer.weighted_log = rows().map(|(y, w)| w * y.ln()).sum();
                normalizer.distinct = totals(rows().map(|(_, w)| (*w, 1.0)).collect());
            }
        }
        normalizer
    }

    /// The sum of constants at a size or shape.
    pub(crate) fn value(&self, dispersion: f64) -> f64 {
        let distinct = || self.distinct.iter();
        self.fixed
            + match self.family {
                Family::NegativeBinomial => {
                    let of = |y: f64| ln_gamma(y + dispersion) - ln_gamma(dispersion) - y * dispersion.ln();
                    distinct().map(|(y, weight)| weight * of(*y)).sum()
                }
                Family::Gamma => {
                    let of = |shape: f64| shape * shape.ln() - ln_gamma(shape);
                    let shapes = distinct().map(|(weight, rows)| rows * of(weight * dispersion)).sum::<f64>();
                    shapes + dispersion * self.weighted_log
                }
                _ => 0.0,
            }
    }

    /// Its derivative in the logarithm of the size or shape.
    pub(crate) fn slope(&self, dispersion: f64) -> f64 {
        let distinct = || self.distinct.iter();
        match self.family {
            Family::NegativeBinomial => {
                let of = |y: f64| dispersion * (digamma(y + dispersion) - digamma(dispersion)) - y;
                distinct().map(|(y, weight)| weight * of(*y)).sum()
            }
            Family::Gamma => {
                let of = |shape: f64| shape * (shape.ln() + 1.0 - digamma(shape));
                let shapes = distinct().map(|(weight, rows)| rows * of(weight * dispersion)).sum::<f64>();
                shapes + dispersion * self.weighted_log
            }
            _ => 0.0,
        }
    }
}

fn ln_factorial(n: f64) -> f64 {
    if n < 2.0 { 0.0 } else { ln_gamma(n + 1.0) }
}

fn ln_choose(trials: f64, successes: f64) -> f64 {
    let successes = successes.round();
    ln_factorial(trials) - ln_factorial(successes) - ln_factorial(trials - successes)
}

/// Equal keys joined, in rising order.
fn totals(mut pairs: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    pairs
}
