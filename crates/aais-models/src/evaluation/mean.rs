//! The mean over rows, with the two errors it has.

/// A mean over rows of estimates, each with an error of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanLogLikelihood {
    /// Of the estimates.
    pub mean: f64,
    /// What sampling adds: `√(Σ std_error²) / N`; it vanishes as samples grow.
    pub monte_carlo_error: f64,
    /// From the spread over rows, `sd / √N`: how far the mean over other rows of the same law may be. The error of sampling
    /// is part of it. `NaN` for a single row.
    pub std_error: f64,
}

impl MeanLogLikelihood {
    /// Of values and their standard errors, `(N,)` both; errors of sampling are independent between rows.
    pub fn new(values: &[f64], std_errors: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let monte_carlo_error = std_errors.iter().map(|error| error * error).sum::<f64>().sqrt() / n;
        Self { mean, monte_carlo_error, std_error: (spread / n).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_errors_are_those_of_a_mean() {
        let found = MeanLogLikelihood::new(&[1.0, 2.0, 6.0], &[0.3, 0.0, 0.4]);
        assert_eq!(found.mean, 3.0);
        assert!((found.monte_carlo_error - 0.5 / 3.0).abs() < 1e-15);
        assert!((found.std_error - (7.0f64 / 3.0).sqrt()).abs() < 1e-15); // Squares 4 + 1 + 9, over 2 and 3.
        assert!(MeanLogLikelihood::new(&[1.0], &[0.1]).std_error.is_nan());
    }
}
