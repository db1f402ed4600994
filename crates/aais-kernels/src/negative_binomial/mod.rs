//! Negative binomial log-likelihoods of counts whose means are a softmax times a library size.
//!
//! For logits `l` of a row with counts `x`, library size `T` and inverse dispersions `r = exp(rho)`:
//! `m = T softmax(l)`, `t = log(m / r)` and
//! `log p = sum_g x t - (x + r) log(1 + exp(t)) + log G(x + r) - log G(r) - log G(x + 1)`, `G` the gamma function;
//! the variance of a count is `m + m^2 / r`. Both `m` and `r` are held at [`FLOOR`] from below.
//!
//! Softmax and likelihood are one pass over the samples, and nothing of the samples' size is stored between the passes
//! or on the way: the backward pass remakes the means from the logits and one normalizer a sample. What depends on row and
//! gene only, such as the gamma functions, is computed once for all samples.

mod fused;
mod row;

use candle_core::{D, DType, Result, Tensor, bail};

use crate::InstructionSet;
use crate::gamma::{log_gamma, log_rising_factorial};

/// Least mean and least inverse dispersion; a mean held there takes no gradient by the logits, nor does such a dispersion.
pub const FLOOR: f32 = 1e-10; // Deviation 33.

/// `log p` of each sample: logits `(B, M, G)`, counts `(B, G)`, library sizes `(B,)` and log inverse dispersions `(G,)`
/// to `(B, M)`.
///
/// Counts and library sizes take no gradient. A row without counts and of library size zero has means at the floor, no
/// gradient, and a value of about `-1e-10 G`. Negative counts, library sizes below zero, and logits that are NaN or
/// `+inf` give NaN, as do log inverse dispersions above 88, whose exponential single precision does not hold.
///
/// # Errors
/// If the shapes do not fit.
pub fn negative_binomial_log_likelihood(
    logits: &Tensor,
    counts: &Tensor,
    library_sizes: &Tensor,
    log_inverse_dispersions: &Tensor,
) -> Result<Tensor> {
    negative_binomial_log_likelihood_on(InstructionSet::best(), logits, counts, library_sizes, log_inverse_dispersions)
}

/// [`negative_binomial_log_likelihood`] with a chosen instruction set, which the processor must have: for tests and
/// benchmarks.
///
/// # Errors
/// As [`negative_binomial_log_likelihood`], and if the processor lacks `set`.
pub fn negative_binomial_log_likelihood_on(
    set: InstructionSet,
    logits: &Tensor,
    counts: &Tensor,
    library_sizes: &Tensor,
    log_inverse_dispersions: &Tensor,
) -> Result<Tensor> {
    set.check()?;
    if check(logits, counts, library_sizes, log_inverse_dispersions)? {
        fused::apply(set, logits, counts, library_sizes, log_inverse_dispersions)
    } else {
        negative_binomial_log_likelihood_reference(logits, counts, library_sizes, log_inverse_dispersions)
    }
}

/// [`negative_binomial_log_likelihood`] by composed operations.
///
/// # Errors
/// As [`negative_binomial_log_likelihood`].
pub fn negative_binomial_log_likelihood_reference(
    logits: &Tensor,
    counts: &Tensor,
    library_sizes: &Tensor,
    log_inverse_dispersions: &Tensor,
) -> Result<Tensor> {
    let counts = counts.detach();
    let Terms { counts: x, dispersion, log_ratio, .. } =
        terms(logits, &counts, library_sizes, log_inverse_dispersions)?;
    let loss = x.broadcast_add(&dispersion)?.broadcast_mul(&softplus(&log_ratio)?)?;
    let by_sample = (x.broadcast_mul(&log_ratio)? - loss)?;
    let by_row = (log_rising_factorial(&dispersion, &counts)? - log_gamma(&(&counts + 1.0)?)?)?;
    by_sample.sum(D::Minus1)?.broadcast_add(&by_row.sum_keepdim(D::Minus1)?)
}

