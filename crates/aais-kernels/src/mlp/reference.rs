//! The network as composed candle operations: the specification of the fused one, and the path of other devices.

use candle_core::{D, DType, Result, Tensor};

use super::spec::MlpSpec;
use super::{LAYER_NORM_EPSILON, check_shapes};

/// [`mlp`](super::mlp) by composed operations, for any floating-point type and device.
///
/// # Errors
/// As [`mlp`](super::mlp).
pub fn reference(spec: &MlpSpec, x: &Tensor, parameters: &Tensor, slope: &Tensor) -> Result<Tensor> {
    check_shapes(spec, x, parameters, slope)?;
    let mut shape_out = x.dims().to_vec();
    *shape_out.last_mut().expect("checked to have a last dimension") = spec.width_out();

    let weight =
        |offset: usize, n_out: usize, n_in: usize| parameters.narrow(0, offset, n_out * n_in)?.reshape((n_out, n_in));
    let vector = |offset: usize, length: usize| parameters.narrow(0, offset, length);
    let linear = |x: &Tensor, offset: usize, bias: usize, n_out: usize, n_in: usize| {
        x.matmul(&weight(offset, n_out, n_in)?.t()?)?.broadcast_add(&vector(bias, n_out)?)
    };

    let mut x = x.reshape(((), spec.n_in))?;
    let mut heads = Vec::with_capacity(spec.n_heads);
    for (index, layer) in spec.layers().iter().enumerate() {
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let mut y = linear(&x, layer.weight, layer.bias, n_out, n_in)?;
        if let Some(norm) = layer.norm {
            y = layer_norm(&y, &vector(norm.gain, n_out)?, &vector(norm.shift, n_out)?)?;
            y = prelu(&y, slope)?;
        }
        if let Some(skip) = layer.skip {
            let through = linear(&x, skip.through, skip.through_bias, n_out, n_in)?;
            y = (y.matmul(&weight(skip.outer, n_out, n_out)?.t()?)? + through)?;
        }
        if index < spec.hidden.len() {
            x = y;
        } else {
            heads.push(y);
        }
    }
    Tensor::cat(&heads, D::Minus1)?.reshape(shape_out)
}

/// `(x - mean) / sqrt(variance + epsilon) * gain + shift` over the last dimension.
fn layer_norm(x: &Tensor, gain: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let scale = (variance + f64::from(LAYER_NORM_EPSILON))?.sqrt()?;
    centred.broadcast_div(&scale)?.broadcast_mul(gain)?.broadcast_add(shift)
}

/// `x` where it is positive, else `slope * x`.
fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    let positive = x.gt(0.0)?.to_dtype(DType::U8)?;
    positive.where_cond(x, &x.broadcast_mul(slope)?)
}
