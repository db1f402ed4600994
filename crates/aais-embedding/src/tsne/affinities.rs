//! How near points are to each other, on a scale of their own.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::neighbours::{ROWS, squared_distances, squares};

/// More than enough to halve an interval of doubles to nothing.
const MOST_BISECTIONS: usize = 200;

/// Of the entropy, in nats.
const TOLERANCE: f64 = 1e-6;

/// Symmetric affinities of all pairs, `(N, N)`, with sum one: `(p(j | i) + p(i | j)) / 2N`, zero on the diagonal.
///
/// The points must be centred. `p(j | i) ∝ exp(−β_i |x_i − x_j|²)` with `β_i` such that the entropy is the perplexity's logarithm.
pub(super) fn joint(points: &Array2<f64>, perplexity: f64) -> Array2<f64> {
    let n = points.nrows();
    let squares = squares(points);
    let mut conditional = Array2::zeros((n, n));
    let mut blocks: Vec<_> = conditional.axis_chunks_iter_mut(Axis(0), ROWS).collect();
    blocks.par_iter_mut().enumerate().for_each(|(block, rows)| {
        let from = block * ROWS;
        rows.assign(&squared_distances(points, &squares, from));
        for (offset, mut row) in rows.rows_mut().into_iter().enumerate() {
            row[from + offset] = f64::INFINITY;
            // Rows of a block are contiguous.
            if let Some(row) = row.as_slice_mut() {
                calibrate(row, perplexity.ln());
            }
        }
    });

    let joint = &conditional + &conditional.t();
    joint / (2 * n) as f64
}

/// Squared distances to affinities of this entropy, with sum one; an infinite distance has affinity zero.
fn calibrate(row: &mut [f64], entropy: f64) {
    let nearest = row.iter().copied().fold(f64::INFINITY, f64::min);
    // Only differences matter, and so no sum vanishes.
    row.iter_mut().for_each(|distance| *distance -= nearest);
    let others = (row.len() - 1) as f64;
    let mean = row.iter().filter(|distance| distance.is_finite()).sum::<f64>() / others;

    let mut beta = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    let (mut low, mut high) = (0.0, f64::INFINITY);
    for _ in 0..MOST_BISECTIONS {
        let excess = entropy_at(row, beta) - entropy;
        if excess.abs() <= TOLERANCE {
            break;
        }
        if excess > 0.0 {
            low = beta;
            beta = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * beta };
        } else {
            high = beta;
            beta = 0.5 * (low + high);
        }
        // More equal distances than the perplexity: no width is narrow enough.
        if !beta.is_finite() {
            beta = low;
            break;
        }
    }

    row.iter_mut().for_each(|distance| *distance = (-beta * *distance).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|weight| *weight /= sum);
}

/// `log Σ exp(−β d) + β Σ d exp(−β d) / Σ exp(−β d)`.
fn entropy_at(row: &[f64], beta: f64) -> f64 {
    let (mut sum, mut moment) = (0.0, 0.0);
    for &distance in row.iter().filter(|distance| distance.is_finite()) {
        let weight = (-beta * distance).exp();
        sum += weight;
        moment += distance * weight;
    }
    sum.ln() + beta * moment / sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::waves;
    use crate::unit::centred;

    #[test]
    fn each_row_has_the_perplexity() {
        let mut row = waves(30, 1).mapv(|x| x * x).into_raw_vec_and_offset().0;
        row[4] = f64::INFINITY;
        calibrate(&mut row, 7.0_f64.ln());
        let entropy: f64 = row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        assert!((entropy.exp() - 7.0).abs() < 1e-5, "{}", entropy.exp()); // The tolerance times seven.
        assert_eq!(row[4], 0.0);
    }

    #[test]
    fn equal_distances_have_equal_affinities() {
        let mut row = [f64::INFINITY, 2.0, 2.0, 2.0];
        calibrate(&mut row, 2.0_f64.ln());
        assert_eq!(row, [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
    }

    /// scikit-learn 1.9.1: `squareform(sklearn.manifold._t_sne._joint_probabilities(d2, 5.0, 0))` with
    /// `d2 = euclidean_distances(x, squared=True)` of `x[i, j] = sin(1.7 i + 2.3 j + 0.1 i j)`, 40 by 6, in doubles.
    #[test]
    fn affinities_are_scikit_learns() {
        let found = joint(&centred(&waves(40, 6)), 5.0);
        assert!((found.sum() - 1.0).abs() < 1e-12);
        // scikit-learn stops its bisection at entropies 1e-5 off, and rounds distances to singles.
        let golden = [
            ([35, 38], 0.0159358865),
            ([34, 31], 0.01412460647),
            ([29, 32], 0.01347785618),
            ([39, 30], 0.0007902248735),
            ([0, 13], 0.0001556103069),
            ([7, 22], 4.449804934e-05),
        ];
        for (at, expected) in golden {
            assert!((found[at] / expected - 1.0).abs() < 1e-4, "{at:?}: {}", found[at]);
        }
    }
}
