//! Random terms: groups with their levels, and what each row multiplies their effects with.

use std::collections::BTreeSet;

use super::columns::matrix;
use super::frame::{Frame, Levels};
use crate::formula::{Correlation, RandomPart, Terms, joined};
use crate::{Error, RandomTerm, Result};

/// The random terms in the order of the formula, with `||` and `/` written out.
pub(super) fn terms(frame: &Frame, parts: &[RandomPart]) -> Result<Vec<RandomTerm>> {
    let mut terms = Vec::new();
    for part in parts {
        let place = format!("`{part}`");
        let independent = match part.correlation {
            Correlation::Free => vec![part.effects.terms.clone()],
            Correlation::Zero => part.effects.terms.split(),
        };
        for effects in &independent {
            for group in part.groups() {
                terms.push(term(frame, effects, &group, &place)?);
            }
        }
        if independent.is_empty() {
            return Err(Error::NoEffects { group: joined(part.groups()[0].iter().copied()) });
        }
    }
    refuse_duplicates(&terms)?;
    Ok(terms)
}

fn term(frame: &Frame, effects: &Terms, group: &[&str], place: &str) -> Result<RandomTerm> {
    let name = joined(group.iter().copied());
    let columns = group.iter().map(|column| frame.group(column, place)).collect::<Result<Vec<Levels>>>()?;
    let levels = columns.into_iter().reduce(|slow, fast| slow.joined(&fast)).expect("a group has a column");
    let Levels { names: levels, codes } = levels.at_least_two(&name)?;

    let (effects, effect_names) = matrix(frame, effects, place)?;
    if effect_names.is_empty() {
        return Err(Error::NoEffects { group: name });
    }
    Ok(RandomTerm { group: name, levels, codes, effects, effect_names })
}

/// An effect that varies twice over a group has two variances of which only the sum matters.
fn refuse_duplicates(terms: &[RandomTerm]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for term in terms {
        for effect in &term.effect_names {
            if !seen.insert((&term.group, effect)) {
                return Err(Error::DuplicateEffect { effect: effect.clone(), group: term.group.clone() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Data, DesignOptions, Formula};

    fn random(right: &str) -> Result<Vec<RandomTerm>> {
        let data = Data::new().with("y", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?.with("x", [0.5, 1.5, 2.5, 3.0, 1.0, 0.0])?;
        let data = data.with("g", [10.0, 10.0, 9.0, 9.0, 100.0, 9.0])?.with("h", ["p", "q", "p", "q", "p", "p"])?;
        let data = data.with("one", ["u"; 6])?;
        let formula = Formula::parse(&format!("y ~ 1 + {right}"))?;
        Ok(formula.design(&data, &DesignOptions::default())?.design.random)
    }

    #[test]
    fn whole_numbers_are_levels_in_numerical_order() {
        let terms = random("(1 | g)").unwrap();
        assert_eq!(terms[0].levels, ["9", "10", "100"]);
        assert_eq!(terms[0].codes, [1, 1, 0, 0, 2, 0]);
    }

    #[test]
    fn interactions_have_the_levels_that_occur() {
        let terms = random("(1 | g/h)").unwrap();
        assert_eq!((terms[0].group.as_str(), terms[1].group.as_str()), ("g", "g:h"));
        assert_eq!(terms[1].levels, ["9:p", "9:q", "10:p", "10:q", "100:p"]);
        assert_eq!(terms[1].codes, [2, 3, 0, 1, 4, 0]);
    }

    #[test]
    fn a_slope_multiplies_its_column() {
        let terms = random("(1 + x | g)").unwrap();
        assert_eq!(terms[0].effect_names, ["(Intercept)", "x"]);
        assert_eq!(terms[0].effects.column(0).to_vec(), [1.0; 6]);
        assert_eq!(terms[0].effects.column(1).to_vec(), [0.5, 1.5, 2.5, 3.0, 1.0, 0.0]);
    }

    #[test]
    fn terms_that_cannot_be_fitted_are_refused() {
        let single = Error::SingleLevel { column: "one".to_owned(), level: "u".to_owned() };
        assert_eq!(random("(1 | one)"), Err(single));
        let twice = Error::DuplicateEffect { effect: "(Intercept)".to_owned(), group: "g".to_owned() };
        assert_eq!(random("(1 | g) + (x | g)"), Err(twice));
        assert_eq!(random("(0 | g)"), Err(Error::NoEffects { group: "g".to_owned() }));
        assert_eq!(random("(0 || g:h)"), Err(Error::NoEffects { group: "g:h".to_owned() }));
        let message = random("(1 | x)").unwrap_err().to_string();
        assert!(message.contains("got 0.5 from `x` in row 0") && message.contains("`Data::categorical`"), "{message}");
    }
}
