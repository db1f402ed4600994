//! Rows of counts without their zeros.

/// Counts by rows, eight bytes for each that is not zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparseCounts {
    n_columns: usize,
    /// Row `i` has the entries `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    /// The column of each entry, rising within a row.
    columns: Vec<u32>,
    /// The count of each entry, never zero.
    counts: Vec<u32>,
}

/// A count and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub row: u32,
    pub column: u32,
    pub count: u32,
}

impl SparseCounts {
    /// No rows yet; columns are numbered by `u32`.
    pub(crate) fn new(n_columns: usize) -> Self {
        Self { n_columns, starts: vec![0], columns: Vec::new(), counts: Vec::new() }
    }

    /// Puts a count in the row that is not ended yet, right of those there. Zeros are left out.
    pub(crate) fn push(&mut self, column: u32, count: u32) {
        if count > 0 {
            self.columns.push(column);
            self.counts.push(count);
        }
    }

    /// Ends a row.
    pub(crate) fn end_row(&mut self) {
        self.starts.push(self.columns.len());
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Columns and counts of a row, zeros left out.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let entries = self.starts[row]..self.starts[row + 1];
        self.columns[entries.clone()].iter().map(|&column| column as usize).zip(self.counts[entries].iter().copied())
    }

    /// Columns and counts of all rows, one row after the other.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.columns.iter().map(|&column| column as usize).zip(self.counts.iter().copied())
    }

    /// From entries in any order, or one of two entries for the same row and column.
    pub(crate) fn from_entries(mut entries: Vec<Entry>, n_rows: usize, n_columns: usize) -> Result<Self, Entry> {
        // Files have them sorted as a rule; a stable sort then takes one pass.
        entries.sort_by_key(|entry| (entry.row, entry.column));
        let same = |pair: &&[Entry]| (pair[0].row, pair[0].column) == (pair[1].row, pair[1].column);
        if let Some(pair) = entries.windows(2).find(same) {
            return Err(pair[1]);
        }
        let mut sparse = Self::new(n_columns);
        let mut entries = entries.into_iter().peekable();
        for row in 0..n_rows {
            while let Some(entry) = entries.next_if(|entry| entry.row as usize == row) {
                sparse.push(entry.column, entry.count);
            }
            sparse.end_row();
        }
        Ok(sparse)
    }

    /// Rows as columns; rows must be few enough for `u32`.
    pub(crate) fn transposed(self) -> Self {
        let mut starts = vec![0; self.n_columns + 1];
        self.columns.iter().for_each(|&column| starts[column as usize + 1] += 1);
        for column in 0..self.n_columns {
            starts[column + 1] += starts[column];
        }

        let mut next = starts.clone();
        let (mut columns, mut counts) = (vec![0; self.columns.len()], vec![0; self.counts.len()]);
        for row in 0..self.n_rows() {
            for (column, count) in self.row(row) {
                let at = next[column];
                (columns[at], counts[at]) = (number(row), count);
                next[column] += 1;
            }
        }
        Self { n_columns: self.n_rows(), starts, columns, counts }
    }
}

/// A row or column number; whoever makes rows and columns sees to it that there are not too many.
pub(crate) fn number(at: usize) -> u32 {
    u32::try_from(at).expect("rows and columns are fewer than 2^32")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn sparse(rows: &[Vec<u32>]) -> SparseCounts {
        let mut sparse = SparseCounts::new(rows[0].len());
        for row in rows {
            row.iter().enumerate().for_each(|(column, &count)| sparse.push(number(column), count));
            sparse.end_row();
        }
        sparse
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<u32>>> {
        (1..8_usize, 1..8_usize)
            .prop_flat_map(|(n, d)| prop::collection::vec(prop::collection::vec(0..3_u32, d..=d), n..=n))
    }

    #[test]
    fn two_entries_for_one_place_are_found() {
        let entry = |row, column, count| Entry { row, column, count };
        let entries = vec![entry(1, 0, 5), entry(0, 2, 1), entry(1, 0, 7)];
        assert_eq!(SparseCounts::from_entries(entries, 2, 3), Err(entry(1, 0, 7)));
    }

    proptest! {
        #[test]
        fn transposing_swaps_rows_and_columns(rows in rows()) {
            let swapped: Vec<Vec<u32>> = (0..rows[0].len()).map(|k| rows.iter().map(|row| row[k]).collect()).collect();
            prop_assert_eq!(sparse(&rows).transposed(), sparse(&swapped));
        }

        #[test]
        fn the_order_of_entries_does_not_matter(rows in rows(), turn in 0..50_usize) {
            let mut entries = Vec::new();
            for (row, counts) in rows.iter().enumerate() {
                let entry = |(column, &count): (usize, &u32)| Entry { row: number(row), column: number(column), count };
                entries.extend(counts.iter().enumerate().map(entry));
            }
            let turn = turn % entries.len();
            entries.rotate_left(turn);
            entries.reverse();
            let found = SparseCounts::from_entries(entries, rows.len(), rows[0].len());
            prop_assert_eq!(found.unwrap(), sparse(&rows));
        }
    }
}
