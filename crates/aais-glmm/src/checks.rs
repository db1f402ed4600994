//! Whether a response suits a family. Rows in errors are those of the design, which dropped rows may have moved.

use crate::{Design, Error, Result};

/// How far from whole a number of successes may be, as in R's `binomial`: shares are rounded quotients.
const SUCCESS_TOLERANCE: f64 = 1e-3;

/// Passes responses of 0 and 1, each of which occurs.
///
/// # Errors
/// Another value, or one value throughout.
pub fn check_binary(design: &Design) -> Result<()> {
    let response = &design.response;
    match response.values.iter().position(|value| *value != 0.0 && *value != 1.0) {
        Some(row) => Err(Error::NotBinary { response: response.name.clone(), value: response.values[row], row }),
        None => check_varies(design),
    }
}

/// Passes shares of successes in whole trials, the prior weights; zeros and ones with weights of one are such shares.
///
/// # Errors
/// A share outside `[0, 1]` or of no whole number of successes; successes in all trials, or in none.
pub fn check_shares(design: &Design) -> Result<()> {
    let response = &design.response;
    let is_share = |(value, trials): (&f64, &f64)| {
        let successes = value * trials;
        (0.0..=1.0).contains(value) && (successes - successes.round()).abs() <= SUCCESS_TOLERANCE
    };
    if let Some(row) = response.values.iter().zip(&response.weights).position(|pair| !is_share(pair)) {
        let (value, trials) = (response.values[row], response.weights[row]);
        return Err(Error::NotShare { response: response.name.clone(), value, trials, row });
    }

    // A row without trials carries no information, whatever its share.
    let mut observed = response.values.iter().zip(&response.weights).filter(|(_, trials)| **trials > 0.0);
    match observed.next() {
        Some((&first, _)) if first != 0.0 && first != 1.0 => Ok(()),
        Some((&first, _)) if observed.any(|(value, _)| *value != first) => Ok(()),
        first => {
            let value = first.map_or(0.0, |(value, _)| *value);
            Err(Error::ConstantResponse { response: response.name.clone(), value })
        }
    }
}

/// Passes whole numbers of zero or more, not all of them zero.
///
/// # Errors
/// A value that is negative or not whole; zeros throughout.
pub fn check_counts(design: &Design) -> Result<()> {
    let response = &design.response;
    if let Some(row) = response.values.iter().position(|value| *value < 0.0 || value.fract() != 0.0) {
        return Err(Error::NotCount { column: response.name.clone(), value: response.values[row], row });
    }
    match response.values.iter().all(|value| *value == 0.0) {
        true => Err(Error::ConstantResponse { response: response.name.clone(), value: 0.0 }),
        false => Ok(()),
    }
}

/// Passes responses that are not the same in every row.
///
/// # Errors
/// One value throughout.
pub fn check_varies(design: &Design) -> Result<()> {
    let values = &design.response.values;
    match values.first() {
        Some(&value) if values.iter().all(|other| *other == value) => {
            Err(Error::ConstantResponse { response: design.response.name.clone(), value })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Response;
    use ndarray::Array2;

    fn design(values: &[f64], weights: &[f64]) -> Design {
        let response = Response { name: "y".to_owned(), values: values.to_vec(), weights: weights.to_vec() };
        let (fixed, offset) = (Array2::ones((values.len(), 1)), vec![0.0; values.len()]);
        Design { response, fixed, fixed_names: vec!["(Intercept)".to_owned()], offset, random: vec![] }
    }

    fn constant(value: f64) -> Result<()> {
        Err(Error::ConstantResponse { response: "y".to_owned(), value })
    }

    #[test]
    fn binary_is_zero_and_one() {
        assert_eq!(check_binary(&design(&[0.0, 1.0, 1.0], &[1.0; 3])), Ok(()));
        assert_eq!(check_binary(&design(&[1.0, 1.0], &[1.0; 2])), constant(1.0));
        let message = check_binary(&design(&[1.0, 2.0], &[1.0; 2])).unwrap_err().to_string();
        assert!(message.contains("0 or 1 from `y`, got 2 in row 1"), "{message}");
    }

    #[test]
    fn shares_come_from_whole_trials() {
        assert_eq!(check_shares(&design(&[1.0 / 3.0, 1.0], &[3.0, 1.0])), Ok(()));
        assert_eq!(check_shares(&design(&[0.5, 0.5], &[2.0, 2.0])), Ok(()));
        assert_eq!(check_shares(&design(&[1.0, 0.0, 1.0], &[2.0, 0.0, 2.0])), constant(1.0));
        assert_eq!(check_shares(&design(&[0.0, 0.0], &[2.0, 0.0])), constant(0.0));
        assert!(matches!(check_shares(&design(&[0.0, 0.3], &[1.0, 1.0])), Err(Error::NotShare { row: 1, .. })));
        assert!(matches!(check_shares(&design(&[2.0, 0.0], &[1.0, 1.0])), Err(Error::NotShare { row: 0, .. })));
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(check_counts(&design(&[0.0, 3.0], &[1.0; 2])), Ok(()));
        assert_eq!(check_counts(&design(&[3.0, 3.0], &[1.0; 2])), Ok(()));
        assert_eq!(check_counts(&design(&[0.0, 0.0], &[1.0; 2])), constant(0.0));
        for value in [-1.0, 0.5] {
            let error = check_counts(&design(&[1.0, value], &[1.0; 2]));
            assert_eq!(error, Err(Error::NotCount { column: "y".to_owned(), value, row: 1 }));
        }
    }
}
