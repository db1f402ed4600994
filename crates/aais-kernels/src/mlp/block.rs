//! What stands between the matrix products: layer normalization, PReLU and softplus, forward and backward.

#![expect(clippy::needless_range_loop, reason = "register blocks are indexed like the matrices they hold")]

use super::LAYER_NORM_EPSILON;
use super::plan::{MAX_LANES, PANEL, Values};
use super::spec::{Layer, LayerKind};
use crate::simd::{Simd, sigmoid, softplus};

/// Layer normalization in place, without gain and shift.
#[inline(always)]
pub(super) unsafe fn normalize<S: Simd, const V: usize>(h: *mut f32, inverse_std: *mut f32, n: usize) {
    unsafe {
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
        let per_feature = S::splat(1.0 / n as f32);
        for row in (0..PANEL).step_by(V * S::LANES) {
            let at = |o: usize, v: usize| h.add(o * PANEL + row + v * S::LANES);
            let mut mean = [S::splat(0.0); V];
            for o in 0..n {
                for v in 0..V {
                    mean[v] = S::add(mean[v], S::load(at(o, v)));
                }
            }
            for v in 0..V {
                mean[v] = S::mul(mean[v], per_feature);
            }
            let mut variance = [S::splat(0.0); V];
            for o in 0..n {
                for v in 0..V {
                    let centred = S::sub(S::load(at(o, v)), mean[v]);
                    variance[v] = S::fma(centred, centred, variance[v]);
                }
            }
            let mut inverse = [S::splat(0.0); V];
            for v in 0..V {
                let variance = S::fma(variance[v], per_feature, S::splat(LAYER_NORM_EPSILON));
                inverse[v] = S::div(S::splat(1.0), S::sqrt(variance));
                S::store(inverse_std.add(row + v * S::LANES), inverse[v]);
            }
            for o in 0..n {
                for v in 0..V {
                    S::store(at(o, v), S::mul(S::sub(S::load(at(o, v)), mean[v]), inverse[v]));
                }
            }
        }
    }
}

/// From normalized values to activations: gain, shift and PReLU; or softplus.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(layer: &Layer, values: Values, normalized: *const f32, to: *mut f32) {
    unsafe {
        match layer.kind {
            LayerKind::Output => (),
            LayerKind::NormPrelu(norm) => {
                let slope = S::splat(values.slope);
                for o in 0..layer.n_out {
                    let gain = S::splat(*values.parameters.add(norm.gain + o));
                    let shift = S::splat(*values.parameters.add(norm.shift + o));
                    for row in (0..PANEL).step_by(S::LANES) {
                        let n = S::fma(gain, S::load(normalized.add(o * PANEL + row)), shift);
                        S::store(to.add(o * PANEL + row), S::where_positive(n, n, S::mul(slope, n)));
                    }
                }
            }
            LayerKind::Softplus => {
                for at in (0..layer.n_out * PANEL).step_by(S::LANES) {
                    S::store(to.add(at), softplus::<S>(S::load(normalized.add(at))));
                }
            }
        }
    }
}

/// PReLU and layer normalization of one block, backward.
pub(super) struct Block {
    pub gain: *const f32,
    pub shift: *const f32,
    pub slope: f32,
    pub n: usize,
    pub gain_lanes: *mut f32,
    pub shift_lanes: *mut f32,
    pub bias_lanes: *mut f32,
    pub slope_lanes: *mut f32,
}

/// What a block's pullback was made of, for its own derivative: cotangents of the activation, tangents of the linear layer.
#[derive(Clone, Copy)]
pub(super) struct SecondOrder {
    pub da: *const f32,
    pub dot_h: *const f32,
}

