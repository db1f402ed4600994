#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod density;
mod diagonal_gaussian;
mod noise;
mod standard_normal;

pub use density::{LogDensity, Proposal};
pub use diagonal_gaussian::DiagonalGaussian;
pub use noise::Noise;
pub use standard_normal::StandardNormal;
