//! The stages of a fit: least squares, the profiled deviance, the Laplace deviance, quadrature.

use crate::dense;
use crate::family::Family;
use crate::laplace::{Laplace, Point};
use crate::linear::Linear;
use crate::optimize::{Objective, Search, Stop, hessian};
use crate::pirls::{LAST_STEP, ROUGH_LAST_STEP, Unknowns};
use crate::problem::Problem;
use crate::start;
use crate::{Error, Result};

/// The profiled stage only has to start the next one well: this gain in the deviance is left to it.
const ROUGH_DECREASE: f64 = 0.1;

/// Gain in the deviance at which a search stops; a Newton step afterwards brings the rest.
const FINE_DECREASE: f64 = 1e-8;

/// Steps of difference quotients, as a share of a parameter's standard error: about the error of the Hessian. Gradients
/// are exact to rounding, which would be felt from a hundredth of this on.
const HESSIAN_STEP: f64 = 2e-5;

/// A diagonal of `Λ` below this is set to zero if the deviance rises by no more than rounding.
const VANISHING: f64 = 1e-3;
const SNAP_COST: f64 = 1e-8;

/// Where a search ended.
pub(crate) struct Outcome {
    pub point: Point,
    pub deviance: f64,
    /// Of what was minimized, in `(θ, β, log dispersion)`; `β` only where it was searched.
    pub gradient: Vec<f64>,
    /// Likewise, `(n, n)`.
    pub hessian: Option<Vec<f64>>,
    pub converged: bool,
}

/// A deviance that a search can minimize.
pub(crate) trait Stage: Objective {
    fn problem(&self) -> &Problem;

    /// The parameters that a searched vector stands for.
    fn point(&mut self, vector: &[f64]) -> Point;
}

/// The Laplace deviance in `(θ, β, log dispersion)`, or without `β` where it is profiled.
pub(crate) struct LaplaceStage<'a, 'p> {
    pub laplace: &'a mut Laplace<'p>,
    pub unknowns: Unknowns,
}

impl LaplaceStage<'_, '_> {
    pub(crate) fn unpack(&self, vector: &[f64]) -> Point {
        let problem = self.laplace.pirls.problem;
        let (theta, rest) = vector.split_at(problem.covariance.n_theta);
        let n_fixed = if self.unknowns == Unknowns::Random { problem.rows.n_fixed } else { 0 };
        let (beta, rest) = rest.split_at(n_fixed);
        Point { theta: theta.to_vec(), beta: beta.to_vec(), log_dispersion: rest.first().copied() }
    }
}

impl Objective for LaplaceStage<'_, '_> {
    fn value(&mut self, vector: &[f64]) -> Option<f64> {
        self.laplace.deviance(&self.unpack(vector), self.unknowns)
    }

    fn is_even(&self, index: usize) -> bool {
        self.laplace.pirls.problem.is_diagonal(index)
    }

    fn gradient(&mut self, vector: &[f64]) -> Vec<f64> {
        let gradient = self.laplace.gradient(&self.unpack(vector), self.unknowns);
        [gradient.theta, gradient.beta, gradient.log_dispersion.into_iter().collect()].concat()
    }
}

impl Stage for LaplaceStage<'_, '_> {
    fn problem(&self) -> &Problem {
        self.laplace.pirls.problem
    }

    fn point(&mut self, vector: &[f64]) -> Point {
        let beta = self.laplace.pirls.beta.clone();
        Point { beta, ..self.unpack(vector) }
    }
}

impl Objective for Linear<'_> {
    fn value(&mut self, vector: &[f64]) -> Option<f64> {
        self.deviance(vector)
    }

    fn gradient(&mut self, _vector: &[f64]) -> Vec<f64> {
        Linear::gradient(self)
    }

    fn is_even(&self, index: usize) -> bool {
        self.problem.is_diagonal(index)
    }
}

impl Stage for Linear<'_> {
    fn problem(&self) -> &Problem {
        self.problem
    }

    fn point(&mut self, vector: &[f64]) -> Point {
        Point { theta: vector.to_vec(), beta: self.beta.clone(), log_dispersion: None }
    }
}

/// Fits a linear mixed model; leaves the state at the optimum.
pub(crate) fn fit_linear(linear: &mut Linear, max_iterations: usize) -> Result<Outcome> {
    let theta = linear.problem.covariance.identity();
    let scale = start::covariance_scale(linear.problem, false);
    fit_from(linear, theta, scale, max_iterations)
}

/// The last stage of a fit alone, from a point near the optimum and with its inverse Hessian.
pub(crate) fn fit_from(
    stage: &mut impl Stage,
    vector: Vec<f64>,
    scale: Vec<f64>,
    max_iterations: usize,
) -> Result<Outcome> {
    let mut search = begin(stage, vector, scale)?;
    search.run(stage, Stop { decrease: FINE_DECREASE, max_iterations });
    Ok(finish(stage, search))
}

/// Minimizes the deviance with the fixed effects profiled out, as a fit of its own.
pub(crate) fn fit_profiled(laplace: &mut Laplace, family: Family, max_iterations: usize) -> Result<Outcome> {
    let mut stage = LaplaceStage { laplace, unknowns: Unknowns::Both };
    let mut search = begin_profiled(&mut stage, family)?;
    search.run(&mut stage, Stop { decrease: FINE_DECREASE, max_iterations });
    Ok(finish(&mut stage, search))
}

