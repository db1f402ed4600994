//! Where searches start.

use crate::border::Border;
use crate::crossproducts::Crossproducts;
use crate::dense;
use crate::family::Family;
use crate::problem::Problem;

/// Fixed effects by least squares on the linked responses, moved off the edge of their range.
pub(crate) fn fixed_effects(problem: &Problem, family: Family) -> Vec<f64> {
    let rows = &problem.rows;
    let linked = |row: usize| {
        let (y, weight) = (rows.response[row], rows.weights[row]);
        let inside = match family {
            Family::Gaussian | Family::Gamma => y,
            Family::Binomial(_) => (weight * y + 0.5) / (weight + 1.0),
            Family::Poisson | Family::NegativeBinomial => y + 0.1,
        };
        weight * (family.link(inside) - rows.offset[row])
    };
    let mut beta = problem.fixed_products(&(0..rows.len()).map(linked).collect::<Vec<f64>>());
    let mut products = Crossproducts::default();
    products.fill_fixed(rows, &problem.pattern, &rows.weights);
    let n_fixed = rows.n_fixed;
    match dense::cholesky(&mut products.fixed, n_fixed, n_fixed) {
        Some(()) => {
            dense::solve_lower(&products.fixed, n_fixed, n_fixed, &mut beta, 1);
            dense::solve_upper(&products.fixed, n_fixed, n_fixed, &mut beta, 1);
            beta
        }
        None => vec![0.0; n_fixed],
    }
}

/// Size or shape by moments of all responses, as if they had one mean.
pub(crate) fn log_dispersion(problem: &Problem, family: Family) -> Option<f64> {
    let rows = &problem.rows;
    let weights = || rows.weights.iter().zip(&rows.copies).map(|(weight, copies)| weight * copies);
    let total: f64 = weights().sum();
    let mean = weights().zip(&rows.response).map(|(weight, y)| weight * y).sum::<f64>() / total;
    let squares: f64 = weights().zip(&rows.response).map(|(weight, y)| weight * (y - mean).powi(2)).sum();
    let variance = (squares + rows.within) / total;
    let dispersion = match family {
        Family::NegativeBinomial => mean * mean / (variance - mean),
        Family::Gamma => mean * mean / variance,
        _ => return None,
    };
    // Neither a Poisson response nor a constant one may start the search at infinity.
    Some(if dispersion > 0.0 { dispersion.clamp(0.1, 100.0).ln() } else { 100.0_f64.ln() })
}

/// A guess at the inverse Hessian of the deviance in `(θ, log dispersion)`, `(n, n)`.
///
/// Known effects would have `4 n` as the curvature in the logarithm of their standard deviation.
pub(crate) fn covariance_scale(problem: &Problem, has_dispersion: bool) -> Vec<f64> {
    let levels = |factor: usize| problem.factors[factor].copies.iter().sum::<f64>();
    let mut scales: Vec<f64> = problem.entries.iter().map(|entry| 0.25 / levels(entry.factor)).collect();
    if has_dispersion {
        scales.push(1.0 / problem.rows.n_used as f64);
    }
    diagonal(&scales)
}

/// The guess in `(θ, β, log dispersion)`: what the profiled search has learned, beside half the fixed effects'
/// covariance.
pub(crate) fn full_scale(problem: &Problem, learned: &[f64], border: &Border) -> Vec<f64> {
    let (n_theta, n_fixed) = (problem.covariance.n_theta, problem.rows.n_fixed);
    let n_learned = learned.len().isqrt();
    let n = n_learned + n_fixed;
    let mut scale = vec![0.0; n * n];
    let place = |index: usize| if index < n_theta { index } else { index + n_fixed };
    for (row, values) in learned.chunks(n_learned.max(1)).enumerate() {
        for (column, value) in values.iter().enumerate() {
            scale[place(row) * n + place(column)] = *value;
        }
    }
    for (row, values) in border.covariance(n_fixed).chunks(n_fixed.max(1)).enumerate() {
        for (column, value) in values.iter().enumerate() {
            scale[(n_theta + row) * n + n_theta + column] = 0.5 * value;
        }
    }
    scale
}

/// A matrix with these on its diagonal, `(n, n)`.
pub(crate) fn diagonal(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut matrix = vec![0.0; n * n];
    values.iter().enumerate().for_each(|(index, value)| matrix[index * n + index] = *value);
    matrix
}
