//! A network: its shape, one flat parameter tensor, and the shared slope.

use aais_distributions::Noise;
use aais_kernels::{MlpSpec, ParameterRole, Pullback, mlp, mlp_with_pullback};
use candle_core::{Result, Tensor};

/// A multilayer perceptron with its parameters; cloning shares them.
#[derive(Clone, Debug)]
pub struct Network {
    spec: MlpSpec,
    parameters: Tensor,
    slope: Tensor,
}

impl Network {
    /// From a spec, its flat parameters and the slope.
    pub fn new(spec: MlpSpec, parameters: Tensor, slope: Tensor) -> Self {
        Self { spec, parameters, slope }
    }

    /// Its shape.
    pub fn spec(&self) -> &MlpSpec {
        &self.spec
    }

    /// `(..., n_in)` to `(..., n_heads * n_out)`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        mlp(&self.spec, x, &self.parameters, &self.slope)
    }

    /// [`forward`](Self::forward), and what carries cotangents of the output back to `x`, for networks of one head.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn forward_with_pullback(&self, x: &Tensor) -> Result<(Tensor, Pullback)> {
        mlp_with_pullback(&self.spec, x, &self.parameters, &self.slope)
    }

    /// The same map, its parameters taking no gradient: `η = θₙ` of Algorithms 2 and 3.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { spec: self.spec.clone(), parameters: self.parameters.detach(), slope: self.slope.detach() }
    }
}

/// torch's default initialization: linear weights and biases uniform within `1 / sqrt(fan_in)`, gains one, shifts zero.
/// Deviation 8.
pub(crate) fn initial_parameters(spec: &MlpSpec, noise: &mut Noise) -> Vec<f32> {
    let mut values = Vec::with_capacity(spec.n_parameters());
    for parameter in spec.parameters() {
        let length = parameter.range.len();
        match (parameter.role, parameter.fan_in) {
            (ParameterRole::NormGain, _) => values.extend(std::iter::repeat_n(1.0, length)),
            (_, Some(fan_in)) => {
                #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
                let bound = 1.0 / (fan_in as f32).sqrt();
                values.extend((0..length).map(|_| noise.uniform(-bound, bound)));
            }
            _ => values.extend(std::iter::repeat_n(0.0, length)),
        }
    }
    values
}

/// Which parameters weight decay reaches: the weights within blocks, or everything where no block has a skip path.
///
/// Deviation 9; Parhi and Nowak (2023) penalize a block's two weights and leave the skip path free.
pub(crate) fn decay_mask(spec: &MlpSpec, model_has_skips: bool) -> Vec<bool> {
    let decays = |role| !model_has_skips || role == ParameterRole::BlockWeight;
    spec.parameters().iter().flat_map(|p| std::iter::repeat_n(decays(p.role), p.range.len())).collect()
}
