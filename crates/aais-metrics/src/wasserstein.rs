//! Wasserstein distance of order one.

use crate::Result;
use crate::empirical::steps;

/// The Wasserstein-1 distance between two samples, whose sizes may differ.
///
/// `∫ |F_n(x) − G_m(x)| dx`, the mean distance that mass must move to turn one sample into the other, in the samples'
/// own units. This is the paper's WD: generated values against the training signal (Tables 2 and 4).
///
/// # Errors
/// An empty sample or a value that is not finite.
///
/// ```
/// assert_eq!(aais_metrics::wasserstein_1(&[0.0, 1.0], &[2.5, 1.5])?, 1.5);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn wasserstein_1(first: &[f64], second: &[f64]) -> Result<f64> {
    let steps = steps(first, second)?;
    let areas = steps.windows(2).map(|pair| (pair[0].first - pair[0].second).abs() * (pair[1].value - pair[0].value));
    Ok(areas.sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Error;
    use proptest::prelude::*;

    /// The areas add fewer than a hundred products of numbers up to 10, each with a few roundings.
    const ROUNDING: f64 = 1e-12;

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        let tied = (-4_i8..4).prop_map(f64::from);
        prop::collection::vec(prop_oneof![tied, -5.0..5.0], 1..25)
    }

    /// Repeats every value, which leaves the distribution as it is.
    fn repeated(sample: &[f64], times: usize) -> Vec<f64> {
        let mut repeated: Vec<f64> = sample.iter().flat_map(|x| std::iter::repeat_n(*x, times)).collect();
        repeated.sort_by(f64::total_cmp);
        repeated
    }

    #[test]
    fn a_shift_is_its_size() {
        let sample = [3.0, -1.5, 0.25, 0.25, 8.0];
        let shifted = sample.map(|x| x + 0.75);
        assert_eq!(wasserstein_1(&sample, &shifted), Ok(0.75));
        assert_eq!(wasserstein_1(&sample, &sample), Ok(0.0));
    }

    #[test]
    fn a_sample_is_its_mean_distance_from_a_point() {
        assert_eq!(wasserstein_1(&[-1.0, 0.0, 2.0, 7.0], &[1.0]), Ok((2.0 + 1.0 + 1.0 + 6.0) / 4.0));
    }

    #[test]
    fn sizes_may_differ() {
        // A third of the mass moves from 0 to 1 and a sixth from 1 to 2.
        let distance = wasserstein_1(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[0.0, 1.0, 2.0, 1.0, 0.0, 1.0]).unwrap();
        assert!((distance - 2.0 / 6.0).abs() < ROUNDING, "{distance}");
        assert_eq!(wasserstein_1(&[0.0, 2.0], &[0.0, 0.0, 2.0, 2.0]), Ok(0.0));
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(wasserstein_1(&[], &[1.0]), Err(Error::EmptySample));
        assert!(matches!(wasserstein_1(&[1.0], &[0.0, f64::NAN]), Err(Error::NonFinite { index: 1, .. })));
    }

    proptest! {
        #[test]
        fn the_integral_is_the_mean_gap_of_matched_order_statistics(a in sample(), b in sample()) {
            let (matched_a, matched_b) = (repeated(&a, b.len()), repeated(&b, a.len()));
            let gaps: f64 = matched_a.iter().zip(&matched_b).map(|(x, y)| (x - y).abs()).sum();
            let distance = wasserstein_1(&a, &b).unwrap();
            prop_assert!((distance - gaps / matched_a.len() as f64).abs() < ROUNDING);
        }

        #[test]
        fn distances_are_symmetric_and_obey_the_triangle(a in sample(), b in sample(), c in sample()) {
            let distance = |x: &[f64], y: &[f64]| wasserstein_1(x, y).unwrap();
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c) + ROUNDING);
        }
    }
}
