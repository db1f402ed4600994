//! Bernoulli log-likelihoods of logits over samples of rows: `(B, M, D)` logits, `(B, D)` outcomes of 0 and 1.
//!
//! Rows of at least 16 outcomes, such as the pixels of an image, are worked through in vectors.

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor, bail};

use crate::InstructionSet;
use crate::buffer::{f32_slice, with_values};
use crate::simd::{self, Simd, dispatch};

/// Outcomes of a row from which on it is worked through in vectors.
///
/// Narrower rows take the platform's functions, whose bits published results hold.
const WIDE: usize = LANES;

/// The longest vector of any instruction set.
const LANES: usize = 16;

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
            if width >= WIDE {
                values.extend(logits.chunks_exact(width).map(|logits| log_likelihood_of(logits, outcomes)));
                continue;
            }
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
        let (_, n_samples, width) = logits.dims3()?;
        let mut pulled = vec![0.0; logits.elem_count()];
        with_values(logits, |logits| {
            with_values(outcomes, |outcomes| {
                with_values(gradient, |gradient| {
                    let samples = logits.chunks_exact(width).zip(pulled.chunks_exact_mut(width)).zip(gradient);
                    for (sample, ((logits, pulled), gradient)) in samples.enumerate() {
                        let outcomes = &outcomes[sample / n_samples * width..][..width];
                        if width < WIDE {
                            for ((pulled, l), y) in pulled.iter_mut().zip(logits).zip(outcomes) {
                                *pulled = gradient * (y - sigmoid(*l));
                            }
                        } else if *gradient != 0.0 {
                            scaled_score(*gradient, logits, outcomes, pulled);
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
        let (logits, outcomes) = (f32_slice(logits, l1)?, f32_slice(outcomes, l2)?);
        let mut values = vec![0.0; logits.len()];
        for (sample, (logits, values)) in logits.chunks_exact(width).zip(values.chunks_exact_mut(width)).enumerate() {
            let outcomes = &outcomes[sample / n_samples * width..][..width];
            if width >= WIDE {
                scaled_score(1.0, logits, outcomes, values);
                continue;
            }
            for ((value, logit), outcome) in values.iter_mut().zip(logits).zip(outcomes) {
                *value = outcome - sigmoid(*logit);
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

/// [`bernoulli_log_likelihood`] of one wide row.
fn log_likelihood_of(logits: &[f32], outcomes: &[f32]) -> f32 {
    assert_eq!(logits.len(), outcomes.len());
    let mut value = 0.0;
    let found = &mut value;
    // Both slices have as many values as the first says.
    dispatch!(InstructionSet::best(), sum_row, (logits: &[f32], outcomes: &[f32], found: &mut f32));
    value
}

/// `scale (y_j - 1 / (1 + exp(-l_j)))` of one wide row.
fn scaled_score(scale: f32, logits: &[f32], outcomes: &[f32], to: &mut [f32]) {
    assert!(logits.len() == outcomes.len() && logits.len() == to.len());
    // All slices have as many values as the first says.
    dispatch!(InstructionSet::best(), score_row, (scale: f32, logits: &[f32], outcomes: &[f32], to: &mut [f32]));
}

/// The values behind the last whole vector, then as many of `rest` as are missing.
fn padded(values: &[f32], rest: f32) -> [f32; LANES] {
    let mut padded = [rest; LANES];
    let last = &values[values.len() / LANES * LANES..];
    padded[..last.len()].copy_from_slice(last);
    padded
}

#[inline(always)]
unsafe fn sum_row<S: Simd, const V: usize, const P: usize, const IN: usize>(
    logits: &[f32],
    outcomes: &[f32],
    found: &mut f32,
) {
    unsafe {
        let mut sum = S::splat(0.0);
        let whole = logits.len() / LANES * LANES;
        for at in (0..whole).step_by(S::LANES) {
            sum = add_terms::<S>(sum, logits.as_ptr().add(at), outcomes.as_ptr().add(at));
        }
        // An outcome of 0 at a logit of -100 adds nothing: log(1 + exp(-100)) vanishes beside any other term.
        let (logits, outcomes) = (padded(logits, -100.0), padded(outcomes, 0.0));
        for at in (0..LANES).step_by(S::LANES) {
            sum = add_terms::<S>(sum, logits.as_ptr().add(at), outcomes.as_ptr().add(at));
        }
        *found = S::sum(sum);
    }
}

#[inline(always)]
unsafe fn add_terms<S: Simd>(sum: S::V, logits: *const f32, outcomes: *const f32) -> S::V {
    unsafe {
        let (logits, outcomes) = (S::load(logits), S::load(outcomes));
        S::add(sum, S::sub(S::mul(outcomes, logits), simd::softplus::<S>(logits)))
    }
}

#[inline(always)]
unsafe fn score_row<S: Simd, const V: usize, const P: usize, const IN: usize>(
    scale: f32,
    logits: &[f32],
    outcomes: &[f32],
    to: &mut [f32],
) {
    unsafe {
        let whole = logits.len() / LANES * LANES;
        for at in (0..whole).step_by(S::LANES) {
            S::store(to.as_mut_ptr().add(at), score::<S>(scale, logits.as_ptr().add(at), outcomes.as_ptr().add(at)));
        }
        let (logits, outcomes) = (padded(logits, 0.0), padded(outcomes, 0.0));
        let mut last = [0.0; LANES];
        for at in (0..LANES).step_by(S::LANES) {
            S::store(last.as_mut_ptr().add(at), score::<S>(scale, logits.as_ptr().add(at), outcomes.as_ptr().add(at)));
        }
        let rest = to.len() - whole;
        to[whole..].copy_from_slice(&last[..rest]);
    }
}

#[inline(always)]
unsafe fn score<S: Simd>(scale: f32, logits: *const f32, outcomes: *const f32) -> S::V {
    unsafe { S::mul(S::splat(scale), S::sub(S::load(outcomes), simd::sigmoid::<S>(S::load(logits)))) }
}
