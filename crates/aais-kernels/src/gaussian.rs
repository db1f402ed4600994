//! Diagonal Gaussians over samples of rows: `(B, M, d)` samples, `(B, d)` means and log variances.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail};

use crate::buffer::{f32_slice, with_values};

/// `log(2 pi)`.
const LOG_TWO_PI: f64 = 1.837_877_066_409_345_3;

fn check(samples: &Tensor, mean: &Tensor, scale: &Tensor) -> Result<bool> {
    let (rows, _, width) = samples.dims3()?;
    for tensor in [mean, scale] {
        if tensor.dims() != [rows, width] {
            bail!("samples {:?} need parameters of shape ({rows}, {width}), got {:?}", samples.dims(), tensor.dims());
        }
    }
    Ok([samples, mean, scale].iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}

/// `mean + std * noise`: `(B, d)`, `(B, d)` and noise `(B, M, d)`, which takes no gradient, to `(B, M, d)`.
///
/// # Errors
/// If the shapes do not fit.
pub fn reparameterize(mean: &Tensor, std: &Tensor, noise: &Tensor) -> Result<Tensor> {
    if check(noise, mean, std)? {
        let operation = Reparameterize { noise: noise.detach(), n_samples: noise.dim(1)? };
        mean.contiguous()?.apply_op2(&std.contiguous()?, operation)
    } else {
        reparameterize_reference(mean, std, noise)
    }
}

/// [`reparameterize`] by composed operations.
///
/// # Errors
/// As [`reparameterize`].
pub fn reparameterize_reference(mean: &Tensor, std: &Tensor, noise: &Tensor) -> Result<Tensor> {
    noise.detach().broadcast_mul(&std.unsqueeze(1)?)?.broadcast_add(&mean.unsqueeze(1)?)
}

struct Reparameterize {
    noise: Tensor,
    n_samples: usize,
}

impl CustomOp2 for Reparameterize {
    fn name(&self) -> &'static str {
        "reparameterize"
    }

    fn cpu_fwd(&self, mean: &CpuStorage, l1: &Layout, std: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = l1.shape().dims2()?;
        let (mean, std) = (f32_slice(mean, l1)?, f32_slice(std, l2)?);
        let mut z = with_values(&self.noise, |noise| Ok(noise.to_vec()))?;
        let rows_of_z = z.chunks_exact_mut(self.n_samples * width);
        for ((z, mean), std) in rows_of_z.zip(mean.chunks_exact(width)).zip(std.chunks_exact(width)) {
            for z in z.chunks_exact_mut(width) {
                for ((z, mean), std) in z.iter_mut().zip(mean).zip(std) {
                    *z = mean + std * *z;
                }
            }
        }
        Ok((CpuStorage::F32(z), Shape::from((rows, self.n_samples, width))))
    }

    fn bwd(
        &self,
        mean: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, width) = mean.dims2()?;
        let (mut dmean, mut dstd) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let size = self.n_samples * width;
        let mut sum = |gradient: &[f32], noise: &[f32]| {
            let inputs = gradient.chunks_exact(size).zip(noise.chunks_exact(size));
            let outputs = dmean.chunks_exact_mut(width).zip(dstd.chunks_exact_mut(width));
            for ((gradient, noise), (dmean, dstd)) in inputs.zip(outputs) {
                for (gradient, noise) in gradient.chunks_exact(width).zip(noise.chunks_exact(width)) {
                    for (((dmean, dstd), gradient), noise) in dmean.iter_mut().zip(&mut *dstd).zip(gradient).zip(noise)
                    {
                        *dmean += gradient;
                        *dstd += gradient * noise;
                    }
                }
            }
            Ok(())
        };
        with_values(gradient, |gradient| with_values(&self.noise, |noise| sum(gradient, noise)))?;
        let tensor = |values| Tensor::from_vec(values, (rows, width), mean.device());
        Ok((Some(tensor(dmean)?), Some(tensor(dstd)?)))
    }
}

/// `log N(z; mean, exp(log_variance))`, summed over coordinates: `(B, M, d)`, `(B, d)`, `(B, d)` to `(B, M)`.
///
/// # Errors
/// If the shapes do not fit.
pub fn gaussian_log_density(z: &Tensor, mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    if check(z, mean, log_variance)? {
        z.contiguous()?.apply_op3(&mean.contiguous()?, &log_variance.contiguous()?, LogDensity)
    } else {
        gaussian_log_density_reference(z, mean, log_variance)
    }
}

