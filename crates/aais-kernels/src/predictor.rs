//! Linear predictors of generalized linear mixed models over samples of rows: `(B, M, D)` effects, `(B, D)` covariates.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, DType, Layout, Result, Shape, Tensor, bail};

use crate::buffer::{f32_slice, with_values};

fn check(covariates: &Tensor, rows: usize, width: Option<usize>, others: &[&Tensor]) -> Result<bool> {
    let (found, columns) = covariates.dims2()?;
    if found != rows || width.is_some_and(|width| width != columns) {
        bail!("covariates of shape ({found}, {columns}) do not fit {rows} rows of width {width:?}");
    }
    Ok(others.iter().chain([&covariates]).all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}

/// `offset + sum_j covariates_j effects_j`: effects `(B, M, D)`, offsets `(B,)`, covariates `(B, D)`, to `(B, M)`.
///
/// Covariates take no gradient.
///
/// # Errors
/// If the shapes do not fit.
pub fn linear_predictor(effects: &Tensor, offset: &Tensor, covariates: &Tensor) -> Result<Tensor> {
    let (rows, _, width) = effects.dims3()?;
    if offset.dims() != [rows] {
        bail!("{rows} rows need as many offsets, got {:?}", offset.dims());
    }
    if check(covariates, rows, Some(width), &[effects, offset])? {
        effects
            .contiguous()?
            .apply_op2(&offset.contiguous()?, LinearPredictor { covariates: covariates.detach().contiguous()? })
    } else {
        linear_predictor_reference(effects, offset, covariates)
    }
}

/// [`linear_predictor`] by composed operations.
///
/// # Errors
/// As [`linear_predictor`].
pub fn linear_predictor_reference(effects: &Tensor, offset: &Tensor, covariates: &Tensor) -> Result<Tensor> {
    let products = effects.broadcast_mul(&covariates.detach().unsqueeze(1)?)?;
    products.sum(D::Minus1)?.broadcast_add(&offset.unsqueeze(1)?)
}

struct LinearPredictor {
    covariates: Tensor,
}

impl CustomOp2 for LinearPredictor {
    fn name(&self) -> &'static str {
        "linear_predictor"
    }

    fn cpu_fwd(
        &self,
        effects: &CpuStorage,
        l1: &Layout,
        offset: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n_samples, width) = l1.shape().dims3()?;
        let (effects, offset) = (f32_slice(effects, l1)?, f32_slice(offset, l2)?);
        let mut values = Vec::with_capacity(rows * n_samples);
        with_values(&self.covariates, |covariates| {
            let rows = effects.chunks_exact(n_samples * width).zip(covariates.chunks_exact(width)).zip(offset);
            for ((effects, covariates), offset) in rows {
                values.extend(effects.chunks_exact(width).map(|effects| {
                    effects.iter().zip(covariates).fold(*offset, |sum, (effect, covariate)| sum + effect * covariate)
                }));
            }
            Ok(())
        })?;
        Ok((CpuStorage::F32(values), Shape::from((rows, n_samples))))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(scaled_covariates(gradient, &self.covariates)?), Some(gradient.sum(1)?)))
    }
}

/// Row by row the outer product of scales `(B, M)` and covariates `(B, D)`, `(B, M, D)`: what carries a gradient by a
/// linear predictor to the effects. Covariates take no gradient.
///
/// # Errors
/// If the shapes do not fit.
pub fn scaled_covariates(scales: &Tensor, covariates: &Tensor) -> Result<Tensor> {
    let (rows, _) = scales.dims2()?;
    if check(covariates, rows, None, &[scales])? {
        scales.contiguous()?.apply_op1(ScaledCovariates { covariates: covariates.detach().contiguous()? })
    } else {
        scaled_covariates_reference(scales, covariates)
    }
}

/// [`scaled_covariates`] by composed operations.
///
/// # Errors
/// As [`scaled_covariates`].
pub fn scaled_covariates_reference(scales: &Tensor, covariates: &Tensor) -> Result<Tensor> {
    scales.unsqueeze(2)?.broadcast_mul(&covariates.detach().unsqueeze(1)?)
}

struct ScaledCovariates {
    covariates: Tensor,
}

impl CustomOp1 for ScaledCovariates {
    fn name(&self) -> &'static str {
        "scaled_covariates"
    }

    fn cpu_fwd(&self, scales: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, n_samples) = layout.shape().dims2()?;
        let (_, width) = self.covariates.dims2()?;
        let scales = f32_slice(scales, layout)?;
        let mut values = Vec::with_capacity(rows * n_samples * width);
        with_values(&self.covariates, |covariates| {
            for (scales, covariates) in scales.chunks_exact(n_samples).zip(covariates.chunks_exact(width)) {
                for scale in scales {
                    values.extend(covariates.iter().map(|covariate| scale * covariate));
                }
            }
            Ok(())
        })?;
        Ok((CpuStorage::F32(values), Shape::from((rows, n_samples, width))))
    }

    fn bwd(&self, scales: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let none = Tensor::zeros(scales.dim(0)?, gradient.dtype(), gradient.device())?;
        Ok(Some(linear_predictor(gradient, &none, &self.covariates)?))
    }
}
