//! What a design must be before anything is computed from it.

use crate::{Design, Error, Result};

/// Refuses a design whose parts do not fit together or hold numbers that are not finite.
pub(crate) fn check(design: &Design) -> Result<()> {
    let n_rows = design.response.values.len();
    if n_rows == 0 {
        return Err(Error::Size { part: "rows".into(), expected: 1, found: 0 });
    }
    let size = |part: String, expected: usize, found: usize| {
        if expected == found { Ok(()) } else { Err(Error::Size { part, expected, found }) }
    };
    size("weights".into(), n_rows, design.response.weights.len())?;
    size("offset".into(), n_rows, design.offset.len())?;
    size("rows of the fixed effects".into(), n_rows, design.fixed.nrows())?;
    size("names of the fixed effects".into(), design.fixed.ncols(), design.fixed_names.len())?;
    check_finite("the offset", design.offset.iter().copied().enumerate())?;
    check_finite("the fixed effects", design.fixed.indexed_iter().map(|((row, _), value)| (row, *value)))?;
    for term in &design.random {
        if term.effects.ncols() == 0 {
            return Err(Error::Size { part: format!("effects of `{}`", term.group), expected: 1, found: 0 });
        }
        size(format!("codes of `{}`", term.group), n_rows, term.codes.len())?;
        size(format!("rows of the effects of `{}`", term.group), n_rows, term.effects.nrows())?;
        size(format!("names of the effects of `{}`", term.group), term.effects.ncols(), term.effect_names.len())?;
        if let Some(code) = term.codes.iter().find(|code| **code >= term.levels.len()) {
            return Err(Error::Size {
                part: format!("levels of `{}`", term.group),
                expected: code + 1,
                found: term.levels.len(),
            });
        }
        let numbers = term.effects.indexed_iter().map(|((row, _), value)| (row, *value));
        check_finite(&format!("the effects of `{}`", term.group), numbers)?;
    }
    Ok(())
}

fn check_finite(part: &str, mut numbers: impl Iterator<Item = (usize, f64)>) -> Result<()> {
    match numbers.find(|(_, value)| !value.is_finite()) {
        Some((row, value)) => Err(Error::NonFinite { part: part.into(), row, value }),
        None => Ok(()),
    }
}
