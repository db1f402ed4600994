#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod adaptation;
mod dense;
mod error;
mod grouped_design;
mod groups_told;
mod held_out;
mod law;
mod marginal;
mod neural_glmm;
mod normal_law;
mod posterior;
mod scaled_rows;
mod settings;
mod start;
mod std_errors;
mod summary;
mod training;

pub use error::{Error, Result};
pub use grouped_design::groups_of;
pub use groups_told::{GroupPosterior, QUANTILES};
pub use held_out::{HeldOut, HeldOutGroup};
pub use law::Law;
pub use marginal::LogMarginal;
pub use neural_glmm::{NeuralGlmm, Progress, neural_glmm};
pub use settings::{Method, Settings};
pub use std_errors::FixedCovariance;
