//! The entries of `H⁻¹` where `H` has entries: all that variances of modes and derivatives of `log det H` need.
//! Takahashi, Fagan & Chin (1973); Erisman & Tinney (1975), doi:10.1145/360680.360704.

use crate::cholesky::Cholesky;
use crate::dense;
use crate::pattern::Pattern;

/// Blocks of `H⁻¹` on a [`Pattern`]; the dense part is full, not a triangle.
#[derive(Debug, Clone, Default)]
pub(crate) struct SelectedInverse {
    pub values: Vec<f64>,
    square: Vec<f64>,
}

impl SelectedInverse {
    /// Computes the blocks from a factor, last node first.
    pub(crate) fn fill(&mut self, factor: &Cholesky, pattern: &Pattern) {
        self.values.clear();
        self.values.extend_from_slice(&factor.values);
        let (start, order) = (pattern.dense_start, pattern.dense_order);
        let dense = dense::inverse(&factor.values[start..], order, order);
        self.values[start..].copy_from_slice(&dense);
        for node in (0..pattern.n_listed).rev() {
            self.invert(node, factor, pattern);
        }
    }

    /// `Z_bj = −Z_bb B L⁻¹` below the diagonal and `Z_jj = (L Lᵀ)⁻¹ − (B L⁻¹)ᵀ Z_bj` on it.
    fn invert(&mut self, node: usize, factor: &Cholesky, pattern: &Pattern) {
        let size = pattern.sizes[node];
        let start = pattern.diagonal[node];
        let end = pattern.diagonal.get(node + 1).copied().unwrap_or(pattern.dense_start);
        let (diagonal, below) = factor.values[start..end].split_at(size * size);
        let mut block = dense::inverse(diagonal, size, size);

        if !below.is_empty() {
            let mut coefficients = below.to_vec();
            for row in coefficients.chunks_mut(size) {
                for k in (0..size).rev() {
                    let known: f64 = (k + 1..size).map(|i| row[i] * diagonal[i * size + k]).sum();
                    row[k] = (row[k] - known) / diagonal[k * size + k];
                }
            }
            let n_below = coefficients.len() / size;
            self.gather(node, n_below, pattern);
            let target = start + size * size;
            for row in 0..n_below {
                let weights = &self.square[row * n_below..(row + 1) * n_below];
                for k in 0..size {
                    let column = coefficients[k..].iter().step_by(size);
                    let product: f64 = weights.iter().zip(column).map(|(a, b)| a * b).sum();
                    self.values[target + row * size + k] = -product;
                }
            }
            for row in 0..size {
                for column in 0..size {
                    let left = coefficients[row..].iter().step_by(size);
                    let right = self.values[target + column..end].iter().step_by(size);
                    block[row * size + column] -= left.zip(right).map(|(a, b)| a * b).sum::<f64>();
                }
            }
        }
        self.values[start..start + size * size].copy_from_slice(&block);
    }

