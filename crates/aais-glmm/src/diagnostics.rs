//! What a careful reader should know before using a fit, in plain words.

use std::fmt;

use crate::{Design, Family, Fit};

/// A decrease of the deviance that a converged fit may still promise; lme4 warns near 1e-6 of scaled gradients squared.
const OPEN_DECREASE: f64 = 1e-4;

/// Linear predictors beyond this have fitted probabilities that no data of realistic size can tell from 0 or 1.
const SEPARATED: f64 = 12.0;

/// Ratio of the largest to the smallest standard deviation of predictors that rounding starts to feel.
const UNSCALED: f64 = 1e4;

/// Something that a fit's numbers do not say by themselves.
#[derive(Debug, Clone, PartialEq)]
pub enum Diagnostic {
    /// The search ended although the deviance could fall further.
    NotConverged {
        /// By how much a Newton step promises to lower it; none without a positive definite Hessian.
        decrease: Option<f64>,
    },
    /// The deviance is flat or bent downward in some direction.
    NotIdentified {
        /// Its smallest second derivative.
        smallest: f64,
    },
    /// A variance is zero, or effects are perfectly correlated.
    Singular {
        /// The grouping factor.
        group: String,
        /// The effect that adds no direction of its own.
        effect: String,
    },
    /// Every Bernoulli row has random effects of its own.
    OneRowGroups {
        /// The grouping factor.
        group: String,
    },
    /// Fixed effects that run to infinity, since predictors tell the responses apart.
    Separation {
        /// The fixed effect that reaches furthest.
        name: String,
    },
    /// Predictors on scales too far apart.
    Unscaled {
        /// The one that varies most.
        widest: String,
        /// The one that varies least.
        narrowest: String,
    },
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotConverged { decrease: Some(decrease) } => write!(
                f,
                "the fit stopped early: the deviance could still fall by about {decrease:.1e}; raise `max_iterations`"
            ),
            Self::NotConverged { decrease: None } => {
                write!(f, "the fit stopped before the deviance was at a minimum; simplify the random effects")
            }
            Self::NotIdentified { smallest } => write!(
                f,
                "some parameters are not identified: the deviance is flat in a direction (second derivative \
                 {smallest:.1e}); standard errors hold the covariance parameters fixed"
            ),
            Self::Singular { group, effect } => write!(
                f,
                "singular fit: given the effects before it, `{effect}` does not vary between levels of `{group}`; \
                 a model without it, or without its correlations, fits as well"
            ),
            Self::OneRowGroups { group } => write!(
                f,
                "every Bernoulli row is a level of `{group}` of its own: its covariance is not identified by the \
                 data, and fitted values near the responses say nothing about the fit"
            ),
            Self::Separation { name } => write!(
                f,
                "predictors separate the responses: `{name}` runs to infinity and its standard error means nothing"
            ),
            Self::Unscaled { widest, narrowest } => {
                write!(f, "predictors are on very different scales (`{widest}` and `{narrowest}`); standardize them")
            }
        }
    }
}

/// All that applies to a fit, in the order of the enum.
pub(crate) fn diagnose(design: &Design, fit: &Fit) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let decrease = fit.curvature.possible_decrease();
    if decrease.is_some_and(|decrease| decrease > OPEN_DECREASE) || (decrease.is_none() && !fit.converged) {
        found.push(Diagnostic::NotConverged { decrease });
    }
    let singular = singular_components(fit);
    found.extend(not_identified(fit, singular.is_empty()));
    found.extend(singular);
    found.extend(one_row_groups(design, fit.family));
    found.extend(separation(fit));
    found.extend(unscaled(design));
    found
}

/// A curvature that is not above zero is news only where no component at zero explains it.
fn not_identified(fit: &Fit, is_regular: bool) -> Option<Diagnostic> {
    let (smallest, largest) = (fit.curvature.eigenvalues.first()?, fit.curvature.eigenvalues.last()?);
    let flat = *smallest <= 1e-10 * largest;
    (flat && is_regular).then_some(Diagnostic::NotIdentified { smallest: *smallest })
}

/// Diagonals of `Λ` that are zero against the largest entry of their term.
fn singular_components(fit: &Fit) -> Vec<Diagnostic> {
    let mut theta = fit.theta.as_slice();
    let mut found = Vec::new();
    for term in &fit.random {
        let size = term.effect_names.len();
        let (own, rest) = theta.split_at(size * (size + 1) / 2);
        theta = rest;
        let largest = own.iter().fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
        let mut at = 0;
        for (column, effect) in term.effect_names.iter().enumerate() {
            if own[at] <= 1e-4 * largest {
                found.push(Diagnostic::Singular { group: term.group.clone(), effect: effect.clone() });
            }
            at += size - column;
        }
    }
    found
}

fn one_row_groups(design: &Design, family: Family) -> Option<Diagnostic> {
    let is_bernoulli = matches!(family, Family::Binomial(_)) && design.response.weights.iter().all(|w| *w == 1.0);
    let one_row = |term: &&crate::RandomTerm| {
        let mut seen = vec![false; term.levels.len()];
        term.codes.iter().all(|&code| !std::mem::replace(&mut seen[code], true))
    };
    let term = design.random.iter().find(one_row)?;
    is_bernoulli.then(|| Diagnostic::OneRowGroups { group: term.group.clone() })
}

fn separation(fit: &Fit) -> Option<Diagnostic> {
    if !matches!(fit.family, Family::Binomial(_)) {
        return None;
    }
    let far = fit.population_predictor.iter().any(|eta| eta.abs() > SEPARATED);
    let (index, estimate) = fit.fixed.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    // Separated estimates stop where rounding does, with standard errors far beyond them.
    let uncertain = fit.std_errors_given_theta()[index] > estimate.abs();
    (far && uncertain).then(|| Diagnostic::Separation { name: fit.fixed_names[index].clone() })
}

fn unscaled(design: &Design) -> Option<Diagnostic> {
    let n_rows = design.fixed.nrows() as f64;
    let mut spreads = Vec::new();
    for (column, name) in design.fixed.columns().into_iter().zip(&design.fixed_names) {
        let mean = column.sum() / n_rows;
        let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n_rows;
        if variance > 0.0 {
            spreads.push((variance.sqrt(), name));
        }
    }
    let widest = spreads.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let narrowest = spreads.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let apart = widest.0 > UNSCALED * narrowest.0;
    apart.then(|| Diagnostic::Unscaled { widest: widest.1.clone(), narrowest: narrowest.1.clone() })
}
