//! Scaling a column to mean 0 and variance 1.

use ndarray::Array2;

use crate::{Error, Result};

/// A standardized column and the way back.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardized {
    /// `(x − mean) / sd`, `(N, 1)`.
    pub values: Array2<f64>,
    /// Mean of the column.
    pub mean: f64,
    /// Population standard deviation of the column, `√((1/N) Σᵢ (xᵢ − mean)²)`.
    pub sd: f64,
}

impl Standardized {
    /// Takes a standardized value, such as a generated one, back to the column's own scale: `value · sd + mean`.
    #[must_use]
    pub fn restore(&self, value: f64) -> f64 {
        value * self.sd + self.mean
    }
}

/// Standardizes data of one column.
///
/// Noise of variance 1 on the data has variance `1 / sd²` on the result.
///
/// # Errors
/// Other than one column, no rows, a value that is not finite, or a column that is constant or overflows.
pub fn standardize(data: &Array2<f64>) -> Result<Standardized> {
    if data.ncols() != 1 {
        return Err(Error::Columns { found: data.ncols() });
    }
    if let Some((row, &value)) = data.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(Error::NonFiniteRow { row, value });
    }
    let Some(&first) = data.first() else { return Err(Error::NoRows) };
    // The mean of equal values may be off by a rounding, which would pass for a spread.
    if data.iter().all(|value| *value == first) {
        return Err(Error::Spread { sd: 0.0 });
    }

    let n_rows = data.len() as f64;
    let mean = data.sum() / n_rows;
    let sd = (data.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n_rows).sqrt();
    if !sd.is_finite() || sd == 0.0 {
        return Err(Error::Spread { sd });
    }
    Ok(Standardized { values: data.map(|value| (value - mean) / sd), mean, sd })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Exponential, Mixture, exponential, mixture};
    use ndarray::array;

    #[test]
    fn the_result_has_mean_zero_and_population_variance_one() {
        let result = standardize(&array![[1.0], [3.0], [8.0]]).unwrap();
        assert_eq!((result.mean, result.sd), (4.0, (26.0_f64 / 3.0).sqrt()));
        assert!(result.values.sum().abs() < 1e-15); // Rounding only, here and below.
        assert!((result.values.map(|v| v * v).sum() / 3.0 - 1.0).abs() < 1e-15);
        assert!((result.restore(result.values[[2, 0]]) - 8.0).abs() < 1e-15);
    }

    /// Half the variance of the published draws, as numpy 2.4.6 has it: `0.5 * numpy.load("exp1d_x.npy").var()`.
    #[test]
    fn published_draws_have_their_variance() {
        let half_variance = |data: &Array2<f64>| 0.5 * standardize(data).unwrap().sd.powi(2);
        let exponential = half_variance(&exponential(&Exponential::paper()).unwrap().observed);
        let mixture = half_variance(&mixture(&Mixture::paper()).unwrap().observed);
        assert!((exponential - 2.412_621_926_097_737).abs() < 1e-12, "{exponential}"); // numpy adds in pairs.
        assert!((mixture - 1.738_278_815_127_988).abs() < 1e-12, "{mixture}");
    }

    #[test]
    fn bad_data_is_refused() {
        assert_eq!(standardize(&array![[1.0, 2.0]]), Err(Error::Columns { found: 2 }));
        assert_eq!(standardize(&Array2::zeros((0, 1))), Err(Error::NoRows));
        assert_eq!(standardize(&array![[0.1], [0.1], [0.1]]), Err(Error::Spread { sd: 0.0 }));
        assert!(matches!(standardize(&array![[0.0], [f64::NAN]]), Err(Error::NonFiniteRow { row: 1, .. })));
        assert!(matches!(standardize(&array![[f64::MAX], [f64::MIN]]), Err(Error::Spread { .. })));
    }
}
