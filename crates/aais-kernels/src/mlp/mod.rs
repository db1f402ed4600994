//! A whole multilayer perceptron as one operation.
//!
//! `y = head(block_L(... block_1(x)))` with blocks of Linear, layer normalization and one shared
//! PReLU, with or without skip connections ([`MlpSpec`]). A graph of small operations spends its
//! time moving intermediate tensors; here a panel of rows goes through all layers while it is in
//! the first-level cache, and the backward pass does the same in reverse.

mod block;
mod chain;
mod fused;
mod panel;
mod passes;
mod plan;
mod product;
mod reference;
mod spec;
mod wide;

use candle_core::{DType, Result, Tensor, bail};

pub use reference::{reference, reference_pullback};
pub use spec::{Activation, MlpSpec, Parameter, ParameterRole};

use crate::InstructionSet;

/// Added to the variance in a layer normalization, as in torch.
pub(crate) const LAYER_NORM_EPSILON: f32 = 1e-5;

/// The network's value: `(..., n_in)` to `(..., n_heads * n_out)`.
///
/// `parameters` is the flat vector of [`MlpSpec::parameters`], `(P,)`; `slope` the PReLU's slope for
/// negative values, `(1,)`. Gradients reach all three. `f32` on a CPU takes the fused path, everything
/// else [`reference()`].
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
    set.check()?;
    match () {
        () if !is_fused(&[x, parameters, slope]) => reference(spec, x, parameters, slope),
        () if wide::is_wide(spec) => wide::apply(set, spec, x, parameters, slope),
        () => fused::apply(set, spec, x, parameters, slope),
    }
}

/// The network's value together with its pullback at that point, for networks of one head.
///
/// # Errors
/// As [`mlp`], and if the network has several heads.
pub fn mlp_with_pullback(
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
) -> Result<(Tensor, Pullback)> {
    mlp_with_pullback_on(InstructionSet::best(), spec, x, parameters, slope)
}

/// [`mlp_with_pullback`] with a chosen instruction set, which the processor must have: for tests and benchmarks.
///
/// # Errors
/// As [`mlp_with_pullback`], and if the processor lacks `set`.
pub fn mlp_with_pullback_on(
    set: InstructionSet,
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
) -> Result<(Tensor, Pullback)> {
    check_shapes(spec, x, parameters, slope)?;
    set.check()?;
    if spec.n_heads != 1 {
        bail!("a pullback is of a network with one head, got {}", spec.n_heads);
    }
    if is_fused(&[x, parameters, slope]) {
        let (value, pullback) = fused::apply_with_pullback(set, spec, x, parameters, slope)?;
        return Ok((value, Pullback(Inner::Fused(pullback))));
    }
    let [x, parameters, slope] = [x, parameters, slope].map(Clone::clone);
    let value = reference(spec, &x, &parameters, &slope)?;
    Ok((value, Pullback(Inner::Reference { spec: spec.clone(), x, parameters, slope })))
}

/// `c -> J^T c` for the Jacobian `J` of a network at one point: what carries a cotangent back to the input.
///
/// Unlike what candle's `backward` leaves behind, the result has gradients of its own: for the cotangent `c` and,
/// through the Jacobian, for the network's input, parameters and slope (second order).
///
/// ```
/// use aais_kernels::{Activation, MlpSpec, mlp_with_pullback};
/// use candle_core::{DType, Device, Tensor};
///
/// // y = w x + b, so J^T c = w c.
/// let spec =
///     MlpSpec { n_in: 1, hidden: vec![], n_out: 1, n_heads: 1, skip: false, activation: Activation::NormPrelu };
/// let (parameters, slope) = (Tensor::new(&[3f32, 1.0], &Device::Cpu)?, Tensor::new(&[0.25f32], &Device::Cpu)?);
/// let x = Tensor::zeros((2, 1), DType::F32, &Device::Cpu)?;
/// let (y, pullback) = mlp_with_pullback(&spec, &x, &parameters, &slope)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1.0], [1.0]]);
/// let c = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
/// assert_eq!(pullback.apply(&c)?.to_vec2::<f32>()?, [[3.0], [6.0]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub struct Pullback(Inner);

enum Inner {
    Fused(fused::FusedPullback),
    Reference { spec: MlpSpec, x: Tensor, parameters: Tensor, slope: Tensor },
}

impl Pullback {
    /// `J^T c`: `(..., n_out)` to `(..., n_in)`.
    ///
    /// # Errors
    /// If the cotangent's shape is not that of the network's value.
    pub fn apply(self, cotangent: &Tensor) -> Result<Tensor> {
        let wanted = match &self.0 {
            Inner::Fused(pullback) => pullback.shape().dims().to_vec(),
            Inner::Reference { spec, x, .. } => [&x.dims()[..x.rank() - 1], &[spec.n_out]].concat(),
        };
        if cotangent.dims() != wanted {
            bail!("a pullback takes cotangents of shape {wanted:?}, got {:?}", cotangent.dims());
        }
        match self.0 {
            Inner::Fused(pullback) => pullback.apply(cotangent),
            Inner::Reference { spec, x, parameters, slope } => {
                reference_pullback(&spec, &x, &parameters, &slope, cotangent)
            }
        }
    }
}

fn is_fused(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32)
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
