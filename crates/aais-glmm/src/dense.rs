//! Small dense matrices, row by row in slices.
//!
//! No vector instructions beyond the baseline are chosen at run time, so that every machine computes the same bits.

/// Rows of a panel of the blocked Cholesky factorization: its columns stay in the nearest cache.
const PANEL: usize = 48;

/// Replaces the lower triangle of an `(n, n)` matrix, whose rows are `stride` apart, by its Cholesky factor.
///
/// `None` if the matrix is not positive definite.
pub(crate) fn cholesky(values: &mut [f64], n: usize, stride: usize) -> Option<()> {
    if n <= PANEL {
        return cholesky_small(values, 0, n, stride);
    }
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        subtract_products(values, start, end, n, stride);
        cholesky_small(values, start, end, stride)?;
        for row in end..n {
            let (above, below) = values.split_at_mut(row * stride);
            solve_row(&above[start * stride + start..], &mut below[start..end], stride);
        }
    }
    Some(())
}

/// The factor of the square block `start..end`, whose earlier columns are already subtracted.
fn cholesky_small(values: &mut [f64], start: usize, end: usize, stride: usize) -> Option<()> {
    for row in start..end {
        let (above, below) = values.split_at_mut(row * stride);
        let current = &mut below[..=row];
        for column in start..row {
            let done = &above[column * stride + start..=column * stride + column];
            let product: f64 = dot(&done[..column - start], &current[start..column]);
            current[column] = (current[column] - product) / done[column - start];
        }
        let pivot = current[row] - dot(&current[start..row], &current[start..row]);
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        current[row] = pivot.sqrt();
    }
    Some(())
}

/// `x ← x L⁻ᵀ` for one row `x` and the lower triangle that `factor` begins with.
fn solve_row(factor: &[f64], x: &mut [f64], stride: usize) {
    for column in 0..x.len() {
        let row = &factor[column * stride..=column * stride + column];
        x[column] = (x[column] - dot(&row[..column], &x[..column])) / row[column];
    }
}

/// Subtracts the products of columns before `start` from the columns `start..end` of all rows from `start` on.
fn subtract_products(values: &mut [f64], start: usize, end: usize, n: usize, stride: usize) {
    if start == 0 {
        return;
    }
    // The panel's own rows are read while others change.
    let panel: Vec<f64> = (start..end).flat_map(|row| values[row * stride..row * stride + start].to_vec()).collect();
    let width = end - start;
    for row in start..n {
        let (finished, rest) = values[row * stride..row * stride + end].split_at_mut(start);
        let mut column = 0;
        while column + 4 <= width {
            let four = [0, 1, 2, 3].map(|k| &panel[(column + k) * start..(column + k + 1) * start]);
            for (target, product) in rest[column..column + 4].iter_mut().zip(dot4(finished, four)) {
                *target -= product;
            }
            column += 4;
        }
        for column in column..width {
            rest[column] -= dot(finished, &panel[column * start..(column + 1) * start]);
        }
    }
}

/// `Σ aᵢ bᵢ` in four interleaved sums.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a_fours.iter().zip(b_fours) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// The products of one vector with four others of its length.
fn dot4(a: &[f64], b: [&[f64]; 4]) -> [f64; 4] {
    let b = b.map(|b| &b[..a.len()]);
    let mut sums = [[0.0; 2]; 4];
    let (pairs, rest) = a.as_chunks::<2>();
    let b_pairs = b.map(|b| b.as_chunks::<2>().0);
    for (index, pair) in pairs.iter().enumerate() {
        for k in 0..4 {
            let other = b_pairs[k][index];
            sums[k][0] += pair[0] * other[0];
            sums[k][1] += pair[1] * other[1];
        }
    }
    let mut products = sums.map(|[even, odd]| even + odd);
    if let [last] = rest {
        for k in 0..4 {
            products[k] += last * b[k][a.len() - 1];
        }
    }
    products
}

