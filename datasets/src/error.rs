//! What can be wrong with settings and data.

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

    /// A file or folder that cannot be written or locked.
    #[cfg(feature = "download")]
    #[error("cannot write {file}: {reason}; choose a folder you may write to with `--data-dir`")]
    Unwritable {
        /// The file or folder.
        file: String,
        /// What the system says.
        reason: String,
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
