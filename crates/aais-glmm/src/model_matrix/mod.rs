//! From a formula and named columns to matrices, as R's `model.frame` and `model.matrix` make them.

mod columns;
mod frame;
mod random;
mod rank;
mod response;

use crate::formula::Expression;
use crate::{Data, Design, Error, Formula, Result};

use columns::matrix;
use frame::{Frame, Numbers};

/// What a formula alone does not say about its design.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesignOptions {
    /// What to do about missing values.
    pub missing: Missing,
    /// A column of prior weights; for a response that is a share of successes, the trials.
    pub weights: Option<String>,
    /// A column of known parts of the linear predictor, beside those of the formula.
    pub offset: Option<String>,
}

/// What to do with rows in which a value is missing that the formula needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Refuse the data, and say how many rows and which columns it is.
    #[default]
    Refuse,
    /// Leave the rows out, and say so in [`Prepared`].
    Drop,
}

/// A design, and which rows of the data are not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The design of the complete rows.
    pub design: Design,
    /// Rows left out, from zero; only [`Missing::Drop`] leaves any out.
    pub dropped_rows: Vec<usize>,
    /// How many values each column misses, of the columns that miss any.
    pub missing: Vec<(String, usize)>,
}

impl Formula {
    /// The design of these data: response, model matrix, offset and random terms.
    ///
    /// Categorical columns have treatment contrasts with the first level as reference, coded as R codes them: names
    /// and order of the columns are those of `model.matrix` and lme4, but that a nested group `g/h` is called `g:h`
    /// after `g`, where lme4 puts `h:g` first. Levels that do not occur are left out. A grouping factor may be a
    /// numeric column of whole numbers. A response of two levels is 1 where it is the second.
    ///
    /// # Errors
    /// Columns that are unknown, of the wrong kind, missing values (see [`Missing`]) or infinite; a grouping factor or
    /// a categorical variable with a single level; more columns than rows, or columns that others determine; an
    /// effect that varies twice over one group; successes and failures that are no counts; negative weights.
    /// Whether the response suits a family is for [`check_binary`](crate::check_binary) and its siblings to say.
    ///
    /// ```
    /// use aais_glmm::{Data, DesignOptions, Formula};
    ///
    /// let data = Data::new()
    ///     .with("reaction", [250.0, 258.0, 251.0, 321.0, 222.0, 205.0])?
    ///     .with("days", [0.0, 1.0, 2.0, 0.0, 1.0, 2.0])?
    ///     .with("subject", [308.0, 308.0, 308.0, 309.0, 309.0, 309.0])?;
    /// let formula = Formula::parse("reaction ~ days + (days | subject)")?;
    /// let design = formula.design(&data, &DesignOptions::default())?.design;
    ///
    /// assert_eq!(design.fixed_names, ["(Intercept)", "days"]);
    /// assert_eq!(design.random[0].levels, ["308", "309"]);
    /// assert_eq!(design.random[0].effect_names, ["(Intercept)", "days"]);
    /// # Ok::<(), aais_glmm::Error>(())
    /// ```
    pub fn design(&self, data: &Data, options: &DesignOptions) -> Result<Prepared> {
        let mut names = self.columns();
        names.extend(options.weights.as_deref());
        names.extend(options.offset.as_deref());
        names.sort_unstable();
        names.dedup();
        let (frame, dropped_rows) = Frame::complete(data, &names, options.missing)?;

        let (fixed, fixed_names) = matrix(&frame, &self.fixed.terms, "the fixed effects")?;
        let dependent = rank::dependent_columns(&fixed);
        if !dependent.is_empty() {
            let columns = dependent.into_iter().map(|at| fixed_names[at].clone()).collect();
            return Err(Error::RankDeficient { columns });
        }

        let design = Design {
            response: response::response(&frame, &self.response, options.weights.as_deref())?,
            fixed,
            fixed_names,
            offset: self.offset(&frame, options)?,
            random: random::terms(&frame, &self.random)?,
        };
        Ok(Prepared { design, dropped_rows, missing: frame.missing })
    }

