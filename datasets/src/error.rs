//! What can be wrong with settings and data.

use crate::counts::Place;

/// Why there is no data set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A scale that must be positive is not.
    #[error("`{name}` must be positive and finite, got {value}")]
    NotPositive {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },

    /// A setting is infinite or not a number.
    #[error("`{name}` must be finite, got {value}")]
    NotFinite {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },

    /// The settings, or the data to standardize, have no rows.
    #[error("expected at least one row, got none")]
    NoRows,

    /// Standardizing takes a single column.
    #[error("expected data of one column, got {found}")]
    Columns {
        /// How many there were.
        found: usize,
    },

    /// A value to standardize is infinite or not a number.
    #[error("expected finite values, got {value} in row {row}")]
    NonFiniteRow {
        /// The first such row, from zero.
        row: usize,
        /// The value.
        value: f64,
    },

    /// A log rate of counts is beyond what can be drawn.
    #[error("expected rates of counts below 1e19, got exp({log_rate})")]
    Rate {
        /// The log rate.
        log_rate: f64,
    },

    /// A file that should be a published one and is not.
    #[error("{file} has SHA-256 {found}, the published file has {published}; fetch it anew")]
    Altered {
        /// The file.
        file: String,
        /// Its digest.
        found: String,
        /// That of the published file.
        published: &'static str,
    },

    /// A file of a data set that has not been downloaded.
    #[error("{file} is not there; get it with `cargo xtask data {dataset}`, or name its folder by `--data-dir`")]
    Missing {
        /// The file.
        file: String,
        /// The data set.
        dataset: String,
    },

    /// A file that begins like no IDX file, or one of something else.
    #[error("{file}: expected IDX {wanted}, which begin with {expected}, got {found}")]
    IdxMagic {
        /// The file.
        file: String,
        /// Images or labels.
        wanted: &'static str,
        /// The number they begin with.
        expected: u32,
        /// What the file begins with.
        found: String,
    },

    /// An IDX file shorter or longer than its header says.
    #[error("{file}: expected {expected} bytes by the header, got {found}; the file is damaged, fetch it anew")]
    IdxLength {
        /// The file.
        file: String,
        /// Bytes behind the header, or of the header where that is cut short.
        expected: u64,
        /// What there is.
        found: String,
    },

    /// Images and labels that do not belong together.
    #[error("{images} has {n_images} images and {labels} {n_labels} labels; expected as many")]
    UnequalCounts {
        /// The file of images.
        images: String,
        /// How many it has.
        n_images: usize,
        /// The file of labels.
        labels: String,
        /// How many it has.
        n_labels: usize,
    },

    /// A file that cannot be fetched from any of its addresses.
    #[cfg(feature = "download")]
    #[error("cannot fetch {file}: {}; or put the file by hand at {path}", crate::fetch::listed(.failures))]
    NotFetched {
        /// The file, by its path below the data folder.
        file: String,
        /// Where it should be.
        path: String,
        /// What went wrong, an address each.
        failures: Vec<crate::Failure>,
    },

    /// A file that is there and not the published one.
    #[cfg(feature = "download")]
    #[error("{file} has {kind} {found}, expected {expected}; move it away, or let `--force` replace it")]
    WrongChecksum {
        /// The file.
        file: String,
        /// SHA-256 or MD5.
        kind: &'static str,
        /// The digest of the published file.
        expected: String,
        /// Its own.
        found: String,
    },

    /// A proxy or certificates that cannot be used.
    #[cfg(feature = "download")]
    #[error("cannot use {what}: {reason}")]
    Connection {
        /// The proxy or the certificates.
        what: String,
        /// Why not.
        reason: String,
    },

    /// A column that is not there, or holds something else than finite numbers.
    #[error("{file}: expected a column `{column}` of numbers")]
    NoNumbers {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },

    /// The column's values do not spread, or spread too far for a double.
    #[error("expected a positive, finite standard deviation, got {sd}")]
    Spread {
        /// The standard deviation.
        sd: f64,
    },

    /// A file that cannot be opened, read or unzipped.
    #[error("cannot read {file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },

    /// A table without a header.
    #[error("{file}: expected a header and rows, got an empty file")]
    EmptyFile {
        /// The file.
        file: String,
    },

    /// A table with nothing below its header.
    #[error("{file}: expected rows below the header, got none")]
    NoTableRows {
        /// The file.
        file: String,
    },

    /// Two columns of one name.
    #[error("{file}: expected names that differ, got `{column}` for columns {} and {}", .columns[0], .columns[1])]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name.
        column: String,
        /// Where the two stand, from one.
        columns: [usize; 2],
    },

    /// A row with more or fewer cells than the header.
    #[error("{file}, line {line}: expected {expected} cells as in the header, got {found}")]
    RaggedRow {
        /// The file.
        file: String,
        /// Where the row begins, from one.
        line: usize,
        /// Cells of the header.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },

    /// Bytes that are not UTF-8.
    #[error("{file}, line {line}, column {column}: expected UTF-8, got other bytes; save the file as UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// Where the row begins, from one.
        line: usize,
        /// The column's name, or in the header its number from one.
        column: String,
    },

    /// A text that is none of the levels.
    #[error("unknown level `{level}`; the levels are {}", .expected.join(", "))]
    UnknownLevel {
        /// The text.
        level: String,
        /// All levels.
        expected: Vec<String>,
    },

    /// A level given twice.
    #[error("expected levels that differ, got `{level}` twice")]
    DuplicateLevel {
        /// The level.
        level: String,
    },

    /// A file that cannot be written.
    #[error("cannot write {file}: {reason}")]
    Unwritable {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },

    /// Something else in a file than its format has there.
    #[error("{place}: expected {expected}, got {found}")]
    Malformed {
        /// Where.
        place: Place,
        /// What the format has.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A negative number, a fraction, no number, or too large a one in a table of counts.
    #[error("{place}: expected a raw count, a whole number from 0 to {}, got `{found}`", u32::MAX)]
    NotACount {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
    },

    /// Two things of one name.
    #[error("{place}: expected {what}s of different names, got `{name}` again, first in {first}")]
    Duplicate {
        /// Where the second is.
        place: Place,
        /// A gene or a cell.
        what: &'static str,
        /// The name.
        name: String,
        /// Where the first is.
        first: Box<Place>,
    },

    /// A cell without a label.
    #[error("{place}: expected a label of every cell, got none of `{cell}`")]
    NoLabel {
        /// Where the label should be.
        place: Place,
        /// The cell.
        cell: String,
    },

    /// Things that should be one for each and are more or fewer.
    #[error("expected {expected} {what}, got {found}")]
    Length {
        /// What there are too many or too few of.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },

    /// A position beyond the last, or given twice.
    #[error("expected {wanted} below {n}, got {found}")]
    Position {
        /// What is wanted.
        wanted: &'static str,
        /// How many there are to choose from.
        n: usize,
        /// The position.
        found: usize,
    },

    /// Counts that do not vary enough to rank their genes.
    #[error("expected {wanted}, got {found}; leave out genes with few counts, or add cells")]
    TooFew {
        /// What is needed.
        wanted: String,
        /// What is there.
        found: usize,
    },
}

impl Error {
    /// Passes as many as there should be.
    pub(crate) fn expect_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
        if expected == found { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }
}

/// Data, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;

/// Passes a positive, finite setting.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(Error::NotPositive { name, value }) }
}

/// Passes a finite setting.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(Error::NotFinite { name, value }) }
}
