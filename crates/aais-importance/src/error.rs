//! What can be wrong with a slice of log weights.

/// A slice of log weights that no estimate can be made from.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There are no samples.
    #[error("no log weights; expected at least one sample")]
    Empty,

    /// A log weight is NaN or `+∞`. (`−∞`, a weight of zero, is allowed.)
    #[error("log weight {index} is {value}; expected a number below infinity, check the log densities of that sample")]
    Invalid {
        /// Position of the first such log weight.
        index: usize,
        /// The value found there.
        value: f64,
    },
}
