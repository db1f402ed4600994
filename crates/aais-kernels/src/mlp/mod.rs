//! A whole multilayer perceptron as one operation.
//!
//! `y = head(block_L(... block_1(x)))` with blocks of Linear, layer normalization and one shared
//! PReLU, with or without skip connections ([`MlpSpec`]). A graph of small operations spends its
//! time moving intermediate tensors; here a panel of rows goes through all layers while it is in
//! the first-level cache, and the backward pass does the same in reverse.

mod fused;
mod panel;
mod reference;
mod spec;

use candle_core::{DType, Result, Tensor, bail};

pub use reference::reference;
pub use spec::{MlpSpec, Parameter, ParameterRole};

use crate::InstructionSet;

/// Added to the variance in a layer normalization, as in torch.
pub(crate) const LAYER_NORM_EPSILON: f32 = 1e-5;

/// The network's value: `(..., n_in)` to `(..., n_heads * n_out)`.
///
/// `parameters` is the flat vector of [`MlpSpec::parameters`], `(P,)`; `slope` the PReLU's slope for
/// negative values, `(1,)`. Gradients reach all three. `f32` on a CPU takes the fused path, everything
/// else [`reference`].
///
/// # Errors
/// If a shape does not fit the spec, or a tensor operation fails.
pub fn mlp(spec: &MlpSpec, x: &Tensor, parameters: &Tensor, slope: &Tensor) -> Result<Tensor> {
    mlp_on(InstructionSet::best(), spec, x, parameters, slope)
}

/// [`mlp`] with a chosen instruction set, which the processor must have: for tests and benchmarks.
///
/// # Errors
/// As [`mlp`], and if the processor lacks `set`.
pub fn mlp_on(set: InstructionSet, spec: &MlpSpec, x: &Tensor, parameters: &Tensor, slope: &Tensor) -> Result<Tensor> {
    check_shapes(spec, x, parameters, slope)?;
    if !InstructionSet::available().contains(&set) {
        bail!("this processor has no {}; it has {:?}", set.name(), InstructionSet::available());
    }
    let fused = [x, parameters, slope].iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32);
    if fused { fused::apply(set, spec, x, parameters, slope) } else { reference(spec, x, parameters, slope) }
}

fn check_shapes(spec: &MlpSpec, x: &Tensor, parameters: &Tensor, slope: &Tensor) -> Result<()> {
    if spec.n_in == 0 || spec.n_out == 0 || spec.n_heads == 0 || spec.hidden.contains(&0) {
        bail!("every width of a network must be positive, got {spec:?}");
    }
    if x.dims().last() != Some(&spec.n_in) {
        bail!("the network takes inputs of shape (..., {}), got {:?}", spec.n_in, x.dims());
    }
    if parameters.dims() != [spec.n_parameters()] {
        bail!("the network has parameters of shape ({},), got {:?}", spec.n_parameters(), parameters.dims());
    }
    if slope.dims() != [1] {
        bail!("the shared slope has shape (1,), got {:?}", slope.dims());
    }
    Ok(())
}
