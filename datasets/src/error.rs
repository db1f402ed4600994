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

    /// A file cannot be used.
    #[error("{path} {problem}")]
    File {
        /// Which.
        path: String,
        /// What is wrong with it, and where.
        problem: String,
    },

    /// The column's values do not spread, or spread too far for a double.
    #[error("expected a positive, finite standard deviation, got {sd}")]
    Spread {
        /// The standard deviation.
        sd: f64,
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
