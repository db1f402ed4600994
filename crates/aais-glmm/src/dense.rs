//! Small dense matrices, row by row in slices.
//!
//! No vector instructions beyond the baseline are chosen at run time, so that every machine computes the same bits.

/// Columns whose sums are kept together: as many as the baseline's registers hold for two rows.
const STRIP: usize = 8;

/// Columns for which each row is read once.
const PANEL: usize = 4 * STRIP;

type Strip = [f64; STRIP];

/// Replaces the lower triangle of an `(n, n)` matrix, whose rows are `stride` apart, by its Cholesky factor.
///
/// `None` if the matrix is not positive definite.
pub(crate) fn cholesky(values: &mut [f64], n: usize, stride: usize) -> Option<()> {
    if n == 1 {
        return cholesky_small(values, 0, 1, stride);
    }
    let mut panel: Vec<Strip> = Vec::new();
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        if start > 0 {
            fill_panel(&mut panel, &values[start * stride..], 0..start, end - start, stride);
            subtract_products(&mut values[start * stride..], &panel, start..end, n - start, stride);
        }
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
        let current = &mut below[start..=row];
        let (last, earlier) = current.split_last_mut()?;
        if start < row {
            solve_row(&above[start * stride + start..], earlier, stride);
        }
        *last -= earlier.iter().map(|value| value * value).sum::<f64>();
        if !(*last > 0.0 && last.is_finite()) {
            return None;
        }
        *last = last.sqrt();
    }
    Some(())
}

/// `x ← x L⁻ᵀ` for one short row `x` and the lower triangle that `factor` begins with.
fn solve_row(factor: &[f64], x: &mut [f64], stride: usize) {
    for column in 0..x.len() {
        let row = &factor[column * stride..=column * stride + column];
        let known: f64 = row.iter().zip(&x[..column]).map(|(a, b)| a * b).sum();
        x[column] = (x[column] - known) / row[column];
    }
}

/// Subtracts from the columns `own` of every row the products of what stands before them with the panel.
fn subtract_products(values: &mut [f64], panel: &[Strip], own: std::ops::Range<usize>, n_rows: usize, stride: usize) {
    let mut rows = values.chunks_mut(stride).take(n_rows);
    while let Some(first) = rows.next() {
        let (done, rest) = first[..own.end].split_at_mut(own.start);
        match rows.next() {
            Some(second) => {
                let (other, other_rest) = second[..own.end].split_at_mut(own.start);
                let targets = rest.chunks_mut(STRIP).zip(other_rest.chunks_mut(STRIP));
                for (strips, (target, other_target)) in panel.chunks(own.start).zip(targets) {
                    let [sums, other_sums] = two_products([done, other], strips);
                    subtract(target, &sums);
                    subtract(other_target, &other_sums);
                }
            }
            None => {
                for (strips, target) in panel.chunks(own.start).zip(rest.chunks_mut(STRIP)) {
                    subtract(target, &two_products([done, done], strips)[0]);
                }
            }
        }
    }
}

fn subtract(values: &mut [f64], sums: &Strip) {
    values.iter_mut().zip(sums).for_each(|(value, sum)| *value -= sum);
}

