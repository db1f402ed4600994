//! How likely a trained model finds rows of data: `log p(x)` by importance sampling, and bounds on it by annealing.

mod amortized;
mod annealed;
mod importance;
mod mean;

pub use amortized::{Amortized, Simulated};
pub use annealed::{AnnealedBounds, AnnealedImportance, ChainStart};
pub use importance::{Importance, RowLogLikelihood};
pub use mean::MeanLogLikelihood;
