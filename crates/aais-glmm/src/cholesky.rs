//! The sparse Cholesky factor of the penalized least squares system, `H = ΛᵀZᵀWZΛ + I`.
//! Bates et al. (2015), Section 3, doi:10.18637/jss.v067.i01.

use crate::covariance::RelativeFactor;
use crate::dense;
use crate::pattern::Pattern;

/// `L` with `L Lᵀ = ΛᵀZᵀWZΛ + I`, on a [`Pattern`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Cholesky {
    pub values: Vec<f64>,
    /// `log det H` over all groups.
    pub log_det: f64,
    scratch: Vec<f64>,
}

impl Cholesky {
    /// Factors `H` anew; `None` if a weight or an entry of `Λ` is not finite.
    pub(crate) fn factor(&mut self, random: &[f64], lambda: &RelativeFactor, pattern: &Pattern) -> Option<()> {
        self.scale(random, lambda, pattern);
        self.log_det = 0.0;
        for node in 0..pattern.n_listed {
            self.eliminate(node, pattern)?;
        }
        let (start, order) = (pattern.dense_start, pattern.dense_order);
        dense::cholesky(&mut self.values[start..], order, order)?;
        let pivots = (0..order).map(|k| self.values[start + k * order + k].ln());
        self.log_det = 2.0 * (self.log_det + pivots.sum::<f64>());
        self.log_det.is_finite().then_some(())
    }

    /// `ΛᵀZᵀWZΛ + I`.
    fn scale(&mut self, random: &[f64], lambda: &RelativeFactor, pattern: &Pattern) {
        self.values.clear();
        self.values.extend_from_slice(random);
        let scalars: Vec<f64> = lambda.blocks.iter().filter(|block| block.len() == 1).map(|block| block[0]).collect();
        if scalars.len() == lambda.blocks.len() {
            self.scale_scalars(&scalars, pattern);
            return;
        }
        for node in 0..pattern.n_listed {
            self.scale_block(pattern.diagonal[node], (node, node), lambda, pattern);
            for index in pattern.below_starts[node]..pattern.below_starts[node + 1] {
                let (later, place) = (pattern.below[index] as usize, pattern.below_places[index] as usize);
                self.scale_block(place, (later, node), lambda, pattern);
            }
        }
        for later in pattern.n_listed..pattern.n_nodes() {
            for earlier in pattern.n_listed..=later {
                self.scale_block(pattern.place(later, earlier), (later, earlier), lambda, pattern);
            }
        }
    }

    /// The same where every factor has one effect.
    fn scale_scalars(&mut self, lambda: &[f64], pattern: &Pattern) {
        for node in 0..pattern.n_listed {
            let own = lambda[pattern.factors[node]];
            let start = pattern.diagonal[node];
            self.values[start] = own * own * self.values[start] + 1.0;
            let later = &pattern.below[pattern.below_starts[node]..pattern.below_starts[node + 1]];
            for (value, &later) in self.values[start + 1..].iter_mut().zip(later) {
                *value *= own * lambda[pattern.factors[later as usize]];
            }
        }
        let order = pattern.dense_order;
        for row in 0..order {
            let own = lambda[pattern.factors[pattern.n_listed + row]];
            let values = &mut self.values[pattern.dense_start + row * order..][..=row];
            for (value, &factor) in values.iter_mut().zip(&pattern.factors[pattern.n_listed..]) {
                *value *= own * lambda[factor];
            }
            values[row] += 1.0;
        }
    }

    /// `A ← Λ_aᵀ A Λ_b` for the block of two nodes, plus the identity on the diagonal.
    fn scale_block(
        &mut self,
        place: usize,
        (later, earlier): (usize, usize),
        lambda: &RelativeFactor,
        pattern: &Pattern,
    ) {
        let (rows, columns) = (pattern.sizes[later], pattern.sizes[earlier]);
        let (left, right) = (&lambda.blocks[pattern.factors[later]], &lambda.blocks[pattern.factors[earlier]]);
        let stride = pattern.stride(earlier);
        if rows == 1 && columns == 1 {
            let unit = f64::from(u8::from(later == earlier));
            self.values[place] = left[0] * self.values[place] * right[0] + unit;
            return;
        }
        let block = &mut self.values[place..place + (rows - 1) * stride + columns];
        if later == earlier {
            for row in 0..rows {
                for column in row + 1..columns {
                    block[row * stride + column] = block[column * stride + row];
                }
            }
        }
        // Λ is lower triangular: entry (k, c) with k ≥ c; rows and columns are overwritten in rising order.
        for row in 0..rows {
            for column in 0..columns {
                let terms = (column..columns).map(|k| block[row * stride + k] * right[k * columns + column]);
                block[row * stride + column] = terms.sum();
            }
        }
        for row in 0..rows {
            for column in 0..columns {
                let terms = (row..rows).map(|k| left[k * rows + row] * block[k * stride + column]);
                block[row * stride + column] = terms.sum();
            }
        }
        if later == earlier {
            (0..rows).for_each(|k| block[k * stride + k] += 1.0);
        }
    }

