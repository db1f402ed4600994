//! All samples of one row, on vectors of genes.

use super::FLOOR;
use crate::buffer::Buffer;
use crate::simd::{Simd, exp_of_negative, log_one_plus};

/// Widths are padded to the most lanes an instruction set has.
const LANES: usize = 16;

/// The width that everything but the samples themselves is padded to.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// What all rows share, gene by gene. Padding has zeros, which contribute nothing.
pub(super) struct Genes {
    /// `r`.
    pub dispersion: Buffer,
    /// `1 / r`.
    pub inverse: Buffer,
    /// `log r`.
    pub log_dispersion: Buffer,
}

/// One row of the data.
pub(super) struct Row<'a> {
    pub genes: &'a Genes,
    /// Genes without padding.
    pub width: usize,
    /// `x`, padded with zeros.
    pub counts: &'a [f32],
    /// What does not depend on the sample, `log Γ(x + r) − log Γ(r) − log Γ(x + 1)`, padded with zeros.
    pub constants: &'a [f32],
    /// `T`.
    pub library_size: f32,
}

/// Where the backward pass of a row goes.
pub(super) struct Pulled<'a> {
    /// By the logits, `(M, G)`; empty if nobody asks.
    pub logits: &'a mut [f32],
    /// By the log inverse dispersions but for the gamma functions, added up over samples, padded.
    pub dispersions: &'a mut [f32],
}

/// Copies a sample's logits into a buffer whose padding has no probability.
fn load(logits: &[f32], scratch: &mut [f32]) {
    let (front, padding) = scratch.split_at_mut(logits.len());
    front.copy_from_slice(logits);
    padding.fill(f32::NEG_INFINITY);
}

/// Log likelihoods and log normalizers of the softmax, sample by sample.
///
/// # Safety
/// The features of `S`; buffers padded as [`Row`] says, `scratch` of two padded widths.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    row: &Row<'_>,
    logits: &[f32],
    scratch: &mut [f32],
    values: &mut [f32],
    normalizers: &mut [f32],
) {
    unsafe {
        let n = padded(row.width);
        let (scratch, powers) = scratch.split_at_mut(n);
        for ((logits, value), normalizer) in logits.chunks_exact(row.width).zip(values).zip(normalizers) {
            load(logits, scratch);
            let largest = largest::<S>(scratch);
            let shift = S::splat(largest);
            let mut sum = S::splat(0.0);
            for at in (0..n).step_by(S::LANES) {
                let power = exp_of_negative::<S>(S::sub(S::load(scratch.as_ptr().add(at)), shift));
                S::store(powers.as_mut_ptr().add(at), power);
                sum = S::add(sum, power);
            }
            let sum = S::sum(sum);
            *normalizer = largest + sum.ln();

            let (factor, log_factor) =
                (S::splat(row.library_size / sum), S::splat(row.library_size.ln() - *normalizer));
            let mut total = S::splat(0.0);
            for at in (0..n).step_by(S::LANES) {
                let gene = Gene::<S>::load(row, at);
                let power = S::load(powers.as_ptr().add(at));
                let (ratio, log_ratio) =
                    gene.ratio(S::mul(power, factor), S::add(S::load(scratch.as_ptr().add(at)), log_factor));
                let loss = S::mul(S::add(gene.count, gene.dispersion), log_one_plus::<S>(ratio, log_ratio));
                let constant = S::load(row.constants.as_ptr().add(at));
                total = S::add(total, S::add(S::sub(S::mul(gene.count, log_ratio), loss), constant));
            }
            *value = S::sum(total);
        }
    }
}

