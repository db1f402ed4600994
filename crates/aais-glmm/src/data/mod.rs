//! Named columns.

mod categorical;
mod nearest;

use ndarray::{Array1, ArrayView1};

pub use categorical::Categorical;

use crate::{Error, Result};

/// Columns of one length, each with a name of its own.
///
/// ```
/// use aais_glmm::{Categorical, Data};
///
/// let data = Data::new()
///     .with("reaction", [249.6, 258.7, f64::NAN, 321.4])? // NaN is a missing value.
///     .with("sex", ["f", "m", "f", "m"])? // Levels in the order of the alphabet, as in R.
///     .with("dose", Categorical::from_numbers(&[10.0, 9.0, 10.0, 9.0]))?
///     .relevel("sex", "m")?;
/// assert_eq!(data.n_rows(), 4);
/// # Ok::<(), aais_glmm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Data {
    columns: Vec<(String, Column)>,
}

/// Values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers; NaN is a missing value.
    Numeric(Vec<f64>),
    /// Levels.
    Categorical(Categorical),
}

impl Data {
    /// No columns yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column: numbers, or texts, which are taken as levels.
    ///
    /// # Errors
    /// No rows, other than those of the columns before, or a name that is taken.
    pub fn with(mut self, name: &str, column: impl Into<Column>) -> Result<Self> {
        let column = column.into();
        let found = column.len();
        let name = name.to_owned();
        if found == 0 {
            return Err(Error::NoRows { column: name });
        }
        if !self.columns.is_empty() && found != self.n_rows() {
            return Err(Error::Length { column: name, expected: self.n_rows(), found });
        }
        if self.columns.iter().any(|(known, _)| *known == name) {
            return Err(Error::DuplicateColumn { column: name });
        }
        self.columns.push((name, column));
        Ok(self)
    }

    /// Takes the numbers of a column as levels, in numerical order; a categorical column stays as it is.
    ///
    /// # Errors
    /// No such column.
    pub fn categorical(mut self, name: &str) -> Result<Self> {
        let column = self.column_mut(name)?;
        if let Column::Numeric(values) = column {
            *column = Categorical::from_numbers(values).into();
        }
        Ok(self)
    }

    /// Makes a level the first of its column and with that the reference of its contrasts.
    ///
    /// # Errors
    /// No such column or level, or a numeric column.
    pub fn relevel(mut self, name: &str, reference: &str) -> Result<Self> {
        match self.column_mut(name)? {
            Column::Categorical(column) => *column = column.clone().relevel(reference)?,
            Column::Numeric(values) => {
                let place = "`relevel`".to_owned();
                return Err(Error::NotCategorical { column: name.to_owned(), place, value: values[0], row: 0 });
            }
        }
        Ok(self)
    }

    /// Rows of every column; zero without columns.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Names in the order in which the columns came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The column of this name.
    ///
    /// # Errors
    /// No such column; the error names the most similar one.
    pub fn column(&self, name: &str) -> Result<&Column> {
        let found = self.columns.iter().find(|(known, _)| known == name);
        found.map(|(_, column)| column).ok_or_else(|| self.unknown(name))
    }

    fn column_mut(&mut self, name: &str) -> Result<&mut Column> {
        match self.columns.iter().position(|(known, _)| known == name) {
            Some(at) => Ok(&mut self.columns[at].1),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let nearest = nearest::nearest(name, self.names()).map(str::to_owned);
        Error::UnknownColumn { column: name.to_owned(), nearest, known: self.names().map(str::to_owned).collect() }
    }
}

impl Column {
    /// Rows, missing values among them.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no column of `Data` is empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Numeric(values) => values.len(),
            Self::Categorical(column) => column.codes().len(),
        }
    }

    pub(crate) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numeric(values) => values[row].is_nan(),
            Self::Categorical(column) => column.codes()[row].is_none(),
        }
    }
}

impl From<Vec<f64>> for Column {
    fn from(values: Vec<f64>) -> Self {
        Self::Numeric(values)
    }
}

impl From<&[f64]> for Column {
    fn from(values: &[f64]) -> Self {
        Self::Numeric(values.to_vec())
    }
}

impl<const N: usize> From<[f64; N]> for Column {
    fn from(values: [f64; N]) -> Self {
        Self::Numeric(values.to_vec())
    }
}

impl From<Array1<f64>> for Column {
    fn from(values: Array1<f64>) -> Self {
        Self::Numeric(values.to_vec())
    }
}

impl From<ArrayView1<'_, f64>> for Column {
    fn from(values: ArrayView1<'_, f64>) -> Self {
        Self::Numeric(values.to_vec())
    }
}

impl From<Categorical> for Column {
    fn from(column: Categorical) -> Self {
        Self::Categorical(column)
    }
}

impl From<Vec<String>> for Column {
    fn from(values: Vec<String>) -> Self {
        Categorical::from_values(&values).into()
    }
}

impl From<&[&str]> for Column {
    fn from(values: &[&str]) -> Self {
        Categorical::from_values(values).into()
    }
}

impl<const N: usize> From<[&str; N]> for Column {
    fn from(values: [&str; N]) -> Self {
        Categorical::from_values(&values).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use ndarray::array;

    #[test]
    fn columns_come_from_slices_arrays_and_texts() {
        let matrix = array![[1.0, 2.0], [3.0, 4.0]];
        let data = Data::new().with("a", vec![1.0, 3.0]).unwrap().with("b", matrix.column(0)).unwrap();
        let data = data.with("c", vec!["u".to_owned(), "v".to_owned()]).unwrap().with("d", ["u", "v"]).unwrap();
        assert_eq!(data.column("a"), data.column("b"));
        assert_eq!(data.column("c"), data.column("d"));
        assert_eq!(data.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let data = Data::new().with("x", [1.0, 2.0]).unwrap();
        assert_eq!(Data::new().with("x", vec![0.0; 0]), Err(Error::NoRows { column: "x".into() }));
        assert_eq!(data.clone().with("x", [1.0, 2.0]), Err(Error::DuplicateColumn { column: "x".into() }));
        let error = data.with("z", ["a"]).unwrap_err().to_string();
        assert_eq!(error, "expected 2 rows in column `z` as in the columns before, got 1");
    }

    #[test]
    fn an_unknown_column_names_its_neighbour() {
        let data = Data::new().with("situ", ["a"]).unwrap().with("mode", ["b"]).unwrap();
        let message = |name: &str| data.column(name).unwrap_err().to_string();
        assert_eq!(message("sittu"), "unknown column `sittu`; did you mean `situ`?");
        assert_eq!(message("Mode"), "unknown column `Mode`; did you mean `mode`?");
        assert_eq!(message("response"), "unknown column `response`; the data have `situ`, `mode`");
        assert!(Data::new().column("x").unwrap_err().to_string().ends_with("the data have no columns"));
    }

    #[test]
    fn numbers_become_levels_on_request() {
        let data = Data::new().with("dose", [10.0, 9.0, f64::NAN]).unwrap();
        assert!(matches!(data.clone().relevel("dose", "10"), Err(Error::NotCategorical { .. })));
        let data = data.categorical("dose").unwrap().relevel("dose", "10").unwrap();
        let expected = Categorical::from_codes(&["10", "9"], vec![Some(0), Some(1), None]).unwrap();
        assert_eq!(data.column("dose"), Ok(&Column::Categorical(expected)));
    }
}
