//! One step: the move, the density of a move, and Metropolis's decision about it.

use aais_distributions::Noise;
use candle_core::{D, DType, Result, Tensor, bail};

/// Step sizes: one for all latent coordinates, one for each, or one for each coordinate of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSize {
    values: Vec<f64>,
    /// Of a batch, where rows have their own.
    n_rows: Option<usize>,
}

impl StepSize {
    /// One for all coordinates.
    ///
    /// # Errors
    /// If it is not a positive number.
    pub fn new(value: f64) -> Result<Self> {
        Self::of_each(vec![value])
    }

    /// One for each coordinate.
    ///
    /// # Errors
    /// If there is none, or one is not a positive number.
    pub fn of_each(values: Vec<f64>) -> Result<Self> {
        if values.is_empty() || values.iter().any(|value| !(value.is_finite() && *value > 0.0)) {
            bail!("step sizes must be positive numbers, got {values:?}");
        }
        Ok(Self { values, n_rows: None })
    }

    /// One for each coordinate of each row of a batch, `(B, d)`.
    ///
    /// # Errors
    /// If there is none, one is not a positive number, or rows differ in length.
    pub fn of_rows(rows: &[Vec<f64>]) -> Result<Self> {
        let latent = rows.first().map_or(0, Vec::len);
        if let Some(row) = rows.iter().find(|row| row.len() != latent) {
            bail!("rows have {latent} and {} step sizes; expected one for each coordinate", row.len());
        }
        Ok(Self { n_rows: Some(rows.len()), ..Self::of_each(rows.concat())? })
    }

    /// One value, one a coordinate, or those of one row after another.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `f(step size) * x` by coordinate, `(B, M, d)`.
    fn scale(&self, x: &Tensor, f: impl Fn(f64) -> f64) -> Result<Tensor> {
        let first = self.values[0];
        if self.values.iter().all(|value| *value == first) {
            return x * f(first);
        }
        let factors = Tensor::new(self.values.iter().map(|value| f(*value)).collect::<Vec<_>>(), x.device())?;
        let factors = match self.n_rows {
            None => factors,
            Some(n_rows) => factors.reshape((n_rows, 1, self.values.len() / n_rows))?,
        };
        x.broadcast_mul(&factors.to_dtype(x.dtype())?)
    }
}

/// A move and the density of having made it.
#[derive(Clone, Debug)]
pub struct Move {
    /// Where it leads, `(B, M, d)`.
    pub z: Tensor,
    /// [`log_kernel`] of it, `(B, M)`; no gradient, for it is the noise's own density.
    pub log_kernel: Tensor,
}

/// The unadjusted Langevin move `z + h score + sqrt(2 h) noise`; gradients flow through `z` and `score`.
///
/// `(B, M, d)` both; `h` is the step size and the noise standard normal (Roberts and Tweedie 1996).
///
/// # Errors
/// If the shapes differ.
pub fn ula(z: &Tensor, score: &Tensor, step_size: &StepSize, noise: &mut Noise) -> Result<Move> {
    let noise = noise.standard_normal(z.dims(), z.device())?.to_dtype(z.dtype())?;
    let drifted = (z + step_size.scale(score, |h| h)?)?;
    let log_kernel = (noise.sqr()?.sum(D::Minus1)? * -0.5)?;
    Ok(Move { z: (drifted + step_size.scale(&noise, |h| (2.0 * h).sqrt())?)?, log_kernel })
}

/// Log density of the move from one point to another, `(B, M)`: `-|to - from - h score|^2 / (4 h)`.
///
/// Without the constant `-d/2 log(4 pi h)`, which a move and its reverse have in common. `score` is taken at `from`.
///
/// # Errors
/// If the shapes differ.
pub fn log_kernel(from: &Tensor, score: &Tensor, to: &Tensor, step_size: &StepSize) -> Result<Tensor> {
    let left = ((to - from)? - step_size.scale(score, |h| h)?)?;
    step_size.scale(&left, |h| (2.0 * h).sqrt().recip())?.sqr()?.sum(D::Minus1)? * -0.5
}

/// What Metropolis decided about each sample's move.
#[derive(Clone, Debug)]
pub struct Decision {
    /// `1` where the move is made, `(B, M)`, of type `u8`.
    pub accepted: Tensor,
    /// `min(1, ratio)`, `(B, M)`, detached.
    pub probability: Tensor,
    /// Log probability of what was decided, `(B, M)`, with gradients.
    pub log_probability: Tensor,
}

/// Keeps the log probability of rejecting a certain move finite.
const LEAST_REJECTION: f64 = 1e-8;

/// Accepts with probability `min(1, exp(log_ratio))`; `(B, M)`. NaN is never accepted.
///
/// # Errors
/// If a tensor operation fails.
pub fn metropolis(log_ratio: &Tensor, noise: &mut Noise) -> Result<Decision> {
    // candle's `relu` of NaN is zero, which would be certain acceptance, and NaN would spoil the gradients of the rest.
    let is_number = log_ratio.eq(log_ratio)?;
    let log_ratio = &is_number.where_cond(log_ratio, &log_ratio.zeros_like()?)?;
    let level = noise.uniform_tensor(log_ratio.dims(), log_ratio.device())?.to_dtype(log_ratio.dtype())?;
    let log_accept = log_ratio.neg()?.relu()?.neg()?; // min(0, log ratio)
    let probability = is_number.where_cond(&log_accept.detach().exp()?, &log_ratio.zeros_like()?)?;
    let accepted = level.lt(&probability)?;
    let log_reject = ((log_accept.exp()?.neg()? + 1.0)? + LEAST_REJECTION)?.log()?;
    let log_probability = accepted.where_cond(&log_accept, &log_reject)?;
    Ok(Decision { accepted, probability, log_probability })
}

/// `yes` where `mask` (`(B, M)`, type `u8`) is set, else `no`; both `(B, M)` or `(B, M, d)`.
///
/// # Errors
/// If the shapes do not fit.
pub fn select(mask: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    if mask.dtype() != DType::U8 {
        bail!("a mask is of type u8, got {:?}", mask.dtype());
    }
    if yes.rank() == mask.rank() {
        return mask.where_cond(yes, no);
    }
    mask.unsqueeze(D::Minus1)?.broadcast_as(yes.shape())?.contiguous()?.where_cond(yes, no)
}