impl Block {
    /// From the cotangent of the activation to that of the linear layer; `da` and `dh` may be the same.
    #[inline(always)]
    pub unsafe fn backward<S: Simd, const V: usize>(
        &self,
        da: *const f32,
        normalized: *const f32,
        inverse_std: *const f32,
        dh: *mut f32,
    ) {
        unsafe {
            let slope = S::splat(self.slope);
            let zero = S::splat(0.0);
            #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
            let per_feature = S::splat(1.0 / self.n as f32);
            let mut slope_sum = S::load(self.slope_lanes);
            for row in (0..PANEL).step_by(V * S::LANES) {
                let at = |o: usize, v: usize| o * PANEL + row + v * S::LANES;
                let (mut sum, mut product) = ([zero; V], [zero; V]);
                for o in 0..self.n {
                    let (gain, shift) = (S::splat(*self.gain.add(o)), S::splat(*self.shift.add(o)));
                    let mut gain_sum = S::load(self.gain_lanes.add(o * MAX_LANES));
                    let mut shift_sum = S::load(self.shift_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (da, x) = (S::load(da.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let n = S::fma(gain, x, shift);
                        let dn = S::where_positive(n, da, S::mul(slope, da));
                        slope_sum = S::add(slope_sum, S::where_positive(n, zero, S::mul(da, n)));
                        gain_sum = S::fma(dn, x, gain_sum);
                        shift_sum = S::add(shift_sum, dn);
                        let dx = S::mul(dn, gain);
                        sum[v] = S::add(sum[v], dx);
                        product[v] = S::fma(dx, x, product[v]);
                        S::store(dh.add(at(o, v)), dx);
                    }
                    S::store(self.gain_lanes.add(o * MAX_LANES), gain_sum);
                    S::store(self.shift_lanes.add(o * MAX_LANES), shift_sum);
                }
                let mut inverse = [zero; V];
                for v in 0..V {
                    inverse[v] = S::load(inverse_std.add(row + v * S::LANES));
                    sum[v] = S::mul(sum[v], per_feature);
                    product[v] = S::mul(product[v], per_feature);
                }
                for o in 0..self.n {
                    let mut bias_sum = S::load(self.bias_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (dx, x) = (S::load(dh.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let centred = S::sub(S::sub(dx, sum[v]), S::mul(x, product[v]));
                        let dh_value = S::mul(centred, inverse[v]);
                        bias_sum = S::add(bias_sum, dh_value);
                        S::store(dh.add(at(o, v)), dh_value);
                    }
                    S::store(self.bias_lanes.add(o * MAX_LANES), bias_sum);
                }
            }
            S::store(self.slope_lanes, slope_sum);
        }
    }
    /// As [`backward`](Self::backward), with the derivative of `<da', J dot_h>` of this block added; `J` is its Jacobian.
    ///
    /// With `e = gain mask da'`, `E = mean(e n)`, `R = mean(dot_h n)` over features and `n` the normalized values,
    /// that scalar is `H r (mean(e dot_h) - mean(e) mean(dot_h) - E R)` for `r` the reciprocal standard deviation.
    #[inline(always)]
    pub unsafe fn backward_second<S: Simd, const V: usize>(
        &self,
        da: *const f32,
        normalized: *const f32,
        inverse_std: *const f32,
        second: SecondOrder,
        dh: *mut f32,
    ) {
        unsafe {
            let slope = S::splat(self.slope);
            let zero = S::splat(0.0);
            #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
            let per_feature = S::splat(1.0 / self.n as f32);
            let mut slope_sum = S::load(self.slope_lanes);
            for row in (0..PANEL).step_by(V * S::LANES) {
                let at = |o: usize, v: usize| o * PANEL + row + v * S::LANES;
                // Means over features of: cotangents q of normalized values, q n, e, e n, dot_h, dot_h n, e dot_h.
                let mut means = [[zero; V]; 7];
                for o in 0..self.n {
                    let (gain, shift) = (S::splat(*self.gain.add(o)), S::splat(*self.shift.add(o)));
                    let mut gain_sum = S::load(self.gain_lanes.add(o * MAX_LANES));
                    let mut shift_sum = S::load(self.shift_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (da, x) = (S::load(da.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let (earlier, dot_h) = (S::load(second.da.add(at(o, v))), S::load(second.dot_h.add(at(o, v))));
                        let n = S::fma(gain, x, shift);
                        let dn = S::where_positive(n, da, S::mul(slope, da));
                        slope_sum = S::add(slope_sum, S::where_positive(n, zero, S::mul(da, n)));
                        gain_sum = S::fma(dn, x, gain_sum);
                        shift_sum = S::add(shift_sum, dn);
                        let q = S::mul(dn, gain);
                        let e = S::mul(gain, S::where_positive(n, earlier, S::mul(slope, earlier)));
                        means[0][v] = S::add(means[0][v], q);
                        means[1][v] = S::fma(q, x, means[1][v]);
                        means[2][v] = S::add(means[2][v], e);
                        means[3][v] = S::fma(e, x, means[3][v]);
                        means[4][v] = S::add(means[4][v], dot_h);
                        means[5][v] = S::fma(dot_h, x, means[5][v]);
                        means[6][v] = S::fma(e, dot_h, means[6][v]);
                        S::store(dh.add(at(o, v)), q);
                    }
                    S::store(self.gain_lanes.add(o * MAX_LANES), gain_sum);
                    S::store(self.shift_lanes.add(o * MAX_LANES), shift_sum);
                }
                let mut inverse = [zero; V];
                // Mean of the whole cotangent of the normalized values, and its product with them.
                let (mut centre, mut along) = ([zero; V], [zero; V]);
                for v in 0..V {
                    let inv = S::load(inverse_std.add(row + v * S::LANES));
                    inverse[v] = inv;
                    for mean in &mut means {
                        mean[v] = S::mul(mean[v], per_feature);
                    }
                    let [q, qx, e, ex, dot, dotx, edot] = [0, 1, 2, 3, 4, 5, 6].map(|k: usize| means[k][v]);
                    let both = S::mul(ex, dotx);
                    centre[v] = S::sub(q, S::mul(inv, S::fma(e, dotx, S::mul(dot, ex))));
                    let scalar = S::sub(S::sub(edot, S::mul(e, dot)), both);
                    along[v] = S::fma(inv, S::sub(scalar, S::add(both, both)), qx);
                }
                for o in 0..self.n {
                    let (gain, shift) = (S::splat(*self.gain.add(o)), S::splat(*self.shift.add(o)));
                    let mut gain_sum = S::load(self.gain_lanes.add(o * MAX_LANES));
                    let mut bias_sum = S::load(self.bias_lanes.add(o * MAX_LANES));
                    for v in 0..V {
                        let (q, x) = (S::load(dh.add(at(o, v))), S::load(normalized.add(at(o, v))));
                        let (earlier, dot_h) = (S::load(second.da.add(at(o, v))), S::load(second.dot_h.add(at(o, v))));
                        let n = S::fma(gain, x, shift);
                        let dn = S::where_positive(n, earlier, S::mul(slope, earlier));
                        let (ex, dot, dotx) = (means[3][v], means[4][v], means[5][v]);
                        // Tangent of the normalized value.
                        let dot_x = S::mul(inverse[v], S::sub(S::sub(dot_h, dot), S::mul(x, dotx)));
                        gain_sum = S::fma(dn, dot_x, gain_sum);
                        let by_slope = S::mul(earlier, S::mul(gain, dot_x));
                        slope_sum = S::add(slope_sum, S::where_positive(n, zero, by_slope));
                        let e = S::mul(gain, dn);
                        let q = S::sub(q, S::mul(inverse[v], S::fma(e, dotx, S::mul(dot_h, ex))));
                        let dh_value = S::mul(inverse[v], S::sub(S::sub(q, centre[v]), S::mul(x, along[v])));
                        bias_sum = S::add(bias_sum, dh_value);
                        S::store(dh.add(at(o, v)), dh_value);
                    }
                    S::store(self.gain_lanes.add(o * MAX_LANES), gain_sum);
                    S::store(self.bias_lanes.add(o * MAX_LANES), bias_sum);
                }
            }
            S::store(self.slope_lanes, slope_sum);
        }
    }
}

/// Softplus of one block, backward: `dh = da s(h)`, and with `second` the derivative of `<da', s(h) dot_h>` beside it.
#[inline(always)]
pub(super) unsafe fn softplus_backward<S: Simd>(
    n: usize,
    da: *const f32,
    h: *const f32,
    second: Option<SecondOrder>,
    bias_lanes: *mut f32,
    dh: *mut f32,
) {
    unsafe {
        for o in 0..n {
            let mut bias_sum = S::load(bias_lanes.add(o * MAX_LANES));
            for row in (0..PANEL).step_by(S::LANES) {
                let at = o * PANEL + row;
                let sigmoid = sigmoid::<S>(S::load(h.add(at)));
                let mut value = S::mul(S::load(da.add(at)), sigmoid);
                if let Some(second) = second {
                    let curvature = S::mul(sigmoid, S::sub(S::splat(1.0), sigmoid));
                    let product = S::mul(S::load(second.da.add(at)), S::load(second.dot_h.add(at)));
                    value = S::fma(curvature, product, value);
                }
                bias_sum = S::add(bias_sum, value);
                S::store(dh.add(at), value);
            }
            S::store(bias_lanes.add(o * MAX_LANES), bias_sum);
        }
    }
}