/// `y ← y + factor x`.
pub(crate) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Solves `L x = b` in place; `x` is `(n, width)`, row by row.
pub(crate) fn solve_lower(factor: &[f64], n: usize, stride: usize, x: &mut [f64], width: usize) {
    for row in 0..n {
        let (done, rest) = x.split_at_mut(row * width);
        let current = &mut rest[..width];
        for column in 0..row {
            add_scaled(current, -factor[row * stride + column], &done[column * width..(column + 1) * width]);
        }
        let pivot = factor[row * stride + row];
        current.iter_mut().for_each(|value| *value /= pivot);
    }
}

/// Solves `Lᵀ x = b` in place; `x` is `(n, width)`, row by row.
pub(crate) fn solve_upper(factor: &[f64], n: usize, stride: usize, x: &mut [f64], width: usize) {
    for row in (0..n).rev() {
        let (above, rest) = x.split_at_mut(row * width);
        let current = &mut rest[..width];
        let pivot = factor[row * stride + row];
        current.iter_mut().for_each(|value| *value /= pivot);
        for column in 0..row {
            let entry = factor[row * stride + column];
            add_scaled(&mut above[column * width..(column + 1) * width], -entry, current);
        }
    }
}

/// `(L Lᵀ)⁻¹` in full, `(n, n)`, from a factor whose rows are `stride` apart.
pub(crate) fn inverse(factor: &[f64], n: usize, stride: usize) -> Vec<f64> {
    // Rows of L⁻¹, each a combination of the rows before it.
    let mut lower = vec![0.0; n * n];
    for row in 0..n {
        let (done, rest) = lower.split_at_mut(row * n);
        let current = &mut rest[..=row];
        for column in 0..row {
            let entry = -factor[row * stride + column];
            add_scaled(&mut current[..=column], entry, &done[column * n..=column * n + column]);
        }
        let pivot = factor[row * stride + row];
        current[row] = 1.0;
        current.iter_mut().for_each(|value| *value /= pivot);
    }
    let mut inverse = vec![0.0; n * n];
    for done in lower.chunks(n.max(1)) {
        for (row, &entry) in done.iter().enumerate() {
            if entry != 0.0 {
                add_scaled(&mut inverse[row * n..=row * n + row], entry, &done[..=row]);
            }
        }
    }
    for row in 0..n {
        for column in 0..row {
            inverse[column * n + row] = inverse[row * n + column];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A well-conditioned matrix without structure: a Gram matrix of sines plus its order.
    fn example(n: usize) -> Vec<f64> {
        let rows: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|k| ((i * n + k) as f64).sin()).collect()).collect();
        let mut values = vec![0.0; n * n];
        for i in 0..n {
            for k in 0..n {
                values[i * n + k] = dot(&rows[i], &rows[k]) + if i == k { n as f64 } else { 0.0 };
            }
        }
        values
    }

    #[test]
    fn the_inverse_times_the_matrix_is_the_identity() {
        for n in [1, 2, 3, 47, 48, 49, 131] {
            let matrix = example(n);
            let mut factor = matrix.clone();
            cholesky(&mut factor, n, n).unwrap();
            let inverse = inverse(&factor, n, n);
            for i in 0..n {
                for k in 0..n {
                    let product: f64 = (0..n).map(|j| matrix[i * n + j] * inverse[j * n + k]).sum();
                    let expected = if i == k { 1.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{n}: {product}"); // Condition number below 10.
                }
            }
        }
    }

    #[test]
    fn triangular_solves_invert_the_factor() {
        let n = 60;
        let matrix = example(n);
        let mut factor = matrix.clone();
        cholesky(&mut factor, n, n).unwrap();
        let mut x: Vec<f64> = (0..2 * n).map(|k| (k as f64).cos()).collect();
        let right = x.clone();
        solve_lower(&factor, n, n, &mut x, 2);
        solve_upper(&factor, n, n, &mut x, 2);
        for i in 0..n {
            for k in 0..2 {
                let product: f64 = (0..n).map(|j| matrix[i * n + j] * x[j * 2 + k]).sum();
                assert!((product - right[i * 2 + k]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        assert_eq!(cholesky(&mut [1.0, 2.0, 2.0, 1.0], 2, 2), None);
        assert_eq!(cholesky(&mut [f64::NAN], 1, 1), None);
    }
}
