//! What can go wrong while a model is built, trained or restored.

/// One error type for the crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A setting is out of range.
    #[error("{name} must be {wanted}, got {found}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What is allowed.
        wanted: &'static str,
        /// What came.
        found: String,
    },
    /// Training met a NaN or an infinity; the model still holds the last finite parameters.
    #[error(
        "{what} became {value} in epoch {epoch}, step {step}, on rows {}; lower `learning_rate` or `power`, or look at these rows",
        rows_in_words(rows)
    )]
    NonFinite {
        /// `loss`, or the tensor whose gradient it was.
        what: String,
        /// `NaN` or `inf`.
        value: f32,
        /// From 1.
        epoch: usize,
        /// Within the epoch, from 1.
        step: usize,
        /// Rows of the data set that were in the batch.
        rows: Vec<usize>,
    },
    /// A row's log-likelihood cannot be estimated.
    #[error("row {row} of the data: {problem}")]
    Evaluation {
        /// Its position in the data set.
        row: usize,
        /// What is wrong with its weights.
        problem: String,
    },
    /// A checkpoint cannot be used.
    #[error("the checkpoint {problem}; delete it to start this run anew")]
    Checkpoint {
        /// What is wrong with it.
        problem: String,
    },
}

/// An error unless a setting is as wanted.
pub(crate) fn require(is_so: bool, name: &'static str, wanted: &'static str, found: impl ToString) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::Setting { name, wanted, found: found.to_string() }) }
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Ten rows at most, then how many more.
fn rows_in_words(rows: &[usize]) -> String {
    let shown: Vec<String> = rows.iter().take(10).map(ToString::to_string).collect();
    let rest = rows.len().saturating_sub(10);
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}
