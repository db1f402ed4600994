//! Tables of text: comma, tab or semicolon between cells, one line of names, gzip or not.

mod cells;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// Named columns of one length, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Columns; no two have the same name.
    pub columns: Vec<TableColumn>,
}

/// A column and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// The name in the header; `column3` for the third column if the header leaves it empty.
    pub name: String,
    /// One value for each row.
    pub values: ColumnValues,
}

/// Values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnValues {
    /// Every cell that is not missing is a number; NaN is a missing one.
    Numbers(Vec<f64>),
    /// Some cell is no number.
    Text(TextColumn),
}

/// Texts, each distinct one kept once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumn {
    /// The distinct texts, sorted by code point unless [`TextColumn::with_levels`] has given them another order.
    pub levels: Vec<String>,
    /// The text of each row as a position in `levels`; `None` is a missing one.
    pub codes: Vec<Option<usize>>,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// What stands between cells.
    pub delimiter: Delimiter,
    /// Cells that stand for a missing value, white space around them aside.
    pub missing: Vec<String>,
}

/// What stands between the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiter {
    /// A tab in `.tsv` and `.tab`, gzipped or not; a comma otherwise.
    #[default]
    FromExtension,
    /// `,`
    Comma,
    /// A tab.
    Tab,
    /// `;`
    Semicolon,
}

impl Default for TableOptions {
    /// The delimiter by extension; `NA` and empty cells are missing.
    fn default() -> Self {
        Self { delimiter: Delimiter::default(), missing: vec!["NA".to_owned(), String::new()] }
    }
}

/// Reads a table from a file, which may be gzipped.
///
/// Cells with delimiters or line breaks stand in double quotes; a double quote within them is written twice. Empty
/// lines are skipped. A column is numeric if every cell that is not missing is a number.
///
/// # Errors
/// A file that cannot be read, text that is not UTF-8, two columns of one name, a row with another number of cells
/// than the header, or no rows. Errors name the file and the line, and where one is to blame the column.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Table> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::Unreadable { file: name.clone(), reason: error.to_string() })?;
    read_table_from(file, &name, options)
}

/// Reads a table as [`read_table`] does, from anything; `name` stands for the file in errors and has the extension.
///
/// # Errors
/// Those of [`read_table`].
///
/// ```
/// use aais_datasets::{ColumnValues, TableOptions, read_table_from};
///
/// let table = read_table_from("dose,sex\n1.5,f\nNA,m\n".as_bytes(), "trial.csv", &TableOptions::default())?;
/// assert_eq!(table.n_rows(), 2);
/// let Some(ColumnValues::Text(sex)) = table.column("sex") else { panic!("`sex` is text") };
/// assert_eq!(sex.levels, ["f", "m"]);
/// # Ok::<(), aais_datasets::Error>(())
/// ```
pub fn read_table_from(reader: impl Read, name: &str, options: &TableOptions) -> Result<Table> {
    let cells = cells::read(reader, name, options.delimiter)?;
    let columns = cells.into_iter().map(|(name, cells)| TableColumn { name, values: values(&cells, &options.missing) });
    Ok(Table { columns: columns.collect() })
}

fn values(cells: &[String], missing: &[String]) -> ColumnValues {
    let present = |cell: &str| (!missing.iter().any(|text| text == cell.trim())).then(|| cell.to_owned());
    let cells: Vec<Option<String>> = cells.iter().map(|cell| present(cell)).collect();
    let number = |cell: &Option<String>| cell.as_ref().map_or(Some(f64::NAN), |cell| cell.trim().parse().ok());
    match cells.iter().map(number).collect() {
        Some(numbers) => ColumnValues::Numbers(numbers),
        None => ColumnValues::Text(TextColumn::new(&cells)),
    }
}

impl Table {
    /// Rows of every column.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.n_rows())
    }

    /// The values of the column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.values)
    }
}

impl ColumnValues {
    fn n_rows(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Text(column) => column.codes.len(),
        }
    }
}

impl TextColumn {
    /// Texts by row; `None` is a missing one.
    #[must_use]
    pub fn new<S: AsRef<str>>(values: &[Option<S>]) -> Self {
        let distinct: BTreeSet<&str> = values.iter().flatten().map(AsRef::as_ref).collect();
        let levels: Vec<&str> = distinct.into_iter().collect();
        let code = |value: &Option<S>| value.as_ref().and_then(|value| levels.binary_search(&value.as_ref()).ok());
        Self { codes: values.iter().map(code).collect(), levels: levels.into_iter().map(str::to_owned).collect() }
    }

    /// The same texts with the levels in this order.
    ///
    /// # Errors
    /// A text that is none of them, or a level twice.
    pub fn with_levels<S: AsRef<str>>(self, levels: &[S]) -> Result<Self> {
        let mut positions = BTreeMap::new();
        for (at, level) in levels.iter().map(AsRef::as_ref).enumerate() {
            if positions.insert(level, at).is_some() {
                return Err(Error::DuplicateLevel { level: level.to_owned() });
            }
        }

        let position = |text: &str| {
            let unknown = || Error::UnknownLevel {
                level: text.to_owned(),
                expected: positions.keys().map(|&level| level.to_owned()).collect(),
            };
            positions.get(text).copied().ok_or_else(unknown)
        };
        let code = |code: Option<usize>| code.map(|code| position(&self.levels[code])).transpose();
        let codes = self.codes.iter().map(|&old| code(old)).collect::<Result<_>>()?;
        Ok(Self { levels: levels.iter().map(|level| level.as_ref().to_owned()).collect(), codes })
    }

