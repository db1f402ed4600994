#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod error;
mod ess;
mod estimators;
mod generalized_pareto;
mod marginal;
mod pareto;
mod tail;
#[cfg(test)]
mod testing;
mod weights;

pub use error::Error;
pub use ess::effective_sample_size;
pub use estimators::{iwae_bound, self_normalized};
pub use marginal::{LogMarginal, log_marginal, log_mixture};
pub use pareto::{ParetoSmoothed, pareto_smooth, reliable_k_hat};
pub use tail::{TailStopped, stop_tail};
pub use weights::{Fallback, FallbackWeights, weights, weights_or_uniform};
