//! Means over segments of rows: what makes an encoder of sets blind to the order of their rows.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use crate::buffer::{f32_slice, with_values};

/// The mean of the rows of each segment, rows `(R, H)` that lie segment after segment, to `(B, H)`; zero for an empty one.
///
/// # Errors
/// If the sizes do not add up to the rows.
pub fn segment_mean(rows: &Tensor, sizes: &[usize]) -> Result<Tensor> {
    let (n_rows, _) = rows.dims2()?;
    if sizes.iter().sum::<usize>() != n_rows {
        bail!("segments of {} rows do not fit {n_rows} rows", sizes.iter().sum::<usize>());
    }
    if rows.device().is_cpu() && rows.dtype() == DType::F32 {
        rows.contiguous()?.apply_op1(SegmentMean { sizes: sizes.to_vec() })
    } else {
        segment_mean_reference(rows, sizes)
    }
}

/// [`segment_mean`] by composed operations.
///
/// # Errors
/// As [`segment_mean`].
pub fn segment_mean_reference(rows: &Tensor, sizes: &[usize]) -> Result<Tensor> {
    let mut start = 0;
    let mut means = Vec::with_capacity(sizes.len());
    for &size in sizes {
        means.push(match size {
            0 => rows.zeros_like()?.narrow(0, 0, rows.dim(0)?)?.sum(0)?,
            _ => rows.narrow(0, start, size)?.mean(0)?,
        });
        start += size;
    }
    Tensor::stack(&means, 0)
}

struct SegmentMean {
    sizes: Vec<usize>,
}

/// `1 / n`.
#[expect(clippy::cast_precision_loss, reason = "segments are far below 2^24")]
fn share(size: usize) -> f32 {
    1.0 / size as f32
}

impl CustomOp1 for SegmentMean {
    fn name(&self) -> &'static str {
        "segment_mean"
    }

    fn cpu_fwd(&self, rows: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let mut rows = f32_slice(rows, layout)?;
        let mut means = vec![0.0f32; self.sizes.len() * width];
        for (&size, means) in self.sizes.iter().zip(means.chunks_exact_mut(width.max(1))) {
            let (own, rest) = rows.split_at(size * width);
            rows = rest;
            for row in own.chunks_exact(width.max(1)) {
                means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
            }
            if size > 0 {
                means.iter_mut().for_each(|mean| *mean *= share(size));
            }
        }
        Ok((CpuStorage::F32(means), Shape::from((self.sizes.len(), width))))
    }

    fn bwd(&self, rows: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, width) = rows.dims2()?;
        let mut pulled = Vec::with_capacity(rows.elem_count());
        with_values(gradient, |gradient| {
            for (&size, gradient) in self.sizes.iter().zip(gradient.chunks_exact(width.max(1))) {
                for _ in 0..size {
                    pulled.extend(gradient.iter().map(|gradient| gradient * share(size)));
                }
            }
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(pulled, rows.shape(), rows.device())?))
    }
}