/// Two rows times a strip of columns. This loop is where large factorizations spend their time.
fn two_products([a, b]: [&[f64]; 2], strips: &[Strip]) -> [Strip; 2] {
    let mut sums = [[0.0; STRIP]; 2];
    for ((strip, a), b) in strips.iter().zip(a).zip(b) {
        for lane in 0..STRIP {
            sums[0][lane] += a * strip[lane];
            sums[1][lane] += b * strip[lane];
        }
    }
    sums
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

/// `y ← y + factor x`.
pub(crate) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Solves `L x = b` in place; `x` is `(n, width)`, row by row.
pub(crate) fn solve_lower(factor: &[f64], n: usize, stride: usize, x: &mut [f64], width: usize) {
    if width == 1 {
        for row in 0..n {
            let known = dot(&factor[row * stride..row * stride + row], &x[..row]);
            x[row] = (x[row] - known) / factor[row * stride + row];
        }
        return;
    }
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
    if width == 1 {
        for row in (0..n).rev() {
            x[row] /= factor[row * stride + row];
            let (above, current) = x.split_at_mut(row);
            add_scaled(above, -current[0], &factor[row * stride..row * stride + row]);
        }
        return;
    }
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
    if n == 1 {
        return vec![1.0 / (factor[0] * factor[0])];
    }
    let upper = upper_inverse(factor, n, stride);
    let mut inverse = vec![0.0; n * n];
    let mut panel: Vec<Strip> = Vec::new();
    for start in (0..n).step_by(PANEL) {
        // Entry (i, k) of L⁻ᵀL⁻¹ sums over the columns of L⁻ᵀ from max(i, k) on.
        let end = (start + PANEL).min(n);
        fill_panel(&mut panel, &upper[start * n..], start..n, end - start, n);
        for row in (start..n).step_by(2) {
            let next = (row + 1).min(n - 1);
            let pair = [row, next].map(|row_of| &upper[row_of * n + row..(row_of + 1) * n]);
            for (strips, first) in panel.chunks(n - start).zip((start..end).step_by(STRIP)) {
                let sums = two_products(pair, &strips[row - start..]);
                let width = (end - first).min(STRIP);
                for (row, sums) in [row, next].into_iter().zip(sums) {
                    inverse[row * n + first..row * n + first + width].copy_from_slice(&sums[..width]);
                }
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

/// `L⁻ᵀ`, `(n, n)`, a panel of its rows at a time.
fn upper_inverse(factor: &[f64], n: usize, stride: usize) -> Vec<f64> {
    let mut upper = vec![0.0; n * n];
    for start in (0..n).step_by(PANEL) {
        let width = (n - start).min(PANEL);
        let mut panel: Vec<Vec<Strip>> = vec![Vec::with_capacity(n - start); width.div_ceil(STRIP)];
        for row in (start..n).step_by(2) {
            let next = (row + 1).min(n - 1);
            let pair = [row, next].map(|row_of| &factor[row_of * stride + start..row_of * stride + row]);
            for (index, strips) in panel.iter_mut().enumerate() {
                let first_column = start + index * STRIP;
                let [first, mut second] = two_products(pair, strips);
                let solved = solve_unit(first, row.checked_sub(first_column), factor[row * stride + row]);
                strips.push(solved);
                if next > row {
                    let link = factor[next * stride + row];
                    second.iter_mut().zip(solved).for_each(|(sum, value)| *sum += link * value);
                    let pivot = factor[next * stride + next];
                    strips.push(solve_unit(second, next.checked_sub(first_column), pivot));
                }
            }
        }
        for lane in 0..width {
            let row = &mut upper[(start + lane) * n + start..(start + lane + 1) * n];
            row.iter_mut().zip(&panel[lane / STRIP]).for_each(|(value, strip)| *value = strip[lane % STRIP]);
        }
    }
    upper
}

/// `(e − known) / pivot`, where `e` has a one at `index` if that is within the strip.
fn solve_unit(known: Strip, index: Option<usize>, pivot: f64) -> Strip {
    let mut solved = known.map(|sum| -sum);
    if let Some(unit) = index.and_then(|index| solved.get_mut(index)) {
        *unit += 1.0;
    }
    solved.map(|value| value / pivot)
}

/// Rows side by side, over a range of their columns: strip after strip of eight rows.
fn fill_panel(panel: &mut Vec<Strip>, rows: &[f64], columns: std::ops::Range<usize>, n_rows: usize, stride: usize) {
    panel.clear();
    panel.resize(columns.len() * n_rows.div_ceil(STRIP), [0.0; STRIP]);
    for (index, row) in rows.chunks(stride).take(n_rows).enumerate() {
        let strips = &mut panel[index / STRIP * columns.len()..];
        for (strip, value) in strips.iter_mut().zip(&row[columns.clone()]) {
            strip[index % STRIP] = *value;
        }
    }
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
        for n in [1, 2, 3, 7, 8, 9, 10, 31, 32, 33, 131] {
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
