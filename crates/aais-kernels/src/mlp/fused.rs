//! The fused network and its pullback as candle operations.

use std::sync::{Arc, Mutex, MutexGuard};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::passes::{Pass, SecondOrderRows};
use super::plan::Plan;
use super::spec::MlpSpec;
use crate::InstructionSet;
use crate::buffer::{Buffer, f32_slice, with_values};

pub(super) fn apply(
    set: InstructionSet,
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
) -> Result<Tensor> {
    let keep_tape = x.track_op() || parameters.track_op() || slope.track_op();
    let operation = Fused { set, spec: spec.clone(), keep_tape, is_pulled_back: false, tapes: Arc::default() };
    x.contiguous()?.apply_op3(&parameters.contiguous()?, &slope.contiguous()?, operation)
}

/// The network's value, and what its pullback needs.
pub(super) fn apply_with_pullback(
    set: InstructionSet,
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
) -> Result<(Tensor, FusedPullback)> {
    let tapes = Arc::new(Mutex::new(Tapes::default()));
    let (parameters, slope) = (parameters.contiguous()?, slope.contiguous()?);
    let operation = Fused { set, spec: spec.clone(), keep_tape: true, is_pulled_back: true, tapes: Arc::clone(&tapes) };
    let value = x.contiguous()?.apply_op3(&parameters, &slope, operation)?;
    let operation = PullBack { set, spec: spec.clone(), parameters: parameters.detach(), slope: slope.detach(), tapes };
    Ok((value.clone(), FusedPullback { value, operation }))
}

/// What one evaluation of the network keeps for later passes, panel after panel.
#[derive(Default)]
struct Tapes {
    /// Of the forward pass.
    values: Option<Buffer>,
    /// Of the pullback's backward pass, for that of the network, which follows it.
    second: Option<SecondOrderRows>,
}

fn lock(tapes: &Mutex<Tapes>) -> Result<MutexGuard<'_, Tapes>> {
    tapes.lock().map_err(|_| candle_core::Error::Msg("a thread broke down while it held a tape".into()))
}

struct Fused {
    set: InstructionSet,
    spec: MlpSpec,
    /// Whether a backward pass may follow.
    keep_tape: bool,
    /// Whether a pullback shares the tapes.
    is_pulled_back: bool,
    tapes: Arc<Mutex<Tapes>>,
}

impl CustomOp3 for Fused {
    fn name(&self) -> &'static str {
        "mlp"
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
        let input = f32_slice(x, x_layout)?;
        let parameters = f32_slice(parameters, parameters_layout)?;
        let slope = f32_slice(slope, slope_layout)?[0];

        let plan = Plan::new(&self.spec);
        let mut output = vec![0.0; input.len() / plan.n_in * self.spec.width_out()];
        let pass = Pass { set: self.set, plan: &plan, parameters, slope };
        lock(&self.tapes)?.values = pass.forward(input, self.keep_tape, &mut output);

        let mut dims = x_layout.dims().to_vec();
        *dims.last_mut().expect("checked to have a last dimension") = self.spec.width_out();
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
        let plan = Plan::new(&self.spec);
        let mut tapes = lock(&self.tapes)?;
        let (kept, second) = (tapes.values.take(), tapes.second.take());
        let (gradients, tape) = with_pass(self.set, &plan, parameters, slope, |pass| {
            let tape = match kept {
                Some(tape) => tape,
                // A second backward pass through the same graph.
                None => {
                    let mut output = vec![0.0; gradient.elem_count()];
                    match with_values(x, |input| Ok(pass.forward(input, true, &mut output)))? {
                        Some(tape) => tape,
                        None => bail!("the network kept no tape for its backward pass"),
                    }
                }
            };
            with_values(gradient, |cotangent| {
                let found = pass.backward(&tape, cotangent, x.track_op(), second.as_ref());
                Ok((found, tape))
            })
        })?;
        if self.is_pulled_back {
            // The graph may be walked again, and its pullback with it.
            tapes.values = Some(tape);
        }

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

/// The pullback at the point of one evaluation.
pub(super) struct FusedPullback {
    value: Tensor,
    operation: PullBack,
}

impl FusedPullback {
    /// Of the network's value, and so of the cotangents.
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// `J^T c`. Its gradient reaches the network's input and parameters through the network's value, which is
    /// therefore an input of the operation: candle then visits the network after the pullback, with all that it needs.
    pub fn apply(self, cotangent: &Tensor) -> Result<Tensor> {
        self.value.apply_op2(&cotangent.contiguous()?, self.operation)
    }
}

struct PullBack {
    set: InstructionSet,
    spec: MlpSpec,
    parameters: Tensor,
    slope: Tensor,
    tapes: Arc<Mutex<Tapes>>,
}

impl CustomOp2 for PullBack {
    fn name(&self) -> &'static str {
        "mlp-pullback"
    }

    fn cpu_fwd(
        &self,
        _value: &CpuStorage,
        value_layout: &Layout,
        cotangent: &CpuStorage,
        cotangent_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let plan = Plan::new(&self.spec);
        let cotangent = f32_slice(cotangent, cotangent_layout)?;
        let tapes = lock(&self.tapes)?;
        let Some(tape) = &tapes.values else { bail!("the network kept no tape for its pullback") };
        let mut output = vec![0.0; cotangent.len() / plan.n_out * plan.n_in];
        with_pass(self.set, &plan, &self.parameters, &self.slope, |pass| {
            pass.pull_back(tape, cotangent, &mut output);
            Ok(())
        })?;
        let mut dims = value_layout.dims().to_vec();
        *dims.last_mut().expect("checked to have a last dimension") = plan.n_in;
        Ok((CpuStorage::F32(output), Shape::from(dims)))
    }

    fn bwd(
        &self,
        value: &Tensor,
        cotangent: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let plan = Plan::new(&self.spec);
        let mut tapes = lock(&self.tapes)?;
        let Some(tape) = &tapes.values else { bail!("the network kept no tape for its pullback") };
        let mut output = vec![0.0; cotangent.elem_count()];
        let direction = with_values(gradient, |direction| Ok(direction.to_vec()))?;
        with_pass(self.set, &plan, &self.parameters, &self.slope, |pass| {
            pass.push_forward(tape, &direction, &mut output);
            Ok(())
        })?;
        let cotangent_rows = with_values(cotangent, |cotangent| Ok(cotangent.to_vec()))?;
        tapes.second = Some(SecondOrderRows { cotangent: cotangent_rows, direction });
        let by_cotangent = Tensor::from_vec(output, cotangent.shape(), cotangent.device())?;
        Ok((Some(value.zeros_like()?), Some(by_cotangent)))
    }
}

/// Runs `f` with the network as plain values.
fn with_pass<T>(
    set: InstructionSet,
    plan: &Plan,
    parameters: &Tensor,
    slope: &Tensor,
    f: impl FnOnce(Pass) -> Result<T>,
) -> Result<T> {
    let slope = with_values(slope, |slope| Ok(slope[0]))?;
    with_values(parameters, |parameters| f(Pass { set, plan, parameters, slope }))
}
