//! What can be wrong with a formula, data or a fit.

/// Why there is no model or no fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
