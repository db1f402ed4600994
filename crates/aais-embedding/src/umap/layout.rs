//! Where the layout starts.

use ndarray::{Array1, Array2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::graph::Graph;
use crate::eigen::{leading, sign};
use crate::{Result, pca};

/// Every coordinate starts in `[0, 10]`, as in umap-learn.
const RANGE: f64 = 10.0;

/// Standard deviation of the noise added before, at coordinates up to 10 in size.
const NOISE: f64 = 1e-4;

/// Eigenvectors of the normalized graph, the first aside; of a graph in pieces they would not tell points of one piece
/// apart, and the PCA takes their place.
pub(super) fn start(
    points: &Array2<f64>,
    graph: &Graph,
    dimension: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Array2<f64>> {
    let mut start = if graph.is_connected() { spectral(graph, dimension) } else { pca(points, dimension)?.scores };
    let largest = start.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let scale = if largest > 0.0 { RANGE / largest } else { 0.0 };
    start.mapv_inplace(|x| {
        let noise: f64 = StandardNormal.sample(rng);
        scale * x + NOISE * noise
    });

    for mut column in start.axis_iter_mut(Axis(1)) {
        let low = column.iter().copied().fold(f64::INFINITY, f64::min);
        let high = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Noise keeps them apart.
        column.mapv_inplace(|x| RANGE * (x - low) / (high - low));
    }
    Ok(start)
}

/// The `dimension` eigenvectors after the first of `D^(−1/2) W D^(−1/2)`, each with its largest entry positive.
fn spectral(graph: &Graph, dimension: usize) -> Array2<f64> {
    let n = graph.edges.len();
    let degree = |edges: &Vec<super::graph::Edge>| edges.iter().map(|edge| edge.weight).sum::<f64>();
    let scale: Array1<f64> = graph.edges.iter().map(|edges| degree(edges).sqrt().recip()).collect();
    // Eigenvalues lie in [−1, 1]; half of one more is at least zero.
    let apply = |block: &Array2<f64>| {
        let scaled = block * &scale;
        let mut image = block.clone();
        for (from, mut to) in scaled.rows().into_iter().zip(image.rows_mut()) {
            for (i, edges) in graph.edges.iter().enumerate() {
                let sum: f64 = edges.iter().map(|edge| edge.weight * from[edge.to]).sum();
                to[i] = 0.5 * (to[i] + scale[i] * sum);
            }
        }
        image
    };
    let mut vectors = leading(n, dimension + 1, apply).vectors;
    vectors.remove_index(Axis(0), 0);
    for mut vector in vectors.rows_mut() {
        let sign = sign(vector.view());
        vector.mapv_inplace(|x| sign * x);
    }
    vectors.reversed_axes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::umap::graph::Edge;

    /// A path with edges of one weight, and loops at its ends that give every vertex degree two.
    fn path(n: usize) -> Graph {
        let neighbours = |i: usize| [i.saturating_sub(1), (i + 1).min(n - 1)];
        Graph { edges: (0..n).map(|i| neighbours(i).map(|to| Edge { to, weight: 1.0 }).to_vec()).collect() }
    }

    #[test]
    fn a_path_has_cosines() {
        let n = 90;
        let found = spectral(&path(n), 2);
        for k in 0..2 {
            let cosine = |i: usize| ((k + 1) as f64 * std::f64::consts::PI * (i as f64 + 0.5) / n as f64).cos();
            let length = (0.5 * n as f64).sqrt();
            // Either sign: the ends are of equal size.
            let sign = found[[0, k]].signum();
            // An angle is the residual, 1e-12, over the gap, here (π / n)² / 2.
            assert!((0..n).all(|i| (sign * found[[i, k]] * length - cosine(i)).abs() < 1e-7));
        }
    }
}
