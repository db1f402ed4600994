//! Fused kernels.

mod buffer;
pub mod mlp;
mod simd;

pub use mlp::{MlpSpec, Parameter, ParameterRole, mlp};
pub use simd::InstructionSet;
