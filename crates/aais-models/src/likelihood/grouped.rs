//! Rows in groups, the signal being the random effects that a group's rows share.

use aais_distributions::Noise;
use aais_kernels::{Curve, CurveFunction, GroupedRows, grouped_sum, segment_mean};
use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor, bail};
use statrs::function::gamma::{digamma, ln_gamma};

use super::Likelihood;
use crate::batch::Batch;

/// `p(y_g | u) = Π_j p(y_gj | η_gj)` with `η_gj = offset_gj + x_gj β + w_gj u`, up to a constant of the data.
///
/// Its parameters are the fixed effects `β`, then the logarithm of the dispersion where the family has one.
#[derive(Clone, Copy, Debug)]
pub struct Grouped {
    /// Distribution of a row.
    pub family: GroupedFamily,
    /// What a row of the data holds.
    pub columns: GroupedColumns,
}

/// Distribution of a row of grouped data, its weight being `a`.
#[derive(Clone, Copy, Debug)]
pub enum GroupedFamily {
    /// `N(η, σ² / a)`; the dispersion is `σ`. Left out: `½ log(a / 2π)`.
    Normal,
    /// Share `y` of `a` trials with log odds `η`. Left out: the binomial coefficient.
    Binomial,
    /// Counts of rate `exp(η)`, to the power `a`. Left out: `−a log y!`.
    Poisson,
    /// Counts with mean `μ = exp(η)` and variance `μ + μ² / θ`, to the power `a`; the dispersion is the size `θ`.
    /// Left out: `−a log y!`.
    NegativeBinomial,
    /// Positive values with mean `μ = exp(η)` and variance `μ² / (a k)`; the dispersion is the shape `k`.
    /// Left out: `−log y`.
    Gamma,
    /// `a f(y, η)`, of which the function gives the value and the slope in `η`.
    Other(CurveFunction),
}

impl GroupedFamily {
    /// Whether a dispersion is trained with the fixed effects.
    pub fn has_dispersion(self) -> bool {
        matches!(self, Self::Normal | Self::NegativeBinomial | Self::Gamma)
    }
}

/// A row of grouped data: features for the encoder, then `x`, `w`, `offset`, `y` and the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupedColumns {
    /// Columns that only the encoder reads.
    pub features: usize,
    /// Length of `x` and `β`.
    pub fixed: usize,
    /// Length of `w` and the signal.
    pub random: usize,
}

impl GroupedColumns {
    /// Width of a row.
    pub fn width(self) -> usize {
        self.features + self.fixed + self.random + 3
    }
}

/// What a sum over rows is made of.
struct Terms {
    curve: Curve,
    shift: Tensor,
    /// `(2, R)`.
    coefficients: Tensor,
    /// What a row adds whatever its effects, `(R,)`; of families with a dispersion.
    normalizer: Option<Tensor>,
}

impl Grouped {
    fn terms(&self, batch: &Batch, parameters: &Tensor) -> Result<Terms> {
        let GroupedColumns { features, fixed, random } = self.columns;
        let column = |k: usize| batch.observed.narrow(1, features + fixed + random + k, 1)?.squeeze(1);
        let (offset, y, weight) = (column(0)?, column(1)?, column(2)?);
        let x = batch.observed.narrow(1, features, fixed)?.contiguous()?;
        let beta = parameters.narrow(0, 0, fixed)?.reshape((fixed, 1))?;
        let shift = (x.matmul(&beta)?.squeeze(1)? + &offset)?;
        let plain = |curve, shift, a: Tensor, b: Tensor| -> Result<Terms> {
            Ok(Terms { curve, shift, coefficients: Tensor::stack(&[a, b], 0)?, normalizer: None })
        };
        if !self.family.has_dispersion() {
            return match self.family {
                GroupedFamily::Binomial => plain(Curve::Logistic, shift, (&weight * &y)?, weight),
                GroupedFamily::Other(curve) => plain(Curve::Other(curve), shift, weight, y),
                _ => plain(Curve::Rising, shift, (&weight * &y)?, weight),
            };
        }
        let log_dispersion = parameters.narrow(0, fixed, 1)?.broadcast_as(y.shape())?;
        let dispersion = log_dispersion.exp()?;
        let (terms, normalizer) = match self.family {
            GroupedFamily::Normal => {
                let precision = (&weight * (&log_dispersion * -2.0)?.exp()?)?;
                (plain(Curve::Quadratic, shift, precision, y)?, log_dispersion.neg()?)
            }
            GroupedFamily::NegativeBinomial => {
                let total = (&y + &dispersion)?;
                let log_ratio = (log_gamma(&total)? - log_gamma(&dispersion)?)?;
                let normalizer = (&weight * log_ratio)?;
                let shift = (shift - &log_dispersion)?;
                (plain(Curve::Logistic, shift, (&weight * &y)?, (&weight * total)?)?, normalizer)
            }
            _ => {
                let shape = (&weight * &dispersion)?;
                let normalizer = ((&shape * (&shape * &y)?.log()?)? - log_gamma(&shape)?)?;
                (plain(Curve::Falling, shift, shape.neg()?, (&shape * &y)?)?, normalizer)
            }
        };
        Ok(Terms { normalizer: Some(normalizer), ..terms })
    }

