//! A model's deviance in all its parameters, `(θ, β, log dispersion)`; for linear models `(θ, log σ)` with `β` solved.

use ndarray::Array2;

use crate::dense;
use crate::family::Normalizer;
use crate::laplace::Laplace;
use crate::linear::Linear;
use crate::optimize::{Objective, Search, hessian};
use crate::pirls::Unknowns;
use crate::problem::Problem;
use crate::quadrature::{self, ProductRule};
use crate::stages::LaplaceStage;
use crate::start::diagonal;
use crate::{Approximation, Criterion, Design, Family, Fit, Result};

use super::held::Held;

/// Step of difference quotients where there are no exact gradients, in standard errors: the truncation is its square,
/// rounding 1e-12 over it.
const STEP: f64 = 1e-3;

/// Step of the Hessian's differences, which only starts searches.
const HESSIAN_STEP: f64 = 1e-4;

pub(super) struct Surface<'a> {
    pub problem: &'a Problem,
    kind: Kind<'a>,
    /// A fixed effect of a linear model and its value.
    pub held: Option<(usize, f64)>,
}

enum Kind<'a> {
    Linear(Box<Linear<'a>>),
    Laplace(Box<Laplace<'a>>),
    Quadrature { laplace: Box<Laplace<'a>>, rule: ProductRule, steps: Vec<f64> },
}

impl<'a> Surface<'a> {
    pub(super) fn new(problem: &'a Problem, design: &Design, fit: &Fit) -> Result<Self> {
        let laplace = || {
            let normalizer = Normalizer::new(fit.family, &design.response);
            Box::new(Laplace::new(problem, fit.family, fit.settings.information, normalizer))
        };
        let kind = match (fit.family, fit.settings.approximation) {
            (Family::Gaussian, _) => {
                let weights = &design.response.weights;
                Kind::Linear(Box::new(Linear::new(problem, Criterion::MaximumLikelihood, weights)))
            }
            (_, Approximation::Quadrature { n_nodes }) => {
                let rule = ProductRule::new(problem, n_nodes)?;
                let vector = vector(fit);
                let curvature = inverse(fit.curvature.hessian.as_ref(), vector.len());
                let n = vector.len();
                let steps = (0..n).map(|k| STEP * (2.0 * curvature[k * n + k]).sqrt()).collect();
                Kind::Quadrature { laplace: laplace(), rule, steps }
            }
            _ => Kind::Laplace(laplace()),
        };
        Ok(Self { problem, kind, held: None })
    }

    /// The inverse of the Hessian at the estimate, or a guess where it is not positive definite, `(n, n)`.
    pub(super) fn inverse_hessian(&mut self, fit: &Fit, at: &[f64]) -> Option<Vec<f64>> {
        let n = at.len();
        if !matches!(self.kind, Kind::Linear(_)) {
            return Some(inverse(fit.curvature.hessian.as_ref(), n));
        }
        let search = Search::start(self, at.to_vec(), Vec::new())?;
        let steps: Vec<f64> = at.iter().map(|value| HESSIAN_STEP * value.abs().max(0.1)).collect();
        let hessian = hessian(self, &search, &steps).and_then(|values| Array2::from_shape_vec((n, n), values).ok());
        Some(inverse(hessian.as_ref(), n))
    }

    pub(super) fn n_evaluations(&self) -> usize {
        match &self.kind {
            Kind::Linear(linear) => linear.n_evaluations,
            Kind::Laplace(laplace) | Kind::Quadrature { laplace, .. } => laplace.n_evaluations,
        }
    }
}

impl Objective for Surface<'_> {
    fn value(&mut self, vector: &[f64]) -> Option<f64> {
        match &mut self.kind {
            Kind::Linear(linear) => linear_deviance(linear, vector, self.held),
            Kind::Laplace(laplace) => LaplaceStage { laplace, unknowns: Unknowns::Random }.value(vector),
            Kind::Quadrature { laplace, rule, .. } => quadrature_deviance(laplace, rule, vector),
        }
    }

    fn gradient(&mut self, vector: &[f64]) -> Vec<f64> {
        match &mut self.kind {
            Kind::Linear(linear) => {
                let variance = (2.0 * vector[vector.len() - 1]).exp();
                let mut gradient = linear.slopes(variance);
                gradient.push(2.0 * (linear.freedom() - linear.penalized / variance));
                gradient
            }
            Kind::Laplace(laplace) => LaplaceStage { laplace, unknowns: Unknowns::Random }.gradient(vector),
            Kind::Quadrature { laplace, rule, steps } => {
                let mut slope = |(index, step): (usize, &f64)| {
                    let mut at = |step: f64| {
                        let mut moved = vector.to_vec();
                        moved[index] += step;
                        quadrature_deviance(laplace, rule, &moved).unwrap_or(f64::NAN)
                    };
                    (at(*step) - at(-step)) / (2.0 * step)
                };
                steps.iter().enumerate().map(&mut slope).collect()
            }
        }
    }

    fn is_even(&self, index: usize) -> bool {
        self.problem.is_diagonal(index)
    }
}

/// A surface on which one quantity has a value.
pub(super) struct HeldSurface<'s, 'a> {
    pub surface: &'s mut Surface<'a>,
    pub held: &'s Held,
    pub value: f64,
}

impl Objective for HeldSurface<'_, '_> {
    fn value(&mut self, free: &[f64]) -> Option<f64> {
        self.surface.value(&self.held.apply(self.value, free))
    }

    fn gradient(&mut self, free: &[f64]) -> Vec<f64> {
        let gradient = self.surface.gradient(&self.held.apply(self.value, free));
        self.held.pull_back(self.value, free, gradient)
    }

    fn is_even(&self, index: usize) -> bool {
        self.surface.is_even(index)
    }
}

/// The parameters of a fit as a vector.
pub(super) fn vector(fit: &Fit) -> Vec<f64> {
    match fit.family {
        Family::Gaussian => [fit.theta.as_slice(), &[fit.dispersion.scale().ln()]].concat(),
        _ => {
            let log_dispersion = fit.dispersion.parameter().map(f64::ln);
            [fit.theta.as_slice(), &fit.fixed, log_dispersion.as_slice()].concat()
        }
    }
}

/// `log det H + N log(2πσ²) + r² / σ² − Σ log w`.
fn linear_deviance(linear: &mut Linear, vector: &[f64], held: Option<(usize, f64)>) -> Option<f64> {
    let (log_std, theta) = vector.split_last()?;
    linear.solve(theta)?;
    if let Some((index, value)) = held {
        hold(linear, index, value);
    }
    let variance = (2.0 * log_std).exp();
    let rows = linear.freedom() * (std::f64::consts::TAU.ln() + 2.0 * log_std);
    let deviance = linear.factor.log_det + rows + linear.penalized / variance - linear.log_weights;
    deviance.is_finite().then_some(deviance)
}

/// Moves the solution to the least `r²` with one fixed effect held: the others follow along its column of
/// `(R_XᵀR_X)⁻¹`, the modes along them.
fn hold(linear: &mut Linear, index: usize, value: f64) {
    let n_fixed = linear.problem.rows.n_fixed;
    let covariance = linear.border.covariance(n_fixed);
    let column = &covariance[index * n_fixed..(index + 1) * n_fixed];
    let shift = (value - linear.beta[index]) / column[index];
    dense::add_scaled(&mut linear.beta, shift, column);
    linear.beta[index] = value;

    linear.modes.clone_from(&linear.random_response);
    linear.problem.scale_transposed(&linear.lambda, &mut linear.modes);
    linear.factor.solve_lower(&linear.problem.pattern, &mut linear.modes, 1);
    for (mode, row) in linear.modes.iter_mut().zip(linear.border.mixed.chunks(n_fixed)) {
        *mode -= dense::dot(row, &linear.beta);
    }
    linear.factor.solve_upper(&linear.problem.pattern, &mut linear.modes, 1);
    linear.set_residuals();
}

fn quadrature_deviance(laplace: &mut Laplace, rule: &ProductRule, vector: &[f64]) -> Option<f64> {
    let covariance = &laplace.pirls.problem.covariance;
    let mut turned = vector.to_vec();
    let theta = covariance.with_nonnegative_diagonal(&vector[..covariance.n_theta]);
    turned[..theta.len()].copy_from_slice(&theta);
    let point = LaplaceStage { laplace, unknowns: Unknowns::Random }.unpack(&turned);
    quadrature::deviance(laplace, &point, rule)
}

/// `H⁻¹`, or the inverse of its diagonal where it is not positive definite, or the identity without it.
fn inverse(hessian: Option<&Array2<f64>>, n: usize) -> Vec<f64> {
    let Some(hessian) = hessian.filter(|hessian| hessian.nrows() == n) else {
        return diagonal(&vec![1.0; n]);
    };
    let mut factor: Vec<f64> = hessian.iter().copied().collect();
    match dense::cholesky(&mut factor, n, n) {
        Some(()) => dense::inverse(&factor, n, n),
        None => {
            let invert = |curvature: &f64| if *curvature > 0.0 { 1.0 / curvature } else { 1.0 };
            diagonal(&hessian.diag().iter().map(invert).collect::<Vec<f64>>())
        }
    }
}
