//! Numbers in aligned columns.

use std::fmt;

/// Rows of cells; the first row has the heads.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// How many columns from the left hold words and start at the left.
    n_words: usize,
}

impl Table {
    pub(crate) fn new(n_words: usize, heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()], n_words }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    /// Two spaces before every column, none after the last; a line feed between rows.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> =
            (0..n_columns).map(|column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padded =
                    if column < self.n_words { format!("  {cell:width$}") } else { format!("  {cell:>width$}") };
                line.push_str(&padded);
            }
            write!(f, "{}{}", if index == 0 { "" } else { "\n" }, line.trim_end())?;
        }
        Ok(())
    }
}

/// Five decimals, or five digits where these would be none or too many.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let is_plain = value == 0.0 || (1e-4..1e7).contains(&size) || !value.is_finite();
    if is_plain { format!("{value:.5}") } else { format!("{value:.4e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(1, &["", "estimate"]);
        table.push(vec!["a".into(), number(-12.5)]);
        table.push(vec!["größer".into(), number(3e-7)]);
        table.push(vec!["short".into()]);
        let expected = ["           estimate", "  a       -12.50000", "  größer  3.0000e-7", "  short"];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn numbers_keep_five_digits() {
        let shown = [0.0, 0.00012345, 0.000012345, 1234567.0, 12345678.0, f64::NAN].map(number);
        assert_eq!(shown, ["0.00000", "0.00012", "1.2345e-5", "1234567.00000", "1.2346e7", "NaN"]);
    }
}