    fn check(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<()> {
        let (_, columns) = batch.observed.dims2()?;
        let n_parameters = self.columns.fixed + usize::from(self.family.has_dispersion());
        if columns != self.columns.width() || parameters.dims() != [n_parameters] {
            bail!(
                "rows of {} columns and {n_parameters} parameters are wanted, got {columns} and {:?}",
                self.columns.width(),
                parameters.dims()
            );
        }
        if signal.dim(D::Minus1)? != self.columns.random {
            bail!("the signal has {} coordinates, the rows are for {}", signal.dim(D::Minus1)?, self.columns.random);
        }
        Ok(())
    }
}

impl Likelihood for Grouped {
    /// Zeros: start from a fit.
    fn initial_parameters(&self, _: &mut Noise) -> Vec<f32> {
        vec![0.0; self.columns.fixed + usize::from(self.family.has_dispersion())]
    }

    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, parameters: &Tensor) -> Result<Tensor> {
        self.check(signal, batch, parameters)?;
        let sizes = batch.sizes()?;
        if batch.observed.dim(0)? == 0 {
            return signal.sum(D::Minus1)? * 0.0;
        }
        let Terms { curve, shift, coefficients, normalizer } = self.terms(batch, parameters)?;
        let loadings = batch.observed.narrow(1, self.columns.features + self.columns.fixed, self.columns.random)?;
        let rows = GroupedRows { sizes: sizes.to_vec(), loadings };
        let sums = grouped_sum(curve, &rows, signal, &shift, &coefficients)?;
        let Some(normalizer) = normalizer else { return Ok(sums) };
        #[expect(clippy::cast_precision_loss, reason = "groups are far below 2^24 rows")]
        let lengths: Vec<f32> = sizes.iter().map(|&size| size as f32).collect();
        let lengths = Tensor::from_vec(lengths, (sizes.len(), 1), signal.device())?;
        sums.broadcast_add(&(segment_mean(&normalizer.unsqueeze(1)?, sizes)? * lengths)?)
    }

    fn score(&self, _: &Tensor, _: &Batch, _: &Tensor) -> Result<Tensor> {
        bail!("grouped rows are trained by methods without Langevin steps: vae, iwae and aais")
    }
}

/// `log Γ(x)` element by element, rounded once, with its gradient.
fn log_gamma(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(LogGamma)
}

struct LogGamma;

#[expect(clippy::cast_possible_truncation, reason = "results are in single precision")]
fn rounded(values: &[f32], f: impl Fn(f64) -> f64) -> Vec<f32> {
    values.iter().map(|value| f(f64::from(*value)) as f32).collect()
}

impl CustomOp1 for LogGamma {
    fn name(&self) -> &'static str {
        "log_gamma"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("log_gamma takes contiguous tensors") };
        let values = rounded(&x.as_slice::<f32>()?[start..end], ln_gamma);
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let slopes = rounded(&x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?, digamma);
        Ok(Some((Tensor::from_vec(slopes, x.shape(), x.device())? * gradient)?))
    }
}
