//! What can be wrong with a sample or a partition.

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A sample without values.
    #[error("expected at least one value, got an empty sample")]
    EmptySample,

    /// A value of the sample is infinite or not a number.
    #[error("expected finite values, got {value} at index {index}")]
    NonFinite {
        /// The first such value's place in the slice, from zero.
        index: usize,
        /// The value.
        value: f64,
    },

    /// Two coordinates of one sample have different lengths.
    #[error("expected coordinates of one length, got {first} and {second}")]
    Lengths {
        /// Of the first.
        first: usize,
        /// Of the second.
        second: usize,
    },

    /// Two partitions have labels of different numbers of items.
    #[error("expected two partitions of the same items, got {first} and {second} labels")]
    Partitions {
        /// Labels of the first.
        first: usize,
        /// Labels of the second.
        second: usize,
    },

    /// The probability of a quantile lies outside `[0, 1]`.
    #[error("expected a probability in [0, 1], got {value}")]
    Probability {
        /// What was passed.
        value: f64,
    },

    /// A distribution function answered with something outside `[0, 1]`.
    #[error("expected the distribution function to stay in [0, 1], got {value} at {at}")]
    DistributionFunction {
        /// The argument.
        at: f64,
        /// The answer.
        value: f64,
    },

    /// A radius is negative or not a number.
    #[error("expected a radius of zero or more, got {value}")]
    Radius {
        /// What was passed.
        value: f64,
    },
}

/// A metric, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
