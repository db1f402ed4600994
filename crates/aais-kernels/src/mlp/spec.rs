//! The shape of a network and the place of each of its parameters in one flat vector.

use std::ops::Range;

/// A multilayer perceptron of blocks, with one or more output heads on the same body.
///
/// A block is `activation(Linear(x))`, see [`Activation`]; with `skip` it becomes
/// `outer(activation(inner(x))) + skip(x)`, where `outer` has no bias. Heads are plain linear
/// layers, or blocks when `skip` is set. One PReLU slope, outside the flat parameters, is shared by all. Deviation 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpSpec {
    /// Width of the input.
    pub n_in: usize,
    /// Widths of the blocks of the body.
    pub hidden: Vec<usize>,
    /// Width of each head.
    pub n_out: usize,
    /// Heads; their outputs stand side by side.
    pub n_heads: usize,
    /// Whether blocks have skip connections.
    pub skip: bool,
    /// What follows the first linear layer of a block.
    pub activation: Activation,
}

/// What follows the first linear layer of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Layer normalization, then a PReLU whose slope all blocks share.
    #[default]
    NormPrelu,
    /// `log(1 + exp(x))`, without normalization.
    Softplus,
}

/// What a parameter is, for initialization and weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterRole {
    /// Weight of a block's first linear layer, or of the second one of a skip block.
    BlockWeight,
    /// Weight or bias of the linear layer that bypasses a skip block.
    SkipPath,
    /// Weight of a plain output layer.
    OutputWeight,
    /// Bias of any linear layer but the bypass.
    Bias,
    /// Scale of a layer normalization.
    NormGain,
    /// Shift of a layer normalization.
    NormShift,
}

/// One named parameter of a flat vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// For example `body.0.linear_1.weight` or `head.1.bias`.
    pub name: String,
    /// `[out, in]` of a weight, `[out]` of the others.
    pub shape: Vec<usize>,
    /// Where it lies in the flat vector, row after row.
    pub range: Range<usize>,
    /// Inputs of the linear layer it belongs to; `None` for a layer normalization.
    pub fan_in: Option<usize>,
    /// What it is.
    pub role: ParameterRole,
}

/// Offsets of one layer's parameters in the flat vector.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub n_in: usize,
    pub n_out: usize,
    pub weight: usize,
    pub bias: usize,
    pub kind: LayerKind,
    pub skip: Option<Skip>,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum LayerKind {
    /// Nothing: a plain output layer.
    Output,
    NormPrelu(Norm),
    Softplus,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    pub gain: usize,
    pub shift: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Skip {
    pub outer: usize,
    pub through: usize,
    pub through_bias: usize,
}

impl MlpSpec {
    /// Width of the output: `n_heads * n_out`.
    pub fn width_out(&self) -> usize {
        self.n_heads * self.n_out
    }

    /// Length of the flat parameter vector; the shared slope is not in it.
    pub fn n_parameters(&self) -> usize {
        self.parameters().last().map_or(0, |last| last.range.end)
    }

    /// Every parameter in the order of the flat vector.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = Listing::default();
        for (index, (n_in, n_out)) in self.body_widths().enumerate() {
            list.block(&format!("body.{index}"), n_in, n_out, self);
        }
        let last = self.hidden.last().copied().unwrap_or(self.n_in);
        for head in 0..self.n_heads {
            let name = format!("head.{head}");
            if self.skip {
                list.block(&name, last, self.n_out, self);
            } else {
                list.linear(&name, last, self.n_out, ParameterRole::OutputWeight);
            }
        }
        list.parameters
    }

    /// The layers, body first, then heads.
    pub(super) fn layers(&self) -> Vec<Layer> {
        let parameters = self.parameters();
        let mut offsets = parameters.iter().map(|parameter| parameter.range.start);
        let mut next = || offsets.next().expect("`parameters` lists every layer");
        let last = self.hidden.last().copied().unwrap_or(self.n_in);
        let body = self.body_widths().map(|widths| (widths, true));
        let heads = std::iter::repeat_n(((last, self.n_out), self.skip), self.n_heads);
        body.chain(heads)
            .map(|((n_in, n_out), is_block)| Layer {
                n_in,
                n_out,
                weight: next(),
                bias: next(),
                kind: match self.activation {
                    _ if !is_block => LayerKind::Output,
                    Activation::NormPrelu => LayerKind::NormPrelu(Norm { gain: next(), shift: next() }),
                    Activation::Softplus => LayerKind::Softplus,
                },
                skip: (is_block && self.skip).then(|| Skip { outer: next(), through: next(), through_bias: next() }),
            })
            .collect()
    }

    fn body_widths(&self) -> impl Iterator<Item = (usize, usize)> {
        let inputs = std::iter::once(self.n_in).chain(self.hidden.iter().copied());
        inputs.zip(self.hidden.iter().copied())
    }
}

#[derive(Default)]
struct Listing {
    parameters: Vec<Parameter>,
}

impl Listing {
    fn push(&mut self, name: String, shape: &[usize], fan_in: Option<usize>, role: ParameterRole) {
        let start = self.parameters.last().map_or(0, |last| last.range.end);
        let range = start..start + shape.iter().product::<usize>();
        self.parameters.push(Parameter { name, shape: shape.to_vec(), range, fan_in, role });
    }

    fn linear(&mut self, name: &str, n_in: usize, n_out: usize, weight: ParameterRole) {
        let bias = if weight == ParameterRole::SkipPath { weight } else { ParameterRole::Bias };
        self.push(format!("{name}.weight"), &[n_out, n_in], Some(n_in), weight);
        self.push(format!("{name}.bias"), &[n_out], Some(n_in), bias);
    }

    fn block(&mut self, name: &str, n_in: usize, n_out: usize, spec: &MlpSpec) {
        self.linear(&format!("{name}.linear_1"), n_in, n_out, ParameterRole::BlockWeight);
        if spec.activation == Activation::NormPrelu {
            self.push(format!("{name}.norm.weight"), &[n_out], None, ParameterRole::NormGain);
            self.push(format!("{name}.norm.bias"), &[n_out], None, ParameterRole::NormShift);
        }
        if spec.skip {
            self.push(format!("{name}.linear_2.weight"), &[n_out, n_out], Some(n_out), ParameterRole::BlockWeight);
            self.linear(&format!("{name}.skip"), n_in, n_out, ParameterRole::SkipPath);
        }
    }
}
