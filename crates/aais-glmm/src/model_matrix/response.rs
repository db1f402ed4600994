//! The response and its prior weights.

use super::frame::{Frame, Numbers};
use crate::formula::{Expression, ResponsePart};
use crate::{Categorical, Error, Response, Result};

/// Numbers as they are, the second of two levels as 1, counts as the share of successes with the trials as weights.
pub(super) fn response(frame: &Frame, part: &ResponsePart, weights: Option<&str>) -> Result<Response> {
    let name = part.to_string();
    let prior = match weights {
        Some(column) => prior_weights(frame, column)?,
        None => vec![1.0; frame.rows.len()],
    };
    match part {
        ResponsePart::Single(expression) => {
            let values = match frame.categorical_column(expression) {
                Some(column) => second_level(frame, &name, column)?,
                None => frame.numbers(expression, &format!("the response `{name}`"))?,
            };
            Ok(Response { name, values, weights: prior })
        }
        ResponsePart::Counts(successes, failures) => {
            let successes = counts(frame, successes)?;
            let trials: Numbers = successes.iter().zip(counts(frame, failures)?).map(|(s, f)| s + f).collect();
            // A row without trials says nothing, whatever its share: its weight is zero.
            let share = |(successes, trials): (&f64, &f64)| if *trials > 0.0 { successes / trials } else { 0.0 };
            let values = successes.iter().zip(&trials).map(share).collect();
            Ok(Response { name, values, weights: prior.iter().zip(&trials).map(|(weight, n)| weight * n).collect() })
        }
    }
}

fn prior_weights(frame: &Frame, column: &str) -> Result<Numbers> {
    let weights = frame.numbers(&Expression::Column(column.to_owned()), "the prior weights")?;
    match weights.iter().position(|weight| *weight < 0.0) {
        Some(at) => Err(Error::NegativeWeight { column: column.to_owned(), value: weights[at], row: frame.rows[at] }),
        None => Ok(weights),
    }
}

/// 1 where the second level is; levels that do not occur count only if there are no others.
fn second_level(frame: &Frame, name: &str, column: &Categorical) -> Result<Numbers> {
    let levels = frame.levels(column);
    let success = match (column.levels(), levels.names.as_slice()) {
        ([_, second], _) | (_, [_, second]) => second,
        (_, names) => {
            let (column, levels) = (name.to_owned(), names.to_vec());
            return Err(Error::ResponseLevels { column, n_levels: levels.len(), levels });
        }
    };
    Ok(levels.codes.iter().map(|code| f64::from(u8::from(levels.names[*code] == *success))).collect())
}

fn counts(frame: &Frame, expression: &Expression) -> Result<Numbers> {
    let values = frame.numbers(expression, &format!("the counts `{expression}`"))?;
    match values.iter().position(|value| *value < 0.0 || value.fract() != 0.0) {
        Some(at) => Err(Error::NotCount { column: expression.to_string(), value: values[at], row: frame.rows[at] }),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Data, DesignOptions, Formula};

    fn data() -> Data {
        let data = Data::new().with("s", [2.0, 0.0, 3.0]).unwrap().with("n", [8.0, 0.0, 4.0]).unwrap();
        let data = data.with("w", [1.0, 2.0, 0.5]).unwrap().with("half", [1.0, 0.5, 0.0]).unwrap();
        let data = data.with("r2", ["Y", "N", "Y"]).unwrap();
        data.with("resp", ["no", "perhaps", "yes"]).unwrap()
    }

    fn response(left: &str, weights: Option<&str>) -> Result<Response> {
        let options = DesignOptions { weights: weights.map(str::to_owned), ..DesignOptions::default() };
        Ok(Formula::parse(&format!("{left} ~ 1"))?.design(&data(), &options)?.design.response)
    }

    #[test]
    fn counts_give_share_and_trials() {
        let response = response("cbind(s, n - s)", None).unwrap();
        assert_eq!(response.name, "cbind(s, n - s)");
        assert_eq!((response.values, response.weights), (vec![0.25, 0.0, 0.75], vec![8.0, 0.0, 4.0]));
    }

    #[test]
    fn prior_weights_multiply_the_trials() {
        assert_eq!(response("cbind(s, n - s)", Some("w")).unwrap().weights, [8.0, 0.0, 2.0]);
        assert_eq!(response("log1p(s)", Some("w")).unwrap().weights, [1.0, 2.0, 0.5]);
    }

    #[test]
    fn success_is_the_second_level() {
        assert_eq!(response("r2", None).unwrap().values, [1.0, 0.0, 1.0]);
        let data = data().relevel("r2", "Y").unwrap();
        let prepared = Formula::parse("r2 ~ 1").unwrap().design(&data, &DesignOptions::default()).unwrap();
        assert_eq!(prepared.design.response.values, [0.0, 1.0, 0.0]);
    }

    #[test]
    fn of_the_levels_two_must_occur_or_be_declared() {
        let response = |levels: &[&str], codes: Vec<usize>| {
            let column = Categorical::from_codes(levels, codes.into_iter().map(Some).collect())?;
            let data = Data::new().with("y", column)?;
            Ok::<_, Error>(Formula::parse("y ~ 1")?.design(&data, &DesignOptions::default())?.design.response.values)
        };
        assert_eq!(response(&["no", "perhaps", "yes"], vec![0, 2, 0]), Ok(vec![0.0, 1.0, 0.0]));
        assert_eq!(response(&["no", "yes"], vec![1, 1]), Ok(vec![1.0, 1.0]));
        assert!(matches!(response(&["no"], vec![0]), Err(Error::ResponseLevels { n_levels: 1, .. })));
    }

    #[test]
    fn responses_that_mean_nothing_are_refused() {
        let message = |left: &str| response(left, None).unwrap_err().to_string();
        assert_eq!(message("resp"), "expected a response of two levels, got `resp` with 3: `no`, `perhaps`, `yes`");
        let expected = "expected whole counts of zero or more from `s - n`, got -6 in row 0, counted from zero";
        assert_eq!(message("cbind(s, s - n)"), expected);
        assert!(message("cbind(half, n)").contains("from `half`, got 0.5 in row 1"));
        let negative = Data::new().with("y", [1.0]).unwrap().with("w", [-1.0]).unwrap();
        let options = DesignOptions { weights: Some("w".to_owned()), ..DesignOptions::default() };
        let error = Formula::parse("y ~ 1").unwrap().design(&negative, &options).unwrap_err();
        assert_eq!(error, Error::NegativeWeight { column: "w".to_owned(), value: -1.0, row: 0 });
    }
}
