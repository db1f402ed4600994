//! Points and settings are checked once, before any work.

use ndarray::Array2;

use crate::{Error, Result};

/// Beyond this size, sums of squares of a few rows leave the range of a double.
const LARGEST: f64 = 1e120;

/// Passes points with at least `needed` rows, at least one column, and coordinates that can be squared.
pub(crate) fn points(points: &Array2<f64>, needed: usize, reason: impl FnOnce() -> String) -> Result<()> {
    let (rows, columns) = points.dim();
    if rows < needed {
        return Err(Error::TooFewRows { rows, needed, reason: reason() });
    }
    if columns == 0 {
        return Err(Error::NoColumns { rows });
    }
    match points.indexed_iter().find(|(_, value)| value.is_nan() || value.abs() > LARGEST) {
        Some(((row, column), &value)) => Err(Error::Coordinate { row, column, value }),
        None => Ok(()),
    }
}

/// Passes a dimension from one to `most`.
pub(crate) fn dimension(dimension: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&dimension) { Ok(()) } else { Err(Error::Dimension { dimension, most }) }
}

/// Passes a positive, finite setting.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name, range: "positive and finite", value })
}

/// Passes a finite setting that is not negative.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name, range: "finite and not negative", value })
}

/// Passes a count that is at least `least`.
pub(crate) fn count(name: &'static str, value: usize, least: usize) -> Result<()> {
    if value >= least {
        return Ok(());
    }
    let range = if least == 1 { "at least 1" } else { "at least 2" };
    Err(Error::Setting { name, range, value: value as f64 })
}

/// Fails where an embedding holds a number that is not finite.
pub(crate) fn finite(method: &'static str, step: usize, embedding: &Array2<f64>) -> Result<()> {
    // One sum instead of a test each: it is finite only if all terms are.
    if embedding.sum().is_finite() { Ok(()) } else { Err(Error::Diverged { method, step }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn message(values: &Array2<f64>) -> String {
        points(values, 2, || "the test".to_owned()).unwrap_err().to_string()
    }

    #[test]
    fn the_first_bad_coordinate_is_named() {
        let values = array![[1.0, 2.0], [3.0, f64::NAN]];
        assert!(message(&values).ends_with("got NaN in row 1, column 1, counted from zero"));
        assert!(message(&array![[1.0], [f64::NEG_INFINITY]]).contains("got -inf in row 1, column 0"));
        assert!(message(&array![[1e121], [0.0]]).contains("row 0"));
    }

    #[test]
    fn empty_shapes_are_told_apart() {
        assert_eq!(message(&Array2::zeros((1, 3))), "expected at least 2 rows for the test, got 1");
        assert!(message(&Array2::zeros((4, 0))).ends_with("got 4 rows without columns"));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert_eq!(
            positive("spread", f64::NAN).unwrap_err().to_string(),
            "`spread` must be positive and finite, got NaN"
        );
        assert_eq!(count("restarts", 0, 1).unwrap_err().to_string(), "`restarts` must be at least 1, got 0");
        assert_eq!(dimension(0, 3).unwrap_err().to_string(), "expected a dimension from 1 to 3, got 0");
    }
}
