#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod clayton;
mod density;
mod diagonal_gaussian;
mod lattice;
mod noise;
mod shifted_gamma;
mod standard_normal;

pub use clayton::Clayton;
pub use density::{LogDensity, Proposal};
pub use diagonal_gaussian::DiagonalGaussian;
pub use lattice::Sampling;
pub use noise::Noise;
pub use shifted_gamma::ShiftedGamma;
pub use standard_normal::StandardNormal;
