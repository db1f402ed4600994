//! One panel of rows through the network, forward and backward.
//!
//! A panel holds 80 rows feature by feature: `[feature][row]`. Every loop but the matrix products is
//! then vertical, one row a lane, and needs no shuffles. Matrix products keep a block of outputs by
//! rows in registers and broadcast the weights. A *tape* keeps, for each panel, the input, the
//! normalized values and the reciprocal standard deviations of each block, and the outputs of skip blocks.

#![expect(clippy::needless_range_loop, reason = "register blocks are indexed like the matrices they hold")]

use super::LAYER_NORM_EPSILON;
use super::spec::{Layer, MlpSpec};
use crate::simd::Simd;

/// Rows of a panel: five vectors of AVX-512, ten of AVX2.
pub(super) const PANEL: usize = 80;
/// Panels of which a gradient's sum over rows is taken at once.
pub(super) const CHUNK: usize = 5;
/// Outputs of a register block.
const OUTPUTS: usize = 4;
/// Room for one vector of any instruction set.
const MAX_LANES: usize = 16;

/// Where a layer reads its input.
#[derive(Clone, Copy)]
enum Input {
    /// At this place of the tape.
    Tape(usize),
    /// Recomputed from the normalized values of this block.
    Activation(usize),
}

struct LayerPlan {
    layer: Layer,
    input: Input,
    /// Tape: normalized values, then the reciprocal standard deviations.
    normalized: usize,
    inverse_std: usize,
    /// Tape: outputs of a skip block of the body.
    output: usize,
    /// First lane accumulators of bias, gain, shift and bypass bias, each `n_out` vectors.
    lanes: usize,
}

/// Offsets into tape and workspace, made once a call.
pub(super) struct Plan {
    layers: Vec<LayerPlan>,
    n_body: usize,
    pub n_in: usize,
    pub n_out: usize,
    n_heads: usize,
    pub n_parameters: usize,
    /// Floats of the tape of one panel.
    pub tape: usize,
    /// Floats of one panel of the widest layer.
    pub width: usize,
    n_lanes: usize,
}

impl Plan {
    pub fn new(spec: &MlpSpec) -> Self {
        let layers = spec.layers();
        let n_body = spec.hidden.len();
        let widest = layers.iter().map(|layer| layer.n_in.max(layer.n_out)).max().unwrap_or(1);
        let mut plan = Self {
            layers: Vec::with_capacity(layers.len()),
            n_body,
            n_in: spec.n_in,
            n_out: spec.n_out,
            n_heads: spec.n_heads,
            n_parameters: spec.n_parameters(),
            tape: spec.n_in * PANEL,
            width: widest.max(spec.width_out()) * PANEL,
            n_lanes: 0,
        };
        let mut input = Input::Tape(0);
        for (index, layer) in layers.into_iter().enumerate() {
            let (normalized, size) = (plan.tape, layer.n_out * PANEL);
            let inverse_std = normalized + size;
            let output = inverse_std + PANEL;
            let (is_block, has_output) = (layer.norm.is_some(), layer.skip.is_some() && index < n_body);
            plan.tape += if is_block { size + PANEL } else { 0 } + if has_output { size } else { 0 };
            let lanes = plan.n_lanes;
            plan.n_lanes += 4 * layer.n_out * MAX_LANES;
            plan.layers.push(LayerPlan { layer, input, normalized, inverse_std, output, lanes });
            if index < n_body {
                input = if has_output { Input::Tape(output) } else { Input::Activation(index) };
            }
        }
        plan
    }

    /// Width of a row of the output.
    pub fn width_out(&self) -> usize {
        self.n_heads * self.n_out
    }

    /// Floats that [`forward`] needs beside the tape.
    pub fn forward_workspace(&self) -> usize {
        3 * self.width
    }

    /// Floats that [`backward`] needs, the gradients' accumulators first.
    pub fn backward_workspace(&self) -> usize {
        self.accumulators() + 6 * CHUNK * self.width
    }

