//! The network as composed candle operations: the specification of the fused one, and the path of other devices.

use candle_core::{D, DType, Result, Tensor};

use super::spec::{LayerKind, MlpSpec};
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
        match layer.kind {
            LayerKind::Output => (),
            LayerKind::NormPrelu(norm) => {
                y = layer_norm(&y, &vector(norm.gain, n_out)?, &vector(norm.shift, n_out)?)?;
                y = prelu(&y, slope)?;
            }
            LayerKind::Softplus => y = softplus(&y)?,
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

/// `log(1 + exp(x))` without overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    // x - 2 relu(x) is -|x|. candle's `relu` has the derivative 1 at zero, so that all of it has 1/2 there, as it should.
    let positive = x.relu()?;
    let minus_abs = (x - (&positive * 2.0)?)?;
    positive + (minus_abs.exp()? + 1.0)?.log()?
}

/// [`Pullback::apply`](super::Pullback::apply) by composed operations, for any floating-point type and device.
///
/// The vector-Jacobian product is written out, because what candle's `backward` returns has no gradients of its own.
///
/// # Errors
/// As [`mlp_with_pullback`](super::mlp_with_pullback).
pub fn reference_pullback(
    spec: &MlpSpec,
    x: &Tensor,
    parameters: &Tensor,
    slope: &Tensor,
    cotangent: &Tensor,
) -> Result<Tensor> {
    check_shapes(spec, x, parameters, slope)?;
    let weight =
        |offset: usize, n_out: usize, n_in: usize| parameters.narrow(0, offset, n_out * n_in)?.reshape((n_out, n_in));
    let vector = |offset: usize, length: usize| parameters.narrow(0, offset, length);

    // Forward, keeping what each block's Jacobian depends on.
    let mut value = x.reshape(((), spec.n_in))?;
    let layers = spec.layers();
    let mut linear_values = Vec::with_capacity(layers.len());
    for layer in &layers {
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let h = value.matmul(&weight(layer.weight, n_out, n_in)?.t()?)?.broadcast_add(&vector(layer.bias, n_out)?)?;
        let mut y = match layer.kind {
            LayerKind::Output => h.clone(),
            LayerKind::Softplus => softplus(&h)?,
            LayerKind::NormPrelu(norm) => {
                prelu(&layer_norm(&h, &vector(norm.gain, n_out)?, &vector(norm.shift, n_out)?)?, slope)?
            }
        };
        if let Some(skip) = layer.skip {
            let through = value.matmul(&weight(skip.through, n_out, n_in)?.t()?)?;
            let through = through.broadcast_add(&vector(skip.through_bias, n_out)?)?;
            y = (y.matmul(&weight(skip.outer, n_out, n_out)?.t()?)? + through)?;
        }
        linear_values.push(h);
        value = y;
    }

    let mut dy = cotangent.reshape(((), spec.n_out))?;
    for (layer, h) in layers.iter().zip(&linear_values).rev() {
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let da = match layer.skip {
            Some(skip) => dy.matmul(&weight(skip.outer, n_out, n_out)?)?,
            None => dy.clone(),
        };
        let dh = match layer.kind {
            LayerKind::Output => da,
            // The derivative of softplus is 1 / (1 + exp(-h)) = exp(h - softplus(h)).
            LayerKind::Softplus => (da * (h - softplus(h)?)?.exp()?)?,
            LayerKind::NormPrelu(norm) => {
                let (gain, shift) = (vector(norm.gain, n_out)?, vector(norm.shift, n_out)?);
                let (ones, zeros) = (gain.ones_like()?, gain.zeros_like()?);
                let normalized = layer_norm(h, &ones, &zeros)?;
                let n = normalized.broadcast_mul(&gain)?.broadcast_add(&shift)?;
                let positive = n.gt(0.0)?.to_dtype(DType::U8)?;
                let dn = positive.where_cond(&da, &da.broadcast_mul(slope)?)?.broadcast_mul(&gain)?;
                let along = normalized.broadcast_mul(&(&dn * &normalized)?.mean_keepdim(D::Minus1)?)?;
                let centred = (dn.broadcast_sub(&dn.mean_keepdim(D::Minus1)?)? - along)?;
                let variance = h.broadcast_sub(&h.mean_keepdim(D::Minus1)?)?.sqr()?.mean_keepdim(D::Minus1)?;
                centred.broadcast_div(&(variance + f64::from(LAYER_NORM_EPSILON))?.sqrt()?)?
            }
        };
        let mut dx = dh.matmul(&weight(layer.weight, n_out, n_in)?)?;
        if let Some(skip) = layer.skip {
            dx = (dx + dy.matmul(&weight(skip.through, n_out, n_in)?)?)?;
        }
        dy = dx;
    }
    dy.reshape(x.shape())
}
