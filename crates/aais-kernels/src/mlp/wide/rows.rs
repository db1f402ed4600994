//! What stands between the matrix products of a wide network, row by row: normalization and activations, both ways.

use super::gemm::padded;
use crate::InstructionSet;
use crate::mlp::LAYER_NORM_EPSILON;
use crate::mlp::plan::MAX_LANES;
use crate::simd::{Simd, dispatch, sigmoid, softplus};

/// What a row of linear values passes through.
#[derive(Clone, Copy)]
pub(super) enum Activation<'a> {
    NormPrelu(Norm<'a>),
    Softplus,
}

/// Gain and shift, both padded by zeros, and the slope.
#[derive(Clone, Copy)]
pub(super) struct Norm<'a> {
    pub gain: &'a [f32],
    pub shift: &'a [f32],
    pub slope: f32,
}

/// What a row of the tape keeps of one block.
pub(super) struct Kept<'a> {
    /// Normalized values, of a softplus block the linear ones; padded.
    pub values: &'a [f32],
    /// Unused by softplus.
    pub inverse_std: f32,
}

/// Sums of gradients over rows, padded like what they belong to.
pub(super) struct Sums<'a> {
    pub bias: &'a mut [f32],
    /// Unused by softplus, like the rest.
    pub gain: &'a mut [f32],
    pub shift: &'a mut [f32],
    /// A vector, whose lanes are still to be added.
    pub slope: &'a mut [f32],
}

/// Normalizes a row of `n` linear values in place, without gain and shift; returns the reciprocal standard deviation.
pub(super) fn normalize(set: InstructionSet, row: &mut [f32], n: usize) -> f32 {
    assert!(row.len() >= padded(n));
    let mut inverse_std = 0.0;
    let (row, found) = (row.as_mut_ptr(), &mut inverse_std);
    // The row has all its vectors.
    dispatch!(set, normalize_row, (row: *mut f32, n: usize, found: &mut f32));
    inverse_std
}

/// From kept values to activations, `n` of them.
pub(super) fn activate(set: InstructionSet, activation: Activation, values: &[f32], n: usize, to: &mut [f32]) {
    let width = padded(n);
    assert!(values.len() >= width && to.len() >= width && fits(activation, width));
    let (values, to) = (values.as_ptr(), to.as_mut_ptr());
    // All have that many values.
    dispatch!(set, activate_row, (activation: Activation, values: *const f32, width: usize, to: *mut f32));
}

/// From the cotangent of a row's `n` activations, in place, to that of its linear values.
pub(super) fn pull_back(
    set: InstructionSet,
    activation: Activation,
    kept: Kept,
    n: usize,
    row: &mut [f32],
    sums: &mut Sums,
) {
    let width = padded(n);
    assert!(kept.values.len() >= width && row.len() >= width && sums.bias.len() >= width && fits(activation, width));
    match activation {
        Activation::NormPrelu(norm) => {
            assert!(sums.gain.len() >= width && sums.shift.len() >= width && sums.slope.len() >= MAX_LANES);
            let row = row.as_mut_ptr();
            // All have that many values.
            dispatch!(set, pull_back_norm, (norm: Norm, kept: Kept, n: usize, row: *mut f32, sums: &mut Sums));
        }
        Activation::Softplus => {
            let (values, row, bias) = (kept.values.as_ptr(), row.as_mut_ptr(), sums.bias.as_mut_ptr());
            // As above.
            dispatch!(set, pull_back_softplus, (values: *const f32, width: usize, row: *mut f32, bias: *mut f32));
        }
    }
}

/// The sum of the lanes that [`pull_back`] left of the slope's gradient.
pub(super) fn sum_lanes(set: InstructionSet, lanes: &[f32]) -> f32 {
    assert!(lanes.len() >= MAX_LANES);
    let mut sum = 0.0;
    let (lanes, found) = (lanes.as_ptr(), &mut sum);
    // One vector.
    dispatch!(set, sum_one, (lanes: *const f32, found: &mut f32));
    sum
}

