//! Networks with layers too wide for their weights to stay in cache beside a panel of rows.
//!
//! The weights are packed once a call, and tiles of rows go through all layers by blocked matrix products. Rows lie as
//! they come, so that the products' vectors run along features. Rows whose cotangent is zero are left out on the way
//! back: a method that gives some samples no weight does not pay for their gradients.

mod backward;
mod forward;
mod gemm;
mod plan;
mod rows;

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::spec::MlpSpec;
use crate::InstructionSet;
use crate::buffer::{Buffer, f32_slice, with_values};
use plan::Plan;

/// Weights of the largest matrix above which a network is wide: 256 KiB, which second-level caches hold beside a panel.
///
/// Published results hold the bits of narrower networks' panels.
const WIDE: usize = 1 << 16;

/// Rows that go through all layers together.
const TILE: usize = 96;

/// Whether a network takes this path.
pub(super) fn is_wide(spec: &MlpSpec) -> bool {
    spec.parameters().iter().any(|parameter| parameter.shape.len() == 2 && parameter.range.len() > WIDE)
}

/// The network as plain values.
struct Network<'a> {
    set: InstructionSet,
    plan: &'a Plan,
    parameters: &'a [f32],
    slope: f32,
}

pub(super) fn apply(
    set: InstructionSet,
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
) -> Result<Tensor> {
    let keep_tape = x.track_op() || parameters.track_op() || slope.track_op();
    let operation = Wide { set, plan: Plan::new(spec), keep_tape, tape: Mutex::default() };
    x.contiguous()?.apply_op3(&parameters.contiguous()?, &slope.contiguous()?, operation)
}

struct Wide {
    set: InstructionSet,
    plan: Plan,
    /// Whether a way back may follow.
    keep_tape: bool,
    tape: Mutex<Option<Buffer>>,
}

impl CustomOp3 for Wide {
    fn name(&self) -> &'static str {
        "wide-mlp"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
        slope: &CpuStorage,
        slope_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (input, slope) = (f32_slice(x, x_layout)?, f32_slice(slope, slope_layout)?[0]);
        let parameters = f32_slice(parameters, parameters_layout)?;
        let network = Network { set: self.set, plan: &self.plan, parameters, slope };
        let mut output = vec![0.0; input.len() / self.plan.n_in * self.plan.width_out()];
        let tape = forward::forward(&network, input, self.keep_tape, &mut output);
        *self.tape.lock().map_err(broken)? = tape;

        let mut dims = x_layout.dims().to_vec();
        *dims.last_mut().expect("checked to have a last dimension") = self.plan.width_out();
        Ok((CpuStorage::F32(output), Shape::from(dims)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        slope: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let kept = self.tape.lock().map_err(broken)?.take();
        let slope_value = with_values(slope, |slope| Ok(slope[0]))?;
        let gradients = with_values(parameters, |parameters| {
            let network = Network { set: self.set, plan: &self.plan, parameters, slope: slope_value };
            with_values(x, |input| {
                let tape = match kept {
                    Some(tape) => tape,
                    // A second backward pass through the same graph.
                    None => forward::tape(&network, input),
                };
                with_values(gradient, |cotangent| {
                    Ok(backward::backward(&network, input, &tape, cotangent, x.track_op()))
                })
            })
        })?;

        let device = x.device();
        let dx = match gradients.input {
            Some(values) => Some(Tensor::from_vec(values, x.shape(), device)?),
            None => None,
        };
        let dparameters = Tensor::from_vec(gradients.parameters, parameters.shape(), device)?;
        let dslope = Tensor::from_vec(vec![gradients.slope], slope.shape(), device)?;
        Ok((dx, Some(dparameters), Some(dslope)))
    }
}

fn broken<T>(_: std::sync::PoisonError<T>) -> candle_core::Error {
    candle_core::Error::Msg("a thread broke down while it held a tape".into())
}
