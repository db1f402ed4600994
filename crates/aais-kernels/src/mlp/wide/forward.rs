//! The way forward: tiles of rows through all layers.

use super::gemm::{Product, Start, pack, padded};
use super::plan::{Kind, Matrix, Step, Vector};
use super::rows::{Activation, Norm, activate, normalize};
use super::{Network, TILE};
use crate::buffer::Buffer;
use crate::threads::for_each;

/// Padded vectors of a network.
pub(super) struct Vectors<'a> {
    slope: f32,
    values: &'a [f32],
}

impl<'a> Vectors<'a> {
    /// Copies the parameters' vectors to `values`.
    pub fn new(network: &Network, values: &'a mut [f32]) -> Self {
        values.fill(0.0);
        let copy = |vector: &Vector, values: &mut [f32]| {
            values[vector.padded..][..vector.length]
                .copy_from_slice(&network.parameters[vector.place..][..vector.length]);
        };
        for step in &network.plan.steps {
            copy(&step.bias, values);
            if let Kind::NormPrelu { gain, shift, .. } = &step.kind {
                copy(gain, values);
                copy(shift, values);
            }
            if let Some(skip) = &step.skip {
                copy(&skip.bias, values);
            }
        }
        Self { slope: network.slope, values }
    }

    pub fn of(&self, vector: Vector) -> &'a [f32] {
        &self.values[vector.padded..][..padded(vector.length)]
    }

    /// What follows the linear part of a block; `None` for an output layer.
    pub fn activation(&self, step: &Step) -> Option<Activation<'a>> {
        match step.kind {
            Kind::Output => None,
            Kind::Softplus => Some(Activation::Softplus),
            Kind::NormPrelu { gain, shift, .. } => {
                Some(Activation::NormPrelu(Norm { gain: self.of(gain), shift: self.of(shift), slope: self.slope }))
            }
        }
    }
}

/// Everything that all tiles read.
struct Forward<'a> {
    network: &'a Network<'a>,
    vectors: Vectors<'a>,
    matrices: &'a [f32],
}

/// What the way back needs, made again.
pub(super) fn tape(network: &Network, input: &[f32]) -> Buffer {
    let mut output = Buffer::take(input.len() / network.plan.n_in * network.plan.width_out());
    forward(network, input, true, &mut output).expect("asked for")
}

/// The rows of `input` through the network; with `keep_tape`, what the way back needs.
pub(super) fn forward(network: &Network, input: &[f32], keep_tape: bool, output: &mut [f32]) -> Option<Buffer> {
    let plan = network.plan;
    let (mut vectors, mut matrices) = (Buffer::take(plan.vectors), Buffer::take(plan.forward));
    for matrix in plan.matrices() {
        let weights = &network.parameters[matrix.place..][..matrix.n_in * matrix.n_out];
        pack(network.set, weights, [1, matrix.n_in], [matrix.n_in, matrix.n_out], &mut matrices[matrix.forward..]);
    }
    let forward = Forward { network, vectors: Vectors::new(network, &mut vectors), matrices: &matrices };

    let n_rows = input.len() / plan.n_in;
    let mut tape = keep_tape.then(|| Buffer::take(n_rows * plan.tape));
    let mut tapes: Vec<Option<&mut [f32]>> = match &mut tape {
        Some(tape) if plan.tape > 0 => tape.chunks_mut(TILE * plan.tape).map(Some).collect(),
        _ => (0..n_rows.div_ceil(TILE)).map(|_| None).collect(),
    };
    let tiles = input.chunks(TILE * plan.n_in).zip(output.chunks_mut(TILE * plan.width_out()));
    type Tile<'a> = ((&'a [f32], &'a mut [f32]), Option<&'a mut [f32]>);
    let tiles: Vec<Tile<'_>> = tiles.zip(tapes.drain(..)).collect();
    // Rows do not meet, so that any number of threads gives the same bits.
    for_each(tiles, |((input, output), tape)| {
        let mut spare = Buffer::take(if tape.is_some() { 0 } else { TILE * plan.tape });
        forward.tile(input, tape.unwrap_or(&mut spare), output);
    });
    tape
}

impl Forward<'_> {
    fn tile(&self, input: &[f32], tape: &mut [f32], output: &mut [f32]) {
        let plan = self.network.plan;
        let n_rows = input.len() / plan.n_in;
        let mut work = Buffer::take(3 * TILE * plan.width);
        let (activations, work) = work.split_at_mut(TILE * plan.width);
        let (mut carried, mut made) = work.split_at_mut(TILE * plan.width);
        for (index, step) in plan.steps.iter().enumerate() {
            let n_out = step.inner.n_out;
            let width = padded(n_out);
            let (x, x_step) = match index.min(plan.n_body) {
                0 => (input, plan.n_in),
                _ => (&*carried, padded(step.inner.n_in)),
            };
            let bias = Start::Bias(self.vectors.of(step.bias));
            match self.vectors.activation(step) {
                None => self.product(step.inner, n_rows, x, x_step, bias).write(self.network.set, made, width),
                Some(activation) => {
                    let linear = &mut tape[step.values..];
                    self.product(step.inner, n_rows, x, x_step, bias).write(self.network.set, linear, plan.tape);
                    let activated = if step.skip.is_some() { &mut *activations } else { &mut *made };
                    for (row, to) in tape.chunks_mut(plan.tape).take(n_rows).zip(activated.chunks_mut(width)) {
                        if let Kind::NormPrelu { inverse_std, .. } = step.kind {
                            row[inverse_std] = normalize(self.network.set, &mut row[step.values..], n_out);
                        }
                        activate(self.network.set, activation, &row[step.values..], n_out, to);
                    }
                }
            }
            if let Some(skip) = &step.skip {
                let bias = Start::Bias(self.vectors.of(skip.bias));
                self.product(skip.through, n_rows, x, x_step, bias).write(self.network.set, made, width);
                let outer = self.product(skip.outer, n_rows, activations, width, Start::Output);
                outer.write(self.network.set, made, width);
            }
            if index >= plan.n_body {
                let head = index - plan.n_body;
                for (row, to) in made.chunks(width).zip(output.chunks_mut(plan.width_out())) {
                    to[head * n_out..][..n_out].copy_from_slice(&row[..n_out]);
                }
            } else {
                if step.skip.is_some() {
                    for (row, made) in tape.chunks_mut(plan.tape).zip(made.chunks(width)).take(n_rows) {
                        row[step.output..][..width].copy_from_slice(&made[..width]);
                    }
                }
                std::mem::swap(&mut carried, &mut made);
            }
        }
    }

    fn product<'a>(
        &'a self,
        matrix: Matrix,
        rows: usize,
        a: &'a [f32],
        a_step: usize,
        start: Start<'a>,
    ) -> Product<'a> {
        let b = &self.matrices[matrix.forward..][..matrix.n_in * padded(matrix.n_out)];
        Product { rows, columns: matrix.n_out, depth: matrix.n_in, a, a_steps: [a_step, 1], b, start }
    }
}
