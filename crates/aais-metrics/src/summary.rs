//! Mean and spread over repeated runs.

use crate::Result;
use crate::empirical::check;

/// What a table shows of repeated runs: `mean (sd)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many values there were.
    pub n: usize,
    /// `x̄ = (1/n) Σᵢ xᵢ`.
    pub mean: f64,
    /// `√(Σᵢ (xᵢ − x̄)² / (n − 1))`; one value has none.
    pub sd: Option<f64>,
}

/// Summarizes a sample by its mean and standard deviation.
///
/// # Errors
/// An empty sample or a value that is not finite.
pub fn summarize(sample: &[f64]) -> Result<Summary> {
    check(sample)?;
    let n = sample.len();

    let mean = sample.iter().sum::<f64>() / n as f64;
    let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());

    Ok(Summary { n, mean, sd })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn the_spread_divides_by_one_less() {
        assert_eq!(summarize(&[1.0, 2.0, 6.0]), Ok(Summary { n: 3, mean: 3.0, sd: Some(7.0_f64.sqrt()) }));
    }

    #[test]
    fn one_value_has_no_spread() {
        assert_eq!(summarize(&[0.041]), Ok(Summary { n: 1, mean: 0.041, sd: None }));
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(summarize(&[]), Err(Error::EmptySample));
        assert!(matches!(summarize(&[0.0, 1.0, f64::NAN]), Err(Error::NonFinite { index: 2, .. })));
    }
}