/// Minimizes the Laplace deviance in all parameters, from the profiled one's minimum.
pub(crate) fn fit_laplace(laplace: &mut Laplace, family: Family, max_iterations: usize) -> Result<Outcome> {
    laplace.pirls.last_step = ROUGH_LAST_STEP;
    let mut profiled = LaplaceStage { laplace, unknowns: Unknowns::Both };
    let mut search = begin_profiled(&mut profiled, family)?;
    search.run(&mut profiled, Stop { decrease: ROUGH_DECREASE, max_iterations });
    // The last trial may not have been the best.
    search.value = profiled.value(&search.point).unwrap_or(search.value);
    let Point { theta, beta, log_dispersion } = profiled.point(&search.point);

    let diverged = || Error::Diverged { theta: theta.clone() };
    let border = laplace.pirls.fixed_border().ok_or_else(diverged)?;
    let scale = start::full_scale(laplace.pirls.problem, &search.inverse_hessian, &border);
    let vector = [theta.clone(), beta, log_dispersion.into_iter().collect()].concat();
    laplace.pirls.last_step = LAST_STEP;
    fit_from(&mut LaplaceStage { laplace, unknowns: Unknowns::Random }, vector, scale, max_iterations)
}

fn begin_profiled(stage: &mut LaplaceStage, family: Family) -> Result<Search> {
    let problem = stage.laplace.pirls.problem;
    stage.laplace.pirls.beta = start::fixed_effects(problem, family);
    let mut vector = problem.covariance.identity();
    vector.extend(start::log_dispersion(problem, family));
    begin(stage, vector, start::covariance_scale(problem, family.has_dispersion()))
}

fn begin(stage: &mut impl Stage, vector: Vec<f64>, scale: Vec<f64>) -> Result<Search> {
    let theta = vector[..stage.problem().covariance.n_theta].to_vec();
    Search::start(stage, vector, scale).ok_or(Error::Diverged { theta })
}

/// Puts vanishing components to zero, turns the columns of `Λ`, takes the Hessian and a last Newton step.
fn finish(stage: &mut impl Stage, mut search: Search) -> Outcome {
    snap(stage, &mut search);
    let steps: Vec<f64> = (0..search.point.len()).map(|index| difference_step(&search, index)).collect();
    let hessian = hessian(stage, &search, &steps);
    if let Some(hessian) = &hessian {
        newton_step(stage, &mut search, hessian);
    }
    // The state of the stage is where it was last evaluated.
    search.value = stage.value(&search.point).unwrap_or(search.value);
    search.gradient = stage.gradient(&search.point);
    Outcome {
        point: stage.point(&search.point),
        deviance: search.value,
        gradient: search.gradient,
        hessian,
        converged: search.converged,
    }
}

fn difference_step(search: &Search, index: usize) -> f64 {
    let n = search.point.len();
    let std_error = (2.0 * search.inverse_hessian[index * n + index]).sqrt();
    HESSIAN_STEP * std_error.clamp(1e-4, search.point[index].abs().max(1.0))
}

/// Turns the columns of `Λ` so that no diagonal is negative, and puts those that are nearly zero exactly there.
fn snap(stage: &mut impl Stage, search: &mut Search) {
    let n_theta = stage.problem().covariance.n_theta;
    let before = search.point.clone();
    let turned = stage.problem().covariance.with_nonnegative_diagonal(&search.point[..n_theta]);
    search.point[..n_theta].copy_from_slice(&turned);
    for index in 0..n_theta {
        if stage.is_even(index) && search.point[index] < VANISHING {
            let mut point = search.point.clone();
            point[index] = 0.0;
            if let Some(value) = stage.value(&point).filter(|value| *value <= search.value + SNAP_COST) {
                (search.point, search.value) = (point, value);
            }
        }
    }
    if search.point != before && stage.value(&search.point).is_some() {
        search.gradient = stage.gradient(&search.point);
    }
}

/// Newton's step where the Hessian is positive definite, kept if the deviance does not rise beyond rounding.
fn newton_step(stage: &mut impl Stage, search: &mut Search, hessian: &[f64]) {
    let n = search.point.len();
    let mut factor = hessian.to_vec();
    if dense::cholesky(&mut factor, n, n).is_none() {
        return;
    }
    let mut step: Vec<f64> = search.gradient.iter().map(|slope| -slope).collect();
    dense::solve_lower(&factor, n, n, &mut step, 1);
    dense::solve_upper(&factor, n, n, &mut step, 1);
    // A component at zero stays there: its slope is zero up to rounding.
    let mut moved = search.point.clone();
    for (index, step) in step.into_iter().enumerate() {
        if !(moved[index] == 0.0 && stage.is_even(index)) {
            moved[index] += step;
        }
    }
    let limit = search.value + 1e-12 * search.value.abs();
    if let Some(reached) = stage.value(&moved).filter(|reached| *reached <= limit) {
        (search.point, search.value) = (moved, reached);
    }
}
