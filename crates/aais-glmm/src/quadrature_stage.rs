//! The last stage with quadrature: from the Laplace optimum, by function values alone.
//!
//! In coordinates that make the Laplace deviance's Hessian the identity, the two functions differ by little.

use bobyqa::{Bobyqa, Config};

use crate::dense;
use crate::laplace::{Laplace, Point};
use crate::quadrature::{ProductRule, deviance};
use crate::stages::Outcome;
use crate::start;
use crate::{Error, Result};

/// First and last trust radius, in units of the whitened coordinates: standard errors over `√2`.
const FIRST_RADIUS: f64 = 0.3;
const LAST_RADIUS: f64 = 1e-3;

/// How far a coordinate may go from the Laplace optimum.
const BOUND: f64 = 1e3;

/// Step of difference quotients in whitened coordinates: the truncation is its square, rounding 1e-12 over it squared.
const STEP: f64 = 0.03;

/// A deviance in whitened coordinates around a point.
struct Whitened<'a, 'p> {
    laplace: &'a mut Laplace<'p>,
    rule: &'a ProductRule,
    centre: Vec<f64>,
    /// The lower triangle `L` of the Hessian at the centre: the point is `centre + L⁻ᵀ z`.
    factor: Vec<f64>,
}

/// Minimizes the quadrature's deviance from the Laplace optimum; leaves the state at its minimum.
pub(crate) fn fit_quadrature(laplace: &mut Laplace, rule: &ProductRule, from: Outcome, max: usize) -> Result<Outcome> {
    let Point { theta, beta, log_dispersion } = from.point;
    let centre = [theta.clone(), beta, log_dispersion.into_iter().collect()].concat();
    let n = centre.len();
    let factor = from.hessian.and_then(|mut hessian| dense::cholesky(&mut hessian, n, n).map(|()| hessian));
    // Without a positive definite Hessian, a tenth of each unit is the best guess there is.
    let factor = factor.unwrap_or_else(|| start::diagonal(&vec![10.0; n]));
    let mut whitened = Whitened { laplace, rule, centre, factor };

    let mut best = vec![0.0; n];
    let mut config = Config::new(n);
    (config.rho_begin, config.rho_end, config.max_fun) = (FIRST_RADIUS, LAST_RADIUS, max * n);
    let setting = |_| Error::Setting { name: "max_iterations", value: max as f64, expected: "ten or more" };
    let mut solver = Bobyqa::new(n, config).map_err(setting)?;
    let outcome =
        solver.minimize(|z| whitened.value(z).unwrap_or(f64::INFINITY), &mut best, &vec![-BOUND; n], &vec![BOUND; n]);
    let (gradient, hessian) = whitened.differences(&best);
    let (best, gradient) = whitened.polish(best, gradient, &hessian);

    let diverged = Error::Diverged { theta };
    let deviance = whitened.value(&best).ok_or(diverged)?;
    Ok(Outcome {
        point: whitened.point(&best),
        deviance,
        gradient: whitened.original_gradient(&gradient),
        hessian: whitened.original_hessian(&hessian),
        converged: outcome.status == bobyqa::Status::Converged,
    })
}

impl Whitened<'_, '_> {
    fn vector(&self, z: &[f64]) -> Vec<f64> {
        let n = z.len();
        let mut vector = z.to_vec();
        dense::solve_upper(&self.factor, n, n, &mut vector, 1);
        dense::add_scaled(&mut vector, 1.0, &self.centre);
        vector
    }

    fn point(&self, z: &[f64]) -> Point {
        let problem = self.laplace.pirls.problem;
        let vector = self.vector(z);
        let (theta, rest) = vector.split_at(problem.covariance.n_theta);
        let (beta, rest) = rest.split_at(problem.rows.n_fixed);
        let theta = problem.covariance.with_nonnegative_diagonal(theta);
        Point { theta, beta: beta.to_vec(), log_dispersion: rest.first().copied() }
    }

    fn value(&mut self, z: &[f64]) -> Option<f64> {
        let point = self.point(z);
        deviance(self.laplace, &point, self.rule)
    }

    /// Gradient and Hessian by central differences; not numbers where the deviance is not finite.
    fn differences(&mut self, z: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = z.len();
        let mut at = |moves: &[(usize, f64)]| {
            let mut moved = z.to_vec();
            moves.iter().for_each(|(index, step)| moved[*index] += step * STEP);
            self.value(&moved).unwrap_or(f64::NAN)
        };
        let centre = at(&[]);
        let sides: Vec<(f64, f64)> = (0..n).map(|index| (at(&[(index, 1.0)]), at(&[(index, -1.0)]))).collect();
        let gradient = sides.iter().map(|(above, below)| (above - below) / (2.0 * STEP)).collect();
        let mut hessian = vec![0.0; n * n];
        for row in 0..n {
            let curvature = |(above, below): (f64, f64)| above + below - 2.0 * centre;
            hessian[row * n + row] = curvature(sides[row]) / (STEP * STEP);
            for column in 0..row {
                let corners = at(&[(row, 1.0), (column, 1.0)]) + at(&[(row, -1.0), (column, -1.0)]);
                let mixed = corners - 2.0 * centre - curvature(sides[row]) - curvature(sides[column]);
                hessian[row * n + column] = mixed / (2.0 * STEP * STEP);
                hessian[column * n + row] = hessian[row * n + column];
            }
        }
        (gradient, hessian)
    }

    /// Newton's step, if the Hessian is positive definite and the deviance falls; with the gradient left afterwards.
    fn polish(&mut self, z: Vec<f64>, gradient: Vec<f64>, hessian: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = z.len();
        let mut factor = hessian.to_vec();
        let before = self.value(&z);
        if dense::cholesky(&mut factor, n, n).is_none() {
            return (z, gradient);
        }
        let mut step: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        dense::solve_lower(&factor, n, n, &mut step, 1);
        dense::solve_upper(&factor, n, n, &mut step, 1);
        let mut moved = z.clone();
        dense::add_scaled(&mut moved, 1.0, &step);
        match (self.value(&moved), before) {
            (Some(reached), Some(before)) if reached <= before + 1e-12 * before.abs() => {
                let slope = |index: usize| {
                    let at = |whitened: &mut Self, sign: f64| {
                        let mut point = moved.clone();
                        point[index] += sign * STEP;
                        whitened.value(&point).unwrap_or(f64::NAN)
                    };
                    (at(self, 1.0) - at(self, -1.0)) / (2.0 * STEP)
                };
                let gradient = (0..n).map(slope).collect();
                (moved, gradient)
            }
            _ => (z, gradient),
        }
    }

    /// `g = L g_z`.
    fn original_gradient(&self, gradient: &[f64]) -> Vec<f64> {
        let n = gradient.len();
        (0..n).map(|row| dense::dot(&self.factor[row * n..=row * n + row], &gradient[..=row])).collect()
    }

    /// `H = L H_z Lᵀ`.
    fn original_hessian(&self, hessian: &[f64]) -> Option<Vec<f64>> {
        let n = self.centre.len();
        let left = |row: usize, column: usize| {
            (0..=row).map(|k| self.factor[row * n + k] * hessian[k * n + column]).sum::<f64>()
        };
        let entry =
            |row: usize, column: usize| (0..=column).map(|k| left(row, k) * self.factor[column * n + k]).sum::<f64>();
        let original: Vec<f64> = (0..n * n).map(|index| entry(index / n, index % n)).collect();
        original.iter().all(|entry| entry.is_finite()).then_some(original)
    }
}
