//! Nearest neighbours, by exhaustive search.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use crate::unit::Unit;

/// Rows of a block of inner products: 16 rows of some thousand distances stay in the cache.
pub(crate) const ROWS: usize = 16;

/// The nearest points of each point, itself not among them.
pub(crate) struct Neighbours {
    /// `(N, k)`, by rising distance, then by index.
    pub indices: Array2<usize>,
    /// Euclidean, `(N, k)`.
    pub distances: Array2<f64>,
}

/// The `k` nearest points of each, `k` below the number of points. `O(N² D)`.
pub(crate) fn neighbours(points: &Array2<f64>, k: usize) -> Neighbours {
    let n = points.nrows();
    let Unit { points: centred, size } = Unit::of(points);
    let squares = squares(&centred);
    let blocks: Vec<usize> = (0..n).step_by(ROWS).collect();
    let rows: Vec<Vec<(f64, usize)>> = blocks
        .into_par_iter()
        .flat_map_iter(|from| {
            let block = squared_distances(&centred, &squares, from);
            let nearest = |(offset, row): (usize, ArrayView1<f64>)| nearest(&centred, row, from + offset, k);
            block.rows().into_iter().enumerate().map(nearest).collect::<Vec<_>>()
        })
        .collect();

    Neighbours {
        indices: Array2::from_shape_fn((n, k), |(i, at)| rows[i][at].1),
        distances: Array2::from_shape_fn((n, k), |(i, at)| size * rows[i][at].0),
    }
}

/// The `k` nearest of one row of squared distances.
fn nearest(points: &Array2<f64>, row: ArrayView1<f64>, i: usize, k: usize) -> Vec<(f64, usize)> {
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let mut others: Vec<(f64, usize)> = row.iter().copied().zip(0..).filter(|&(_, j)| j != i).collect();
    if k < others.len() {
        others.select_nth_unstable_by(k, order);
        others.truncate(k);
    }
    // Inner products cancel where points are close; the few that matter are measured again.
    others.iter_mut().for_each(|(distance, j)| *distance = euclidean(points.row(i), points.row(*j)));
    others.sort_unstable_by(order);
    others
}

/// `|x|²` of each row.
pub(crate) fn squares(points: &Array2<f64>) -> Array1<f64> {
    points.map_axis(Axis(1), |row| row.dot(&row))
}

/// Squared distances from rows `from..from + 16` to all rows, `|x|² + |y|² − 2 x·y` and not negative.
pub(crate) fn squared_distances(points: &Array2<f64>, squares: &Array1<f64>, from: usize) -> Array2<f64> {
    let to = (from + ROWS).min(points.nrows());
    let mut block = rows(points, from, to).dot(&points.t());
    for (mut row, square) in block.rows_mut().into_iter().zip(squares.iter().skip(from)) {
        row.zip_mut_with(squares, |product, other| *product = (square + other - 2.0 * *product).max(0.0));
    }
    block
}

/// Rows `from..to`.
pub(crate) fn rows(points: &Array2<f64>, from: usize, to: usize) -> ArrayView2<'_, f64> {
    points.slice_axis(Axis(0), Slice::from(from..to))
}

/// The distance of two points.
pub(crate) fn euclidean(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::waves;
    use ndarray::array;

    #[test]
    fn neighbours_are_those_of_a_full_sort() {
        let points = waves(50, 3);
        let found = neighbours(&points, 7);
        for i in 0..50 {
            let mut others: Vec<(f64, usize)> =
                (0..50).filter(|&j| j != i).map(|j| (euclidean(points.row(i), points.row(j)), j)).collect();
            others.sort_by(|a, b| a.partial_cmp(b).unwrap());
            for (k, &(distance, j)) in others.iter().take(7).enumerate() {
                assert_eq!(found.indices[[i, k]], j);
                assert!((found.distances[[i, k]] - distance).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn equal_points_are_neighbours_at_distance_zero_by_index() {
        let found = neighbours(&array![[1.0, 1e3], [0.0, 0.0], [1.0, 1e3], [1.0, 1e3]], 3);
        assert_eq!(found.indices.row(0).to_vec(), [2, 3, 1]);
        assert_eq!(found.distances.row(3).to_vec()[..2], [0.0, 0.0]);
    }
}
