//! Which responses a family can have.

use super::Family;
use crate::{Error, Response, Result};

/// How far successes may be from a whole number: shares are successes over trials, rounded.
const SUCCESS_ROUNDING: f64 = 1e-6;

/// Refuses the first response or weight that the family cannot have.
pub(crate) fn check_response(family: Family, response: &Response) -> Result<()> {
    for (row, (&value, &weight)) in response.values.iter().zip(&response.weights).enumerate() {
        let weight_expected = weight_problem(family, weight);
        if let Some(expected) = weight_expected {
            return Err(Error::Weight { row, value: weight, expected });
        }
        if let Some(expected) = value_problem(family, value, weight) {
            return Err(Error::Response { row, value, expected });
        }
    }
    Ok(())
}

fn weight_problem(family: Family, weight: f64) -> Option<&'static str> {
    let whole = (weight - weight.round()).abs() <= SUCCESS_ROUNDING;
    match family {
        _ if !weight.is_finite() || weight < 0.0 => Some("finite weights of zero or more"),
        Family::Binomial(_) if !whole => Some("whole numbers of trials as weights"),
        _ => None,
    }
}

fn value_problem(family: Family, value: f64, weight: f64) -> Option<&'static str> {
    if !value.is_finite() {
        return Some("finite values");
    }
    let successes = value * weight;
    match family {
        Family::Binomial(_) if !(0.0..=1.0).contains(&value) => Some("0, 1 or a share of successes between them"),
        Family::Binomial(_) if (successes - successes.round()).abs() > SUCCESS_ROUNDING * weight.max(1.0) => {
            Some("a share that makes a whole number of successes with its trials")
        }
        Family::Poisson | Family::NegativeBinomial if value < 0.0 || value != value.round() => {
            Some("counts: 0, 1, 2, ...")
        }
        Family::Gamma if value <= 0.0 => Some("values above zero"),
        _ => None,
    }
}