    /// Factors a listed node and takes its part out of the nodes below.
    fn eliminate(&mut self, node: usize, pattern: &Pattern) -> Option<()> {
        let size = pattern.sizes[node];
        let span = pattern.below_starts[node]..pattern.below_starts[node + 1];
        let start = pattern.diagonal[node];
        let end = pattern.diagonal.get(node + 1).copied().unwrap_or(pattern.dense_start);

        let (column, later) = self.values[start..].split_at_mut(end - start);
        dense::cholesky(&mut column[..size * size], size, size)?;
        let pivots = (0..size).map(|k| column[k * size + k].ln());
        self.log_det += pattern.copies[node] * pivots.sum::<f64>();
        if span.is_empty() {
            return Some(());
        }
        let (diagonal, below) = column.split_at_mut(size * size);
        for row in below.chunks_mut(size) {
            for k in 0..size {
                let known = dense::dot(&diagonal[k * size..k * size + k], &row[..k]);
                row[k] = (row[k] - known) / diagonal[k * size + k];
            }
        }

        let nodes = &pattern.below[span];
        let n_listed = nodes.partition_point(|below| (*below as usize) < pattern.n_listed);
        let mut targets = pattern.targets[pattern.target_starts[node]..].iter();
        let mut first = 0;
        for (index, &column_node) in nodes[..n_listed].iter().enumerate() {
            let column_size = pattern.sizes[column_node as usize];
            let left = &below[first..first + column_size * size];
            let mut at = first;
            for (&row_node, &target) in nodes[index..].iter().zip(&mut targets) {
                let row_size = pattern.sizes[row_node as usize];
                let right = &below[at..at + row_size * size];
                subtract_block(&mut later[target as usize - end..], column_size, right, left, size);
                at += row_size * size;
            }
            first += column_size * size;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&below[first..]);
        self.subtract_dense(&pattern.scalars_below(node)[first / size..], size, pattern);
        Some(())
    }

    /// Takes the products of the rows in `scratch`, those of dense scalars, out of the dense triangle.
    fn subtract_dense(&mut self, scalars: &[u32], size: usize, pattern: &Pattern) {
        let (Some(&low), Some(&high)) = (scalars.first(), scalars.last()) else { return };
        let (first, order) = (pattern.dense_scalar(), pattern.dense_order);
        let is_run = (high - low) as usize + 1 == scalars.len();
        for (index, &scalar) in scalars.iter().enumerate() {
            let left = &self.scratch[index * size..(index + 1) * size];
            let start = pattern.dense_start + (scalar as usize - first) * order;
            let row = &mut self.values[start..start + order];
            if size == 1 && is_run {
                let from = low as usize - first;
                dense::add_scaled(&mut row[from..=from + index], -left[0], &self.scratch);
            } else if size == 1 {
                for (&other, right) in scalars[..=index].iter().zip(&self.scratch) {
                    row[other as usize - first] -= left[0] * right;
                }
            } else {
                for (&other, right) in scalars[..=index].iter().zip(self.scratch.chunks(size)) {
                    row[other as usize - first] -= dense::dot(left, right);
                }
            }
        }
    }

    /// Solves `L x = b` in place; `x` is `(scalars, width)`.
    pub(crate) fn solve_lower(&self, pattern: &Pattern, x: &mut [f64], width: usize) {
        for node in 0..pattern.n_listed {
            let (size, end) = (pattern.sizes[node], pattern.starts[node + 1]);
            let (done, later) = x.split_at_mut(end * width);
            let current = &mut done[pattern.starts[node] * width..];
            dense::solve_lower(&self.values[pattern.diagonal[node]..], size, size, current, width);
            let block = self.values[pattern.block_below(node)].chunks(size);
            for (row, &scalar) in block.zip(pattern.scalars_below(node)) {
                let at = (scalar as usize - end) * width;
                match &mut later[at..at + width] {
                    [value] => *value -= dense::dot(row, current),
                    values => {
                        for (entry, from) in row.iter().zip(current.chunks(width)) {
                            dense::add_scaled(values, -entry, from);
                        }
                    }
                }
            }
        }
        let (order, rest) = (pattern.dense_order, &mut x[pattern.dense_scalar() * width..]);
        dense::solve_lower(&self.values[pattern.dense_start..], order, order, rest, width);
    }

    /// Solves `Lᵀ x = b` in place; `x` is `(scalars, width)`.
    pub(crate) fn solve_upper(&self, pattern: &Pattern, x: &mut [f64], width: usize) {
        let (order, rest) = (pattern.dense_order, &mut x[pattern.dense_scalar() * width..]);
        dense::solve_upper(&self.values[pattern.dense_start..], order, order, rest, width);
        for node in (0..pattern.n_listed).rev() {
            let (size, end) = (pattern.sizes[node], pattern.starts[node + 1]);
            let (done, later) = x.split_at_mut(end * width);
            let current = &mut done[pattern.starts[node] * width..];
            let block = self.values[pattern.block_below(node)].chunks(size);
            for (row, &scalar) in block.zip(pattern.scalars_below(node)) {
                let from = &later[(scalar as usize - end) * width..][..width];
                for (entry, values) in row.iter().zip(current.chunks_mut(width)) {
                    dense::add_scaled(values, -entry, from);
                }
            }
            dense::solve_upper(&self.values[pattern.diagonal[node]..], size, size, current, width);
        }
    }
}

/// `T ← T − A Bᵀ` for blocks whose rows have `size` numbers; rows of `T` are `stride` apart.
fn subtract_block(target: &mut [f64], stride: usize, a: &[f64], b: &[f64], size: usize) {
    for (row, left) in a.chunks(size).enumerate() {
        for (value, right) in target[row * stride..].iter_mut().zip(b.chunks(size)) {
            *value -= dense::dot(left, right);
        }
    }
}
