//! Small dense systems.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Slice};

/// Some rows of a matrix.
pub(crate) fn rows(matrix: &Array2<f64>, rows: Range<usize>) -> ArrayView2<'_, f64> {
    matrix.slice_axis(Axis(0), Slice::from(rows))
}

/// A block of a matrix, to write to.
pub(crate) fn block_mut(matrix: &mut Array2<f64>, rows: Range<usize>, columns: Range<usize>) -> ArrayViewMut2<'_, f64> {
    let mut view = matrix.view_mut();
    view.slice_axis_inplace(Axis(0), Slice::from(rows));
    view.slice_axis_inplace(Axis(1), Slice::from(columns));
    view
}

/// Lower Cholesky factor of a symmetric matrix; `None` if it is not positive definite.
pub(crate) fn cholesky(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let mut factor = Array2::<f64>::zeros((n, n));
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| factor[(row, k)] * factor[(column, k)]).sum();
            let rest = matrix[(row, column)] - known;
            if row == column {
                let is_positive = rest > 0.0; // A NaN is not.
                if !is_positive {
                    return None;
                }
                factor[(row, row)] = rest.sqrt();
            } else {
                factor[(row, column)] = rest / factor[(column, column)];
            }
        }
    }
    Some(factor)
}

/// `L⁻¹ v`.
pub(crate) fn solve_lower(factor: &Array2<f64>, vector: ArrayView1<f64>) -> Array1<f64> {
    let mut solution = vector.to_owned();
    for row in 0..solution.len() {
        let known: f64 = (0..row).map(|k| factor[(row, k)] * solution[k]).sum();
        solution[row] = (solution[row] - known) / factor[(row, row)];
    }
    solution
}

/// `L⁻ᵀ v`.
pub(crate) fn solve_upper(factor: &Array2<f64>, vector: ArrayView1<f64>) -> Array1<f64> {
    let mut solution = vector.to_owned();
    for row in (0..solution.len()).rev() {
        let known: f64 = (row + 1..solution.len()).map(|k| factor[(k, row)] * solution[k]).sum();
        solution[row] = (solution[row] - known) / factor[(row, row)];
    }
    solution
}

/// `(L Lᵀ)⁻¹ M`.
pub(crate) fn solve(factor: &Array2<f64>, matrix: &Array2<f64>) -> Array2<f64> {
    let mut solution = matrix.clone();
    for mut column in solution.columns_mut() {
        let half = solve_lower(factor, column.view());
        column.assign(&solve_upper(factor, half.view()));
    }
    solution
}
