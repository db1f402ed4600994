//! Bernoulli log-likelihoods of logits over samples of rows: `(B, M, D)` logits, `(B, D)` outcomes of 0 and 1.

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor, bail};

use crate::buffer::{f32_slice, with_values};

fn check(logits: &Tensor, outcomes: &Tensor) -> Result<bool> {
    let (rows, _, width) = logits.dims3()?;
    if outcomes.dims() != [rows, width] {
        bail!("logits {:?} need outcomes of shape ({rows}, {width}), got {:?}", logits.dims(), outcomes.dims());
    }
    Ok([logits, outcomes].iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}

/// `sum_j y_j l_j - log(1 + exp(l_j))`: logits `l` `(B, M, D)`, outcomes `y` `(B, D)`, which take no gradient, to `(B, M)`.
///
/// # Errors
/// If the shapes do not fit.
pub fn bernoulli_log_likelihood(logits: &Tensor, outcomes: &Tensor) -> Result<Tensor> {
    let outcomes = outcomes.detach().contiguous()?;
    if check(logits, &outcomes)? {
        logits.contiguous()?.apply_op2(&outcomes, LogLikelihood)
    } else {
        bernoulli_log_likelihood_reference(logits, &outcomes)
    }
}

/// [`bernoulli_log_likelihood`] by composed operations.
///
/// # Errors
/// As [`bernoulli_log_likelihood`].
pub fn bernoulli_log_likelihood_reference(logits: &Tensor, outcomes: &Tensor) -> Result<Tensor> {
    // log(1 + exp(l)) as max(l, 0) + log(1 + exp(-|l|)), which does not overflow.
    let small = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let softplus = (logits.relu()? + small)?;
    (logits.broadcast_mul(&outcomes.detach().unsqueeze(1)?)? - softplus)?.sum(D::Minus1)
}

/// `d bernoulli_log_likelihood / d logits`, `y - 1 / (1 + exp(-l))`, `(B, M, D)`; it has a gradient of its own.
///
/// # Errors
/// If the shapes do not fit.
pub fn bernoulli_score(logits: &Tensor, outcomes: &Tensor) -> Result<Tensor> {
    let outcomes = outcomes.detach().contiguous()?;
    if check(logits, &outcomes)? {
        logits.contiguous()?.apply_op2(&outcomes, Score)
    } else {
        bernoulli_score_reference(logits, &outcomes)
    }
}

/// [`bernoulli_score`] by composed operations.
///
/// # Errors
/// As [`bernoulli_score`].
pub fn bernoulli_score_reference(logits: &Tensor, outcomes: &Tensor) -> Result<Tensor> {
    let probability = (((logits * 0.5)?.tanh()? + 1.0)? * 0.5)?;
    probability.neg()?.broadcast_add(&outcomes.detach().unsqueeze(1)?)
}

/// `log(1 + exp(l))`.
fn softplus(logit: f32) -> f32 {
    // A NaN stays: `max` alone would take the other number.
    if logit > 0.0 { logit + (-logit).exp().ln_1p() } else { logit.exp().ln_1p() }
}

/// `1 / (1 + exp(-l))`.
fn sigmoid(logit: f32) -> f32 {
    let e = (-logit.abs()).exp();
    if logit < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

struct LogLikelihood;

impl CustomOp2 for LogLikelihood {
    fn name(&self) -> &'static str {
        "bernoulli_log_likelihood"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        l1: &Layout,
        outcomes: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n_samples, width) = l1.shape().dims3()?;
        let (logits, outcomes) = (f32_slice(logits, l1)?, f32_slice(outcomes, l2)?);
        let mut values = Vec::with_capacity(rows * n_samples);
        for (logits, outcomes) in logits.chunks_exact(n_samples * width).zip(outcomes.chunks_exact(width)) {
            values.extend(logits.chunks_exact(width).map(|logits| -> f32 {
                logits.iter().zip(outcomes).map(|(logit, outcome)| outcome * logit - softplus(*logit)).sum()
            }));
        }
        Ok((CpuStorage::F32(values), Shape::from((rows, n_samples))))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        outcomes: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, n_samples, width) = logits.dims3()?;
        let mut pulled = Vec::with_capacity(logits.elem_count());
        with_values(logits, |logits| {
            with_values(outcomes, |outcomes| {
                with_values(gradient, |gradient| {
                    for row in 0..rows {
                        let outcomes = &outcomes[row * width..][..width];
                        for sample in row * n_samples..(row + 1) * n_samples {
                            let logits = logits[sample * width..][..width].iter().zip(outcomes);
                            pulled.extend(logits.map(|(l, y)| gradient[sample] * (y - sigmoid(*l))));
                        }
                    }
                    Ok(())
                })
            })
        })?;
        Ok((Some(Tensor::from_vec(pulled, logits.shape(), logits.device())?), None))
    }
}

struct Score;

impl CustomOp2 for Score {
    fn name(&self) -> &'static str {
        "bernoulli_score"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        l1: &Layout,
        outcomes: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n_samples, width) = l1.shape().dims3()?;
        let mut values = f32_slice(logits, l1)?.to_vec();
        let rows = values.chunks_exact_mut(n_samples * width).zip(f32_slice(outcomes, l2)?.chunks_exact(width));
        for (values, outcomes) in rows {
            for values in values.chunks_exact_mut(width) {
                for (value, outcome) in values.iter_mut().zip(outcomes) {
                    *value = outcome - sigmoid(*value);
                }
            }
        }
        Ok((CpuStorage::F32(values), l1.shape().clone()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut pulled = with_values(gradient, |gradient| Ok(gradient.to_vec()))?;
        with_values(logits, |logits| {
            for (pulled, logit) in pulled.iter_mut().zip(logits) {
                let probability = sigmoid(*logit);
                *pulled *= -probability * (1.0 - probability);
            }
            Ok(())
        })?;
        Ok((Some(Tensor::from_vec(pulled, logits.shape(), logits.device())?), None))
    }
}
