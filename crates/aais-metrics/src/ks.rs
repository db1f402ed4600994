//! Kolmogorov-Smirnov statistics.

use crate::empirical::{sorted, steps};
use crate::{Error, Result};

/// The largest gap between a sample's distribution function and a continuous one.
///
/// `sup_x |F_n(x) − F(x)| = max_i max(i/n − F(x₍ᵢ₎), F(x₍ᵢ₎) − (i−1)/n)` over the sorted sample, `i = 1..n`.
/// This is the paper's KS: generated values against the true distribution (Tables 2 and 4).
/// `cdf` must be continuous; where it jumps, the gap to the left of the jump would be taken too large.
///
/// # Errors
/// An empty sample, a value that is not finite, or a `cdf` that leaves `[0, 1]`.
///
/// ```
/// let uniform = |x: f64| x.clamp(0.0, 1.0);
/// assert_eq!(aais_metrics::ks_statistic_one_sample(&[0.75, 0.25], uniform)?, 0.25);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn ks_statistic_one_sample(sample: &[f64], cdf: impl Fn(f64) -> f64) -> Result<f64> {
    let sorted = sorted(sample)?;
    let n = sorted.len() as f64;

    let mut statistic: f64 = 0.0;
    for (below, &at) in sorted.iter().enumerate() {
        let value = cdf(at);
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::DistributionFunction { at, value });
        }
        let before_step = value - below as f64 / n;
        let after_step = (below + 1) as f64 / n - value;
        statistic = statistic.max(before_step).max(after_step);
    }
    Ok(statistic)
}

/// The largest gap between the distribution functions of two samples, whose sizes may differ.
///
/// `sup_x |F_n(x) − G_m(x)|`; equal values, within a sample or across, count as one step.
///
/// # Errors
/// An empty sample or a value that is not finite.
pub fn ks_statistic_two_sample(first: &[f64], second: &[f64]) -> Result<f64> {
    let gaps = steps(first, second)?.into_iter().map(|step| (step.first - step.second).abs());
    Ok(gaps.fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn uniform(x: f64) -> f64 {
        x.clamp(0.0, 1.0)
    }

    /// Few distinct values, so that ties are common.
    fn tied_sample() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((0_i8..8).prop_map(|k| f64::from(k) / 8.0), 1..25)
    }

    fn share(sample: &[f64], within: impl Fn(f64) -> bool) -> f64 {
        sample.iter().filter(|x| within(**x)).count() as f64 / sample.len() as f64
    }

    #[test]
    fn midpoints_are_half_a_step_away() {
        for n in [1_u32, 2, 7, 1000] {
            let midpoints: Vec<f64> = (0..n).rev().map(|i| (f64::from(i) + 0.5) / f64::from(n)).collect();
            let statistic = ks_statistic_one_sample(&midpoints, uniform).unwrap();
            assert!((statistic - 0.5 / f64::from(n)).abs() < 1e-15, "{n} points: {statistic}"); // Rounding only.
        }
    }

    #[test]
    fn samples_outside_the_support_are_one_away() {
        assert_eq!(ks_statistic_one_sample(&[-2.0, -1.0], uniform), Ok(1.0));
        assert_eq!(ks_statistic_one_sample(&[2.0], uniform), Ok(1.0));
        assert_eq!(ks_statistic_two_sample(&[1.0, 2.0, 3.0], &[4.0, 5.0]), Ok(1.0));
    }

    #[test]
    fn ties_are_one_step() {
        assert_eq!(ks_statistic_one_sample(&[0.5, 0.5, 0.5, 0.5], uniform), Ok(0.5));
        assert_eq!(ks_statistic_two_sample(&[1.0, 1.0, 2.0], &[2.0, 1.0, 1.0]), Ok(0.0));
        // At 1 the functions are 1/2 and 1, at 2 both are 1.
        assert_eq!(ks_statistic_two_sample(&[1.0, 2.0], &[1.0, 1.0, 1.0]), Ok(0.5));
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(ks_statistic_one_sample(&[], uniform), Err(Error::EmptySample));
        assert_eq!(ks_statistic_two_sample(&[1.0], &[]), Err(Error::EmptySample));
        let outside = ks_statistic_one_sample(&[3.0], |x| x);
        assert_eq!(outside, Err(Error::DistributionFunction { at: 3.0, value: 3.0 }));
        assert!(ks_statistic_one_sample(&[3.0], |_| f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn one_sample_is_the_largest_gap_on_either_side_of_a_value(sample in tied_sample()) {
            let gaps = sample.iter().flat_map(|&at| {
                let (below, upto) = (share(&sample, |x| x < at), share(&sample, |x| x <= at));
                [(below - uniform(at)).abs(), (upto - uniform(at)).abs()]
            });
            prop_assert_eq!(ks_statistic_one_sample(&sample, uniform).unwrap(), gaps.fold(0.0, f64::max));
        }

        #[test]
        fn two_samples_are_the_largest_gap_at_a_value(a in tied_sample(), b in tied_sample()) {
            let gaps = a.iter().chain(&b).map(|&at| (share(&a, |x| x <= at) - share(&b, |x| x <= at)).abs());
            let statistic = ks_statistic_two_sample(&a, &b).unwrap();
            prop_assert_eq!(statistic, gaps.fold(0.0, f64::max));
            prop_assert_eq!(statistic, ks_statistic_two_sample(&b, &a).unwrap());
        }
    }
}