    /// Where the lanes begin: behind the parameters, at a whole vector.
    fn first_lane(&self) -> usize {
        self.n_parameters.next_multiple_of(MAX_LANES)
    }

    /// Floats of the accumulators: parameters, then lanes, then the slope's lanes.
    pub fn accumulators(&self) -> usize {
        self.first_lane() + self.n_lanes + MAX_LANES
    }
}

/// Parameters of the network as raw values.
#[derive(Clone, Copy)]
pub(super) struct Values {
    pub parameters: *const f32,
    pub slope: f32,
}

/// One panel forward: reads the input at the start of `tape`, fills the rest, writes `[n_heads * n_out][80]` to `out`.
///
/// # Safety
/// `tape` holds `plan.tape` floats, `work` `plan.forward_workspace()`, `out` `plan.width`.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd, const V: usize, const IN: usize>(
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
            match layer.norm {
                None => inner.run::<S, V>(input, Start::Bias(weights(layer.bias)), output),
                Some(_) => {
                    let normalized = tape.add(step.normalized);
                    inner.run::<S, V>(input, Start::Bias(weights(layer.bias)), normalized);
                    normalize::<S, V>(normalized, tape.add(step.inverse_std), n_out);
                    let activated = if layer.skip.is_some() { activation } else { output };
                    activate::<S>(layer, values, normalized, activated);
                }
            }
            if let Some(skip) = layer.skip {
                let through = Product { weights: weights(skip.through), ..inner };
                through.run::<S, V>(input, Start::Bias(weights(skip.through_bias)), output);
                let outer = Product { weights: weights(skip.outer), by_output: n_out, n_in: n_out, ..inner };
                outer.run::<S, V>(activation, Start::Output, output);
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
/// # Safety
/// `tape` holds `n_panels` tapes that [`forward`] filled, `work` `plan.backward_workspace()` floats.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd, const V: usize, const IN: usize>(
    plan: &Plan,
    values: Values,
    tape: *const f32,
    n_panels: usize,
    work: *mut f32,
    wants_input: bool,
    input_gradient: &mut *mut f32,
) {
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
            if let Some(norm) = layer.norm {
                let mut da = dy;
                if let Some(skip) = layer.skip {
                    let a = chunk(activations);
                    for p in 0..n_panels {
                        activate::<S>(layer, values, at_tape(step.normalized).at(p), a.at(p));
                    }
                    outer_products::<S, IN>(dy, n_out, a, n_out, gradient.add(skip.outer));
                    outer_products::<S, IN>(dy, n_out, x, n_in, gradient.add(skip.through));
                    row_sums::<S>(dy, n_out, lane(3));
                    da = chunk(inner);
                    for p in 0..n_panels {
                        transposed(skip.outer, n_out).run::<S, V>(dy.at(p), Start::Zero, da.at(p));
                        if wants_x {
                            let start = if started { Start::Output } else { Start::Zero };
                            transposed(skip.through, n_in).run::<S, V>(dy.at(p), start, dx.at(p));
                        }
                    }
                    started |= wants_x;
                }
                dh = chunk(inner);
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
                for p in 0..n_panels {
                    let (normalized, inverse_std) = (at_tape(step.normalized).at(p), at_tape(step.inverse_std).at(p));
                    block.backward::<S, V>(da.at(p), normalized, inverse_std, dh.at(p));
                }
            } else {
                row_sums::<S>(dy, n_out, lane(0));
            }
            outer_products::<S, IN>(dh, n_out, x, n_in, gradient.add(layer.weight));
            if wants_x {
                for p in 0..n_panels {
                    let start = if started { Start::Output } else { Start::Zero };
                    transposed(layer.weight, n_in).run::<S, V>(dh.at(p), start, dx.at(p));
                }
            }
            if is_body {
                std::mem::swap(&mut upper, &mut lower);
            }
        }
        *input_gradient = upper;
    }
}

