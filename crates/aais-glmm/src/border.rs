//! The fixed effects' part of the normal equations: `R_ZX = L⁻¹ΛᵀZᵀWX` and `R_XᵀR_X = XᵀWX − R_ZXᵀR_ZX`.

use crate::cholesky::Cholesky;
use crate::covariance::RelativeFactor;
use crate::crossproducts::Crossproducts;
use crate::dense;
use crate::problem::Problem;

/// The rows of the factor that the fixed effects add below the random ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Border {
    /// `(scalars, p)`, row by row.
    pub mixed: Vec<f64>,
    /// The lower triangle `R_Xᵀ`, `(p, p)`.
    pub fixed: Vec<f64>,
}

impl Border {
    /// `None` if `X` has no full rank under these weights.
    pub(crate) fn factor(
        &mut self,
        problem: &Problem,
        products: &Crossproducts,
        lambda: &RelativeFactor,
        factor: &Cholesky,
    ) -> Option<()> {
        let n_fixed = problem.rows.n_fixed;
        if n_fixed == 0 {
            return Some(());
        }
        self.mixed.clone_from(&products.mixed);
        scale_rows(problem, lambda, &mut self.mixed, n_fixed);
        factor.solve_lower(&problem.pattern, &mut self.mixed, n_fixed);

        self.fixed.clone_from(&products.fixed);
        for (row, copies) in self.mixed.chunks(n_fixed.max(1)).zip(scalar_copies(problem)) {
            for index in 0..n_fixed {
                let target = &mut self.fixed[index * n_fixed..=index * n_fixed + index];
                dense::add_scaled(target, -copies * row[index], row);
            }
        }
        dense::cholesky(&mut self.fixed, n_fixed, n_fixed)
    }

    /// Solves the normal equations of both kinds of effects in place.
    pub(crate) fn solve(&self, problem: &Problem, factor: &Cholesky, random: &mut [f64], fixed: &mut [f64]) {
        let n_fixed = problem.rows.n_fixed;
        factor.solve_lower(&problem.pattern, random, 1);
        for ((row, copies), value) in self.mixed.chunks(n_fixed.max(1)).zip(scalar_copies(problem)).zip(&*random) {
            dense::add_scaled(fixed, -copies * value, row);
        }
        dense::solve_lower(&self.fixed, n_fixed, n_fixed, fixed, 1);
        dense::solve_upper(&self.fixed, n_fixed, n_fixed, fixed, 1);
        for (row, value) in self.mixed.chunks(n_fixed.max(1)).zip(&mut *random) {
            *value -= dense::dot(row, fixed);
        }
        factor.solve_upper(&problem.pattern, random, 1);
    }

    /// `(R_XᵀR_X)⁻¹`, the fixed effects' covariance at a dispersion of one with `θ` held, `(p, p)`.
    pub(crate) fn covariance(&self, n_fixed: usize) -> Vec<f64> {
        dense::inverse(&self.fixed, n_fixed, n_fixed)
    }

    /// `log det R_XᵀR_X`.
    pub(crate) fn log_det(&self, n_fixed: usize) -> f64 {
        2.0 * (0..n_fixed).map(|k| self.fixed[k * n_fixed + k].ln()).sum::<f64>()
    }
}

/// `Λᵀ` times a matrix with a row for each scalar.
pub(crate) fn scale_rows(problem: &Problem, lambda: &RelativeFactor, matrix: &mut [f64], width: usize) {
    for (factor, block) in lambda.blocks.iter().enumerate() {
        let size = problem.factors[factor].size;
        let span = problem.scalars(factor);
        for rows in matrix[span.start * width..span.end * width].chunks_mut((size * width).max(1)) {
            for column in 0..size {
                let (current, later) = rows[column * width..].split_at_mut(width);
                current.iter_mut().for_each(|value| *value *= block[column * size + column]);
                for (row, values) in (column + 1..size).zip(later.chunks(width.max(1))) {
                    dense::add_scaled(current, block[row * size + column], values);
                }
            }
        }
    }
}

/// For each scalar, how many equal groups it stands for.
fn scalar_copies(problem: &Problem) -> impl Iterator<Item = f64> {
    let pattern = &problem.pattern;
    pattern.copies.iter().zip(&pattern.sizes).flat_map(|(copies, size)| std::iter::repeat_n(*copies, *size))
}
