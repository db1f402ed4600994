//! Some rows of a sample in a few dimensions.

use anyhow::{Error, Result, ensure};
use serde::{Deserialize, Serialize};

/// Rows `(n, D)` with a name for each coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Rows {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Rows {
    /// Rows of as many finite values as there are names.
    ///
    /// # Errors
    /// If there is no name, or a row has another width or a value that is not finite.
    pub fn new(names: Vec<String>, rows: Vec<Vec<f64>>) -> Result<Self> {
        ensure!(!names.is_empty(), "rows without coordinates; name at least one");
        for (index, row) in rows.iter().enumerate() {
            let (found, expected) = (row.len(), names.len());
            ensure!(found == expected, "row {index} has {found} values, expected {expected}, one for each name");
            ensure!(row.iter().all(|value| value.is_finite()), "row {index} has a value that is not finite: {row:?}");
        }
        Ok(Self { names, rows })
    }

    /// The first `n` rows of a sample, to four significant digits: small enough to commit.
    ///
    /// # Errors
    /// As [`Rows::new`].
    pub fn first(n: usize, names: &[&str], sample: &[Vec<f64>]) -> Result<Self> {
        let rows = sample.iter().take(n).map(|row| row.iter().copied().map(rounded).collect());
        Self::new(names.iter().copied().map(String::from).collect(), rows.collect())
    }

    /// One for each coordinate.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All rows, each with one value for each name.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }
}

impl TryFrom<Unchecked> for Rows {
    type Error = Error;

    fn try_from(Unchecked { names, rows }: Unchecked) -> Result<Self> {
        Self::new(names, rows)
    }
}

/// To four significant digits, whatever the unit; what is not finite stays for [`Rows::new`] to refuse.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_keep_four_digits() {
        let sample = [vec![0.123_456, -98_765.4], vec![1e-9 / 3.0, 0.0], vec![5.0, 6.0]];
        let rows = Rows::first(2, &["a", "b"], &sample).unwrap();
        assert_eq!(rows.names(), ["a", "b"]);
        assert_eq!(rows.rows(), [[0.1235, -98_770.0], [3.333e-10, 0.0]]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let rows = Rows::first(1, &["a", "b"], &[vec![1.0 / 3.0, 2.0]]).unwrap();
        let written = serde_json::to_string(&rows).unwrap();
        assert_eq!(written, r#"{"names":["a","b"],"rows":[[0.3333,2.0]]}"#);
        assert_eq!(serde_json::from_str::<Rows>(&written).unwrap(), rows);
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let refusal = |text: &str| serde_json::from_str::<Rows>(text).unwrap_err().to_string();
        assert!(refusal(r#"{"names":["a","b"],"rows":[[1.0,2.0],[3.0]]}"#).contains("row 1 has 1 values, expected 2"));
        assert!(refusal(r#"{"names":[],"rows":[]}"#).contains("name at least one"));
        let infinite = Rows::first(1, &["a"], &[vec![f64::INFINITY]]).unwrap_err().to_string();
        assert!(infinite.contains("row 0 has a value that is not finite"), "{infinite}");
    }
}
