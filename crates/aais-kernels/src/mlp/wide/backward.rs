//! The way back: gradients by the rows whose cotangent is not zero.

use super::forward::Vectors;
use super::gemm::{Product, Start, pack, padded};
use super::plan::{Input, Kind, Matrix, Step, Vector};
use super::rows::{Kept, Sums, activate, pull_back, sum_lanes};
use super::{Network, TILE};
use crate::InstructionSet;
use crate::buffer::Buffer;
use crate::mlp::passes::{Gradients, MAX_GROUPS};
use crate::mlp::plan::MAX_LANES;
use crate::threads::for_each;

/// Rows of a group at the least: its sums are as large as the parameters, and cost their own time.
const GROUP: usize = 8 * TILE;

/// Everything that all tiles read.
struct Backward<'a> {
    network: &'a Network<'a>,
    vectors: Vectors<'a>,
    matrices: &'a [f32],
    input: &'a [f32],
    tape: &'a [f32],
    cotangent: &'a [f32],
    wants_input: bool,
}

/// One group's sums of gradients, laid out as the plan says.
struct Totals {
    vectors: Buffer,
    matrices: Buffer,
    slope: [f32; MAX_LANES],
}

/// All gradients from the rows of `cotangent`. Rows of zeros, such as those of samples without weight, are passed by.
pub(super) fn backward(
    network: &Network,
    input: &[f32],
    tape: &[f32],
    cotangent: &[f32],
    wants_input: bool,
) -> Gradients {
    let plan = network.plan;
    let (mut vectors, mut matrices) = (Buffer::take(plan.vectors), Buffer::take(plan.backward));
    for matrix in plan.matrices() {
        let weights = &network.parameters[matrix.place..][..matrix.n_in * matrix.n_out];
        pack(network.set, weights, [matrix.n_in, 1], [matrix.n_out, matrix.n_in], &mut matrices[matrix.backward..]);
    }
    let vectors = Vectors::new(network, &mut vectors);
    let backward = Backward { network, vectors, matrices: &matrices, input, tape, cotangent, wants_input };

    let cotangents = cotangent.chunks(plan.width_out()).enumerate();
    let rows: Vec<usize> = cotangents.filter(|(_, row)| !is_zero(row)).map(|(index, _)| index).collect();
    // Sums are formed group by group, in an order that threads do not change.
    let per_group = rows.len().div_ceil(MAX_GROUPS).next_multiple_of(TILE).max(GROUP);
    let groups: Vec<&[usize]> = rows.chunks(per_group).collect();
    let mut found: Vec<Option<(Totals, Vec<f32>)>> = groups.iter().map(|_| None).collect();
    for_each(groups.iter().zip(&mut found).collect(), |(rows, found): (&&[usize], &mut _)| {
        *found = Some(backward.group(rows));
    });

    let mut gradients = Gradients {
        input: wants_input.then(|| vec![0.0; input.len()]),
        parameters: vec![0.0; plan.n_parameters],
        slope: 0.0,
    };
    for (rows, (totals, of_input)) in groups.iter().zip(found.iter().flatten()) {
        totals.add_to(network, &mut gradients);
        if let Some(input) = &mut gradients.input {
            for (row, values) in rows.iter().zip(of_input.chunks(plan.n_in)) {
                input[row * plan.n_in..][..plan.n_in].copy_from_slice(values);
            }
        }
    }
    gradients
}

/// Whether all values are zero, of which a NaN is none; without a branch at each.
fn is_zero(row: &[f32]) -> bool {
    row.chunks(64).all(|values| values.iter().fold(true, |all, value| all & (*value == 0.0)))
}

impl Totals {
    fn new(network: &Network) -> Self {
        let (mut vectors, mut matrices) = (Buffer::take(network.plan.vectors), Buffer::take(network.plan.backward));
        vectors.fill(0.0);
        matrices.fill(0.0);
        Self { vectors, matrices, slope: [0.0; MAX_LANES] }
    }

    fn of(&mut self, vector: Vector) -> &mut [f32] {
        &mut self.vectors[vector.padded..][..padded(vector.length)]
    }

