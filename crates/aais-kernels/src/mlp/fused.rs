//! The fused network and its pullback as candle operations.

use std::sync::{Arc, Mutex, MutexGuard};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::panel::{Second, backward, collect, forward, pull_back, push_forward};
use super::plan::{CHUNK, PANEL, Plan, Values};
use super::spec::MlpSpec;
use crate::InstructionSet;
use crate::buffer::{Buffer, f32_slice, with_values};
use crate::simd::dispatch;

/// Panels are dealt to at most this many groups, each with its own sum of gradients.
///
/// The number depends on the work only, never on threads, so that the same sums are formed in the same order.
const MAX_GROUPS: usize = 8;

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

/// What the pullback was applied to, and the cotangent of its result: both chains are cheaper run again than kept.
struct SecondOrderRows {
    /// `(rows, n_out)`.
    cotangent: Vec<f32>,
    /// `(rows, n_in)`.
    direction: Vec<f32>,
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
        let tape = run_forward(self.set, &plan, input, parameters, slope, self.keep_tape, &mut output);
        lock(&self.tapes)?.values = tape;

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
        let (gradients, tape) = with_values(parameters, |values| {
            let slope_value = with_values(slope, |slope| Ok(slope[0]))?;
            let tape = match kept {
                Some(tape) => tape,
                // A second backward pass through the same graph.
                None => {
                    let mut output = vec![0.0; gradient.elem_count()];
                    let forward =
                        |input: &[f32]| Ok(run_forward(self.set, &plan, input, values, slope_value, true, &mut output));
                    match with_values(x, forward)? {
                        Some(tape) => tape,
                        None => bail!("the network kept no tape for its backward pass"),
                    }
                }
            };
            with_values(gradient, |cotangent| {
                let (wants_input, second) = (x.track_op(), second.as_ref());
                let found = run_backward(self.set, &plan, &tape, values, slope_value, cotangent, wants_input, second);
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
        with_values(&self.parameters, |parameters| {
            let slope = with_values(&self.slope, |slope| Ok(slope[0]))?;
            run_pull_back(self.set, &plan, tape, parameters, slope, cotangent, &mut output);
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
        with_values(&self.parameters, |parameters| {
            let slope = with_values(&self.slope, |slope| Ok(slope[0]))?;
            run_push_forward(self.set, &plan, tape, parameters, slope, &direction, &mut output);
            Ok(())
        })?;
        let cotangent_rows = with_values(cotangent, |cotangent| Ok(cotangent.to_vec()))?;
        tapes.second = Some(SecondOrderRows { cotangent: cotangent_rows, direction });
        let by_cotangent = Tensor::from_vec(output, cotangent.shape(), cotangent.device())?;
        Ok((Some(value.zeros_like()?), Some(by_cotangent)))
    }
}

struct Gradients {
    input: Option<Vec<f32>>,
    parameters: Vec<f32>,
    slope: f32,
}

/// Panels of each group: all but the last have the same number, a multiple of [`CHUNK`].
fn panels_per_group(n_panels: usize) -> usize {
    n_panels.div_ceil(MAX_GROUPS).next_multiple_of(CHUNK).max(CHUNK)
}

/// Runs `work` on every item, on rayon's threads if its pool has several.
///
/// A pool of one thread would serialize callers that each have a thread of their own, so it is left alone.
fn for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if items.len() > 1 && rayon::current_num_threads() > 1 {
        items.into_par_iter().for_each(work);
    } else {
        items.into_iter().for_each(work);
    }
}

fn run_forward(
    set: InstructionSet,
    plan: &Plan,
    input: &[f32],
    parameters: &[f32],
    slope: f32,
    keep_tape: bool,
    output: &mut [f32],
) -> Option<Buffer> {
    let width_out = plan.width_out();
    let n_panels = (input.len() / plan.n_in).div_ceil(PANEL);
    let rows_per_group = panels_per_group(n_panels) * PANEL;
    let mut tape = keep_tape.then(|| Buffer::take(n_panels * plan.tape));

    let mut tapes: Vec<Option<&mut [f32]>> = match &mut tape {
        Some(tape) => tape.chunks_mut(panels_per_group(n_panels) * plan.tape).map(Some).collect(),
        None => (0..n_panels.div_ceil(panels_per_group(n_panels))).map(|_| None).collect(),
    };
    let inputs = input.chunks(rows_per_group * plan.n_in);
    let outputs = output.chunks_mut(rows_per_group * width_out);
    let groups = inputs.zip(outputs).zip(tapes.drain(..)).collect();

    type Group<'a> = ((&'a [f32], &'a mut [f32]), Option<&'a mut [f32]>);
    for_each(groups, |((input, output), mut tape): Group<'_>| {
        let mut work = Buffer::take(plan.forward_workspace() + plan.width + plan.tape);
        let (work, spare_tape) = work.split_at_mut(plan.forward_workspace() + plan.width);
        let (work, out) = work.split_at_mut(plan.forward_workspace());
        let values = Values { parameters: parameters.as_ptr(), slope };
        let rows = input.chunks(PANEL * plan.n_in).zip(output.chunks_mut(PANEL * width_out));
        for (panel, (input, output)) in rows.enumerate() {
            let tape = match &mut tape {
                Some(tape) => &mut tape[panel * plan.tape..(panel + 1) * plan.tape],
                None => &mut *spare_tape,
            };
            to_panel(input, plan.n_in, tape);
            let (tape, work, out_start) = (tape.as_mut_ptr(), work.as_mut_ptr(), out.as_mut_ptr());
            // The buffers have the sizes that `forward` names.
            dispatch!(set, forward, (plan: &Plan, values: Values, tape: *mut f32, work: *mut f32, out_start: *mut f32));
            from_panel(out, width_out, output);
        }
    });
    tape
}

/// `J^T` on the rows of `cotangent`.
fn run_pull_back(
    set: InstructionSet,
    plan: &Plan,
    tape: &[f32],
    parameters: &[f32],
    slope: f32,
    cotangent: &[f32],
    output: &mut [f32],
) {
    let per_group = panels_per_group(tape.len() / plan.tape);
    let groups = tape
        .chunks(per_group * plan.tape)
        .zip(cotangent.chunks(per_group * PANEL * plan.n_out))
        .zip(output.chunks_mut(per_group * PANEL * plan.n_in))
        .collect();

    type Group<'a> = ((&'a [f32], &'a [f32]), &'a mut [f32]);
    for_each(groups, |((tape, cotangent), output): Group| {
        let mut work = Buffer::take(2 * plan.width + plan.cotangents);
        let (ends, cotangents) = work.split_at_mut(2 * plan.width);
        let (top, out) = ends.split_at_mut(plan.width);
        let rows = cotangent.chunks(PANEL * plan.n_out).zip(output.chunks_mut(PANEL * plan.n_in));
        for (tape, (cotangent, output)) in tape.chunks(plan.tape).zip(rows) {
            to_panel(cotangent, plan.n_out, top);
            let values = Values { parameters: parameters.as_ptr(), slope };
            let (tape, cotangents) = (tape.as_ptr(), cotangents.as_mut_ptr());
            let (from, to) = (top.as_ptr(), out.as_mut_ptr());
            // The buffers have the sizes that `pull_back` names.
            dispatch!(set, pull_back, (
                plan: &Plan, values: Values, tape: *const f32, cotangents: *mut f32, from: *const f32, to: *mut f32,
            ));
            from_panel(out, plan.n_in, output);
        }
    });
}

/// `J` on the rows of `direction`.
fn run_push_forward(
    set: InstructionSet,
    plan: &Plan,
    tape: &[f32],
    parameters: &[f32],
    slope: f32,
    direction: &[f32],
    output: &mut [f32],
) {
    let per_group = panels_per_group(tape.len() / plan.tape);
    let groups = tape
        .chunks(per_group * plan.tape)
        .zip(direction.chunks(per_group * PANEL * plan.n_in))
        .zip(output.chunks_mut(per_group * PANEL * plan.n_out))
        .collect();

    type Group<'a> = ((&'a [f32], &'a [f32]), &'a mut [f32]);
    for_each(groups, |((tape, direction), output): Group| {
        let mut work = Buffer::take(plan.width + plan.tangents);
        let (out, tangents) = work.split_at_mut(plan.width);
        let rows = direction.chunks(PANEL * plan.n_in).zip(output.chunks_mut(PANEL * plan.n_out));
        for (tape, (direction, output)) in tape.chunks(plan.tape).zip(rows) {
            to_panel(direction, plan.n_in, tangents);
            let values = Values { parameters: parameters.as_ptr(), slope };
            let (tape, tangents, to) = (tape.as_ptr(), tangents.as_mut_ptr(), out.as_mut_ptr());
            // The buffers have the sizes that `push_forward` names.
            dispatch!(set, push_forward, (
                plan: &Plan, values: Values, tape: *const f32, tangents: *mut f32, to: *mut f32,
            ));
            from_panel(out, plan.n_out, output);
        }
    });
}

