//! What a fit minimizes, at parameters of one's own.

use crate::family::{Family, Normalizer, check_response};
use crate::laplace::{Laplace, Point};
use crate::linear::Linear;
use crate::pirls::Unknowns;
use crate::problem::Problem;
use crate::quadrature::{self, ProductRule};
use crate::settings::{Approximation, Parameters, Settings};
use crate::{Design, Error, Result, start};

/// `−2 log L` of a model at given parameters, or the REML criterion, with every constant.
///
/// The fixed effects are profiled out where `parameters` has none: at the joint mode, as [`Approximation::ProfiledLaplace`]
/// does, and always for Gaussian models, whose profile is exact.
///
/// # Errors
/// Those of [`crate::fit`], or a list of parameters of another length than the model's.
pub fn deviance(design: &Design, family: Family, settings: &Settings, parameters: &Parameters) -> Result<f64> {
    let problem = prepare(design, family, settings)?;
    check_parameters(&problem, family, parameters)?;
    let diverged = Error::Diverged { theta: parameters.theta.clone() };
    if family == Family::Gaussian {
        let mut linear = Linear::new(&problem, settings.criterion, &design.response.weights);
        return linear.deviance(&parameters.theta).ok_or(diverged);
    }
    let mut laplace = Laplace::new(&problem, family, settings.information, Normalizer::new(family, &design.response));
    let point = Point {
        theta: parameters.theta.clone(),
        beta: parameters.fixed.clone(),
        log_dispersion: parameters.dispersion.map(f64::ln),
    };
    if point.beta.is_empty() {
        laplace.pirls.beta = start::fixed_effects(&problem, family);
        return laplace.deviance(&point, Unknowns::Both).ok_or(diverged);
    }
    let value = match settings.approximation {
        Approximation::Quadrature { n_nodes } => {
            quadrature::deviance(&mut laplace, &point, &ProductRule::new(&problem, n_nodes)?)
        }
        _ => laplace.deviance(&point, Unknowns::Random),
    };
    value.ok_or(diverged)
}

/// Checks everything that can be checked before a search, and arranges the design.
pub(crate) fn prepare(design: &Design, family: Family, settings: &Settings) -> Result<Problem> {
    if let Approximation::Quadrature { n_nodes } = settings.approximation
        && !(1..=200).contains(&n_nodes)
    {
        return Err(Error::Setting { name: "n_nodes", value: n_nodes as f64, expected: "1 to 200" });
    }
    check_response(family, &design.response)?;
    let problem = Problem::new(design)?;
    let (n_used, n_fixed) = (problem.rows.n_used, problem.rows.n_fixed);
    if n_used <= n_fixed {
        let part = "rows with a positive weight, for these fixed effects".into();
        return Err(Error::Size { part, expected: n_fixed + 1, found: n_used });
    }
    Ok(problem)
}

fn check_parameters(problem: &Problem, family: Family, parameters: &Parameters) -> Result<()> {
    let size = |part: &str, expected: usize, found: usize| {
        if expected == found { Ok(()) } else { Err(Error::Size { part: part.into(), expected, found }) }
    };
    size("theta", problem.covariance.n_theta, parameters.theta.len())?;
    if !parameters.fixed.is_empty() {
        size("the fixed effects", problem.rows.n_fixed, parameters.fixed.len())?;
    }
    match parameters.dispersion {
        Some(value) if !(value > 0.0 && value.is_finite()) => {
            Err(Error::Setting { name: "dispersion", value, expected: "a number above zero" })
        }
        None if family.has_dispersion() => size("dispersions", 1, 0),
        _ => Ok(()),
    }
}
