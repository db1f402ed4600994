//! The rows of the data that a model is fitted to, and its variables on these rows.

use std::borrow::Cow;

use super::Missing;
use crate::data::Column;
use crate::formula::{Expression, Variable};
use crate::{Categorical, Data, Error, Result};

/// A number for each row of a frame.
pub(super) type Numbers = Vec<f64>;

/// The complete rows of the columns that a formula needs. Their numbers are finite.
pub(super) struct Frame<'a> {
    data: &'a Data,
    pub(super) rows: Vec<usize>,
    /// How many values each column misses, of the columns that miss any.
    pub(super) missing: Vec<(String, usize)>,
}

/// A variable on the rows of a frame.
pub(super) enum Values {
    Numbers(Numbers),
    Levels(Levels),
}

/// Levels that occur, and the level of each row.
pub(super) struct Levels {
    pub(super) names: Vec<String>,
    pub(super) codes: Vec<usize>,
}

impl<'a> Frame<'a> {
    /// The frame, and the rows that it leaves out.
    pub(super) fn complete(data: &'a Data, names: &[&str], missing: Missing) -> Result<(Self, Vec<usize>)> {
        if data.n_rows() == 0 {
            return Err(Error::NoColumns);
        }
        let columns = names.iter().map(|name| data.column(name)).collect::<Result<Vec<_>>>()?;
        for (name, column) in names.iter().zip(&columns) {
            refuse_infinite(name, column)?;
        }

        let n_rows = data.n_rows();
        let is_missing = |row: &usize| columns.iter().any(|column| column.is_missing(*row));
        let (dropped, rows): (Vec<usize>, Vec<usize>) = (0..n_rows).partition(is_missing);
        let count = |column: &Column| (0..n_rows).filter(|row| column.is_missing(*row)).count();
        let counts = names.iter().zip(&columns).map(|(name, column)| ((*name).to_owned(), count(column)));
        let counts: Vec<(String, usize)> = counts.filter(|(_, count)| *count > 0).collect();

        if rows.is_empty() {
            return Err(Error::NoCompleteRows { n_rows, columns: counts });
        }
        if missing == Missing::Refuse && !dropped.is_empty() {
            return Err(Error::Missing { n_rows: dropped.len(), of: n_rows, columns: counts });
        }
        Ok((Self { data, rows, missing: counts }, dropped))
    }

    /// A variable of a term.
    pub(super) fn variable(&self, variable: &Variable) -> Result<Values> {
        match variable {
            Variable::Computed(expression) => {
                Ok(Values::Numbers(self.numbers(expression, &format!("`{expression}`"))?))
            }
            Variable::Factor(name) => Ok(Values::Levels(self.levels(self.categorical(name)?.as_ref()))),
            Variable::Column(name) => Ok(match self.data.column(name)? {
                Column::Numeric(values) => Values::Numbers(self.rows.iter().map(|row| values[*row]).collect()),
                Column::Categorical(column) => Values::Levels(self.levels(column)),
            }),
        }
    }

    /// An expression in each row; `place` says where in the formula it stands.
    pub(super) fn numbers(&self, expression: &Expression, place: &str) -> Result<Numbers> {
        let column = |name: &str| match self.data.column(name)? {
            Column::Numeric(values) => Ok(self.rows.iter().map(|row| values[*row]).collect::<Cow<[f64]>>()),
            Column::Categorical(_) => Err(Error::NotNumeric { column: name.to_owned(), place: place.to_owned() }),
        };
        let values = expression.evaluate(self.rows.len(), &column)?.into_owned();
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::NotFinite { column: expression.to_string(), row: self.rows[at], value: values[at] }),
            None => Ok(values),
        }
    }

    /// The response as levels, if it is a categorical column.
    pub(super) fn categorical_column(&self, expression: &Expression) -> Option<&'a Categorical> {
        let Expression::Column(name) = expression else { return None };
        match self.data.column(name) {
            Ok(Column::Categorical(column)) => Some(column),
            _ => None,
        }
    }

    /// Levels of a grouping column: categorical, or whole numbers.
    pub(super) fn group(&self, name: &str, place: &str) -> Result<Levels> {
        if let Column::Numeric(values) = self.data.column(name)?
            && let Some(&row) = self.rows.iter().find(|row| values[**row].fract() != 0.0)
        {
            let (column, place) = (name.to_owned(), place.to_owned());
            return Err(Error::NotCategorical { column, place, value: values[row], row });
        }
        Ok(self.levels(self.categorical(name)?.as_ref()))
    }

    fn categorical(&self, name: &str) -> Result<Cow<'a, Categorical>> {
        Ok(match self.data.column(name)? {
            Column::Numeric(values) => Cow::Owned(Categorical::from_numbers(values)),
            Column::Categorical(column) => Cow::Borrowed(column),
        })
    }

    /// The levels of a column that occur in these rows.
    pub(super) fn levels(&self, column: &Categorical) -> Levels {
        let level = |row: &usize| column.codes()[*row].expect("rows of a frame miss no value");
        let codes: Vec<usize> = self.rows.iter().map(level).collect();
        let (occurring, codes) = occurring(&codes);
        Levels { names: occurring.iter().map(|at| column.levels()[*at].clone()).collect(), codes }
    }
}

impl Levels {
    /// The levels of both together that occur, those of `self` varying slowest: `a:u`, `a:v`, `b:u`.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let n_other = other.names.len();
        let pairs: Vec<usize> =
            self.codes.iter().zip(&other.codes).map(|(code, second)| code * n_other + second).collect();
        let (occurring, codes) = occurring(&pairs);
        let name = |pair: &usize| format!("{}:{}", self.names[pair / n_other], other.names[pair % n_other]);
        Self { names: occurring.iter().map(name).collect(), codes }
    }

    /// Refuses a single level.
    pub(super) fn at_least_two(self, column: &str) -> Result<Self> {
        match self.names.as_slice() {
            [level] => Err(Error::SingleLevel { column: column.to_owned(), level: level.clone() }),
            _ => Ok(self),
        }
    }
}

/// The codes that occur in their order, and each code as a position among them.
fn occurring(codes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut distinct = codes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let positions = codes.iter().map(|code| distinct.partition_point(|known| known < code)).collect();
    (distinct, positions)
}

fn refuse_infinite(name: &str, column: &Column) -> Result<()> {
    let Column::Numeric(values) = column else { return Ok(()) };
    match values.iter().position(|value| value.is_infinite()) {
        Some(row) => Err(Error::NotFinite { column: name.to_owned(), row, value: values[row] }),
        None => Ok(()),
    }
}
