//! Empirical distribution functions: what the distances between samples are made of.

use crate::{Error, Result};

/// Two samples' distribution functions from `value` on, up to the next step.
pub(crate) struct Step {
    pub value: f64,
    pub first: f64,
    pub second: f64,
}

/// Every place where one of the two distribution functions steps, in rising order, each value once.
pub(crate) fn steps(first: &[f64], second: &[f64]) -> Result<Vec<Step>> {
    let first = sorted(first)?;
    let second = sorted(second)?;
    let mut steps = Vec::with_capacity(first.len() + second.len());

    let (mut i, mut k) = (0, 0);
    while i < first.len() || k < second.len() {
        let value = match (first.get(i), second.get(k)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(rest), None) | (None, Some(rest)) => *rest,
            (None, None) => break,
        };
        // Ties, within a sample and between the two, belong to one step.
        i += first[i..].iter().take_while(|x| **x <= value).count();
        k += second[k..].iter().take_while(|x| **x <= value).count();

        steps.push(Step { value, first: i as f64 / first.len() as f64, second: k as f64 / second.len() as f64 });
    }
    Ok(steps)
}

/// The sample in rising order, once it is known to be finite and not empty.
pub(crate) fn sorted(sample: &[f64]) -> Result<Vec<f64>> {
    check(sample)?;
    let mut sorted = sample.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

/// Refuses an empty sample and the first value that is not finite.
pub(crate) fn check(sample: &[f64]) -> Result<()> {
    if sample.is_empty() {
        return Err(Error::EmptySample);
    }
    match sample.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(Error::NonFinite { index, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn zeros_of_both_signs_are_one_step() {
        let steps = steps(&[0.0, -0.0], &[-0.0, 1.0]).unwrap();
        let seen: Vec<_> = steps.iter().map(|step| (step.value, step.first, step.second)).collect();
        assert_eq!(seen, [(0.0, 1.0, 0.5), (1.0, 1.0, 1.0)]);
    }

    #[test]
    fn bad_samples_are_named() {
        assert_eq!(check(&[]), Err(Error::EmptySample));
        assert_eq!(check(&[1.0, f64::INFINITY, 2.0]), Err(Error::NonFinite { index: 1, value: f64::INFINITY }));
        let message = check(&[f64::NAN]).unwrap_err().to_string();
        assert_eq!(message, "expected finite values, got NaN at index 0");
    }
}
