//! The fuzzy graph of neighbourhoods.

use ndarray::ArrayView1;

use crate::neighbours::Neighbours;

/// Edges of each vertex to others, by rising index, with weights in `(0, 1]`; symmetric.
pub(super) struct Graph {
    pub edges: Vec<Vec<Edge>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub to: usize,
    pub weight: f64,
}

/// Of the sum of memberships, as in umap-learn.
const TOLERANCE: f64 = 1e-5;

/// Bisections of a width.
const MOST_BISECTIONS: usize = 64;

/// The least width, relative to the mean distance.
const LEAST_WIDTH: f64 = 1e-3;

/// Each point's neighbours are members of its neighbourhood to the degree `exp(−(d − ρ) / σ)`, with `ρ` the distance of
/// the nearest other point and `σ` such that the degrees add up to `log₂ k`, `k` counting the point itself. An edge has
/// the weight `v + w − v w` of its two degrees.
pub(super) fn fuzzy(neighbours: &Neighbours) -> Graph {
    let distances = &neighbours.distances;
    let (n, others) = distances.dim();
    let target = ((others + 1) as f64).log2();
    // The reference counts the point's distance to itself.
    let mean = distances.sum() / (n * (others + 1)) as f64;

    let mut edges = vec![Vec::new(); n];
    for (i, row) in distances.rows().into_iter().enumerate() {
        let local = Local::new(row, target, mean);
        for (&to, &distance) in neighbours.indices.row(i).iter().zip(row) {
            let weight = local.membership(distance);
            edges[i].push(Edge { to, weight });
            edges[to].push(Edge { to: i, weight });
        }
    }
    edges.iter_mut().for_each(|edges| *edges = united(std::mem::take(edges)));
    Graph { edges }
}

/// A point's own scale of distances.
#[derive(Debug)]
struct Local {
    /// `ρ`
    nearest: f64,
    /// `σ`
    width: f64,
}

impl Local {
    fn new(distances: ArrayView1<f64>, target: f64, mean: f64) -> Self {
        // Equal points do not count as near: distances rise.
        let nearest = distances.iter().copied().find(|distance| *distance > 0.0).unwrap_or(0.0);
        let sum = |width: f64| distances.iter().map(|d| (-(d - nearest).max(0.0) / width).exp()).sum::<f64>();

        let own_mean = distances.sum() / (distances.len() + 1) as f64;
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut width = if own_mean > 0.0 { own_mean } else { 1.0 };
        for _ in 0..MOST_BISECTIONS {
            let excess = sum(width) - target;
            if excess.abs() < TOLERANCE {
                break;
            }
            if excess > 0.0 {
                high = width;
            } else {
                low = width;
            }
            width = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * width };
        }
        Self { nearest, width: width.max(LEAST_WIDTH * if nearest > 0.0 { own_mean } else { mean }) }
    }

    fn membership(&self, distance: f64) -> f64 {
        let beyond = distance - self.nearest;
        if beyond <= 0.0 { 1.0 } else { (-beyond / self.width).exp() }
    }
}

/// Edges by index, the two directions of a pair as one.
fn united(mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort_unstable_by(|a, b| a.to.cmp(&b.to).then(a.weight.total_cmp(&b.weight)));
    let union = |pair: &[Edge]| {
        let miss: f64 = pair.iter().map(|edge| 1.0 - edge.weight).product();
        let weight = if pair.len() == 1 { pair[0].weight } else { 1.0 - miss };
        Edge { to: pair[0].to, weight }
    };
    edges.chunk_by(|a, b| a.to == b.to).map(union).collect()
}

impl Graph {
    /// The graph less edges below this share of the strongest.
    pub fn without_edges_below(mut self, share: f64) -> Self {
        let least = share * self.strongest();
        self.edges.iter_mut().for_each(|edges| edges.retain(|edge| edge.weight >= least));
        self
    }

    /// The largest weight.
    pub fn strongest(&self) -> f64 {
        self.edges.iter().flatten().fold(0.0, |largest, edge| edge.weight.max(largest))
    }

    /// Whether every vertex can be reached from every other.
    pub fn is_connected(&self) -> bool {
        let mut reached = vec![false; self.edges.len()];
        let mut open = vec![0];
        reached[0] = true;
        let mut count = 1;
        while let Some(vertex) = open.pop() {
            for edge in &self.edges[vertex] {
                if !std::mem::replace(&mut reached[edge.to], true) {
                    count += 1;
                    open.push(edge.to);
                }
            }
        }
        count == self.edges.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbours::neighbours;
    use crate::testing::waves;
    use ndarray::array;

    /// umap-learn 0.5.12 with neighbours of scikit-learn 1.9.1's `NearestNeighbors(n_neighbors=8)`:
    /// `fuzzy_simplicial_set(x, 8, RandomState(0), "euclidean", knn_indices=.., knn_dists=..)` of
    /// `x[i, j] = sin(1.7 i + 2.3 j + 0.1 i j)`, 40 by 6; row 17, and the sum of all weights.
    #[test]
    fn weights_are_those_of_umap_learn() {
        let graph = fuzzy(&neighbours(&waves(40, 6), 7));
        let golden = [
            (0, 0.7240159),
            (3, 0.9840277),
            (6, 0.6858306),
            (11, 0.08113193),
            (14, 1.0),
            (20, 0.599799),
            (39, 0.0439711),
        ];
        assert_eq!(graph.edges[17].len(), golden.len());
        for (edge, (to, weight)) in graph.edges[17].iter().zip(golden) {
            assert_eq!(edge.to, to);
            // The tolerance of the bisection; the reference computes in singles.
            assert!((edge.weight - weight).abs() < 2e-5, "{edge:?}, umap-learn has {weight}");
        }
        assert_eq!(graph.edges.iter().map(Vec::len).sum::<usize>(), 378);
        let sum: f64 = graph.edges.iter().flatten().map(|edge| edge.weight).sum();
        assert!((sum - 172.29825).abs() < 1e-3, "{sum}"); // 378 such errors, not all of one sign.
    }

    #[test]
    fn the_graph_is_symmetric() {
        let graph = fuzzy(&neighbours(&waves(60, 3), 5));
        for (i, edges) in graph.edges.iter().enumerate() {
            assert!(edges.iter().all(|edge| graph.edges[edge.to].contains(&Edge { to: i, weight: edge.weight })));
        }
    }

    #[test]
    fn equal_points_belong_together() {
        let graph = fuzzy(&neighbours(&array![[0.0], [0.0], [0.0], [0.0], [9.0]], 2));
        assert!(graph.edges[0].iter().all(|edge| edge.weight == 1.0));
        assert!(graph.edges.iter().flatten().all(|edge| edge.weight.is_finite()));
    }

    #[test]
    fn far_groups_are_not_connected() {
        let connected = |values: Vec<f64>| {
            let n = values.len();
            let points = ndarray::Array2::from_shape_vec((n, 1), values).unwrap();
            fuzzy(&neighbours(&points, 2)).is_connected()
        };
        assert!(connected(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        assert!(!connected(vec![0.0, 1.0, 2.0, 103.0, 104.0, 105.0]));
    }
}
