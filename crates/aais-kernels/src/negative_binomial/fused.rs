//! The fused log likelihood as a candle operation.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::row::{Genes, LOG_FLOOR, Pulled, Row, backward, forward, padded};
use crate::InstructionSet;
use crate::buffer::{Buffer, f32_slice, with_values};
use crate::gamma::{log_binomial, rising_factorial_slope};
use crate::simd::dispatch;
use crate::threads::for_each;

/// Rows are dealt to at most this many groups, each with its own sum of gradients by the dispersions.
///
/// The number never depends on threads, so that the same sums are formed in the same order.
const MAX_GROUPS: usize = 8;

pub(super) fn apply(
    set: InstructionSet,
    logits: &Tensor,
    counts: &Tensor,
    library_sizes: &Tensor,
    log_inverse_dispersions: &Tensor,
) -> Result<Tensor> {
    let (counts, library_sizes) = (counts.detach().contiguous()?, library_sizes.detach().contiguous()?);
    let operation = LogLikelihood { set, counts, library_sizes };
    // Beside the values lie the log normalizers of the softmax, which the backward pass reads there.
    let both = logits.contiguous()?.apply_op2(&log_inverse_dispersions.contiguous()?, operation)?;
    both.get(0)
}

struct LogLikelihood {
    set: InstructionSet,
    counts: Tensor,
    library_sizes: Tensor,
}

/// The rows' data as plain values.
struct Data<'a> {
    counts: &'a [f32],
    library_sizes: &'a [f32],
    genes: &'a Genes,
    n_samples: usize,
    width: usize,
}

impl Data<'_> {
    fn rows_per_group(&self) -> usize {
        self.library_sizes.len().div_ceil(MAX_GROUPS).max(1)
    }

    /// Runs `work` on a row; `buffer` has two padded widths.
    fn with_row(&self, row: usize, constants: bool, buffer: &mut [f32], work: impl FnOnce(&Row)) {
        let n = padded(self.width);
        let (counts, by_row) = buffer.split_at_mut(n);
        counts.fill(0.0);
        counts[..self.width].copy_from_slice(&self.counts[row * self.width..][..self.width]);
        by_row.fill(0.0);
        if constants {
            for ((constant, count), r) in by_row[..self.width].iter_mut().zip(&*counts).zip(&*self.genes.dispersion) {
                #[expect(clippy::cast_possible_truncation, reason = "rounded once")]
                let value = log_binomial(f64::from(*r), f64::from(*count)) as f32;
                *constant = value;
            }
        }
        let library_size = self.library_sizes[row];
        work(&Row { genes: self.genes, width: self.width, counts, constants: by_row, library_size });
    }
}

impl Genes {
    fn new(log_inverse_dispersions: &[f32]) -> Self {
        let n = padded(log_inverse_dispersions.len());
        let zeros = || {
            let mut buffer = Buffer::take(n);
            buffer.fill(0.0);
            buffer
        };
        let mut genes = Self { dispersion: zeros(), inverse: zeros(), log_dispersion: zeros() };
        for (gene, log) in log_inverse_dispersions.iter().enumerate() {
            // A NaN is not below the floor and stays.
            let log = if *log < LOG_FLOOR { LOG_FLOOR } else { *log };
            genes.log_dispersion[gene] = log;
            genes.dispersion[gene] = log.exp();
            genes.inverse[gene] = 1.0 / genes.dispersion[gene];
        }
        genes
    }
}

impl CustomOp2 for LogLikelihood {
    fn name(&self) -> &'static str {
        "negative_binomial_log_likelihood"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        l1: &Layout,
        log_inverse_dispersions: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n_samples, width) = l1.shape().dims3()?;
        let logits = f32_slice(logits, l1)?;
        let genes = Genes::new(f32_slice(log_inverse_dispersions, l2)?);
        let mut found = vec![0.0; 2 * rows * n_samples];
        let (values, normalizers) = found.split_at_mut(rows * n_samples);
        with_values(&self.counts, |counts| {
            with_values(&self.library_sizes, |library_sizes| {
                Data { counts, library_sizes, genes: &genes, n_samples, width }.forward(
                    self.set,
                    logits,
                    values,
                    normalizers,
                );
                Ok(())
            })
        })?;
        Ok((CpuStorage::F32(found), Shape::from((2, rows, n_samples))))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        log_inverse_dispersions: &Tensor,
        found: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, n_samples, width) = logits.dims3()?;
        let genes = with_values(log_inverse_dispersions, |values| Ok(Genes::new(values)))?;
        let (normalizers, cotangent) = (found.get(1)?, gradient.get(0)?);
        let mut by_logits = vec![0.0; if logits.track_op() { logits.elem_count() } else { 0 }];
        let by_dispersions = with_values(&self.counts, |counts| {
            with_values(&self.library_sizes, |library_sizes| {
                let data = Data { counts, library_sizes, genes: &genes, n_samples, width };
                with_values(logits, |logits| {
                    with_values(&normalizers, |normalizers| {
                        with_values(&cotangent, |cotangent| {
                            Ok(data.backward(self.set, logits, normalizers, cotangent, &mut by_logits))
                        })
                    })
                })
            })
        })?;
        let device = logits.device();
        let by_logits =
            if logits.track_op() { Some(Tensor::from_vec(by_logits, logits.shape(), device)?) } else { None };
        Ok((by_logits, Some(Tensor::from_vec(by_dispersions, width, device)?)))
    }
}

