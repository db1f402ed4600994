//! A design made ready for fitting, and the products with `X`, `Z` and `Λ` that every objective needs.

use crate::check::check;
use crate::covariance::{Covariance, RelativeFactor, ThetaEntry};
use crate::dense;
use crate::pattern::Pattern;
use crate::rows::{Arranged, Factor, Rows, arrange};
use crate::{Design, Error, Result};

/// Share of a column's sum of squares below which its part outside earlier columns is rounding.
const COLLINEAR: f64 = 1e-14;

/// Distinct rows, the pattern of their normal equations and the layout of the covariances.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub rows: Rows,
    pub factors: Vec<Factor>,
    pub pattern: Pattern,
    pub covariance: Covariance,
    pub entries: Vec<ThetaEntry>,
}

impl Problem {
    /// Checks a design and arranges it.
    pub(crate) fn new(design: &Design) -> Result<Self> {
        check(design)?;
        let Arranged { rows, factors, factor_of_term } = arrange(design);
        check_rank(&rows, &design.fixed_names)?;
        let pattern = Pattern::new(&rows, &factors)?;
        let sizes: Vec<usize> = design.random.iter().map(|term| term.effects.ncols()).collect();
        let covariance = Covariance::new(&sizes, &factor_of_term, factors.len());
        let entries = covariance.entries();
        Ok(Self { rows, factors, pattern, covariance, entries })
    }

    /// Whether an entry of `(θ, …)` is on the diagonal of `Λ`.
    pub(crate) fn is_diagonal(&self, index: usize) -> bool {
        self.entries.get(index).is_some_and(|entry| entry.row == entry.column)
    }

    /// `b = Λ u`, block by block.
    pub(crate) fn scale(&self, lambda: &RelativeFactor, u: &[f64], b: &mut Vec<f64>) {
        b.clear();
        b.resize(u.len(), 0.0);
        for (factor, block) in lambda.blocks.iter().enumerate() {
            let size = self.factors[factor].size;
            let span = self.scalars(factor);
            for (to, from) in b[span.clone()].chunks_mut(size.max(1)).zip(u[span].chunks(size.max(1))) {
                for row in 0..size {
                    to[row] = dense::dot(&block[row * size..=row * size + row], &from[..=row]);
                }
            }
        }
    }

    /// `r ← Λᵀ r`, block by block.
    pub(crate) fn scale_transposed(&self, lambda: &RelativeFactor, r: &mut [f64]) {
        for (factor, block) in lambda.blocks.iter().enumerate() {
            let size = self.factors[factor].size;
            let span = self.scalars(factor);
            for values in r[span].chunks_mut(size.max(1)) {
                for column in 0..size {
                    values[column] = (column..size).map(|row| block[row * size + column] * values[row]).sum();
                }
            }
        }
    }

    /// The scalars of a factor's nodes.
    pub(crate) fn scalars(&self, factor: usize) -> std::ops::Range<usize> {
        let nodes = [factor, factor + 1].map(|factor| self.pattern.first_node[factor]);
        self.pattern.starts[nodes[0]]..self.pattern.starts[nodes[1]]
    }

    /// `o + X β` of every distinct row.
    pub(crate) fn fixed_predictor(&self, beta: &[f64]) -> Vec<f64> {
        let rows = 0..self.rows.len();
        rows.map(|row| self.rows.offset[row] + dense::dot(self.rows.fixed_row(row), beta)).collect()
    }

    /// `eta ← eta + Z b`.
    pub(crate) fn add_random(&self, b: &[f64], eta: &mut [f64]) {
        let (n_factors, n_effects) = (self.rows.n_factors, self.rows.n_effects);
        if n_factors == 0 {
            return;
        }
        let table = self.rows.groups.chunks(n_factors).zip(self.rows.effects.chunks(n_effects));
        if n_factors == n_effects {
            for ((groups, effects), eta) in table.zip(eta) {
                let nodes = self.pattern.first_node.iter().zip(groups).map(|(first, group)| first + *group as usize);
                *eta += nodes.zip(effects).map(|(node, effect)| b[node] * effect).sum::<f64>();
            }
            return;
        }
        for ((groups, mut effects), eta) in table.zip(eta) {
            for (first, group) in self.pattern.first_node.iter().zip(groups) {
                let node = first + *group as usize;
                let values = &b[self.pattern.starts[node]..self.pattern.starts[node + 1]];
                let (own, rest) = effects.split_at(values.len());
                *eta += dense::dot(own, values);
                effects = rest;
            }
        }
    }