    fn add_to(&self, network: &Network, gradients: &mut Gradients) {
        let mut add = |place: usize, values: &[f32]| {
            for (total, value) in gradients.parameters[place..][..values.len()].iter_mut().zip(values) {
                *total += value;
            }
        };
        for step in &network.plan.steps {
            let norm = match step.kind {
                Kind::NormPrelu { gain, shift, .. } => [Some(gain), Some(shift)],
                Kind::Output | Kind::Softplus => [None; 2],
            };
            for vector in [Some(step.bias), norm[0], norm[1], step.skip.map(|skip| skip.bias)].into_iter().flatten() {
                add(vector.place, &self.vectors[vector.padded..][..vector.length]);
            }
        }
        for matrix in network.plan.matrices() {
            let rows = self.matrices[matrix.backward..].chunks(padded(matrix.n_in)).take(matrix.n_out);
            for (o, row) in rows.enumerate() {
                add(matrix.place + o * matrix.n_in, &row[..matrix.n_in]);
            }
        }
        gradients.slope += sum_lanes(network.set, &self.slope);
    }
}

/// Tiles of a group's thread, each [`TILE`] rows of the widest layer.
struct Work<'a> {
    /// Cotangents of the layer's output; of its input.
    dy: &'a mut [f32],
    dx: &'a mut [f32],
    /// Cotangents within the layer.
    inner: &'a mut [f32],
    /// The layer's input or activation.
    x: &'a mut [f32],
    /// The same, packed.
    packed: &'a mut [f32],
    /// Cotangents of a head.
    top: &'a mut [f32],
}

