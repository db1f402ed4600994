#![doc = include_str!("../README.md")]

pub mod bernoulli;
mod buffer;
pub mod gamma;
pub mod gaussian;
pub mod grouped;
pub mod mlp;
pub mod negative_binomial;
pub mod peak;
pub mod poisson;
pub mod predictor;
mod simd;
pub mod softmax;
mod threads;

pub use bernoulli::{bernoulli_log_likelihood, bernoulli_score};
pub use gamma::{digamma, log_gamma, log_rising_factorial};
pub use gaussian::{gaussian_log_density, gaussian_score, reparameterize};
pub use grouped::{Curve, CurveFunction, GroupedRows, grouped_sum, segment_mean};
pub use mlp::{Activation, MlpSpec, Parameter, ParameterRole, Pullback, mlp, mlp_with_pullback};
pub use negative_binomial::{negative_binomial_log_likelihood, negative_binomial_score};
pub use poisson::{poisson_log_likelihood, poisson_score};
pub use predictor::{linear_predictor, scaled_covariates};
pub use simd::InstructionSet;
pub use softmax::softmax;
