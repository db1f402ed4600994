//! Panels of rows through the network, forward and backward.

use super::block::{Block, SecondOrder, activate, normalize, softplus_backward};
use super::chain::{Taped, pull_back as pull_back_block, push_forward as push_forward_block};
use super::plan::{CHUNK, Input, MAX_LANES, PANEL, Panels, Plan, Values};
use super::product::{Product, Start, outer_products, row_sums};
use super::spec::LayerKind;
use crate::simd::Simd;

/// One panel forward: reads the input at the start of `tape`, fills the rest, writes `[n_heads * n_out][80]` to `out`.
///
/// # Safety
/// `tape` holds `plan.tape` floats, `work` `plan.forward_workspace()`, `out` `plan.width`.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    plan: &Plan,
    values: Values,
    tape: *mut f32,
    work: *mut f32,
    out: *mut f32,
) {
    unsafe {
        let activation = work;
        let mut carried = work.add(plan.width);
        let mut spare = work.add(2 * plan.width);
        let mut input: *const f32 = tape;
        for (index, step) in plan.layers.iter().enumerate() {
            let layer = &step.layer;
            let is_body = index < plan.n_body;
            let output = match () {
                () if !is_body => out.add((index - plan.n_body) * plan.n_out * PANEL),
                () if layer.skip.is_some() => tape.add(step.output),
                () => spare,
            };
            let weights = |offset: usize| values.parameters.add(offset);
            let (n_in, n_out) = (layer.n_in, layer.n_out);
            let inner = Product { weights: weights(layer.weight), by_output: n_in, by_input: 1, n_in, n_out };
            match layer.kind {
                LayerKind::Output => inner.run::<S, P>(input, Start::Bias(weights(layer.bias)), output),
                LayerKind::NormPrelu(_) | LayerKind::Softplus => {
                    let normalized = tape.add(step.normalized);
                    inner.run::<S, P>(input, Start::Bias(weights(layer.bias)), normalized);
                    if matches!(layer.kind, LayerKind::NormPrelu(_)) {
                        normalize::<S, V>(normalized, tape.add(step.inverse_std), n_out);
                    }
                    let activated = if layer.skip.is_some() { activation } else { output };
                    activate::<S>(layer, values, normalized, activated);
                }
            }
            if let Some(skip) = layer.skip {
                let through = Product { weights: weights(skip.through), ..inner };
                through.run::<S, P>(input, Start::Bias(weights(skip.through_bias)), output);
                let outer = Product { weights: weights(skip.outer), by_output: n_out, n_in: n_out, ..inner };
                outer.run::<S, P>(activation, Start::Output, output);
            }
            if is_body {
                input = output;
                if output == spare {
                    std::mem::swap(&mut carried, &mut spare);
                }
            }
        }
    }
}

