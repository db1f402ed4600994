//! The slope of t-SNE's Kullback-Leibler divergence, over all pairs.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice, Zip};
use rayon::prelude::*;

use crate::neighbours::{ROWS, rows, squares};

/// What the slope depends on beside the embedding.
pub(super) struct Gradient<'a> {
    /// Symmetric, with sum one.
    pub affinities: &'a Array2<f64>,
    /// `ν` of the kernel.
    pub degrees_of_freedom: f64,
}

/// Sums of one block of rows, before the normalization is known.
struct Forces {
    attraction: Array2<f64>,
    repulsion: Array2<f64>,
    /// `Σ q` of the rows, without normalization.
    mass: f64,
}

/// One block of rows of the pairs' weights, `(16, N)` each, reused by a thread.
struct Weights {
    attracting: Array2<f64>,
    repelling: Array2<f64>,
}

impl Gradient<'_> {
    /// `2 (ν + 1) / ν Σ_j (a p_ij − q_ij / Z) w_ij (y_i − y_j)`, with `w = 1 / (1 + |y_i − y_j|² / ν)`,
    /// `q = w^((ν + 1) / 2)`, `Z` the sum of `q` over all pairs and `a` the exaggeration.
    pub fn at(&self, embedding: &Array2<f64>, exaggeration: f64) -> Array2<f64> {
        let n = embedding.nrows();
        let squares = squares(embedding);
        let blocks: Vec<usize> = (0..n).step_by(ROWS).collect();
        let weights = || Weights { attracting: Array2::zeros((ROWS, n)), repelling: Array2::zeros((ROWS, n)) };
        let forces: Vec<Forces> = blocks
            .into_par_iter()
            .map_init(weights, |weights, from| self.forces(embedding, &squares, from, weights))
            .collect();

        // In the order of the rows, whatever thread had them.
        let mass: f64 = forces.iter().map(|block| block.mass).sum();
        let factor = 2.0 * (self.degrees_of_freedom + 1.0) / self.degrees_of_freedom;
        let mut slope = Array2::zeros(embedding.dim());
        for (mut rows, block) in slope.axis_chunks_iter_mut(Axis(0), ROWS).zip(&forces) {
            Zip::from(&mut rows)
                .and(&block.attraction)
                .and(&block.repulsion)
                .for_each(|slope, pull, push| *slope = factor * (exaggeration * pull - push / mass));
        }
        slope
    }

    /// Rows `from..from + 16`, by matrix products: `Σ_j w_ij (y_i − y_j) = y_i Σ_j w_ij − Σ_j w_ij y_j`.
    fn forces(&self, embedding: &Array2<f64>, squares: &Array1<f64>, from: usize, weights: &mut Weights) -> Forces {
        let to = (from + ROWS).min(embedding.nrows());
        let rows = rows(embedding, from, to);
        let mut attracting = weights.attracting.slice_axis_mut(Axis(0), Slice::from(..to - from));
        let mut repelling = weights.repelling.slice_axis_mut(Axis(0), Slice::from(..to - from));

        general_mat_mul(1.0, &rows, &embedding.t(), 0.0, &mut attracting);
        let mut mass = 0.0;
        let pairs = attracting.rows_mut().into_iter().zip(repelling.rows_mut());
        for (i, (mut attracting, mut repelling)) in (from..to).zip(pairs) {
            // Inner products to weights; `1 + distance` hides what cancels here.
            Zip::from(&mut attracting).and(squares).for_each(|product, square| {
                let distance = (squares[i] + square - 2.0 * *product).max(0.0);
                *product = 1.0 / (1.0 + distance / self.degrees_of_freedom);
            });
            // A point neither pulls nor pushes itself.
            attracting[i] = 0.0;
            repelling.assign(&attracting);
            let row = repelling.as_slice_mut().expect("a row of a matrix lies together");
            raise(row, 0.5 * (self.degrees_of_freedom + 1.0));
            mass += repelling.sum();
            repelling *= &attracting;
            attracting *= &self.affinities.row(i);
        }

        let force =
            |weights: ArrayView2<f64>| &rows * &weights.sum_axis(Axis(1)).insert_axis(Axis(1)) - weights.dot(embedding);
        Forces { attraction: force(attracting.view()), repulsion: force(repelling.view()), mass }
    }
}

/// Powers in place. Whole and half exponents, those of the usual degrees of freedom, need no logarithm.
fn raise(values: &mut [f64], exponent: f64) {
    const MOST_FACTORS: f64 = 16.0;
    if (2.0 * exponent).fract() != 0.0 || exponent > MOST_FACTORS {
        values.iter_mut().for_each(|x| *x = x.powf(exponent));
    } else if exponent.fract() == 0.0 {
        products(values, |x| x, exponent as usize);
    } else {
        products(values, f64::sqrt, (exponent + 0.5) as usize);
    }
}

/// `first(x) x^(count − 1)` in place, from left to right.
fn products(values: &mut [f64], first: impl Fn(f64) -> f64, count: usize) {
    // Several side by side, in registers.
    let (blocks, rest) = values.as_chunks_mut::<8>();
    for block in blocks {
        let factors = *block;
        let mut powers = factors.map(&first);
        for _ in 1..count {
            for (power, factor) in powers.iter_mut().zip(factors) {
                *power *= factor;
            }
        }
        *block = powers;
    }
    for value in rest {
        *value = (1..count).fold(first(*value), |power, _| power * *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::waves;

    /// `KL(p ‖ q)` but for the entropy of `p`, pair by pair.
    fn divergence(affinities: &Array2<f64>, embedding: &Array2<f64>, nu: f64) -> f64 {
        let n = embedding.nrows();
        let similarity = |i: usize, j: usize| {
            let gap = &embedding.row(i) - &embedding.row(j);
            (1.0 + gap.dot(&gap) / nu).powf(-0.5 * (nu + 1.0))
        };
        let pairs = || (0..n).flat_map(|i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)));
        let mass: f64 = pairs().map(|(i, j)| similarity(i, j)).sum();
        -pairs().map(|(i, j)| affinities[[i, j]] * (similarity(i, j) / mass).ln()).sum::<f64>()
    }

    #[test]
    fn the_slope_is_that_of_the_divergence() {
        let affinities = super::super::affinities::joint(&crate::unit::centred(&waves(35, 4)), 6.0);
        for (dimension, nu) in [(2, 1.0), (3, 2.0), (4, 3.0), (2, 1.5)] {
            let embedding = waves(35, dimension) * 1.3;
            let slope = Gradient { affinities: &affinities, degrees_of_freedom: nu }.at(&embedding, 1.0);
            for at in [[0, 0], [17, 1], [34, dimension - 1]] {
                let moved = |step: f64| {
                    let mut embedding = embedding.clone();
                    embedding[at] += step;
                    divergence(&affinities, &embedding, nu)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                // Differences are good to 1e-16 / 1e-5.
                assert!((slope[at] - expected).abs() < 1e-9, "{at:?}, {nu}: {} and {expected}", slope[at]);
            }
        }
    }

    #[test]
    fn whole_half_and_other_powers_agree_with_powf() {
        for exponent in [1.0, 1.5, 2.0, 5.0, 5.5, 1.3, 40.0] {
            let mut values: Vec<f64> = (0..21).map(|k| f64::from(k) / 20.0).collect();
            let expected: Vec<f64> = values.iter().map(|x| x.powf(exponent)).collect();
            raise(&mut values, exponent);
            assert!(values.iter().zip(expected).all(|(found, exact)| (found - exact).abs() < 1e-15), "{exponent}");
        }
    }
}
