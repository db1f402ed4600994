//! Uniform manifold approximation and projection, in any dimension.

mod curve;
mod descent;
mod graph;
mod layout;

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::neighbours::neighbours;
use crate::unit::Unit;
use crate::{Result, check};

/// Settings of [`umap`]. The defaults are those of umap-learn 0.5.
#[derive(Debug, Clone, PartialEq)]
pub struct Umap {
    /// Coordinates of an embedded point.
    pub dimension: usize,
    /// Points of a neighbourhood, its centre among them.
    pub n_neighbors: usize,
    /// Distance within which embedded points may lie as close as they like.
    pub min_dist: f64,
    /// Scale on which similarity falls with the distance beyond it.
    pub spread: f64,
    /// Passes over the edges, of which strong ones are drawn each time and weak ones seldom; `None` is 500 up to 10,000
    /// points and 200 beyond.
    pub n_epochs: Option<usize>,
    /// Length of the first step; it falls to zero in equal parts.
    pub learning_rate: f64,
    /// Random points that push for each neighbour that pulls.
    pub negative_sample_rate: usize,
    /// Strength of a push.
    pub repulsion_strength: f64,
    /// Of the start's noise and of the points that push.
    pub seed: u64,
}

impl Default for Umap {
    fn default() -> Self {
        Self {
            dimension: 2,
            n_neighbors: 15,
            min_dist: 0.1,
            spread: 1.0,
            n_epochs: None,
            learning_rate: 1.0,
            negative_sample_rate: 5,
            repulsion_strength: 1.0,
            seed: 0,
        }
    }
}

/// Points up to which the reference takes 500 epochs.
const SMALL: usize = 10_000;

/// Embeds points, one a row, by the layout of their fuzzy neighbourhood graph: `(N, D)` to `(N, d)`.
///
/// The graph is that of McInnes, Healy and Melville (2018), section 3, with exact Euclidean neighbours. The layout starts
/// from eigenvectors of the graph, or from the PCA where the graph is not connected, and is descended edge by edge with
/// random points pushing: the descent is sequential, and the bits are the same on any number of threads.
/// `O(N² D)` for neighbours and `O(N)` for a pass.
///
/// # Errors
/// A coordinate that is not finite, fewer rows than `n_neighbors`, a dimension above `min(N − 1, D)`, a setting out of
/// range, or a learning rate at which the embedding diverges.
pub fn umap(points: &Array2<f64>, settings: &Umap) -> Result<Array2<f64>> {
    settings.check(points)?;
    // The graph depends on ratios of distances only.
    let points = &Unit::of(points).points;
    let neighbours = neighbours(points, settings.n_neighbors - 1);
    // An edge so weak that no epoch would draw it.
    let graph = graph::fuzzy(&neighbours).without_edges_below(1.0 / settings.epochs(points.nrows()) as f64);

    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut embedding = layout::start(points, &graph, settings.dimension, &mut rng)?;
    descent::descend(&mut embedding, &graph, settings, &mut rng)?;
    Ok(embedding)
}

impl Umap {
    fn epochs(&self, n_rows: usize) -> usize {
        self.n_epochs.unwrap_or(if n_rows <= SMALL { 500 } else { 200 })
    }

    fn check(&self, points: &Array2<f64>) -> Result<()> {
        check::count("n_neighbors", self.n_neighbors, 2)?;
        check::not_negative("min_dist", self.min_dist)?;
        check::positive("spread", self.spread)?;
        check::positive("learning_rate", self.learning_rate)?;
        check::not_negative("repulsion_strength", self.repulsion_strength)?;
        check::count("n_epochs", self.n_epochs.unwrap_or(SMALL), 1)?;
        check::points(points, self.n_neighbors.max(3), || format!("neighbourhoods of {}", self.n_neighbors))?;
        check::dimension(self.dimension, points.ncols().min(points.nrows() - 1))
    }
}
