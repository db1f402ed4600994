//! Passes over all rows: panels are dealt to groups, groups to threads.

use super::panel::{Chunk, Second, backward, collect, forward, pull_back, push_forward};
use super::plan::{CHUNK, PANEL, Plan, Values};
use crate::InstructionSet;
use crate::buffer::Buffer;
use crate::simd::dispatch;
use crate::threads::for_each;

/// Panels are dealt to at most this many groups, each with its own sum of gradients.
///
/// The number depends on the work only, never on threads, so that the same sums are formed in the same order.
pub(super) const MAX_GROUPS: usize = 8;

/// What the pullback was applied to, and the cotangent of its result: both chains are cheaper run again than kept.
pub(super) struct SecondOrderRows {
    /// `(rows, n_out)`.
    pub cotangent: Vec<f32>,
    /// `(rows, n_in)`.
    pub direction: Vec<f32>,
}

/// What a backward pass finds.
pub(super) struct Gradients {
    pub input: Option<Vec<f32>>,
    pub parameters: Vec<f32>,
    pub slope: f32,
}

/// Panels of each group: all but the last have the same number, a multiple of [`CHUNK`].
fn panels_per_group(n_panels: usize) -> usize {
    n_panels.div_ceil(MAX_GROUPS).next_multiple_of(CHUNK).max(CHUNK)
}

/// The network as plain values.
pub(super) struct Pass<'a> {
    pub set: InstructionSet,
    pub plan: &'a Plan,
    pub parameters: &'a [f32],
    pub slope: f32,
}

impl Pass<'_> {
    fn values(&self) -> Values {
        Values { parameters: self.parameters.as_ptr(), slope: self.slope }
    }

    /// The rows of `input` through the network; with `keep_tape`, what the other passes need.
    pub fn forward(&self, input: &[f32], keep_tape: bool, output: &mut [f32]) -> Option<Buffer> {
        let (set, plan) = (self.set, self.plan);
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
            let values = self.values();
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
    pub fn pull_back(&self, tape: &[f32], cotangent: &[f32], output: &mut [f32]) {
        let (set, plan) = (self.set, self.plan);
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
                let values = self.values();
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
    pub fn push_forward(&self, tape: &[f32], direction: &[f32], output: &mut [f32]) {
        let (set, plan) = (self.set, self.plan);
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
                let values = self.values();
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
    fn again(&self, tape: &[f32], cotangent: &[f32], direction: &[f32], work: &mut [f32]) -> Second {
        let (set, plan) = (self.set, self.plan);
        let (ends, chains) = work.split_at_mut(2 * plan.width);
        let (top, out) = ends.split_at_mut(plan.width);
        let (cotangents, tangents) = chains.split_at_mut(CHUNK * plan.cotangents);
        let rows = cotangent.chunks(PANEL * plan.n_out).zip(direction.chunks(PANEL * plan.n_in));
        let chains = cotangents.chunks_mut(plan.cotangents).zip(tangents.chunks_mut(plan.tangents));
        for ((tape, (cotangent, direction)), (cotangents, tangents)) in tape.chunks(plan.tape).zip(rows).zip(chains) {
            to_panel(cotangent, plan.n_out, top);
            to_panel(direction, plan.n_in, tangents);
            let values = self.values();
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

    /// All gradients from the rows of `cotangent`; with `second`, those of the pullback too.
    pub fn backward(
        &self,
        tape: &[f32],
        cotangent: &[f32],
        wants_input: bool,
        second: Option<&SecondOrderRows>,
    ) -> Gradients {
        let (set, plan) = (self.set, self.plan);
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
            let values = self.values();
            let chunks = tape.chunks(CHUNK * plan.tape).zip(cotangent.chunks(CHUNK * PANEL * width_out));
            for (chunk, (tape, cotangent)) in chunks.enumerate() {
                for (panel, rows) in cotangent.chunks(PANEL * width_out).enumerate() {
                    let start = plan.accumulators() + panel * plan.width;
                    to_panel(rows, width_out, &mut work[start..start + plan.width]);
                }
                let n_panels = tape.len() / plan.tape;
                let second = second.zip(chains.as_mut()).map(|(second, chains)| {
                    let first_row = (group * per_group + chunk * CHUNK) * PANEL;
                    let (cotangent, direction) =
                        (&second.cotangent[first_row * plan.n_out..], &second.direction[first_row * plan.n_in..]);
                    self.again(tape, cotangent, direction, chains)
                });
                let panels = Chunk { tape: tape.as_ptr(), n_panels, second };
                let mut place = std::ptr::null_mut();
                let (start, found) = (work.as_mut_ptr(), &mut place);
                // The buffers have the sizes that `backward` names.
                dispatch!(set, backward, (
                    plan: &Plan, values: Values, panels: Chunk, start: *mut f32, wants_input: bool,
                    found: &mut *mut f32,
                ));
                if wants_input {
                    // SAFETY: `place` lies in `work`, which `start` was derived from.
                    let offset =
                        usize::try_from(unsafe { place.offset_from(start) }).expect("`place` lies behind `start`");
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
        Gradients {
            input: wants_input.then_some(input_gradient),
            parameters: parameter_gradient,
            slope: slope_gradient,
        }
    }
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
