//! Where everything of a wide network lies: padded vectors, packed matrices, rows of the tape.
//!
//! A row of the *tape* holds, for each block, its normalized values (of a softplus block its linear ones), the outputs of
//! skip blocks of the body, and the reciprocal standard deviations. Every part is padded to whole vectors.

use super::gemm::padded;
use crate::mlp::spec::{self, LayerKind, MlpSpec};

/// A weight matrix.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    /// In the flat parameters, `[n_out][n_in]`.
    pub place: usize,
    pub n_in: usize,
    pub n_out: usize,
    /// Packed for the way forward.
    pub forward: usize,
    /// Packed for the way back; among the gradients, that of this matrix, `[n_out][padded(n_in)]`.
    pub backward: usize,
}

/// A bias, gain or shift.
#[derive(Clone, Copy)]
pub(super) struct Vector {
    /// In the flat parameters.
    pub place: usize,
    pub length: usize,
    /// Among the padded vectors, and of its gradient among the gradients.
    pub padded: usize,
}

/// What follows a linear layer.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Output,
    NormPrelu {
        gain: Vector,
        shift: Vector,
        /// In a row of the tape.
        inverse_std: usize,
    },
    Softplus,
}

/// The rest of a skip block.
#[derive(Clone, Copy)]
pub(super) struct Skip {
    pub outer: Matrix,
    pub through: Matrix,
    pub bias: Vector,
}

/// Where a layer reads its input.
#[derive(Clone, Copy)]
pub(super) enum Input {
    /// That of the network.
    Given,
    /// The activation of this layer.
    Activation(usize),
    /// The output of this skip block.
    Output(usize),
}

/// One layer.
pub(super) struct Step {
    pub inner: Matrix,
    pub bias: Vector,
    pub kind: Kind,
    pub skip: Option<Skip>,
    pub input: Input,
    /// In a row of the tape: normalized or linear values.
    pub values: usize,
    /// In a row of the tape: the output of a skip block of the body.
    pub output: usize,
}

/// Offsets, made once a call.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub n_body: usize,
    pub n_in: usize,
    pub n_out: usize,
    pub n_heads: usize,
    pub n_parameters: usize,
    /// Floats of a row of the tape.
    pub tape: usize,
    /// Floats of a row of the widest layer.
    pub width: usize,
    /// Floats of all padded vectors.
    pub vectors: usize,
    /// Floats of all matrices packed for the way forward.
    pub forward: usize,
    /// Floats of all matrices packed for the way back, and of their gradients.
    pub backward: usize,
}

impl Plan {
    pub fn new(spec: &MlpSpec) -> Self {
        let layers = spec.layers();
        let n_body = spec.hidden.len();
        let widest = layers.iter().map(|layer| layer.n_in.max(layer.n_out)).max().unwrap_or(1);
        let mut plan = Self {
            steps: Vec::with_capacity(layers.len()),
            n_body,
            n_in: spec.n_in,
            n_out: spec.n_out,
            n_heads: spec.n_heads,
            n_parameters: spec.n_parameters(),
            tape: 0,
            width: padded(widest),
            vectors: 0,
            forward: 0,
            backward: 0,
        };
        for (index, layer) in layers.iter().enumerate() {
            let step = plan.step(index, layer);
            plan.steps.push(step);
        }
        plan.tape = padded(plan.tape);
        plan
    }

    fn step(&mut self, index: usize, layer: &spec::Layer) -> Step {
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let inner = self.matrix(layer.weight, n_in, n_out);
        let bias = self.vector(layer.bias, n_out);
        let values = self.tape;
        let kind = match layer.kind {
            LayerKind::Output => Kind::Output,
            LayerKind::Softplus => Kind::Softplus,
            LayerKind::NormPrelu(norm) => {
                let (gain, shift) = (self.vector(norm.gain, n_out), self.vector(norm.shift, n_out));
                Kind::NormPrelu { gain, shift, inverse_std: values + padded(n_out) }
            }
        };
        self.tape += match kind {
            Kind::Output => 0,
            Kind::Softplus => padded(n_out),
            Kind::NormPrelu { .. } => padded(n_out) + padded(1),
        };
        let skip = layer.skip.map(|skip| Skip {
            outer: self.matrix(skip.outer, n_out, n_out),
            through: self.matrix(skip.through, n_in, n_out),
            bias: self.vector(skip.through_bias, n_out),
        });
        let output = self.tape;
        self.tape += if skip.is_some() && index < self.n_body { padded(n_out) } else { 0 };
        let input = match index.min(self.n_body) {
            0 => Input::Given,
            above if self.steps[above - 1].skip.is_some() => Input::Output(above - 1),
            above => Input::Activation(above - 1),
        };
        Step { inner, bias, kind, skip, input, values, output }
    }

    fn matrix(&mut self, place: usize, n_in: usize, n_out: usize) -> Matrix {
        let (forward, backward) = (self.forward, self.backward);
        self.forward += n_in * padded(n_out);
        self.backward += n_out * padded(n_in);
        Matrix { place, n_in, n_out, forward, backward }
    }

    fn vector(&mut self, place: usize, length: usize) -> Vector {
        let padded_place = self.vectors;
        self.vectors += padded(length);
        Vector { place, length, padded: padded_place }
    }

    /// All weight matrices.
    pub fn matrices(&self) -> impl Iterator<Item = Matrix> {
        self.steps.iter().flat_map(|step| {
            std::iter::once(step.inner).chain(step.skip.iter().flat_map(|skip| [skip.outer, skip.through]))
        })
    }

    /// Width of a row of the output.
    pub fn width_out(&self) -> usize {
        self.n_heads * self.n_out
    }
}
