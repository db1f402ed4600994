//! Crossproducts of a weighted design, in the places where they are not zero.

use crate::dense;
use crate::pattern::Pattern;
use crate::rows::Rows;

/// `ZᵀWZ` on a [`Pattern`], with `ZᵀWX` and `XᵀWX`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crossproducts {
    pub random: Vec<f64>,
    /// `(scalars, p)`, row by row.
    pub mixed: Vec<f64>,
    /// `(p, p)`.
    pub fixed: Vec<f64>,
}

impl Crossproducts {
    /// Fills `ZᵀWZ` for row weights `w`.
    pub(crate) fn fill_random(&mut self, rows: &Rows, pattern: &Pattern, weights: &[f64]) {
        self.random.clear();
        self.random.resize(pattern.n_values(), 0.0);
        let n_factors = rows.n_factors;
        if n_factors == rows.n_effects {
            self.fill_scalars(rows, pattern, weights);
            return;
        }
        let n_places = n_factors * (n_factors + 1) / 2;
        for (row, &weight) in weights.iter().enumerate() {
            let effects = &rows.effects[row * rows.n_effects..(row + 1) * rows.n_effects];
            let mut places = pattern.row_places[row * n_places..(row + 1) * n_places].iter();
            let mut later_start = 0;
            for later in 0..n_factors {
                let later_size = pattern.sizes[pattern.first_node[later]];
                let left = &effects[later_start..later_start + later_size];
                later_start += later_size;
                let mut earlier_start = 0;
                for (earlier, &place) in (0..=later).zip(&mut places) {
                    let size = pattern.sizes[pattern.first_node[earlier]];
                    let right = &effects[earlier_start..earlier_start + size];
                    earlier_start += size;
                    let place = place as usize;
                    let stride = if place < pattern.dense_start { size } else { pattern.dense_order };
                    for (index, &value) in left.iter().enumerate() {
                        // Diagonal blocks need their lower triangle only.
                        let length = if later == earlier { index + 1 } else { size };
                        let target = place + index * stride;
                        dense::add_scaled(&mut self.random[target..target + length], weight * value, right);
                    }
                }
            }
        }
    }

    /// The same where every factor has one effect.
    fn fill_scalars(&mut self, rows: &Rows, pattern: &Pattern, weights: &[f64]) {
        let n_factors = rows.n_factors;
        if n_factors == 0 {
            return;
        }
        let n_places = n_factors * (n_factors + 1) / 2;
        let table = rows.effects.chunks(n_factors).zip(pattern.row_places.chunks(n_places));
        for ((effects, places), &weight) in table.zip(weights) {
            let mut places = places.iter();
            for (later, left) in effects.iter().enumerate() {
                let weighted = weight * left;
                for (right, &place) in effects[..=later].iter().zip(&mut places) {
                    self.random[place as usize] += weighted * right;
                }
            }
        }
    }

    /// Fills `ZᵀWX` and `XᵀWX`.
    pub(crate) fn fill_fixed(&mut self, rows: &Rows, pattern: &Pattern, weights: &[f64]) {
        let n_fixed = rows.n_fixed;
        self.mixed.clear();
        self.mixed.resize(pattern.n_scalars() * n_fixed, 0.0);
        self.fixed.clear();
        self.fixed.resize(n_fixed * n_fixed, 0.0);
        for (row, &weight) in weights.iter().enumerate() {
            let fixed = rows.fixed_row(row);
            for_each_effect(rows, pattern, row, |scalar, effect| {
                dense::add_scaled(&mut self.mixed[scalar * n_fixed..(scalar + 1) * n_fixed], weight * effect, fixed);
            });
        }
        // Column by column: long products are faster than many short ones.
        let total: Vec<f64> = weights.iter().zip(&rows.copies).map(|(weight, copies)| weight * copies).collect();
        let columns: Vec<Vec<f64>> =
            (0..n_fixed).map(|column| rows.fixed.iter().skip(column).step_by(n_fixed).copied().collect()).collect();
        for (row, left) in columns.iter().enumerate() {
            let weighted: Vec<f64> = left.iter().zip(&total).map(|(value, weight)| value * weight).collect();
            for (column, right) in columns[..=row].iter().enumerate() {
                self.fixed[row * n_fixed + column] = dense::dot(&weighted, right);
            }
        }
    }
}

/// Calls `visit(scalar, effect)` for every random effect of a row.
#[inline]
pub(crate) fn for_each_effect(rows: &Rows, pattern: &Pattern, row: usize, mut visit: impl FnMut(usize, f64)) {
    let groups = &rows.groups[row * rows.n_factors..(row + 1) * rows.n_factors];
    let mut effects = rows.effects[row * rows.n_effects..(row + 1) * rows.n_effects].iter();
    for (factor, &group) in groups.iter().enumerate() {
        let node = pattern.first_node[factor] + group as usize;
        for (scalar, &effect) in (pattern.starts[node]..pattern.starts[node + 1]).zip(&mut effects) {
            visit(scalar, effect);
        }
    }
}
