//! What can be wrong with a formula, data or a fit.

/// Why there is no model or no fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    // The engine's: numbers of a design, and fits that fail.
    /// A response that its family cannot have.
    #[error("expected {expected} as the response, got {value} in row {row}")]
    Response {
        /// The row, from zero.
        row: usize,
        /// The value.
        value: f64,
        /// What the family can have.
        expected: &'static str,
    },

    /// A prior weight that the family cannot have.
    #[error("expected {expected}, got {value} in row {row}")]
    Weight {
        /// The row, from zero.
        row: usize,
        /// The weight.
        value: f64,
        /// What the family can have.
        expected: &'static str,
    },

    /// A number of the design that is infinite or not a number.
    #[error("expected finite numbers in {part}, got {value} in row {row}")]
    NonFinite {
        /// Which part of the design.
        part: String,
        /// The row, from zero.
        row: usize,
        /// The value.
        value: f64,
    },

    /// Parts of a design that do not fit together, or a list of parameters of the wrong length.
    #[error("expected {expected} of {part}, got {found}")]
    Size {
        /// Rows, columns, codes or parameters of what.
        part: String,
        /// How many were expected.
        expected: usize,
        /// How many there are.
        found: usize,
    },

    /// A column of the fixed effects is a combination of the ones before it.
    #[error("fixed effect `{name}` is a linear combination of the columns before it; leave it out of the formula")]
    Collinear {
        /// The column's name.
        name: String,
    },

    /// A setting or argument outside its range.
    #[error("expected {expected} as {name}, got {value}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What was passed.
        value: f64,
        /// What is possible.
        expected: &'static str,
    },

    /// Something asked of a model that cannot give it.
    #[error("{asked} is not available: {reason}")]
    Unavailable {
        /// What was asked for.
        asked: &'static str,
        /// Why it is not available, and what to do instead.
        reason: String,
    },

    /// Penalized least squares found no finite mode, even from zero random effects.
    #[error("the modes of the random effects are not finite at theta {theta:?}; rescale predictors or check offsets")]
    Diverged {
        /// The covariance parameters.
        theta: Vec<f64>,
    },
}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