/// [`gaussian_log_density`] by composed operations.
///
/// # Errors
/// As [`gaussian_log_density`].
pub fn gaussian_log_density_reference(z: &Tensor, mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    let (mean, log_variance) = (mean.unsqueeze(1)?, log_variance.unsqueeze(1)?);
    let squares = z.broadcast_sub(&mean)?.sqr()?.broadcast_mul(&log_variance.neg()?.exp()?)?;
    (squares.broadcast_add(&log_variance)? + LOG_TWO_PI)?.sum(D::Minus1)? * -0.5
}

struct LogDensity;

impl CustomOp3 for LogDensity {
    fn name(&self) -> &'static str {
        "gaussian_log_density"
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        l1: &Layout,
        mean: &CpuStorage,
        l2: &Layout,
        log_variance: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n_samples, width) = l1.shape().dims3()?;
        let (z, mean, log_variance) = (f32_slice(z, l1)?, f32_slice(mean, l2)?, f32_slice(log_variance, l3)?);
        let mut values = Vec::with_capacity(rows * n_samples);
        #[expect(clippy::cast_possible_truncation, reason = "a constant, rounded once")]
        let log_two_pi = LOG_TWO_PI as f32;
        let mut precision = vec![0.0; width];
        let parameters = mean.chunks_exact(width).zip(log_variance.chunks_exact(width));
        for (z, (mean, log_variance)) in z.chunks_exact(n_samples * width).zip(parameters) {
            inverse_of(log_variance, &mut precision);
            let constant: f32 = log_variance.iter().map(|v| v + log_two_pi).sum();
            if let (&[mean], &[precision]) = (mean, &precision[..]) {
                values.extend(z.iter().map(|z| -0.5 * ((z - mean) * (z - mean) * precision + constant)));
                continue;
            }
            values.extend(z.chunks_exact(width).map(|z| {
                let terms = z.iter().zip(mean).zip(&precision);
                let squares: f32 = terms.map(|((z, mean), precision)| (z - mean) * (z - mean) * precision).sum();
                -0.5 * (squares + constant)
            }));
        }
        Ok((CpuStorage::F32(values), Shape::from((rows, n_samples))))
    }

    fn bwd(
        &self,
        z: &Tensor,
        mean: &Tensor,
        log_variance: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, n_samples, width) = z.dims3()?;
        let wants_parameters = mean.track_op() || log_variance.track_op();
        let mut dz = vec![0.0; z.elem_count()];
        let (mut dmean, mut dlog_variance) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let mut precision = vec![0.0; width];
        let mut pull_row = |b: usize, z: &[f32], mean: &[f32], log_variance: &[f32], gradient: &[f32]| {
            inverse_of(log_variance, &mut precision);
            let dz = &mut dz[b * n_samples * width..][..n_samples * width];
            if let (false, &[mean], &[precision]) = (wants_parameters, mean, &precision[..]) {
                for ((dz, z), gradient) in dz.iter_mut().zip(z).zip(gradient) {
                    *dz = -(gradient * ((z - mean) * precision));
                }
                return;
            }
            let (dmean, dlog_variance) = (&mut dmean[b * width..][..width], &mut dlog_variance[b * width..][..width]);
            for ((dz, z), gradient) in dz.chunks_exact_mut(width).zip(z.chunks_exact(width)).zip(gradient) {
                for j in 0..width {
                    let difference = z[j] - mean[j];
                    let pull = gradient * (difference * precision[j]);
                    dz[j] = -pull;
                    dmean[j] += pull;
                    dlog_variance[j] += 0.5 * (pull * difference - gradient);
                }
            }
        };
        with_values(z, |z| {
            with_values(mean, |mean| {
                with_values(log_variance, |log_variance| {
                    with_values(gradient, |gradient| {
                        let rows = z.chunks_exact(n_samples * width).zip(gradient.chunks_exact(n_samples));
                        let parameters = mean.chunks_exact(width).zip(log_variance.chunks_exact(width));
                        for (b, ((z, gradient), (mean, log_variance))) in rows.zip(parameters).enumerate() {
                            pull_row(b, z, mean, log_variance, gradient);
                        }
                        Ok(())
                    })
                })
            })
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        let (dz, dmean, dlog_variance) = (tensor(dz, z)?, tensor(dmean, mean)?, tensor(dlog_variance, log_variance)?);
        Ok((Some(dz), mean.track_op().then_some(dmean), log_variance.track_op().then_some(dlog_variance)))
    }
}