impl Data<'_> {
    fn forward(&self, set: InstructionSet, logits: &[f32], values: &mut [f32], normalizers: &mut [f32]) {
        let (per_row, rows_per_group) = (self.n_samples * self.width, self.rows_per_group());
        let samples_per_group = (rows_per_group * self.n_samples).max(1);
        let groups = values.chunks_mut(samples_per_group).zip(normalizers.chunks_mut(samples_per_group));
        for_each(groups.enumerate().collect(), |(group, (values, normalizers))| {
            let mut buffer = Buffer::take(4 * padded(self.width));
            let (buffer, scratch) = buffer.split_at_mut(2 * padded(self.width));
            let samples = values.chunks_mut(self.n_samples).zip(normalizers.chunks_mut(self.n_samples));
            for (row, (values, normalizers)) in samples.enumerate() {
                let row = group * rows_per_group + row;
                let logits = &logits[row * per_row..][..per_row];
                self.with_row(row, true, buffer, |row| {
                    let scratch = &mut *scratch;
                    // Buffers are padded as `forward` asks.
                    dispatch!(set, forward, (
                        row: &Row<'_>, logits: &[f32], scratch: &mut [f32], values: &mut [f32],
                        normalizers: &mut [f32],
                    ));
                });
            }
        });
    }

    /// Fills the gradient by the logits unless it is empty, and returns that by the log inverse dispersions.
    fn backward(
        &self,
        set: InstructionSet,
        logits: &[f32],
        normalizers: &[f32],
        cotangent: &[f32],
        by_logits: &mut [f32],
    ) -> Vec<f32> {
        let (per_row, rows_per_group) = (self.n_samples * self.width, self.rows_per_group());
        let n_rows = self.library_sizes.len();
        let mut parts: Vec<&mut [f32]> = if by_logits.is_empty() {
            (0..n_rows.div_ceil(rows_per_group)).map(|_| &mut [][..]).collect()
        } else {
            by_logits.chunks_mut(rows_per_group * per_row).collect()
        };
        let mut sums = vec![vec![0.0f64; self.width]; parts.len()];
        let groups = parts.drain(..).zip(&mut sums).enumerate().collect();

        type Group<'a> = (usize, (&'a mut [f32], &'a mut Vec<f64>));
        for_each(groups, |(group, (by_logits, sums)): Group| {
            let n = padded(self.width);
            let mut buffer = Buffer::take(5 * n);
            let (buffer, scratch) = buffer.split_at_mut(3 * n);
            let (buffer, by_dispersions) = buffer.split_at_mut(2 * n);
            let first = group * rows_per_group;
            for row in first..n_rows.min(first + rows_per_group) {
                let samples = row * self.n_samples..(row + 1) * self.n_samples;
                let (normalizers, cotangent) = (&normalizers[samples.clone()], &cotangent[samples]);
                let values = &logits[row * per_row..][..per_row];
                let by_logits = if by_logits.is_empty() {
                    &mut [][..]
                } else {
                    &mut by_logits[(row - first) * per_row..][..per_row]
                };
                by_dispersions.fill(0.0);
                self.with_row(row, false, buffer, |row| {
                    let (scratch, logits) = (&mut *scratch, values);
                    let pulled = &mut Pulled { logits: by_logits, dispersions: by_dispersions };
                    // Buffers are padded as `backward` asks.
                    dispatch!(set, backward, (
                        row: &Row<'_>, logits: &[f32], normalizers: &[f32], cotangent: &[f32], scratch: &mut [f32],
                        pulled: &mut Pulled<'_>,
                    ));
                    self.add(row, cotangent, pulled.dispersions, sums);
                });
            }
        });
        self.total(&sums)
    }

    /// Adds a row's gradient by the dispersions, with the part of the gamma functions.
    fn add(&self, row: &Row, cotangent: &[f32], by_dispersions: &[f32], sums: &mut [f64]) {
        let total: f64 = cotangent.iter().copied().map(f64::from).sum();
        let genes = row.counts.iter().zip(&*self.genes.dispersion).zip(by_dispersions);
        for (sum, ((count, r), by_samples)) in sums.iter_mut().zip(genes) {
            let (r, x) = (f64::from(*r), f64::from(*count));
            *sum += f64::from(*by_samples);
            if x != 0.0 {
                *sum += total * r * rising_factorial_slope(r, x);
            }
        }
    }

    /// The groups' sums added in order, zero where the dispersion is at its floor.
    fn total(&self, groups: &[Vec<f64>]) -> Vec<f32> {
        let gene = |gene: usize| {
            let sum: f64 = groups.iter().map(|sums| sums[gene]).sum();
            #[expect(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
            let sum = sum as f32;
            if self.genes.log_dispersion[gene] == LOG_FLOOR { 0.0 } else { sum }
        };
        (0..self.width).map(gene).collect()
    }
}