    /// The square of `H⁻¹` over the nodes below one, into `square`.
    fn gather(&mut self, node: usize, n_below: usize, pattern: &Pattern) {
        let nodes = &pattern.below[pattern.below_starts[node]..pattern.below_starts[node + 1]];
        let n_listed = nodes.partition_point(|below| (*below as usize) < pattern.n_listed);
        self.square.resize(n_below * n_below, 0.0);
        let mut targets = pattern.targets[pattern.target_starts[node]..].iter();
        let mut first = 0;
        for (index, &column) in nodes[..n_listed].iter().enumerate() {
            let columns = pattern.sizes[column as usize];
            let mut at = first;
            for (&row, &place) in nodes[index..].iter().zip(&mut targets) {
                let rows = pattern.sizes[row as usize];
                for (i, k) in (0..rows).flat_map(|i| (0..columns).map(move |k| (i, k))) {
                    let value = self.values[place as usize + i * columns + k];
                    self.square[(at + i) * n_below + first + k] = value;
                    self.square[(first + k) * n_below + at + i] = value;
                }
                at += rows;
            }
            first += columns;
        }
        let offset = pattern.dense_scalar();
        let scalars = &pattern.scalars_below(node)[first..];
        for (row, &scalar) in scalars.iter().enumerate() {
            let start = pattern.dense_start + (scalar as usize - offset) * pattern.dense_order;
            let from = &self.values[start..start + pattern.dense_order];
            let to = &mut self.square[(first + row) * n_below + first..][..scalars.len()];
            for (value, &column) in to.iter_mut().zip(scalars) {
                *value = from[column as usize - offset];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::covariance::Covariance;
    use crate::crossproducts::{Crossproducts, for_each_effect};
    use crate::rows::{Factor, Rows};
    use proptest::prelude::*;

    /// Rows with `groups[row][factor]` and smooth effects.
    fn rows(groups: &[[u32; 3]], n_factors: usize, sizes: &[usize]) -> Rows {
        let n_effects = sizes.iter().sum();
        let mut groups: Vec<Vec<u32>> = groups.iter().map(|g| g[..n_factors].to_vec()).collect();
        groups.sort();
        let n_rows = groups.len();
        Rows {
            n_fixed: 0,
            n_effects,
            n_factors,
            fixed: Vec::new(),
            effects: (0..n_rows * n_effects).map(|k| 1.0 + (k as f64).sin()).collect(),
            groups: groups.concat(),
            offset: vec![0.0; n_rows],
            response: vec![0.0; n_rows],
            weights: vec![1.0; n_rows],
            copies: vec![1.0; n_rows],
            n_used: n_rows,
            within: 0.0,
        }
    }

    fn factors(levels: &[usize], sizes: &[usize]) -> Vec<Factor> {
        let factor = |(&levels, &size): (&usize, &usize)| Factor {
            size,
            group_of_level: (0..levels as u32).collect(),
            copies: vec![1.0; levels],
        };
        levels.iter().zip(sizes).map(factor).collect()
    }

    /// `H` in full, from its definition.
    fn dense_system(rows: &Rows, pattern: &Pattern, lambda: &crate::covariance::RelativeFactor) -> Vec<f64> {
        let n = pattern.n_scalars();
        let mut full_lambda = vec![0.0; n * n];
        for node in 0..pattern.n_nodes() {
            let (start, size) = (pattern.starts[node], pattern.sizes[node]);
            for (i, k) in (0..size).flat_map(|i| (0..size).map(move |k| (i, k))) {
                full_lambda[(start + i) * n + start + k] = lambda.blocks[pattern.factors[node]][i * size + k];
            }
        }
        let mut system = vec![0.0; n * n];
        (0..n).for_each(|k| system[k * n + k] = 1.0);
        for row in 0..rows.len() {
            let mut scaled = vec![0.0; n];
            for_each_effect(rows, pattern, row, |scalar, effect| {
                (0..n).for_each(|k| scaled[k] += effect * full_lambda[scalar * n + k]);
            });
            for (i, k) in (0..n).flat_map(|i| (0..n).map(move |k| (i, k))) {
                system[i * n + k] += rows.weights[row] * scaled[i] * scaled[k];
            }
        }
        system
    }

    proptest! {
        #[test]
        fn factor_and_selected_inverse_agree_with_dense_algebra(
            groups in prop::collection::vec([0_u32..7, 0_u32..4, 0_u32..3], 5..40),
            n_factors in 1_usize..4,
            sizes in [1_usize..4, 1_usize..3, 1_usize..3],
        ) {
            let (levels, sizes) = (&[7, 4, 3][..n_factors], &sizes[..n_factors]);
            let rows = rows(&groups, n_factors, sizes);
            let pattern = Pattern::new(&rows, &factors(levels, sizes)).unwrap();
            let covariance = Covariance::new(sizes, &(0..n_factors).collect::<Vec<_>>(), n_factors);
            let theta: Vec<f64> = (0..covariance.n_theta).map(|k| 0.7 + 0.3 * (k as f64).cos()).collect();
            let lambda = covariance.relative_factor(&theta);

            let mut products = Crossproducts::default();
            products.fill_random(&rows, &pattern, &rows.weights);
            let mut factor = Cholesky::default();
            factor.factor(&products.random, &lambda, &pattern).unwrap();
            let mut selected = SelectedInverse::default();
            selected.fill(&factor, &pattern);

            let n = pattern.n_scalars();
            let system = dense_system(&rows, &pattern, &lambda);
            let mut dense_factor = system.clone();
            dense::cholesky(&mut dense_factor, n, n).unwrap();
            let log_det: f64 = (0..n).map(|k| 2.0 * dense_factor[k * n + k].ln()).sum();
            prop_assert!((factor.log_det - log_det).abs() < 1e-10 * log_det.abs().max(1.0));

            let mut x: Vec<f64> = (0..n).map(|k| (k as f64).cos()).collect();
            let right = x.clone();
            factor.solve_lower(&pattern, &mut x, 1);
            factor.solve_upper(&pattern, &mut x, 1);
            for i in 0..n {
                let product = dense::dot(&system[i * n..(i + 1) * n], &x);
                prop_assert!((product - right[i]).abs() < 1e-9, "{product} {}", right[i]);
            }

            let inverse = dense::inverse(&dense_factor, n, n);
            let pairs = (0..pattern.n_nodes()).flat_map(|a| (0..=a).map(move |b| (a, b)));
            for (later, earlier) in pairs {
                let listed = earlier < pattern.n_listed;
                let span = || pattern.below_starts[earlier]..pattern.below_starts[earlier + 1];
                if listed && later != earlier && !pattern.below[span()].contains(&(later as u32)) {
                    continue;
                }
                let (place, stride) = (pattern.place(later, earlier), pattern.stride(earlier));
                for (i, k) in (0..pattern.sizes[later]).flat_map(|i| (0..pattern.sizes[earlier]).map(move |k| (i, k))) {
                    let expected = inverse[(pattern.starts[later] + i) * n + pattern.starts[earlier] + k];
                    let found = selected.values[place + i * stride + k];
                    prop_assert!((found - expected).abs() < 1e-10, "{found} {expected}"); // H exceeds the identity.
                }
            }
        }
    }
}
