//! How much each row pulls on its own random effects, and what derivatives of `log det H` take from the same pass.

use crate::dense;
use crate::pirls::Pirls;
use crate::problem::Problem;
use crate::selected_inverse::SelectedInverse;

/// What one pass over the rows with `H⁻¹` gives.
pub(crate) struct Leverage {
    /// `h`, `(M,)`.
    pub rows: Vec<f64>,
    /// `Σ w z (H⁻¹Λᵀz)ᵀ` of each factor, `(q, q)`.
    pub products: Vec<Vec<f64>>,
}

impl Leverage {
    /// Takes the pass over all rows.
    pub(crate) fn new(pirls: &Pirls, inverse: &SelectedInverse) -> Self {
        let Problem { rows, pattern, factors, .. } = pirls.problem;
        let mut leverage = Leverage {
            rows: vec![0.0; rows.len()],
            products: factors.iter().map(|factor| vec![0.0; factor.size * factor.size]).collect(),
        };
        if rows.n_factors == rows.n_effects {
            leverage.fill_scalars(pirls, inverse);
            return leverage;
        }
        let n_places = rows.n_factors * (rows.n_factors + 1) / 2;
        let starts: Vec<usize> = factors
            .iter()
            .scan(0, |end, factor| {
                *end += factor.size;
                Some(*end - factor.size)
            })
            .collect();
        let (mut scaled, mut solved) = (vec![0.0; rows.n_effects], vec![0.0; rows.n_effects]);
        for (row, weight) in pirls.curvature_weights().iter().enumerate() {
            let effects = &rows.effects[row * rows.n_effects..(row + 1) * rows.n_effects];
            let places = &pattern.row_places[row * n_places..(row + 1) * n_places];
            scale_effects(pirls, &starts, effects, &mut scaled);
            multiply_inverse(pirls.problem, inverse, (&starts, places), &scaled, &mut solved);
            leverage.rows[row] = dense::dot(&scaled, &solved);
            let total = weight * rows.copies[row];
            for (product, (&start, factor)) in leverage.products.iter_mut().zip(starts.iter().zip(factors)) {
                for index in 0..factor.size {
                    let target = &mut product[index * factor.size..=index * factor.size + index];
                    dense::add_scaled(target, total * effects[start + index], &solved[start..]);
                }
            }
        }
        leverage
    }

    /// The same where every factor has one effect.
    fn fill_scalars(&mut self, pirls: &Pirls, inverse: &SelectedInverse) {
        let Problem { rows, pattern, .. } = pirls.problem;
        let n_factors = rows.n_factors;
        if n_factors == 0 {
            return;
        }
        let n_places = n_factors * (n_factors + 1) / 2;
        let lambda: Vec<f64> = pirls.lambda.blocks.iter().map(|block| block[0]).collect();
        let mut sums = vec![0.0; n_factors];
        let mut solved = vec![0.0; n_factors];
        let table = rows.effects.chunks(n_factors).zip(pattern.row_places.chunks(n_places));
        for (row, (effects, places)) in table.enumerate() {
            let mut places = places.iter();
            for later in 0..n_factors {
                solved[later] = 0.0;
                for (earlier, &place) in (0..=later).zip(&mut places) {
                    let entry = inverse.values[place as usize];
                    solved[later] += entry * lambda[earlier] * effects[earlier];
                    if earlier < later {
                        solved[earlier] += entry * lambda[later] * effects[later];
                    }
                }
            }
            let total = pirls.curvature_weights()[row] * rows.copies[row];
            for (factor, (effect, value)) in effects.iter().zip(&solved).enumerate() {
                self.rows[row] += lambda[factor] * effect * value;
                sums[factor] += total * effect * value;
            }
        }
        self.products = sums.into_iter().map(|sum| vec![sum]).collect();
    }
}

/// `H⁻¹ t` restricted to the effects of one row, for its `t = Λᵀz`.
fn multiply_inverse(
    problem: &Problem,
    inverse: &SelectedInverse,
    (starts, places): (&[usize], &[u32]),
    scaled: &[f64],
    solved: &mut [f64],
) {
    let Problem { pattern, factors, .. } = problem;
    solved.fill(0.0);
    let mut places = places.iter();
    for later in 0..factors.len() {
        for (earlier, &place) in (0..=later).zip(&mut places) {
            let (rows, columns) = (factors[later].size, factors[earlier].size);
            let place = place as usize;
            let stride = if place < pattern.dense_start { columns } else { pattern.dense_order };
            for index in 0..rows {
                let block = &inverse.values[place + index * stride..][..columns];
                solved[starts[later] + index] += dense::dot(block, &scaled[starts[earlier]..][..columns]);
                if later != earlier {
                    let value = scaled[starts[later] + index];
                    dense::add_scaled(&mut solved[starts[earlier]..][..columns], value, block);
                }
            }
        }
    }
}

/// `Λᵀz` of one row.
fn scale_effects(pirls: &Pirls, starts: &[usize], effects: &[f64], scaled: &mut [f64]) {
    for ((factor, &start), block) in pirls.problem.factors.iter().zip(starts).zip(&pirls.lambda.blocks) {
        let size = factor.size;
        for column in 0..size {
            let terms = (column..size).map(|row| block[row * size + column] * effects[start + row]);
            scaled[start + column] = terms.sum();
        }
    }
}
