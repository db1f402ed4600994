//! Softmax over the last dimension with an exact gradient.
//!
//! `p_i = exp(l_i - max) / sum_j exp(l_j - max)`, backward `dl_i = p_i (dp_i - sum_j p_j dp_j)`.
//! `candle_nn::ops::softmax_last_dim` has no gradient and does not say so.

use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor};

use crate::buffer::{f32_slice, with_values};

/// Softmax over the last dimension, any rank from one up.
///
/// A row that is `-inf` throughout, or holds NaN or `+inf`, becomes NaN.
///
/// # Errors
/// If the tensor is a scalar or its last dimension is empty.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    if logits.device().is_cpu() && logits.dtype() == DType::F32 && logits.dims().last().is_some_and(|&n| n > 0) {
        logits.contiguous()?.apply_op1(Softmax)
    } else {
        reference(logits)
    }
}

/// [`softmax`] by composed operations.
///
/// # Errors
/// As [`softmax`].
pub fn reference(logits: &Tensor) -> Result<Tensor> {
    let shift = logits.detach().max_keepdim(D::Minus1)?;
    let unnormalized = logits.broadcast_sub(&shift)?.exp()?;
    unnormalized.broadcast_div(&unnormalized.sum_keepdim(D::Minus1)?)
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.dims()[layout.dims().len() - 1];
        let mut values = f32_slice(logits, layout)?.to_vec();
        for row in values.chunks_exact_mut(width) {
            let shift = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut total = 0.0;
            for value in row.iter_mut() {
                *value = (*value - shift).exp();
                total += *value;
            }
            for value in row.iter_mut() {
                *value /= total;
            }
        }
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, logits: &Tensor, weights: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let width = logits.dims()[logits.dims().len() - 1];
        let pull = |weights: &[f32], gradient: &[f32]| {
            let mut pulled = Vec::with_capacity(gradient.len());
            for (gradient, weights) in gradient.chunks_exact(width).zip(weights.chunks_exact(width)) {
                let mean: f32 = gradient.iter().zip(weights).map(|(g, w)| g * w).sum();
                pulled.extend(gradient.iter().zip(weights).map(|(g, w)| w * (g - mean)));
            }
            pulled
        };
        let pulled = with_values(weights, |weights| with_values(gradient, |gradient| Ok(pull(weights, gradient))))?;
        Ok(Some(Tensor::from_vec(pulled, logits.shape(), logits.device())?))
    }
}
