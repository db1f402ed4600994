//! Model formulas as R and lme4 read them.
//!
//! A [`Formula`] keeps what was written, so that it prints as its author knows it, and beside it the terms that this
//! means by R's rules.

mod display;
mod error;
mod expression;
mod lexer;
mod parser;
mod terms;

use std::collections::BTreeSet;
use std::str::FromStr;

pub(crate) use display::joined;
pub use error::FormulaError;
pub(crate) use expression::Expression;
pub(crate) use terms::{Coding, Terms};

use crate::{Error, Result};

/// A model formula: `y ~ x1 + x2 * x3 + (1 + x1 | g)`.
///
/// # Syntax
///
/// | written | means |
/// |---|---|
/// | `y ~ x` | the response, and what it depends on; an intercept is always there |
/// | `a + b`, `a - b` | terms, and terms taken away |
/// | `0 + x`, `x - 1` | no intercept |
/// | `a:b`, `a * b`, `a / b` | the interaction; `a + b + a:b`; `a + a:b` |
/// | `(a + b + c)^2` | all interactions of up to two |
/// | `(1 + x \| g)` | effects that vary over the levels of `g`, correlated |
/// | `(1 + x \|\| g)` | the same without correlations: `(1 \| g) + (0 + x \| g)` |
/// | `(1 \| g:h)`, `(1 \| g/h)` | levels of two columns together; `(1 \| g) + (1 \| g:h)` |
/// | `cbind(s, f) ~ x` | binomial data, successes and failures |
/// | `offset(e)` | a known part of the linear predictor |
/// | `factor(x)` | a numeric column as a categorical one |
/// | `log(e)`, `I(x^2)` | columns computed by row, with `+ - * / ^` and parentheses inside |
/// | `` `a b` `` | a name with other characters than letters, digits, `.` and `_` |
///
/// The functions are `I`, `abs`, `exp`, `expm1`, `log`, `log10`, `log1p`, `log2` and `sqrt`.
/// Interactions are those of R down to the order of columns: main effects first, then by order, then as written.
///
/// # Errors
/// [`Formula::parse`] answers with [`Error::Formula`], which points at the character that it could not read.
///
/// ```
/// use aais_glmm::Formula;
///
/// let formula = Formula::parse("y~x1+x2*x3+(1+x1|g)")?;
/// assert_eq!(formula.to_string(), "y ~ x1 + x2 * x3 + (1 + x1 | g)");
///
/// let error = Formula::parse("y ~ x + (1 + | g)").expect_err("an effect is missing");
/// assert_eq!(
///     error.to_string(),
///     "character 14 of the formula: expected a column, a function, 0, 1 or `(`, got `|`\n  \
///      y ~ x + (1 + | g)\n               ^"
/// );
/// # Ok::<(), aais_glmm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    pub(crate) response: ResponsePart,
    pub(crate) fixed: Predictor,
    pub(crate) offsets: Vec<Expression>,
    pub(crate) random: Vec<RandomPart>,
}

/// The left side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ResponsePart {
    /// A column, or a number computed for each row.
    Single(Expression),
    /// `cbind(successes, failures)`.
    Counts(Expression, Expression),
}

/// A sum of effects, as written and as the terms that it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Predictor {
    written: Sum,
    pub(crate) terms: Terms,
}

/// `(effects | group)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RandomPart {
    pub(crate) effects: Predictor,
    pub(crate) correlation: Correlation,
    /// Columns joined by `:` within columns joined by `/`: `g/h:k` is `[[g], [h, k]]`.
    group: Vec<Vec<String>>,
}

/// Whether the effects of one level may be correlated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Correlation {
    /// `|`
    Free,
    /// `||`
    Zero,
}

/// Summands in order.
type Sum = Vec<Summand>;

#[derive(Debug, Clone, PartialEq)]
struct Summand {
    sign: Sign,
    effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

/// One summand, as written.
#[derive(Debug, Clone, PartialEq)]
enum Effect {
    /// `1`
    Intercept,
    /// `0`
    NoIntercept,
    Variable(Variable),
    /// `a:b`
    Interaction(Box<Effect>, Box<Effect>),
    /// `a * b`
    Cross(Box<Effect>, Box<Effect>),
    /// `a / b`
    Nest(Box<Effect>, Box<Effect>),
    /// `(a + b)^n`
    Power(Box<Effect>, u32),
    /// A sum in parentheses.
    Sum(Sum),
}

/// What one factor of a term is computed from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Variable {
    Column(String),
    /// `factor(x)`
    Factor(String),
    /// A function of columns, such as `log(x)`.
    Computed(Expression),
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// [`Error::Formula`] with the position of what could not be read.
    pub fn parse(formula: &str) -> Result<Self> {
        Ok(parser::parse(formula)?)
    }

    /// Names of the columns that the formula needs, in the order of the alphabet.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let mut names = BTreeSet::new();
        match &self.response {
            ResponsePart::Single(value) => value.add_columns(&mut names),
            ResponsePart::Counts(successes, failures) => {
                successes.add_columns(&mut names);
                failures.add_columns(&mut names);
            }
        }
        self.fixed.add_columns(&mut names);
        self.offsets.iter().for_each(|offset| offset.add_columns(&mut names));
        for part in &self.random {
            part.effects.add_columns(&mut names);
            names.extend(part.group.iter().flatten().map(String::as_str));
        }
        names.into_iter().collect()
    }
}

impl FromStr for Formula {
    type Err = Error;

    fn from_str(formula: &str) -> Result<Self> {
        Self::parse(formula)
    }
}

impl Predictor {
    /// `None` if the sum means too many terms.
    fn new(written: Sum) -> Option<Self> {
        let terms = Terms::expand(&written)?;
        Some(Self { written, terms })
    }

    fn add_columns<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        for &variable in self.terms.terms.iter().flatten() {
            match &self.terms.variables[variable] {
                Variable::Column(name) | Variable::Factor(name) => {
                    names.insert(name);
                }
                Variable::Computed(expression) => expression.add_columns(names),
            }
        }
    }
}

impl RandomPart {
    /// The grouping factors, each as the columns whose levels it combines: `g/h` is `[[g], [g, h]]`.
    pub(crate) fn groups(&self) -> Vec<Vec<&str>> {
        let upto = |n: usize| self.group[..n].iter().flatten().map(String::as_str).collect();
        (1..=self.group.len()).map(upto).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn columns_are_those_in_use() {
        let text = "cbind(s, n - s) ~ log(a) + b:factor(c) + x - x + offset(o) + (1 + d | g/h)";
        assert_eq!(Formula::parse(text).unwrap().columns(), ["a", "b", "c", "d", "g", "h", "n", "o", "s"]);
    }

    #[test]
    fn nested_groups_are_crossed_with_all_before() {
        let formula: Formula = "y ~ 1 + (1 | a/b:c/d)".parse().unwrap();
        assert_eq!(formula.random[0].groups(), [vec!["a"], vec!["a", "b", "c"], vec!["a", "b", "c", "d"]]);
    }
}
