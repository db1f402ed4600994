//! The descent in three phases.

use ndarray::{Array2, Zip};

use super::Pacmap;
use super::pairs::Pairs;
use crate::{Result, check};

/// Weights of the three kinds of pairs in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weights {
    near: f64,
    mid_near: f64,
    further: f64,
}

/// The weights of a step. Wang and others (2021), section 5; mid-near pairs fall from 1000 to 3 in the first phase.
fn weights(step: usize, phases: [usize; 3]) -> Weights {
    let [first, second, _] = phases;
    if step < first {
        let share = step as f64 / first as f64;
        Weights { near: 2.0, mid_near: 1000.0 * (1.0 - share) + 3.0 * share, further: 1.0 }
    } else if step < first + second {
        Weights { near: 3.0, mid_near: 3.0, further: 1.0 }
    } else {
        Weights { near: 1.0, mid_near: 0.0, further: 1.0 }
    }
}

/// Adam (Kingma and Ba 2015) with its usual constants.
pub(super) fn descend(embedding: &mut Array2<f64>, pairs: &Pairs, settings: &Pacmap) -> Result<()> {
    const DECAYS: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-7;
    let mut means = Array2::<f64>::zeros(embedding.dim());
    let mut squares = Array2::<f64>::zeros(embedding.dim());
    let mut remaining = [1.0, 1.0];
    for step in 0..settings.n_steps.iter().sum() {
        let slope = slope(embedding, pairs, weights(step, settings.n_steps));
        remaining = [remaining[0] * DECAYS[0], remaining[1] * DECAYS[1]];
        let rate = settings.learning_rate * (1.0_f64 - remaining[1]).sqrt() / (1.0 - remaining[0]);
        Zip::from(&mut *embedding).and(&mut means).and(&mut squares).and(&slope).for_each(|x, mean, square, slope| {
            *mean += (1.0 - DECAYS[0]) * (slope - *mean);
            *square += (1.0 - DECAYS[1]) * (slope * slope - *square);
            *x -= rate * *mean / (square.sqrt() + EPSILON);
        });
        check::finite("PaCMAP", step, embedding)?;
    }
    Ok(())
}

/// Of `Σ_near w d / (10 + d) + Σ_mid w d / (10000 + d) + Σ_further w / (1 + d)`, `d = |y_i − y_j|² + 1`.
fn slope(embedding: &Array2<f64>, pairs: &Pairs, weights: Weights) -> Array2<f64> {
    let mut slope = Array2::zeros(embedding.dim());
    let pull = |weight: f64, constant: f64| move |d: f64| 2.0 * weight * constant / (constant + d).powi(2);
    add(&mut slope, embedding, &pairs.near, pull(weights.near, 10.0));
    if weights.mid_near > 0.0 {
        add(&mut slope, embedding, &pairs.mid_near, pull(weights.mid_near, 10_000.0));
    }
    add(&mut slope, embedding, &pairs.further, |d| -2.0 * weights.further / (1.0 + d).powi(2));
    slope
}

/// Adds `force(d) (y_i − y_j)` to the slope of both points of each pair.
fn add(slope: &mut Array2<f64>, embedding: &Array2<f64>, partners: &Array2<usize>, force: impl Fn(f64) -> f64) {
    for ((i, _), &k) in partners.indexed_iter() {
        let gap = || embedding.row(i).into_iter().zip(embedding.row(k)).map(|(x, y)| x - y);
        let force = force(1.0 + gap().map(|x| x * x).sum::<f64>());
        for (d, gap) in gap().enumerate() {
            slope[[i, d]] += force * gap;
            slope[[k, d]] -= force * gap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacmap::{Counts, pairs};
    use crate::testing::waves;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn loss(embedding: &Array2<f64>, pairs: &Pairs, weights: Weights) -> f64 {
        let sum = |partners: &Array2<usize>, term: fn(f64) -> f64| -> f64 {
            let gap = |i: usize, k: usize| &embedding.row(i) - &embedding.row(k);
            partners.indexed_iter().map(|((i, _), &k)| term(1.0 + gap(i, k).dot(&gap(i, k)))).sum()
        };
        weights.near * sum(&pairs.near, |d| d / (10.0 + d))
            + weights.mid_near * sum(&pairs.mid_near, |d| d / (10_000.0 + d))
            + weights.further * sum(&pairs.further, |d| 1.0 / (1.0 + d))
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let counts = Counts { near: 4, mid_near: 3, further: 5 };
        let pairs = pairs::draw(&waves(30, 4), &counts, &mut ChaCha8Rng::seed_from_u64(0));
        let embedding = waves(30, 3) * 2.0;
        for step in [0, 150, 300] {
            let weights = weights(step, [100, 100, 250]);
            let slope = slope(&embedding, &pairs, weights);
            for at in [[0, 0], [13, 2], [29, 1]] {
                let moved = |shift: f64| {
                    let mut embedding = embedding.clone();
                    embedding[at] += shift;
                    loss(&embedding, &pairs, weights)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                // Differences of a loss of 100 are good to 1e-14 / 1e-5.
                assert!((slope[at] - expected).abs() < 1e-8, "{step}: {} and {expected}", slope[at]);
            }
        }
    }

    #[test]
    fn weights_change_with_the_phases() {
        let phases = [100, 100, 250];
        assert_eq!(weights(0, phases), Weights { near: 2.0, mid_near: 1000.0, further: 1.0 });
        assert_eq!(weights(50, phases).mid_near, 501.5);
        assert_eq!(weights(100, phases), Weights { near: 3.0, mid_near: 3.0, further: 1.0 });
        assert_eq!(weights(200, phases), Weights { near: 1.0, mid_near: 0.0, further: 1.0 });
    }
}
