//! Where everything lies: panels of rows, tapes, workspaces.
//!
//! A panel holds 80 rows feature by feature: `[feature][row]`. Every loop but the matrix products is
//! then vertical, one row a lane, and needs no shuffles. A *tape* keeps, for each panel, the input, the
//! normalized values and the reciprocal standard deviations of each block (of a softplus block its
//! linear values), and the outputs of skip blocks.

use super::spec::{Layer, LayerKind, MlpSpec};

/// Rows of a panel: five vectors of AVX-512, ten of AVX2.
pub(super) const PANEL: usize = 80;
/// Panels of which a gradient's sum over rows is taken at once.
pub(super) const CHUNK: usize = 5;
/// Room for one vector of any instruction set.
pub(super) const MAX_LANES: usize = 16;

/// Where a layer reads its input.
#[derive(Clone, Copy)]
pub(super) enum Input {
    /// At this place of the tape.
    Tape(usize),
    /// Recomputed from the normalized values of this block.
    Activation(usize),
}

/// One layer and the places of what belongs to it.
pub(super) struct LayerPlan {
    pub layer: Layer,
    pub input: Input,
    /// Tape: normalized values, then the reciprocal standard deviations.
    pub normalized: usize,
    pub inverse_std: usize,
    /// Tape: outputs of a skip block of the body.
    pub output: usize,
    /// First lane accumulators of bias, gain, shift and bypass bias, each `n_out` vectors.
    pub lanes: usize,
    pub cotangents: Cotangents,
    pub tangents: Tangents,
}

/// Places in the tape of a pullback: cotangents of a layer's values. What is the same has the same place.
#[derive(Clone, Copy)]
pub(super) struct Cotangents {
    pub output: usize,
    pub activation: usize,
    pub linear: usize,
}

/// Places in the tape of tangents: derivatives of a layer's values along one direction of the input.
#[derive(Clone, Copy)]
pub(super) struct Tangents {
    pub input: usize,
    pub linear: usize,
    /// Of a skip block.
    pub activation: usize,
}

/// Offsets into tape and workspace, made once a call.
pub(super) struct Plan {
    pub layers: Vec<LayerPlan>,
    pub n_body: usize,
    pub n_in: usize,
    pub n_out: usize,
    pub n_heads: usize,
    pub n_parameters: usize,
    /// Floats of the tape of one panel.
    pub tape: usize,
    /// Floats of a panel's cotangents.
    pub cotangents: usize,
    /// Floats of a panel's tangents.
    pub tangents: usize,
    /// Floats of one panel of the widest layer.
    pub width: usize,
    pub n_lanes: usize,
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
            cotangents: 0,
            tangents: 0,
            width: widest.max(spec.width_out()) * PANEL,
            n_lanes: 0,
        };
        let mut input = Input::Tape(0);
        for (index, layer) in layers.into_iter().enumerate() {
            let (normalized, size) = (plan.tape, layer.n_out * PANEL);
            let inverse_std = normalized + size;
            let output = inverse_std + PANEL;
            let has_output = layer.skip.is_some() && index < n_body;
            plan.tape += match layer.kind {
                LayerKind::Output => 0,
                // A softplus block leaves the place of the standard deviations unused.
                LayerKind::NormPrelu(_) | LayerKind::Softplus => size + PANEL,
            };
            plan.tape += if has_output { size } else { 0 };
            let lanes = plan.n_lanes;
            plan.n_lanes += 4 * layer.n_out * MAX_LANES;
            let (cotangents, tangents) = plan.derivatives(&layer);
            plan.layers.push(LayerPlan { layer, input, normalized, inverse_std, output, lanes, cotangents, tangents });
            if index < n_body {
                input = if has_output { Input::Tape(output) } else { Input::Activation(index) };
            }
        }
        plan
    }

    /// Places for one more layer.
    fn derivatives(&mut self, layer: &Layer) -> (Cotangents, Tangents) {
        let (size_in, size_out) = (layer.n_in * PANEL, layer.n_out * PANEL);
        let (is_block, has_skip) = (!matches!(layer.kind, LayerKind::Output), layer.skip.is_some());
        let output = self.cotangents;
        let activation = output + if has_skip { size_out } else { 0 };
        let linear = activation + if is_block { size_out } else { 0 };
        self.cotangents = linear + size_out;
        let cotangents = Cotangents { output, activation, linear };

        let input = self.tangents;
        let linear = input + size_in;
        let activation = linear + if is_block { size_out } else { 0 };
        self.tangents = activation + if has_skip { size_out } else { 0 };
        (cotangents, Tangents { input, linear, activation })
    }

    /// Width of a row of the output.
    pub fn width_out(&self) -> usize {
        self.n_heads * self.n_out
    }

    /// Floats that `forward` needs beside the tape.
    pub fn forward_workspace(&self) -> usize {
        3 * self.width
    }

    /// Floats that `backward` needs, the gradients' accumulators first.
    pub fn backward_workspace(&self) -> usize {
        self.accumulators() + 6 * CHUNK * self.width
    }

    /// Where the lanes begin: behind the parameters, at a whole vector.
    pub fn first_lane(&self) -> usize {
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

/// Panels at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub start: *mut f32,
    pub stride: usize,
    pub count: usize,
}

impl Panels {
    #[inline(always)]
    pub unsafe fn at(self, panel: usize) -> *mut f32 {
        unsafe { self.start.add(panel * self.stride) }
    }
}