/// Adds the lanes' sums to the parameters they belong to; returns the slope's gradient.
///
/// # Safety
/// `accumulators` is the front of a workspace that [`backward`] used with the same `S`.
#[inline(always)]
pub(super) unsafe fn collect<S: Simd, const V: usize, const IN: usize>(
    plan: &Plan,
    accumulators: *mut f32,
    slope_gradient: &mut f32,
) {
    unsafe {
        let lanes = accumulators.add(plan.first_lane());
        for step in &plan.layers {
            let norm = step.layer.norm.map(|norm| [norm.gain, norm.shift]);
            let offsets = [
                Some(step.layer.bias),
                norm.map(|norm| norm[0]),
                norm.map(|norm| norm[1]),
                step.layer.skip.map(|skip| skip.through_bias),
            ];
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

/// Panels at equal distances.
#[derive(Clone, Copy)]
struct Panels {
    start: *mut f32,
    stride: usize,
    count: usize,
}

impl Panels {
    #[inline(always)]
    unsafe fn at(self, panel: usize) -> *mut f32 {
        unsafe { self.start.add(panel * self.stride) }
    }
}

/// What a matrix product begins with.
#[derive(Clone, Copy)]
enum Start {
    Zero,
    /// One value an output.
    Bias(*const f32),
    /// What the output holds.
    Output,
}

/// `y[o][row] = start + sum_i weights[o * by_output + i * by_input] x[i][row]` over one panel.
#[derive(Clone, Copy)]
struct Product {
    weights: *const f32,
    by_output: usize,
    by_input: usize,
    n_in: usize,
    n_out: usize,
}

impl Product {
    #[inline(always)]
    unsafe fn run<S: Simd, const V: usize>(&self, x: *const f32, start: Start, y: *mut f32) {
        unsafe {
            for row in (0..PANEL).step_by(V * S::LANES) {
                let mut o = 0;
                while o + OUTPUTS <= self.n_out {
                    self.block::<S, V, OUTPUTS>(x.add(row), start, y.add(row), o);
                    o += OUTPUTS;
                }
                match self.n_out - o {
                    3 => self.block::<S, V, 3>(x.add(row), start, y.add(row), o),
                    2 => self.block::<S, V, 2>(x.add(row), start, y.add(row), o),
                    1 => self.block::<S, V, 1>(x.add(row), start, y.add(row), o),
                    _ => (),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const O: usize>(
        &self,
        x: *const f32,
        start: Start,
        y: *mut f32,
        first: usize,
    ) {
        unsafe {
            let mut sums = [[S::splat(0.0); V]; O];
            for o in 0..O {
                for v in 0..V {
                    sums[o][v] = match start {
                        Start::Zero => S::splat(0.0),
                        Start::Bias(bias) => S::splat(*bias.add(first + o)),
                        Start::Output => S::load(y.add((first + o) * PANEL + v * S::LANES)),
                    };
                }
            }
            let weights = self.weights.add(first * self.by_output);
            for i in 0..self.n_in {
                let mut inputs = [S::splat(0.0); V];
                for v in 0..V {
                    inputs[v] = S::load(x.add(i * PANEL + v * S::LANES));
                }
                for o in 0..O {
                    let weight = S::splat(*weights.add(o * self.by_output + i * self.by_input));
                    for v in 0..V {
                        sums[o][v] = S::fma(weight, inputs[v], sums[o][v]);
                    }
                }
            }
            for o in 0..O {
                for v in 0..V {
                    S::store(y.add((first + o) * PANEL + v * S::LANES), sums[o][v]);
                }
            }
        }
    }
}

/// `gradient[o * n_in + i] += sum_rows dy[o][row] x[i][row]`.
#[inline(always)]
unsafe fn outer_products<S: Simd, const IN: usize>(
    dy: Panels,
    n_out: usize,
    x: Panels,
    n_in: usize,
    gradient: *mut f32,
) {
    unsafe {
        let mut o = 0;
        while o < n_out {
            let is_wide = o + OUTPUTS <= n_out;
            let mut i = 0;
            while i < n_in {
                let to = gradient.add(o * n_in + i);
                let is_long = i + IN <= n_in;
                match (is_wide, is_long) {
                    (true, true) => outer_block::<S, OUTPUTS, IN>(dy, o, x, i, to, n_in),
                    (true, false) => outer_block::<S, OUTPUTS, 1>(dy, o, x, i, to, n_in),
                    (false, true) => outer_block::<S, 1, IN>(dy, o, x, i, to, n_in),
                    (false, false) => outer_block::<S, 1, 1>(dy, o, x, i, to, n_in),
                }
                i += if is_long { IN } else { 1 };
            }
            o += if is_wide { OUTPUTS } else { 1 };
        }
    }
}

#[inline(always)]
unsafe fn outer_block<S: Simd, const O: usize, const I: usize>(
    dy: Panels,
    first_out: usize,
    x: Panels,
    first_in: usize,
    to: *mut f32,
    n_in: usize,
) {
    unsafe {
        let mut sums = [[S::splat(0.0); I]; O];
        for p in 0..dy.count {
            let (dy, x) = (dy.at(p).add(first_out * PANEL), x.at(p).add(first_in * PANEL));
            for row in (0..PANEL).step_by(S::LANES) {
                let mut inputs = [S::splat(0.0); I];
                for i in 0..I {
                    inputs[i] = S::load(x.add(i * PANEL + row));
                }
                for o in 0..O {
                    let cotangent = S::load(dy.add(o * PANEL + row));
                    for i in 0..I {
                        sums[o][i] = S::fma(cotangent, inputs[i], sums[o][i]);
                    }
                }
            }
        }
        let sums = S::sum_block(sums);
        for o in 0..O {
            for i in 0..I {
                *to.add(o * n_in + i) += sums[o][i];
            }
        }
    }
}

/// Adds each output's rows to its lanes.
#[inline(always)]
unsafe fn row_sums<S: Simd>(dy: Panels, n_out: usize, lanes: *mut f32) {
    unsafe {
        for o in 0..n_out {
            let mut sum = S::load(lanes.add(o * MAX_LANES));
            for p in 0..dy.count {
                for row in (0..PANEL).step_by(S::LANES) {
                    sum = S::add(sum, S::load(dy.at(p).add(o * PANEL + row)));
                }
            }
            S::store(lanes.add(o * MAX_LANES), sum);
        }
    }
}

/// Layer normalization in place, without gain and shift.
#[inline(always)]
unsafe fn normalize<S: Simd, const V: usize>(h: *mut f32, inverse_std: *mut f32, n: usize) {
    unsafe {
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
        let per_feature = S::splat(1.0 / n as f32);
        for row in (0..PANEL).step_by(V * S::LANES) {
            let at = |o: usize, v: usize| h.add(o * PANEL + row + v * S::LANES);
            let mut mean = [S::splat(0.0); V];
            for o in 0..n {
                for v in 0..V {
                    mean[v] = S::add(mean[v], S::load(at(o, v)));
                }
            }
            for v in 0..V {
                mean[v] = S::mul(mean[v], per_feature);
            }
            let mut variance = [S::splat(0.0); V];
            for o in 0..n {
                for v in 0..V {
                    let centred = S::sub(S::load(at(o, v)), mean[v]);
                    variance[v] = S::fma(centred, centred, variance[v]);
                }
            }
            let mut inverse = [S::splat(0.0); V];
            for v in 0..V {
                let variance = S::fma(variance[v], per_feature, S::splat(LAYER_NORM_EPSILON));
                inverse[v] = S::div(S::splat(1.0), S::sqrt(variance));
                S::store(inverse_std.add(row + v * S::LANES), inverse[v]);
            }
            for o in 0..n {
                for v in 0..V {
                    S::store(at(o, v), S::mul(S::sub(S::load(at(o, v)), mean[v]), inverse[v]));
                }
            }
        }
    }
}

/// Gain, shift and PReLU on normalized values.
#[inline(always)]
unsafe fn activate<S: Simd>(layer: &Layer, values: Values, normalized: *const f32, to: *mut f32) {
    let Some(norm) = layer.norm else { return };
    unsafe {
        let slope = S::splat(values.slope);
        for o in 0..layer.n_out {
            let gain = S::splat(*values.parameters.add(norm.gain + o));
            let shift = S::splat(*values.parameters.add(norm.shift + o));
            for row in (0..PANEL).step_by(S::LANES) {
                let n = S::fma(gain, S::load(normalized.add(o * PANEL + row)), shift);
                S::store(to.add(o * PANEL + row), S::where_positive(n, n, S::mul(slope, n)));
            }
        }
    }
}

/// PReLU and layer normalization of one block, backward.
struct Block {
    gain: *const f32,
    shift: *const f32,
    slope: f32,
    n: usize,
    gain_lanes: *mut f32,
    shift_lanes: *mut f32,
    bias_lanes: *mut f32,
    slope_lanes: *mut f32,
}

impl Block {
    /// From the cotangent of the activation to that of the linear layer; `da` and `dh` may be the same.
    #[inline(always)]
    unsafe fn backward<S: Simd, const V: usize>(
        &self,
        da: *const f32,
        normalized: *const f32,
        inverse_std: *const f32,
        dh: *mut f32,
    ) {
        unsafe {
            let slope = S::splat(self.slope);
            let zero = S::splat(0.0);
            #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
            let per_feature = S::splat(1.0 / self.n as f32);
            let mut slope_sum = S::load(self.slope_lanes);
            for row in (0..PANEL).step_by(V * S::LANES) {
                let at = |o: usize, v: usize| o * PANEL + row + v * S::LANES;
                let (mut sum, mut product) = ([zero; V], [zero; V]);
                for o in 0..self.n {
                    let (gain, shift) = (S::splat(*self.gain.add(o)), S::splat(*self.shift.add(o)));
                    let mut gain_sum = S::load(self.gain_lanes.add(o * MAX_LANES));
                    let mut shift_sum = S::load(self.shift_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (da, x) = (S::load(da.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let n = S::fma(gain, x, shift);
                        let dn = S::where_positive(n, da, S::mul(slope, da));
                        slope_sum = S::add(slope_sum, S::where_positive(n, zero, S::mul(da, n)));
                        gain_sum = S::fma(dn, x, gain_sum);
                        shift_sum = S::add(shift_sum, dn);
                        let dx = S::mul(dn, gain);
                        sum[v] = S::add(sum[v], dx);
                        product[v] = S::fma(dx, x, product[v]);
                        S::store(dh.add(at(o, v)), dx);
                    }
                    S::store(self.gain_lanes.add(o * MAX_LANES), gain_sum);
                    S::store(self.shift_lanes.add(o * MAX_LANES), shift_sum);
                }
                let mut inverse = [zero; V];
                for v in 0..V {
                    inverse[v] = S::load(inverse_std.add(row + v * S::LANES));
                    sum[v] = S::mul(sum[v], per_feature);
                    product[v] = S::mul(product[v], per_feature);
                }
                for o in 0..self.n {
                    let mut bias_sum = S::load(self.bias_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (dx, x) = (S::load(dh.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let centred = S::sub(S::sub(dx, sum[v]), S::mul(x, product[v]));
                        let dh_value = S::mul(centred, inverse[v]);
                        bias_sum = S::add(bias_sum, dh_value);
                        S::store(dh.add(at(o, v)), dh_value);
                    }
                    S::store(self.bias_lanes.add(o * MAX_LANES), bias_sum);
                }
            }
            S::store(self.slope_lanes, slope_sum);
        }
    }
}
