//! What can be wrong with points and settings.

/// Why there is no embedding and no clustering.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Points without coordinates.
    #[error("expected points with at least one coordinate, got {rows} rows without columns")]
    NoColumns {
        /// How many points.
        rows: usize,
    },

    /// A coordinate that is infinite, not a number, or too large to be squared.
    #[error("expected coordinates of size 1e120 at most, got {value} in row {row}, column {column}, counted from zero")]
    Coordinate {
        /// The first such row, from zero.
        row: usize,
        /// The first such column of the row, from zero.
        column: usize,
        /// The coordinate.
        value: f64,
    },

    /// Too few points for the settings.
    #[error("expected at least {needed} rows for {reason}, got {rows}")]
    TooFewRows {
        /// How many there were.
        rows: usize,
        /// How many there must be.
        needed: usize,
        /// The setting that asks for them.
        reason: String,
    },

    /// An embedding of no dimension, or a PCA of more dimensions than the points span.
    #[error("expected a dimension from 1 to {most}, got {dimension}")]
    Dimension {
        /// What was asked for.
        dimension: usize,
        /// The largest one.
        most: usize,
    },

    /// A setting outside its range.
    #[error("`{name}` must be {range}, got {value}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its range, in words.
        range: &'static str,
        /// Its value.
        value: f64,
    },

    /// An embedding that grew without bound.
    #[error("{method} left the finite numbers in step {step}; lower `learning_rate`")]
    Diverged {
        /// The method.
        method: &'static str,
        /// The step, from zero.
        step: usize,
    },

    /// The k-means of linfa-clustering refused.
    #[error("k-means found no clusters: {reason}")]
    KMeans {
        /// What it says.
        reason: String,
    },
}

/// An embedding or a clustering, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
