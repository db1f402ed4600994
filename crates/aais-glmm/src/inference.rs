//! What the deviance's slopes and curvature say about the parameters.

use ndarray::Array2;

use crate::dense;
use crate::problem::Problem;

/// Slopes and curvature of the deviance where a search ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Curvature {
    /// Slopes in `(θ, β, log dispersion)`; those of `β` only where it was searched.
    pub gradient: Vec<f64>,
    /// Second derivatives, `(n, n)`; none if the deviance was not finite near the optimum.
    pub hessian: Option<Array2<f64>>,
    /// Its eigenvalues in rising order; empty if there is none.
    pub eigenvalues: Vec<f64>,
    n_theta: usize,
}

impl Curvature {
    pub(crate) fn new(n_theta: usize, gradient: Vec<f64>, hessian: Option<Vec<f64>>) -> Self {
        let n = gradient.len();
        let eigenvalues = hessian.as_deref().map(|hessian| eigenvalues(hessian, n)).unwrap_or_default();
        let square = |values| Array2::from_shape_vec((n, n), values).expect("the Hessian is square");
        Self { gradient, hessian: hessian.map(square), eigenvalues, n_theta }
    }

    /// How much a Newton step would still lower the deviance, `½ gᵀH⁻¹g`; none without a positive definite Hessian.
    pub fn possible_decrease(&self) -> Option<f64> {
        let n = self.gradient.len();
        let mut factor: Vec<f64> = self.hessian.as_ref()?.iter().copied().collect();
        dense::cholesky(&mut factor, n, n)?;
        let mut scaled = self.gradient.clone();
        dense::solve_lower(&factor, n, n, &mut scaled, 1);
        Some(0.5 * dense::dot(&scaled, &scaled))
    }
}

/// `2 H⁻¹` of the deviance's Hessian `H`, its block of the fixed effects, `(p, p)`.
///
/// Components at zero are held there: the deviance is even in them, so they say nothing about the others.
/// None if the deviance was not searched in the fixed effects or `H` is not positive definite.
pub(crate) fn fixed_covariance(
    curvature: &Curvature,
    problem: &Problem,
    theta: &[f64],
    n_fixed: usize,
) -> Option<Array2<f64>> {
    let hessian = curvature.hessian.as_ref()?;
    if hessian.nrows() < curvature.n_theta + n_fixed {
        return None;
    }
    let at_zero = |index: usize| problem.is_diagonal(index) && theta[index] == 0.0;
    let kept: Vec<usize> = (0..hessian.nrows()).filter(|&index| !at_zero(index)).collect();
    let n = kept.len();
    let mut factor: Vec<f64> =
        kept.iter().flat_map(|&row| kept.iter().map(move |&column| hessian[(row, column)])).collect();
    dense::cholesky(&mut factor, n, n)?;
    let inverse = dense::inverse(&factor, n, n);
    let first = kept.iter().position(|&index| index >= curvature.n_theta)?;
    let covariance = |(row, column): (usize, usize)| 2.0 * inverse[(first + row) * n + first + column];
    Some(Array2::from_shape_fn((n_fixed, n_fixed), covariance))
}

/// Eigenvalues of a symmetric `(n, n)` matrix in rising order, by Jacobi's rotations.
pub(crate) fn eigenvalues(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut matrix = matrix.to_vec();
    // Each sweep squares the share outside the diagonal once it is small; ten are plenty.
    for _ in 0..30 {
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            rotate(&mut matrix, n, p, q);
        }
    }
    let mut values: Vec<f64> = (0..n).map(|k| matrix[k * n + k]).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The rotation that makes the entry `(p, q)` zero.
fn rotate(matrix: &mut [f64], n: usize, p: usize, q: usize) {
    let off = matrix[p * n + q];
    if off == 0.0 {
        return;
    }
    let half = 0.5 * (matrix[q * n + q] - matrix[p * n + p]) / off;
    let tangent = half.signum() / (half.abs() + half.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..n {
        let (a, b) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = cosine * a - sine * b;
        matrix[k * n + q] = sine * a + cosine * b;
    }
    for k in 0..n {
        let (a, b) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = cosine * a - sine * b;
        matrix[q * n + k] = sine * a + cosine * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // The second difference on three points: 2 − 2 cos(k π / 4).
        let found = eigenvalues(&[2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0], 3);
        for (found, expected) in found.iter().zip([2.0 - 2.0_f64.sqrt(), 2.0, 2.0 + 2.0_f64.sqrt()]) {
            assert!((found - expected).abs() < 1e-14);
        }
    }
}