/// Up to [`CHUNK`] panels backward.
///
/// `work` begins with the accumulators, to which the gradients are added; behind them the caller has put the
/// cotangents of the outputs, a panel every `plan.width` floats. If `wants_input`, the gradients of the input lie
/// at the returned place, a panel every `plan.width` floats.
///
/// With `second` of the chunk, the gradients of `<cotangent, tangent of the output>` are added: the second-order part of a pullback.
///
/// # Safety
/// The chunk's tape holds `n_panels` tapes that [`forward`] filled, its `second` what [`pull_back`] and
/// [`push_forward`] wrote for the same panels; `work` holds `plan.backward_workspace()` floats.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    plan: &Plan,
    values: Values,
    chunk: Chunk,
    work: *mut f32,
    wants_input: bool,
    input_gradient: &mut *mut f32,
) {
    let Chunk { tape, n_panels, second } = chunk;
    unsafe {
        let gradient = work;
        let lanes = work.add(plan.first_lane());
        let slope_lanes = lanes.add(plan.n_lanes);
        let buffer = |k: usize| work.add(plan.accumulators() + k * CHUNK * plan.width);
        let (cotangents, inputs, activations, inner) = (buffer(0), buffer(1), buffer(2), buffer(3));
        let (mut upper, mut lower) = (buffer(4), buffer(5));

        for (index, step) in plan.layers.iter().enumerate().rev() {
            let layer = &step.layer;
            let (n_in, n_out) = (layer.n_in, layer.n_out);
            let weights = |offset: usize| values.parameters.add(offset);
            let lane = |kind: usize| lanes.add(step.lanes + kind * n_out * MAX_LANES);
            let is_body = index < plan.n_body;

            let dy = if is_body { upper } else { cotangents.add((index - plan.n_body) * plan.n_out * PANEL) };
            let dy = Panels { start: dy, stride: plan.width, count: n_panels };
            let at_tape = |offset: usize| Panels { start: tape.add(offset).cast_mut(), stride: plan.tape, ..dy };
            let chunk = |start: *mut f32| Panels { start, ..dy };
            let cotangents_at = |second: Second, offset: usize| Panels {
                start: second.cotangents.add(offset).cast_mut(),
                stride: plan.cotangents,
                ..dy
            };
            let tangents_at = |second: Second, offset: usize| Panels {
                start: second.tangents.add(offset).cast_mut(),
                stride: plan.tangents,
                ..dy
            };

            let x = match step.input {
                Input::Tape(offset) => at_tape(offset),
                Input::Activation(below) => {
                    let below = &plan.layers[below];
                    for p in 0..n_panels {
                        activate::<S>(&below.layer, values, at_tape(below.normalized).at(p), chunk(inputs).at(p));
                    }
                    chunk(inputs)
                }
            };
            // Heads are visited last to first and add up; then the body's top block takes their sum.
            let wants_x = index > 0 && plan.n_body > 0 || wants_input;
            let is_first_head = index + 1 == plan.layers.len();
            let dx = chunk(if is_body { lower } else { upper });
            let transposed = |offset: usize, n: usize| Product {
                weights: weights(offset),
                by_output: 1,
                by_input: n,
                n_in: n_out,
                n_out: n,
            };
            let mut started = !is_body && !is_first_head;

            let mut dh = dy;
            if matches!(layer.kind, LayerKind::Output) {
                row_sums::<S>(dy, n_out, lane(0));
            } else {
                let mut da = dy;
                if let Some(skip) = layer.skip {
                    let a = chunk(activations);
                    for p in 0..n_panels {
                        activate::<S>(layer, values, at_tape(step.normalized).at(p), a.at(p));
                    }
                    outer_products::<S, IN>(dy, n_out, a, n_out, gradient.add(skip.outer));
                    outer_products::<S, IN>(dy, n_out, x, n_in, gradient.add(skip.through));
                    if let Some(second) = second {
                        let dy = cotangents_at(second, step.cotangents.output);
                        let (dot_a, dot_x) = (step.tangents.activation, step.tangents.input);
                        let (dot_a, dot_x) = (tangents_at(second, dot_a), tangents_at(second, dot_x));
                        outer_products::<S, IN>(dy, n_out, dot_a, n_out, gradient.add(skip.outer));
                        outer_products::<S, IN>(dy, n_out, dot_x, n_in, gradient.add(skip.through));
                    }
                    row_sums::<S>(dy, n_out, lane(3));
                    da = chunk(inner);
                    for p in 0..n_panels {
                        transposed(skip.outer, n_out).run::<S, P>(dy.at(p), Start::Zero, da.at(p));
                        if wants_x {
                            let start = if started { Start::Output } else { Start::Zero };
                            transposed(skip.through, n_in).run::<S, P>(dy.at(p), start, dx.at(p));
                        }
                    }
                    started |= wants_x;
                }
                dh = chunk(inner);
                for p in 0..n_panels {
                    let (normalized, inverse_std) = (at_tape(step.normalized).at(p), at_tape(step.inverse_std).at(p));
                    let second = second.map(|second| SecondOrder {
                        da: cotangents_at(second, step.cotangents.activation).at(p),
                        dot_h: tangents_at(second, step.tangents.linear).at(p),
                    });
                    if let LayerKind::NormPrelu(norm) = layer.kind {
                        let block = Block {
                            gain: weights(norm.gain),
                            shift: weights(norm.shift),
                            slope: values.slope,
                            n: n_out,
                            gain_lanes: lane(1),
                            shift_lanes: lane(2),
                            bias_lanes: lane(0),
                            slope_lanes,
                        };
                        match second {
                            None => block.backward::<S, V>(da.at(p), normalized, inverse_std, dh.at(p)),
                            Some(second) => {
                                block.backward_second::<S, V>(da.at(p), normalized, inverse_std, second, dh.at(p));
                            }
                        }
                    } else {
                        softplus_backward::<S>(n_out, da.at(p), normalized, second, lane(0), dh.at(p));
                    }
                }
            }
            outer_products::<S, IN>(dh, n_out, x, n_in, gradient.add(layer.weight));
            if let Some(second) = second {
                let dh = cotangents_at(second, step.cotangents.linear);
                let dot_x = tangents_at(second, step.tangents.input);
                outer_products::<S, IN>(dh, n_out, dot_x, n_in, gradient.add(layer.weight));
            }
            if wants_x {
                for p in 0..n_panels {
                    let start = if started { Start::Output } else { Start::Zero };
                    transposed(layer.weight, n_in).run::<S, P>(dh.at(p), start, dx.at(p));
                }
            }
            if is_body {
                std::mem::swap(&mut upper, &mut lower);
            }
        }
        *input_gradient = upper;
    }
}

/// Some panels that have been forward.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub tape: *const f32,
    pub n_panels: usize,
    pub second: Option<Second>,
}

/// Cotangents and tangents of the first of a chunk's panels.
#[derive(Clone, Copy)]
pub(super) struct Second {
    pub cotangents: *const f32,
    pub tangents: *const f32,
}