impl Backward<'_> {
    /// Sums over these rows, and the gradients of their inputs.
    fn group(&self, rows: &[usize]) -> (Totals, Vec<f32>) {
        let plan = self.network.plan;
        let size = TILE * plan.width;
        let mut work = Buffer::take(6 * size);
        let mut parts = work.chunks_mut(size);
        let mut part = || parts.next().expect("taken above");
        let mut work = Work { dy: part(), dx: part(), inner: part(), x: part(), packed: part(), top: part() };
        let mut totals = Totals::new(self.network);
        let mut of_input = Vec::with_capacity(if self.wants_input { rows.len() * plan.n_in } else { 0 });
        for rows in rows.chunks(TILE) {
            for (index, step) in plan.steps.iter().enumerate().rev() {
                self.step(index, step, rows, &mut work, &mut totals);
            }
            if self.wants_input {
                // The last layer has left it where the next one would look.
                let values = work.dy.chunks(padded(plan.n_in)).take(rows.len());
                values.for_each(|row| of_input.extend_from_slice(&row[..plan.n_in]));
            }
        }
        (totals, of_input)
    }

    /// One layer of one tile: adds its gradients, and leaves the cotangent of its input in `work.dy` of the next.
    fn step(&self, index: usize, step: &Step, rows: &[usize], work: &mut Work, totals: &mut Totals) {
        let (network, plan) = (self.network, self.network.plan);
        let (set, n_rows) = (network.set, rows.len());
        let (n_in, n_out) = (step.inner.n_in, step.inner.n_out);
        let (width_in, width) = (padded(n_in), padded(n_out));
        let is_body = index < plan.n_body;
        if !is_body {
            self.gather_cotangent(index - plan.n_body, rows, work.top);
        }
        let dy: &[f32] = if is_body { work.dy } else { work.top };
        let wants_x = index > 0 && plan.n_body > 0 || self.wants_input;
        // Heads are visited last to first and add up; then the body's top block takes their sum.
        let is_first = is_body || index + 1 == plan.steps.len();
        let mut start = if is_first { Start::Zero } else { Start::Output };

        if let Some(skip) = step.skip {
            self.gather_activations(step, rows, work.x);
            pack(set, work.x, [width, 1], [n_rows, n_out], work.packed);
            outer_product(set, skip.outer, n_rows, dy, work.packed, totals);
            self.product(skip.outer, n_rows, dy, Start::Zero).write(set, work.inner, width);
            if wants_x {
                self.product(skip.through, n_rows, dy, start).write(set, work.dx, width_in);
                start = Start::Output;
            }
            add_rows(&dy[..n_rows * width], totals.of(skip.bias));
        } else {
            work.inner[..n_rows * width].copy_from_slice(&dy[..n_rows * width]);
        }
        let activation = self.vectors.activation(step);
        if let Some(activation) = activation {
            // Bias, gain and shift stand side by side.
            let (bias, norm) = totals.vectors[step.bias.padded..].split_at_mut(width);
            let (gain, shift) = norm.split_at_mut(width.min(norm.len()));
            let mut sums = Sums { bias, gain, shift, slope: &mut totals.slope };
            for (row, da) in rows.iter().zip(work.inner.chunks_mut(width)) {
                let tape = &self.tape[row * plan.tape..][..plan.tape];
                let inverse_std =
                    if let Kind::NormPrelu { inverse_std, .. } = step.kind { tape[inverse_std] } else { 0.0 };
                let kept = Kept { values: &tape[step.values..], inverse_std };
                pull_back(set, activation, kept, n_out, da, &mut sums);
            }
        } else {
            add_rows(&work.inner[..n_rows * width], totals.of(step.bias));
        }
        let dh: &[f32] = work.inner;
        self.gather_input(step, rows, work.x);
        pack(set, work.x, [width_in, 1], [n_rows, n_in], work.packed);
        outer_product(set, step.inner, n_rows, dh, work.packed, totals);
        if let Some(skip) = step.skip {
            outer_product(set, skip.through, n_rows, dy, work.packed, totals);
        }
        if wants_x {
            self.product(step.inner, n_rows, dh, start).write(set, work.dx, width_in);
        }
        if is_body || index == plan.n_body {
            std::mem::swap(&mut work.dy, &mut work.dx);
        }
    }

    /// `dx = start + dy W`.
    fn product<'a>(&'a self, matrix: Matrix, rows: usize, dy: &'a [f32], start: Start<'a>) -> Product<'a> {
        let b = &self.matrices[matrix.backward..][..matrix.n_out * padded(matrix.n_in)];
        let a_steps = [padded(matrix.n_out), 1];
        Product { rows, columns: matrix.n_in, depth: matrix.n_out, a: dy, a_steps, b, start }
    }

    fn gather_cotangent(&self, head: usize, rows: &[usize], to: &mut [f32]) {
        let plan = self.network.plan;
        for (row, to) in rows.iter().zip(to.chunks_mut(padded(plan.n_out))) {
            let (values, rest) = to.split_at_mut(plan.n_out);
            values.copy_from_slice(&self.cotangent[row * plan.width_out() + head * plan.n_out..][..plan.n_out]);
            rest.fill(0.0);
        }
    }

    fn gather_activations(&self, step: &Step, rows: &[usize], to: &mut [f32]) {
        let (plan, n) = (self.network.plan, step.inner.n_out);
        let activation = self.vectors.activation(step).expect("an output layer has no activation");
        for (row, to) in rows.iter().zip(to.chunks_mut(padded(n))) {
            activate(self.network.set, activation, &self.tape[row * plan.tape + step.values..], n, to);
        }
    }

    fn gather_input(&self, step: &Step, rows: &[usize], to: &mut [f32]) {
        let (plan, n) = (self.network.plan, step.inner.n_in);
        let (from, by_row, start) = match step.input {
            Input::Given => (self.input, plan.n_in, 0),
            Input::Output(below) => (self.tape, plan.tape, plan.steps[below].output),
            Input::Activation(below) => return self.gather_activations(&plan.steps[below], rows, to),
        };
        for (row, to) in rows.iter().zip(to.chunks_mut(padded(n))) {
            to[..n].copy_from_slice(&from[row * by_row + start..][..n]);
        }
    }
}

/// Adds `dy^T x` to a matrix's gradient.
fn outer_product(set: InstructionSet, matrix: Matrix, n_rows: usize, dy: &[f32], packed: &[f32], totals: &mut Totals) {
    let (rows, columns, width) = (matrix.n_out, matrix.n_in, padded(matrix.n_in));
    let a_steps = [1, padded(matrix.n_out)];
    let product = Product { rows, columns, depth: n_rows, a: dy, a_steps, b: packed, start: Start::Output };
    product.write(set, &mut totals.matrices[matrix.backward..][..rows * width], width);
}

/// Adds rows to one row.
fn add_rows(rows: &[f32], total: &mut [f32]) {
    for row in rows.chunks(total.len()) {
        for (total, value) in total.iter_mut().zip(row) {
            *total += value;
        }
    }
}