    /// `Zᵀ v`, one group of equal ones at a time.
    pub(crate) fn random_products(&self, v: &[f64]) -> Vec<f64> {
        let mut products = vec![0.0; self.pattern.n_scalars()];
        let (n_factors, n_effects) = (self.rows.n_factors, self.rows.n_effects);
        if n_factors == 0 {
            return products;
        }
        let table = self.rows.groups.chunks(n_factors).zip(self.rows.effects.chunks(n_effects));
        if n_factors == n_effects {
            for ((groups, effects), v) in table.zip(v) {
                for ((first, group), effect) in self.pattern.first_node.iter().zip(groups).zip(effects) {
                    products[first + *group as usize] += v * effect;
                }
            }
            return products;
        }
        for ((groups, mut effects), v) in table.zip(v) {
            for (first, group) in self.pattern.first_node.iter().zip(groups) {
                let node = first + *group as usize;
                let targets = &mut products[self.pattern.starts[node]..self.pattern.starts[node + 1]];
                let (own, rest) = effects.split_at(targets.len());
                dense::add_scaled(targets, *v, own);
                effects = rest;
            }
        }
        products
    }

    /// `Xᵀ v` over all groups.
    pub(crate) fn fixed_products(&self, v: &[f64]) -> Vec<f64> {
        let mut products = vec![0.0; self.rows.n_fixed];
        for (row, (v, copies)) in v.iter().zip(&self.rows.copies).enumerate() {
            dense::add_scaled(&mut products, copies * v, self.rows.fixed_row(row));
        }
        products
    }

    /// `aᵀ b` of two vectors of random effects, over all groups.
    pub(crate) fn inner(&self, a: &[f64], b: &[f64]) -> f64 {
        let nodes = self.pattern.starts.windows(2).zip(&self.pattern.copies);
        nodes.map(|(span, copies)| copies * dense::dot(&a[span[0]..span[1]], &b[span[0]..span[1]])).sum()
    }

    /// `Σ aᵀ (∂Λ/∂θ_k) b` over all groups, for every entry of `θ`.
    pub(crate) fn theta_products(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let product = |entry: &ThetaEntry| -> f64 {
            let first = self.pattern.first_node[entry.factor];
            let nodes = first..self.pattern.first_node[entry.factor + 1];
            nodes
                .map(|node| {
                    let start = self.pattern.starts[node];
                    self.pattern.copies[node] * a[start + entry.row] * b[start + entry.column]
                })
                .sum()
        };
        self.entries.iter().map(product).collect()
    }
}

/// Refuses a column of `X` that earlier ones explain, by elimination on the columns' cosines.
fn check_rank(rows: &Rows, names: &[String]) -> Result<()> {
    let n_fixed = rows.n_fixed;
    let mut columns: Vec<Vec<f64>> =
        (0..n_fixed).map(|column| (0..rows.len()).map(|row| rows.fixed_row(row)[column]).collect()).collect();
    for (column, name) in names.iter().enumerate() {
        let (done, rest) = columns.split_at_mut(column);
        let current = &mut rest[0];
        let before = dense::dot(current, current);
        // Twice is enough: Gram-Schmidt loses digits once only.
        for other in done.iter().chain(done.iter()) {
            let share = dense::dot(other, current);
            dense::add_scaled(current, -share, other);
        }
        let after = dense::dot(current, current);
        if after <= COLLINEAR * before || before == 0.0 {
            return Err(Error::Collinear { name: name.clone() });
        }
        let norm = after.sqrt();
        current.iter_mut().for_each(|value| *value /= norm);
    }
    Ok(())
}