    /// The text of each row.
    pub fn values(&self) -> impl Iterator<Item = Option<&str>> {
        self.codes.iter().map(|code| code.map(|code| self.levels[code].as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn table(text: &str) -> Result<Table> {
        read_table_from(text.as_bytes(), "t.csv", &TableOptions::default())
    }

    fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
        match table.column(name) {
            Some(ColumnValues::Numbers(values)) => values,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn texts<'a>(table: &'a Table, name: &str) -> Vec<Option<&'a str>> {
        match table.column(name) {
            Some(ColumnValues::Text(column)) => column.values().collect(),
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn a_column_of_numbers_is_numeric_and_others_are_text() {
        let table = table("n, t ,m\n1, b,NA\n-2.5e1,\"a, \"\"c\"\"\n\",\n, NA,\n").unwrap();
        assert_eq!(numbers(&table, "n")[..2], [1.0, -25.0]);
        assert!(numbers(&table, "n")[2].is_nan() && numbers(&table, "m").iter().all(|value| value.is_nan()));
        assert_eq!(texts(&table, "t"), [Some(" b"), Some("a, \"c\"\n"), None]);
    }

    #[test]
    fn other_marks_may_stand_for_missing() {
        let options = TableOptions { delimiter: Delimiter::Semicolon, missing: vec!["-9".to_owned()] };
        let table = read_table_from("a;b\n-9;NA\n1,5;x\n".as_bytes(), "t.txt", &options).unwrap();
        assert_eq!(texts(&table, "a"), [None, Some("1,5")]);
        assert_eq!(texts(&table, "b"), [Some("NA"), Some("x")]);
    }

    #[test]
    fn the_extension_chooses_the_delimiter() {
        let read = |text: &str, name: &str| read_table_from(text.as_bytes(), name, &TableOptions::default()).unwrap();
        assert_eq!(read("a\tb\n1\t2\n", "dir/T.TSV.gz"), read("a,b\n1,2\n", "t.dat"));
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all("x\n1\n2\n".as_bytes()).unwrap();
        let zipped = encoder.finish().unwrap();
        let read = read_table_from(zipped.as_slice(), "t.csv", &TableOptions::default());
        assert_eq!(read, table("x\n1\n2\n"));
        let cut = read_table_from(&zipped[..zipped.len() - 9], "t.csv", &TableOptions::default());
        assert!(cut.unwrap_err().to_string().starts_with("cannot read t.csv: as gzip: "));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        assert_eq!(numbers(&table("\u{feff}x,y\n1,2\n").unwrap(), "x"), [1.0]);
    }

    #[test]
    fn names_are_made_up_where_they_are_empty() {
        assert_eq!(numbers(&table("\"\",x\n1,2\n").unwrap(), "column1"), [1.0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let message = |text: &[u8]| read_table_from(text, "t.csv", &TableOptions::default()).unwrap_err().to_string();
        assert_eq!(message(b"a,b,a\n1,2,3\n"), "t.csv: expected names that differ, got `a` for columns 1 and 3");
        assert_eq!(message(b"a,b\n1,2\n\n3\n"), "t.csv, line 4: expected 2 cells as in the header, got 1");
        assert_eq!(message(b"a,b\n1,2,3\n"), "t.csv, line 2: expected 2 cells as in the header, got 3");
        assert_eq!(message(b"a,b\n"), "t.csv: expected rows below the header, got none");
        assert_eq!(message(b""), "t.csv: expected a header and rows, got an empty file");
        assert_eq!(
            message(b"a,b\n1,2\n3,\xff\n"),
            "t.csv, line 3, column `b`: expected UTF-8, got other bytes; save the file as UTF-8"
        );
        assert_eq!(
            message(b"a,\xff\n"),
            "t.csv, line 1, column 2: expected UTF-8, got other bytes; save the file as UTF-8"
        );
        let absent = read_table(Path::new("no/such/table.csv"), &TableOptions::default()).unwrap_err().to_string();
        assert!(absent.starts_with("cannot read no/such/table.csv: "), "{absent}");
    }

    #[test]
    fn levels_may_be_ordered_by_hand() {
        let column = TextColumn::new(&[Some("do"), None, Some("want")]);
        let ordered = column.clone().with_levels(&["want", "do"]).unwrap();
        assert_eq!(ordered.codes, [Some(1), None, Some(0)]);
        assert_eq!(column.values().collect::<Vec<_>>(), ordered.values().collect::<Vec<_>>());
        assert!(matches!(column.clone().with_levels(&["want"]), Err(Error::UnknownLevel { .. })));
        assert!(matches!(column.with_levels(&["do", "do"]), Err(Error::DuplicateLevel { .. })));
    }

    proptest! {
        #[test]
        fn quoted_cells_read_back(cells in prop::collection::vec("[a-z,\"\n; ]{1,6}x", 1..20)) {
            let quoted = cells.iter().map(|cell| format!("\"{}\"\n", cell.replace('"', "\"\"")));
            let table = table(&format!("name\n{}", quoted.collect::<String>())).unwrap();
            let expected: Vec<Option<&str>> = cells.iter().map(|cell| Some(cell.as_str())).collect();
            prop_assert_eq!(texts(&table, "name"), expected);
        }

        #[test]
        fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(table) = read_table_from(bytes.as_slice(), "t.csv", &TableOptions::default()) {
                prop_assert!(table.n_rows() > 0);
                prop_assert!(table.columns.iter().all(|column| column.values.n_rows() == table.n_rows()));
            }
        }
    }
}
