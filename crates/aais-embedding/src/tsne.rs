//! t-distributed stochastic neighbour embedding, exact and in any dimension.

mod affinities;
mod gradient;

use ndarray::{Array2, Zip};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::unit::Unit;
use crate::{Result, check, pca};
use gradient::Gradient;

/// Settings of [`tsne`]. The defaults are those of scikit-learn 1.9 with `method="exact"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tsne {
    /// Coordinates of an embedded point.
    pub dimension: usize,
    /// How many neighbours a point has, in effect: the exponential of the entropy of its affinities.
    pub perplexity: f64,
    /// Degrees of freedom of the Student kernel, usually [`Tsne::usual_degrees_of_freedom`].
    pub degrees_of_freedom: f64,
    /// Length of a gradient step; `None` is `N / early_exaggeration / 4`, and in up to three dimensions at least 50.
    ///
    /// scikit-learn has this floor in any dimension; in ten, some hundred points fly apart at it.
    pub learning_rate: Option<f64>,
    /// What affinities are multiplied by in the first phase, in which clusters form.
    pub early_exaggeration: f64,
    /// Steps of the first phase, with momentum 0.5.
    pub n_early_steps: usize,
    /// Steps of the second phase, with momentum 0.8.
    pub n_steps: usize,
    /// Of the start, which is the PCA and a little noise.
    pub seed: u64,
}

impl Tsne {
    /// The defaults for this dimension.
    #[must_use]
    pub fn of_dimension(dimension: usize) -> Self {
        Self {
            dimension,
            perplexity: 30.0,
            degrees_of_freedom: Self::usual_degrees_of_freedom(dimension),
            learning_rate: None,
            early_exaggeration: 12.0,
            n_early_steps: 250,
            n_steps: 750,
            seed: 0,
        }
    }

    /// `max(d − 1, 1)`: in many dimensions there is room, and tails need not be heavy (van der Maaten 2009).
    #[must_use]
    pub fn usual_degrees_of_freedom(dimension: usize) -> f64 {
        dimension.saturating_sub(1).max(1) as f64
    }
}

impl Default for Tsne {
    fn default() -> Self {
        Self::of_dimension(2)
    }
}

/// Standard deviation of the start's first coordinate.
const START: f64 = 1e-4;

/// Noise of the start relative to it, so that equal points can part.
const JITTER: f64 = 0.01;

/// Embeds points, one a row, such that neighbours stay neighbours: `(N, D)` to `(N, d)`.
///
/// Affinities `p` are Gaussian with a width for each point, and similarities of the embedding are
/// `q ∝ (1 + |y − y'|² / ν)^(−(ν + 1) / 2)`; gradient descent with momentum and gains lowers `KL(p ‖ q)`
/// (van der Maaten and Hinton 2008). All pairs enter, without Barnes and Hut's approximation, which knows two and three
/// dimensions only: time for each step and memory are `O(N²)`, which suits some thousand points.
///
/// The bits are the same on any number of threads.
///
/// # Errors
/// A coordinate that is not finite, not more rows than `perplexity + 1`, a dimension above `min(N − 1, D)`, a setting
/// out of range, or a learning rate at which the embedding diverges.
pub fn tsne(points: &Array2<f64>, settings: &Tsne) -> Result<Array2<f64>> {
    settings.check(points)?;
    // The embedding depends on ratios of distances only.
    let points = Unit::of(points).points;
    let affinities = affinities::joint(&points, settings.perplexity);
    let gradient = Gradient { affinities: &affinities, degrees_of_freedom: settings.degrees_of_freedom };
    let rate = settings.learning_rate.unwrap_or_else(|| settings.usual_learning_rate(points.nrows()));

    let mut embedding = start(&points, settings)?;
    let early = Phase {
        exaggeration: settings.early_exaggeration,
        momentum: 0.5,
        rate,
        first_step: 0,
        n_steps: settings.n_early_steps,
    };
    let late =
        Phase { exaggeration: 1.0, momentum: 0.8, rate, first_step: settings.n_early_steps, n_steps: settings.n_steps };
    descend(&mut embedding, &gradient, &early)?;
    descend(&mut embedding, &gradient, &late)?;
    Ok(embedding)
}

impl Tsne {
    /// One over the curvature at which the exaggerated attraction overshoots, roughly (Belkina and others 2019).
    fn usual_learning_rate(&self, n_rows: usize) -> f64 {
        const FLOOR: f64 = 50.0;
        let rate = n_rows as f64 / self.early_exaggeration / 4.0;
        if self.dimension <= 3 { rate.max(FLOOR) } else { rate }
    }

    fn check(&self, points: &Array2<f64>) -> Result<()> {
        check::positive("perplexity", self.perplexity)?;
        check::positive("degrees_of_freedom", self.degrees_of_freedom)?;
        check::positive("early_exaggeration", self.early_exaggeration)?;
        if let Some(rate) = self.learning_rate {
            check::positive("learning_rate", rate)?;
        }
        // All others with equal weight have a perplexity of N − 1, the largest one.
        let needed = (self.perplexity + 2.0).ceil() as usize;
        check::points(points, needed.max(3), || format!("a perplexity of {}", self.perplexity))?;
        check::dimension(self.dimension, points.ncols().min(points.nrows() - 1))
    }
}

/// Principal components of a small common scale, and noise.
fn start(points: &Array2<f64>, settings: &Tsne) -> Result<Array2<f64>> {
    let pca = pca(points, settings.dimension)?;
    let scale = if pca.variances[0] > 0.0 { START / pca.variances[0].sqrt() } else { 0.0 };
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    Ok(pca.scores.mapv_into(|x| {
        let noise: f64 = StandardNormal.sample(&mut rng);
        scale * x + JITTER * START * noise
    }))
}

/// A stretch of the descent.
struct Phase {
    exaggeration: f64,
    momentum: f64,
    rate: f64,
    first_step: usize,
    n_steps: usize,
}

/// Gradient descent with momentum, each coordinate with a gain of its own (Jacobs 1988).
fn descend(embedding: &mut Array2<f64>, gradient: &Gradient, phase: &Phase) -> Result<()> {
    const LEAST_GAIN: f64 = 0.01;
    let mut velocity = Array2::zeros(embedding.dim());
    let mut gains = Array2::<f64>::ones(embedding.dim());
    for step in 0..phase.n_steps {
        let slope = gradient.at(embedding, phase.exaggeration);
        Zip::from(&mut velocity).and(&mut gains).and(&slope).for_each(|velocity: &mut f64, gain, &slope| {
            // Against the slope the gain grows, else it has overshot.
            *gain = if *velocity * slope < 0.0 { *gain + 0.2 } else { (*gain * 0.8).max(LEAST_GAIN) };
            *velocity = phase.momentum * *velocity - phase.rate * *gain * slope;
        });
        *embedding += &velocity;
        check::finite("t-SNE", phase.first_step + step, embedding)?;
    }
    Ok(())
}
