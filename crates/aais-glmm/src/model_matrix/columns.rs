//! Terms as columns of a matrix, as R's `model.matrix` has them.

use ndarray::{Array2, ArrayView1};

use super::frame::{Frame, Numbers, Values};
use crate::formula::{Coding, Terms, Variable};
use crate::{Error, Result};

/// A column and its name.
type Named = (String, Numbers);

/// The matrix of these terms, `(N, p)`, and the names of its columns; `place` says what the terms are.
pub(super) fn matrix(frame: &Frame, terms: &Terms, place: &str) -> Result<(Array2<f64>, Vec<String>)> {
    let n_rows = frame.rows.len();
    let variables = evaluate(frame, terms)?;
    let codings = terms.codings(|at| matches!(variables[at], Some(Values::Levels(_))));

    let width = |&(at, coding): &(usize, Coding)| match (&variables[at], coding) {
        (Some(Values::Levels(levels)), Coding::Indicators) => levels.names.len(),
        (Some(Values::Levels(levels)), Coding::Contrasts) => levels.names.len() - 1,
        _ => 1,
    };
    let of_terms = codings.iter().map(|codings| codings.iter().map(width).fold(1, usize::saturating_mul));
    let n_columns = of_terms.fold(usize::from(terms.has_intercept), usize::saturating_add);
    if n_columns > n_rows {
        return Err(Error::TooManyColumns { place: place.to_owned(), n_columns, n_rows });
    }

    let mut columns = Vec::with_capacity(n_columns);
    if terms.has_intercept {
        columns.push(("(Intercept)".to_owned(), vec![1.0; n_rows]));
    }
    for codings in &codings {
        let coded = codings.iter().map(|&(at, coding)| code(&terms.variables[at], variables[at].as_ref(), coding));
        columns.extend(coded.reduce(|slow, fast| products(&slow, &fast)).unwrap_or_default());
    }

    let mut matrix = Array2::zeros((n_rows, columns.len()));
    for (mut place, (_, column)) in matrix.columns_mut().into_iter().zip(&columns) {
        place.assign(&ArrayView1::from(column));
    }
    Ok((matrix, columns.into_iter().map(|(name, _)| name).collect()))
}

/// The variables in use; those of terms taken away are `None`.
fn evaluate(frame: &Frame, terms: &Terms) -> Result<Vec<Option<Values>>> {
    let evaluate = |(at, variable): (usize, &Variable)| {
        if !terms.terms.iter().any(|term| term.contains(&at)) {
            return Ok(None);
        }
        match frame.variable(variable)? {
            Values::Levels(levels) => Ok(Some(Values::Levels(levels.at_least_two(&variable.to_string())?))),
            numbers => Ok(Some(numbers)),
        }
    };
    terms.variables.iter().enumerate().map(evaluate).collect()
}

/// The columns of one variable within a term.
fn code(variable: &Variable, values: Option<&Values>, coding: Coding) -> Vec<Named> {
    match values {
        None => vec![],
        Some(Values::Numbers(values)) => vec![(variable.to_string(), values.clone())],
        Some(Values::Levels(levels)) => {
            let first = if coding == Coding::Contrasts { 1 } else { 0 };
            let indicator = |level| levels.codes.iter().map(|code| f64::from(u8::from(*code == level))).collect();
            let name = |level: usize| format!("{variable}{}", levels.names[level]);
            (first..levels.names.len()).map(|level| (name(level), indicator(level))).collect()
        }
    }
}

/// Products of the columns of two variables; those of the first vary fastest.
fn products(first: &[Named], second: &[Named]) -> Vec<Named> {
    let product = |(name, column): &Named, (other, factor): &Named| {
        (format!("{name}:{other}"), column.iter().zip(factor).map(|(x, z)| x * z).collect())
    };
    second.iter().flat_map(|outer| first.iter().map(move |inner| product(inner, outer))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::{Data, Design, DesignOptions, Error, Formula, Result};
    use proptest::prelude::*;

    fn design(data: &Data, right: &str) -> Result<Design> {
        Ok(Formula::parse(&format!("y ~ {right}"))?.design(data, &DesignOptions::default())?.design)
    }

    #[test]
    fn a_single_level_has_no_contrasts() {
        let data = Data::new().with("y", [1.0, 2.0]).unwrap().with("a", ["u", "u"]).unwrap();
        let expected = Error::SingleLevel { column: "a".to_owned(), level: "u".to_owned() };
        assert_eq!(design(&data, "a"), Err(expected.clone()));
        assert_eq!(design(&data, "0 + a"), Err(expected));
        assert!(design(&data, "1 + a - a").is_ok());
    }

    #[test]
    fn more_columns_than_rows_are_refused_before_they_are_built() {
        let many = |sign: f64| (0..3000).map(|i| sign * f64::from(i)).collect::<Vec<_>>();
        let data =
            Data::new().with("y", many(1.0)).unwrap().with("a", many(1.0)).unwrap().with("b", many(-1.0)).unwrap();
        let error = design(&data, "factor(a):factor(b)").unwrap_err();
        let place = "the fixed effects".to_owned();
        assert_eq!(error, Error::TooManyColumns { place, n_columns: 3000 * 3000 + 1, n_rows: 3000 });
    }

    /// Rows in which every combination of levels occurs twice.
    fn balanced(n_a: usize, n_b: usize) -> Data {
        let level = |letter: char, code: usize| format!("{letter}{code}");
        let rows: Vec<(usize, usize)> = (0..2 * n_a * n_b).map(|row| (row % n_a, row / n_a % n_b)).collect();
        let a: Vec<String> = rows.iter().map(|(a, _)| level('u', *a)).collect();
        let b: Vec<String> = rows.iter().map(|(_, b)| level('v', *b)).collect();
        let y: Vec<f64> = (0..rows.len()).map(|row| (row as f64).sin()).collect();
        Data::new().with("y", y).unwrap().with("a", a).unwrap().with("b", b).unwrap()
    }

    proptest! {
        /// Every parametrization of two crossed factors has a column for each cell of the table.
        #[test]
        fn crossed_factors_have_as_many_columns_as_cells(n_a in 2_usize..5, n_b in 2_usize..5) {
            let data = balanced(n_a, n_b);
            for right in ["a * b", "a + a:b", "b / a", "0 + a:b", "0 + a * b", "a:b + a", "0 + b + a:b"] {
                let design = design(&data, right).unwrap();
                prop_assert_eq!(design.fixed.ncols(), n_a * n_b, "{}", right);
            }
        }

        #[test]
        fn indicators_of_all_levels_sum_to_one(n_a in 2_usize..6) {
            let design = design(&balanced(n_a, 2), "0 + a").unwrap();
            prop_assert!(design.fixed.rows().into_iter().all(|row| row.sum() == 1.0));
        }
    }
}
