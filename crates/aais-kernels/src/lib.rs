#![doc = include_str!("../README.md")]

mod buffer;
pub mod gaussian;
pub mod mlp;
pub mod peak;
mod simd;
pub mod softmax;

pub use gaussian::{gaussian_log_density, reparameterize};
pub use mlp::{MlpSpec, Parameter, ParameterRole, mlp};
pub use simd::InstructionSet;
pub use softmax::softmax;