/// One panel's vector-Jacobian product: from the cotangent at `top` to that of the input at `out`.
///
/// # Safety
/// `tape` was filled by [`forward`], `cotangents` holds `plan.cotangents` floats, `top` and `out` one panel each.
/// The network has one head.
#[inline(always)]
pub(super) unsafe fn pull_back<S: Simd, const V: usize, const P: usize, const IN: usize>(
    plan: &Plan,
    values: Values,
    tape: *const f32,
    cotangents: *mut f32,
    top: *const f32,
    out: *mut f32,
) {
    unsafe {
        let weights = |offset: usize| values.parameters.add(offset);
        for (index, step) in plan.layers.iter().enumerate().rev() {
            let layer = &step.layer;
            let (n_in, n_out) = (layer.n_in, layer.n_out);
            let transposed = |offset: usize, n: usize| Product {
                weights: weights(offset),
                by_output: 1,
                by_input: n,
                n_in: n_out,
                n_out: n,
            };
            let dy = cotangents.add(step.cotangents.output);
            if index + 1 == plan.layers.len() {
                dy.copy_from_nonoverlapping(top, n_out * PANEL);
            }
            let dx = match index {
                0 => out,
                _ => cotangents.add(plan.layers[index - 1].cotangents.output),
            };
            let mut start = Start::Zero;
            if let Some(skip) = layer.skip {
                transposed(skip.outer, n_out).run::<S, P>(dy, Start::Zero, cotangents.add(step.cotangents.activation));
                transposed(skip.through, n_in).run::<S, P>(dy, Start::Zero, dx);
                start = Start::Output;
            }
            let dh = cotangents.add(step.cotangents.linear);
            let taped = Taped { normalized: tape.add(step.normalized), inverse_std: tape.add(step.inverse_std) };
            pull_back_block::<S, V>(layer, values, taped, cotangents.add(step.cotangents.activation), dh);
            transposed(layer.weight, n_in).run::<S, P>(dh, start, dx);
        }
    }
}

/// One panel's Jacobian-vector product: from the tangent of the input, which the caller has put at the start of
/// `tangents`, to that of the output at `out`.
///
/// # Safety
/// `tape` was filled by [`forward`], `tangents` holds `plan.tangents` floats, `out` one panel. The network has one head.
#[inline(always)]
pub(super) unsafe fn push_forward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    plan: &Plan,
    values: Values,
    tape: *const f32,
    tangents: *mut f32,
    out: *mut f32,
) {
    unsafe {
        for (index, step) in plan.layers.iter().enumerate() {
            let layer = &step.layer;
            let (n_in, n_out) = (layer.n_in, layer.n_out);
            let product = |offset: usize, n_in: usize| Product {
                weights: values.parameters.add(offset),
                by_output: n_in,
                by_input: 1,
                n_in,
                n_out,
            };
            let dot_x = tangents.add(step.tangents.input);
            let dot_y = plan.layers.get(index + 1).map_or(out, |above| tangents.add(above.tangents.input));
            if matches!(layer.kind, LayerKind::Output) {
                product(layer.weight, n_in).run::<S, P>(dot_x, Start::Zero, dot_y);
                continue;
            }
            let dot_h = tangents.add(step.tangents.linear);
            let dot_a = if layer.skip.is_some() { tangents.add(step.tangents.activation) } else { dot_y };
            let taped = Taped { normalized: tape.add(step.normalized), inverse_std: tape.add(step.inverse_std) };
            product(layer.weight, n_in).run::<S, P>(dot_x, Start::Zero, dot_h);
            push_forward_block::<S, V>(layer, values, taped, dot_h, dot_a);
            if let Some(skip) = layer.skip {
                product(skip.through, n_in).run::<S, P>(dot_x, Start::Zero, dot_y);
                product(skip.outer, n_out).run::<S, P>(dot_a, Start::Output, dot_y);
            }
        }
    }
}

/// Adds the lanes' sums to the parameters they belong to; returns the slope's gradient.
///
/// # Safety
/// `accumulators` is the front of a workspace that [`backward`] used with the same `S`.
#[inline(always)]
pub(super) unsafe fn collect<S: Simd, const V: usize, const P: usize, const IN: usize>(
    plan: &Plan,
    accumulators: *mut f32,
    slope_gradient: &mut f32,
) {
    unsafe {
        let lanes = accumulators.add(plan.first_lane());
        for step in &plan.layers {
            let norm = match step.layer.kind {
                LayerKind::NormPrelu(norm) => [Some(norm.gain), Some(norm.shift)],
                LayerKind::Output | LayerKind::Softplus => [None; 2],
            };
            let offsets = [Some(step.layer.bias), norm[0], norm[1], step.layer.skip.map(|skip| skip.through_bias)];
            for (kind, offset) in offsets.into_iter().enumerate() {
                let Some(offset) = offset else { continue };
                for o in 0..step.layer.n_out {
                    let from = lanes.add(step.lanes + (kind * step.layer.n_out + o) * MAX_LANES);
                    *accumulators.add(offset + o) += S::sum(S::load(from));
                }
            }
        }
        *slope_gradient = S::sum(S::load(lanes.add(plan.n_lanes)));
    }
}
