//! Step sizes that follow the acceptance: state in, state out. Both rules are those of Thin et al. (2021).

/// Bounds of every adapted step size.
const BOUNDS: (f64, f64) = (0.001, 0.5);

/// Largest scale: even where the score spreads by 9, no longer steps could follow from a larger one.
const LARGEST_SCALE: f64 = 5.0;

/// A little shorter if the mean acceptance is below its target, else a little longer; within 0.001 and 0.5.
pub fn toward_acceptance(step_size: f64, acceptance: f64, target: f64) -> f64 {
    let factor = if acceptance < target { 0.998 } else { 1.002 };
    (step_size * factor).clamp(BOUNDS.0, BOUNDS.1)
}

/// Step sizes of each coordinate that follow the spread of the score there.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// The step size where the score has little spread.
    pub scale: f64,
    /// One a coordinate.
    pub step_sizes: Vec<f64>,
}

impl Spread {
    /// The same size in all coordinates, and the usual scale.
    pub fn new(step_size: f64, latent: usize) -> Self {
        Self { scale: 0.1, step_sizes: vec![step_size; latent] }
    }
}

/// Moves each step size a tenth of the way to `scale / (score_std + 1)`; the scale follows the acceptance.
///
/// `score_std` is the standard deviation of each coordinate of the score over a batch.
pub fn by_spread(state: &Spread, score_std: &[f64], acceptance: f64, target: f64) -> Spread {
    let toward =
        |(step_size, std): (&f64, &f64)| (0.9 * step_size + 0.1 * state.scale / (std + 1.0)).clamp(BOUNDS.0, BOUNDS.1);
    let step_sizes = state.step_sizes.iter().zip(score_std).map(toward).collect();
    let scale = (state.scale * if acceptance < target { 0.99 } else { 1.02 }).clamp(BOUNDS.0, LARGEST_SCALE);
    Spread { scale, step_sizes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_shorten_below_the_target_and_lengthen_above_it() {
        assert_eq!(toward_acceptance(0.1, 0.7, 0.8), 0.1 * 0.998);
        assert_eq!(toward_acceptance(0.1, 0.9, 0.8), 0.1 * 1.002);
        assert_eq!(toward_acceptance(0.4999, 1.0, 0.8), 0.5);
        assert_eq!(toward_acceptance(0.001, 0.0, 0.8), 0.001);
    }

    #[test]
    fn coordinates_with_a_wide_score_get_short_steps() {
        let state = (0..200).fold(Spread::new(0.01, 2), |state, _| by_spread(&state, &[0.0, 9.0], 1.0, 2.0));
        // Acceptance below target throughout: the scale has fallen, and the sizes follow it a tenth of the way a step.
        let scale = 0.1 * 0.99f64.powi(200); // 0.0134
        assert!((state.scale - scale).abs() < 1e-12);
        assert!(state.step_sizes[0] > 9.0 * state.step_sizes[1], "{state:?}");
        // A scale that has grown without effect comes down again soon.
        let grown = (0..10_000).fold(Spread::new(0.01, 1), |state, _| by_spread(&state, &[0.0], 1.0, 0.9));
        let back = (0..400).fold(grown, |state, _| by_spread(&state, &[0.0], 0.0, 0.9));
        assert!(back.step_sizes[0] < 0.2, "{back:?}");
        let once = by_spread(&Spread::new(0.01, 1), &[1.0], 1.0, 0.9);
        assert!((once.step_sizes[0] - (0.009 + 0.005)).abs() < 1e-15 && (once.scale - 0.102).abs() < 1e-15);
    }
}