/// `d negative_binomial_log_likelihood / d logits`, `(B, M, G)`; it has gradients of its own, by the logits and the log
/// inverse dispersions.
///
/// `s - p sum_g s` with `s = x - (x + r) m / (m + r)` and the softmax `p`. It is composed of operations of the samples'
/// size, for methods that differentiate a score; the others have the fused backward pass.
///
/// # Errors
/// If the shapes do not fit.
pub fn negative_binomial_score(
    logits: &Tensor,
    counts: &Tensor,
    library_sizes: &Tensor,
    log_inverse_dispersions: &Tensor,
) -> Result<Tensor> {
    check(logits, counts, library_sizes, log_inverse_dispersions)?;
    let terms = terms(logits, &counts.detach(), library_sizes, log_inverse_dispersions)?;
    // m / (m + r) as a logistic function of log(m / r), which does not overflow.
    let share = (((&terms.log_ratio * 0.5)?.tanh()? + 1.0)? * 0.5)?;
    let expected = terms.counts.broadcast_add(&terms.dispersion)?.broadcast_mul(&share)?;
    let slope = (terms.counts.broadcast_sub(&expected)? * &terms.is_free)?;
    let total = slope.sum_keepdim(D::Minus1)?;
    &slope - terms.log_softmax.exp()?.broadcast_mul(&total)?
}

/// What value and score share.
struct Terms {
    /// `x`, `(B, 1, G)`.
    counts: Tensor,
    /// `r`, `(G,)`.
    dispersion: Tensor,
    /// `log p`, `(B, M, G)`.
    log_softmax: Tensor,
    /// `log(m / r)`, `(B, M, G)`.
    log_ratio: Tensor,
    /// One where the mean is above the floor, else zero.
    is_free: Tensor,
}

fn terms(logits: &Tensor, counts: &Tensor, library_sizes: &Tensor, log_inverse_dispersions: &Tensor) -> Result<Terms> {
    let log_dispersion = held(log_inverse_dispersions)?;
    let shift = logits.detach().max_keepdim(D::Minus1)?;
    let shifted = logits.broadcast_sub(&shift)?;
    let log_softmax = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let log_library_sizes = library_sizes.detach().log()?.unsqueeze(1)?.unsqueeze(2)?;
    let log_mean = log_softmax.broadcast_add(&log_library_sizes)?;
    Ok(Terms {
        counts: counts.unsqueeze(1)?,
        dispersion: log_dispersion.exp()?,
        log_ratio: held(&log_mean)?.broadcast_sub(&log_dispersion)?,
        is_free: log_mean.detach().gt(f64::from(FLOOR).ln())?.to_dtype(logits.dtype())?,
        log_softmax,
    })
}

/// A logarithm, or that of the floor where it is below, without a gradient there. A NaN is not below and stays.
fn held(log: &Tensor) -> Result<Tensor> {
    let floor = f64::from(FLOOR).ln();
    log.detach().le(floor)?.where_cond(&(log.zeros_like()? + floor)?, log)
}

/// `log(1 + exp(x))`, exact to the last digits far below zero too: a large dispersion multiplies it.
fn softplus(x: &Tensor) -> Result<Tensor> {
    // x - 2 relu(x) is -|x|. candle's `relu` has the derivative 1 at zero, so that all of it has 1/2 there, as it should.
    let positive = x.relu()?;
    let power = (x - (&positive * 2.0)?)?.exp()?;
    // log(1 + e) = e log(u) / (u - 1) for the rounded u = 1 + e, and e where that is 1 (Kahan).
    let sum = (&power + 1.0)?;
    let excess = (&sum - 1.0)?;
    let is_one = excess.eq(0.0)?;
    let quotient = (&power * sum.log()?)? / is_one.where_cond(&excess.ones_like()?, &excess)?;
    positive + is_one.where_cond(&power, &quotient?)?
}

/// Whether the fused path takes them.
fn check(logits: &Tensor, counts: &Tensor, library_sizes: &Tensor, log_inverse_dispersions: &Tensor) -> Result<bool> {
    let (rows, _, width) = logits.dims3()?;
    if counts.dims() != [rows, width] || width == 0 {
        bail!("logits {:?} need counts of shape ({rows}, {width}), got {:?}", logits.dims(), counts.dims());
    }
    if library_sizes.dims() != [rows] {
        bail!("{rows} rows need as many library sizes, got {:?}", library_sizes.dims());
    }
    if log_inverse_dispersions.dims() != [width] {
        bail!("{width} genes need as many dispersions, got {:?}", log_inverse_dispersions.dims());
    }
    let all = [logits, counts, library_sizes, log_inverse_dispersions];
    Ok(all.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}
