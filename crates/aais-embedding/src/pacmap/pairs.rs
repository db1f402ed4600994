//! Pairs of points that pull and push each other.

use ndarray::{Array1, Array2, Axis, Slice};
use rand_chacha::rand_core::RngCore;

use super::Counts;
use crate::neighbours::{Neighbours, euclidean, neighbours};
use crate::random::below;

/// Random points of which the second nearest is mid-near.
pub(super) const DRAWN: usize = 6;

/// Neighbours among which the near ones are chosen, beyond their number.
const CANDIDATES: usize = 50;

/// The least scale of a point's distances.
const LEAST_SCALE: f64 = 1e-10;

/// Partners of each point, `(N, count)`.
pub(super) struct Pairs {
    pub near: Array2<usize>,
    pub mid_near: Array2<usize>,
    pub further: Array2<usize>,
}

/// Near pairs from the points, the others at random.
pub(super) fn draw(points: &Array2<f64>, counts: &Counts, rng: &mut impl RngCore) -> Pairs {
    let n = points.nrows();
    let near = near(&neighbours(points, (counts.near + CANDIDATES).min(n - 1)), counts.near);
    let mut mid_near = Array2::zeros((n, counts.mid_near));
    let mut further = Array2::zeros((n, counts.further));
    for i in 0..n {
        for k in 0..counts.mid_near {
            let known: Vec<usize> = mid_near.row(i).iter().take(k).copied().collect();
            mid_near[[i, k]] = second_nearest(points, i, others(n, i, &known, DRAWN, rng));
        }
        let others = others(n, i, &near.row(i).to_vec(), counts.further, rng);
        further.row_mut(i).assign(&Array1::from(others));
    }
    Pairs { near, mid_near, further }
}

/// Those of smallest `|x_i − x_j|² / (σ_i σ_j)`, `σ` the mean distance to the fourth to sixth neighbour.
fn near(neighbours: &Neighbours, count: usize) -> Array2<usize> {
    let (n, candidates) = neighbours.indices.dim();
    let middle = neighbours.distances.slice_axis(Axis(1), Slice::from(3.min(candidates - 1)..6.min(candidates)));
    let scales = middle.map_axis(Axis(1), |row| (row.sum() / row.len() as f64).max(LEAST_SCALE));

    let mut near = Array2::zeros((n, count));
    for i in 0..n {
        let scaled = |k: usize| {
            let to = neighbours.indices[[i, k]];
            (neighbours.distances[[i, k]].powi(2) / scales[i] / scales[to], to)
        };
        let mut order: Vec<(f64, usize)> = (0..candidates).map(scaled).collect();
        // Stable: equal ones stay by distance.
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.row_mut(i).iter_mut().zip(order).for_each(|(near, (_, to))| *near = to);
    }
    near
}

/// Distinct random points, neither `i` nor among the excluded.
fn others(n: usize, i: usize, excluded: &[usize], count: usize, rng: &mut impl RngCore) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let k = below(rng, n);
        if k != i && !drawn.contains(&k) && !excluded.contains(&k) {
            drawn.push(k);
        }
    }
    drawn
}

/// Of these points, the second nearest to `i`.
fn second_nearest(points: &Array2<f64>, i: usize, among: Vec<usize>) -> usize {
    let mut order: Vec<(f64, usize)> =
        among.into_iter().map(|k| (euclidean(points.row(i), points.row(k)), k)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order[1].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::waves;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// pacmap 0.9.1, on neighbours of scikit-learn 1.9.1's `NearestNeighbors(n_neighbors=40)`:
    /// `sample_neighbors_pair(x, scale_dist(d, sig, nbrs), nbrs, 5)` of `x[i, j] = sin(1.7 i + 2.3 j + 0.1 i j)`, 40 by 6.
    #[test]
    fn near_pairs_are_those_of_the_reference() {
        let near = near(&neighbours(&waves(40, 6), 39), 5);
        assert_eq!(near.row(0).to_vec(), [20, 3, 17, 6, 23]);
        assert_eq!(near.row(17).to_vec(), [14, 3, 0, 6, 20]);
        assert_eq!(near.row(39).to_vec(), [9, 36, 6, 33, 29]);
    }

    #[test]
    fn random_partners_are_distinct_others() {
        let counts = Counts { near: 6, mid_near: 4, further: 20 };
        let pairs = draw(&waves(40, 3), &counts, &mut ChaCha8Rng::seed_from_u64(3));
        for i in 0..40 {
            for (partners, excluded) in [(&pairs.mid_near, None), (&pairs.further, Some(&pairs.near))] {
                let mut partners = partners.row(i).to_vec();
                assert!(!partners.contains(&i));
                assert!(excluded.is_none_or(|near| near.row(i).iter().all(|near| !partners.contains(near))));
                partners.sort_unstable();
                assert!(partners.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
    }

    #[test]
    fn the_second_nearest_is_chosen() {
        let points = Array2::from_shape_fn((9, 1), |(i, _)| (i * i) as f64);
        assert_eq!(second_nearest(&points, 0, vec![8, 3, 5, 2, 7, 4]), 3);
    }
}