/// `d log N(z; mean, exp(log_variance)) / dz`, `-(z - mean) exp(-log_variance)`: shapes as in [`gaussian_log_density`], to `(B, M, d)`.
///
/// It has gradients of its own, for all three.
///
/// # Errors
/// If the shapes do not fit.
pub fn gaussian_score(z: &Tensor, mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    if check(z, mean, log_variance)? {
        z.contiguous()?.apply_op3(&mean.contiguous()?, &log_variance.contiguous()?, Score)
    } else {
        gaussian_score_reference(z, mean, log_variance)
    }
}

/// [`gaussian_score`] by composed operations.
///
/// # Errors
/// As [`gaussian_score`].
pub fn gaussian_score_reference(z: &Tensor, mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    let (mean, precision) = (mean.unsqueeze(1)?, log_variance.neg()?.exp()?.unsqueeze(1)?);
    z.broadcast_sub(&mean)?.broadcast_mul(&precision)?.neg()
}

struct Score;

impl CustomOp3 for Score {
    fn name(&self) -> &'static str {
        "gaussian_score"
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        l1: &Layout,
        mean: &CpuStorage,
        l2: &Layout,
        log_variance: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n_samples, width) = l1.shape().dims3()?;
        let (z, mean, log_variance) = (f32_slice(z, l1)?, f32_slice(mean, l2)?, f32_slice(log_variance, l3)?);
        let mut values = Vec::with_capacity(z.len());
        let mut precision = vec![0.0; width];
        let parameters = mean.chunks_exact(width).zip(log_variance.chunks_exact(width));
        for (z, (mean, log_variance)) in z.chunks_exact(n_samples * width).zip(parameters) {
            inverse_of(log_variance, &mut precision);
            if let (&[mean], &[precision]) = (mean, &precision[..]) {
                values.extend(z.iter().map(|z| (mean - z) * precision));
                continue;
            }
            for z in z.chunks_exact(width) {
                values.extend(z.iter().zip(mean).zip(&precision).map(|((z, mean), precision)| (mean - z) * precision));
            }
        }
        Ok((CpuStorage::F32(values), l1.shape().clone()))
    }

    fn bwd(
        &self,
        z: &Tensor,
        mean: &Tensor,
        log_variance: &Tensor,
        score: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, n_samples, width) = z.dims3()?;
        let mut dz = vec![0.0; z.elem_count()];
        let (mut dmean, mut dlog_variance) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let mut precision = vec![0.0; width];
        let mut pull = |log_variance: &[f32], score: &[f32], gradient: &[f32]| {
            for b in 0..rows {
                inverse_of(&log_variance[b * width..][..width], &mut precision);
                let (dmean, dlog) = (&mut dmean[b * width..][..width], &mut dlog_variance[b * width..][..width]);
                for sample in 0..n_samples {
                    let start = (b * n_samples + sample) * width;
                    for j in 0..width {
                        let pulled = gradient[start + j] * precision[j];
                        dz[start + j] = -pulled;
                        dmean[j] += pulled;
                        dlog[j] -= gradient[start + j] * score[start + j];
                    }
                }
            }
            Ok(())
        };
        with_values(log_variance, |log_variance| {
            with_values(score, |score| with_values(gradient, |gradient| pull(log_variance, score, gradient)))
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        let (dz, dmean, dlog_variance) = (tensor(dz, z)?, tensor(dmean, mean)?, tensor(dlog_variance, log_variance)?);
        Ok((Some(dz), mean.track_op().then_some(dmean), log_variance.track_op().then_some(dlog_variance)))
    }
}

/// `exp(-log_variance)`.
fn inverse_of(log_variance: &[f32], precision: &mut [f32]) {
    for (precision, log_variance) in precision.iter_mut().zip(log_variance) {
        *precision = (-log_variance).exp();
    }
}
