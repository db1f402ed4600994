//! The descent, edge by edge.

use ndarray::Array2;
use rand_chacha::rand_core::RngCore;

use super::Umap;
use super::curve::Curve;
use super::graph::{Edge, Graph};
use crate::random::below;
use crate::{Result, check};

/// Longest move of a coordinate in a step of length one.
const LONGEST: f64 = 4.0;

/// Added to squared distances of points that push, which may be zero.
const SOFTENING: f64 = 1e-3;

/// An edge and when it is next drawn, in epochs.
struct Drawn {
    from: usize,
    to: usize,
    /// Epochs between two draws.
    period: f64,
    next: f64,
    /// When the next point pushes.
    next_push: f64,
}

/// Edges of weight `w` are drawn in a share `w / max w` of the epochs: both ends are pulled together, and the first is
/// pushed away from random points. McInnes, Healy and Melville (2018), Algorithm 5, in the schedule of umap-learn.
pub(super) fn descend(
    embedding: &mut Array2<f64>,
    graph: &Graph,
    settings: &Umap,
    rng: &mut impl RngCore,
) -> Result<()> {
    let curve = Curve::fit(settings.min_dist, settings.spread);
    let forces = Forces { curve, repulsion: settings.repulsion_strength };
    let n_epochs = settings.epochs(embedding.nrows());
    let pushes_per_pull = settings.negative_sample_rate as f64;
    let mut edges = schedule(graph, pushes_per_pull);
    for epoch in 0..n_epochs {
        let now = epoch as f64;
        let step = settings.learning_rate * (1.0 - now / n_epochs as f64);
        for edge in edges.iter_mut().filter(|edge| edge.next <= now) {
            forces.pull(embedding, edge.from, edge.to, step);
            edge.next += edge.period;

            let push_period = edge.period / pushes_per_pull;
            let pushes = ((now - edge.next_push) / push_period) as usize;
            for _ in 0..pushes {
                let other = below(rng, graph.edges.len());
                if other != edge.from {
                    forces.push(embedding, edge.from, other, step);
                }
            }
            edge.next_push += pushes as f64 * push_period;
        }
        check::finite("UMAP", epoch, embedding)?;
    }
    Ok(())
}

/// Edges in the order of their ends.
fn schedule(graph: &Graph, pushes_per_pull: f64) -> Vec<Drawn> {
    let strongest = graph.strongest();
    let drawn = |from: usize, edge: &Edge| {
        let period = strongest / edge.weight;
        Drawn { from, to: edge.to, period, next: period, next_push: period / pushes_per_pull }
    };
    let of_vertex = |(from, edges)| std::iter::repeat(from).zip::<&Vec<Edge>>(edges);
    graph.edges.iter().enumerate().flat_map(of_vertex).map(|(from, edge)| drawn(from, edge)).collect()
}

fn squared_distance(embedding: &Array2<f64>, i: usize, k: usize) -> f64 {
    embedding.row(i).iter().zip(embedding.row(k)).map(|(x, y)| (x - y).powi(2)).sum()
}

/// What moves points.
struct Forces {
    curve: Curve,
    repulsion: f64,
}

impl Forces {
    /// Moves both points down the slope of `−log(1 / (1 + a d^(2b)))`.
    fn pull(&self, embedding: &mut Array2<f64>, i: usize, k: usize, step: f64) {
        let Curve { a, b } = self.curve;
        let square = squared_distance(embedding, i, k);
        if square <= 0.0 {
            return;
        }
        let power = square.powf(b);
        let slope = 2.0 * a * b * power / square / (1.0 + a * power);
        for d in 0..embedding.ncols() {
            let shift = step * (slope * (embedding[[k, d]] - embedding[[i, d]])).clamp(-LONGEST, LONGEST);
            embedding[[i, d]] += shift;
            embedding[[k, d]] -= shift;
        }
    }

    /// Moves the first point down the slope of `−log(1 − 1 / (1 + a d^(2b)))`.
    fn push(&self, embedding: &mut Array2<f64>, i: usize, k: usize, step: f64) {
        let Curve { a, b } = self.curve;
        let square = squared_distance(embedding, i, k);
        let slope = 2.0 * self.repulsion * b / ((SOFTENING + square) * (1.0 + a * square.powf(b)));
        for d in 0..embedding.ncols() {
            let shift = (slope * (embedding[[i, d]] - embedding[[k, d]])).clamp(-LONGEST, LONGEST);
            embedding[[i, d]] += step * shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const FORCES: Forces = Forces { curve: Curve { a: 1.3, b: 0.8 }, repulsion: 1.0 };

    /// How far two points go in a step of 1e-3.
    fn moved(act: fn(&Forces, &mut Array2<f64>, usize, usize, f64)) -> Array2<f64> {
        let points = array![[0.3, -0.2], [1.5, 0.7]];
        let mut embedding = points.clone();
        act(&FORCES, &mut embedding, 0, 1, 1e-3);
        embedding - points
    }

    /// The derivative of an energy of the similarity by the first point's first coordinate.
    fn slope(energy: impl Fn(f64) -> f64) -> f64 {
        let Curve { a, b } = FORCES.curve;
        let at = |x: f64| energy(1.0 / (1.0 + a * ((x - 1.5_f64).powi(2) + 0.81).powf(b)));
        (at(0.3 + 1e-5) - at(0.3 - 1e-5)) / 2e-5
    }

    #[test]
    fn a_pull_descends_the_attraction() {
        let slope = slope(|similarity| -similarity.ln());
        let moved = moved(Forces::pull);
        assert!((moved[[0, 0]] / (-1e-3 * slope) - 1.0).abs() < 1e-8);
        assert!((moved[[0, 0]] + moved[[1, 0]]).abs() < 1e-15);
    }

    #[test]
    fn a_push_descends_the_repulsion() {
        let slope = slope(|similarity| -(1.0 - similarity).ln());
        let moved = moved(Forces::push);
        // But for the softening, 1e-3 of a squared distance of 2.25.
        assert!((moved[[0, 0]] / (-1e-3 * slope) - 1.0).abs() < 1e-3);
        assert_eq!(moved[[1, 0]], 0.0);
    }

    #[test]
    fn equal_points_stay() {
        let mut embedding = array![[0.5], [0.5]];
        FORCES.pull(&mut embedding, 0, 1, 1.0);
        FORCES.push(&mut embedding, 0, 1, 1.0);
        assert_eq!(embedding, array![[0.5], [0.5]]);
    }
}