fn fits(activation: Activation, width: usize) -> bool {
    match activation {
        Activation::NormPrelu(norm) => norm.gain.len() >= width && norm.shift.len() >= width,
        Activation::Softplus => true,
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
fn one_over(n: usize) -> f32 {
    1.0 / n as f32
}

/// Ones where there are values, in the vectors behind the last whole [`MAX_LANES`].
fn present(n: usize) -> [f32; MAX_LANES] {
    std::array::from_fn(|lane| if lane < n % MAX_LANES { 1.0 } else { 0.0 })
}

#[inline(always)]
unsafe fn normalize_row<S: Simd, const V: usize, const P: usize, const IN: usize>(
    row: *mut f32,
    n: usize,
    found: &mut f32,
) {
    unsafe {
        let (whole, width) = (n / MAX_LANES * MAX_LANES, padded(n));
        let present = present(n);
        // Linear values behind the last one are zero.
        let mut sum = S::splat(0.0);
        for at in (0..width).step_by(S::LANES) {
            sum = S::add(sum, S::load(row.add(at)));
        }
        let mean = S::splat(S::sum(sum) * one_over(n));
        let mut squares = S::splat(0.0);
        for at in (0..whole).step_by(S::LANES) {
            let centred = S::sub(S::load(row.add(at)), mean);
            squares = S::fma(centred, centred, squares);
            S::store(row.add(at), centred);
        }
        for at in (whole..width).step_by(S::LANES) {
            let centred = S::sub(S::load(row.add(at)), mean);
            let centred = S::mul(centred, S::load(present.as_ptr().add(at - whole)));
            squares = S::fma(centred, centred, squares);
            S::store(row.add(at), centred);
        }
        *found = 1.0 / (S::sum(squares) * one_over(n) + LAYER_NORM_EPSILON).sqrt();
        let inverse_std = S::splat(*found);
        for at in (0..width).step_by(S::LANES) {
            S::store(row.add(at), S::mul(S::load(row.add(at)), inverse_std));
        }
    }
}

#[inline(always)]
unsafe fn activate_row<S: Simd, const V: usize, const P: usize, const IN: usize>(
    activation: Activation,
    values: *const f32,
    width: usize,
    to: *mut f32,
) {
    unsafe {
        match activation {
            Activation::NormPrelu(norm) => {
                let slope = S::splat(norm.slope);
                for at in (0..width).step_by(S::LANES) {
                    let (gain, shift) = (S::load(norm.gain.as_ptr().add(at)), S::load(norm.shift.as_ptr().add(at)));
                    let n = S::fma(gain, S::load(values.add(at)), shift);
                    S::store(to.add(at), S::where_positive(n, n, S::mul(slope, n)));
                }
            }
            Activation::Softplus => {
                for at in (0..width).step_by(S::LANES) {
                    S::store(to.add(at), softplus::<S>(S::load(values.add(at))));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn add_to<S: Simd>(to: *mut f32, value: S::V) {
    unsafe { S::store(to, S::add(S::load(to), value)) }
}

#[inline(always)]
unsafe fn pull_back_norm<S: Simd, const V: usize, const P: usize, const IN: usize>(
    norm: Norm,
    kept: Kept,
    n: usize,
    row: *mut f32,
    sums: &mut Sums,
) {
    unsafe {
        let (width, zero) = (padded(n), S::splat(0.0));
        let (slope, values) = (S::splat(norm.slope), kept.values.as_ptr());
        let (mut sum, mut product, mut slope_sum) = (zero, zero, zero);
        for at in (0..width).step_by(S::LANES) {
            let (gain, shift) = (S::load(norm.gain.as_ptr().add(at)), S::load(norm.shift.as_ptr().add(at)));
            let (da, x) = (S::load(row.add(at)), S::load(values.add(at)));
            let n = S::fma(gain, x, shift);
            let dn = S::where_positive(n, da, S::mul(slope, da));
            slope_sum = S::add(slope_sum, S::where_positive(n, zero, S::mul(da, n)));
            add_to::<S>(sums.gain.as_mut_ptr().add(at), S::mul(dn, x));
            add_to::<S>(sums.shift.as_mut_ptr().add(at), dn);
            let dx = S::mul(dn, gain);
            sum = S::add(sum, dx);
            product = S::fma(dx, x, product);
            S::store(row.add(at), dx);
        }
        add_to::<S>(sums.slope.as_mut_ptr(), slope_sum);
        let mean = S::splat(S::sum(sum) * one_over(n));
        let along = S::splat(S::sum(product) * one_over(n));
        let inverse_std = S::splat(kept.inverse_std);
        for at in (0..width).step_by(S::LANES) {
            let (dx, x) = (S::load(row.add(at)), S::load(values.add(at)));
            let dh = S::mul(S::sub(S::sub(dx, mean), S::mul(x, along)), inverse_std);
            add_to::<S>(sums.bias.as_mut_ptr().add(at), dh);
            S::store(row.add(at), dh);
        }
    }
}

#[inline(always)]
unsafe fn pull_back_softplus<S: Simd, const V: usize, const P: usize, const IN: usize>(
    values: *const f32,
    width: usize,
    row: *mut f32,
    bias: *mut f32,
) {
    unsafe {
        for at in (0..width).step_by(S::LANES) {
            let dh = S::mul(S::load(row.add(at)), sigmoid::<S>(S::load(values.add(at))));
            add_to::<S>(bias.add(at), dh);
            S::store(row.add(at), dh);
        }
    }
}

#[inline(always)]
unsafe fn sum_one<S: Simd, const V: usize, const P: usize, const IN: usize>(lanes: *const f32, found: &mut f32) {
    unsafe {
        // Eight lanes are two vectors.
        let mut sum = S::splat(0.0);
        for at in (0..MAX_LANES).step_by(S::LANES) {
            sum = S::add(sum, S::load(lanes.add(at)));
        }
        *found = S::sum(sum);
    }
}
