//! What can be wrong with a model, its data or its training.

/// Why there is no learned law.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The design, or the normal model that training starts from.
    #[error(transparent)]
    Glmm(#[from] aais_glmm::Error),
    /// Training.
    #[error(transparent)]
    Training(#[from] aais_models::Error),
    /// A tensor operation.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Importance weights that cannot be judged.
    #[error("importance weights of group `{level}`: {source}")]
    Weights {
        /// The group.
        level: String,
        /// What is wrong with them.
        source: aais_importance::Error,
    },
    /// Another number of grouping factors than one.
    #[error(
        "a learned law needs one grouping factor, got {}; keep the term of the one whose law is wanted",
        if .found.is_empty() { "none".to_owned() } else { .found.join(", ") }
    )]
    GroupingFactors {
        /// Those of the formula.
        found: Vec<String>,
    },
    /// Too few groups to learn a law from.
    #[error("a learned law needs at least {wanted} groups, got {found}; with so few take the normal law")]
    FewGroups {
        /// How many are needed.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
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
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error unless a setting is as wanted.
pub(crate) fn require(is_so: bool, name: &'static str, wanted: &'static str, found: impl ToString) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::Setting { name, wanted, found: found.to_string() }) }
}