    fn offset(&self, frame: &Frame, options: &DesignOptions) -> Result<Numbers> {
        let column = options.offset.clone().map(Expression::Column);
        let mut sum = vec![0.0; frame.rows.len()];
        for offset in self.offsets.iter().chain(&column) {
            let values = frame.numbers(offset, "an offset")?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn data() -> Data {
        let data = Data::new().with("y", [1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0]).unwrap();
        let data = data.with("x", [0.0, f64::NAN, 1.0, 3.0, f64::NAN, 2.0]).unwrap();
        let data = data.with("n", [1.0, 2.0, 4.0, 8.0, 16.0, f64::INFINITY]).unwrap();
        data.with("g", ["a", "a", "b", "b", "c", "a"]).unwrap()
    }

    fn design(formula: &str, options: &DesignOptions) -> Result<Prepared> {
        Formula::parse(formula)?.design(&data(), options)
    }

    fn dropping() -> DesignOptions {
        DesignOptions { missing: Missing::Drop, ..DesignOptions::default() }
    }

    #[test]
    fn missing_values_are_refused_and_counted() {
        let error = design("y ~ x + (1 | g)", &DesignOptions::default()).unwrap_err();
        let columns = vec![("x".to_owned(), 2), ("y".to_owned(), 1)];
        assert_eq!(error, Error::Missing { n_rows: 2, of: 6, columns });
        assert!(error.to_string().contains("in 2 of 6: 2 in `x`, 1 in `y`"), "{error}");
    }

    #[test]
    fn rows_are_dropped_on_request_and_reported() {
        let prepared = design("y ~ x + (1 | g)", &dropping()).unwrap();
        assert_eq!(prepared.dropped_rows, [1, 4]);
        assert_eq!(prepared.missing, [("x".to_owned(), 2), ("y".to_owned(), 1)]);
        assert_eq!(prepared.design.response.values, [1.0, 3.0, 4.0, 6.0]);
        // No complete row has level c.
        assert_eq!(prepared.design.random[0].levels, ["a", "b"]);
        assert_eq!(prepared.design.random[0].codes, [0, 1, 1, 0]);
    }

    #[test]
    fn columns_out_of_use_may_miss_values() {
        let prepared = design("g ~ 1", &DesignOptions::default());
        assert!(matches!(prepared, Err(Error::ResponseLevels { n_levels: 3, .. })));
    }

    #[test]
    fn there_may_be_no_fixed_effects_but_not_no_data() {
        let data = Data::new().with("y", [1.0, 2.0]).unwrap().with("g", ["a", "b"]).unwrap();
        let prepared = Formula::parse("y ~ 0 + (1 | g)").unwrap().design(&data, &DesignOptions::default()).unwrap();
        assert_eq!((prepared.design.fixed.dim(), prepared.design.fixed_names.len()), ((2, 0), 0));
        let empty = Formula::parse("1 ~ 1").unwrap().design(&Data::new(), &DesignOptions::default());
        assert_eq!(empty, Err(Error::NoColumns));
    }

    #[test]
    fn no_complete_row_is_an_error() {
        let data = Data::new().with("y", [1.0, 2.0]).unwrap().with("g", vec![f64::NAN; 2]).unwrap();
        let error = Formula::parse("y ~ 1 + (1 | g)").unwrap().design(&data, &dropping()).unwrap_err();
        assert_eq!(error, Error::NoCompleteRows { n_rows: 2, columns: vec![("g".to_owned(), 2)] });
    }

    #[test]
    fn offsets_add_up() {
        let data = Data::new().with("y", [1.0, 2.0]).unwrap().with("n", [1.0, 4.0]).unwrap();
        let options = DesignOptions { offset: Some("n".to_owned()), ..DesignOptions::default() };
        let formula = Formula::parse("y ~ 1 + offset(log2(n)) + offset(2 * n)").unwrap();
        assert_eq!(formula.design(&data, &options).unwrap().design.offset, [3.0, 14.0]);
        assert_eq!(
            Formula::parse("y ~ 1").unwrap().design(&data, &DesignOptions::default()).unwrap().design.offset,
            [0.0; 2]
        );
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let error = design("y ~ n", &dropping()).unwrap_err().to_string();
        assert_eq!(error, "expected finite values, got inf from `n` in row 5, counted from zero");
        let error = design("y ~ log(x)", &dropping()).unwrap_err().to_string();
        assert_eq!(error, "expected finite values, got -inf from `log(x)` in row 0, counted from zero");
        let error = design("y ~ sqrt(x - 1)", &dropping()).unwrap_err().to_string();
        assert_eq!(error, "expected finite values, got NaN from `sqrt(x - 1)` in row 0, counted from zero");
    }

    #[test]
    fn combinations_of_columns_are_named() {
        let error = design("y ~ x + I(2 * x - 1) + g", &dropping()).unwrap_err();
        assert_eq!(error, Error::RankDeficient { columns: vec!["I(2 * x - 1)".to_owned()] });
    }

    #[test]
    fn wrong_kinds_of_columns_are_refused() {
        let options = dropping();
        let message = |formula: &str| design(formula, &options).unwrap_err().to_string();
        assert!(message("y ~ log(g)").contains("numeric column in `log(g)`, got `g`"));
        assert!(message("log(g) ~ 1").contains("numeric column in the response `log(g)`, got `g`"));
        assert!(message("y ~ offset(g)").contains("numeric column in an offset, got `g`"));
        assert!(message("y ~ xx").contains("did you mean `x`?"));
        let weighted = DesignOptions { weights: Some("w".to_owned()), ..dropping() };
        assert!(matches!(design("y ~ x", &weighted), Err(Error::UnknownColumn { .. })));
    }
}
