//! Where a sample lies: quantiles, its lower edge, and how much of it is negative.

use crate::empirical::{check, sorted};
use crate::{Error, Result};

/// The probability of [`lower_edge`]: of 5,000 generated values, the five smallest lie below it.
const LOWER_EDGE: f64 = 0.001;

/// The value below which a share `probability` of the sample lies.
///
/// Interpolated linearly between order statistics, at position `h = (n − 1) p` of the sorted sample, counted from zero:
/// `x₍⌊h⌋₎ + (h − ⌊h⌋) (x₍⌊h⌋₊₁₎ − x₍⌊h⌋₎)`.
/// This is definition 7 of Hyndman and Fan (1996), numpy's default.
///
/// # Errors
/// An empty sample, a value that is not finite, or a probability outside `[0, 1]`.
///
/// ```
/// assert_eq!(aais_metrics::quantile(&[4.0, 1.0, 2.0], 0.75)?, 3.0);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn quantile(sample: &[f64], probability: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(Error::Probability { value: probability });
    }
    let sorted = sorted(sample)?;

    let position = (sorted.len() - 1) as f64 * probability;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let fraction = position - position.floor();

    Ok(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

/// Where the sample's support begins: its 0.1 % quantile, which a single stray value cannot move far.
///
/// For a signal that is never negative it should not lie much below zero. It is a steadier sign of that than
/// [`negative_share`], which jumps when a sharp edge moves a little across zero.
///
/// # Errors
/// An empty sample or a value that is not finite.
pub fn lower_edge(sample: &[f64]) -> Result<f64> {
    quantile(sample, LOWER_EDGE)
}

/// The share of values below zero, between 0 and 1; the paper's FP (Table 2).
///
/// # Errors
/// An empty sample or a value that is not finite.
pub fn negative_share(sample: &[f64]) -> Result<f64> {
    check(sample)?;
    let negative = sample.iter().filter(|value| **value < 0.0).count();
    Ok(negative as f64 / sample.len() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn quantiles_of_a_grid_are_the_probability() {
        let grid: Vec<f64> = (0..=1000).rev().map(|i| f64::from(i) / 1000.0).collect();
        for probability in [0.0, 0.001, 0.2505, 0.5, 1.0] {
            let value = quantile(&grid, probability).unwrap();
            assert!((value - probability).abs() < 1e-15, "{probability}: {value}"); // Rounding only.
        }
        assert!((lower_edge(&grid).unwrap() - 0.001).abs() < 1e-15);
    }

    /// Golden values: numpy 2.4.6, `numpy.quantile([3.0, -1.0, 7.5, 0.1, 2.2], p)`.
    #[test]
    fn quantiles_are_numpys() {
        let sample = [3.0, -1.0, 7.5, 0.1, 2.2];
        let golden = [(0.0, -1.0), (0.001, -0.9956), (0.1, -0.56), (0.3, 0.52), (0.62, 2.584), (0.9, 5.7), (1.0, 7.5)];
        for (probability, expected) in golden {
            let value = quantile(&sample, probability).unwrap();
            assert!((value - expected).abs() < 1e-14, "{probability}: {value}"); // numpy orders the sum differently.
        }
    }

    #[test]
    fn every_quantile_of_one_value_is_that_value() {
        assert_eq!(quantile(&[4.5], 0.0), Ok(4.5));
        assert_eq!(quantile(&[4.5], 0.7), Ok(4.5));
        assert_eq!(quantile(&[4.5], 1.0), Ok(4.5));
    }

    #[test]
    fn zero_is_not_negative() {
        assert_eq!(negative_share(&[0.0, -0.0, -1e-300, 2.0]), Ok(0.25));
        assert_eq!(negative_share(&[1.0]), Ok(0.0));
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(quantile(&[1.0], 1.5), Err(Error::Probability { value: 1.5 }));
        assert!(quantile(&[1.0], f64::NAN).is_err());
        assert_eq!(lower_edge(&[]), Err(Error::EmptySample));
        assert_eq!(negative_share(&[]), Err(Error::EmptySample));
        assert!(matches!(negative_share(&[0.0, f64::NAN]), Err(Error::NonFinite { index: 1, .. })));
    }
}