/// What a cotangent of the log likelihoods pulls back to.
///
/// # Safety
/// As [`forward`].
#[inline(always)]
pub(super) unsafe fn backward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    row: &Row<'_>,
    logits: &[f32],
    normalizers: &[f32],
    cotangent: &[f32],
    scratch: &mut [f32],
    pulled: &mut Pulled<'_>,
) {
    unsafe {
        let n = padded(row.width);
        let (scratch, slopes) = scratch.split_at_mut(n);
        let library_size = S::splat(row.library_size);
        for (sample, logits) in logits.chunks_exact(row.width).enumerate() {
            load(logits, scratch);
            let (normalizer, cotangent) = (S::splat(normalizers[sample]), S::splat(cotangent[sample]));
            let log_factor = S::splat(row.library_size.ln() - normalizers[sample]);
            let mut total = S::splat(0.0);
            for at in (0..n).step_by(S::LANES) {
                let gene = Gene::<S>::load(row, at);
                let logit = S::load(scratch.as_ptr().add(at));
                let probability = exp_of_negative::<S>(S::sub(logit, normalizer));
                let mean = S::mul(probability, library_size);
                let (ratio, log_ratio) = gene.ratio(mean, S::add(logit, log_factor));

                // d log p / d log(m / r) = x - (x + r) m / (m + r).
                let share = S::div(ratio, S::add(ratio, S::splat(1.0)));
                let slope = S::sub(gene.count, S::mul(S::add(gene.count, gene.dispersion), share));
                // d log p / d rho = -slope - r log(1 + m / r), and the gamma functions.
                let by_dispersion = S::add(slope, S::mul(gene.dispersion, log_one_plus::<S>(ratio, log_ratio)));
                let to = pulled.dispersions.as_mut_ptr().add(at);
                S::store(to, S::sub(S::load(to), S::mul(cotangent, by_dispersion)));

                // A mean at the floor does not move; a NaN is not below it and stays.
                let slope = S::where_positive(S::sub(S::splat(FLOOR), mean), S::splat(0.0), slope);
                total = S::add(total, slope);
                S::store(scratch.as_mut_ptr().add(at), probability);
                S::store(slopes.as_mut_ptr().add(at), slope);
            }

            if !pulled.logits.is_empty() {
                let total = S::splat(S::sum(total));
                for at in (0..n).step_by(S::LANES) {
                    let probability = S::load(scratch.as_ptr().add(at));
                    let slope = S::load(slopes.as_ptr().add(at));
                    let by_logit = S::mul(cotangent, S::sub(slope, S::mul(probability, total)));
                    S::store(slopes.as_mut_ptr().add(at), by_logit);
                }
                pulled.logits[sample * row.width..][..row.width].copy_from_slice(&slopes[..row.width]);
            }
        }
    }
}

/// A vector of genes.
struct Gene<S: Simd> {
    count: S::V,
    dispersion: S::V,
    inverse: S::V,
    log_dispersion: S::V,
}

impl<S: Simd> Gene<S> {
    #[inline(always)]
    unsafe fn load(row: &Row<'_>, at: usize) -> Self {
        unsafe {
            Self {
                count: S::load(row.counts.as_ptr().add(at)),
                dispersion: S::load(row.genes.dispersion.as_ptr().add(at)),
                inverse: S::load(row.genes.inverse.as_ptr().add(at)),
                log_dispersion: S::load(row.genes.log_dispersion.as_ptr().add(at)),
            }
        }
    }

    /// `m / r` and its logarithm, with `m` at least the floor, from `m` and `log m`.
    #[inline(always)]
    unsafe fn ratio(&self, mean: S::V, log_mean: S::V) -> (S::V, S::V) {
        unsafe {
            let (floor, log_floor) = (S::splat(FLOOR), S::splat(LOG_FLOOR));
            // A NaN is not below the floor and stays.
            let mean = S::where_positive(S::sub(floor, mean), floor, mean);
            let log_mean = S::where_positive(S::sub(log_floor, log_mean), log_floor, log_mean);
            (S::mul(mean, self.inverse), S::sub(log_mean, self.log_dispersion))
        }
    }
}

/// `log FLOOR`.
pub(super) const LOG_FLOOR: f32 = -23.025_85;

/// The largest value; a NaN is passed over, and found again in the sum.
#[inline(always)]
unsafe fn largest<S: Simd>(values: &[f32]) -> f32 {
    unsafe {
        let mut largest = S::splat(f32::NEG_INFINITY);
        for at in (0..values.len()).step_by(S::LANES) {
            let value = S::load(values.as_ptr().add(at));
            largest = S::where_positive(S::sub(value, largest), value, largest);
        }
        let mut lanes = [f32::NEG_INFINITY; LANES];
        S::store(lanes.as_mut_ptr(), largest);
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}
