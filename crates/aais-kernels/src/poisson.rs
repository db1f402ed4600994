//! Poisson log-likelihoods of log rates `(B, M)` that are held within bounds.

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use crate::buffer::{f32_slice, with_values};

fn check(log_rate: &Tensor, counts: &Tensor, log_factorials: &Tensor) -> Result<bool> {
    let (rows, _) = log_rate.dims2()?;
    for tensor in [counts, log_factorials] {
        if tensor.dims() != [rows] {
            bail!("{rows} rows of log rates need as many counts, got {:?}", tensor.dims());
        }
    }
    Ok([log_rate, counts, log_factorials].iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}

/// `y e - exp(e) - log y!` with `e` the log rate, held within `-bound` and `bound`: log rates `(B, M)`, counts `y` and
/// `log y!` `(B,)`, to `(B, M)`.
///
/// Outside the bounds there is no gradient. Counts take none anywhere.
///
/// # Errors
/// If the shapes do not fit.
pub fn poisson_log_likelihood(
    log_rate: &Tensor,
    counts: &Tensor,
    log_factorials: &Tensor,
    bound: f32,
) -> Result<Tensor> {
    let (counts, log_factorials) = (counts.detach().contiguous()?, log_factorials.detach().contiguous()?);
    if check(log_rate, &counts, &log_factorials)? {
        log_rate.contiguous()?.apply_op3(&counts, &log_factorials, LogLikelihood { bound })
    } else {
        poisson_log_likelihood_reference(log_rate, &counts, &log_factorials, bound)
    }
}

/// [`poisson_log_likelihood`] by composed operations.
///
/// # Errors
/// As [`poisson_log_likelihood`].
pub fn poisson_log_likelihood_reference(
    log_rate: &Tensor,
    counts: &Tensor,
    log_factorials: &Tensor,
    bound: f32,
) -> Result<Tensor> {
    let held = held(log_rate, bound)?;
    let value = (held.broadcast_mul(&counts.detach().unsqueeze(1)?)? - held.exp()?)?;
    value.broadcast_sub(&log_factorials.detach().unsqueeze(1)?)
}

/// `d poisson_log_likelihood / d log_rate`, `y - exp(e)` within the bounds and zero outside; it has a gradient of its own.
///
/// # Errors
/// If the shapes do not fit.
pub fn poisson_score(log_rate: &Tensor, counts: &Tensor, bound: f32) -> Result<Tensor> {
    let counts = counts.detach().contiguous()?;
    if check(log_rate, &counts, &counts)? {
        log_rate.contiguous()?.apply_op3(&counts, &counts, Score { bound })
    } else {
        poisson_score_reference(log_rate, &counts, bound)
    }
}

/// [`poisson_score`] by composed operations.
///
/// # Errors
/// As [`poisson_score`].
pub fn poisson_score_reference(log_rate: &Tensor, counts: &Tensor, bound: f32) -> Result<Tensor> {
    let score = held(log_rate, bound)?.exp()?.neg()?.broadcast_add(&counts.detach().unsqueeze(1)?)?;
    score * within(log_rate, bound)?
}

/// One within the bounds, zero outside.
fn within(log_rate: &Tensor, bound: f32) -> Result<Tensor> {
    log_rate.detach().abs()?.le(f64::from(bound))?.to_dtype(log_rate.dtype())
}

/// `e`: the log rate within the bounds, the bound outside, where it takes no gradient.
fn held(log_rate: &Tensor, bound: f32) -> Result<Tensor> {
    let bound = f64::from(bound);
    let outside = log_rate.detach().clamp(-bound, bound)?;
    log_rate.detach().abs()?.le(bound)?.where_cond(log_rate, &outside)
}

struct LogLikelihood {
    bound: f32,
}

impl CustomOp3 for LogLikelihood {
    fn name(&self) -> &'static str {
        "poisson_log_likelihood"
    }

    fn cpu_fwd(
        &self,
        log_rate: &CpuStorage,
        l1: &Layout,
        counts: &CpuStorage,
        l2: &Layout,
        log_factorials: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n_samples) = l1.shape().dims2()?;
        let (counts, log_factorials) = (f32_slice(counts, l2)?, f32_slice(log_factorials, l3)?);
        let mut values = f32_slice(log_rate, l1)?.to_vec();
        for ((values, count), log_factorial) in values.chunks_exact_mut(n_samples).zip(counts).zip(log_factorials) {
            for value in values {
                let held = value.clamp(-self.bound, self.bound);
                *value = count * held - held.exp() - log_factorial;
            }
        }
        Ok((CpuStorage::F32(values), l1.shape().clone()))
    }

    fn bwd(
        &self,
        log_rate: &Tensor,
        counts: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let bound = self.bound;
        let pulled = pull(log_rate, counts, gradient, bound, |count, held| count - held.exp())?;
        Ok((Some(pulled), None, None))
    }
}

struct Score {
    bound: f32,
}

impl CustomOp3 for Score {
    fn name(&self) -> &'static str {
        "poisson_score"
    }

    fn cpu_fwd(
        &self,
        log_rate: &CpuStorage,
        l1: &Layout,
        counts: &CpuStorage,
        l2: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n_samples) = l1.shape().dims2()?;
        let mut values = f32_slice(log_rate, l1)?.to_vec();
        for (values, count) in values.chunks_exact_mut(n_samples).zip(f32_slice(counts, l2)?) {
            for value in values {
                // A NaN is not outside and stays.
                *value = if value.abs() > self.bound { 0.0 } else { count - value.exp() };
            }
        }
        Ok((CpuStorage::F32(values), l1.shape().clone()))
    }

    fn bwd(
        &self,
        log_rate: &Tensor,
        counts: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok((Some(pull(log_rate, counts, gradient, self.bound, |_, held| -held.exp())?), None, None))
    }
}

/// The gradient times a derivative of count and log rate, zero outside the bounds.
fn pull(
    log_rate: &Tensor,
    counts: &Tensor,
    gradient: &Tensor,
    bound: f32,
    derivative: impl Fn(f32, f32) -> f32,
) -> Result<Tensor> {
    let (_, n_samples) = log_rate.dims2()?;
    let mut pulled = with_values(gradient, |gradient| Ok(gradient.to_vec()))?;
    with_values(log_rate, |log_rate| {
        with_values(counts, |counts| {
            let rows = pulled.chunks_exact_mut(n_samples).zip(log_rate.chunks_exact(n_samples)).zip(counts);
            for ((pulled, log_rate), count) in rows {
                for (pulled, log_rate) in pulled.iter_mut().zip(log_rate) {
                    *pulled *= if log_rate.abs() > bound { 0.0 } else { derivative(*count, *log_rate) };
                }
            }
            Ok(())
        })
    })?;
    Tensor::from_vec(pulled, log_rate.shape(), log_rate.device())
}