/// Both chains of a pullback again, for the panels of one chunk: its cotangents and tangents, panel after panel.
#[expect(clippy::too_many_arguments, reason = "the parts of one pass")]
fn run_again(
    set: InstructionSet,
    plan: &Plan,
    tape: &[f32],
    parameters: &[f32],
    slope: f32,
    cotangent: &[f32],
    direction: &[f32],
    work: &mut [f32],
) -> Second {
    let (ends, chains) = work.split_at_mut(2 * plan.width);
    let (top, out) = ends.split_at_mut(plan.width);
    let (cotangents, tangents) = chains.split_at_mut(CHUNK * plan.cotangents);
    let rows = cotangent.chunks(PANEL * plan.n_out).zip(direction.chunks(PANEL * plan.n_in));
    let chains = cotangents.chunks_mut(plan.cotangents).zip(tangents.chunks_mut(plan.tangents));
    for ((tape, (cotangent, direction)), (cotangents, tangents)) in tape.chunks(plan.tape).zip(rows).zip(chains) {
        to_panel(cotangent, plan.n_out, top);
        to_panel(direction, plan.n_in, tangents);
        let values = Values { parameters: parameters.as_ptr(), slope };
        let (tape, cotangents, tangents) = (tape.as_ptr(), cotangents.as_mut_ptr(), tangents.as_mut_ptr());
        let (from, to) = (top.as_ptr(), out.as_mut_ptr());
        // The buffers have the sizes that both name.
        dispatch!(set, pull_back, (
            plan: &Plan, values: Values, tape: *const f32, cotangents: *mut f32, from: *const f32, to: *mut f32,
        ));
        dispatch!(set, push_forward, (
            plan: &Plan, values: Values, tape: *const f32, tangents: *mut f32, to: *mut f32,
        ));
    }
    Second { cotangents: cotangents.as_ptr(), tangents: tangents.as_ptr() }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one pass")]
fn run_backward(
    set: InstructionSet,
    plan: &Plan,
    tape: &[f32],
    parameters: &[f32],
    slope: f32,
    cotangent: &[f32],
    wants_input: bool,
    second: Option<&SecondOrderRows>,
) -> Gradients {
    let n_panels = tape.len() / plan.tape;
    let width_out = plan.width_out();
    let n_rows = cotangent.len() / width_out;
    let per_group = panels_per_group(n_panels);
    let mut input_gradient = vec![0.0; if wants_input { n_rows * plan.n_in } else { 0 }];

    let mut input_groups: Vec<&mut [f32]> = if wants_input {
        input_gradient.chunks_mut(per_group * PANEL * plan.n_in).collect()
    } else {
        (0..n_panels.div_ceil(per_group)).map(|_| &mut [][..]).collect()
    };
    let mut sums: Vec<(Buffer, f32)> =
        (0..input_groups.len()).map(|_| (Buffer::take(plan.backward_workspace()), 0.0)).collect();
    let groups = tape
        .chunks(per_group * plan.tape)
        .zip(cotangent.chunks(per_group * PANEL * width_out))
        .zip(input_groups.drain(..))
        .zip(&mut sums)
        .enumerate()
        .collect();

    type Group<'a> = (usize, (((&'a [f32], &'a [f32]), &'a mut [f32]), &'a mut (Buffer, f32)));
    for_each(groups, |(group, (((tape, cotangent), input_gradient), (work, slope_sum))): Group| {
        work[..plan.accumulators()].fill(0.0);
        let chains = 2 * plan.width + CHUNK * (plan.cotangents + plan.tangents);
        let mut chains = second.map(|_| Buffer::take(chains));
        let values = Values { parameters: parameters.as_ptr(), slope };
        let chunks = tape.chunks(CHUNK * plan.tape).zip(cotangent.chunks(CHUNK * PANEL * width_out));
        for (chunk, (tape, cotangent)) in chunks.enumerate() {
            for (panel, rows) in cotangent.chunks(PANEL * width_out).enumerate() {
                let start = plan.accumulators() + panel * plan.width;
                to_panel(rows, width_out, &mut work[start..start + plan.width]);
            }
            let n_panels = tape.len() / plan.tape;
            let mut place = std::ptr::null_mut();
            let (tape_rows, tape) = (tape, tape.as_ptr());
            let (start, found) = (work.as_mut_ptr(), &mut place);
            let second = second.zip(chains.as_mut()).map(|(second, chains)| {
                let first_row = (group * per_group + chunk * CHUNK) * PANEL;
                let (cotangent, direction) =
                    (&second.cotangent[first_row * plan.n_out..], &second.direction[first_row * plan.n_in..]);
                run_again(set, plan, tape_rows, parameters, slope, cotangent, direction, chains)
            });
            // The buffers have the sizes that `backward` names.
            dispatch!(set, backward, (
                plan: &Plan, values: Values, tape: *const f32, n_panels: usize, start: *mut f32,
                wants_input: bool, second: Option<Second>, found: &mut *mut f32,
            ));
            if wants_input {
                // SAFETY: `place` lies in `work`, which `start` was derived from.
                let offset = usize::try_from(unsafe { place.offset_from(start) }).expect("`place` lies behind `start`");
                let first = chunk * CHUNK * PANEL * plan.n_in;
                let rows = &mut input_gradient[first..];
                for (panel, rows) in rows.chunks_mut(PANEL * plan.n_in).take(n_panels).enumerate() {
                    from_panel(&work[offset + panel * plan.width..], plan.n_in, rows);
                }
            }
        }
        let accumulators = work.as_mut_ptr();
        // The front of the workspace just used.
        dispatch!(set, collect, (plan: &Plan, accumulators: *mut f32, slope_sum: &mut f32));
    });

    let mut parameter_gradient = vec![0.0; plan.n_parameters];
    let mut slope_gradient = 0.0;
    for (work, slope_sum) in &sums {
        for (total, part) in parameter_gradient.iter_mut().zip(work.iter()) {
            *total += part;
        }
        slope_gradient += slope_sum;
    }
    Gradients { input: wants_input.then_some(input_gradient), parameters: parameter_gradient, slope: slope_gradient }
}

/// Rows of `width` values to `[width][80]`, zero where there is no row.
fn to_panel(rows: &[f32], width: usize, panel: &mut [f32]) {
    let n_rows = rows.len() / width;
    if n_rows < PANEL {
        panel[..width * PANEL].fill(0.0);
    }
    if width == 1 {
        panel[..n_rows].copy_from_slice(rows);
        return;
    }
    for (row, values) in rows.chunks_exact(width).enumerate() {
        for (feature, value) in values.iter().enumerate() {
            panel[feature * PANEL + row] = *value;
        }
    }
}

/// The inverse of [`to_panel`] for as many rows as `rows` has.
fn from_panel(panel: &[f32], width: usize, rows: &mut [f32]) {
    if width == 1 {
        let n_rows = rows.len();
        rows.copy_from_slice(&panel[..n_rows]);
        return;
    }
    for (row, values) in rows.chunks_exact_mut(width).enumerate() {
        for (feature, value) in values.iter_mut().enumerate() {
            *value = panel[feature * PANEL + row];
        }
    }
}
