//! Pairwise controlled manifold approximation, in any dimension.

mod descent;
mod pairs;

use ndarray::{Array2, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{Result, check, pca};

/// Settings of [`pacmap`]. The defaults are those of pacmap 0.9.
#[derive(Debug, Clone, PartialEq)]
pub struct Pacmap {
    /// Coordinates of an embedded point.
    pub dimension: usize,
    /// Near points that pull; `None` is 10 up to 10,000 points and `10 + 15 (log₁₀ N − 4)`, rounded, beyond.
    pub n_neighbors: Option<usize>,
    /// Mid-near points for each near one, each the second nearest of six random ones.
    pub mid_near_ratio: f64,
    /// Random points that push, for each near one.
    pub further_ratio: f64,
    /// Steps of the three phases: mid-near points form the whole, neighbours are moved, neighbours alone are left.
    pub n_steps: [usize; 3],
    /// Adam's step.
    pub learning_rate: f64,
    /// Of the mid-near points and those that push.
    pub seed: u64,
}

impl Default for Pacmap {
    fn default() -> Self {
        Self {
            dimension: 2,
            n_neighbors: None,
            mid_near_ratio: 0.5,
            further_ratio: 2.0,
            n_steps: [100, 100, 250],
            learning_rate: 1.0,
            seed: 0,
        }
    }
}

/// Coordinates beyond which the principal components take their place.
const MOST_COLUMNS: usize = 100;

/// The start relative to the principal components.
const START: f64 = 0.01;

/// Embeds points, one a row, by near pairs, mid-near pairs and pairs that push: `(N, D)` to `(N, d)`.
///
/// Wang, Huang, Rudin and Shaposhnik (2021), Algorithm 1, with exact Euclidean neighbours. As in the authors' program,
/// points of more than 100 coordinates are replaced by their first 100 principal components, and others are brought to
/// a range of one. The descent is sequential: the bits are the same on any number of threads. `O(N² D)` for neighbours and
/// `O(N)` for a step.
///
/// # Errors
/// A coordinate that is not finite, too few rows to draw pairs from, a dimension above `min(N − 1, D, 100)`, a setting
/// out of range, or a learning rate at which the embedding diverges.
pub fn pacmap(points: &Array2<f64>, settings: &Pacmap) -> Result<Array2<f64>> {
    settings.check(points)?;
    let counts = settings.counts(points.nrows());
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);

    let prepared = Prepared::new(points, settings.dimension)?;
    let pairs = pairs::draw(&prepared.points, &counts, &mut rng);
    let mut embedding = prepared.start;
    descent::descend(&mut embedding, &pairs, settings)?;
    Ok(embedding)
}

/// Pairs of each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    near: usize,
    mid_near: usize,
    further: usize,
}

impl Pacmap {
    fn counts(&self, n_rows: usize) -> Counts {
        let usual = || 10.0 + 15.0 * ((n_rows as f64).log10() - 4.0).max(0.0);
        let near = self.n_neighbors.unwrap_or_else(|| usual().round() as usize);
        let share = |ratio: f64| (near as f64 * ratio).round() as usize;
        Counts { near, mid_near: share(self.mid_near_ratio), further: share(self.further_ratio) }
    }

    fn check(&self, points: &Array2<f64>) -> Result<()> {
        check::count("n_neighbors", self.n_neighbors.unwrap_or(1), 1)?;
        check::not_negative("mid_near_ratio", self.mid_near_ratio)?;
        check::not_negative("further_ratio", self.further_ratio)?;
        check::positive("learning_rate", self.learning_rate)?;
        let counts = self.counts(points.nrows());
        // Beside the point itself: points that push are no neighbours, and six are drawn for each mid-near one.
        let pushing = counts.near.saturating_add(counts.further);
        let needed = pushing.max(counts.mid_near.saturating_add(pairs::DRAWN)).saturating_add(1);
        check::points(points, needed, || {
            format!("{} near, {} mid-near and {} further pairs", counts.near, counts.mid_near, counts.further)
        })?;
        check::dimension(self.dimension, points.ncols().min(points.nrows() - 1).min(MOST_COLUMNS))
    }
}

/// What distances are measured on, and where the embedding starts.
struct Prepared {
    points: Array2<f64>,
    start: Array2<f64>,
}

impl Prepared {
    fn new(points: &Array2<f64>, dimension: usize) -> Result<Self> {
        let (rows, columns) = points.dim();
        if columns > MOST_COLUMNS {
            let scores = pca(points, MOST_COLUMNS.min(rows - 1))?.scores;
            let start = scores.slice_axis(Axis(1), Slice::from(..dimension)).mapv(|x| START * x);
            return Ok(Self { points: scores, start });
        }
        let low = points.iter().copied().fold(f64::INFINITY, f64::min);
        let high = points.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = if high > low { high - low } else { 1.0 };
        let points = points.mapv(|x| (x - low) / range);
        let start = pca(&points, dimension)?.scores * START;
        Ok(Self { points, start })
    }
}
